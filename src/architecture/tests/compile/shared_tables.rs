//! Shared tables: policies from the schema, a tenant named in every transaction, roles that own nothing.

use architecture::{Mistake, Options};
use program::Op;

use crate::*;

const TABLES: &str = "CREATE TABLE a.users (id int PRIMARY KEY, tenant_id int NOT NULL, boss int REFERENCES a.users);
CREATE TABLE a.letters (id int PRIMARY KEY, user_id int NOT NULL REFERENCES a.users, copy_of int REFERENCES a.letters);
CREATE TABLE a.stamps (id int PRIMARY KEY, letter_id int REFERENCES a.letters);
CREATE TABLE a.prices (id int PRIMARY KEY, cents int NOT NULL);";

fn tenants(parameters: &str, sql: &str) -> String {
    let text = small(TABLES, parameters, sql);
    let text = text.replace("[schema]", "tenant_column = \"tenant_id\"\n[schema]");
    format!("{text}[population]\ntenants = 3\na.users = 3\n")
}

fn ddl(compilation: &Compilation) -> String {
    compilation.deployment.databases[0].definitions.join("\n")
}

fn with_mistake(text: &str, mistake: Mistake) -> Compilation {
    let options = Options {
        mistakes: vec![mistake.everywhere()],
        ..Options::default()
    };
    let design = architecture::design(SHARED).expect("a design of this slug");
    design.architecture.compile(&scenario(text), &options)
}

#[test]
fn a_transaction_names_its_tenant_first() {
    let compilation = compile(SHARED, SIGN_UP);
    let get = statements(program(&compilation, "get_user"));
    assert_eq!(get[0], "BEGIN");
    assert_eq!(get[1], "SELECT set_config('app.tenant_id', $1::text, true)");
    assert_eq!((get[3], get[4]), ("COMMIT", "ROLLBACK"));
    in_order(
        &text(&compilation, "get_user"),
        &[
            "BEGIN",
            "set_config('app.tenant_id', $1::text, true) [tenant]",
            "SELECT id",
            "COMMIT",
        ],
    );
}

#[test]
fn the_application_owns_nothing() {
    let compilation = compile(SHARED, SIGN_UP);
    let roles: Vec<&str> = compilation
        .deployment
        .pools
        .iter()
        .map(|pool| pool.role.as_str())
        .collect();
    assert_eq!(roles, ["application"], "every operation of sign-up has a tenant");
    let ddl = ddl(&compilation);
    for line in [
        "CREATE ROLE table_owner\n",
        "ALTER TABLE auth.users OWNER TO table_owner",
        "ALTER TABLE auth.users FORCE ROW LEVEL SECURITY",
        "TO application USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::integer)",
    ] {
        assert!(ddl.contains(line), "{line}\nin\n{ddl}");
    }
    assert!(
        !ddl.contains("ALTER TABLE permissions.roles ENABLE"),
        "shared by all tenants"
    );
    assert!(compilation.weakened.is_empty() && compilation.refusals.is_empty());
}

#[test]
fn a_table_without_the_column_is_guarded_through_its_reference() {
    let compilation = compile(
        SHARED,
        &tenants(
            "tenant = \"tenant\"",
            "SELECT id FROM a.users WHERE tenant_id = :tenant;",
        ),
    );
    let ddl = ddl(&compilation);
    let letters = "tenant_isolation ON a.letters TO application USING (EXISTS (SELECT 1 FROM a.users AS referred \
                   WHERE referred.id = letters.user_id))";
    assert!(ddl.contains(letters), "{ddl}");
    let stamps =
        "tenant_isolation ON a.stamps TO application USING (letter_id IS NULL OR EXISTS (SELECT 1 FROM a.letters";
    assert!(ddl.contains(stamps), "{ddl}");
    assert!(!ddl.contains("ON a.prices TO application USING"), "{ddl}");
}

#[test]
fn what_asks_for_no_tenant_has_a_role_of_its_own() {
    let report = compile(
        SHARED,
        &tenants("", "SELECT tenant_id, count(*) FROM a.users GROUP BY tenant_id;"),
    );
    let pool = &report.deployment.pools[0];
    assert_eq!(pool.role, "reporting");
    assert!(ddl(&report).contains("reporting_crosses_tenants ON a.users FOR SELECT TO reporting USING (true)"));
    assert_eq!(report.weakened.len(), 1, "{:?}", report.weakened);
    assert_eq!(report.weakened[0].constraint, "tenant isolation of a.users");
    assert_eq!(statements(program(&report, "act")).len(), 1, "no tenant to name");

    let write = compile(
        SHARED,
        &tenants(
            "id = \"existing a.users.id\"",
            "DELETE FROM a.letters WHERE user_id = :id;",
        ),
    );
    assert_eq!(write.deployment.pools[0].role, "back_office");
    assert!(ddl(&write).contains("back_office_crosses_tenants ON a.letters TO back_office USING (true)"));

    let shared = compile(SHARED, &tenants("", "SELECT cents FROM a.prices;"));
    assert_eq!(
        shared.deployment.pools[0].role, "application",
        "nothing guards what all share"
    );
}

#[test]
fn a_lock_on_a_row_is_no_mere_reading() {
    let locks = compile(
        SHARED,
        &tenants(
            "",
            "SELECT id INTO :x FROM a.users WHERE id = 1 FOR UPDATE; ABORT WHEN :x IS NULL;",
        ),
    );
    assert_eq!(locks.deployment.pools[0].role, "back_office");
}

#[test]
fn mistakes_are_what_they_say() {
    let session = with_mistake(SIGN_UP, Mistake::SessionSetting);
    let get = statements(program(&session, "get_user"));
    assert_eq!(get[0], "SELECT set_config('app.tenant_id', $1::text, false)");
    assert_eq!(get.len(), 2, "one statement needs no transaction then: {get:?}");
    let create = program(&session, "create_user");
    assert!(matches!(create.step(create.body[0]).op, Op::Acquire { .. }));
    assert_eq!(statements(create)[1], "BEGIN");

    let owner = with_mistake(SIGN_UP, Mistake::RunsAsOwner);
    assert_eq!(owner.deployment.pools[0].role, "table_owner");
    assert!(ddl(&owner).contains("CREATE ROLE table_owner LOGIN"));
    assert!(!ddl(&owner).contains("FORCE"));

    let forgotten = with_mistake(SIGN_UP, Mistake::WithoutTenantSetting);
    assert_eq!(statements(program(&forgotten, "get_user")).len(), 1);
}
