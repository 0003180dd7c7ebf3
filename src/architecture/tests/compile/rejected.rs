//! Designs that decisions rejected: a shared database, separate databases on one server, nothing at all.

use program::NodeKind;

use crate::*;

const SEPARATE: &str = "separate-databases-on-one-server";
const COMMON: &str = "shared-database";
const WALLED: &str = "shared-database+schema-per-service";
const NOTHING: &str = "store-nothing";

fn definitions(compilation: &Compilation) -> Vec<&str> {
    let databases = compilation.deployment.databases.iter();
    databases
        .flat_map(|database| &database.definitions)
        .map(String::as_str)
        .collect()
}

#[test]
fn separate_databases_share_a_server_and_no_transaction() {
    for (slug, own) in [(SEPARATE, 0), ("separate-databases-on-one-server+saga", 1)] {
        let compilation = compile(slug, SIGN_UP);
        let nodes = &compilation.deployment.nodes;
        let servers = nodes.iter().filter(|node| node.kind == NodeKind::SqlServer);
        assert_eq!(servers.count(), 1, "{slug}");
        assert_eq!(
            compilation.deployment.databases.len(),
            4 + own,
            "{slug}: the owners' and its own"
        );
        assert!(
            compilation
                .weakened
                .iter()
                .any(|w| w.constraint.contains("REFERENCES auth.users")),
            "{slug}: no foreign key spans databases"
        );
    }
}

#[test]
fn its_settings_are_its_own() {
    let text = format!("{SIGN_UP}\n[architecture.separate-databases-on-one-server]\npool = 3\n");
    let pools = |slug: &str| -> Vec<u16> {
        compile(slug, &text)
            .deployment
            .pools
            .iter()
            .map(|pool| pool.size)
            .collect()
    };
    assert!(pools(SEPARATE).iter().all(|size| *size == 3));
    assert!(pools(UNPROTECTED).iter().all(|size| *size == 5));
}

#[test]
fn in_a_shared_database_an_operation_is_one_transaction_and_its_reach_is_listed() {
    let compilation = compile(COMMON, SIGN_UP);
    let create = program(&compilation, "create_user");
    assert_eq!(compilation.deployment.nodes[create.home.index()].name, "auth-service");
    assert_eq!(statements(create)[0], "BEGIN");
    assert!(
        statements(create).contains(&"INSERT INTO app.user_roles (user_id, role_id, tenant_id) VALUES ($1, $2, $3)")
    );
    let listed: Vec<&str> = compilation.weakened.iter().map(|w| w.constraint.as_str()).collect();
    assert!(
        listed.contains(&"permissions.user_roles: only permissions touches it"),
        "{listed:?}"
    );
    assert!(
        !listed.iter().any(|constraint| constraint.starts_with("auth.users")),
        "{listed:?}"
    );
}

#[test]
fn a_role_per_service_may_do_what_its_operations_do_and_no_more() {
    let compilation = compile(WALLED, SIGN_UP);
    let ddl = definitions(&compilation);
    assert!(
        ddl.contains(&"GRANT SELECT, INSERT ON permissions.user_roles TO auth_service"),
        "{ddl:?}"
    );
    assert!(
        ddl.contains(&"GRANT INSERT ON audit.audit_logs TO auth_service")
            || ddl.contains(&"GRANT SELECT, INSERT ON audit.audit_logs TO auth_service")
    );
    assert!(
        !ddl.iter()
            .any(|ddl| ddl.contains("email.") && ddl.ends_with("TO auth_service") && ddl.starts_with("GRANT SELECT, "))
    );
    assert!(
        compilation
            .deployment
            .pools
            .iter()
            .all(|pool| pool.role.ends_with("_service"))
    );
}

/// Two owners with tables and indexes of the same names, and statements that call a table what it is called.
#[test]
fn names_that_two_owners_use_are_told_apart() {
    let text = small(
        "CREATE TABLE north.items (id text PRIMARY KEY, n int NOT NULL);\n\
         CREATE INDEX by_n ON north.items (n);\n\
         CREATE TABLE south.items (id text PRIMARY KEY, n int NOT NULL);\n\
         CREATE INDEX by_n ON south.items (n);",
        "id = \"new id\"",
        "INSERT INTO north.items (id, n) SELECT items.id, south.items.n FROM south.items WHERE items.id = :id;\n\
         UPDATE south.items SET n = items.n + 1 WHERE items.id = :id;",
    );
    let compilation = compile(COMMON, &text);
    let texts = statements(program(&compilation, "act"));
    assert!(
        texts.contains(&"INSERT INTO app.north_items AS items (id, n) SELECT items.id, items.n FROM app.south_items AS items WHERE items.id = $1"),
        "{texts:?}"
    );
    assert!(
        texts.contains(&"UPDATE app.south_items AS items SET n = items.n + 1 WHERE items.id = $1"),
        "{texts:?}"
    );
    let ddl = definitions(&compilation);
    assert!(
        ddl.contains(&"CREATE INDEX north_by_n ON app.north_items (n)"),
        "{ddl:?}"
    );
}

#[test]
fn where_nothing_is_stored_only_what_reads_nothing_is_expressed() {
    let compilation = compile(NOTHING, SIGN_UP);
    let expressed: Vec<&str> = compilation
        .workload
        .operations
        .iter()
        .zip(&compilation.entries)
        .filter(|(_, entry)| entry.is_some())
        .map(|(operation, _)| operation.name.as_str())
        .collect();
    assert_eq!(expressed, ["create_user", "append_audit"]);
    assert!(compilation.deployment.databases.is_empty() && compilation.invariants.is_empty());
    assert!(!compilation.stores());
    assert!(
        compilation
            .refusals
            .iter()
            .all(|refusal| refusal.line > 0 && refusal.hint.is_some())
    );
}
