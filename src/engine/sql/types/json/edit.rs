//! Documents from documents: `||`, `-`, `jsonb_set`.

use base::Value;

use super::{Json, key_order, object, refused};
use crate::error::{Fallible, error, state};

/// `left || right`: two objects as one, all else as arrays, end to end.
pub(crate) fn concat(left: Json, right: Json) -> Json {
    match (left, right) {
        (Json::Object(mut members), Json::Object(others)) => {
            members.extend(others);
            object(members)
        }
        (left, right) => {
            let mut items = items_of(left);
            items.append(&mut items_of(right));
            Json::Array(items)
        }
    }
}

fn items_of(document: Json) -> Vec<Json> {
    match document {
        Json::Array(items) => items,
        other => vec![other],
    }
}

/// `document - 'key'`: a member, or an array's texts that are so.
pub(crate) fn delete_key(mut document: Json, key: &str) -> Fallible<Json> {
    match &mut document {
        Json::Object(members) => members.retain(|(known, _)| **known != *key),
        Json::Array(items) => items.retain(|item| !matches!(item, Json::Text(text) if **text == *key)),
        _ => return Err(refused("cannot delete from scalar")),
    }
    Ok(document)
}

/// `document - index`, from the end if negative.
pub(crate) fn delete_index(mut document: Json, index: i64) -> Fallible<Json> {
    match &mut document {
        Json::Array(items) => {
            let length = items.len() as i64;
            let at = if index < 0 { index + length } else { index };
            if (0..length).contains(&at) {
                items.remove(at as usize);
            }
        }
        Json::Object(_) => return Err(refused("cannot delete from object using integer index")),
        _ => return Err(refused("cannot delete from scalar")),
    }
    Ok(document)
}

/// `jsonb_set(document, path, value, create)`: only the path's last step is created.
pub(crate) fn set(mut document: Json, path: &[Value], value: Json, create: bool) -> Fallible<Json> {
    if document.is_scalar() {
        return Err(refused("cannot set path in scalar"));
    }
    let empty = matches!(&document, Json::Array(items) if items.is_empty())
        || matches!(&document, Json::Object(members) if members.is_empty());
    if !path.is_empty() && (create || !empty) {
        set_within(&mut document, path, 0, value, create)?;
    }
    Ok(document)
}

fn set_within(document: &mut Json, path: &[Value], level: usize, value: Json, create: bool) -> Fallible<()> {
    let Some(step) = path[level].as_str() else {
        let message = format!("path element at position {} is null", level + 1);
        return Err(error(state::NULL_VALUE_NOT_ALLOWED, message));
    };
    let last = level + 1 == path.len();
    let found = match document {
        Json::Object(members) => match members.binary_search_by(|(known, _)| key_order(known, step)) {
            Ok(at) => &mut members[at].1,
            Err(at) => {
                if last && create {
                    members.insert(at, (step.into(), value));
                }
                return Ok(());
            }
        },
        Json::Array(items) => {
            let index = array_index(step, level)?;
            let length = items.len() as i64;
            let at = if index < 0 { index + length } else { index };
            match usize::try_from(at).ok().filter(|at| *at < items.len()) {
                Some(at) => &mut items[at],
                None => {
                    if last && create {
                        items.insert(if at < 0 { 0 } else { items.len() }, value);
                    }
                    return Ok(());
                }
            }
        }
        _ => return Ok(()),
    };
    if last {
        *found = value;
        return Ok(());
    }
    set_within(found, path, level + 1, value, create)
}

fn array_index(step: &str, level: usize) -> Fallible<i64> {
    step.trim_start().parse::<i32>().map(i64::from).map_err(|_| {
        let message = format!("path element at position {} is not an integer: \"{step}\"", level + 1);
        error(state::INVALID_TEXT, message)
    })
}
