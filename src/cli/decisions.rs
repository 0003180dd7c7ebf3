//! Bills, claims of decisions, and what the site shows of both: `bill`, `claims`, `run --adr-table`,
//! `record-decisions`.

use std::path::Path;
use std::process::ExitCode;

use adr::{Article, library};
use base::Nanos;
use cost::{Fleet, PriceBook};
use experiment::{BillJob, Choice, Ground, LatencyClaim};
use report::document::{self, Block, Table};
use report::{Check, ClaimFinding, ClaimVerdict, Expectation, Measure};

use crate::commands::{Result, complaints, finish, json, priced, printed};
use crate::input::{self, Input};
use crate::{Prices, Print, What};

pub(crate) fn bill(what: &What, target_p99_ms: u32, prices: &Prices, print: Print) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let choice = priced(what, target_p99_ms, prices)?;
    let report = finish(&input, BillJob::new(&input.slug, &input.text, &choice))?;
    printed(&report, &report.document(), print)
}

/// The prices that a decision names, beside what the sheet gives, line by line.
pub(crate) fn adr_bill(slug: &str, print: Print) -> Result<ExitCode> {
    let article = article(slug)?;
    let book = experiment::library::prices(experiment::library::DEFAULT_PRICES)
        .ok_or("the built-in price book cannot be read")?;
    let mut blocks = vec![
        Block::Heading(1, format!("What “{}” says of prices", article.title)),
        Block::Paragraph(format!("Beside {} of {}.", book.title, book.date)),
    ];
    let mut findings = Vec::new();
    for claim in &article.claims {
        if claim.checks.iter().all(|check| check.measure != Measure::Price) {
            continue;
        }
        let finding = check_claim(&article, claim)?;
        blocks.push(Block::Heading(2, claim.text.clone()));
        blocks.push(Block::Table(findings_table(&finding)));
        blocks.extend(claim.note.clone().map(Block::Paragraph));
        for check in &claim.checks {
            for fleet in [&check.fleet, &check.against].into_iter().flatten() {
                let fleet: Fleet = fleet.parse().map_err(|error: cost::FleetError| error.to_string())?;
                blocks.push(fleet_table(&fleet, &book)?);
            }
        }
        findings.push(finding);
    }
    if findings.is_empty() {
        return Err(format!("{slug} names no prices"));
    }
    printed(&findings, &blocks, print)
}

fn fleet_table(fleet: &Fleet, book: &PriceBook) -> Result<Block> {
    let bill = fleet.bill(book).map_err(|error| error.to_string())?;
    let memory = fleet.memory_gib(book).unwrap_or_default();
    let title = format!("{fleet} ({memory} GiB in all)");
    let mut table = Table::new(&[&title, "how", "$ a month", "price"]).numbers(2..3);
    for line in &bill.lines {
        let amount = format!("{:.2}", line.result.dollars());
        table.row([line.what.clone(), line.formula.clone(), amount, line.source.clone()]);
    }
    table.row([
        "in all".to_owned(),
        String::new(),
        format!("{:.2}", bill.total().dollars()),
        String::new(),
    ]);
    Ok(Block::Table(table))
}

/// The latencies of the decision that a scenario belongs to, from runs.
pub(crate) fn adr_table(what: &What, round_trip_ms: u32, print: Print) -> Result<ExitCode> {
    let input = input::read(&what.scenario)?;
    let decision = scenario::parse(&input.text).scenario.and_then(|scenario| scenario.adr);
    let decision = decision.ok_or_else(|| format!("{} names no decision (`adr = \"…\"`)", input.name))?;
    let article = article(&decision)?;
    let mut claims: Vec<LatencyClaim> = Vec::new();
    for claim in &article.claims {
        for check in &claim.checks {
            let is_figure = matches!(check.expect, Expectation::Within { .. }) && check.against.is_none();
            let wanted = check
                .design
                .as_ref()
                .is_some_and(|design| what.architectures.is_empty() || what.architectures.contains(design));
            if check.measure == Measure::Latency && is_figure && wanted {
                let round_trip = Some(Nanos::from_millis(u64::from(round_trip_ms)));
                claims.push(LatencyClaim {
                    id: claim.id.clone(),
                    note: claim.note.clone(),
                    check: Check {
                        round_trip,
                        ..check.clone()
                    },
                });
            }
        }
    }
    let table = ground(&input).decision_table(&article.title, &claims);
    let table = table.map_err(|found| complaints(&input.name, &found))?;
    printed(&table, &table.document(), print)
}

/// Checks the claims of one decision, or of all.
pub(crate) fn claims(slug: Option<&str>, print: Print) -> Result<ExitCode> {
    let articles = match slug {
        Some(slug) => vec![article(slug)?],
        None => articles()?,
    };
    let findings = check_all(&articles)?;
    let mut blocks = Vec::new();
    for article in articles.iter().filter(|article| !article.claims.is_empty()) {
        blocks.push(Block::Heading(1, article.title.clone()));
        for finding in findings.iter().filter(|finding| finding.adr == article.slug) {
            let claim = article.claims.iter().find(|claim| claim.id == finding.claim);
            blocks.push(Block::Heading(
                3,
                claim.map_or_else(String::new, |claim| claim.text.clone()),
            ));
            blocks.push(Block::Paragraph(finding.verdict.words().to_owned()));
            if !finding.checks.is_empty() {
                blocks.push(Block::Table(findings_table(finding)));
            }
        }
    }
    printed(&findings, &blocks, print)
}

/// Writes what the site's pages of decisions and designs show.
pub(crate) fn record(folder: &Path) -> Result<ExitCode> {
    let write = |name: &str, json: String| {
        let path = folder.join(name);
        std::fs::write(&path, json).map_err(|error| format!("{}: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    write("claims.json", recorded_claims()?)?;
    write("designs.json", recorded_designs()?)?;
    let [home, compare] = recorded_board()?;
    write("home.json", home)?;
    write("compare.json", compare)?;
    write("isolation.json", recorded_isolation()?)?;
    write("cannot-express.md", recorded_refusals()?)?;
    Ok(ExitCode::SUCCESS)
}

/// The text of `public/recorded/claims.json`.
pub(crate) fn recorded_claims() -> Result<String> {
    json(&check_all(&articles()?)?)
}

/// The text of `public/recorded/designs.json`.
pub(crate) fn recorded_designs() -> Result<String> {
    let built_in = &experiment::library::SCENARIOS[0];
    let sheets = experiment::design_sheets(built_in.slug, built_in.text);
    json(&sheets.map_err(|found| complaints(built_in.slug, &found))?)
}

/// The texts of `public/recorded/home.json` and `compare.json`.
pub(crate) fn recorded_board() -> Result<[String; 2]> {
    let built_in = &experiment::library::SCENARIOS[0];
    let recorded = experiment::record_board(built_in.slug, built_in.text);
    let recorded = recorded.map_err(|found| complaints(built_in.slug, &found))?;
    // Pages fetch the board: no space for people to read.
    let board = serde_json::to_string(&recorded.board).map_err(|error| error.to_string())?;
    Ok([json(&recorded.home)?, board + "\n"])
}

/// The text of `public/recorded/isolation.json`.
pub(crate) fn recorded_isolation() -> Result<String> {
    let matrix = experiment::schedule::matrix(experiment::library::ANOMALIES)?;
    let text = serde_json::to_string(&matrix).map_err(|error| error.to_string())?;
    Ok(text + "\n")
}

/// The text of `public/recorded/cannot-express.md`: scenarios × designs, and why something cannot be expressed.
pub(crate) fn recorded_refusals() -> Result<String> {
    let architectures = architecture::architectures();
    let titles = architectures.iter().map(|architecture| architecture.title());
    let mut whole = Table::new(&std::iter::once("scenario").chain(titles).collect::<Vec<_>>());
    let mut blocks = Vec::new();
    for built_in in experiment::library::SCENARIOS {
        let input = input::read(built_in.slug)?;
        let mut row = vec![built_in.slug.to_owned()];
        let mut reasons = Table::new(&["design", "operation", "line", "why", "instead"]);
        for architecture in architectures {
            let choice = Choice {
                designs: vec![architecture.slug().to_owned()],
                ..Choice::default()
            };
            let compiled =
                experiment::compile(&input.text, &choice).map_err(|found| complaints(&input.name, &found))?;
            for compilation in &compiled {
                let expressed = compilation.entries.iter().flatten().count();
                row.push(match compilation.refusals.len() {
                    0 => "all of it".to_owned(),
                    _ => format!("{expressed} of {}", compilation.entries.len()),
                });
                for refusal in &compilation.refusals {
                    let operation = refusal
                        .operation
                        .map(|id| compilation.workload.operation(id).name.clone());
                    reasons.row([
                        compilation.title.clone(),
                        operation.unwrap_or_else(|| "all".to_owned()),
                        refusal.line.to_string(),
                        refusal.reason.clone(),
                        refusal.hint.clone().unwrap_or_default(),
                    ]);
                }
            }
        }
        whole.row(row);
        blocks.push(Block::Heading(2, built_in.slug.to_owned()));
        blocks.push(Block::Table(reasons));
    }
    let head = [
        Block::Heading(1, "What each design cannot express".to_owned()),
        Block::Paragraph("Operations of each scenario that a design can express, and why it cannot express the others. Written by `adr-lab record-decisions`; a test compares it with what the compilers say.".to_owned()),
        Block::Table(whole),
    ];
    Ok(document::markdown(&[&head[..], &blocks[..]].concat()))
}

fn check_all(articles: &[Article]) -> Result<Vec<ClaimFinding>> {
    let claims = articles
        .iter()
        .flat_map(|article| article.claims.iter().map(move |claim| (article, claim)));
    claims.map(|(article, claim)| check_claim(article, claim)).collect()
}

fn check_claim(article: &Article, claim: &adr::Claim) -> Result<ClaimFinding> {
    let place = format!("{}#claim-{}", article.slug, claim.id);
    let mut checks = Vec::new();
    for check in &claim.checks {
        let slug = article.scenario.as_deref();
        let slug = slug.ok_or_else(|| format!("{place}: a decision with checks names its scenario"))?;
        let input = input::read(slug)?;
        checks.push(
            ground(&input)
                .check(check)
                .map_err(|found| complaints(&place, &found))?,
        );
    }
    Ok(ClaimFinding {
        adr: article.slug.clone(),
        claim: claim.id.clone(),
        verdict: ClaimVerdict::of(&checks),
        checks,
    })
}

fn findings_table(finding: &ClaimFinding) -> Table {
    let mut table = Table::new(&["under", "found", "expected", "holds"]);
    for check in &finding.checks {
        let holds = if check.holds { "yes" } else { "no" };
        table.row([
            check.under.clone(),
            check.found.clone(),
            check.expected.clone(),
            holds.to_owned(),
        ]);
    }
    table
}

fn ground(input: &Input) -> Ground<'_> {
    Ground {
        slug: &input.slug,
        text: &input.text,
    }
}

fn articles() -> Result<Vec<Article>> {
    library::DECISIONS.iter().map(parsed).collect()
}

fn article(slug: &str) -> Result<Article> {
    match library::DECISIONS.iter().find(|decision| decision.slug == slug) {
        Some(decision) => parsed(decision),
        None => {
            let known: Vec<&str> = library::DECISIONS.iter().map(|decision| decision.slug).collect();
            Err(format!(
                "there is no decision “{slug}” (there are: {})",
                known.join(", ")
            ))
        }
    }
}

fn parsed(decision: &library::BuiltIn) -> Result<Article> {
    adr::parse(decision.text).map_err(|faults| {
        let faults: Vec<String> = faults
            .iter()
            .map(|fault| format!("{}.md:{fault}", decision.slug))
            .collect();
        faults.join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../public/recorded")
            .join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn home_and_the_board_show_what_runs_give() {
        let [home, compare] = recorded_board().expect("it can be recorded");
        assert!(
            recorded("home.json") == home && recorded("compare.json") == compare,
            "Home and the board show other numbers than runs give today: cargo run -p cli -- record-decisions"
        );
    }

    /// A claim whose verdict has changed is news, and so is a number on a page that runs no longer give.
    #[test]
    fn claims_are_as_recorded() {
        let recorded: Vec<ClaimFinding> = serde_json::from_str(&recorded("claims.json")).expect("it is sound");
        let found = check_all(&articles().expect("they are sound")).expect("they can be checked");
        let changed: Vec<String> = (found.iter())
            .filter(|finding| !recorded.contains(finding))
            .map(|finding| format!("{}#claim-{}: found now: {finding:#?}", finding.adr, finding.claim))
            .collect();
        assert!(
            changed.is_empty() && recorded.len() == found.len(),
            "Claims have changed. If that is right: cargo run -p cli -- record-decisions\n{}",
            changed.join("\n")
        );
    }

    #[test]
    fn the_designs_pages_show_what_compilers_make() {
        assert!(
            recorded("designs.json") == recorded_designs().expect("all designs compile"),
            "The designs have changed. If that is right: cargo run -p cli -- record-decisions"
        );
    }

    #[test]
    fn what_designs_cannot_express_is_as_recorded() {
        assert!(
            recorded("cannot-express.md") == recorded_refusals().expect("all scenarios compile"),
            "Designs express more or less than they did. If that is right: cargo run -p cli -- record-decisions"
        );
    }

    #[test]
    fn the_matrix_of_anomalies_is_as_recorded() {
        assert!(
            recorded("isolation.json") == recorded_isolation().expect("the schedules are sound"),
            "The matrix of transaction isolation has changed. If that is right: cargo run -p cli -- record-decisions"
        );
    }

    #[test]
    fn a_decision_names_designs_and_scenarios_that_exist() {
        for article in articles().expect("they are sound") {
            for design in &article.designs {
                assert!(architecture::design(design).is_some(), "{}: {design}", article.slug);
            }
            if let Some(slug) = &article.scenario {
                assert!(
                    experiment::library::scenario(slug).is_some(),
                    "{}: {slug}",
                    article.slug
                );
            }
        }
    }
}
