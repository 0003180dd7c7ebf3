//! Queries: what each item of FROM offers, and the columns of a result.

use std::sync::Arc;

use base::Type;
use syntax::{
    Expr, ExprKind, JoinCondition, Name, OrderBy, Query, QueryBody, Select, SelectItem, Span, TableAlias, TableRef,
};

use super::{Found, Output, Relation, Resolver, Scope};

impl Resolver<'_, '_> {
    /// A whole query; its columns.
    pub(in crate::read) fn query(&mut self, query: &Query) -> Vec<Output> {
        self.query_in(query, None, true)
    }

    pub(super) fn query_in(&mut self, query: &Query, outer: Option<&Scope<'_>>, top: bool) -> Vec<Output> {
        let depth = self.common.len();
        for table in &query.with {
            let Some(query) = table.query() else {
                let hint = "write it as a statement of its own".to_owned();
                self.error(table.name.span, "a write inside WITH is not supported", hint);
                continue;
            };
            let mut columns = self.query_in(query, outer, false);
            self.rename(&mut columns, &table.columns);
            self.common.push((table.name.text.clone(), columns));
        }
        let columns = match &query.body {
            QueryBody::Select(select) => self.select(select, query, outer, top),
            QueryBody::Values(rows) => {
                let columns = self.values(rows, outer);
                self.order(
                    &query.order_by,
                    &columns,
                    &Scope {
                        outer,
                        ..Scope::default()
                    },
                );
                columns
            }
            QueryBody::SetOperation {
                left, right, operator, ..
            } => {
                let columns = self.query_in(left, outer, false);
                let others = self.query_in(right, outer, false);
                if columns.len() != others.len() {
                    let operator = format!("{operator:?}").to_uppercase();
                    let message = format!("each {operator} query must have the same number of columns");
                    self.error(right.span, message, None);
                }
                self.order(
                    &query.order_by,
                    &columns,
                    &Scope {
                        outer,
                        ..Scope::default()
                    },
                );
                columns
            }
        };
        let nothing = Scope::default();
        for count in query.limit.iter().chain(&query.offset) {
            let found = self.expression(count, &nothing);
            if let Some(variable) = &found.variable {
                self.variables.used_as(variable, Type::Int8, None, false);
            }
        }
        self.common.truncate(depth);
        columns
    }

    fn select(&mut self, select: &Select, query: &Query, outer: Option<&Scope<'_>>, top: bool) -> Vec<Output> {
        if let Some(name) = select.into.first().filter(|_| !top) {
            self.error(name.span, "INTO stands in the outermost query only", None);
        }
        let mut scope = Scope {
            outer,
            ..Scope::default()
        };
        for item in &select.from {
            self.from(item, &mut scope);
        }
        if let Some(filter) = &select.filter {
            let found = self.expression(filter, &scope);
            self.boolean(&found, filter.span);
        }
        let columns = self.items(&select.items, &scope);
        for expression in &select.group_by {
            self.output_or_expression(expression, &columns, &scope);
        }
        if let Some(having) = &select.having {
            let found = self.expression(having, &scope);
            self.boolean(&found, having.span);
        }
        if let syntax::Distinct::On(expressions) = &select.distinct {
            for expression in expressions {
                self.output_or_expression(expression, &columns, &scope);
            }
        }
        self.order(&query.order_by, &columns, &scope);
        for name in query.locking.iter().flat_map(|locking| &locking.of) {
            if !scope.relations.iter().any(|relation| relation.name == name.text) {
                let message = format!("relation \"{}\" in FOR … OF is not in FROM", name.as_str());
                self.error(name.span, message, None);
            }
        }
        columns
    }

    pub(super) fn items(&mut self, items: &[SelectItem], scope: &Scope<'_>) -> Vec<Output> {
        let mut columns = vec![];
        for item in items {
            match item {
                SelectItem::Expr { expr, alias } => {
                    let found = self.expression(expr, scope);
                    let name = alias
                        .as_ref()
                        .map_or_else(|| implied_name(expr), |alias| alias.text.clone());
                    columns.push(Output { name, found });
                }
                SelectItem::Star { qualifier: None, .. } => {
                    columns.extend(
                        scope
                            .relations
                            .iter()
                            .flat_map(|relation| relation.columns.iter().cloned()),
                    );
                }
                SelectItem::Star {
                    qualifier: Some(qualifier),
                    span,
                } => {
                    let named = |relation: &&Relation| {
                        relation.name == qualifier.name.text
                            && qualifier
                                .schema
                                .as_ref()
                                .is_none_or(|schema| relation.schema.as_ref() == Some(&schema.text))
                    };
                    match scope.relations.iter().find(named) {
                        Some(relation) => columns.extend(relation.columns.iter().cloned()),
                        None => {
                            let name = qualifier.name.as_str();
                            self.error(*span, format!("missing FROM-clause entry for table \"{name}\""), None);
                        }
                    }
                }
            }
        }
        columns
    }

    fn values(&mut self, rows: &[Vec<Expr>], outer: Option<&Scope<'_>>) -> Vec<Output> {
        let scope = Scope {
            outer,
            ..Scope::default()
        };
        let mut columns: Vec<Output> = vec![];
        for (number, row) in rows.iter().enumerate() {
            let found: Vec<Found> = row.iter().map(|value| self.expression(value, &scope)).collect();
            if number == 0 {
                let name = |position: usize| format!("column{}", position + 1).into();
                columns = found
                    .into_iter()
                    .enumerate()
                    .map(|(at, found)| Output { name: name(at), found })
                    .collect();
            } else if found.len() != columns.len() {
                let span = row.first().map_or_else(Default::default, |value| value.span);
                self.error(span, "VALUES lists must all be the same length", None);
            }
        }
        columns
    }

    pub(super) fn from(&mut self, item: &TableRef, scope: &mut Scope<'_>) {
        match item {
            TableRef::Table { name, only, alias } => {
                if *only {
                    self.error(
                        name.span(),
                        "ONLY is not supported",
                        "tables have no parts here".to_owned(),
                    );
                }
                let relation = self.named_relation(name, alias.as_ref());
                self.add(relation, name.span(), scope);
            }
            TableRef::Derived { query, alias } => {
                let columns = self.query_in(query, scope.outer, false);
                let name = alias
                    .as_ref()
                    .map_or_else(|| "".into(), |alias| alias.name.text.clone());
                let mut relation = Relation {
                    name,
                    schema: None,
                    columns,
                    open: false,
                };
                self.rename(
                    &mut relation.columns,
                    alias.as_ref().map_or(&[], |alias| &alias.columns),
                );
                self.add(relation, query.span, scope);
            }
            TableRef::Join {
                left, right, condition, ..
            } => {
                let first = scope.relations.len();
                self.from(left, scope);
                let middle = scope.relations.len();
                self.from(right, scope);
                self.join(condition, scope, first, middle);
            }
            TableRef::Function {
                name,
                arguments,
                alias,
                span,
            } => {
                for argument in arguments {
                    self.expression(
                        argument,
                        &Scope {
                            outer: scope.outer,
                            ..Scope::default()
                        },
                    );
                }
                let function = name.name.text.clone();
                let name = alias
                    .as_ref()
                    .map_or_else(|| function.clone(), |alias| alias.name.text.clone());
                let columns: &[&str] = match &*function {
                    "jsonb_array_elements" | "jsonb_array_elements_text" => &["value"],
                    "jsonb_each" | "jsonb_each_text" => &["key", "value"],
                    _ => &[&*name],
                };
                let columns = columns.iter().map(|column| Output {
                    name: (*column).into(),
                    found: Found::default(),
                });
                let columns = columns.collect();
                let mut relation = Relation {
                    name,
                    schema: None,
                    columns,
                    open: false,
                };
                self.rename(
                    &mut relation.columns,
                    alias.as_ref().map_or(&[], |alias| &alias.columns),
                );
                self.add(relation, *span, scope);
            }
        }
    }

    fn named_relation(&mut self, name: &syntax::ObjectName, alias: Option<&TableAlias>) -> Relation {
        let common = self
            .common
            .iter()
            .rev()
            .find(|(known, _)| name.schema.is_none() && *known == name.name.text);
        let alias_name = alias.map(|alias| &alias.name.text);
        let mut relation = if let Some((known, columns)) = common {
            let name = alias_name.unwrap_or(known).clone();
            Relation {
                name,
                schema: None,
                columns: columns.clone(),
                open: false,
            }
        } else if let Some(id) = self.table(name) {
            self.reads.insert(id);
            self.relation_of(id, alias_name)
        } else {
            let name = alias_name.unwrap_or(&name.name.text).clone();
            Relation {
                name,
                schema: None,
                columns: vec![],
                open: true,
            }
        };
        self.rename(&mut relation.columns, alias.map_or(&[], |alias| &alias.columns));
        relation
    }

    fn add(&mut self, relation: Relation, span: Span, scope: &mut Scope<'_>) {
        let twice = |known: &Relation| {
            known.name == relation.name
                && !relation.name.is_empty()
                && (known.schema == relation.schema || known.schema.is_none() || relation.schema.is_none())
        };
        if scope.relations.iter().any(twice) {
            let message = format!("table name \"{}\" is used more than once in FROM", relation.name);
            self.error(span, message, "give one of them another alias".to_owned());
        }
        scope.relations.push(relation);
    }

    fn join(&mut self, condition: &JoinCondition, scope: &mut Scope<'_>, first: usize, middle: usize) {
        let has = |relations: &[Relation], name: &str| {
            relations
                .iter()
                .any(|relation| relation.open || relation.columns.iter().any(|column| *column.name == *name))
        };
        match condition {
            JoinCondition::None => {}
            JoinCondition::On(condition) => {
                let found = self.expression(condition, scope);
                self.boolean(&found, condition.span);
            }
            JoinCondition::Using(names) => {
                for name in names {
                    let (left, right) = scope.relations[first..].split_at(middle - first);
                    if !has(left, name.as_str()) || !has(right, name.as_str()) {
                        let message = format!("column \"{}\" in USING is not on both sides", name.as_str());
                        self.error(name.span, message, None);
                    }
                    scope.merged.push(name.text.clone());
                }
            }
            JoinCondition::Natural => {
                let (left, right) = scope.relations[first..].split_at(middle - first);
                let columns = right.iter().flat_map(|relation| &relation.columns);
                let common: Vec<Arc<str>> = columns
                    .filter(|column| has(left, &column.name))
                    .map(|column| column.name.clone())
                    .collect();
                scope.merged.extend(common);
            }
        }
    }

    fn rename(&mut self, columns: &mut [Output], names: &[Name]) {
        if let Some(extra) = names.get(columns.len()) {
            self.error(
                extra.span,
                format!("there are only {} columns to name", columns.len()),
                None,
            );
        }
        for (column, name) in columns.iter_mut().zip(names) {
            column.name = name.text.clone();
        }
    }

    fn order(&mut self, order_by: &[OrderBy], columns: &[Output], scope: &Scope<'_>) {
        for item in order_by {
            self.output_or_expression(&item.expr, columns, scope);
        }
    }

    /// ORDER BY and GROUP BY may name a column of the result, or count it from 1.
    fn output_or_expression(&mut self, expression: &Expr, columns: &[Output], scope: &Scope<'_>) {
        match &expression.kind {
            ExprKind::Number(digits) => {
                let position = digits.parse::<usize>().unwrap_or(0);
                if position == 0 || position > columns.len() {
                    self.error(
                        expression.span,
                        format!("position {digits} is not in select list"),
                        None,
                    );
                }
            }
            ExprKind::Column(path) if path.len() == 1 && columns.iter().any(|column| column.name == path[0].text) => {}
            _ => {
                self.expression(expression, scope);
            }
        }
    }
}

fn implied_name(expression: &Expr) -> Arc<str> {
    match &expression.kind {
        ExprKind::Column(path) => path.last().map_or_else(|| "".into(), |name| name.text.clone()),
        ExprKind::Function(call) => call.name.name.text.clone(),
        ExprKind::Cast { operand, .. } => implied_name(operand),
        _ => "?column?".into(),
    }
}
