//! What a file comes to: inferred generators, types, order, what is read and written, marks.

use base::{Nanos, Type, Value};
use scenario::{
    Action, ArchitectureOptions, Class, ClientLoop, Compensation, Count, Draw, Generator, Operation, OptionValue,
    Scenario, parse,
};

fn read(text: &str) -> Scenario {
    let parsed = parse(text);
    assert_eq!(parsed.diagnostics, []);
    parsed.scenario.unwrap()
}

fn sign_up() -> Scenario {
    read(include_str!("../../../public/scenarios/sign-up.toml"))
}

fn shop() -> Scenario {
    read(include_str!("../../../tests/scenarios/shop.toml"))
}

fn school() -> Scenario {
    read(include_str!("../../../tests/scenarios/school.toml"))
}

/// The generators of a table's initial rows, as phrases.
fn generators(scenario: &Scenario, owner: &str, name: &str) -> Vec<String> {
    let id = scenario.schema.find_named(owner, name).unwrap();
    let table = scenario.schema.table(id);
    let siblings: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let population = &scenario.population.tables[scenario.population.position(id).unwrap()];
    let phrase = |generator: &Generator| generator.phrase(&scenario.schema, &siblings);
    population
        .columns
        .iter()
        .map(|(column, _, generator)| format!("{}: {}", table.column(*column).name, phrase(generator)))
        .collect()
}

fn tables(scenario: &Scenario, ids: &[scenario::TableId]) -> Vec<String> {
    ids.iter().map(|id| scenario.schema.table(*id).full_name()).collect()
}

fn parameters(operation: &Operation) -> Vec<(&str, Type)> {
    operation
        .parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.data_type))
        .collect()
}

#[test]
fn generators_that_need_not_be_written_are_inferred() {
    let scenario = sign_up();
    assert_eq!(
        generators(&scenario, "auth", "users"),
        [
            "id: new id 'user-'",
            "tenant_id: tenant",
            "email: new email 'user-'",
            "name: one of ['Ada', 'Barbara', 'Edgar', 'Grace', 'Jim', 'Michael', 'Pat', 'Phil']",
            "status: value 'active'",
            "version: value 1",
            "created_at: within 90 days",
            "updated_at: within 90 days",
        ]
    );
    assert_eq!(
        generators(&scenario, "permissions", "user_roles")[..3],
        [
            "user_id: parent id",
            "role_id: one of ['member', 'member', 'member', 'member', 'editor', 'editor', 'admin']",
            "tenant_id: parent tenant_id",
        ]
    );
    assert_eq!(
        generators(&school(), "people", "pupils"),
        [
            "id: new id 'pupil-'",
            "name: text of 20",
            "year: between 5 and 12",
            "email: new email 'pupil-'"
        ]
    );
    assert_eq!(
        generators(&school(), "timetable", "lessons")[1],
        "teacher_id: existing people.teachers.id"
    );
    assert_eq!(
        generators(&shop(), "catalog", "products")[3],
        "price_cents: between 100 and 50000"
    );
}

#[test]
fn rows_are_counted_and_come_after_those_they_refer_to() {
    let scenario = sign_up();
    assert_eq!(scenario.population.tenants, 50);
    assert_eq!(scenario.population.sizes, Draw::Zipf { exponent_milli: 1_100 });
    assert_eq!(scenario.population.rows(), 2_000 * 11 + 11);
    let position = |owner, name| {
        scenario
            .population
            .position(scenario.schema.find_named(owner, name).unwrap())
            .unwrap()
    };
    assert!(position("auth", "users") < position("permissions", "user_roles"));
    assert!(position("permissions", "roles") < position("permissions", "user_roles"));
    assert!(position("email", "email_sends") < position("email", "email_webhooks"));
    let audit = &scenario.population.tables[position("audit", "audit_logs")];
    let users = scenario.schema.find_named("auth", "users").unwrap();
    assert_eq!(
        (audit.count, audit.rows),
        (Count::PerRow { per: 3, parent: users }, 6_000)
    );
}

#[test]
fn parameters_take_the_types_of_their_use() {
    let scenario = sign_up();
    let create = scenario.operation("create_user").unwrap();
    assert_eq!(create.tenant, Some(0));
    assert_eq!(parameters(create)[..2], [("tenant", Type::Int4), ("id", Type::Text)]);
    assert_eq!(
        create.parameters[1].generator,
        Generator::Unique {
            prefix: "new-user-".into()
        }
    );
    let update = scenario.operation("update_user").unwrap();
    assert_eq!(parameters(update)[3], ("at", Type::Timestamptz));
    let shop = shop();
    let order = shop.operation("place_order").unwrap();
    assert_eq!(parameters(order)[3], ("quantity", Type::Int4));
    let restock = shop.operation("restock").unwrap();
    assert_eq!(restock.parameters[2].generator, Generator::Constant(Value::Int4(20)));
    let school = school();
    let enrol = school.operation("enrol").unwrap();
    assert_eq!(parameters(enrol)[1], ("lesson", Type::Int8));
    let variables: Vec<(&str, Type)> = enrol.variables.iter().map(|v| (v.name.as_str(), v.data_type)).collect();
    assert_eq!(
        variables,
        [("open", Type::Bool), ("seats", Type::Int4), ("taken", Type::Int8)]
    );
}

#[test]
fn statements_know_what_they_read_and_write() {
    let scenario = sign_up();
    let create = scenario.operation("create_user").unwrap();
    assert!(!create.read_only);
    let writes: Vec<Vec<String>> = create.statements.iter().map(|s| tables(&scenario, &s.writes)).collect();
    assert_eq!(
        writes,
        [["auth.users"], ["permissions.user_roles"], ["audit.audit_logs"]]
    );
    assert!(create.statements.iter().all(|statement| statement.reads.is_empty()));
    let report = scenario.operation("activity_report").unwrap();
    assert!(report.read_only);
    assert_eq!(
        tables(&scenario, &report.tables()),
        ["auth.users", "audit.audit_logs", "permissions.user_roles"]
    );
    let update = scenario.operation("update_user").unwrap();
    assert_eq!(update.statements.len(), 1, "EXPECT belongs to its statement");
    assert_eq!(update.statements[0].expect_rows, Some(1));
    assert_eq!(tables(&scenario, &update.statements[0].reads), ["auth.users"]);
}

#[test]
fn marks_and_calls_are_kept() {
    let scenario = shop();
    let order = scenario.operation("place_order").unwrap();
    let marks: Vec<(bool, bool, bool)> = order
        .statements
        .iter()
        .map(|statement| {
            (
                statement.marks.pivot,
                statement.marks.retriable,
                statement.marks.asynchronous,
            )
        })
        .collect();
    let (no, pivot, retriable, later) = (
        (false, false, false),
        (true, false, false),
        (false, true, false),
        (false, false, true),
    );
    assert_eq!(marks, [no, no, no, no, pivot, retriable, retriable, later]);
    assert!(
        matches!(&order.statements[1].action, Action::AbortWhen { message: Some(m), .. } if &**m == "no such product")
    );
    let Compensation::Written(undo) = &order.statements[3].marks.compensation else {
        panic!("written")
    };
    assert!(matches!(**undo, syntax::Statement::Update(_)));
    let Action::Call {
        name,
        arguments,
        external,
    } = &order.statements[4].action
    else {
        panic!("call")
    };
    assert_eq!((name.as_str(), arguments.len()), ("bank.charge", 2));
    assert_eq!(
        (external.latency, external.fails),
        (Nanos::from_millis(80), Some((1, 50)))
    );
    assert_eq!(external.message, "card declined");
    assert_eq!(
        scenario.load.clients,
        ClientLoop::Closed {
            clients: 8,
            think: Nanos::from_millis(40)
        }
    );
}

#[test]
fn the_logical_schema_is_resolved() {
    let scenario = sign_up();
    assert_eq!(scenario.schema.owners, ["auth", "email", "audit", "permissions"]);
    assert_eq!(scenario.schema.tables.len(), 12);
    let table = |owner, name| scenario.schema.table(scenario.schema.find_named(owner, name).unwrap());
    let user_roles = table("permissions", "user_roles");
    assert_eq!(user_roles.foreign_keys.len(), 2);
    let key = &user_roles.foreign_keys[0];
    assert_eq!(scenario.schema.table(key.table).full_name(), "auth.users");
    assert_eq!(key.on_delete, syntax::ReferentialAction::Cascade);
    assert_eq!(scenario.schema.column(key.table, key.referenced[0]).name, "id");
    assert_eq!(user_roles.primary_key.len(), 2);
    assert!(table("permissions", "roles").tenant.is_none(), "shared by all tenants");
    let users = table("auth", "users");
    assert_eq!(users.column(users.find("email").unwrap()).class, Some(Class::Pii));
    assert!(users.is_key(&[users.find("email").unwrap()]));
    assert!(!users.is_key(&[users.find("name").unwrap()]));
}

#[test]
fn places_point_into_the_file() {
    let text = include_str!("../../../public/scenarios/sign-up.toml");
    let scenario = sign_up();
    let create = scenario.operation("create_user").unwrap();
    let place = create.statements[1].place;
    let line = text.lines().nth(place.line as usize - 1).unwrap();
    assert!(
        line[place.column as usize - 1..].starts_with("INSERT INTO permissions.user_roles"),
        "{line}"
    );
    assert!(create.source.slice(create.statements[1].span).ends_with(":tenant)"));
}

#[test]
fn options_of_an_architecture_are_kept_as_written() {
    let scenario = shop();
    let ArchitectureOptions { options, .. } = &scenario.architectures["database-per-service"];
    assert_eq!(options["pool"].0, OptionValue::Integer(8));
}

#[test]
fn a_start_with_an_offset_is_an_instant() {
    assert_eq!(
        Value::Timestamptz(school().epoch_micros).to_string(),
        "2026-09-01 06:00:00+00"
    );
}

const MEMBERS: &str = "title = \"Members\"\ntenant_column = \"club\"\n[schema]\nsql = \"\"\"
CREATE TABLE a.funds (club int PRIMARY KEY, cents bigint NOT NULL);
CREATE TABLE a.members (club int NOT NULL, no int NOT NULL, PRIMARY KEY (club, no));
CREATE TABLE a.visits (club int NOT NULL, member int NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (club, member, at),
  FOREIGN KEY (club, member) REFERENCES a.members (club, no));
CREATE TABLE a.lockers (club int NOT NULL, member int NOT NULL, side text NOT NULL, row int NOT NULL,
  PRIMARY KEY (club, member, side, row), FOREIGN KEY (club, member) REFERENCES a.members (club, no));
\"\"\"
[population]
tenants = 4
sizes = \"zipf(1.0)\"
\"a.funds\" = \"1 per tenant\"
\"a.members\" = \"5 per tenant\"
\"a.visits\" = \"3 per a.members\"
\"a.lockers\" = \"4 per a.members\"
[population.columns]
\"a.lockers.side\" = \"each of ['left', 'left', 'right', 'right']\"
\"a.lockers.row\" = \"each of [1, 2]\"
";

fn members(parameters: &str, sql: &str) -> String {
    format!("{MEMBERS}[[operation]]\nname = \"act\"\nparameters = {{ {parameters} }}\nsql = \"\"\"\n{sql}\n\"\"\"\n")
}

/// One row for each tenant, a number within the tenant, instants, lists that take turns together.
#[test]
fn keys_of_several_columns_are_told_apart() {
    let scenario = read(&members(
        "club = \"tenant\"",
        "SELECT no FROM a.members WHERE club = :club",
    ));
    assert_eq!(generators(&scenario, "a", "members")[1], "no: new id ''");
    let visits = scenario.schema.find_named("a", "visits").unwrap();
    let visits = &scenario.population.tables[scenario.population.position(visits).unwrap()];
    assert!(matches!(visits.columns[2].2, Generator::Instant { apart: true, .. }));
}

#[test]
fn lists_that_do_not_differ_together_are_refused() {
    let text = members("club = \"tenant\"", "SELECT no FROM a.members WHERE club = :club");
    let parsed = parse(&text.replace(
        "each of ['left', 'left', 'right', 'right']",
        "each of ['left', 'right']",
    ));
    let found: Vec<String> = parsed.diagnostics.iter().map(|found| found.message.clone()).collect();
    assert_eq!(
        found,
        ["initial rows of a.lockers may collide on the key (club, member, side, row)"]
    );
}

/// Whose rows an operation may see: its tenant's, unless it names others.
#[test]
fn an_operation_that_names_other_tenants_crosses_them() {
    let of_tenant = |parameters: &str, sql: &str| read(&members(parameters, sql)).operations[0].tenant.is_some();
    let (own, two) = ("club = \"tenant\"", "club = \"tenant\", other = \"between 1 and 4\"");
    for sql in [
        "SELECT count(*) FROM a.members WHERE club = :club",
        "SELECT count(*) FROM a.members m JOIN a.visits v ON v.club = m.club AND v.member = m.no",
        "SELECT count(*) FROM a.members WHERE no = 3",
        "INSERT INTO a.members (club, no) VALUES (:club, 77)",
    ] {
        assert!(of_tenant(own, sql), "{sql}");
    }
    for sql in [
        "SELECT count(*) FROM a.members WHERE club <> :club",
        "SELECT count(*) FROM a.members WHERE club BETWEEN 1 AND :club",
        "SELECT count(*) FROM a.members WHERE club NOT IN (:club)",
        "SELECT count(*) FROM a.members WHERE club = :club OR club = 3",
        "UPDATE a.funds SET cents = 0 WHERE club IN (SELECT club FROM a.members WHERE no = 3 AND club = :club)",
    ] {
        assert!(!of_tenant(own, sql), "{sql}");
    }
    for sql in [
        "SELECT count(*) FROM a.members WHERE club = :club AND club = :other",
        "INSERT INTO a.members (no, club) VALUES (:club, :other)",
        "UPDATE a.members SET club = :other WHERE club = :club",
    ] {
        assert!(!of_tenant(two, sql), "{sql}");
    }
}

/// Sums and averages of whole numbers are numerics; a variable that takes one is, too.
#[test]
fn a_sum_of_bigint_is_a_numeric() {
    let found = |sql: &str| {
        let parsed = parse(&members("club = \"tenant\"", sql));
        let messages = parsed.diagnostics.into_iter().map(|found| found.message);
        messages.collect::<Vec<_>>()
    };
    let none: [String; 0] = [];
    for sql in [
        "SELECT sum(cents)::bigint FROM a.funds WHERE club = :club",
        "SELECT sum(cents), avg(cents), round(avg(cents), 2) FROM a.funds WHERE club = :club",
        "SELECT sum(cents) INTO :total FROM a.funds WHERE club = :club; ABORT WHEN :total > 1.5 MESSAGE 'rich';",
    ] {
        assert_eq!(found(sql), none, "{sql}");
    }
    let wrong = found("SELECT sum(cents) INTO :total FROM a.funds WHERE club = :club; ABORT WHEN :total = 'x'::uuid;");
    assert_eq!(wrong, ["operator does not exist: numeric = uuid"]);
}
