//! Inside a function: its arguments, by number and by name.

use std::sync::Arc;

use syntax::{Name, Span};

use super::Binder;
use crate::catalog::{FunctionType, UserFunction};
use crate::error::{Fallible, unsupported};
use crate::expr::{Bound, BoundKind};
use crate::types::SqlType;

/// What a statement of a function may refer to besides tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    /// The function's name, by which an argument's can be qualified.
    function: Option<Arc<str>>,
    pub(crate) types: Vec<SqlType>,
    names: Vec<Option<Arc<str>>>,
}

impl Arguments {
    pub(crate) fn of(function: &UserFunction) -> Fallible<Arguments> {
        let known = |argument: &FunctionType| match argument {
            FunctionType::Is(data_type) => Ok(SqlType::Is(*data_type)),
            FunctionType::Other(name) => Err(unsupported(format!("an argument of type {name}"))),
        };
        Ok(Arguments {
            function: Some(function.name.clone()),
            types: function.arguments.iter().map(known).collect::<Fallible<_>>()?,
            names: function.names.clone(),
        })
    }

    /// A function has no more than it says.
    pub(super) fn lacks(&self, number: u32) -> bool {
        self.function.is_some() && number as usize > self.types.len()
    }

    fn position(&self, name: &Name) -> Option<usize> {
        self.names.iter().position(|found| found.as_ref() == Some(&name.text))
    }
}

impl Binder<'_> {
    /// The argument that a name means which no column has.
    pub(super) fn argument(&self, names: &[Name], span: Span) -> Option<Bound> {
        let at = match names {
            [name] => self.arguments.position(name)?,
            [function, name] if self.arguments.function.as_ref() == Some(&function.text) => {
                self.arguments.position(name)?
            }
            _ => return None,
        };
        let data_type = self.arguments.types[at];
        Some(Bound::new(BoundKind::Param(at as u32), data_type, span))
    }
}
