//! The static site: built and served by Trunk, weighed here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Failure, Result, announce, capture, cargo, root, run};
use crate::tools;

/// Brotli, in bytes: what a visitor downloads before anything is drawn. The aim is 250,000: what is drawn only when it is asked
/// for (a real PostgreSQL, the run view) has to become a file of its own.
const MOST_FOR_THE_PAGE: u64 = 310_000;
/// What is downloaded while the page can be read already.
const MOST_FOR_THE_WORKER: u64 = 1_200_000;

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
    let page = wasm_in(dist)?;
    let worker_folder = folder_of_the_worker(dist)?;
    let worker = wasm_in(&worker_folder)?;
    println!("  dist/ {:>9} kB in all", kilobytes(folder_size(dist)?));
    let mut heavy = Vec::new();
    for (name, file, most) in [
        ("page", page, MOST_FOR_THE_PAGE),
        ("worker", worker, MOST_FOR_THE_WORKER),
    ] {
        let raw = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
        let packed = brotli_size(&file)?;
        println!(
            "  {name:<6}{:>8} kB of wasm, {} kB brotli (at most {})",
            kilobytes(raw),
            kilobytes(packed),
            kilobytes(most)
        );
        if packed > most {
            heavy.push(format!(
                "the {name} weighs {} kB, at most {} are allowed",
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

fn wasm_in(folder: &Path) -> Result<PathBuf> {
    let is_wasm = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wasm");
    entries(folder)?
        .into_iter()
        .find(is_wasm)
        .ok_or_else(|| Failure(format!("There is no wasm in {}.", folder.display())))
}

fn folder_of_the_worker(dist: &Path) -> Result<PathBuf> {
    let is_it = |path: &PathBuf| {
        path.is_dir()
            && path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("worker-"))
    };
    entries(dist)?
        .into_iter()
        .find(is_it)
        .ok_or_else(|| Failure("The site has no worker.".to_owned()))
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

/// With Node's zlib, at the strongest setting, as a static host would store it.
fn brotli_size(file: &Path) -> Result<u64> {
    const SCRIPT: &str = "const { brotliCompressSync } = require('zlib'); \
         console.log(brotliCompressSync(require('fs').readFileSync(process.argv[1])).length)";
    let output = capture(Command::new("node").args(["-e", SCRIPT]).arg(file));
    output
        .text
        .trim()
        .parse()
        .map_err(|_| Failure(format!("Node could not weigh {}:\n{}", file.display(), output.text)))
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1_000.0)
}
