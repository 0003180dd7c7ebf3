//! Expressions: every name in them, and types where two of them meet.

use base::Type;
use syntax::{BinaryOperator, DataTypeKind, Expr, ExprKind, FunctionCall, Name, Span};

use super::variables::Origin;
use super::{Found, Resolver, Scope, alike, is_number};
use crate::names;

impl Resolver<'_, '_> {
    pub(super) fn expression(&mut self, expression: &Expr, scope: &Scope<'_>) -> Found {
        let span = expression.span;
        match &expression.kind {
            ExprKind::Null | ExprKind::String(_) | ExprKind::Default => Found::default(),
            ExprKind::Bool(_) => Found::of(Type::Bool),
            ExprKind::Number(digits) => number(digits),
            ExprKind::Parameter(number) => {
                let hint = "parameters have names here: :name".to_owned();
                self.error(span, format!("there is no parameter ${number}"), hint);
                Found::default()
            }
            ExprKind::Variable(name) => self.variable(name),
            ExprKind::Column(path) => self.column(path, scope, span),
            ExprKind::Unary { operand, operator } => {
                let found = self.expression(operand, scope);
                if *operator == syntax::UnaryOperator::Not {
                    self.boolean(&found, operand.span);
                    return Found::of(Type::Bool);
                }
                Found {
                    variable: None,
                    ..found
                }
            }
            ExprKind::Binary { operator, left, right } => self.binary(*operator, left, right, scope, span),
            ExprKind::IsNull { operand, .. } => {
                self.expression(operand, scope);
                Found::of(Type::Bool)
            }
            ExprKind::IsBool { operand, .. } => {
                let found = self.expression(operand, scope);
                self.boolean(&found, operand.span);
                Found::of(Type::Bool)
            }
            ExprKind::IsDistinct { left, right, .. } => {
                self.compare(left, &[right], "IS DISTINCT FROM", scope);
                Found::of(Type::Bool)
            }
            ExprKind::Between { operand, low, high, .. } => {
                self.compare(operand, &[low, high], "BETWEEN", scope);
                Found::of(Type::Bool)
            }
            ExprKind::In { operand, list, .. } => {
                let list: Vec<&Expr> = list.iter().collect();
                self.compare(operand, &list, "=", scope);
                Found::of(Type::Bool)
            }
            ExprKind::InQuery { operand, query, .. } => {
                let left = self.expression(operand, scope);
                let columns = self.query_in(query, Some(scope), false);
                match &columns[..] {
                    [column] => self.meet(&left, &column.found, "=", span),
                    _ if matches!(operand.kind, ExprKind::Row(_)) => {}
                    _ => self.error(query.span, "subquery has too many columns", None),
                }
                Found::of(Type::Bool)
            }
            ExprKind::Any { left, right, .. } => self.any(left, right, scope),
            ExprKind::Like { operand, pattern, .. } => {
                for side in [operand, pattern] {
                    let found = self.expression(side, scope);
                    self.meet(&found, &Found::of(Type::Text), "~~", span);
                }
                Found::of(Type::Bool)
            }
            ExprKind::Exists { query } => {
                self.query_in(query, Some(scope), false);
                Found::of(Type::Bool)
            }
            ExprKind::Subquery(query) => {
                let columns = self.query_in(query, Some(scope), false);
                if columns.len() > 1 {
                    self.error(query.span, "subquery must return only one column", None);
                }
                columns
                    .into_iter()
                    .next()
                    .map_or_else(Found::default, |column| column.found)
            }
            ExprKind::Array(items) | ExprKind::Row(items) => {
                for item in items {
                    self.expression(item, scope);
                }
                Found::default()
            }
            ExprKind::Case {
                operand,
                branches,
                otherwise,
            } => self.case(operand.as_deref(), branches, otherwise.as_deref(), scope),
            ExprKind::Cast { operand, data_type } => {
                let found = self.expression(operand, scope);
                let target = match data_type.kind {
                    DataTypeKind::Known(target) => target,
                    DataTypeKind::Digits { .. } => Type::Numeric,
                    DataTypeKind::Length(_) => Type::Text,
                    _ => return Found::default(),
                };
                if let Some(variable) = &found.variable {
                    self.variables.used_as(variable, target, None, false);
                }
                Found::of(target)
            }
            ExprKind::Function(call) => self.function(call, scope),
        }
    }

    fn variable(&mut self, name: &Name) -> Found {
        if !self.variables.allowed {
            let message = format!(
                "there is no \":{}\" here: variables belong to operations",
                name.as_str()
            );
            self.error(name.span, message, None);
            return Found::default();
        }
        self.variables.declare(name.as_str(), Origin::Nowhere(name.span), None);
        self.variables.used(name.as_str());
        let known = self.variables.get(name.as_str());
        Found {
            data_type: known.and_then(|known| known.data_type),
            column: None,
            variable: Some(name.text.clone()),
        }
    }

    fn column(&mut self, path: &[Name], scope: &Scope<'_>, span: Span) -> Found {
        let mut level = Some(scope);
        while let Some(scope) = level {
            match scope.find(path) {
                Match::One(found) => return found,
                Match::Many => {
                    let name = path.last().map_or("", Name::as_str);
                    self.error(span, format!("column reference \"{name}\" is ambiguous"), None);
                    return Found::default();
                }
                Match::Missing(relation) => {
                    let known: Vec<String> = relation.columns.iter().map(|column| column.name.to_string()).collect();
                    let relation = relation.name.to_string();
                    return self.unknown_column(path, &known, Some(relation), span);
                }
                Match::None => level = scope.outer,
            }
        }
        if let [.., table, _] = path {
            let message = format!("missing FROM-clause entry for table \"{}\"", table.as_str());
            let known: Vec<&str> = scope.relations.iter().map(|relation| &*relation.name).collect();
            let hint = names::suggestion(table.as_str(), &known, "in FROM there are");
            self.error(span, message, hint);
            return Found::default();
        }
        let columns = scope.relations.iter().flat_map(|relation| &relation.columns);
        let known: Vec<String> = columns.map(|column| column.name.to_string()).collect();
        self.unknown_column(path, &known, None, span)
    }

    fn unknown_column(&mut self, path: &[Name], known: &[String], relation: Option<String>, span: Span) -> Found {
        let name = path.last().map_or("", Name::as_str);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let full = relation.map_or_else(|| format!("\"{name}\""), |relation| format!("{relation}.{name}"));
        let is_variable = self.variables.get(name).is_some();
        let hint = if is_variable {
            Some(format!("a parameter is written with a colon: :{name}"))
        } else {
            names::suggestion(name, &known, "there are")
        };
        self.error(span, format!("column {full} does not exist"), hint);
        Found::default()
    }

    fn binary(&mut self, operator: BinaryOperator, left: &Expr, right: &Expr, scope: &Scope<'_>, span: Span) -> Found {
        use BinaryOperator as Op;
        let (a, b) = (self.expression(left, scope), self.expression(right, scope));
        if a.data_type == Some(Type::Jsonb)
            && let Some(data_type) = self.json(operator, &b)
        {
            return Found::of(data_type);
        }
        match operator {
            Op::Or | Op::And => {
                self.boolean(&a, left.span);
                self.boolean(&b, right.span);
                Found::of(Type::Bool)
            }
            Op::Equal | Op::NotEqual | Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
                self.meet(&a, &b, operator.symbol(), span);
                Found::of(Type::Bool)
            }
            Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo | Op::Power => {
                for (found, other) in [(&a, &b), (&b, &a)] {
                    let beside = other.data_type.and_then(|other| beside(operator, other));
                    if let (Some(variable), Some(data_type)) = (&found.variable, beside) {
                        self.variables.used_as(variable, data_type, None, false);
                    }
                }
                Found::maybe(arithmetic(operator, a.data_type, b.data_type))
            }
            Op::Concat => Found::of(Type::Text),
            Op::JsonGet | Op::JsonGetPath => Found::of(Type::Jsonb),
            Op::JsonGetText | Op::JsonGetPathText => Found::of(Type::Text),
            Op::HasKey | Op::Contains | Op::ContainedBy | Op::Overlaps | Op::LeftOf | Op::RightOf | Op::Adjacent => {
                Found::of(Type::Bool)
            }
        }
    }

    /// What an operator makes of a document and `other`, which is a document, too, or a key.
    fn json(&mut self, operator: BinaryOperator, other: &Found) -> Option<Type> {
        use BinaryOperator as Op;
        let (wanted, made) = match operator {
            Op::Contains | Op::ContainedBy => (Type::Jsonb, Type::Bool),
            Op::Concat if matches!(other.data_type, None | Some(Type::Jsonb)) => (Type::Jsonb, Type::Jsonb),
            Op::HasKey => (Type::Text, Type::Bool),
            Op::JsonGet | Op::Subtract => (Type::Text, Type::Jsonb),
            Op::JsonGetText => (Type::Text, Type::Text),
            _ => return None,
        };
        if let Some(variable) = &other.variable {
            self.variables.used_as(variable, wanted, None, false);
        }
        Some(made)
    }

    fn compare(&mut self, operand: &Expr, others: &[&Expr], operator: &str, scope: &Scope<'_>) {
        let left = self.expression(operand, scope);
        for other in others {
            let right = self.expression(other, scope);
            self.meet(&left, &right, operator, other.span);
        }
    }

    /// Two values are compared: a variable takes the other's type, and the types must agree.
    fn meet(&mut self, left: &Found, right: &Found, operator: &str, span: Span) {
        for (found, other) in [(left, right), (right, left)] {
            if let (Some(variable), Some(data_type)) = (&found.variable, other.data_type) {
                self.variables.used_as(variable, data_type, other.column, false);
            }
        }
        if let (Some(a), Some(b)) = (left.data_type, right.data_type)
            && !alike(a, b)
        {
            self.error(span, format!("operator does not exist: {a} {operator} {b}"), None);
        }
    }

    fn any(&mut self, left: &Expr, right: &Expr, scope: &Scope<'_>) -> Found {
        let found = self.expression(left, scope);
        match &right.kind {
            ExprKind::Array(items) => {
                for item in items {
                    let item_found = self.expression(item, scope);
                    self.meet(&found, &item_found, "=", item.span);
                }
            }
            ExprKind::Variable(name) => {
                self.variable(name);
                let message = format!(
                    "\":{}\" would have to be a list; parameters hold single values",
                    name.as_str()
                );
                self.error(right.span, message, None);
            }
            _ => {
                self.expression(right, scope);
            }
        }
        Found::of(Type::Bool)
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Found {
        let subject = operand.map(|operand| self.expression(operand, scope));
        let mut result = Found::default();
        for (condition, value) in branches {
            let found = self.expression(condition, scope);
            match &subject {
                Some(subject) => self.meet(subject, &found, "=", condition.span),
                None => self.boolean(&found, condition.span),
            }
            let value = self.expression(value, scope);
            result.data_type = result.data_type.or(value.data_type);
        }
        if let Some(otherwise) = otherwise {
            let value = self.expression(otherwise, scope);
            result.data_type = result.data_type.or(value.data_type);
        }
        result
    }

    fn function(&mut self, call: &FunctionCall, scope: &Scope<'_>) -> Found {
        let arguments: Vec<Found> = call
            .arguments
            .iter()
            .map(|argument| self.expression(argument, scope))
            .collect();
        if let Some(filter) = &call.filter {
            let found = self.expression(filter, scope);
            self.boolean(&found, filter.span);
        }
        let first = arguments.iter().find_map(|found| found.data_type);
        let data_type = match call.name.name.as_str() {
            "count" => Some(Type::Int8),
            "sum" => first.map(|of| match of {
                Type::Int2 | Type::Int4 => Type::Int8,
                Type::Int8 => Type::Numeric,
                other => other,
            }),
            "avg" => first.map(|of| if of == Type::Float8 { of } else { Type::Numeric }),
            "round" | "trunc" | "floor" | "ceil" | "ceiling" => first.map(|of| {
                if of.is_whole() && arguments.len() == 1 {
                    Type::Float8
                } else {
                    of
                }
            }),
            "extract" => Some(Type::Numeric),
            "current_date" => Some(Type::Date),
            "localtimestamp" => Some(Type::Timestamp),
            "date_trunc" => arguments.get(1).and_then(|found| found.data_type),
            "min" | "max" | "abs" | "greatest" | "least" | "nullif" => first,
            "coalesce" => {
                for found in &arguments {
                    if let (Some(variable), Some(data_type)) = (&found.variable, first) {
                        self.variables.used_as(variable, data_type, None, false);
                    }
                }
                first
            }
            "now" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp" => Some(Type::Timestamptz),
            "lower" | "upper" | "trim" | "concat" | "substring" | "substr" | "replace" | "md5" => Some(Type::Text),
            "length" | "char_length" | "jsonb_array_length" => Some(Type::Int4),
            "jsonb_typeof" | "jsonb_extract_path_text" => Some(Type::Text),
            "jsonb_set" | "jsonb_build_object" | "jsonb_build_array" | "jsonb_extract_path" | "to_jsonb" => {
                Some(Type::Jsonb)
            }
            _ => None,
        };
        Found {
            data_type,
            ..Found::default()
        }
    }
}

enum Match<'s> {
    One(Found),
    Many,
    /// The relation is there, the column is not.
    Missing(&'s super::Relation),
    None,
}

impl Scope<'_> {
    fn find(&self, path: &[Name]) -> Match<'_> {
        let (column, qualifier) = match path {
            [column] => (column, None),
            [table, column] => (column, Some((None, table))),
            [schema, table, column] => (column, Some((Some(schema), table))),
            _ => return Match::None,
        };
        let mut found: Vec<Found> = vec![];
        let mut qualified = None;
        for relation in &self.relations {
            if let Some((schema, table)) = qualifier {
                let same_schema = schema.is_none_or(|schema: &Name| relation.schema.as_ref() == Some(&schema.text));
                if relation.name != table.text || !same_schema {
                    continue;
                }
                qualified = Some(relation);
            }
            let columns = relation.columns.iter().filter(|output| output.name == column.text);
            found.extend(columns.map(|output| output.found.clone()));
            if relation.open && found.is_empty() {
                found.push(Found::default());
            }
        }
        match (found.len(), qualified) {
            (0, Some(relation)) => Match::Missing(relation),
            (0, None) => Match::None,
            (1, _) => Match::One(found.remove(0)),
            _ if self.merged.contains(&column.text) => Match::One(found.remove(0)),
            _ => Match::Many,
        }
    }
}

fn number(digits: &str) -> Found {
    Found::of(if digits.parse::<i32>().is_ok() {
        Type::Int4
    } else if digits.parse::<i64>().is_ok() {
        Type::Int8
    } else {
        Type::Numeric
    })
}

/// What a variable is taken for beside a value of this type.
fn beside(operator: BinaryOperator, other: Type) -> Option<Type> {
    match other {
        Type::Date if matches!(operator, BinaryOperator::Add | BinaryOperator::Subtract) => Some(Type::Int4),
        other => is_number(other).then_some(other),
    }
}

/// Numbers give the wider of the two; a day moves by days, an instant by intervals.
fn arithmetic(operator: BinaryOperator, left: Option<Type>, right: Option<Type>) -> Option<Type> {
    let width = |of: Type| {
        [Type::Int2, Type::Int4, Type::Int8, Type::Numeric, Type::Float8]
            .iter()
            .position(|t| *t == of)
    };
    match (left, right) {
        (Some(a), Some(b)) if is_number(a) && is_number(b) => Some(if width(a) >= width(b) { a } else { b }),
        (Some(Type::Date), Some(b)) if b.is_whole() => Some(Type::Date),
        (Some(a), Some(Type::Date)) if a.is_whole() => Some(Type::Date),
        (Some(Type::Date), Some(Type::Date)) if operator == BinaryOperator::Subtract => Some(Type::Int4),
        (Some(Type::Date), Some(Type::Interval)) | (Some(Type::Interval), Some(Type::Date)) => Some(Type::Timestamp),
        (Some(at @ (Type::Timestamp | Type::Timestamptz)), Some(Type::Interval))
        | (Some(Type::Interval), Some(at @ (Type::Timestamp | Type::Timestamptz))) => Some(at),
        (Some(Type::Date | Type::Timestamp | Type::Timestamptz), Some(_))
        | (Some(_), Some(Type::Date | Type::Timestamp | Type::Timestamptz))
            if operator == BinaryOperator::Subtract =>
        {
            Some(Type::Interval)
        }
        (Some(a), None) | (None, Some(a)) if is_number(a) => Some(a),
        _ => None,
    }
}
