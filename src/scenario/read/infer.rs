//! Generators that need not be written: what a column of an initial row most likely holds.

use base::{Decimal, Nanos, Type, Value};
use syntax::{BinaryOperator, Expr, ExprKind, UnaryOperator};

use crate::document::Reading;
use crate::generator::{self, Names};
use crate::{ColumnId, Draw, Generator, Schema, Table, TableId};

/// Initial rows are up to so much older than the run.
const PAST: Nanos = Nanos(90 * 86_400_000_000_000);

fn past() -> Generator {
    Generator::Instant {
        before: PAST,
        apart: false,
    }
}

/// A generator as `inferred` that gives no two rows the same, for a column of a key of several; `None`: there is none, or
/// what the column may hold is restricted.
pub(super) fn apart(table: &Table, column: ColumnId, inferred: &Generator) -> Option<Generator> {
    let range = Restriction::of(table, column);
    let free = range.values.is_empty() && range.low.is_none() && range.high.is_none();
    match inferred {
        Generator::Text { .. } | Generator::Between { .. } if free => unique(table, column).ok(),
        Generator::Instant { before, .. } if *before > Nanos::ZERO => Some(Generator::Instant {
            before: *before,
            apart: true,
        }),
        _ => None,
    }
}

/// What `new id` puts before its number: `user-` for `auth.users`.
pub(super) fn prefix(table: &Table) -> String {
    let name = &table.name;
    let singular = match name.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => name.strip_suffix('s').unwrap_or(name).to_owned(),
    };
    format!("{singular}-")
}

/// The rules in order; `Err` holds what to write instead.
pub(super) fn column(id: TableId, column: ColumnId, names: &Names<'_>) -> Result<Generator, Option<String>> {
    let table = names.schema.table(id);
    let definition = table.column(column);
    if let Some(generator) = reference(id, column, names) {
        return generator;
    }
    if table.primary_key == [column] || table.unique.iter().any(|unique| unique.columns == [column]) {
        return unique(table, column);
    }
    if let Some(generator) = default(table, column) {
        return Ok(generator);
    }
    let range = Restriction::of(table, column);
    if !range.values.is_empty() {
        return generator::typed(Generator::Choice(range.values), definition.data_type, names.schema).map_err(Some);
    }
    Ok(match definition.data_type {
        Type::Text if definition.name.contains("email") => Generator::Email { prefix: prefix(table) },
        Type::Text | Type::Bytea => Generator::Text {
            length: range.longest.map_or(20, |longest| longest.min(20)),
        },
        Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric | Type::Float8 => {
            let low = range.low.unwrap_or(range.high.map_or(1, |high| high.min(1)));
            Generator::Between {
                low,
                high: range.high.unwrap_or(low.saturating_add(999)).max(low),
            }
        }
        Type::Bool => Generator::Constant(Value::Bool(false)),
        Type::Timestamptz | Type::Timestamp | Type::Date if !definition.not_null => Generator::Constant(Value::Null),
        Type::Timestamptz | Type::Timestamp | Type::Date => past(),
        Type::Uuid if definition.not_null => return unique(table, column),
        Type::Uuid | Type::Interval | Type::Daterange => Generator::Constant(Value::Null),
        Type::Jsonb => Generator::Constant(Value::Jsonb("{}".into())),
        // No column's types.
        Type::Tid | Type::Oid | Type::Regclass | Type::Record => Generator::Constant(Value::Null),
    })
}

/// Whose row it is, and which rows it points at.
fn reference(id: TableId, column: ColumnId, names: &Names<'_>) -> Option<Result<Generator, Option<String>>> {
    let table = names.schema.table(id);
    if table.tenant == Some(column) {
        let inherited = names
            .parent
            .and_then(|parent| Some((parent, names.schema.table(parent).tenant?)));
        return Some(Ok(match inherited {
            Some((table, column)) => Generator::Parent { table, column },
            None => Generator::Tenant,
        }));
    }
    let key = table.foreign_keys.iter().find(|key| key.columns.contains(&column))?;
    let position = key.columns.iter().position(|other| *other == column)?;
    let referenced = key.referenced[position];
    if names.parent == Some(key.table) {
        return Some(Ok(Generator::Parent {
            table: key.table,
            column: referenced,
        }));
    }
    let others = key.columns.iter().filter(|other| Some(**other) != table.tenant).count();
    if key.table == id {
        let nullable = !table.column(column).not_null;
        let hint = "a row cannot refer to rows of its own table that are not there yet".to_owned();
        return Some(if nullable {
            Ok(Generator::Constant(Value::Null))
        } else {
            Err(Some(hint))
        });
    }
    if others > 1 {
        let target = names.schema.table(key.table).full_name();
        let hint = format!("columns of one foreign key belong together: count the rows \"1 per {target}\"");
        return Some(Err(Some(hint)));
    }
    Some(Ok(Generator::Existing {
        table: key.table,
        column: referenced,
        draw: Draw::Uniform,
    }))
}

fn unique(table: &Table, column: ColumnId) -> Result<Generator, Option<String>> {
    let definition = table.column(column);
    match definition.data_type {
        Type::Text if definition.name.contains("email") => Ok(Generator::Email { prefix: prefix(table) }),
        Type::Text if table.primary_key == [column] => Ok(Generator::Unique { prefix: prefix(table) }),
        Type::Text => Ok(Generator::Unique {
            prefix: format!("{}-", definition.name),
        }),
        Type::Int2 | Type::Int4 | Type::Int8 => Ok(Generator::Unique { prefix: String::new() }),
        Type::Uuid => Ok(Generator::Unique { prefix: prefix(table) }),
        data_type => Err(Some(format!(
            "give it one under [population.columns]; new ids are not of type {data_type}"
        ))),
    }
}

/// `DEFAULT 'active'` is what most rows have.
fn default(table: &Table, column: ColumnId) -> Option<Generator> {
    let definition = table.column(column);
    let mut default = definition.default.as_ref()?;
    if let ExprKind::Cast { operand, .. } = &default.kind {
        default = operand;
    }
    if let ExprKind::Function(call) = &default.kind {
        let present = ["now", "current_timestamp"].contains(&call.name.name.as_str())
            && matches!(definition.data_type, Type::Timestamptz | Type::Timestamp | Type::Date);
        return present.then_some(past());
    }
    let value = constant(default)?;
    let schema = Schema {
        owners: vec![],
        tables: vec![],
        source: crate::Source::empty(),
    };
    generator::typed(Generator::Constant(value), definition.data_type, &schema).ok()
}

fn constant(expression: &Expr) -> Option<Value> {
    match &expression.kind {
        ExprKind::Null => Some(Value::Null),
        ExprKind::Bool(b) => Some(Value::Bool(*b)),
        ExprKind::String(text) => Some(Value::Text(text.clone())),
        ExprKind::Number(digits) => match digits.parse() {
            Ok(number) => Some(Value::Int8(number)),
            Err(_) => Decimal::parse(digits).flatten().map(Value::numeric),
        },
        ExprKind::Unary {
            operator: UnaryOperator::Minus,
            operand,
        } => match constant(operand)? {
            Value::Int8(n) => n.checked_neg().map(Value::Int8),
            Value::Numeric(number) => Some(Value::numeric(number.negated())),
            _ => None,
        },
        _ => None,
    }
}

/// What the CHECKs of simple form leave to a column.
#[derive(Debug, Default)]
struct Restriction {
    values: Vec<Value>,
    low: Option<i64>,
    high: Option<i64>,
    /// In characters.
    longest: Option<u32>,
}

impl Restriction {
    fn of(table: &Table, column: ColumnId) -> Restriction {
        let mut restriction = Restriction::default();
        for check in &table.checks {
            restriction.read(&check.condition, &table.column(column).name);
        }
        restriction
    }

    /// Understands `x IN (…)`, `x = …`, `x BETWEEN … AND …`, `x < …` and their conjunctions; is this one?
    fn read(&mut self, condition: &Expr, name: &str) -> bool {
        let is_column =
            |e: &Expr| matches!(&e.kind, ExprKind::Column(path) if path.last().is_some_and(|n| n.as_str() == name));
        match &condition.kind {
            ExprKind::Binary {
                operator: BinaryOperator::And,
                left,
                right,
            } => {
                let understood = self.read(left, name);
                self.read(right, name) && understood
            }
            ExprKind::In {
                operand,
                list,
                negated: false,
            } if is_column(operand) => {
                let values: Option<Vec<Value>> = list.iter().map(constant).collect();
                self.values = values.unwrap_or_default();
                !self.values.is_empty()
            }
            ExprKind::Between {
                operand,
                low,
                high,
                negated: false,
            } if is_column(operand) => self.bound(constant(low), true, 0) && self.bound(constant(high), false, 0),
            ExprKind::Binary {
                operator: BinaryOperator::LessOrEqual,
                left,
                right,
            } if is_length_of(left, &is_column) => {
                self.longest = match constant(right) {
                    Some(Value::Int8(length)) => u32::try_from(length).ok(),
                    _ => None,
                };
                self.longest.is_some()
            }
            ExprKind::Binary { operator, left, right } if is_column(left) => {
                let value = constant(right);
                match operator {
                    BinaryOperator::Greater => self.bound(value, true, 1),
                    BinaryOperator::GreaterOrEqual => self.bound(value, true, 0),
                    BinaryOperator::Less => self.bound(value, false, 1),
                    BinaryOperator::LessOrEqual => self.bound(value, false, 0),
                    BinaryOperator::Equal => {
                        self.values.extend(value);
                        !self.values.is_empty()
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// `beyond`: how far the bound itself is excluded.
    fn bound(&mut self, value: Option<Value>, low: bool, beyond: i64) -> bool {
        let Some(Value::Int8(n)) = value else { return false };
        if low {
            let n = n.saturating_add(beyond);
            self.low = Some(self.low.map_or(n, |known| known.max(n)));
        } else {
            let n = n.saturating_sub(beyond);
            self.high = Some(self.high.map_or(n, |known| known.min(n)));
        }
        true
    }
}

/// `char_length(column)`.
fn is_length_of(expression: &Expr, is_column: &impl Fn(&Expr) -> bool) -> bool {
    let ExprKind::Function(call) = &expression.kind else {
        return false;
    };
    let named = ["char_length", "length"].contains(&call.name.name.as_str());
    named && matches!(&call.arguments[..], [argument] if is_column(argument))
}

/// Warns of a CHECK that inference did not understand, where no column of it has a generator of the file's.
pub(super) fn unread_checks(
    id: TableId,
    schema: &Schema,
    is_given: impl Fn(ColumnId) -> bool,
    reading: &mut Reading<'_>,
) {
    let table = schema.table(id);
    for check in &table.checks {
        let text = schema.source.slice(check.condition.span);
        let named: Vec<usize> = (0..table.columns.len())
            .filter(|position| {
                text.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == table.columns[*position].name)
            })
            .collect();
        let given = named.iter().any(|position| is_given(ColumnId(*position as u16)));
        let understood = named
            .iter()
            .any(|position| Restriction::default().read(&check.condition, &table.columns[*position].name));
        if !given && !understood && !named.is_empty() {
            let message = format!("initial rows of {} may break this CHECK", table.full_name());
            let hint = "give its columns generators under [population.columns]".to_owned();
            reading.warning(check.place, message, hint);
        }
    }
}
