//! An operation as a program at the application: its statements are decided one after the other, over the rows as the
//! ones before are going to leave them; then everything is written, one object after the other.
//!
//! Whatever may refuse the operation has been asked by then: what is left to fail in the middle is a crash, or somebody
//! who was faster.

use std::collections::BTreeMap;

use base::Type;
use program::{Block, Expression, NodeId, OperationId, ProgramKind, RegisterId, Role};
use scenario::{Action, Operation, TableId};
use syntax::Statement;

use super::fetch::Objects;
use super::{Site, weakening};
use crate::composition::lower::{self, Caller};
use crate::lower::assembly::Assembly;
use crate::lower::builder::Builder;
use crate::lower::item::{Item, Refused};
use crate::lower::local;
use crate::lower::statement;
use crate::rows::{CLOCK, STARTED, answer, fix_time, reading};

/// What a statement takes.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Reading, deciding, refusing.
    pub(crate) looks: Block,
    pub(crate) writes: Block,
}

impl Steps {
    fn looks(looks: Block) -> Steps {
        Steps {
            looks,
            writes: Block::new(),
        }
    }
}

/// Writes the program of one operation.
pub(crate) struct Writer<'w, 'a> {
    pub(crate) assembly: &'w mut Assembly<'a>,
    pub(crate) site: &'w Site,
    id: OperationId,
    pub(crate) operation: &'a Operation,
    pub(crate) builder: Builder,
    /// By table: rows that are decided and will be written in the end.
    pub(crate) pending: BTreeMap<TableId, RegisterId>,
    /// It may write more than one object: all is decided before the first.
    pub(crate) several: bool,
    /// Names that were given out.
    names: u32,
}

pub(crate) fn compile(assembly: &mut Assembly<'_>, site: &Site, id: OperationId, application: NodeId) {
    let scenario = assembly.scenario;
    let operation = &scenario.operations[id.index()];
    let mut builder = Builder::new(&operation.name, application, ProgramKind::Entry).operation(id, operation);
    builder.entry_parameters(operation);
    let mut writer = Writer {
        assembly,
        site,
        id,
        operation,
        builder,
        pending: BTreeMap::new(),
        several: !weakening::writes_one_object(scenario, site, operation),
        names: 0,
    };
    match writer.body() {
        Ok(body) => {
            let program = writer.builder.finish(body);
            weakening::operation(assembly, site, operation);
            let program = assembly.add(program);
            assembly.enter(id, program);
        }
        Err(refused) => assembly.refuse(id, refused),
    }
}

impl<'w, 'a: 'w> Writer<'w, 'a> {
    fn body(&mut self) -> Result<Block, Refused> {
        let mut items = Item::all(self.operation);
        let schema = &self.assembly.scenario.schema;
        let defaults = |item: &Item| item.sql().is_some_and(|sql| reading::is_timed(schema, sql));
        let timed = fix_time(&mut items) || items.iter().any(defaults);
        self.builder.bind(CLOCK, Expression::Now);
        let started = self.builder.typed_variable(STARTED, Type::Timestamptz);
        let mut body = Block::new();
        if timed {
            body.push(self.builder.set(started, Expression::Now));
        }
        let mut writes = Block::new();
        for item in &items {
            let done = self.item(item)?;
            body.extend(done.looks);
            writes.extend(done.writes);
        }
        body.extend(writes);
        let answers = local::answers(&mut self.builder, &items);
        body.push(self.builder.answer(answers));
        Ok(body)
    }

    fn item(&mut self, item: &Item) -> Result<Steps, Refused> {
        match &item.statement.action {
            Action::AbortWhen { .. } | Action::Call { .. } => {
                let steps = statement::lower(self.assembly, &mut self.builder, item, None, Role::Work);
                Ok(Steps::looks(steps))
            }
            Action::Sql(sql) => match &**sql {
                Statement::Query(query) => {
                    let (objects, caller) = (self.objects(), self.caller(item.index));
                    let (plan, mut steps) = lower::fetch(self.assembly, &mut self.builder, &objects, caller, query);
                    let schema = &self.assembly.scenario.schema;
                    steps.extend(answer(schema, &mut self.builder, caller, item, &plan, query));
                    Ok(Steps::looks(steps))
                }
                _ => self.write(item, sql),
            },
        }
    }

    pub(crate) fn objects(&self) -> Objects<'w> {
        Objects {
            site: self.site,
            operation: self.operation,
            pending: self.pending.clone(),
        }
    }

    pub(crate) fn caller(&self, index: u16) -> Caller<'a> {
        Caller {
            id: self.id,
            operation: self.operation,
            index,
        }
    }

    /// `stored rows (3)`: no other register is called so.
    pub(crate) fn fresh(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what} ({})", self.names)
    }
}
