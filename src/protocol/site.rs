//! What the site tells its pages: lists that are written when it is built, as messages travel.

use serde::{Deserialize, Serialize};

/// A scenario that comes with the site; `scenarios/index.bin` lists all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltIn {
    pub slug: String,
    /// As the scenario words it.
    pub title: String,
}

/// Where PGlite lies and what it weighs (`pglite.bin`): all that a page reads of it before somebody asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PgliteFiles {
    /// Below the site's root, with a slash at its end; named after what is in it.
    pub folder: String,
    pub bytes: u64,
    pub version: String,
}
