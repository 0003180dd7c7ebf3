//! Probes of tenant isolation: what comes back is counted, never looked up.

use experiment::{Choice, ProbeJob};
use report::{Cell, Evidence, ProbeReport, Verdict};

use crate::finish;

fn probe(slug: &str) -> ProbeReport {
    let text = experiment::library::scenario(slug).expect("a built-in scenario");
    let choice = Choice {
        designs: vec![
            "schemas-in-one-database".to_owned(),
            "database-per-service".to_owned(),
            "database-per-tenant".to_owned(),
            "shared-tables-with-row-level-security".to_owned(),
        ],
        ..Choice::default()
    };
    finish(ProbeJob::new(slug, text.text, &choice))
}

/// Rows of others and all rows, of a design in a probe.
fn counts(report: &ProbeReport, probe: &str, design: usize) -> (f64, f64) {
    let figure = cell(report, probe, design).figure.expect("a figure");
    (figure.value, figure.of.expect("of so many"))
}

fn cell<'a>(report: &'a ProbeReport, probe: &str, design: usize) -> &'a Cell {
    let probe = report.probes.iter().find(|found| found.slug == probe);
    &probe.expect("it is one of the probes").designs[design].cell
}

#[test]
fn a_forgotten_filter_meets_walls_between_tenants_and_none_between_domains() {
    let report = probe("sign-up");
    let (leaked, all) = counts(&report, "forgotten-filter", 0);
    assert!(leaked > 0.0 && leaked < all, "{leaked} of {all}");
    assert_eq!(
        counts(&report, "forgotten-filter", 1),
        (leaked, all),
        "walls between services face domains"
    );
    let own = all - leaked;
    for walled in [2, 3] {
        assert_eq!(counts(&report, "forgotten-filter", walled), (0.0, own));
        let verdict = cell(&report, "forgotten-filter", walled).verdict;
        assert_eq!(verdict, Verdict::StoppedByEngine);
    }
}

/// Row-level security keeps apart whom it is told of, and whom it applies to.
#[test]
fn a_setting_of_the_session_leaks_the_tenant_before_and_an_owner_sees_everybody() {
    let report = probe("sign-up");
    let (forgotten, all) = counts(&report, "forgotten-filter", 0);
    for without_policies in 0..3 {
        for probe in ["reused-connection", "runs-as-owner"] {
            assert_eq!(cell(&report, probe, without_policies).verdict, Verdict::NotApplicable);
        }
    }
    let reused = cell(&report, "reused-connection", 3);
    assert_eq!(reused.verdict, Verdict::Leaked);
    let others = reused.evidence.iter().find_map(|evidence| match evidence {
        Evidence::ByTenant { own, counts } => Some((own.clone(), counts.clone())),
        _ => None,
    });
    let (own, counts_by_tenant) = others.expect("rows by tenant");
    let tenants: Vec<&String> = counts_by_tenant.iter().map(|(tenant, _)| tenant).collect();
    assert!(
        tenants.len() == 1 && *tenants[0] != own,
        "{own} saw {counts_by_tenant:?}"
    );
    assert_eq!(counts(&report, "runs-as-owner", 3), (forgotten, all));
}

#[test]
fn rows_by_tenant_add_up() {
    for scenario in ["shop-orders", "school-timetable"] {
        let report = probe(scenario);
        let leaked = cell(&report, "forgotten-filter", 0);
        assert_eq!(leaked.verdict, Verdict::Leaked, "{scenario}: {leaked:?}");
        for design in report.probes.iter().flat_map(|probe| &probe.designs) {
            let counted = design.cell.evidence.iter().find_map(|evidence| match evidence {
                Evidence::ByTenant { counts, .. } => Some(counts.iter().map(|(_, rows)| *rows).sum::<u64>()),
                _ => None,
            });
            let all = design.cell.figure.and_then(|figure| figure.of);
            assert_eq!(counted.map(|rows| rows as f64), all, "{}", design.title);
        }
    }
}

#[test]
fn without_a_filter_there_is_none_to_forget() {
    let text = include_str!("../../../../tests/scenarios/bank.toml");
    let refused = ProbeJob::new("bank", text, &Choice::default()).expect_err("the bank has no tenants");
    assert!(refused[0].message.contains("filters by tenant"), "{refused:?}");
}
