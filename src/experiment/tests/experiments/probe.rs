//! Probes of tenant isolation: what comes back is counted, never looked up.

use experiment::{Choice, ProbeJob};
use report::{Evidence, ProbeReport, Verdict};

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

fn counts(report: &ProbeReport, design: usize) -> (f64, f64) {
    let figure = report.designs[design].cell.figure.expect("a figure");
    (figure.value, figure.of.expect("of so many"))
}

#[test]
fn a_forgotten_filter_meets_walls_between_tenants_and_none_between_domains() {
    let report = probe("sign-up");
    let (leaked, all) = counts(&report, 0);
    assert!(leaked > 0.0 && leaked < all, "{leaked} of {all}");
    assert_eq!(counts(&report, 1), (leaked, all), "walls between services face domains");
    let own = all - leaked;
    for walled in [2, 3] {
        assert_eq!(counts(&report, walled), (0.0, own), "{}", report.designs[walled].title);
        assert_eq!(report.designs[walled].cell.verdict, Verdict::NoneFound);
    }
}

#[test]
fn rows_by_tenant_add_up() {
    let report = probe("shop-orders");
    for design in &report.designs {
        let counted = design.cell.evidence.iter().find_map(|evidence| match evidence {
            Evidence::ByTenant { counts, .. } => Some(counts.iter().map(|(_, rows)| *rows).sum::<u64>()),
            _ => None,
        });
        let all = design.cell.figure.and_then(|figure| figure.of);
        assert_eq!(counted.map(|rows| rows as f64), all, "{}", design.title);
    }
}

#[test]
fn without_a_filter_there_is_none_to_forget() {
    let text = include_str!("../../../../tests/scenarios/bank.toml");
    let refused = ProbeJob::new("bank", text, &Choice::default()).expect_err("the bank has no tenants");
    assert!(refused[0].message.contains("filters by tenant"), "{refused:?}");
}
