//! Variants of a design, settings that a scenario may give, and sabotage for tests.

use scenario::{Diagnostic, OptionValue, Place, Scenario, Severity};

use crate::{Architecture, architectures};

/// A way of building the same design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Empty for the default one.
    pub slug: &'static str,
    pub title: &'static str,
    pub summary: &'static str,
}

/// A design with its variant.
#[derive(Clone, Copy, Debug)]
pub struct Design {
    pub architecture: &'static dyn Architecture,
    pub variant: &'static Variant,
}

impl Design {
    /// `database-per-service`, `database-per-service+unprotected`
    pub fn slug(&self) -> String {
        with_variant(self.architecture.slug(), self.variant.slug)
    }

    pub fn compile(&self, scenario: &Scenario, sabotage: &[Sabotage]) -> program::Compilation {
        let options = Options {
            sabotage: sabotage.to_vec(),
            ..self.options()
        };
        self.compile_with(scenario, &options)
    }

    /// Its variant, and nothing wrong.
    pub fn options(&self) -> Options {
        Options {
            variant: self.variant.slug,
            ..Options::default()
        }
    }

    pub fn compile_with(&self, scenario: &Scenario, options: &Options) -> program::Compilation {
        self.architecture.compile(scenario, options)
    }
}

pub(crate) fn with_variant(slug: &str, variant: &str) -> String {
    if variant.is_empty() {
        slug.to_owned()
    } else {
        format!("{slug}+{variant}")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The slug of one of the architecture's variants.
    pub variant: &'static str,
    pub sabotage: Vec<Sabotage>,
    pub mistakes: Vec<MadeMistake>,
    /// Operations that nobody thought of when the design was made: keys and indexes are not chosen for them.
    pub unplanned: Vec<String>,
}

impl Options {
    /// Is it made everywhere?
    pub fn has(&self, mistake: Mistake) -> bool {
        self.mistakes
            .iter()
            .any(|made| made.mistake == mistake && made.operation.is_none())
    }

    /// Is it made in this operation?
    pub fn has_in(&self, mistake: Mistake, operation: &str) -> bool {
        let concerns = |made: &MadeMistake| made.operation.as_deref().is_none_or(|name| name == operation);
        self.mistakes
            .iter()
            .any(|made| made.mistake == mistake && concerns(made))
    }
}

/// A mistake and where it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeMistake {
    pub mistake: Mistake,
    /// `None`: everywhere.
    pub operation: Option<String>,
}

/// A way to build a design wrongly that people know from life. Unlike sabotage, which tests our checkers, a mistake is
/// what a probe is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mistake {
    /// The tenant is set for the session instead of the transaction, and goes back to the pool with the connection.
    SessionSetting,
    /// The application logs in as the owner of the tables, and their row security is not forced.
    RunsAsOwner,
    /// Nobody says which tenant it is.
    WithoutTenantSetting,
}

impl Mistake {
    pub const ALL: [Mistake; 3] = [
        Mistake::SessionSetting,
        Mistake::RunsAsOwner,
        Mistake::WithoutTenantSetting,
    ];

    pub fn everywhere(self) -> MadeMistake {
        MadeMistake {
            mistake: self,
            operation: None,
        }
    }

    pub fn in_operation(self, operation: &str) -> MadeMistake {
        MadeMistake {
            mistake: self,
            operation: Some(operation.to_owned()),
        }
    }
}

/// Something that a design needs and that is left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sabotage {
    /// A saga that fails leaves what it has done.
    WithoutCompensation,
    /// A repeated request has its effect again.
    WithoutIdempotencyKey,
    /// A message that is delivered again has its effect again.
    WithoutInbox,
    /// Who publishes a message does not wait until the bus's replicas have it.
    WithoutReplicas,
    /// Nothing holds a UNIQUE key unique.
    WithoutGuards,
    /// A row is written over, whatever has become of it since it was read.
    WithoutConditions,
    /// A coordinator tells the participants to commit before its log says so.
    WithoutDecisionLog,
}

impl Sabotage {
    pub const ALL: [Sabotage; 7] = [
        Sabotage::WithoutCompensation,
        Sabotage::WithoutIdempotencyKey,
        Sabotage::WithoutInbox,
        Sabotage::WithoutReplicas,
        Sabotage::WithoutGuards,
        Sabotage::WithoutConditions,
        Sabotage::WithoutDecisionLog,
    ];

    pub fn slug(self) -> &'static str {
        match self {
            Sabotage::WithoutCompensation => "without-compensation",
            Sabotage::WithoutIdempotencyKey => "without-idempotency-key",
            Sabotage::WithoutInbox => "without-inbox",
            Sabotage::WithoutReplicas => "without-replicas",
            Sabotage::WithoutGuards => "without-guards",
            Sabotage::WithoutConditions => "without-conditions",
            Sabotage::WithoutDecisionLog => "without-decision-log",
        }
    }

    pub fn find(slug: &str) -> Option<Sabotage> {
        Sabotage::ALL.into_iter().find(|sabotage| sabotage.slug() == slug)
    }
}

/// A number that `[architecture.<slug>]` may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    pub default: u16,
    pub summary: &'static str,
}

/// A setting's value in a scenario, or its default.
pub(crate) fn setting(scenario: &Scenario, slug: &str, setting: &Setting) -> u16 {
    let given = scenario
        .architectures
        .get(slug)
        .and_then(|table| table.options.get(setting.name));
    match given {
        Some((OptionValue::Integer(n), _)) => number(*n).unwrap_or(setting.default),
        _ => setting.default,
    }
}

fn number(n: i64) -> Option<u16> {
    u16::try_from(n).ok().filter(|n| *n > 0)
}

pub(crate) fn check(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (slug, table) in &scenario.architectures {
        let Some(architecture) = architectures().iter().find(|a| a.slug() == slug) else {
            let known: Vec<&str> = architectures().iter().map(|a| a.slug()).collect();
            let message = format!("unknown architecture \"{slug}\"");
            found.push(error(table.place, message, format!("there are: {}", known.join(", "))));
            continue;
        };
        for (name, (value, place)) in &table.options {
            if let Some(checked) = architecture.check_named(scenario, name, value) {
                if let Err((message, hint)) = checked {
                    found.push(error(*place, message, hint));
                }
            } else if !architecture.settings().iter().any(|setting| setting.name == name) {
                let known: Vec<&str> = architecture.settings().iter().map(|setting| setting.name).collect();
                let message = format!("unknown setting \"{name}\" of {slug}");
                found.push(error(*place, message, format!("there are: {}", known.join(", "))));
            } else if !matches!(value, OptionValue::Integer(n) if number(*n).is_some()) {
                let message = format!("\"{name}\" must be a whole number from 1 to {}", u16::MAX);
                found.push(error(*place, message, format!("write, for example, {name} = 4")));
            }
        }
    }
    found
}

fn error(place: Place, message: String, hint: String) -> Diagnostic {
    Diagnostic {
        place,
        severity: Severity::Error,
        message,
        hint: Some(hint),
    }
}
