//! Separate writes with a clean-up written by hand.

use program::Op;

use crate::*;

#[test]
fn a_later_failure_is_cleaned_up_once_and_its_errors_are_swallowed() {
    let create = text(&compile(UNPROTECTED, SIGN_UP), "create_user");
    in_order(
        &create,
        &[
            "auth: INSERT INTO auth.users",
            "try 111111",
            "permissions: INSERT INTO permissions.user_roles",
            "try 111111",
            "audit: INSERT INTO audit.audit_logs",
            "catch",
            "try 111111",
            "DELETE FROM permissions.user_roles WHERE user_id = $1 AND role_id = $2 [id, role]",
            "rethrow",
            "catch",
            "DELETE FROM auth.users WHERE id = $1 [id]",
            "rethrow",
        ],
    );
    assert!(!create.contains("BEGIN") && !create.contains("retry"), "{create}");
}

#[test]
fn nothing_durable_stands_beside_the_data() {
    let compilation = compile(UNPROTECTED, SIGN_UP);
    let ddl: String = compilation
        .deployment
        .databases
        .iter()
        .flat_map(|d| d.definitions.clone())
        .collect();
    assert!(!ddl.contains("saga") && !ddl.contains("idempotency") && !ddl.contains("outbox"));
    assert_eq!(compilation.architecture, UNPROTECTED);
    let services = compilation
        .deployment
        .nodes
        .iter()
        .filter(|n| n.kind == program::NodeKind::Service)
        .count();
    assert_eq!(services, 1);
}

#[test]
fn an_asynchronous_statement_is_sent_and_forgotten() {
    let compilation = compile(UNPROTECTED, BANK);
    let open = program(&compilation, "open_account");
    let mut sends = 0;
    visit(open, &open.body, &mut |step| {
        sends += usize::from(matches!(step.op, Op::Send { .. }))
    });
    assert_eq!(sends, 1);
}

#[test]
fn rows_are_remembered_in_order_to_be_put_back() {
    let book = text(&compile(UNPROTECTED, BOOKING), "book");
    in_order(
        &book,
        &[
            "SELECT slots.id, slots.taken_by FROM planning.slots WHERE id = $1 AND taken_by IS NULL",
            "UPDATE planning.slots SET taken_by = $1",
            "try 111111",
            "SELECT r.id, r.slot_id, r.free FROM planning.rooms AS r, planning.slots AS s",
            "DELETE FROM planning.rooms AS r",
            "try 111111",
            "work at payment",
            "catch",
            "INSERT INTO planning.rooms (id, slot_id, free) VALUES ($1, $2, $3)",
            "UPDATE planning.slots SET taken_by = $1 WHERE id = $2",
            "DELETE FROM patients.appointments WHERE id = $1",
        ],
    );
}
