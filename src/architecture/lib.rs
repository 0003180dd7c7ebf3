//! The compilers: what each storage architecture makes of a scenario.
//!
//! ```text
//! Scenario ─ syntax trees of its operations ─▶ one design's compiler ─▶ Deployment + Programs
//! ```
//!
//! A design is compiled from the trees of *any* scenario in the documented subset, never from the names in
//! it. What a design cannot express becomes a [`program::Refusal`] with the statement, its place and the reason;
//! what it enforces less strictly, a [`program::Weakening`].
//!
//! **Architecture invariant:** this room knows no engine, no clock and no simulator: it writes programs as
//! plain data, and nothing here runs one.

mod composition;
mod database_per_service;
mod database_per_tenant;
mod dynamodb;
mod lower;
mod object_store;
mod options;
mod rows;
mod schemas_in_one_database;
mod separate_databases;
mod shared_database;
mod shared_tables;
mod sql;
mod store_nothing;

use program::Compilation;
use scenario::{Diagnostic, OptionValue, Scenario};

pub use options::{Design, MadeMistake, Mistake, Options, Sabotage, Setting, Variant};

/// One design: a way to lay a scenario out.
pub trait Architecture: std::fmt::Debug + Sync {
    /// `database-per-service`
    fn slug(&self) -> &'static str;
    fn title(&self) -> &'static str;
    /// One or two sentences for people.
    fn summary(&self) -> &'static str;
    /// Did one of the studied decisions choose it, or only reject it?
    fn standing(&self) -> Standing;
    /// The default one first; most designs have only that.
    fn variants(&self) -> &'static [Variant];
    /// The one that the options choose, or the default one.
    fn variant(&self, options: &Options) -> &'static Variant {
        let mut variants = self.variants().iter();
        variants
            .find(|variant| variant.slug == options.variant)
            .unwrap_or(&self.variants()[0])
    }
    /// What `[architecture.<slug>]` of a scenario may set.
    fn settings(&self) -> &'static [Setting];
    /// Settings that are named after something in the scenario: what is wrong with one, and a hint. `None`: this is
    /// none of them.
    fn check_named(&self, _: &Scenario, _: &str, _: &OptionValue) -> Option<Result<(), (String, String)>> {
        None
    }
    /// What can be left out on purpose, to see that the checkers find it.
    fn sabotages(&self) -> &'static [Sabotage];
    /// What people get wrong when they build this design, for probes to find.
    fn mistakes(&self) -> &'static [Mistake] {
        &[]
    }
    /// Settings out of their range count as not given: [`check`] reports them.
    fn compile(&self, scenario: &Scenario, options: &Options) -> Compilation;
}

/// What the studied decisions say of a design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// One of them chose it: shown unless asked otherwise.
    Chosen,
    /// An option that was rejected: shown when asked for.
    Rejected,
}

/// All designs, in the order in which they are shown.
pub fn architectures() -> &'static [&'static dyn Architecture] {
    &[
        &schemas_in_one_database::SchemasInOneDatabase,
        &database_per_service::DatabasePerService,
        &database_per_tenant::DatabasePerTenant,
        &shared_tables::SharedTables,
        &dynamodb::DynamoDbSingleTable,
        &separate_databases::SeparateDatabases,
        &shared_database::SharedDatabase,
        &object_store::ObjectStore,
        &store_nothing::StoreNothing,
    ]
}

/// All designs with their variants.
pub fn designs() -> Vec<Design> {
    let of = |architecture: &&'static dyn Architecture| {
        let architecture = *architecture;
        let each = architecture.variants().iter();
        each.map(move |variant| Design { architecture, variant })
            .collect::<Vec<_>>()
    };
    architectures().iter().flat_map(of).collect()
}

/// With their variants, those that a studied decision chose.
pub fn chosen_designs() -> Vec<Design> {
    let mut designs = designs();
    designs.retain(|design| design.architecture.standing() == Standing::Chosen);
    designs
}

/// A design by its slug with its variant: `database-per-service+unprotected`.
pub fn design(slug: &str) -> Option<Design> {
    designs().into_iter().find(|design| design.slug() == slug)
}

/// What is wrong with the `[architecture.…]` tables of a scenario.
pub fn check(scenario: &Scenario) -> Vec<Diagnostic> {
    options::check(scenario)
}
