//! An operation as a program at the application: it reads, decides, calls the outside, and writes everything in one
//! transaction. If somebody else was faster, it is done again from the start.

use base::Type;
use program::{Block, ErrorClass, Expression, Into, NodeId, OperationId, Operator, ProgramKind, RegisterId, Role};
use scenario::{Action, Compensation, External, Operation, TableId};
use syntax::{IsolationLevel, Query, Statement};

use super::fetch::Items;
use super::reading;
use super::work::{Work, read_columns, rows_table};
use super::{Site, blind, direct, weakening};
use crate::composition::lower::{self, Caller, rows_of};
use crate::composition::plan::FetchPlan;
use crate::lower::assembly::Assembly;
use crate::lower::builder::{Builder, Mark, compare};
use crate::lower::item::{Item, Refused};
use crate::lower::local;
use crate::lower::statement;
use crate::lower::transaction::again_after_conflict;
use crate::rows::{CLOCK, STARTED, answer, fix_time};
use crate::sql::Text;

const ATTEMPT: &str = "attempt number";

/// Writes the program of one operation.
pub(crate) struct Writer<'w, 'a> {
    pub(crate) assembly: &'w mut Assembly<'a>,
    pub(crate) site: &'w Site,
    pub(crate) id: OperationId,
    pub(crate) operation: &'a Operation,
    pub(crate) builder: Builder,
    pub(crate) work: Work,
    /// The last statement that writes: the transaction is its.
    pub(crate) last_write: Option<u16>,
    called: Vec<Called>,
}

/// A call to the outside.
#[derive(Clone, Debug)]
struct Called {
    /// Says whether it has been made.
    made: RegisterId,
    statement: u16,
    /// What takes it back.
    back: Option<(String, External)>,
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
        work: Work::default(),
        last_write: None,
        called: Vec::new(),
    };
    match writer.body() {
        Ok(body) => {
            let program = writer.builder.finish(body);
            let program = assembly.add(program);
            assembly.enter(id, program);
        }
        Err(refused) => assembly.refuse(id, refused),
    }
}

impl<'a> Writer<'_, 'a> {
    fn body(&mut self) -> Result<Block, Refused> {
        let mut items = Item::all(self.operation);
        let schema = &self.assembly.scenario.schema;
        let defaults = |item: &Item| item.sql().is_some_and(|sql| reading::is_timed(schema, sql));
        let timed = fix_time(&mut items) || items.iter().any(defaults);
        self.builder.bind(CLOCK, Expression::Now);
        let started = self.builder.typed_variable(STARTED, Type::Timestamptz);
        self.last_write = items
            .iter()
            .filter(|item| item.writes())
            .map(|item| item.index)
            .next_back();
        weakening::writes(self.assembly, self.site, self.operation, &items)?;
        let alone = blind::eligible(self, &items);
        let mut body = Block::new();
        for item in &items {
            let steps = match alone.get(&item.index) {
                Some(update) => {
                    self.work.blind.push(update.clone());
                    let null = |value: &Expression| Expression::IsNull(Box::new(value.clone()));
                    let either = |a, b| Expression::binary(Operator::Or, a, b);
                    let none = update.maybe_null.iter().map(null).reduce(either);
                    let missing = |test| {
                        let message = Expression::text("expected 1 rows, got 0");
                        let fail = self.builder.fail(ErrorClass::Expectation, message);
                        self.builder.when("if it names no row", test, vec![fail])
                    };
                    none.map(missing).into_iter().collect()
                }
                None => self.item(&items, item)?,
            };
            body.extend(steps);
        }
        let writes = !self.work.is_empty();
        let mut before = Block::new();
        if timed {
            before.push(self.builder.set(started, Expression::Now));
        }
        for call in self.called.clone() {
            before.push(self.builder.set(call.made, Expression::int(0)));
        }
        if writes {
            let attempt = self.builder.value(ATTEMPT, Type::Int8);
            before.push(self.builder.set(attempt, Expression::int(0)));
            let more = Expression::binary(Operator::Add, Expression::Register(attempt), Expression::int(1));
            let count = self.builder.set(attempt, more);
            body.insert(0, count);
            body.extend(self.commit());
            body = vec![again_after_conflict(&mut self.builder, body)];
        }
        body = self.take_calls_back(body);
        let answers = local::answers(&mut self.builder, &items);
        let answer = self.builder.answer(answers);
        Ok([before, body, vec![answer]].concat())
    }

    /// `ClientRequestToken`: what is sent again has no second effect; what is decided again is another request.
    pub(crate) fn token(&mut self) -> Expression {
        let attempt = self.builder.value(ATTEMPT, Type::Int8);
        Expression::Key(vec![Expression::RequestKey, Expression::Register(attempt)])
    }

    pub(crate) fn caller(&self, index: u16) -> Caller<'a> {
        Caller {
            id: self.id,
            operation: self.operation,
            index,
        }
    }

    fn item(&mut self, items: &[Item], item: &Item) -> Result<Block, Refused> {
        match &item.statement.action {
            Action::AbortWhen { .. } => Ok(statement::lower(
                self.assembly,
                &mut self.builder,
                item,
                None,
                Role::Work,
            )),
            Action::Call { name, external, .. } => Ok(self.call(item, name, external)),
            Action::Sql(sql) => match &**sql {
                Statement::Query(query) => Ok(self.query(item, query)),
                _ => match direct::insert(self, items, item) {
                    Some(steps) => Ok(steps),
                    None => self.write(item, sql),
                },
            },
        }
    }

    // ---- reading

    fn query(&mut self, item: &Item, query: &Query) -> Block {
        let caller = self.caller(item.index);
        let items = Items {
            site: self.site,
            operation: self.operation,
            work: &self.work,
            strong: !self.operation.read_only,
        };
        let (plan, mut steps) = lower::fetch(self.assembly, &mut self.builder, &items, caller, query);
        let serializable = self.operation.isolation == Some(IsolationLevel::Serializable);
        if !self.operation.read_only && (serializable || !query.locking.is_empty()) {
            steps.extend(self.hold(item.index, &plan));
        }
        let schema = &self.assembly.scenario.schema;
        steps.extend(answer(schema, &mut self.builder, caller, item, &plan, query));
        steps
    }

    /// Rows that must be as they are until the transaction: what a lock would see to.
    fn hold(&mut self, index: u16, plan: &FetchPlan) -> Block {
        let scenario = self.assembly.scenario;
        let schema = &scenario.schema;
        let mut steps = Block::new();
        for fetch in &plan.fetches {
            let table = schema.table(fetch.table);
            if table.primary_key.is_empty() {
                continue;
            }
            let columns = read_columns(table);
            let list = super::work::qualified_list("x", columns.iter().map(|(name, _)| name.as_str()));
            let own = rows_of(schema, &mut self.builder, fetch);
            let revision = syntax::identifier(reading::REVISION);
            // What this operation has inserted itself has no revision.
            let mut sql = format!("SELECT {list} FROM read.rows AS x WHERE x.{revision} IS NOT NULL");
            let mut sources = vec![rows_table("read.rows", columns.clone(), own)];
            if let Some(before) = self.work.held.get(&fetch.table) {
                let same = super::work::same_key(table, "x", "h");
                let all = super::work::qualified_list("h", columns.iter().map(|(name, _)| name.as_str()));
                sql.push_str(&format!(
                    " AND NOT EXISTS (SELECT 1 FROM held.rows AS h WHERE {same}) UNION ALL SELECT {all} FROM held.rows AS h"
                ));
                sources.push(rows_table("held.rows", columns, *before));
            }
            let held = self.builder.rows(&format!("held rows of {}", table.full_name()));
            let mark = Mark::new(format!("hold {}", table.full_name()), Role::Work).from(index);
            steps.push(statement::compose(
                &mut self.builder,
                mark,
                sources,
                &Text::new(sql),
                Into::Rows(held),
            ));
            self.work.held.insert(fetch.table, held);
        }
        steps
    }

    // ---- the outside

    /// Made once, however often the rest is done again.
    fn call(&mut self, item: &Item, name: &str, external: &External) -> Block {
        let step = statement::lower_call(self.assembly, &mut self.builder, item.index, name, external, Role::Work);
        if self.last_write.is_none() {
            return vec![step];
        }
        let called = self
            .builder
            .value(&format!("statement {} called", item.index + 1), Type::Int8);
        let back = match &item.statement.marks.compensation {
            Compensation::Written(statement) => match &**statement {
                Statement::Call { name, .. } => Some((
                    syntax::print_object(name),
                    External {
                        fails: None,
                        ..external.clone()
                    },
                )),
                _ => None,
            },
            Compensation::Derived | Compensation::Nothing => None,
        };
        self.called.push(Called {
            made: called,
            statement: item.index,
            back,
        });
        let done = self.builder.set(called, Expression::int(1));
        let open = compare(Operator::Equal, called, 0);
        vec![self.builder.when("unless it was called before", open, vec![step, done])]
    }

    /// If the operation fails after a call, what takes the call back.
    fn take_calls_back(&mut self, body: Block) -> Block {
        let mut handler = Block::new();
        for call in self.called.clone().into_iter().rev() {
            let Some((name, external)) = call.back else { continue };
            let role = Role::Compensation;
            let step = statement::lower_call(self.assembly, &mut self.builder, call.statement, &name, &external, role);
            let made = compare(Operator::Equal, call.made, 1);
            handler.push(self.builder.when("if it was called", made, vec![step]));
        }
        if handler.is_empty() {
            return body;
        }
        let error = self.builder.error("failure after a call");
        handler.push(self.builder.rethrow(error));
        // Not if nothing was heard of the transaction: it may have happened.
        let certain = [
            ErrorClass::Refused,
            ErrorClass::Transient,
            ErrorClass::Aborted,
            ErrorClass::Expectation,
        ];
        let catches = program::Catches::of(&certain);
        vec![self.builder.attempt(body, catches, Some(error), handler)]
    }

    pub(crate) fn is_used_elsewhere(&self, items: &[Item], item: &Item, id: TableId) -> bool {
        items.iter().any(|other| {
            other.index != item.index && (other.statement.reads.contains(&id) || other.statement.writes.contains(&id))
        })
    }
}
