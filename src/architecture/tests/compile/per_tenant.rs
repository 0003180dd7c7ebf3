//! A database per tenant: routing, fan-out, copies, what is refused and what is listed.

use program::{Load, Op, Read, Share};

use crate::{SCHOOL, SIGN_UP, TENANT, compile, in_order, program, statements, text, visit};

/// Users and their sessions (which do not name the tenant), plans that are the same for all, and counters that
/// belong to nobody and are written.
const TABLES: &str = "
CREATE TABLE app.plans (id text PRIMARY KEY, title text NOT NULL);
CREATE TABLE app.users (
  id int PRIMARY KEY, team int NOT NULL, email text NOT NULL UNIQUE, plan text REFERENCES app.plans, score int NOT NULL,
  UNIQUE (team, score)
);
CREATE TABLE app.sessions (id int PRIMARY KEY, user_id int NOT NULL REFERENCES app.users ON DELETE CASCADE, old bool NOT NULL);
CREATE TABLE ops.counters (id text PRIMARY KEY, n int NOT NULL);
CREATE TABLE app.uses (id int PRIMARY KEY, team int NOT NULL, counter text NOT NULL REFERENCES ops.counters);
";

fn scenario(parameters: &str, sql: &str) -> String {
    let bump = "[[operation]]\nname = \"bump\"\nsql = \"UPDATE ops.counters SET n = n + 1 WHERE id = 'a'\"\n";
    format!(
        "title = \"Teams\"\ntenant_column = \"team\"\n[schema]\nsql = \"\"\"{TABLES}\"\"\"\n[population]\ntenants = 3\n\
         \"app.users\" = \"4 per tenant\"\n\"app.sessions\" = \"2 per app.users\"\n\"ops.counters\" = 2\n\"app.plans\" = 2\n\
         [population.columns]\n\"app.users.score\" = \"new id\"\n{bump}\
         [[operation]]\nname = \"act\"\nparameters = {{ {parameters} }}\nsql = \"\"\"\n{sql}\n\"\"\"\n"
    )
}

fn act(parameters: &str, sql: &str) -> (program::Compilation, String) {
    let compilation = compile(TENANT, &scenario(parameters, sql));
    assert_eq!(compilation.refusals, [], "{sql}");
    let listing = text(&compilation, "act");
    (compilation, listing)
}

#[track_caller]
fn refused(parameters: &str, sql: &str, reason: &str) {
    let compilation = compile(TENANT, &scenario(parameters, sql));
    let refusal = compilation
        .refusals
        .first()
        .unwrap_or_else(|| panic!("not refused: {sql}"));
    assert!(refusal.reason.contains(reason), "{refusal:?}");
    assert!(refusal.hint.is_some() && refusal.line > 0, "{refusal:?}");
    assert_eq!(compilation.entries.iter().filter(|entry| entry.is_none()).count(), 1);
}

fn weakened(compilation: &program::Compilation, of: &str) -> Vec<String> {
    let about = |weakening: &&program::Weakening| weakening.constraint.contains(of);
    let text = |weakening: &program::Weakening| format!("{} → {}", weakening.constraint, weakening.becomes);
    compilation.weakened.iter().filter(about).map(text).collect()
}

#[test]
fn an_operation_of_a_tenant_is_one_transaction_in_its_database() {
    let compilation = compile(TENANT, SIGN_UP);
    let listing = text(&compilation, "create_user");
    in_order(
        &listing,
        &[
            "acquire for tenant",
            "the tenant's database: BEGIN",
            "the tenant's database: INSERT INTO auth.users",
            "the tenant's database: INSERT INTO permissions.user_roles",
            "the tenant's database: INSERT INTO audit.audit_logs",
            "the tenant's database: COMMIT",
            "release",
        ],
    );
    assert_eq!(compilation.refusals, []);
    assert_eq!(weakened(&compilation, "operation"), Vec::<String>::new());
    let report = program(&compilation, "activity_report");
    assert_eq!(statements(report).len(), 1, "a join stays a join");
}

#[test]
fn every_tenant_has_a_database_with_the_whole_schema_and_its_own_rows() {
    let compilation = compile(TENANT, SIGN_UP);
    let deployment = &compilation.deployment;
    assert_eq!((deployment.databases.len(), deployment.pools.len()), (50, 50));
    assert_eq!(deployment.nodes.len(), 3, "a client, an application, one server");
    assert_eq!(deployment.routes[0].pools.len(), 50);
    assert!(
        deployment.databases[0]
            .definitions
            .join("\n")
            .contains("CREATE TABLE audit.audit_logs")
    );
    let copies = deployment
        .databases
        .iter()
        .filter(|database| database.template.is_some());
    assert_eq!(copies.count(), 49);
    let table = |name: &str| {
        compilation
            .logical_tables
            .iter()
            .find(|table| table.name == name)
            .expect("a table")
    };
    let users = table("auth.users");
    assert_eq!((users.reads.len(), users.loads.len()), (50, 50));
    let share = |load: &Load| match load {
        Load::Rows { database, share, .. } => (database.0, *share),
        Load::Items { .. } | Load::Objects { .. } => panic!("rows"),
    };
    assert_eq!(share(&users.loads[7]), (7, Share::Tenant(8)));
    let roles = table("permissions.roles");
    assert_eq!((roles.reads.len(), roles.loads.len()), (1, 50));
    assert!(roles.loads.iter().all(|load| share(load).1 == Share::All));
    assert_eq!(
        weakened(&compilation, "permissions.roles: one table"),
        ["permissions.roles: one table → copied 50 times"]
    );
}

#[test]
fn servers_take_so_many_tenants_each() {
    let text = format!(
        "{}\n[architecture.database-per-tenant]\ntenants_per_server = 2\n",
        scenario("", "DELETE FROM app.users")
    );
    let deployment = compile(TENANT, &text).deployment;
    let names: Vec<&str> = deployment.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["client", "application", "postgres-1", "postgres-2"]);
    let databases = deployment.databases.iter();
    let databases: Vec<_> = databases
        .map(|d| (d.name.as_str(), d.node.0, d.template.map(|id| id.0)))
        .collect();
    assert_eq!(
        databases,
        [
            ("shared", 2, None),
            ("tenant_1", 2, None),
            ("tenant_2", 2, Some(1)),
            ("tenant_3", 3, None)
        ]
    );
}

#[test]
fn keys_without_the_tenant_hold_within_each_database_only() {
    let (compilation, _) = act("", "SELECT 1");
    assert_eq!(
        weakened(&compilation, "app.users "),
        [
            "app.users PRIMARY KEY (id) → unique within each tenant's database",
            "app.users UNIQUE (email) → unique within each tenant's database",
        ]
    );
    assert_eq!(
        weakened(&compilation, "REFERENCES"),
        ["app.uses (counter) REFERENCES ops.counters (id) → a soft reference that nobody checks"]
    );
    let table = |name: &str| {
        compilation
            .logical_tables
            .iter()
            .find(|table| table.name == name)
            .expect("a table")
    };
    assert_eq!(table("ops.counters").loads.len(), 1);
    assert_eq!(table("app.plans").loads.len(), 4, "the shared database has a copy too");
    let of_tenants = |read: &Read| matches!(read, Read::Rows { database, .. } if database.0 > 0);
    assert!(table("app.sessions").reads.len() == 3 && table("app.sessions").reads.iter().all(of_tenants));
}

#[test]
fn a_query_without_a_tenant_is_asked_of_every_database_and_composed() {
    let (compilation, listing) = act(
        "low = 3",
        "SELECT u.plan, count(*) AS n FROM app.users u JOIN app.sessions s ON s.user_id = u.id JOIN app.plans p ON p.id = u.plan \
         WHERE u.score > :low GROUP BY u.plan ORDER BY n DESC LIMIT 2",
    );
    in_order(
        &listing,
        &[
            "all keys := all keys",
            "by 10 gathering rows of app.users",
            "acquire for key asked",
            "SELECT id, plan, score FROM app.users WHERE score > $1",
            "gathering rows of app.sessions",
            "SELECT user_id FROM app.sessions WHERE user_id = ANY ($1)",
        ],
    );
    let plans = statements(program(&compilation, "act"))
        .into_iter()
        .filter(|sql| sql.contains("app.plans"));
    assert_eq!(plans.count(), 1, "copied rows are read once");
    let mut composed = Vec::new();
    visit(
        program(&compilation, "act"),
        &program(&compilation, "act").body,
        &mut |step| {
            if let Op::Compose { sql, .. } = &step.op {
                composed.push(sql.clone());
            }
        },
    );
    assert!(
        composed[0].ends_with("GROUP BY u.plan ORDER BY n DESC LIMIT 2"),
        "{composed:?}"
    );
    assert_eq!(weakened(&compilation, "operation act").len(), 1);
}

#[test]
fn a_predicate_that_pins_the_tenant_routes() {
    let (_, listing) = act(
        "other = \"between 1 and 3\"",
        "SELECT u.email FROM app.users u LEFT JOIN app.sessions s ON s.user_id = u.id WHERE u.team = :other",
    );
    in_order(&listing, &["acquire for other", "the tenant's database: SELECT"]);
    assert!(!listing.contains("all keys"));
    let (_, listing) = act("", "SELECT email FROM app.users WHERE team = 2");
    in_order(&listing, &["acquire for Int8(2)", "the tenant's database: SELECT"]);
    // On the null-extended side a tenant says nothing of the other side's rows.
    let (_, listing) = act(
        "other = \"between 1 and 3\"",
        "SELECT u.email FROM app.users u LEFT JOIN app.uses s ON s.id = u.id AND s.team = :other",
    );
    assert!(listing.contains("all keys"), "{listing}");
}

#[test]
fn an_inserted_tenant_routes() {
    let (_, listing) = act(
        "id = \"new id\", other = \"between 1 and 3\"",
        "INSERT INTO app.users (id, team, email, score) VALUES (:id, :other, 'x', 1)",
    );
    in_order(&listing, &["acquire for other", "the tenant's database: INSERT"]);
    refused(
        "id = \"new id\", user = \"existing app.users.id\"",
        "INSERT INTO app.sessions (id, user_id, old) VALUES (:id, :user, false)",
        "does not say which tenant the row is for",
    );
}

#[test]
fn a_change_of_all_tenants_rows_is_a_transaction_in_each_database() {
    let (compilation, listing) = act(
        "",
        "DELETE FROM app.sessions WHERE old; UPDATE app.users SET score = score + 1 WHERE score < 5",
    );
    in_order(
        &listing,
        &[
            "for each (key asked) of all keys",
            "acquire for key asked",
            "BEGIN",
            "DELETE FROM app.sessions WHERE old",
            "UPDATE app.users",
            "COMMIT",
        ],
    );
    assert!(weakened(&compilation, "operation act")[0].contains("one transaction in each tenant's database"));
    refused(
        "",
        "UPDATE app.users SET score = 0; EXPECT 12 ROWS;",
        "each database knows only what it has changed itself",
    );
    refused(
        "",
        "UPDATE app.users SET score = 0 WHERE score < (SELECT max(score) FROM app.users)",
        "by what it reads of all tenants",
    );
    let (_, listing) = act(
        "",
        "SELECT max(score) INTO :most FROM app.users; UPDATE app.users SET score = 0 WHERE score < :most",
    );
    in_order(
        &listing,
        &[
            "SELECT score FROM app.users",
            "for each",
            "UPDATE app.users SET score = 0 WHERE score < $1",
        ],
    );
}

#[test]
fn the_wall_confines_what_names_no_tenant_and_says_so() {
    let tenant = "team = \"tenant\", id = \"existing app.users.id\"";
    let (compilation, listing) = act(
        tenant,
        "UPDATE app.users SET score = 0 WHERE score > 5 AND :team > 0 AND :id > 0",
    );
    in_order(&listing, &["acquire for team", "UPDATE"]);
    assert_eq!(
        weakened(&compilation, "operation act"),
        ["operation act, statement 1: all rows of app.users → the tenant's own rows only"]
    );
    for sql in [
        "SELECT email FROM app.users WHERE id = :id AND :team > 0",
        "SELECT old FROM app.sessions WHERE user_id = :id AND :team > 0",
        "SELECT count(*) FROM app.users u JOIN app.sessions s ON s.user_id = u.id WHERE u.team = :team AND :id > 0",
    ] {
        let (compilation, listing) = act(tenant, sql);
        assert!(listing.contains("acquire for team"));
        assert_eq!(weakened(&compilation, "operation act"), Vec::<String>::new(), "{sql}");
    }
}

#[test]
fn a_tenant_that_is_looked_up_is_written_to_in_its_own_transaction() {
    let (compilation, listing) = act(
        "email = \"text of 5\"",
        "SELECT team, id INTO :team, :id FROM app.users WHERE email = :email; ABORT WHEN :team IS NULL MESSAGE 'nobody'; \
         UPDATE app.users SET score = 1 WHERE team = :team AND id = :id; EXPECT 1 ROW;",
    );
    in_order(
        &listing,
        &[
            "gathering rows of app.users",
            "WHERE email = $1",
            "if",
            "acquire for team",
            "BEGIN",
            "UPDATE app.users",
            "COMMIT",
        ],
    );
    assert_eq!(weakened(&compilation, "operation act").len(), 1);
}

#[test]
fn the_shared_database_is_read_beside_the_tenants() {
    let (compilation, listing) = act(
        "team = \"tenant\"",
        "SELECT c.n, u.id FROM app.uses u JOIN ops.counters c ON c.id = u.counter WHERE u.team = :team",
    );
    in_order(
        &listing,
        &[
            "acquire for team",
            "the tenant's database: SELECT",
            "shared: SELECT id, n FROM ops.counters",
        ],
    );
    assert_eq!(weakened(&compilation, "operation act").len(), 1);
    let (_, listing) = act(
        "team = \"tenant\", id = \"new id\"",
        "SELECT n INTO :n FROM ops.counters WHERE id = 'a'; INSERT INTO app.uses (id, team, counter) VALUES (:id, :team, 'a'); \
         UPDATE app.users SET score = :n WHERE team = :team AND id = 1",
    );
    in_order(
        &listing,
        &[
            "shared: SELECT n",
            "acquire for team",
            "BEGIN",
            "INSERT INTO app.uses",
            "UPDATE",
            "COMMIT",
        ],
    );
    let (_, listing) = act(
        "team = \"tenant\", id = \"new id\"",
        "INSERT INTO app.uses (id, team, counter) SELECT :id, :team, c.id FROM ops.counters c WHERE c.n > 3",
    );
    in_order(
        &listing,
        &[
            "BEGIN",
            "shared: SELECT id, n FROM ops.counters WHERE n > 3",
            "INSERT INTO app.uses",
        ],
    );
    let (_, listing) = act(
        "",
        "UPDATE ops.counters SET n = (SELECT max(score) FROM app.users) WHERE id = 'a'",
    );
    in_order(
        &listing,
        &["gathering rows of app.users", "BEGIN", "shared: UPDATE ops.counters"],
    );
}

#[test]
fn writes_in_two_databases_are_refused() {
    refused(
        "team = \"tenant\", id = \"new id\"",
        "INSERT INTO app.uses (id, team, counter) VALUES (:id, :team, 'a'); UPDATE ops.counters SET n = n + 1 WHERE id = 'a'",
        "no transaction spans two databases",
    );
    refused(
        "source = \"between 1 and 3\", target = \"between 1 and 3\"",
        "UPDATE app.users SET score = score - 1 WHERE team = :source; UPDATE app.users SET score = score + 1 WHERE team = :target",
        "the database of tenant :target",
    );
    refused(
        "team = \"tenant\", target = \"between 1 and 3\"",
        "UPDATE app.users u SET score = 1 FROM app.users o WHERE u.team = :team AND o.team = :target AND o.score = u.score",
        "two tenants",
    );
}

#[test]
fn without_tenants_the_design_says_what_it_needs() {
    let compilation = compile(TENANT, SCHOOL);
    let [refusal] = compilation.refusals.as_slice() else {
        panic!("{:?}", compilation.refusals);
    };
    assert!(refusal.operation.is_none() && refusal.line > 0);
    assert!(refusal.hint.as_ref().is_some_and(|hint| hint.contains("tenant_column")));
    assert!(compilation.entries.iter().all(Option::is_none));
}
