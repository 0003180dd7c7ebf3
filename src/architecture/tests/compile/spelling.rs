//! Requests to a table of items as text, for people: what the request is called, what it names, on which condition.
//!
//! ```text
//! TransactWriteItems, token key(request key, attempt number)
//!   Put { pk: key('users', :id), sk: key('users'), … } if attribute_not_exists(#pk) [#pk pk]
//!   for each of :rows: Check { … } if attribute_exists(#pk) [#pk pk]
//! ```

use base::Value;
use program::{
    Attributes, Condition, EachRow, Expression, ItemRequest, ItemWrite, ObjectCondition, ObjectRequest, ObjectState,
    Operator, Phrase, Program, RegisterId, WriteAction,
};

/// A request with the program's own names for its registers.
pub(crate) fn spell_request(program: &Program, request: &ItemRequest) -> String {
    Speller { program }.request(request)
}

/// `LIST auth.users/:tenant/`, `PUT auth.users/:tenant/:id.json { … } if absent`
pub(crate) fn spell_object_request(program: &Program, request: &ObjectRequest) -> String {
    let speller = Speller { program };
    let each = |each: &Option<(EachRow, u16)>| match each {
        Some((each, parallel)) => format!("{parallel} at a time, {}", speller.each(each)),
        None => String::new(),
    };
    let state = |condition: &Option<ObjectCondition>| match condition.as_ref().map(|condition| &condition.holds) {
        None => String::new(),
        Some(ObjectState::Absent) => " if absent".to_owned(),
        Some(ObjectState::Tagged(tag)) => format!(" if {}", speller.expression(tag)),
    };
    match request {
        ObjectRequest::Get { each: of, key } => format!("{}GET {}", each(of), speller.expression(key)),
        ObjectRequest::List { each: of, prefix } => format!("{}LIST {}", each(of), speller.expression(prefix)),
        ObjectRequest::Put { key, fields, condition } => {
            let (key, fields) = (speller.expression(key), speller.attributes(fields));
            format!("PUT {key} {fields}{}", state(condition))
        }
        ObjectRequest::Delete { key, condition } => {
            format!("DELETE {}{}", speller.expression(key), state(condition))
        }
    }
}

struct Speller<'p> {
    program: &'p Program,
}

impl Speller<'_> {
    fn request(&self, request: &ItemRequest) -> String {
        match request {
            ItemRequest::Get { key, consistent } => {
                format!("GetItem{} {}", strength(*consistent), self.attributes(key))
            }
            ItemRequest::BatchGet { each, key, consistent } => {
                let (strength, each) = (strength(*consistent), self.each(each));
                format!("BatchGetItem{strength}, {each}{}", self.attributes(key))
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
                let mut text = format!("Query{}", strength(*consistent));
                if let Some(index) = index {
                    text.push_str(&format!(" on {index}"));
                }
                if let Some((each, parallel)) = each {
                    let each = self.each(each);
                    text.push_str(&format!(", {parallel} at a time, {}", each.trim_end_matches(": ")));
                }
                text.push_str(&format!(": {}", self.phrase(key_condition)));
                if let Some(filter) = filter {
                    text.push_str(&format!(", filter {}", self.phrase(filter)));
                }
                if !forward {
                    text.push_str(", backward");
                }
                if let Some(limit) = limit {
                    text.push_str(&format!(", at most {limit}"));
                }
                text
            }
            ItemRequest::Scan {
                index,
                filter,
                consistent,
            } => {
                let mut text = format!("Scan{}", strength(*consistent));
                if let Some(index) = index {
                    text.push_str(&format!(" of {index}"));
                }
                if let Some(filter) = filter {
                    text.push_str(&format!(", filter {}", self.phrase(filter)));
                }
                text
            }
            ItemRequest::Write(write) => {
                let verb = match write.action {
                    WriteAction::Put { .. } => "PutItem",
                    WriteAction::Update { .. } => "UpdateItem",
                    WriteAction::Delete { .. } => "DeleteItem",
                    WriteAction::Check { .. } => "ConditionCheck",
                };
                format!("{verb}{}", self.write(write))
            }
            ItemRequest::TransactWrite { writes, token } => {
                let mut text = "TransactWriteItems".to_owned();
                if let Some(token) = token {
                    text.push_str(&format!(", token {}", self.expression(token)));
                }
                for write in writes {
                    let each = write.each.as_ref().map(|each| self.each(each)).unwrap_or_default();
                    let verb = match write.write.action {
                        WriteAction::Put { .. } => "Put",
                        WriteAction::Update { .. } => "Update",
                        WriteAction::Delete { .. } => "Delete",
                        WriteAction::Check { .. } => "ConditionCheck",
                    };
                    text.push_str(&format!("\n  {each}{verb}{}", self.write(&write.write)));
                }
                text
            }
            ItemRequest::TransactGet { keys } => {
                let keys: Vec<String> = keys.iter().map(|key| self.attributes(key)).collect();
                format!("TransactGetItems {}", keys.join(", "))
            }
        }
    }

    fn write(&self, write: &ItemWrite) -> String {
        let mut text = match &write.action {
            WriteAction::Put { item } => format!(" {}", self.attributes(item)),
            WriteAction::Update { key, update } => format!(" {}: {}", self.attributes(key), self.phrase(update)),
            WriteAction::Delete { key } | WriteAction::Check { key } => format!(" {}", self.attributes(key)),
        };
        if let Some(Condition { phrase, .. }) = &write.condition {
            text.push_str(&format!(" if {}", self.phrase(phrase)));
        }
        text
    }

    fn each(&self, each: &EachRow) -> String {
        let bind: Vec<String> = each.bind.iter().map(|id| self.register(*id)).collect();
        format!("for each ({}) of {}: ", bind.join(", "), self.register(each.rows))
    }

    fn attributes(&self, attributes: &Attributes) -> String {
        let each = attributes
            .iter()
            .map(|(name, value)| format!("{name}: {}", self.expression(value)));
        format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
    }

    /// The text, and what its placeholders stand for.
    fn phrase(&self, phrase: &Phrase) -> String {
        let names = phrase
            .names
            .iter()
            .map(|(placeholder, name)| format!("{placeholder} {name}"));
        let values = phrase
            .values
            .iter()
            .map(|(placeholder, value)| format!("{placeholder} {}", self.expression(value)));
        format!(
            "{} [{}]",
            phrase.text,
            names.chain(values).collect::<Vec<_>>().join(", ")
        )
    }

    fn register(&self, id: RegisterId) -> String {
        let register = self.program.registers.get(id.index());
        register.map_or_else(|| format!("register {}", id.0), |register| register.name.clone())
    }

    fn expression(&self, expression: &Expression) -> String {
        match expression {
            Expression::Constant(value @ (Value::Text(_) | Value::Jsonb(_))) => format!("'{value}'"),
            Expression::Constant(value) => value.to_string(),
            Expression::Register(id) => format!(":{}", self.register(*id)),
            Expression::RowCount(id) => format!("count(:{})", self.register(*id)),
            Expression::Field { rows, column } => format!(":{}[0].{column}", self.register(*rows)),
            Expression::Column { rows, column } => format!(":{}[*].{column}", self.register(*rows)),
            Expression::RequestKey => "request key".to_owned(),
            Expression::Key(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.expression(part)).collect();
                format!("key({})", parts.join(", "))
            }
            Expression::Path { before, parts, after } => {
                let parts: Vec<String> = parts.iter().map(|part| self.expression(part)).collect();
                format!("{before}{}{after}", parts.join("/"))
            }
            Expression::Now => "now".to_owned(),
            Expression::Not(inner) => format!("not {}", self.expression(inner)),
            Expression::IsNull(inner) => format!("{} is null", self.expression(inner)),
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

fn strength(consistent: bool) -> &'static str {
    if consistent { " (consistent)" } else { "" }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::And => "and",
        Operator::Or => "or",
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
