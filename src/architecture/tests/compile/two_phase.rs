//! Two-phase commit: what is prepared, where it is decided, and who ends what a crash leaves.

use architecture::Sabotage;
use program::ProgramKind;

use crate::*;

#[test]
fn every_owner_that_is_written_to_prepares_before_the_log_decides() {
    let create = text(&compile(TWO_PHASE, SIGN_UP), "create_user");
    in_order(
        &create,
        &[
            "INSERT INTO two_phase.decisions (id, outcome) VALUES ($1, 'open') ON CONFLICT (id) DO NOTHING",
            "auth: BEGIN",
            "audit: BEGIN",
            "permissions: BEGIN",
            "auth: INSERT INTO auth.users",
            "permissions: INSERT INTO permissions.user_roles",
            "audit: INSERT INTO audit.audit_logs",
            "auth: PREPARE TRANSACTION $1",
            "audit: PREPARE TRANSACTION $1",
            "permissions: PREPARE TRANSACTION $1",
            "WHEN 'open' THEN 'committed' ELSE outcome END",
            "catch",
            "WHEN 'open' THEN 'aborted' ELSE outcome END",
            "auth: ROLLBACK PREPARED $1",
            "rethrow",
            "auth: COMMIT PREPARED $1",
            "audit: COMMIT PREPARED $1",
            "permissions: COMMIT PREPARED $1",
        ],
    );
    let hasty = compile_with(TWO_PHASE, SIGN_UP, &[Sabotage::WithoutDecisionLog]);
    in_order(
        &text(&hasty, "create_user"),
        &[
            "permissions: COMMIT PREPARED $1",
            "WHEN 'open' THEN 'committed' ELSE outcome END",
        ],
    );
}

#[test]
fn what_a_crash_leaves_is_ended_as_the_log_says() {
    let compilation = compile(TWO_PHASE, SIGN_UP);
    let recovery = program(&compilation, "give up what was not decided");
    assert_eq!(recovery.kind, ProgramKind::Recovery);
    for owner in ["auth", "permissions", "audit", "email"] {
        let name = format!("end what is prepared at {owner}");
        assert!(matches!(
            program(&compilation, &name).kind,
            ProgramKind::Periodic { .. }
        ));
        in_order(
            &text(&compilation, &name),
            &[
                &format!(
                    "FROM pg_prepared_xacts WHERE right(gid, {}) = ':{owner}'",
                    owner.len() + 1
                ),
                "SELECT outcome FROM two_phase.decisions WHERE id = $1",
                &format!("{owner}: COMMIT PREPARED $1"),
                &format!("{owner}: ROLLBACK PREPARED $1"),
            ],
        );
    }
}

/// One owner's write needs no second phase, whatever is read elsewhere; reads need no transaction.
#[test]
fn what_one_owner_decides_alone_is_not_prepared() {
    for scenario in [SIGN_UP, SHOP, SCHOOL, BANK, BOOKING] {
        let compilation = compile(TWO_PHASE, scenario);
        // What sagas refuse for their compensations is not refused.
        assert_eq!(compilation.refusals, compile(UNPROTECTED, scenario).refusals);
        for entry in compilation.entries.iter().flatten() {
            let program = &compilation.programs[entry.index()];
            let sent = statements(program);
            let verbs = |verb: &str| sent.iter().filter(|sql| sql.starts_with(verb)).count();
            let prepared = verbs("PREPARE TRANSACTION");
            assert_ne!(prepared, 1, "{}", program.name);
            assert_eq!(verbs("COMMIT PREPARED"), prepared, "{}", program.name);
            assert_eq!(verbs("ROLLBACK PREPARED"), prepared, "{}", program.name);
            let decides = sent.iter().any(|sql| sql.contains("'committed'"));
            assert_eq!(decides, prepared > 0, "{}", program.name);
        }
    }
}

#[test]
fn its_services_are_one_application_and_its_log_is_its_own() {
    let compilation = compile(TWO_PHASE, SIGN_UP);
    assert_eq!(compilation.architecture, TWO_PHASE);
    let names = |kind| {
        let nodes = compilation
            .deployment
            .nodes
            .iter()
            .filter(move |node| node.kind == kind);
        nodes.map(|node| node.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(program::NodeKind::Service), ["coordinator"]);
    assert!(names(program::NodeKind::SqlServer).contains(&"coordinator-db"));
    let weakened = |name: &str| {
        let constraint = format!("operation {name}: one transaction");
        compilation
            .weakened
            .iter()
            .find(|weakening| weakening.constraint == constraint)
    };
    assert!(weakened("create_user").is_some_and(|weakening| weakening.becomes.contains("locks are held")));
    assert!(weakened("get_user").is_none());
}
