//! The static site: built and served by Trunk, weighed here.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Failure, Result, announce, capture, cargo, read, root, run};
use crate::{frame, tools};

/// Brotli, in bytes: scripts and WebAssembly that a visitor downloads before a page of the app is drawn.
const MOST_FOR_A_PAGE: u64 = 250_000;
/// The whole program: the other pages, and what is fetched when somebody asks for it.
const MOST_FOR_THE_PROGRAM: u64 = 425_000;
/// What is downloaded while the page can be read already.
const MOST_FOR_THE_WORKER: u64 = 1_500_000;

/// Builds, serves and rebuilds until interrupted.
pub(crate) fn serve(port: u16) -> Result<()> {
    let tools = tools::for_the_site()?;
    fetch_crates()?;
    println!("→ build, then serve at http://127.0.0.1:{port}/ (Ctrl+C ends it; changes are rebuilt)");
    let mut trunk = tools.command("trunk");
    trunk.args(["serve", "--port", &port.to_string()]);
    quiet(&mut trunk);
    run(
        &mut trunk,
        &format!("Trunk stopped: its messages above say why; is port {port} free? (--port N takes another.)"),
    )
}

/// Builds `dist/` and prints what it weighs.
pub(crate) fn build() -> Result<()> {
    let tools = tools::for_the_site()?;
    fetch_crates()?;
    announce("build the site (Trunk, optimised)", || {
        let mut trunk = tools.command("trunk");
        trunk.args(["build", "--release"]);
        quiet(&mut trunk);
        run(&mut trunk, "The site could not be built: the messages above say why.")
    })?;
    weigh(&root().join("dist"))
}

/// Trunk builds offline: whatever the lock file names is fetched before, visibly.
fn fetch_crates() -> Result<()> {
    let offline = capture(cargo().args(["metadata", "--format-version", "1", "--offline", "--locked", "--quiet"]));
    if offline.success {
        return Ok(());
    }
    announce("fetch the crates that Cargo.lock names", || {
        run(
            cargo().args(["fetch", "--locked", "--quiet"]),
            "Crates could not be fetched: is there a way to crates.io?",
        )
    })
}

fn quiet(trunk: &mut Command) {
    // Trunk takes only `true` and `false` here, and other tools set it to `1`.
    trunk.env_remove("NO_COLOR");
    trunk.args(["--log", "warn"]);
}

/// Prints the sizes; fails above the limits.
fn weigh(dist: &Path) -> Result<()> {
    println!("  dist/ {:>15} kB in all", kilobytes(folder_size(dist)?));
    let mut weighed = Vec::new();
    for path in frame::APP.into_iter().chain(frame::WITH_THE_APP) {
        weighed.push((path, loaded_at_once(dist, path)?, MOST_FOR_A_PAGE));
    }
    weighed.push(("program", entries(&folder_named(dist, "app-")?)?, MOST_FOR_THE_PROGRAM));
    weighed.push(("worker", entries(&folder_named(dist, "worker-")?)?, MOST_FOR_THE_WORKER));
    let mut heavy = Vec::new();
    for (name, files, most) in weighed {
        let raw = files
            .iter()
            .map(|file| std::fs::metadata(file).map_or(0, |file| file.len()))
            .sum();
        let packed = brotli_size(&files)?;
        println!(
            "  {name:<9}{:>8} kB of scripts and wasm, {} kB brotli (at most {})",
            kilobytes(raw),
            kilobytes(packed),
            kilobytes(most)
        );
        if packed > most {
            heavy.push(format!(
                "{name} weighs {} kB, at most {} are allowed",
                kilobytes(packed),
                kilobytes(most)
            ));
        }
    }
    if heavy.is_empty() {
        Ok(())
    } else {
        Err(Failure(format!("Too heavy: {}.", heavy.join("; "))))
    }
}

/// What a page of the app says in its head that it loads, and the script that starts it.
fn loaded_at_once(dist: &Path, path: &str) -> Result<Vec<PathBuf>> {
    let folder = dist.join(path);
    let page = read(&folder.join("index.html"))?;
    let links = page
        .split("<link")
        .filter(|link| link.contains("rel=\"preload\"") || link.contains("rel=\"modulepreload\""));
    let place = |link: &str| Some(folder.join(link.split_once("href=\"")?.1.split_once('"')?.0));
    let mut files: Vec<PathBuf> = links.filter_map(place).collect();
    if files.is_empty() {
        return Err(Failure(format!("{path} does not say what it loads.")));
    }
    files.push(dist.join("start.js"));
    Ok(files)
}

/// Gives a folder the name of what is in it, so that a cached page never meets files of another build: `app-<hash>`.
pub(crate) fn named_by_content(folder: &Path) -> Result<String> {
    let failure = |error| Failure(format!("{}: {error}.", folder.display()));
    let mut hasher = DefaultHasher::new();
    for file in entries(folder)? {
        hasher.write(&std::fs::read(&file).map_err(failure)?);
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{name}-{:016x}", hasher.finish());
    std::fs::rename(folder, folder.with_file_name(&name)).map_err(failure)?;
    Ok(name)
}

fn folder_named(dist: &Path, beginning: &str) -> Result<PathBuf> {
    let is_it = |path: &PathBuf| {
        path.is_dir()
            && path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(beginning))
    };
    entries(dist)?
        .into_iter()
        .find(is_it)
        .ok_or_else(|| Failure(format!("The site has no folder {beginning}….")))
}

/// In order of name.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failure = |error| Failure(format!("{} cannot be read: {error}.", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        paths.push(entry.map_err(failure)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn folder_size(folder: &Path) -> Result<u64> {
    entries(folder)?.into_iter().try_fold(0, |sum, path| {
        Ok(sum
            + if path.is_dir() {
                folder_size(&path)?
            } else {
                std::fs::metadata(&path).map_or(0, |file| file.len())
            })
    })
}

/// With Node's zlib, at the strongest setting, as a static host would store them.
fn brotli_size(files: &[PathBuf]) -> Result<u64> {
    const SCRIPT: &str = "const { brotliCompressSync } = require('zlib'); \
         const sizes = process.argv.slice(1).map((file) => brotliCompressSync(require('fs').readFileSync(file)).length); \
         console.log(sizes.reduce((sum, size) => sum + size, 0))";
    let output = capture(Command::new("node").args(["-e", SCRIPT]).args(files));
    output
        .text
        .trim()
        .parse()
        .map_err(|_| Failure(format!("Node could not weigh the site:\n{}", output.text)))
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1_000.0)
}
