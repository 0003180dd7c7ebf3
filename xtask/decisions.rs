//! The pages of decisions: `/adr/` and `/adr/<slug>/`, from the files of `adr/` and the recorded findings.

use std::collections::BTreeMap;
use std::fmt::Write;

use adr::{Article, Claim, escape};
use report::{Check, CheckFinding, ClaimFinding, ClaimVerdict, Measure};

use crate::shell::{Failure, Result, read, root};
use crate::static_page::{Site, StaticPage, up};

/// By (decision, claim).
type Findings = BTreeMap<(String, String), ClaimFinding>;

pub(crate) fn write(site: &Site) -> Result<()> {
    let articles = articles()?;
    let findings = findings()?;
    site.write(&StaticPage {
        path: "adr/",
        title: "Decisions",
        description: "Architecture decision records retold, and what runs find of their claims.",
        current: "adr/",
        content: &list(&articles, &findings),
    })?;
    for article in &articles {
        let path = format!("adr/{}/", article.slug);
        site.write(&StaticPage {
            path: &path,
            title: &article.title,
            description: &article.summary,
            current: "adr/",
            content: &page(article, &articles, &findings, &up(&path)),
        })?;
    }
    Ok(())
}

fn articles() -> Result<Vec<Article>> {
    let parsed = |decision: &adr::library::BuiltIn| {
        adr::parse(decision.text).map_err(|faults| {
            let faults: Vec<String> = faults
                .iter()
                .map(|fault| format!("{}.md:{fault}", decision.slug))
                .collect();
            Failure(faults.join("\n"))
        })
    };
    adr::library::DECISIONS.iter().map(parsed).collect()
}

fn findings() -> Result<Findings> {
    let path = root().join("public/recorded/claims.json");
    let found: Vec<ClaimFinding> =
        serde_json::from_str(&read(&path)?).map_err(|error| Failure(format!("{}: {error}.", path.display())))?;
    Ok(found
        .into_iter()
        .map(|finding| ((finding.adr.clone(), finding.claim.clone()), finding))
        .collect())
}

fn list(articles: &[Article], findings: &Findings) -> String {
    let mut html = String::from(
        "<h1>Decisions</h1>\n<p class=\"lead\">Five decisions that real projects wrote down, retold in our words, each with its claims \
         and what runs find of them. Below, this project's own.</p>\n",
    );
    for (title, studied) in [("Studied", true), ("This project's own", false)] {
        let mut listed: Vec<&Article> = articles
            .iter()
            .filter(|article| article.is_studied() == studied)
            .collect();
        listed.sort_by(|a, b| a.date.cmp(&b.date));
        let id = if studied { "studied" } else { "own" };
        let _ = writeln!(html, "<h2 id=\"{id}\">{title}</h2>\n<ol class=\"timeline\">");
        for article in listed {
            html.push_str(&entry(article, findings));
        }
        html.push_str("</ol>\n");
    }
    html
}

fn entry(article: &Article, findings: &Findings) -> String {
    let system = if article.is_studied() {
        format!(" · {}", escape(&article.system))
    } else {
        String::new()
    };
    format!(
        "<li><p class=\"when\"><time datetime=\"{date}\">{date}</time>{system} {status}</p>\n<h3><a href=\"{slug}/\">{title}</a></h3>\n\
         <p>{summary}</p>\n{superseded}{tally}</li>\n",
        date = escape(&article.date),
        status = status(article),
        slug = escape(&article.slug),
        title = escape(&article.title),
        summary = escape(&article.summary),
        superseded = superseded_by(article, &[], ""),
        tally = tally(article, findings),
    )
}

fn status(article: &Article) -> String {
    let name = article.status.name();
    format!("<span class=\"decision-status {name}\">{name}</span>")
}

/// Successors and predecessors, with links to those that are here.
fn superseded_by(article: &Article, articles: &[Article], root: &str) -> String {
    let link = |slug: &str| match articles.iter().find(|other| other.slug == slug) {
        Some(other) => format!("<a href=\"{root}adr/{}/\">{}</a>", escape(slug), escape(&other.title)),
        None => escape(slug),
    };
    let mut html = String::new();
    if let Some(successor) = &article.superseded_by {
        let _ = writeln!(html, "<p class=\"hint\">Superseded by {}</p>", link(successor));
    }
    for predecessor in &article.supersedes {
        let _ = writeln!(html, "<p class=\"hint\">Supersedes {}</p>", link(predecessor));
    }
    html
}

/// `12 claims: 5 hold in this model, 4 hold under conditions, …`
fn tally(article: &Article, findings: &Findings) -> String {
    if article.claims.is_empty() {
        return String::new();
    }
    let verdicts = [
        (ClaimVerdict::Holds, "hold in this model"),
        (ClaimVerdict::HoldsUnder, "under conditions only"),
        (ClaimVerdict::DoesNotHold, "do not hold"),
        (ClaimVerdict::NotTested, "not tested"),
    ];
    let count = |verdict| {
        article
            .claims
            .iter()
            .filter(|claim| found(article, claim, findings).0 == verdict)
            .count()
    };
    let parts: Vec<String> = (verdicts.into_iter())
        .map(|(verdict, words)| (count(verdict), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    format!(
        "<p class=\"tally\">{} claims: {}</p>\n",
        article.claims.len(),
        parts.join(", ")
    )
}

fn found<'a>(article: &Article, claim: &Claim, findings: &'a Findings) -> (ClaimVerdict, &'a [CheckFinding]) {
    match findings.get(&(article.slug.clone(), claim.id.clone())) {
        Some(finding) => (finding.verdict, &finding.checks),
        None => (ClaimVerdict::NotTested, &[]),
    }
}

fn page(article: &Article, articles: &[Article], findings: &Findings, root: &str) -> String {
    let body = article.body.split_once('\n').map_or("", |(_, rest)| rest);
    let mut html = format!(
        "<p class=\"crumb\"><a href=\"{root}adr/\">Decisions</a></p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n{}",
        escape(&article.title),
        escape(&article.summary),
        facts(article, articles, root)
    );
    html.push_str("<div class=\"prose\">\n");
    html.push_str(&adr::html(body));
    html.push_str("</div>\n");
    if !article.claims.is_empty() {
        html.push_str(&claims(article, findings, root));
    }
    if !article.sources.is_empty() {
        html.push_str("<h2 id=\"sources\">Sources</h2>\n<ul class=\"plain\">\n");
        for source in &article.sources {
            let title = escape(&source.title);
            let _ = match &source.url {
                Some(url) => writeln!(
                    html,
                    "<li><a href=\"{}\" rel=\"noreferrer\">{title}</a></li>",
                    escape(url)
                ),
                None => writeln!(html, "<li>{title}</li>"),
            };
        }
        html.push_str("</ul>\n");
        html.push_str("<p class=\"hint\">Retold from what is public, in our words; the projects have nothing to do with this site.</p>\n");
    }
    html
}

fn facts(article: &Article, articles: &[Article], root: &str) -> String {
    let mut html = String::from("<dl class=\"facts\">\n");
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    fact("Status", &status(article));
    fact(
        "Date",
        &format!("<time datetime=\"{0}\">{0}</time>", escape(&article.date)),
    );
    if article.is_studied() {
        fact("System", &escape(&article.system));
    }
    if !article.designs.is_empty() {
        let designs: Vec<String> = article
            .designs
            .iter()
            .map(|slug| format!("<a href=\"{root}designs/{0}/\">{0}</a>", escape(slug)))
            .collect();
        fact("Designs", &designs.join(", "));
    }
    if let Some(scenario) = &article.scenario {
        fact("Checked on", &format!("the scenario “{}”", escape(scenario)));
    }
    html.push_str("</dl>\n");
    html.push_str(&superseded_by(article, articles, root));
    html
}

fn claims(article: &Article, findings: &Findings, root: &str) -> String {
    let mut html = format!(
        "<h2 id=\"claims\">What it claims, and what runs find</h2>\n<p class=\"hint\">Verdicts are of this model, under its assumptions. \
         Again on your machine: <code>adr-lab claims {}</code></p>\n",
        escape(&article.slug)
    );
    for claim in &article.claims {
        let (verdict, checks) = found(article, claim, findings);
        let (class, sign) = match verdict {
            ClaimVerdict::Holds => ("holds", "✓"),
            ClaimVerdict::HoldsUnder => ("partly", "◐"),
            ClaimVerdict::DoesNotHold => ("fails", "✕"),
            ClaimVerdict::NotTested => ("untested", "?"),
        };
        let id = escape(&claim.id);
        let _ = writeln!(
            html,
            "<article class=\"claim card\" id=\"claim-{id}\">\n<p class=\"verdict {class}\"><span aria-hidden=\"true\">{sign}</span> {}</p>\n\
             <h3>{} <a class=\"anchor\" href=\"#claim-{id}\" aria-label=\"Link to this claim\">#</a></h3>",
            verdict.words(),
            escape(&claim.text),
        );
        if let Some(says) = &claim.says {
            let _ = writeln!(html, "<p class=\"says\">It says: {}</p>", escape(says));
        }
        if !checks.is_empty() {
            html.push_str("<ul class=\"checks\">\n");
            for (check, finding) in claim.checks.iter().zip(checks) {
                html.push_str(&checked(article, check, finding, root));
            }
            html.push_str("</ul>\n");
        }
        if let Some(note) = &claim.note {
            let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
        }
        html.push_str("</article>\n");
    }
    html
}

fn checked(article: &Article, check: &Check, finding: &CheckFinding, root: &str) -> String {
    let (class, sign, said) = if finding.holds {
        ("yes", "✓", "holds")
    } else {
        ("no", "✕", "does not hold")
    };
    let under = if finding.under.is_empty() {
        String::new()
    } else {
        format!("<span class=\"under\">{}</span> ", escape(&finding.under))
    };
    let provenance = check.measure.provenance();
    format!(
        "<li class=\"{class}\"><span class=\"sign\" aria-hidden=\"true\">{sign}</span><span class=\"visually-hidden\">{said}: </span>\
         {under}<span class=\"found\">{what}: <b>{found}</b></span> <span class=\"expected\">expected {expected}</span> \
         <span class=\"tag {provenance}\">{provenance}</span>{run}</li>\n",
        what = check.measure.name(),
        found = escape(&finding.found),
        expected = escape(&finding.expected),
        run = run_link(article, check, root),
    )
}

/// A link that runs the scenario on the designs of a check.
fn run_link(article: &Article, check: &Check, root: &str) -> String {
    let (Some(scenario), Some(design)) = (&article.scenario, &check.design) else {
        return String::new();
    };
    if check.measure == Measure::Price {
        return String::new();
    }
    let designs: Vec<&str> = [Some(design.as_str()), check.against.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    // A `+` in an address is a space.
    let designs = designs.join(",").replace('+', "%2B");
    let address = format!("{root}lab/?v=1&scenario={scenario}&on={designs}");
    format!(" <a class=\"again\" href=\"{}\">Run it</a>", escape(&address))
}
