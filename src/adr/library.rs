//! The texts that are built in: decisions that the lab studies, this project's own, and what is said of each design.

/// A decision's file.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    pub slug: &'static str,
    pub text: &'static str,
}

macro_rules! built_in {
    ($($path:literal: $slug:literal,)*) => {
        &[$(BuiltIn {
            slug: $slug,
            text: include_str!(concat!("../../adr/", $path, $slug, ".md")),
        },)*]
    };
}

/// In the order in which they are listed.
pub const DECISIONS: &[BuiltIn] = built_in! {
    "studied/": "one-database-per-state",
    "studied/": "database-per-service",
    "studied/": "dynamodb-for-now",
    "studied/": "shared-tables-row-security",
    "studied/": "one-database-many-schemas",
    "": "claims-are-checks",
    "": "probes-are-programs",
    "": "a-real-postgres-in-the-page",
    "": "programs-are-data",
    "": "messages-are-bytes",
    "": "one-program-in-parts",
    "": "the-worker-grows-with-the-engine",
    "": "statements-are-data",
    "": "index-leaves-cut-keys",
    "": "our-parser-on-sqlparser-tokens",
    "": "composition-is-sql-in-memory",
    "": "messages-go-over-a-bus",
    "": "serializable-as-postgresql",
    "": "parts-write-the-same-slots",
    "": "anomalies-are-circles",
    "": "two-phase-commit-is-a-design",
    "": "rejected-designs-run-too",
    "": "tenants-are-walls",
    "": "files-are-decided-first",
    "": "policies-name-their-tenant",
    "": "scenarios-are-toml-with-phrases",
    "": "rooms-are-crates",
    "": "tools-are-installed-once",
};

/// What is said of each design on its page: Markdown, by the design's slug.
const DESIGNS: &[(&str, &str)] = &[
    (
        "schemas-in-one-database",
        include_str!("designs/schemas-in-one-database.md"),
    ),
    ("database-per-service", include_str!("designs/database-per-service.md")),
    ("database-per-tenant", include_str!("designs/database-per-tenant.md")),
    (
        "shared-tables-with-row-level-security",
        include_str!("designs/shared-tables-with-row-level-security.md"),
    ),
    (
        "dynamodb-single-table",
        include_str!("designs/dynamodb-single-table.md"),
    ),
    (
        "separate-databases-on-one-server",
        include_str!("designs/separate-databases-on-one-server.md"),
    ),
    ("shared-database", include_str!("designs/shared-database.md")),
    ("object-store", include_str!("designs/object-store.md")),
    ("store-nothing", include_str!("designs/store-nothing.md")),
];

/// The text of a design's page, without its title.
pub fn design(slug: &str) -> Option<&'static str> {
    let found = DESIGNS.iter().find(|(known, _)| *known == slug);
    found.map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::{Article, parse};

    fn articles() -> Vec<Article> {
        let read = |built_in: &BuiltIn| {
            parse(built_in.text).unwrap_or_else(|faults| {
                let faults: Vec<String> = faults
                    .iter()
                    .map(|fault| format!("{}.md:{fault}", built_in.slug))
                    .collect();
                panic!("{}", faults.join("\n"))
            })
        };
        DECISIONS.iter().map(read).collect()
    }

    #[test]
    fn every_file_is_built_in_and_named_by_its_slug() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../adr");
        let mut files = BTreeSet::new();
        for folder in [folder.join("studied"), folder] {
            for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                files.extend(name.strip_suffix(".md").map(str::to_owned));
            }
        }
        let slugs: BTreeSet<String> = articles().into_iter().map(|article| article.slug).collect();
        assert_eq!(files, slugs);
        for (built_in, article) in DECISIONS.iter().zip(articles()) {
            assert_eq!(built_in.slug, article.slug);
        }
    }

    #[test]
    fn a_text_has_one_title_and_successors_exist() {
        let articles = articles();
        let slugs: BTreeSet<&str> = articles.iter().map(|article| article.slug.as_str()).collect();
        for article in &articles {
            let titles = crate::sections(&article.body)
                .into_iter()
                .filter(|section| section.level == 1);
            let titles: Vec<String> = titles.map(|section| section.title).collect();
            assert_eq!(titles.join("|"), article.title, "{}", article.slug);
            for other in &article.supersedes {
                assert!(slugs.contains(other.as_str()), "{} supersedes {other}", article.slug);
            }
            assert!(
                !article.is_studied() || !article.sources.is_empty(),
                "{} has a source",
                article.slug
            );
        }
    }
}
