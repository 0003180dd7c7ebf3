//! Requests to tables of items, to buckets and to event buses as text, to be shown where other designs show their SQL: the operation, the keys, the
//! expressions with attributes and operands in the places of their placeholders.
//!
//! ```text
//! TransactWriteItems single
//!   Put {pk: users # :id, entity: 'users', email: :email} if attribute_not_exists(pk)
//!   ConditionCheck {pk: roles # :role} if attribute_exists(pk)
//! ```

use base::Value;
use program::{
    Acks, Attributes, BusRequest, Condition, EachRow, Expression, ItemRequest, ItemWrite, ObjectCondition,
    ObjectRequest, ObjectState, Operator, Phrase, Program, RegisterId, Topic, WriteAction,
};

pub(crate) fn text(program: &Program, table: &str, request: &ItemRequest) -> String {
    let printer = Printer(program);
    match request {
        ItemRequest::Get { key, consistent } => {
            format!("GetItem {table} {}{}", printer.item(key), strongly(*consistent))
        }
        ItemRequest::BatchGet { each, key, consistent } => {
            let (each, key) = (printer.each(each), printer.item(key));
            format!("BatchGetItem {table} {key}{}{each}", strongly(*consistent))
        }
        ItemRequest::Query {
            each,
            index,
            key_condition,
            filter,
            forward,
            limit,
            consistent,
        } => {
            let mut text = format!("Query {table}{} where {}", of(index), printer.phrase(key_condition));
            if let Some(filter) = filter {
                text.push_str(&format!(" filter {}", printer.phrase(filter)));
            }
            if !forward {
                text.push_str(" backward");
            }
            if let Some(limit) = limit {
                text.push_str(&format!(" limit {limit}"));
            }
            text.push_str(strongly(*consistent));
            if let Some((each, _)) = each {
                text.push_str(&printer.each(each));
            }
            text
        }
        ItemRequest::Scan {
            index,
            filter,
            consistent,
        } => {
            let filter = filter
                .as_ref()
                .map(|filter| format!(" filter {}", printer.phrase(filter)));
            format!(
                "Scan {table}{}{}{}",
                of(index),
                filter.unwrap_or_default(),
                strongly(*consistent)
            )
        }
        ItemRequest::Write(write) => {
            let name = if matches!(write.action, WriteAction::Check { .. }) {
                ""
            } else {
                "Item"
            };
            printer.write(write, &format!("{name} {table}"))
        }
        ItemRequest::TransactWrite { writes, token } => {
            let mut text = format!("TransactWriteItems {table}");
            if let Some(token) = token {
                text.push_str(&format!(" token {}", printer.expression(token)));
            }
            for write in writes {
                text.push_str(&format!("\n  {}", printer.write(&write.write, "")));
                if let Some(each) = &write.each {
                    text.push_str(&printer.each(each));
                }
            }
            text
        }
        ItemRequest::TransactGet { keys } => {
            let keys = keys.iter().map(|key| format!("\n  Get {}", printer.item(key)));
            format!("TransactGetItems {table}{}", keys.collect::<String>())
        }
    }
}

/// `Publish orders_1 key :tenant_id {key: :key, note: :note} acks all for each of rows`
pub(crate) fn bus(program: &Program, topic: &Topic, request: &BusRequest) -> String {
    let printer = Printer(program);
    let name = &topic.name;
    match request {
        BusRequest::Publish {
            each,
            key,
            fields,
            acks,
        } => {
            let fields = topic.fields.iter().zip(fields);
            let fields = fields.map(|((name, _), value)| format!("{name}: {}", printer.expression(value)));
            let acks = match acks {
                Acks::Leader => "leader",
                Acks::All => "all",
            };
            format!(
                "Publish {name} key {} {{{}}} acks {acks}{}",
                printer.expression(key),
                fields.collect::<Vec<String>>().join(", "),
                each.as_ref().map(|each| printer.each(each)).unwrap_or_default()
            )
        }
        BusRequest::Read {
            group,
            partition,
            limit,
            wait,
        } => format!(
            "Fetch {name} partition {} group {group} limit {limit} wait {wait}",
            printer.expression(partition)
        ),
        BusRequest::Commit {
            group,
            partition,
            position,
        } => format!(
            "Commit {name} partition {} group {group} up to {}",
            printer.expression(partition),
            printer.expression(position)
        ),
    }
}

/// `PUT data/auth.users/:tenant/:id.json {id: :id, email: :email} If-None-Match *`
pub(crate) fn object(program: &Program, bucket: &str, request: &ObjectRequest) -> String {
    let printer = Printer(program);
    let each = |each: &Option<(EachRow, u16)>| match each {
        Some((each, parallel)) => format!("{}, {parallel} at a time", printer.each(each)),
        None => String::new(),
    };
    match request {
        ObjectRequest::Get { each: of, key } => {
            let key = printer.expression(key);
            format!("GET {bucket}/{key}{}", each(of))
        }
        ObjectRequest::List { each: of, prefix } => {
            let prefix = printer.expression(prefix);
            format!("LIST {bucket}/{prefix}…{}", each(of))
        }
        ObjectRequest::Put { key, fields, condition } => {
            let (key, fields) = (printer.expression(key), printer.item(fields));
            format!("PUT {bucket}/{key} {fields}{}", printer.state(condition.as_ref()))
        }
        ObjectRequest::Delete { key, condition } => {
            let key = printer.expression(key);
            format!("DELETE {bucket}/{key}{}", printer.state(condition.as_ref()))
        }
    }
}

fn strongly(consistent: bool) -> &'static str {
    if consistent { " consistent" } else { "" }
}

fn of(index: &Option<String>) -> String {
    index.as_ref().map(|index| format!(".{index}")).unwrap_or_default()
}

struct Printer<'a>(&'a Program);

impl Printer<'_> {
    fn item(&self, attributes: &Attributes) -> String {
        let pairs = attributes
            .iter()
            .map(|(name, value)| format!("{name}: {}", self.expression(value)));
        format!("{{{}}}", pairs.collect::<Vec<String>>().join(", "))
    }

    fn state(&self, condition: Option<&ObjectCondition>) -> String {
        match condition.map(|condition| &condition.holds) {
            None => String::new(),
            Some(ObjectState::Absent) => " If-None-Match *".to_owned(),
            Some(ObjectState::Tagged(tag)) => format!(" If-Match {}", self.expression(tag)),
        }
    }

    fn each(&self, each: &EachRow) -> String {
        format!(" for each of {}", self.register(each.rows))
    }

    /// `behind` goes behind the action's name.
    fn write(&self, write: &ItemWrite, behind: &str) -> String {
        let mut text = match &write.action {
            WriteAction::Put { item } => format!("Put{behind} {}", self.item(item)),
            WriteAction::Update { key, update } => {
                format!("Update{behind} {} {}", self.item(key), self.phrase(update))
            }
            WriteAction::Delete { key } => format!("Delete{behind} {}", self.item(key)),
            WriteAction::Check { key } => format!("ConditionCheck{behind} {}", self.item(key)),
        };
        if let Some(Condition { phrase, .. }) = &write.condition {
            text.push_str(&format!(" if {}", self.phrase(phrase)));
        }
        text
    }

    /// The expression with what its placeholders stand for.
    fn phrase(&self, phrase: &Phrase) -> String {
        let mut text = String::new();
        let mut rest = phrase.text.as_str();
        while let Some(at) = rest.find(['#', ':']) {
            text.push_str(&rest[..at]);
            let length = rest[at + 1..]
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
                .count()
                + 1;
            let placeholder = &rest[at..at + length];
            let name = phrase.names.iter().find(|(known, _)| **known == *placeholder);
            let value = phrase.values.iter().find(|(known, _)| **known == *placeholder);
            match (name, value) {
                (Some((_, name)), _) => text.push_str(name),
                (None, Some((_, value))) => text.push_str(&self.expression(value)),
                (None, None) => text.push_str(placeholder),
            }
            rest = &rest[at + length..];
        }
        text.push_str(rest);
        text
    }

    fn register(&self, id: RegisterId) -> String {
        let register = self.0.registers.get(id.index());
        format!(":{}", register.map_or("?", |register| register.name.as_str()))
    }

    fn expression(&self, expression: &Expression) -> String {
        match expression {
            Expression::Constant(Value::Text(text) | Value::Jsonb(text)) => format!("'{text}'"),
            Expression::Constant(value) => value.to_string(),
            Expression::Register(id) => self.register(*id),
            Expression::RowCount(rows) => format!("count({})", self.register(*rows)),
            Expression::Field { rows, column } => format!("{}[{column}]", self.register(*rows)),
            Expression::Column { rows, column } => format!("all {}[{column}]", self.register(*rows)),
            Expression::RequestKey => "the request's key".to_owned(),
            // Parts that are constant are shown without quotes: so they stand in the key.
            Expression::Key(parts) => {
                let part = |part: &Expression| match part {
                    Expression::Constant(value) => value.to_string(),
                    other => self.expression(other),
                };
                parts.iter().map(part).collect::<Vec<String>>().join(" # ")
            }
            Expression::Path { before, parts, after } => {
                let parts: Vec<String> = parts.iter().map(|part| self.expression(part)).collect();
                format!("{before}{}{after}", parts.join("/"))
            }
            Expression::Now => "now".to_owned(),
            Expression::Not(inner) => format!("NOT {}", self.expression(inner)),
            Expression::IsNull(inner) => format!("{} IS NULL", self.expression(inner)),
            Expression::Binary { operator, left, right } => {
                format!(
                    "{} {} {}",
                    self.expression(left),
                    symbol(*operator),
                    self.expression(right)
                )
            }
        }
    }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::And => "AND",
        Operator::Or => "OR",
        Operator::Equal => "=",
        Operator::NotEqual => "<>",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Concat => "||",
    }
}

#[cfg(test)]
mod tests {
    use program::{ErrorClass, NodeId, ProgramKind, Register, RegisterKind, TransactedWrite};

    use super::*;

    #[test]
    fn a_transaction_reads_as_what_it_does() {
        let program = Program {
            name: "create".to_owned(),
            home: NodeId(0),
            operation: None,
            kind: ProgramKind::Entry,
            parameters: Vec::new(),
            registers: vec![Register {
                name: "id".to_owned(),
                kind: RegisterKind::Value(None),
            }],
            connections: Vec::new(),
            steps: Vec::new(),
            body: Vec::new(),
        };
        let key = Expression::Key(vec![Expression::text("users"), Expression::Register(RegisterId(0))]);
        let put = ItemWrite {
            action: WriteAction::Put {
                item: vec![("pk".into(), key.clone()), ("n".into(), Expression::int(1))],
            },
            condition: Some(Condition {
                phrase: Phrase {
                    text: "attribute_not_exists(#pk) OR #pks = :v".to_owned(),
                    names: vec![("#pk".into(), "pk".into())],
                    values: vec![(":v".into(), Expression::Now)],
                },
                class: ErrorClass::Refused,
                message: String::new(),
            }),
        };
        let check = ItemWrite {
            action: WriteAction::Check {
                key: vec![("pk".into(), key)],
            },
            condition: None,
        };
        let writes = [put, check].map(|write| TransactedWrite { each: None, write });
        let request = ItemRequest::TransactWrite {
            writes: writes.into(),
            token: Some(Expression::RequestKey),
        };
        assert_eq!(
            text(&program, "single", &request),
            "TransactWriteItems single token the request's key\n  \
             Put {pk: users # :id, n: 1} if attribute_not_exists(pk) OR #pks = now\n  \
             ConditionCheck {pk: users # :id}"
        );
    }
}
