//! Sagas: their steps, what undoes them, and what keeps a repetition from having an effect.

use architecture::Sabotage;
use program::{Op, ProgramKind, Role};

use crate::*;

#[test]
fn each_owner_has_a_service_a_server_and_its_own_tables() {
    let compilation = compile(SAGA, SIGN_UP);
    let names: Vec<&str> = compilation
        .deployment
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    for owner in ["auth", "email", "audit", "permissions"] {
        assert!(names.contains(&format!("{owner}-service").as_str()), "{names:?}");
        assert!(names.contains(&format!("{owner}-db").as_str()), "{names:?}");
    }
    for database in &compilation.deployment.databases {
        let ddl = database.definitions.join("\n");
        let others = ["auth", "email", "audit", "permissions"]
            .into_iter()
            .filter(|owner| *owner != database.name);
        for other in others {
            assert!(
                !ddl.contains(&format!("{other}.")),
                "{} has something of {other}: {ddl}",
                database.name
            );
        }
    }
}

#[test]
fn a_foreign_key_between_services_is_a_soft_reference() {
    let compilation = compile(SAGA, SIGN_UP);
    let found: Vec<&str> = compilation.weakened.iter().map(|w| w.constraint.as_str()).collect();
    assert!(
        found.contains(&"permissions.user_roles (user_id) REFERENCES auth.users (id)"),
        "{found:?}"
    );
    assert!(
        !found.iter().any(|w| w.starts_with("auth.sessions")),
        "that one stays inside: {found:?}"
    );
}

#[test]
fn an_operation_of_one_owner_stays_a_local_transaction_at_its_service() {
    let compilation = compile(SAGA, SIGN_UP);
    let update = program(&compilation, "update_user");
    assert_eq!(compilation.deployment.node(update.home).name, "auth-service");
    assert_eq!(statements(update).len(), 4, "BEGIN, UPDATE, COMMIT, ROLLBACK");
}

#[test]
fn actions_are_guarded_by_the_position_and_followed_by_a_savepoint() {
    let saga = text(&compile(SAGA, SIGN_UP), "create_user · saga");
    in_order(
        &saga,
        &[
            "if (saga position Less Int8(1))",
            "call create_user · step 1 at auth [(request key Concat Text(\"/1\")), id, tenant, email, name]",
            "SET position = 1 WHERE saga_id = $1 AND state = 'running' AND position < 1",
            "if (saga position Less Int8(2))",
            "call create_user · step 2 at permissions",
            "SET position = 2",
            "if (saga position Less Int8(3))",
            "call create_user · step 3 at audit",
            "SET position = 3, state = 'done'",
            "catch",
            "SET state = 'compensating', error = $1 WHERE saga_id = $2 AND state = 'running' AND position < 2",
            "call create_user · step 3 at audit · cancel",
            "call create_user · step 2 at permissions · undo",
            "call create_user · step 1 at auth · undo",
            "SET state = 'compensated'",
            "rethrow",
        ],
    );
}

#[test]
fn an_action_takes_its_key_in_the_transaction_of_its_effect() {
    let compilation = compile(SAGA, SIGN_UP);
    let texts = statements(program(&compilation, "create_user · step 1 at auth"));
    assert_eq!(texts[0], "BEGIN");
    assert!(texts[1].starts_with("INSERT INTO idempotency.create_user_1 (key, state) VALUES ($1, 'done') ON CONFLICT"));
    assert!(texts[2].starts_with("INSERT INTO auth.users"));
    assert_eq!(texts[4], "COMMIT");
}

#[test]
fn a_compensation_takes_the_key_of_its_action() {
    let undo = text(&compile(SAGA, SIGN_UP), "create_user · step 1 at auth · undo");
    in_order(
        &undo,
        &[
            "BEGIN",
            "INSERT INTO idempotency.create_user_1 (key, state) VALUES ($1, 'cancelled') ON CONFLICT (key) DO NOTHING",
            "if (keys taken Equal Int8(0))",
            "SET state = 'cancelled' WHERE key = $1 AND state = 'done'",
            "if (keys cancelled Equal Int8(1))",
            "DELETE FROM auth.users WHERE id = $1 [id]",
            "COMMIT",
        ],
    );
}

#[test]
fn recovery_calls_the_same_program_with_what_the_log_holds() {
    let compilation = compile(SAGA, SIGN_UP);
    let recovery = program(&compilation, "create_user · recovery");
    assert_eq!(recovery.kind, ProgramKind::Recovery);
    let saga = program(&compilation, "create_user · saga");
    let mut sends = Vec::new();
    visit(recovery, &recovery.body, &mut |step| {
        if let Op::Send { program: id, arguments } = &step.op {
            sends.push((compilation.programs[id.index()].name.clone(), arguments.len()));
        }
    });
    assert_eq!(sends, [(saga.name.clone(), saga.parameters.len())]);
}

#[test]
fn a_repeated_request_does_not_begin_a_second_saga() {
    let entry = text(&compile(SAGA, SIGN_UP), "create_user");
    in_order(
        &entry,
        &[
            "ON CONFLICT (saga_id) DO NOTHING",
            "→ count sagas begun",
            "if (sagas begun Equal Int8(0))",
            "SELECT position, state, error",
            "if (saga state Equal Text(\"compensated\"))",
            "if (saga state Equal Text(\"done\"))",
            "return",
            "call create_user · saga",
        ],
    );
}

#[test]
fn what_stands_before_the_pivot_is_undone_and_what_follows_is_retried_for_ever() {
    let compilation = compile(SAGA, BOOKING);
    let saga = text(&compilation, "book · saga");
    in_order(
        &saga,
        &[
            "try 111111",
            "call book · step 1 at patients",
            "call book · step 2 at planning",
            "compose planning.slots, billing.prices",
            "position = 3, cents = $1",
            "work at payment",
            "catch",
            "AND position < 3",
            "call book · step 2 at planning · undo",
            "call book · step 1 at patients · undo",
            "rethrow",
            "retry 0 111111",
            "call book · step 5 at billing",
            "retry 0 111111",
            "call book · step 6 at patients",
            "state = 'done'",
        ],
    );
    assert!(!has_program(&compilation, "book · step 5 at billing · undo"));
}

#[test]
fn values_that_come_back_are_kept_before_they_are_changed() {
    let compilation = compile(SAGA, BOOKING);
    let action = text(&compilation, "book · step 2 at planning");
    in_order(
        &action,
        &[
            "INSERT INTO undo.book_2_1 (request_key, id, taken_by) SELECT $1, slots.id, slots.taken_by FROM planning.slots WHERE id = $2 AND taken_by IS NULL FOR UPDATE OF slots",
            "UPDATE planning.slots SET taken_by = $1",
            "INSERT INTO undo.book_2_2 (request_key, id, slot_id, free) SELECT $1, r.id, r.slot_id, r.free FROM planning.rooms AS r, planning.slots AS s WHERE r.slot_id = s.id AND s.id = $2 FOR UPDATE OF r",
            "DELETE FROM planning.rooms AS r USING planning.slots AS s",
        ],
    );
    let undo = text(&compilation, "book · step 2 at planning · undo");
    in_order(
        &undo,
        &[
            "INSERT INTO planning.rooms (id, slot_id, free) SELECT id, slot_id, free FROM undo.book_2_2 WHERE request_key = $1",
            "UPDATE planning.slots AS t SET taken_by = kept.taken_by FROM undo.book_2_1 AS kept WHERE kept.request_key = $1 AND t.id = kept.id",
        ],
    );
}

#[test]
fn a_commutative_update_is_undone_by_its_opposite() {
    let undo = text(&compile(SAGA, BANK), "transfer · step 1 at north · undo");
    assert!(
        undo.contains("SET balance = t.balance + ($1), version = t.version - (1)"),
        "{undo}"
    );
}

#[test]
fn a_written_compensation_takes_the_place_of_the_derived_one() {
    let compilation = compile(SAGA, SHOP);
    let undo: Vec<String> = compilation
        .programs
        .iter()
        .filter(|program| program.name.ends_with("· undo"))
        .flat_map(statements)
        .map(str::to_owned)
        .collect();
    // As written, not `t.available + (…)` as a derived one would say it.
    assert!(
        undo.iter()
            .any(|sql| sql.starts_with("UPDATE warehouse.stock SET available = available + ")),
        "{undo:?}"
    );
    assert!(!undo.iter().any(|sql| sql.contains("t.available")), "{undo:?}");
}

#[test]
fn an_asynchronous_statement_leaves_with_the_transaction_that_decides() {
    let compilation = compile(SAGA, BANK);
    let action = statements(program(&compilation, "transfer · step 2 at south"));
    let post = action
        .iter()
        .position(|sql| sql.starts_with("INSERT INTO outbox.transfer_1"))
        .expect("a post");
    let commit = action.iter().position(|sql| *sql == "COMMIT").expect("a commit");
    assert!(post < commit);
    let first = statements(program(&compilation, "transfer · step 1 at north"));
    assert!(
        !first.iter().any(|sql| sql.contains("outbox")),
        "it may still be undone: {first:?}"
    );
    let consumer = text(&compilation, "transfer · consumer of message 1 at news");
    in_order(
        &consumer,
        &[
            "transfer_1: read partition partition of the topic for news",
            "INSERT INTO inbox.transfer_1",
            "if (keys taken Equal Int8(1))",
            "INSERT INTO news.events",
            "COMMIT",
            "transfer_1_dead: publish All",
            "transfer_1: commit position in the topic for news",
        ],
    );
    let relay = program(&compilation, "transfer · relay of message 1 to news");
    assert!(matches!(relay.kind, ProgramKind::Periodic { .. }));
    assert_eq!(compilation.deployment.node(relay.home).name, "south-service");
    in_order(
        &text(&compilation, "transfer · relay of message 1 to news"),
        &["WHERE sent = false", "transfer_1: publish All", "SET sent = true"],
    );
}

#[test]
fn a_topic_has_the_scenarios_partitions_and_a_design_without_messages_no_bus() {
    let text = format!("{BANK}\n[architecture.database-per-service]\npartitions = 7\n");
    let bank = compile(SAGA, &text).deployment;
    let topics: Vec<(&str, u16)> = bank.topics.iter().map(|t| (t.name.as_str(), t.partitions)).collect();
    assert!(
        topics.contains(&("transfer_1", 7)) && topics.contains(&("transfer_1_dead", 1)),
        "{topics:?}"
    );
    let buses = |deployment: &program::Deployment| {
        let nodes = deployment.nodes.iter();
        nodes.filter(|node| node.kind == program::NodeKind::EventBus).count()
    };
    assert_eq!(buses(&bank), 1, "one for all topics");
    assert_eq!(buses(&compile(SAGA, SIGN_UP).deployment), 0);
}

#[test]
fn messages_that_say_whose_they_are_keep_the_order_of_their_tenant() {
    let tables = "CREATE TABLE a.x (id text PRIMARY KEY, t int NOT NULL);\nCREATE TABLE b.y (id text PRIMARY KEY, t int NOT NULL);";
    let act = |message: &str| {
        let sql = format!("INSERT INTO a.x (id, t) VALUES (:id, :t);\n@asynchronous {message};");
        let scenario = small(tables, "id = \"new id\", t = \"tenant\"", &sql);
        let scenario = scenario.replace("[schema]", "tenant_column = \"t\"\n[population]\ntenants = 2\n[schema]");
        text(&compile(SAGA, &scenario), "act · relay of message 1 to b")
    };
    let says = act("INSERT INTO b.y (id, t) VALUES (:id, :t)");
    assert!(says.contains("publish All by t ["), "{says}");
    let does_not = act("DELETE FROM b.y WHERE id = :id");
    assert!(does_not.contains("publish All by request key ["), "{does_not}");
}

#[test]
fn all_transactions_of_an_operation_have_the_same_now() {
    let compilation = compile(SAGA, BANK);
    let consumer = text(&compilation, "transfer · consumer of message 1 at news");
    assert!(
        consumer.contains("VALUES ($1, $2, $3, $4) [event, target, amount, started at]"),
        "{consumer}"
    );
    assert!(text(&compilation, "transfer").contains("started at := now"));
}

#[test]
fn what_an_action_binds_is_answered_again_to_a_repetition() {
    let action = text(&compile(SAGA, BANK), "transfer · step 1 at north");
    in_order(
        &action,
        &[
            "UPDATE idempotency.transfer_1 SET before = $1 WHERE key = $2 [before, request key]",
            "else",
            "SELECT state, before FROM idempotency.transfer_1 WHERE key = $1 [request key] → state of the key, before",
            "COMMIT",
            "return before",
        ],
    );
}

#[test]
fn an_insert_with_a_key_from_its_own_returning_is_undone_by_that_variable() {
    let tables =
        "CREATE TABLE a.x (id text PRIMARY KEY DEFAULT 'k', n int NOT NULL);\nCREATE TABLE b.y (id text PRIMARY KEY);";
    let sql = "INSERT INTO a.x (n) VALUES (:n) RETURNING id INTO :id;\nINSERT INTO b.y (id) VALUES (:id);";
    let compilation = compile(SAGA, &small(tables, "n = 1", sql));
    let undo = text(&compilation, "act · step 1 at a · undo");
    in_order(
        &undo,
        &[
            "program act · step 1 at a · undo (request key)",
            "SELECT state, id FROM idempotency.act_1 WHERE key = $1 [request key] → state of the key, id",
            "DELETE FROM a.x WHERE id = $1 [id]",
        ],
    );
}

#[test]
fn keys_given_by_the_engine_are_kept_when_it_has_told_them() {
    let tables = "CREATE TABLE a.x (id text PRIMARY KEY, n int NOT NULL);\nCREATE TABLE b.y (id text PRIMARY KEY);";
    let sql = "INSERT INTO a.x (id, n) VALUES (:id, 1) ON CONFLICT DO NOTHING;\nINSERT INTO b.y (id) VALUES (:id);";
    let compilation = compile(SAGA, &small(tables, "id = \"new id\"", sql));
    in_order(
        &text(&compilation, "act · step 1 at a"),
        &[
            "ON CONFLICT DO NOTHING RETURNING id",
            "for each (new id of statement 1)",
            "INSERT INTO undo.act_1_1 (request_key, id) VALUES ($1, $2)",
        ],
    );
    let undo = text(&compilation, "act · step 1 at a · undo");
    assert!(
        undo.contains("DELETE FROM a.x AS t USING undo.act_1_1 AS kept WHERE kept.request_key = $1 AND t.id = kept.id"),
        "{undo}"
    );
}

#[test]
fn sabotage_leaves_out_what_it_says() {
    let whole = compile(SAGA, SIGN_UP);
    let roles = |compilation: &Compilation, role: Role| {
        compilation
            .programs
            .iter()
            .flat_map(|program| &program.steps)
            .filter(|step| step.role == role)
            .count()
    };
    assert!(roles(&whole, Role::Compensation) > 0 && roles(&whole, Role::Idempotency) > 0);
    let bare = compile_with(SAGA, SIGN_UP, &[Sabotage::WithoutCompensation]);
    assert!(!has_program(&bare, "create_user · step 1 at auth · undo"));
    assert!(roles(&bare, Role::Idempotency) > 0);
    let bare = compile_with(SAGA, SIGN_UP, &[Sabotage::WithoutIdempotencyKey]);
    let action = statements(program(&bare, "create_user · step 1 at auth"));
    assert!(!action.iter().any(|sql| sql.contains("idempotency.")), "{action:?}");
    let bare = compile_with(SAGA, BANK, &[Sabotage::WithoutInbox]);
    let consumer = statements(program(&bare, "transfer · consumer of message 1 at news"));
    assert!(!consumer.iter().any(|sql| sql.contains("inbox.")), "{consumer:?}");
    let bare = compile_with(SAGA, BANK, &[Sabotage::WithoutReplicas]);
    let relay = text(&bare, "transfer · relay of message 1 to news");
    assert!(relay.contains("publish Leader"), "{relay}");
}

#[test]
fn the_compilers_own_schemas_avoid_the_owners_names() {
    let tables = "CREATE TABLE saga.x (id text PRIMARY KEY);\nCREATE TABLE outbox.y (id text PRIMARY KEY);";
    let sql = "INSERT INTO saga.x (id) VALUES (:id);\nINSERT INTO outbox.y (id) VALUES (:id);";
    let compilation = compile(SAGA, &small(tables, "id = \"new id\"", sql));
    let log = &compilation.deployment.databases[0].definitions;
    assert!(log[1].starts_with("CREATE TABLE saga_.act (saga_id"), "{log:?}");
}

#[test]
fn one_write_after_reads_elsewhere_needs_no_saga() {
    let compilation = compile(SAGA, BOOKING);
    assert!(!has_program(&compilation, "block_expensive · saga"));
    let entry = text(&compilation, "block_expensive");
    in_order(
        &entry,
        &[
            "call block_expensive · read billing for statement 1 [limit]",
            "compose billing.prices: SELECT doctor FROM billing.prices WHERE cents > $1",
            "call block_expensive · step 1 at planning [request key, fetched 1 for statement 1 as rows[*].0]",
        ],
    );
    let write = text(&compilation, "block_expensive · step 1 at planning");
    assert!(
        write.contains("doctor = ANY ($1)") || write.contains("doctor = ANY($1)"),
        "{write}"
    );
}

#[test]
fn rows_selected_elsewhere_are_inserted_one_by_one() {
    let write = text(&compile(SAGA, BOOKING), "bill_all · step 1 at billing");
    in_order(
        &write,
        &[
            "BEGIN",
            "for each (column 1 of statement 1, column 2 of statement 1, column 3 of statement 1) of source rows of statement 1",
            "INSERT INTO billing.invoices (id, appointment, cents) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
            "COMMIT",
        ],
    );
}

#[test]
fn after_the_pivot_nothing_is_given_up() {
    for (scenario, name) in [(BOOKING, "book · saga"), (SHOP, "place_order · saga")] {
        let compilation = compile(SAGA, scenario);
        let saga = program(&compilation, name);
        let Some(behind) = saga
            .body
            .iter()
            .position(|id| matches!(saga.step(*id).op, Op::Try { .. }))
        else {
            panic!("{name} has no pivot");
        };
        let mut loops = 0;
        visit(saga, &saga.body[behind + 1..], &mut |step| {
            if let Op::Retry { attempts, catches, .. } = &step.op {
                assert_eq!(
                    (*attempts, *catches),
                    (0, program::Catches::ALL),
                    "{} of {name}",
                    step.label
                );
                loops += 1;
            }
        });
        assert!(loops >= 4, "each step and each savepoint behind the pivot");
    }
}

#[test]
fn a_call_after_the_pivot_is_repeated_when_it_is_refused() {
    let tables = "CREATE TABLE a.x (id text PRIMARY KEY);\nCREATE TABLE b.y (id text PRIMARY KEY);";
    let sql = "INSERT INTO a.x (id) VALUES (:id);\n@pivot INSERT INTO b.y (id) VALUES (:id);\n\
               @retriable @external(latency = '1 ms', fails = '1 of 2') CALL mail.send(:id);";
    let saga = text(&compile(SAGA, &small(tables, "id = \"new id\"", sql)), "act · saga");
    in_order(
        &saga,
        &[
            "rethrow",
            "if (saga position Less Int8(3))",
            "retry 0 111111",
            "work at mail",
            "state = 'done'",
        ],
    );
}
