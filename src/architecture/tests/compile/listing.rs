//! A program as text, for reading and for comparing in tests.

use std::fmt::Write;

use program::{BusRequest, Compilation, Expression, Into, Op, Program, RegisterId, StepId};

pub(crate) fn listing(compilation: &Compilation, program: &Program) -> String {
    let names: Vec<String> = program.parameters.iter().map(|id| name(program, *id)).collect();
    let home = &compilation.deployment.node(program.home).name;
    let mut out = format!("program {} ({}) at {home}\n", program.name, names.join(", "));
    block(compilation, program, &program.body, 1, &mut out);
    out
}

fn name(program: &Program, id: RegisterId) -> String {
    program.registers[id.index()].name.clone()
}

fn list(program: &Program, ids: &[RegisterId]) -> String {
    ids.iter().map(|id| name(program, *id)).collect::<Vec<_>>().join(", ")
}

fn into(program: &Program, into: &Into) -> String {
    match into {
        Into::Nothing => String::new(),
        Into::Values(ids) => format!(" → {}", list(program, ids)),
        Into::Rows(id) => format!(" → rows {}", name(program, *id)),
        Into::Count(id) => format!(" → count {}", name(program, *id)),
    }
}

pub(crate) fn expression(program: &Program, e: &Expression) -> String {
    match e {
        Expression::Constant(value) => format!("{value:?}"),
        Expression::Register(id) => name(program, *id),
        Expression::RowCount(id) => format!("count({})", name(program, *id)),
        Expression::Field { rows, column } => format!("{}[0].{column}", name(program, *rows)),
        Expression::Column { rows, column } => format!("{}[*].{column}", name(program, *rows)),
        Expression::RequestKey => "request key".to_owned(),
        Expression::Now => "now".to_owned(),
        Expression::Key(parts) => format!("key({})", expressions(program, parts)),
        Expression::Path { before, parts, after } => {
            format!("path({before}, {}, {after})", expressions(program, parts))
        }
        Expression::Not(inner) => format!("not {}", expression(program, inner)),
        Expression::IsNull(inner) => format!("{} is null", expression(program, inner)),
        Expression::Binary { operator, left, right } => {
            format!(
                "({} {operator:?} {})",
                expression(program, left),
                expression(program, right)
            )
        }
    }
}

fn expressions(program: &Program, all: &[Expression]) -> String {
    all.iter()
        .map(|e| expression(program, e))
        .collect::<Vec<_>>()
        .join(", ")
}

fn block(compilation: &Compilation, program: &Program, steps: &[StepId], depth: usize, out: &mut String) {
    for id in steps {
        let indent = "  ".repeat(depth);
        let step = program.step(*id);
        let callee = |id: program::ProgramId| compilation.programs[id.index()].name.clone();
        let mut inner: Vec<(&str, &[StepId])> = Vec::new();
        let text = match &step.op {
            Op::Acquire { key: None, .. } => "acquire".to_owned(),
            Op::Acquire { key: Some(key), .. } => format!("acquire for {}", expression(program, key)),
            Op::RouteKeys { into, .. } => format!("{} := all keys", name(program, *into)),
            Op::Release { .. } => "release".to_owned(),
            Op::Statement {
                connection,
                sql,
                operands,
                into: target,
                expect_rows,
            } => {
                let connect = program.connections[usize::from(connection.0)];
                let database = compilation.deployment.place_of(connect);
                let expect = expect_rows.map(|n| format!(" expecting {n}")).unwrap_or_default();
                let operands = expressions(program, operands);
                format!("{database}: {sql} [{operands}]{}{expect}", into(program, target))
            }
            Op::Set { register, value } => format!("{} := {}", name(program, *register), expression(program, value)),
            Op::If {
                condition,
                then,
                otherwise,
            } => {
                inner.push(("", then));
                inner.push(("else", otherwise));
                format!("if {}", expression(program, condition))
            }
            Op::ForEach {
                rows,
                bind,
                body,
                parallel,
                gather,
            } => {
                inner.push(("", body));
                let gather = if gather.is_empty() {
                    String::new()
                } else {
                    format!(" gathering {}", list(program, gather))
                };
                format!(
                    "for each ({}) of {} by {parallel}{gather}",
                    list(program, bind),
                    name(program, *rows)
                )
            }
            Op::Par { branches } => {
                branches.iter().for_each(|branch| inner.push(("branch", branch)));
                "par".to_owned()
            }
            Op::Try {
                body, handler, catches, ..
            } => {
                inner.push(("", body));
                inner.push(("catch", handler));
                format!("try {:06b}", catches.0)
            }
            Op::Retry {
                body,
                catches,
                attempts,
                ..
            } => {
                inner.push(("", body));
                format!("retry {attempts} {:06b}", catches.0)
            }
            Op::Call {
                program: id,
                arguments,
                into,
                ..
            } => {
                let results = list(program, into);
                format!("call {} [{}] → {results}", callee(*id), expressions(program, arguments))
            }
            Op::Send { program: id, arguments } => {
                format!("send {} [{}]", callee(*id), expressions(program, arguments))
            }
            Op::Compose {
                tables,
                sql,
                operands,
                into: target,
            } => {
                let tables: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
                let operands = expressions(program, operands);
                format!(
                    "compose {}: {sql} [{operands}]{}",
                    tables.join(", "),
                    into(program, target)
                )
            }
            Op::Work { node, .. } => format!("work at {}", compilation.deployment.node(*node).name),
            Op::Abort { message, .. } => format!("abort {}", expression(program, message)),
            Op::Rethrow { .. } => "rethrow".to_owned(),
            Op::Item {
                table,
                request,
                into: target,
                ..
            } => {
                let table = &compilation.deployment.item_tables[table.index()].name;
                let text = crate::spelling::spell_request(program, request);
                format!(
                    "{table}: {}{}",
                    text.replace('\n', &format!("\n{indent}")),
                    into(program, target)
                )
            }
            Op::Object {
                bucket,
                request,
                into: target,
                ..
            } => {
                let bucket = &compilation.deployment.buckets[bucket.index()].name;
                let text = crate::spelling::spell_object_request(program, request);
                format!("{bucket}: {text}{}", into(program, target))
            }
            Op::Bus {
                topic,
                request,
                into: target,
            } => {
                let topic = &compilation.deployment.topics[topic.index()].name;
                let text = match request {
                    BusRequest::Publish { key, fields, acks, .. } => format!(
                        "publish {acks:?} by {} [{}]",
                        expression(program, key),
                        expressions(program, fields)
                    ),
                    BusRequest::Read { group, partition, .. } => {
                        format!("read partition {} for {group}", expression(program, partition))
                    }
                    BusRequest::Commit { group, position, .. } => {
                        format!("commit {} for {group}", expression(program, position))
                    }
                };
                format!("{topic}: {text}{}", into(program, target))
            }
            Op::Return { values } => format!("return {}", list(program, values)),
        };
        let _ = writeln!(out, "{indent}{text}");
        for (title, steps) in inner {
            if !title.is_empty() && !steps.is_empty() {
                let _ = writeln!(out, "{indent}{title}");
            }
            block(compilation, program, steps, depth + 1, out);
        }
    }
}
