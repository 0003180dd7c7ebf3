//! Programs as text: one line a step, blocks indented, with what each step sends and where.

use program::{Compilation, Op, Program, StepId};
use report::{ProgramLine, ProgramListing};

use crate::request;

/// All programs of a compilation, in its order.
pub(crate) fn programs(compilation: &Compilation) -> Vec<ProgramListing> {
    compilation
        .programs
        .iter()
        .map(|program| listing(compilation, program))
        .collect()
}

fn listing(compilation: &Compilation, program: &Program) -> ProgramListing {
    let mut lines = Vec::new();
    block(compilation, program, &program.body, 0, &mut lines);
    ProgramListing {
        name: program.name.clone(),
        operation: program
            .operation
            .map(|id| compilation.workload.operation(id).name.clone()),
        home: compilation.deployment.node(program.home).name.clone(),
        lines,
    }
}

fn block(compilation: &Compilation, program: &Program, steps: &[StepId], indent: u8, lines: &mut Vec<ProgramLine>) {
    for &id in steps {
        let step = program.step(id);
        lines.push(ProgramLine {
            indent,
            label: step.label.clone(),
            role: step.role,
            sql: sent(compilation, program, &step.op),
            at: place(compilation, program, &step.op),
        });
        for (title, inner) in blocks(&step.op) {
            if let Some(title) = title {
                let plumbing = program::Role::Plumbing;
                lines.push(ProgramLine {
                    indent,
                    label: title.to_owned(),
                    role: plumbing,
                    sql: None,
                    at: None,
                });
            }
            block(compilation, program, inner, indent.saturating_add(1), lines);
        }
    }
}

/// What a step sends or evaluates: SQL, or a request to a table of items, to a bucket or to an event bus.
pub(crate) fn sent(compilation: &Compilation, program: &Program, op: &Op) -> Option<String> {
    match op {
        Op::Statement { sql, .. } | Op::Compose { sql, .. } => Some(sql.clone()),
        Op::Item { table, request, .. } => {
            let table = compilation.deployment.item_tables.get(table.index())?;
            Some(request::text(program, &table.name, request))
        }
        Op::Object { bucket, request, .. } => {
            let bucket = compilation.deployment.buckets.get(bucket.index())?;
            Some(request::object(program, &bucket.name, request))
        }
        Op::Bus { topic, request, .. } => {
            let topic = compilation.deployment.topics.get(topic.index())?;
            Some(request::bus(program, topic, request))
        }
        _ => None,
    }
}

/// Does the step send or evaluate something that [`sent`] can show?
pub(crate) fn sends(op: &Op) -> bool {
    matches!(
        op,
        Op::Statement { .. } | Op::Compose { .. } | Op::Item { .. } | Op::Object { .. } | Op::Bus { .. }
    )
}

/// The node that a step works on, if it is another than the program's own.
fn place(compilation: &Compilation, program: &Program, op: &Op) -> Option<String> {
    let deployment = &compilation.deployment;
    match op {
        Op::Statement { connection, .. } => {
            let connect = program.connections.get(usize::from(connection.0))?;
            Some(deployment.place_of(*connect))
        }
        Op::Call { program: callee, .. } | Op::Send { program: callee, .. } => {
            Some(deployment.node(compilation.programs[callee.index()].home).name.clone())
        }
        Op::Work { node, .. } => Some(deployment.node(*node).name.clone()),
        Op::Item { table, .. } => {
            let table = deployment.item_tables.get(table.index())?;
            Some(deployment.node(table.node).name.clone())
        }
        Op::Object { bucket, .. } => {
            let bucket = deployment.buckets.get(bucket.index())?;
            Some(deployment.node(bucket.node).name.clone())
        }
        Op::Bus { topic, .. } => {
            let topic = deployment.topics.get(topic.index())?;
            Some(deployment.node(topic.node).name.clone())
        }
        _ => None,
    }
}

/// The blocks inside of a step, each with a title where one is needed to tell it from the one before.
fn blocks(op: &Op) -> Vec<(Option<&'static str>, &[StepId])> {
    match op {
        Op::If { then, otherwise, .. } if otherwise.is_empty() => vec![(None, then)],
        Op::If { then, otherwise, .. } => vec![(None, then), (Some("otherwise"), otherwise)],
        Op::ForEach { body, .. } | Op::Retry { body, .. } => vec![(None, body)],
        Op::Try { body, handler, .. } => vec![(None, body), (Some("if that fails"), handler)],
        Op::Par { branches } => {
            let title = |i: usize| if i == 0 { None } else { Some("at the same time") };
            branches
                .iter()
                .enumerate()
                .map(|(i, branch)| (title(i), branch.as_slice()))
                .collect()
        }
        _ => Vec::new(),
    }
}
