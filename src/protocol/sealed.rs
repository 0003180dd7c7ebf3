//! A report on its way: bytes that only whoever shows it reads. So the page's other parts do without the code that reads it,
//! which is a large piece of what they would weigh.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What can be sealed.
pub trait Report: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Report for T {}

/// Cheap to clone.
pub struct Sealed<T> {
    bytes: Arc<[u8]>,
    of: PhantomData<fn() -> T>,
}

impl<T: Report> Sealed<T> {
    /// # Errors
    ///
    /// As [`crate::encode`].
    pub fn new(report: &T) -> Result<Sealed<T>, String> {
        Ok(Sealed::of_bytes(crate::encode(report)?))
    }

    /// # Errors
    ///
    /// As [`crate::decode`].
    pub fn open(&self) -> Result<T, String> {
        crate::decode(&self.bytes)
    }
}

impl<T> Sealed<T> {
    fn of_bytes(bytes: Vec<u8>) -> Sealed<T> {
        Sealed {
            bytes: bytes.into(),
            of: PhantomData,
        }
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Sealed<T> {
        Sealed {
            bytes: Arc::clone(&self.bytes),
            of: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Sealed<T>) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.bytes.iter())
    }
}

impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sealed<T>, D::Error> {
        Ok(Sealed::of_bytes(Vec::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::Sealed;

    #[test]
    fn what_was_sealed_is_read_by_whoever_opens_it() {
        let sealed = Sealed::new(&vec!["a".to_owned(), "ü".to_owned()]).expect("it can travel");
        let bytes = crate::encode(&(7_u32, sealed)).expect("it can travel");
        let (number, arrived): (u32, Sealed<Vec<String>>) = crate::decode(&bytes).expect("it arrives");
        assert_eq!((number, arrived.open()), (7, Ok(vec!["a".to_owned(), "ü".to_owned()])));
    }
}
