//! PGlite for the site: packed once for a version (`pglite.mjs`), kept in `target/`, copied into each build.
//!
//! ```text
//! pglite.bin             where it lies and what it weighs: all that a page reads before somebody asks for it
//! pglite-<hash>/…        its files, under a name that changes with them
//! postgres-15-18.json    where its version is known to differ from the one that our engine follows
//! ```

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;

use protocol::PgliteFiles;
use serde_json::Value;

use crate::eighteen;
use crate::shell::{Failure, Result, announce, read, root, run, write};
use crate::site::entries;

/// Where a file came from decides what it is.
const SOURCES: [&str; 3] = [
    "node_modules/@electric-sql/pglite/package.json",
    "src/pglite/worker.js",
    "xtask/pglite.mjs",
];

/// Copies it into the site.
pub(crate) fn add_to(site: &Path) -> Result<()> {
    let packed = packed()?;
    let files = entries(&packed)?;
    let mut hasher = DefaultHasher::new();
    for file in &files {
        hasher.write(&std::fs::read(file).map_err(|error| unreadable(file, &error))?);
    }
    let folder = format!("pglite-{:016x}", hasher.finish());
    let to = site.join(&folder);
    std::fs::create_dir_all(&to).map_err(|error| Failure(format!("{}: {error}.", to.display())))?;
    for file in &files {
        let name = file.file_name().unwrap_or_default();
        std::fs::copy(file, to.join(name)).map_err(|error| unreadable(file, &error))?;
    }
    let list: Value = read(&packed.join("files.json"))?
        .parse()
        .map_err(|error| Failure(format!("PGlite's list of files: {error}.")))?;
    let (Some(bytes), Some(version)) = (list["bytes"].as_u64(), list["version"].as_str()) else {
        return Err(Failure(
            "PGlite's list of files says neither its size nor its version.".to_owned(),
        ));
    };
    let files = PgliteFiles {
        folder: format!("{folder}/"),
        bytes,
        version: version.to_owned(),
    };
    write(&site.join("pglite.bin"), protocol::encode(&files).map_err(Failure)?)?;
    write(&site.join("postgres-15-18.json"), read(&eighteen::table())?)
}

/// The folder with its files.
pub(crate) fn packed() -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        hasher.write(read(&root().join(source))?.as_bytes());
    }
    let folder = root().join(format!("target/pglite-{:016x}", hasher.finish()));
    // Written last of all its files.
    if !folder.join("files.json").is_file() {
        announce("pack PGlite for the site, with a data directory that is ready", || {
            run(
                Command::new("node").arg(root().join("xtask/pglite.mjs")).arg(&folder),
                "PGlite could not be packed: the messages above say why.",
            )
        })?;
    }
    Ok(folder)
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{} cannot be copied: {error}.", file.display()))
}
