//! One DynamoDB table: keys chosen for the access patterns, one transaction per operation.

use architecture::Sabotage;
use program::{ErrorClass, ItemRequest, ItemWrite, Load, Read, TransactedWrite, WriteAction};

use crate::*;

/// The requests of a program, in the order in which they stand.
fn requests(program: &Program) -> Vec<&ItemRequest> {
    let mut found = Vec::new();
    visit(program, &program.body, &mut |step| {
        if let Op::Item { request, .. } = &step.op {
            found.push(request);
        }
    });
    found
}

fn transaction(program: &Program) -> &[TransactedWrite] {
    let found = requests(program).into_iter().find_map(|request| match request {
        ItemRequest::TransactWrite { writes, .. } => Some(writes.as_slice()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{} has no transaction", program.name))
}

fn reasons(compilation: &Compilation) -> String {
    compilation.deployment.item_tables[0].reasons.join("\n")
}

fn weakened(compilation: &Compilation) -> String {
    let lines = compilation
        .weakened
        .iter()
        .map(|w| format!("{}: {} ({})\n", w.constraint, w.becomes, w.reason));
    lines.collect()
}

#[test]
fn keys_follow_the_access_patterns_and_say_why() {
    let reasons = reasons(&compile(DYNAMO, SIGN_UP));
    for line in [
        "auth.users: pk = t#<tenant_id>#users#<id>, sk = users; by its primary key (id)",
        "permissions.user_roles: pk = t#<tenant_id>#users#<user_id>, sk = user_roles#<role_id>; lies with its users: \
         read by user_id in user_with_roles, activity_report",
        "permissions.roles: pk = roles#<id>, sk = roles; by its primary key (id)",
        "audit.audit_logs: gsi1pk = t#<tenant_id>#audit_logs#user_id#<user_id>, gsi1sk = <id>",
        "auth.users UNIQUE (email): a guard item per value",
        "user_with_roles: permissions.user_roles by user_id → Query on the table, one item collection",
        "activity_report: audit.audit_logs by user_id → Query on gsi1, eventually consistent",
    ] {
        assert!(reasons.contains(line), "{line}\nin\n{reasons}");
    }
}

#[test]
fn indexes_are_overloaded() {
    let table = &compile(DYNAMO, SIGN_UP).deployment.item_tables[0];
    let names: Vec<&str> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(names, ["gsi1"], "two tables need one index each: one for both");
    assert_eq!(table.indexes[0].key.partition.name, "gsi1pk");
}

/// Two owners have a table of the same name: their keys must not meet.
#[test]
fn tables_of_one_name_keep_apart() {
    let reasons = reasons(&compile(DYNAMO, BANK));
    assert!(
        reasons.contains("north.accounts: pk = north.accounts#<id>"),
        "{reasons}"
    );
    assert!(
        reasons.contains("south.accounts: pk = south.accounts#<id>"),
        "{reasons}"
    );
}

/// What decides on a write is read from the table itself, though more is asked by the other column.
#[test]
fn a_collection_is_that_which_must_be_read_strongly() {
    let compilation = compile(DYNAMO, SCHOOL);
    let reasons = reasons(&compilation);
    assert!(
        reasons.contains(
            "timetable.enrolments: pk = lessons#<lesson_id>, sk = enrolments#<pupil_id>; lies with its lessons"
        ),
        "{reasons}"
    );
    in_order(
        &text(&compilation, "enrol"),
        &[
            "GetItem (consistent) { pk: key('lessons', :lesson), sk: key('lessons') }",
            "Query (consistent): #pk = :pk AND begins_with(#sk, :sk)",
            ":sk key('enrolments') || '#'",
            "if (taken GreaterOrEqual seats)",
            "TransactWriteItems",
        ],
    );
}

#[test]
fn create_user_is_one_transaction_without_a_read() {
    let compilation = compile(DYNAMO, SIGN_UP);
    let create = program(&compilation, "create_user");
    assert_eq!(requests(create).len(), 1);
    let puts: Vec<&ItemWrite> = transaction(create).iter().map(|write| &write.write).collect();
    assert_eq!(
        puts.len(),
        5,
        "three rows, the guard of the e-mail, the role that must be there"
    );
    let text = text(&compilation, "create_user");
    in_order(
        &text,
        &[
            "TransactWriteItems, token key(request key, :attempt number)",
            "Put { pk: key('t', :tenant, 'users', :id), sk: key('users'), entity: 'auth.users'",
            "status: 'active', version: 1, created_at: :started at",
            "if attribute_not_exists(#pk)",
            "Put { pk: key('t', :tenant, 'users', :id), sk: key('user_roles', :role)",
            "Put { pk: key('t', :tenant, 'audit_logs', :entry)",
            "Put { pk: key('unique', 'auth.users.email', :email), sk: key('unique')",
            "ConditionCheck { pk: key('roles', :role), sk: key('roles') } if attribute_exists(#pk)",
        ],
    );
    assert!(
        !text.contains("ConditionCheck { pk: key('t', :tenant, 'users'"),
        "the user is put here: {text}"
    );
}

#[test]
fn a_row_by_its_key_is_updated_in_place() {
    let compilation = compile(DYNAMO, SIGN_UP);
    let update = program(&compilation, "update_user");
    let [ItemRequest::Write(write)] = requests(update)[..] else {
        panic!("{}", text(&compilation, "update_user"));
    };
    let WriteAction::Update { update, .. } = &write.action else {
        panic!("{write:?}")
    };
    assert_eq!(
        update.text,
        "SET #revision = #revision + :one, #c0 = :v0, #c1 = #c1 + :v1, #c2 = :v2"
    );
    let condition = write.condition.as_ref().expect("a condition");
    assert_eq!(
        (condition.phrase.text.as_str(), condition.class),
        ("attribute_exists(#pk)", ErrorClass::Expectation)
    );
}

/// The new value must be checked, so it must be known.
#[test]
fn a_column_with_a_check_is_read_first() {
    let compilation = compile(DYNAMO, SHOP);
    in_order(
        &text(&compilation, "restock"),
        &[
            "GetItem (consistent) { pk: key('t', :shop, 'stock', :product)",
            "(available + $1)::integer",
            "WHEN NOT (available >= 0) THEN",
            "abort",
            "SELECT available FROM warehouse.stock [] → left",
            "abort Text(\"no such product\")",
            "PutItem",
            "if #revision = :revision",
        ],
    );
}

#[test]
fn what_an_operation_has_written_it_sees() {
    let compilation = compile(DYNAMO, SHOP);
    in_order(
        &text(&compilation, "place_order"),
        &[
            "GetItem (consistent) { pk: key('t', :shop, 'products', :product)",
            "abort Text(\"no such product\")",
            "'placed'::text AS status",
            "(count(rows written by statement 4) NotEqual Int8(1))",
            "work at bank",
            "UNION ALL",
            "'paid'::text AS status",
            "TransactWriteItems",
        ],
    );
    let order = program(&compilation, "place_order");
    assert_eq!(
        requests(order)
            .iter()
            .filter(|request| matches!(request, ItemRequest::TransactWrite { .. }))
            .count(),
        1,
        "everything is written at once"
    );
}

/// The transaction may be tried again; the card is charged once.
#[test]
fn a_call_to_the_outside_is_made_once() {
    let compilation = compile(DYNAMO, SHOP);
    in_order(
        &text(&compilation, "place_order"),
        &[
            "statement 5 called := Int8(0)",
            "retry 10",
            "if (statement 5 called Equal Int8(0))",
            "work at bank",
            "statement 5 called := Int8(1)",
            "TransactWriteItems",
        ],
    );
}

#[test]
fn nothing_is_asked_for_twice() {
    let compilation = compile(DYNAMO, BANK);
    let transfer = program(&compilation, "transfer");
    let gets = requests(transfer)
        .into_iter()
        .filter(|request| matches!(request, ItemRequest::Get { .. }));
    assert_eq!(gets.count(), 2, "{}", text(&compilation, "transfer"));
}

#[test]
fn locked_rows_must_be_unchanged() {
    let tables = "CREATE TABLE a.x (id int PRIMARY KEY, n int NOT NULL);\nCREATE TABLE a.y (id int PRIMARY KEY, n int NOT NULL);";
    let sql = "SELECT n INTO :n FROM a.x WHERE id = :id FOR UPDATE;\nINSERT INTO a.y (id, n) VALUES (:new, :n);";
    let compilation = compile(DYNAMO, &small(tables, "id = 1, new = \"new id\"", sql));
    let writes = transaction(program(&compilation, "act"));
    let held = writes
        .iter()
        .find(|write| matches!(write.write.action, WriteAction::Check { .. }));
    let condition = held
        .and_then(|write| write.write.condition.as_ref())
        .expect("a check of the locked row");
    assert_eq!(
        (condition.phrase.text.as_str(), condition.class),
        ("#revision = :revision", ErrorClass::Transient)
    );
}

#[test]
fn unique_values_move_with_their_row() {
    let tables = "CREATE TABLE a.x (id int PRIMARY KEY, email text UNIQUE);";
    let compilation = compile(
        DYNAMO,
        &small(
            tables,
            "id = 1, email = \"new email\"",
            "UPDATE a.x SET email = :email WHERE id = :id;",
        ),
    );
    in_order(
        &text(&compilation, "act"),
        &[
            "GetItem (consistent)",
            "x.email AS \"stored email\"",
            "EXCEPT",
            "TransactWriteItems",
            "Put { pk: key('x', :row a.x.id)",
            "Put { pk: key('unique', 'a.x.email', :taken a.x.email)",
            "if attribute_not_exists(#pk)",
            "Delete { pk: key('unique', 'a.x.email', :freed a.x.email)",
        ],
    );
}

#[test]
fn what_refers_to_a_deleted_row_goes_with_it() {
    let tables = "CREATE TABLE a.x (id int PRIMARY KEY);\n\
                  CREATE TABLE a.y (id int PRIMARY KEY, x int NOT NULL REFERENCES a.x ON DELETE CASCADE);\n\
                  CREATE TABLE a.z (id int PRIMARY KEY, x int REFERENCES a.x ON DELETE SET NULL);\n\
                  CREATE TABLE a.w (id int PRIMARY KEY, x int REFERENCES a.x);";
    let compilation = compile(DYNAMO, &small(tables, "id = 1", "DELETE FROM a.x WHERE id = :id;"));
    let text = text(&compilation, "act");
    in_order(
        &text,
        &[
            "Query on gsi1, 16 at a time",
            "key('y', 'x', :key a.y.x)",
            "key('z', 'x', :key a.z.x)",
            "key('w', 'x', :key a.w.x)",
            "violates foreign key constraint",
            "TransactWriteItems",
        ],
    );
    let writes = transaction(program(&compilation, "act"));
    let deletes = writes
        .iter()
        .filter(|write| matches!(write.write.action, WriteAction::Delete { .. }));
    let puts = writes
        .iter()
        .filter(|write| matches!(write.write.action, WriteAction::Put { .. }));
    assert_eq!(
        (deletes.count(), puts.count()),
        (2, 1),
        "x and y go, z is loosened: {text}"
    );
}

/// A deletion that does not know of a row which refers to it must fail.
#[test]
fn whoever_refers_to_rows_that_may_go_counts_their_revision_up() {
    let tables = "CREATE TABLE a.x (id int PRIMARY KEY);\nCREATE TABLE a.y (id int PRIMARY KEY, x int REFERENCES a.x);";
    let insert = "INSERT INTO a.y (id, x) VALUES (:id, :x);";
    let parameters = "id = \"new id\", x = 1";
    let with = |more: &str| {
        let text = small(tables, parameters, insert).replace("[load]", &format!("{more}\n[load]"));
        let compilation = compile(DYNAMO, &text);
        let writes = transaction(program(&compilation, "act")).to_vec();
        writes
            .into_iter()
            .any(|write| matches!(write.write.action, WriteAction::Update { .. }))
    };
    assert!(!with(""), "nothing is deleted: a check is enough");
    assert!(with(
        "[[operation]]\nname = \"remove\"\nparameters = { id = 1 }\nsql = \"DELETE FROM a.x WHERE id = :id;\"\n"
    ));
}

#[test]
fn ranges_become_conditions_on_the_sort_key() {
    let tables =
        "CREATE TABLE a.x (shop int NOT NULL, id int NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (shop, id));";
    let sql = "SELECT id FROM a.x WHERE shop = :shop AND at >= :from AND at < :until;";
    let compilation = compile(DYNAMO, &small(tables, "shop = 1, from = \"now\", until = \"now\"", sql));
    assert!(
        reasons(&compilation).contains("pk = x#<shop>, sk = x#<id>"),
        "{}",
        reasons(&compilation)
    );
    let tables = tables.replace("PRIMARY KEY (shop, id)", "PRIMARY KEY (id)");
    let compilation = compile(
        DYNAMO,
        &small(&tables, "shop = 1, from = \"now\", until = \"now\"", sql),
    );
    assert!(
        reasons(&compilation).contains("gsi1pk = x#shop#<shop>, gsi1sk = <at>#<id>"),
        "{}",
        reasons(&compilation)
    );
    in_order(
        &text(&compilation, "act"),
        &[
            "if (from LessOrEqual until)",
            "Query on gsi1: #pk = :pk AND #sk BETWEEN :low AND :high",
            ":low key(:from), :high key(:until) || '$'",
            "else",
            "SELECT 1 WHERE false",
        ],
    );
}

#[test]
fn a_scan_is_called_one_with_its_cost() {
    let compilation = compile(DYNAMO, BANK);
    assert!(text(&compilation, "audit").contains("Scan, filter #entity = :entity"));
    assert!(
        reasons(&compilation)
            .contains("audit: north.accounts all → needs a scan: it reads every item, at first about 40")
    );
    assert!(weakened(&compilation).contains("operation audit: some rows of north.accounts: a scan of the whole table"));
}

#[test]
fn what_no_transaction_can_take_is_refused_with_its_place() {
    let compilation = compile(DYNAMO, BOOKING);
    let refused: Vec<&str> = compilation
        .refusals
        .iter()
        .map(|refusal| refusal.reason.as_str())
        .collect();
    assert_eq!(
        refused,
        ["it would write about 500 items of planning.slots; a transaction takes at most 100"]
    );
    assert!(compilation.refusals[0].line > 1 && compilation.refusals[0].hint.is_some());
}

#[test]
fn what_is_weakened_is_listed() {
    let sign_up = weakened(&compile(DYNAMO, SIGN_UP));
    for line in [
        "auth.users CHECK (status IN ('active', 'suspended')): checked by the application",
        "PRIMARY KEY of auth.users, auth.sessions",
        "unique within a tenant",
        "operation activity_report: the latest rows of audit.audit_logs: may miss the latest writes",
        "operation activity_report: what it reads is of one instant",
    ] {
        assert!(sign_up.contains(line), "{line}\nin\n{sign_up}");
    }
    assert!(weakened(&compile(DYNAMO, SCHOOL)).contains("operation enrol: REPEATABLE READ"));
}

#[test]
fn initial_rows_become_items_and_guards() {
    let compilation = compile(DYNAMO, SIGN_UP);
    let users = compilation
        .logical_tables
        .iter()
        .find(|table| table.name == "auth.users")
        .expect("users");
    let [Load::Items { items, .. }] = users.loads.as_slice() else {
        panic!("{:?}", users.loads)
    };
    assert_eq!(items.len(), 2, "the row and the guard of its e-mail");
    let [Read::Items { with, attributes, .. }] = users.reads.as_slice() else {
        panic!("{:?}", users.reads)
    };
    assert_eq!(with, &("entity".to_owned(), "auth.users".to_owned()));
    assert_eq!(attributes.len(), users.columns.len());
}

#[test]
fn the_scenario_may_choose_keys() {
    let with = |line: &str| format!("{SIGN_UP}\n[architecture.dynamodb-single-table]\n{line}\n");
    let said = |line: &str| {
        architecture::check(&scenario(&with(line)))
            .iter()
            .map(|d| d.to_string())
            .collect::<String>()
    };
    assert_eq!(said("\"permissions.user_roles\" = \"partition role_id\""), "");
    let chosen = compile(DYNAMO, &with("\"permissions.user_roles\" = \"partition role_id\""));
    assert!(
        reasons(&chosen)
            .contains("permissions.user_roles: pk = t#<tenant_id>#user_roles#<role_id>, sk = user_roles#<user_id>"),
        "{}",
        reasons(&chosen)
    );
    let scanned = compile(DYNAMO, &with("\"audit.audit_logs\" = \"scan\""));
    assert!(
        text(&scanned, "activity_report")
            .contains("Scan, filter #entity = :entity [#entity entity, :entity 'audit.audit_logs']")
    );
    assert!(
        said("\"permissions.user_roles\" = \"partition granted_at\"")
            .contains("\"granted_at\" is not in the primary key")
    );
    assert!(said("\"auth.users\" = \"quickly\"").contains("\"quickly\" is no way to find the rows of auth.users"));
    assert!(said("\"auth.users\" = 3").contains("takes a text"));
    assert!(said("\"auth.nobody\" = \"scan\"").contains("unknown setting"));
}

#[test]
fn what_sabotage_leaves_out() {
    let guards = |sabotage: &[Sabotage]| {
        let compilation = compile_with(DYNAMO, SIGN_UP, sabotage);
        text(&compilation, "create_user").matches("key('unique', ").count()
    };
    assert_eq!((guards(&[]), guards(&[Sabotage::WithoutGuards])), (1, 0));
    let conditions = |sabotage: &[Sabotage]| {
        let compilation = compile_with(DYNAMO, BANK, sabotage);
        text(&compilation, "transfer").matches("#revision = :revision").count()
    };
    assert_eq!(conditions(&[Sabotage::WithoutConditions]), 0);
    assert!(conditions(&[]) >= 2);
}

/// `a.rooms` lies with its house; what lies in a room cannot lie there too: another room's would meet it.
#[test]
fn a_collection_within_a_collection_keeps_its_own_key() {
    let tables = "CREATE TABLE a.houses (id int PRIMARY KEY);
CREATE TABLE a.rooms (house int NOT NULL REFERENCES a.houses, no int NOT NULL, PRIMARY KEY (house, no));
CREATE TABLE a.chairs (house int NOT NULL, room int NOT NULL, no int NOT NULL, PRIMARY KEY (house, room, no),
  FOREIGN KEY (house, room) REFERENCES a.rooms (house, no));";
    let sql =
        "SELECT no FROM a.rooms WHERE house = :house; SELECT no FROM a.chairs WHERE house = :house AND room = :room";
    let reasons = reasons(&compile(
        DYNAMO,
        &small(tables, "house = \"between 1 and 9\", room = \"between 1 and 9\"", sql),
    ));
    assert!(
        reasons.contains("a.rooms: pk = houses#<house>, sk = rooms#<no>; lies with its houses"),
        "{reasons}"
    );
    assert!(
        reasons.contains("a.chairs: pk = chairs#<house>#<room>, sk = chairs#<no>"),
        "{reasons}"
    );
}

/// Rows that refer to the same one need it once: a transaction names an item once.
#[test]
fn a_row_that_several_refer_to_is_checked_once() {
    let tables = "CREATE TABLE a.teams (id int PRIMARY KEY);
CREATE TABLE a.people (id int PRIMARY KEY, team int NOT NULL REFERENCES a.teams);
CREATE INDEX by_team ON a.people (team);";
    let sql = "UPDATE a.people SET team = :to WHERE team = :from";
    let compilation = compile(
        DYNAMO,
        &small(tables, "to = \"between 1 and 9\", from = \"between 1 and 9\"", sql),
    );
    in_order(
        &text(&compilation, "act"),
        &["SELECT DISTINCT k1", "references to a.teams", "ConditionCheck"],
    );
}

/// What refers to a deleted row is found by a column that no key begins with: others are found too, and left alone.
#[test]
fn only_what_refers_to_a_deleted_row_goes_with_it() {
    let tables = "CREATE TABLE a.shelves (id int PRIMARY KEY);
CREATE TABLE a.books (shelf int NOT NULL, id int NOT NULL, lies_on int REFERENCES a.shelves ON DELETE CASCADE, PRIMARY KEY (shelf, id));";
    let parameters = "id = \"between 1 and 9\", shelf = \"between 1 and 9\"";
    let sql =
        "INSERT INTO a.books (shelf, id, lies_on) VALUES (:shelf, :id, NULL); DELETE FROM a.shelves WHERE id = :id";
    let compilation = compile(DYNAMO, &small(tables, parameters, sql));
    in_order(
        &text(&compilation, "act"),
        &[
            "FROM found.rows AS x WHERE EXISTS (SELECT 1 FROM wanted.keys AS k WHERE x.lies_on = k.k1)",
            "rows changed a.books with a.shelves",
        ],
    );
}

const STAYS: &str =
    "CREATE TABLE a.stays (id int PRIMARY KEY, bed int NOT NULL, state text NOT NULL, left_at timestamptz);
CREATE UNIQUE INDEX one_in_a_bed ON a.stays (bed) WHERE left_at IS NULL AND state <> 'planned';";

/// Leaving frees the bed, as deleting does; only covered rows take one, initial rows too.
#[test]
fn a_unique_index_over_some_rows_is_held_by_guards_of_these() {
    let parameters = "id = \"new id\", bed = \"between 1 and 9\", at = \"now\"";
    let sql = "UPDATE a.stays SET left_at = :at WHERE bed = :bed; INSERT INTO a.stays VALUES (:id, :bed, 'here', NULL)";
    let compilation = compile(DYNAMO, &small(STAYS, parameters, sql));
    in_order(
        &text(&compilation, "act"),
        &[
            "WHERE NOT \"row gone\" AND (left_at IS NULL AND state <> 'planned') EXCEPT ALL",
            "(\"stored left_at\" IS NULL AND \"stored state\" <> 'planned')",
            "TransactWriteItems",
            "of taken a.stays.bed WHERE left_at IS NULL AND state <> 'planned': Put { pk: key('unique', 'a.stays.bed WHERE",
            "of freed a.stays.bed WHERE left_at IS NULL AND state <> 'planned': Delete { pk: key('unique', 'a.stays.bed WHERE",
        ],
    );
    let [Load::Items { items, .. }] = compilation.logical_tables[0].loads.as_slice() else {
        panic!("{:?}", compilation.logical_tables[0].loads);
    };
    assert_eq!(items.len(), 2, "the row and its guard");
    assert!(
        !weakened(&compilation).contains("UNIQUE (bed)"),
        "{}",
        weakened(&compilation)
    );
}

#[test]
fn a_conflict_that_may_mean_some_rows_is_refused() {
    let sql = "INSERT INTO a.stays VALUES (:id, 3, 'here', NULL) ON CONFLICT DO NOTHING";
    let compilation = compile(DYNAMO, &small(STAYS, "id = \"new id\"", sql));
    let [refusal] = compilation.refusals.as_slice() else {
        panic!("{:?}", compilation.refusals);
    };
    assert!(refusal.reason.contains("some rows of a.stays"), "{refusal:?}");
    assert!(refusal.line > 0 && refusal.hint.is_some());
}
