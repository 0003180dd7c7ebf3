//! A program under construction: its arena of steps and its registers by name.
//!
//! Registers of the scenario's variables bear their names; those of the compiler's own have a space in
//! theirs (`saga position`), so that they never meet.

use std::collections::BTreeMap;

use base::{Nanos, Type};
use program::{
    Backoff, Block, Catches, Connect, ConnectionId, ErrorClass, Expression, Into, NodeId, Op, OperationId, Operator,
    PoolId, Program, ProgramId, ProgramKind, Register, RegisterId, RegisterKind, Role, RouteId, Step, StepId,
};

use scenario::Operation;

use crate::sql::Text;

#[derive(Debug)]
pub(crate) struct Builder {
    program: Program,
    by_name: BTreeMap<String, RegisterId>,
    /// What the operation's parameters and variables hold.
    types: BTreeMap<String, Type>,
    /// Variables that stand for something else than their register.
    bound: BTreeMap<String, Expression>,
    /// What each routed connection is for, and the key by which it is taken.
    routed: BTreeMap<ConnectionId, (&'static str, Expression)>,
}

/// What a step is labelled with, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) label: String,
    pub(crate) role: Role,
    pub(crate) source: Option<u16>,
}

impl Mark {
    pub(crate) fn new(label: impl std::convert::Into<String>, role: Role) -> Mark {
        Mark {
            label: label.into(),
            role,
            source: None,
        }
    }

    pub(crate) fn plumbing(label: impl std::convert::Into<String>) -> Mark {
        Mark::new(label, Role::Plumbing)
    }

    pub(crate) fn from(mut self, source: u16) -> Mark {
        self.source = Some(source);
        self
    }
}

/// How often, and how patiently, something is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) attempts: u32,
    pub(crate) first: Nanos,
    pub(crate) limit: Nanos,
}

impl Builder {
    pub(crate) fn new(name: impl std::convert::Into<String>, home: NodeId, kind: ProgramKind) -> Builder {
        let program = Program {
            name: name.into(),
            home,
            operation: None,
            kind,
            parameters: Vec::new(),
            registers: Vec::new(),
            connections: Vec::new(),
            steps: Vec::new(),
            body: Vec::new(),
        };
        Builder {
            program,
            by_name: BTreeMap::new(),
            types: BTreeMap::new(),
            bound: BTreeMap::new(),
            routed: BTreeMap::new(),
        }
    }

    pub(crate) fn operation(mut self, id: OperationId, operation: &Operation) -> Builder {
        self.program.operation = Some(id);
        let parameters = operation.parameters.iter().map(|p| (p.name.clone(), p.data_type));
        let variables = operation.variables.iter().map(|v| (v.name.clone(), v.data_type));
        self.types.extend(parameters.chain(variables));
        self
    }

    /// Fills parameters from the caller's arguments, in the operation's order.
    pub(crate) fn entry_parameters(&mut self, operation: &Operation) {
        for parameter in &operation.parameters {
            let register = self.variable(&parameter.name);
            self.parameter(register);
        }
    }

    pub(crate) fn finish(mut self, body: Block) -> Program {
        self.program.body = body;
        self.program
    }

    pub(crate) fn home(&self) -> NodeId {
        self.program.home
    }

    // ---- registers and connections

    /// The register of this name, made if there is none yet.
    pub(crate) fn register(&mut self, name: &str, kind: RegisterKind) -> RegisterId {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        let id = RegisterId(self.program.registers.len() as u16);
        self.program.registers.push(Register {
            name: name.to_owned(),
            kind,
        });
        self.by_name.insert(name.to_owned(), id);
        id
    }

    pub(crate) fn value(&mut self, name: &str, data_type: Type) -> RegisterId {
        self.register(name, RegisterKind::Value(Some(data_type)))
    }

    pub(crate) fn rows(&mut self, name: &str) -> RegisterId {
        self.register(name, RegisterKind::Rows)
    }

    /// The register of a variable, of the type that the operation gives it.
    pub(crate) fn variable(&mut self, name: &str) -> RegisterId {
        let data_type = self.type_of(name);
        self.register(name, RegisterKind::Value(data_type))
    }

    /// From here on the name stands for this register.
    pub(crate) fn alias(&mut self, name: &str, register: RegisterId) {
        self.by_name.insert(name.to_owned(), register);
    }

    /// A variable that the operation does not have.
    pub(crate) fn typed_variable(&mut self, name: &str, data_type: Type) -> RegisterId {
        self.types.insert(name.to_owned(), data_type);
        self.variable(name)
    }

    pub(crate) fn type_of(&self, name: &str) -> Option<Type> {
        self.types.get(name).copied()
    }

    /// Filled by the caller's next argument.
    pub(crate) fn parameter(&mut self, register: RegisterId) {
        self.program.parameters.push(register);
    }

    pub(crate) fn connection(&mut self, pool: PoolId) -> ConnectionId {
        let to = Connect::Pool(pool);
        let known = self.program.connections.iter().position(|known| *known == to);
        let index = known.unwrap_or_else(|| {
            self.program.connections.push(to);
            self.program.connections.len() - 1
        });
        ConnectionId(index as u8)
    }

    /// A connection to the database that the route has for a key. Those with one purpose and one key are the same.
    pub(crate) fn routed(&mut self, route: RouteId, purpose: &'static str, key: Expression) -> ConnectionId {
        let wanted = (purpose, key);
        let same = |(id, known): &(&ConnectionId, &(&'static str, Expression))| {
            **known == wanted && self.program.connections[usize::from(id.0)] == Connect::Route(route)
        };
        if let Some((known, _)) = self.routed.iter().find(same) {
            return *known;
        }
        let id = ConnectionId(self.program.connections.len() as u8);
        self.program.connections.push(Connect::Route(route));
        self.routed.insert(id, wanted);
        id
    }

    /// From here on a variable is this expression.
    pub(crate) fn bind(&mut self, name: &str, value: Expression) {
        self.bound.insert(name.to_owned(), value);
    }

    pub(crate) fn operand(&mut self, name: &str) -> Expression {
        match self.bound.get(name) {
            Some(value) => value.clone(),
            None => Expression::Register(self.variable(name)),
        }
    }

    pub(crate) fn operands(&mut self, text: &Text) -> Vec<Expression> {
        text.operands.iter().map(|name| self.operand(name)).collect()
    }

    // ---- steps

    pub(crate) fn step(&mut self, mark: Mark, op: Op) -> StepId {
        let id = StepId(self.program.steps.len() as u32);
        self.program.steps.push(Step {
            label: mark.label,
            role: mark.role,
            op,
            source: mark.source,
        });
        id
    }

    pub(crate) fn set_source(&mut self, step: StepId, source: u16) {
        self.program.steps[step.index()].source = Some(source);
    }

    /// Does none of these steps send a statement?
    pub(crate) fn is_silent(&self, block: &[StepId]) -> bool {
        block.iter().all(|id| match &self.program.steps[id.index()].op {
            Op::Statement { .. } => false,
            Op::If { then, otherwise, .. } => self.is_silent(then) && self.is_silent(otherwise),
            _ => true,
        })
    }

    pub(crate) fn acquire(&mut self, connection: ConnectionId) -> StepId {
        let key = self.routed.get(&connection).map(|(_, key)| key.clone());
        let op = Op::Acquire { connection, key };
        self.step(Mark::plumbing("take a connection"), op)
    }

    pub(crate) fn release(&mut self, connection: ConnectionId) -> StepId {
        self.step(Mark::plumbing("give the connection back"), Op::Release { connection })
    }

    pub(crate) fn control(&mut self, connection: ConnectionId, sql: &str) -> StepId {
        self.statement(Mark::plumbing(sql), connection, &Text::new(sql), Into::Nothing)
    }

    pub(crate) fn statement(&mut self, mark: Mark, connection: ConnectionId, text: &Text, into: Into) -> StepId {
        self.statement_expecting(mark, connection, text, into, None)
    }

    pub(crate) fn statement_expecting(
        &mut self,
        mark: Mark,
        connection: ConnectionId,
        text: &Text,
        into: Into,
        expect_rows: Option<u64>,
    ) -> StepId {
        let operands = self.operands(text);
        let op = Op::Statement {
            connection,
            sql: text.sql.clone(),
            operands,
            into,
            expect_rows,
        };
        self.step(mark, op)
    }

    pub(crate) fn set(&mut self, register: RegisterId, value: Expression) -> StepId {
        let label = format!("{} := …", self.program.registers[register.index()].name);
        self.step(Mark::plumbing(label), Op::Set { register, value })
    }

    pub(crate) fn when(
        &mut self,
        label: impl std::convert::Into<String>,
        condition: Expression,
        then: Block,
    ) -> StepId {
        self.when_else(label, condition, then, Vec::new())
    }

    pub(crate) fn when_else(
        &mut self,
        label: impl std::convert::Into<String>,
        condition: Expression,
        then: Block,
        otherwise: Block,
    ) -> StepId {
        let op = Op::If {
            condition,
            then,
            otherwise,
        };
        self.step(Mark::plumbing(label), op)
    }

    pub(crate) fn attempt(
        &mut self,
        body: Block,
        catches: Catches,
        error: Option<RegisterId>,
        handler: Block,
    ) -> StepId {
        let op = Op::Try {
            body,
            catches,
            error,
            handler,
        };
        self.step(Mark::plumbing("try"), op)
    }

    pub(crate) fn retry(&mut self, body: Block, classes: &[ErrorClass], patience: Patience) -> StepId {
        let times = match patience.attempts {
            0 => "until it succeeds".to_owned(),
            n => format!("up to {n} times"),
        };
        let names: Vec<&str> = classes.iter().map(|class| class_name(*class)).collect();
        let op = Op::Retry {
            body,
            catches: Catches::of(classes),
            attempts: patience.attempts,
            backoff: Backoff {
                first: patience.first,
                limit: patience.limit,
            },
        };
        self.step(Mark::plumbing(format!("{times}, again if {}", names.join(", "))), op)
    }

    pub(crate) fn call(
        &mut self,
        mark: Mark,
        program: ProgramId,
        arguments: Vec<Expression>,
        into: Vec<RegisterId>,
        timeout: Nanos,
    ) -> StepId {
        let op = Op::Call {
            program,
            arguments,
            into,
            timeout,
        };
        self.step(mark, op)
    }

    pub(crate) fn abort(&mut self, message: Expression) -> StepId {
        self.fail(ErrorClass::Aborted, message)
    }

    pub(crate) fn fail(&mut self, class: ErrorClass, message: Expression) -> StepId {
        self.step(Mark::plumbing("abort"), Op::Abort { class, message })
    }

    pub(crate) fn rethrow(&mut self, error: RegisterId) -> StepId {
        self.step(Mark::plumbing("fail with it"), Op::Rethrow { error })
    }

    pub(crate) fn answer(&mut self, values: Vec<RegisterId>) -> StepId {
        self.step(Mark::plumbing("answer"), Op::Return { values })
    }

    pub(crate) fn error(&mut self, name: &str) -> RegisterId {
        self.value(name, Type::Text)
    }
}

fn class_name(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Refused => "refused",
        ErrorClass::Transient => "serialization failed",
        ErrorClass::Unavailable => "unreachable",
        ErrorClass::Timeout => "no answer",
        ErrorClass::Aborted => "aborted",
        ErrorClass::Expectation => "not as expected",
    }
}

pub(crate) fn register(id: RegisterId) -> Expression {
    Expression::Register(id)
}

pub(crate) fn compare(operator: Operator, register: RegisterId, constant: i64) -> Expression {
    Expression::binary(operator, Expression::Register(register), Expression::int(constant))
}

pub(crate) fn is_text(register: RegisterId, text: &str) -> Expression {
    Expression::binary(Operator::Equal, Expression::Register(register), Expression::text(text))
}
