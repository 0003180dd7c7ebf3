//! What is built in: scenarios, hardware profiles and price books, the same data files that the site serves.

use cost::PriceBook;
use program::profile::Profile;

/// A scenario that can be named by its slug.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    pub slug: &'static str,
    pub text: &'static str,
}

/// In the order in which they are shown.
pub const SCENARIOS: &[BuiltIn] = &[
    BuiltIn {
        slug: "sign-up",
        text: include_str!("../../public/scenarios/sign-up.toml"),
    },
    BuiltIn {
        slug: "benefit-match",
        text: include_str!("../../public/scenarios/benefit-match.toml"),
    },
    BuiltIn {
        slug: "appointment-booking",
        text: include_str!("../../public/scenarios/appointment-booking.toml"),
    },
    BuiltIn {
        slug: "submission-pilot",
        text: include_str!("../../public/scenarios/submission-pilot.toml"),
    },
    BuiltIn {
        slug: "sales-events",
        text: include_str!("../../public/scenarios/sales-events.toml"),
    },
    BuiltIn {
        slug: "shop-orders",
        text: include_str!("../../public/scenarios/shop-orders.toml"),
    },
    BuiltIn {
        slug: "school-timetable",
        text: include_str!("../../public/scenarios/school-timetable.toml"),
    },
];

macro_rules! anomalies {
    ($($slug:literal),* $(,)?) => {
        /// The schedules of the matrix of transaction isolation, weakest anomaly first.
        pub const ANOMALIES: &[BuiltIn] = &[$(BuiltIn {
            slug: $slug,
            text: include_str!(concat!("../../tests/anomalies/", $slug, ".spec")),
        }),*];
    };
}

anomalies! {
    "dirty-write",
    "aborted-read",
    "intermediate-read",
    "circular-information-flow",
    "observed-transaction-vanishes",
    "predicate-many-preceders",
    "predicate-many-preceders-write",
    "lost-update",
    "read-skew",
    "read-skew-predicate",
    "read-skew-write",
    "write-skew",
    "write-skew-read-only",
    "phantom-write-skew",
    "phantom-write-skew-read-only",
}

const PROFILES: &[(&str, &str)] = &[
    (
        "cloud-one-zone",
        include_str!("../../public/profiles/cloud-one-zone.json"),
    ),
    ("lab-two-core", include_str!("../../public/profiles/lab-two-core.json")),
];

const PRICES: &[(&str, &str)] = &[("aws-us-east-1", include_str!("../../public/prices/aws-us-east-1.json"))];

/// The price book of bills.
pub const DEFAULT_PRICES: &str = "aws-us-east-1";

/// The profile of a scenario that names none.
pub const DEFAULT_PROFILE: &str = "cloud-one-zone";

pub fn scenario(slug: &str) -> Option<&'static BuiltIn> {
    SCENARIOS.iter().find(|scenario| scenario.slug == slug)
}

pub fn profile_names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, _)| *name)
}

/// `None` for an unknown name.
pub fn profile(name: &str) -> Option<Profile> {
    let (_, text) = PROFILES.iter().find(|(known, _)| *known == name)?;
    serde_json::from_str(text).ok()
}

pub fn price_names() -> impl Iterator<Item = &'static str> {
    PRICES.iter().map(|(name, _)| *name)
}

/// `None` for an unknown name.
pub fn prices(name: &str) -> Option<PriceBook> {
    let (_, text) = PRICES.iter().find(|(known, _)| *known == name)?;
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &str, extension: &str) -> Vec<String> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../public")
            .join(folder);
        let mut slugs: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(extension)?.to_owned()))
            .collect();
        slugs.sort_unstable();
        slugs
    }

    #[test]
    fn every_file_is_built_in() {
        let mut slugs: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.slug).collect();
        slugs.sort_unstable();
        assert_eq!(files("scenarios", ".toml"), slugs);
        let mut names: Vec<&str> = profile_names().collect();
        names.sort_unstable();
        assert_eq!(files("profiles", ".json"), names);
        assert_eq!(files("prices", ".json"), price_names().collect::<Vec<_>>());
    }

    #[test]
    fn built_in_files_are_sound() {
        for name in profile_names() {
            assert_eq!(profile(name).expect("it parses").name, name);
        }
        for name in price_names() {
            assert_eq!(prices(name).expect("it parses").name, name);
        }
        for built_in in SCENARIOS {
            let parsed = scenario::parse(built_in.text);
            assert_eq!(parsed.diagnostics, [], "{}", built_in.slug);
            let scenario = parsed.scenario.expect("no error, so a scenario");
            assert_eq!(architecture::check(&scenario), []);
        }
    }
}
