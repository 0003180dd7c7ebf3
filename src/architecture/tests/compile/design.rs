//! What every design must give for every scenario.

use std::collections::BTreeSet;

use program::{BusRequest, Expression, Load, Op, Program, Read};
use syntax::Dialect;

use crate::*;

const ALL: [&str; 5] = [SIGN_UP, SHOP, SCHOOL, BANK, BOOKING];

fn every_compilation() -> Vec<Compilation> {
    let sabotages = [vec![], architecture::Sabotage::ALL.to_vec()];
    let designs = architecture::designs();
    let each = ALL.iter().flat_map(|text| {
        let scenario = scenario(text);
        let compile = |design: &architecture::Design| sabotages.each_ref().map(|s| design.compile(&scenario, s));
        designs.iter().flat_map(compile).collect::<Vec<_>>()
    });
    each.collect()
}

#[test]
fn every_text_is_sql() {
    for compilation in every_compilation() {
        for ddl in compilation
            .deployment
            .databases
            .iter()
            .flat_map(|database| &database.definitions)
        {
            assert!(syntax::parse_statement(ddl, Dialect::Postgres).is_ok(), "{ddl}");
        }
        let texts = compilation
            .programs
            .iter()
            .flat_map(|program| &program.steps)
            .filter_map(|step| match &step.op {
                Op::Statement { sql, .. } | Op::Compose { sql, .. } => Some(sql),
                _ => None,
            });
        for sql in texts {
            // A prepared transaction's name is written into its text by the driver.
            let sql = match sql
                .split_once(" PREPARED $1")
                .or_else(|| sql.split_once("PREPARE TRANSACTION $1"))
            {
                Some((_, "")) => &sql.replace("$1", "'id'"),
                _ => sql,
            };
            if let Err(error) = syntax::parse_statement(sql, Dialect::Postgres) {
                panic!("{sql}: {error}");
            }
        }
        for table in &compilation.logical_tables {
            for read in &table.reads {
                if let Read::Rows { sql, .. } = read {
                    assert!(syntax::parse_statement(sql, Dialect::Postgres).is_ok());
                }
            }
        }
    }
}

#[test]
fn every_reference_is_there() {
    for compilation in every_compilation() {
        for program in &compilation.programs {
            check_program(&compilation, program);
        }
        for (entry, operation) in compilation.entries.iter().zip(&compilation.workload.operations) {
            let Some(entry) = entry else { continue };
            let program = &compilation.programs[entry.index()];
            let names: Vec<&str> = program
                .parameters
                .iter()
                .map(|id| program.registers[id.index()].name.as_str())
                .collect();
            let expected: Vec<&str> = operation.parameters.iter().map(|(name, _, _)| name.as_str()).collect();
            assert_eq!(
                names, expected,
                "a request fills the entry program's parameters in order"
            );
        }
    }
}

fn check_program(compilation: &Compilation, program: &Program) {
    let mut seen = BTreeSet::new();
    visit(program, &program.body, &mut |step| {
        seen.insert(std::ptr::from_ref(step));
        let place = || format!("{} in {}", step.label, program.name);
        match &step.op {
            Op::Statement {
                connection,
                sql,
                operands,
                ..
            } => {
                assert!(usize::from(connection.0) < program.connections.len(), "{}", place());
                for n in 1..=operands.len() {
                    assert!(sql.contains(&format!("${n}")), "operand {n} of {}: {sql}", place());
                }
                assert!(!sql.contains(&format!("${}", operands.len() + 1)), "{}: {sql}", place());
                for pool in compilation
                    .deployment
                    .pools_of(program.connections[usize::from(connection.0)])
                {
                    let pool = &compilation.deployment.pools[pool.index()];
                    assert_eq!(pool.service, program.home, "{} uses its own pools", place());
                }
            }
            Op::Call {
                program: callee,
                arguments,
                into,
                ..
            } => {
                let callee = &compilation.programs[callee.index()];
                assert_eq!(arguments.len(), callee.parameters.len(), "arguments of {}", place());
                assert_eq!(into.len(), returned(callee), "results of {}", place());
            }
            Op::Send {
                program: callee,
                arguments,
            } => {
                let callee = &compilation.programs[callee.index()];
                assert_eq!(arguments.len(), callee.parameters.len(), "arguments of {}", place());
            }
            _ => {}
        }
    });
    assert_eq!(
        seen.len(),
        program.steps.len(),
        "{}: every step stands in exactly one block",
        program.name
    );
}

/// How many values the program's last Return gives; 0 if it just ends.
fn returned(program: &Program) -> usize {
    match program.body.last().map(|id| &program.step(*id).op) {
        Some(Op::Return { values }) => values.len(),
        _ => 0,
    }
}

/// A variable that nobody sets is NULL: almost always a compiler's mistake.
#[test]
fn every_operand_has_been_bound() {
    for compilation in every_compilation() {
        for program in &compilation.programs {
            let mut bound: BTreeSet<u16> = program.parameters.iter().map(|id| id.0).collect();
            visit(program, &program.body, &mut |step| {
                match &step.op {
                    Op::Statement { into, .. } | Op::Compose { into, .. } => bound.extend(targets(into)),
                    Op::RouteKeys { into, .. } => drop(bound.insert(into.0)),
                    Op::Item { into, .. } | Op::Object { into, .. } => bound.extend(targets(into)),
                    Op::Bus { request, into, .. } => {
                        bound.extend(targets(into));
                        if let BusRequest::Publish { each: Some(each), .. } = request {
                            bound.extend(each.bind.iter().map(|id| id.0));
                        }
                    }
                    Op::Set { register, .. } => drop(bound.insert(register.0)),
                    Op::ForEach { bind, .. } => bound.extend(bind.iter().map(|id| id.0)),
                    Op::Try { error: Some(error), .. } => drop(bound.insert(error.0)),
                    Op::Call { into, .. } => bound.extend(into.iter().map(|id| id.0)),
                    _ => {}
                };
            });
            visit(program, &program.body, &mut |step| {
                let operands: &[Expression] = match &step.op {
                    Op::Statement { operands, .. } | Op::Compose { operands, .. } => operands,
                    Op::Bus { topic, request, .. } => {
                        let topic = &compilation.deployment.topics[topic.index()];
                        match request {
                            BusRequest::Publish { fields, .. } => {
                                assert_eq!(fields.len(), topic.fields.len(), "{}", step.label);
                                fields
                            }
                            BusRequest::Read { partition, .. } => std::slice::from_ref(partition),
                            BusRequest::Commit { position, .. } => std::slice::from_ref(position),
                        }
                    }
                    _ => &[],
                };
                for operand in operands {
                    if let Expression::Register(id) | Expression::Column { rows: id, .. } = operand {
                        let name = &program.registers[id.index()].name;
                        assert!(
                            bound.contains(&id.0),
                            "\"{name}\" in {} of {}",
                            step.label,
                            program.name
                        );
                    }
                }
            });
        }
    }
}

fn targets(into: &program::Into) -> Vec<u16> {
    match into {
        program::Into::Nothing => Vec::new(),
        program::Into::Values(ids) => ids.iter().map(|id| id.0).collect(),
        program::Into::Rows(id) | program::Into::Count(id) => vec![id.0],
    }
}

#[test]
fn equal_scenarios_give_equal_compilations() {
    for design in architecture::designs() {
        assert_eq!(
            design.compile(&scenario(SHOP), &[]),
            design.compile(&scenario(SHOP), &[])
        );
    }
}

#[test]
fn every_design_meets_the_same_requests() {
    let compilations: Vec<Compilation> = [ONE, SAGA, UNPROTECTED, DYNAMO]
        .iter()
        .map(|slug| compile(slug, SIGN_UP))
        .collect();
    for other in &compilations[1..] {
        assert_eq!(compilations[0].workload, other.workload);
        assert_eq!(compilations[0].invariants, other.invariants);
    }
    let tenants = &compilations[0].workload.tenants;
    assert_eq!(tenants.len(), 50);
    assert!(
        tenants.windows(2).all(|pair| pair[0].weight >= pair[1].weight),
        "the largest first"
    );
}

#[test]
fn logical_tables_are_where_their_owner_is() {
    let compilation = compile(SAGA, SIGN_UP);
    for table in &compilation.logical_tables {
        let owner = table.name.split('.').next();
        let reads = table.reads.iter().map(|read| match read {
            Read::Rows { database, .. } => *database,
            Read::Items { .. } | Read::Objects { .. } => panic!("{}: no database", table.name),
        });
        let loads = table.loads.iter().map(|load| match load {
            Load::Rows { database, .. } => *database,
            Load::Items { .. } | Load::Objects { .. } => panic!("{}: no database", table.name),
        });
        for database in reads.chain(loads) {
            assert_eq!(
                Some(compilation.deployment.databases[database.index()].name.as_str()),
                owner
            );
        }
    }
}

#[test]
fn names_are_found_with_their_variant() {
    let slugs: Vec<String> = architecture::designs().iter().map(architecture::Design::slug).collect();
    assert_eq!(slugs[..3], [ONE, SAGA, TWO_PHASE]);
    for one in [UNPROTECTED, TENANT, DYNAMO] {
        assert!(slugs.iter().any(|slug| slug == one));
    }
    for slug in &slugs {
        assert_eq!(
            architecture::design(slug).map(|design| design.slug()).as_ref(),
            Some(slug)
        );
    }
    assert!(slugs.iter().any(|slug| slug == SHARED));
    assert!(architecture::design("database-per-service+nothing").is_none());
}

#[test]
fn settings_are_checked_and_used() {
    let with = |table: &str| format!("{SIGN_UP}\n[architecture.{table}");
    let good = with("schemas-in-one-database]\npool = 7\n");
    assert_eq!(architecture::check(&scenario(&good)), []);
    assert_eq!(compile(ONE, &good).deployment.pools[0].size, 7);
    let said = |text: &str| {
        architecture::check(&scenario(text))
            .iter()
            .map(|d| d.to_string())
            .collect::<String>()
    };
    assert!(said(&with("schemas-in-one-database]\npol = 7\n")).contains("unknown setting \"pol\""));
    assert!(said(&with("database-per-service]\npool = 0\n")).contains("whole number from 1"));
}
