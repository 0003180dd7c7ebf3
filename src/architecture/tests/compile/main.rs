//! Whole scenarios through the compilers: what the programs say, and that they say it for any scenario.

mod composition;
mod design;
mod dynamodb;
mod listing;
mod object_store;
mod one_database;
mod per_tenant;
mod refusal;
mod rejected;
mod saga;
mod shared_tables;
mod spelling;
mod two_phase;
mod unprotected;

use program::{Compilation, Op, Program, Step};
use scenario::Scenario;

pub(crate) const SIGN_UP: &str = include_str!("../../../../public/scenarios/sign-up.toml");
pub(crate) const SHOP: &str = include_str!("../../../../tests/scenarios/shop.toml");
pub(crate) const SCHOOL: &str = include_str!("../../../../tests/scenarios/school.toml");
pub(crate) const BANK: &str = include_str!("../../../../tests/scenarios/bank.toml");
pub(crate) const BOOKING: &str = include_str!("../../../../tests/scenarios/booking.toml");

pub(crate) const ONE: &str = "schemas-in-one-database";
pub(crate) const SHARED: &str = "shared-tables-with-row-level-security";
pub(crate) const SAGA: &str = "database-per-service";
pub(crate) const TENANT: &str = "database-per-tenant";
pub(crate) const DYNAMO: &str = "dynamodb-single-table";
pub(crate) const TWO_PHASE: &str = "database-per-service+two-phase";
pub(crate) const UNPROTECTED: &str = "database-per-service+unprotected";

pub(crate) fn scenario(text: &str) -> Scenario {
    let parsed = scenario::parse(text);
    match parsed.scenario {
        Some(scenario) => scenario,
        None => panic!(
            "{}",
            parsed
                .diagnostics
                .iter()
                .map(|d| d.to_string())
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}

pub(crate) fn compile(slug: &str, text: &str) -> Compilation {
    compile_with(slug, text, &[])
}

pub(crate) fn compile_with(slug: &str, text: &str, sabotage: &[architecture::Sabotage]) -> Compilation {
    architecture::design(slug)
        .expect("a design of this slug")
        .compile(&scenario(text), sabotage)
}

/// A scenario with these tables and one operation; its parameters are inferred where they are not given.
pub(crate) fn small(tables: &str, parameters: &str, sql: &str) -> String {
    format!(
        "title = \"Small\"\n[schema]\nsql = \"\"\"\n{tables}\n\"\"\"\n[[operation]]\nname = \"act\"\nparameters = {{ {parameters} }}\n\
         sql = \"\"\"\n{sql}\n\"\"\"\n[load]\nclients = \"serial\"\nrequests = 1\n"
    )
}

pub(crate) fn program<'a>(compilation: &'a Compilation, name: &str) -> &'a Program {
    let found = compilation.programs.iter().find(|program| program.name == name);
    found.unwrap_or_else(|| {
        let names: Vec<&str> = compilation
            .programs
            .iter()
            .map(|program| program.name.as_str())
            .collect();
        panic!("no program \"{name}\" among {names:?}")
    })
}

pub(crate) fn has_program(compilation: &Compilation, name: &str) -> bool {
    compilation.programs.iter().any(|program| program.name == name)
}

/// The texts of a program's statements, in the order in which they stand.
pub(crate) fn statements(program: &Program) -> Vec<&str> {
    let mut found = Vec::new();
    visit(program, &program.body, &mut |step| {
        if let Op::Statement { sql, .. } = &step.op {
            found.push(sql.as_str());
        }
    });
    found
}

pub(crate) fn visit<'a>(program: &'a Program, block: &'a [program::StepId], f: &mut dyn FnMut(&'a Step)) {
    for id in block {
        let step = program.step(*id);
        f(step);
        let inner: Vec<&[program::StepId]> = match &step.op {
            Op::If { then, otherwise, .. } => vec![then, otherwise],
            Op::ForEach { body, .. } | Op::Retry { body, .. } => vec![body],
            Op::Par { branches } => branches.iter().map(Vec::as_slice).collect(),
            Op::Try { body, handler, .. } => vec![body, handler],
            _ => Vec::new(),
        };
        inner.into_iter().for_each(|block| visit(program, block, f));
    }
}

/// The program's listing, for `contains`.
pub(crate) fn text(compilation: &Compilation, name: &str) -> String {
    listing::listing(compilation, program(compilation, name))
}

/// Asserts that these lines stand in the text, in this order, perhaps with others between.
#[track_caller]
pub(crate) fn in_order(text: &str, lines: &[&str]) {
    let mut rest = text;
    for line in lines {
        match rest.find(line) {
            Some(at) => rest = &rest[at + line.len()..],
            None => panic!("missing, or too early: {line}\nin\n{text}"),
        }
    }
}
