//! Pages of keys: ListObjectsV2.

use std::ops::Bound;
use std::sync::Arc;

use base::{SortedMap, from_hex, hex};

use crate::failure::{Failure, FailureName};
use crate::object::Object;
use crate::request::{List, Page};
use crate::service::MAX_KEYS;

/// What a page ended with.
enum Last {
    Key(Vec<u8>),
    /// All keys that begin so are behind.
    Prefix(Vec<u8>),
}

pub(crate) fn page(objects: &SortedMap<Arc<Object>>, list: &List) -> Result<Page, Failure> {
    let room = list.max_keys.min(MAX_KEYS) as usize;
    let mut page = Page::default();
    let mut last = start(list)?;
    if room == 0 {
        return Ok(page);
    }
    while let Some((key, object)) = next(objects, list, last.as_ref()) {
        if page.objects.len() + page.common_prefixes.len() == room {
            page.next = last.map(|last| token(&last));
            break;
        }
        match rolled_up(key, list) {
            Some(prefix) => {
                page.common_prefixes.push(prefix.into());
                last = Some(Last::Prefix(prefix.as_bytes().to_vec()));
            }
            None => {
                page.objects.push((key.into(), Arc::clone(object)));
                last = Some(Last::Key(key.as_bytes().to_vec()));
            }
        }
    }
    Ok(page)
}

fn start(list: &List) -> Result<Option<Last>, Failure> {
    match (&list.continuation, &list.start_after) {
        (Some(token), _) => {
            let words = "The continuation token provided is incorrect";
            let wrong = || Failure::worded(FailureName::InvalidArgument, words);
            last_of(token).map(Some).ok_or_else(wrong)
        }
        (None, Some(key)) => Ok(Some(Last::Key(key.as_bytes().to_vec()))),
        (None, None) => Ok(None),
    }
}

/// The first object behind the last one that has the prefix.
fn next<'o>(
    objects: &'o SortedMap<Arc<Object>>,
    list: &List,
    last: Option<&Last>,
) -> Option<(&'o str, &'o Arc<Object>)> {
    let prefix = list.prefix.as_bytes();
    let behind: Vec<u8>;
    let from = match last {
        Some(Last::Key(key)) if **key >= *prefix => Bound::Excluded(key.as_slice()),
        Some(Last::Prefix(rolled)) => {
            // No byte of UTF-8 is 255: behind everything that begins so.
            behind = [rolled, &[u8::MAX][..]].concat();
            Bound::Included(behind.as_slice())
        }
        _ => Bound::Included(prefix),
    };
    let (key, object) = objects.range(from, Bound::Unbounded).next()?;
    let key = std::str::from_utf8(key).ok()?;
    key.starts_with(&*list.prefix).then_some((key, object))
}

/// The common prefix that stands for a key, if one does.
fn rolled_up<'k>(key: &'k str, list: &List) -> Option<&'k str> {
    let delimiter = list.delimiter.as_ref().filter(|delimiter| !delimiter.is_empty())?;
    let rest = &key[list.prefix.len()..];
    let at = rest.find(&**delimiter)?;
    Some(&key[..list.prefix.len() + at + delimiter.len()])
}

/// Nobody's business but ours, as S3's tokens are.
fn token(last: &Last) -> Arc<str> {
    match last {
        Last::Key(key) => format!("k{}", hex(key)),
        Last::Prefix(prefix) => format!("p{}", hex(prefix)),
    }
    .into()
}

fn last_of(token: &str) -> Option<Last> {
    if let Some(key) = token.strip_prefix('k') {
        return Some(Last::Key(from_hex(key)?));
    }
    Some(Last::Prefix(from_hex(token.strip_prefix('p')?)?))
}
