//! Statements of an operation on their way to steps, and why one cannot go.

use base::Type;
use scenario::{Action, Compensation, Operation, Statement};

use crate::sql::{facts, typed};

/// A statement of an operation; perhaps rewritten, so that it reads nothing of other owners.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// Its place among the operation's statements, from 0.
    pub(crate) index: u16,
    pub(crate) statement: Statement,
    /// Runs once per row of a row set, its columns bound to these variables.
    pub(crate) per_row: Option<PerRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PerRow {
    pub(crate) rows: String,
    pub(crate) columns: Vec<String>,
}

/// Why a design cannot express a statement, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) index: u16,
    pub(crate) reason: String,
    pub(crate) hint: Option<String>,
}

impl Refused {
    pub(crate) fn new(index: u16, reason: impl Into<String>, hint: impl Into<String>) -> Refused {
        Refused {
            index,
            reason: reason.into(),
            hint: Some(hint.into()),
        }
    }
}

impl Item {
    /// The operation's statements, ready to be sent: see [`typed`].
    pub(crate) fn all(operation: &Operation) -> Vec<Item> {
        let numbered = operation.statements.iter().zip(0..);
        let item = |(statement, index): (&Statement, u16)| {
            let mut statement = statement.clone();
            let type_of = |name: &str| variable_type(operation, name);
            if let Action::Sql(sql) = &mut statement.action {
                typed::cast_variables(sql, &type_of);
            }
            if let Compensation::Written(sql) = &mut statement.marks.compensation {
                typed::cast_variables(sql, &type_of);
            }
            Item {
                index,
                statement,
                per_row: None,
            }
        };
        numbered.map(item).collect()
    }

    pub(crate) fn sql(&self) -> Option<&syntax::Statement> {
        match &self.statement.action {
            Action::Sql(sql) => Some(sql),
            Action::AbortWhen { .. } | Action::Call { .. } => None,
        }
    }

    pub(crate) fn writes(&self) -> bool {
        !self.statement.writes.is_empty()
    }

    pub(crate) fn is_external(&self) -> bool {
        matches!(self.statement.action, Action::Call { .. })
    }

    /// Can it fail though every engine and link is well: EXPECT, ABORT WHEN?
    pub(crate) fn decides(&self) -> bool {
        matches!(self.statement.action, Action::AbortWhen { .. }) || self.statement.expect_rows.is_some()
    }

    /// What it uses: parameters, variables, row sets.
    pub(crate) fn uses(&self) -> Vec<String> {
        let mut names = match &self.statement.action {
            Action::Sql(sql) => facts::variables(sql),
            Action::AbortWhen { condition, .. } => facts::variables_of(condition),
            Action::Call { arguments, .. } => arguments.iter().flat_map(facts::variables_of).collect(),
        };
        if let Some(per_row) = &self.per_row {
            names.retain(|name| !per_row.columns.contains(name));
            names.push(per_row.rows.clone());
        }
        names
    }

    /// The variables that it binds.
    pub(crate) fn binds(&self) -> Vec<String> {
        self.sql().map(facts::into).unwrap_or_default()
    }
}

/// Each name once, in order.
pub(crate) fn distinct(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut all = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// The type of a parameter or variable of an operation.
pub(crate) fn variable_type(operation: &Operation, name: &str) -> Option<Type> {
    let parameter = operation
        .parameters
        .iter()
        .find(|p| p.name == name)
        .map(|p| p.data_type);
    let variable = || operation.variables.iter().find(|v| v.name == name).map(|v| v.data_type);
    parameter.or_else(variable)
}
