//! Storage parameters: `WITH (fillfactor = 70)`.

use syntax::StorageParameter;

use crate::SqlError;
use crate::error::{Fallible, error, state, unsupported};

/// Of a table: how full a page may get with new rows, in percent.
pub(super) fn table_fill(parameters: &[StorageParameter]) -> Fallible<u8> {
    let mut fill = 100;
    for parameter in parameters {
        match &*parameter.name.text {
            "fillfactor" => fill = fill_factor(parameter, 10)?,
            name if name.starts_with("autovacuum_") || name == "toast_tuple_target" || name == "parallel_workers" => {
                return Err(unsupported(format!("the storage parameter {name}")).at(parameter.name.span));
            }
            _ => return Err(unrecognized(parameter)),
        }
    }
    Ok(fill)
}

/// A percentage of at least `least`.
pub(super) fn fill_factor(parameter: &StorageParameter, least: u8) -> Fallible<u8> {
    let text = parameter.value.as_deref().unwrap_or("true");
    let number: i64 = text.parse().map_err(|_| {
        let message = format!("invalid value for integer option \"fillfactor\": {text}");
        error(state::INVALID_PARAMETER_VALUE, message)
    })?;
    match u8::try_from(number) {
        Ok(fill) if (least..=100).contains(&fill) => Ok(fill),
        _ => {
            let message = format!("value {text} out of bounds for option \"fillfactor\"");
            Err(error(state::INVALID_PARAMETER_VALUE, message)
                .detail(format!("Valid values are between \"{least}\" and \"100\".")))
        }
    }
}

pub(super) fn unrecognized(parameter: &StorageParameter) -> Box<SqlError> {
    let message = format!("unrecognized parameter \"{}\"", parameter.name.text);
    error(state::INVALID_PARAMETER_VALUE, message)
}
