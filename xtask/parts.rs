//! The app's program, cut into the parts that `src/ui/page/part.rs` names: a page loads what it shows, and the rest when
//! somebody asks for it.
//!
//! ```text
//! app.wasm ─ cut ─┬─ what all parts use ─ wasm-bindgen ─▶ app.js, app_bg.wasm ─┬─ wasm-opt ─▶ app-<hash>/
//! (from Cargo)    └─ the parts, and what several of them share ────────────────┘
//! ```
//!
//! Trunk has bound the program whole, which is of no use: what it wrote goes. Its compiler's output has what cutting
//! needs, since `src/app/build.rs` asks the linker for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::shell::{Failure, Result, capture, run, target_folder};
use crate::site::{entries, named_by_content};

/// What Rust's output makes use of.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-multivalue",
    "--enable-reference-types",
];

/// What loads the parts; the program's scripts and the cutter know it under this name.
const LOADER: &str = "__wasm_split.js";

#[derive(Debug)]
pub(crate) struct Program {
    /// Below the site's root: `app-<hash>`.
    folder: String,
    /// The files of a part, with those that it shares.
    parts: BTreeMap<String, Vec<String>>,
}

impl Program {
    pub(crate) fn script(&self) -> String {
        format!("./{}/app.js", self.folder)
    }

    pub(crate) fn wasm(&self) -> String {
        format!("./{}/app_bg.wasm", self.folder)
    }

    /// Says in a page's head what it is about to load, so that nothing waits for a script to ask for it.
    pub(crate) fn preloads(&self, part: &str) -> Result<String> {
        let parts = self.parts.get(part).ok_or_else(|| {
            Failure(format!(
                "The program has no part named {part}: see src/ui/page/part.rs."
            ))
        })?;
        let script = |name: &str| format!("<link rel=\"modulepreload\" href=\"./{}/{name}\">", self.folder);
        let wasm = |name: &str| {
            let place = format!("./{}/{name}.wasm", self.folder);
            format!("<link rel=\"preload\" href=\"{place}\" as=\"fetch\" type=\"application/wasm\" crossorigin>")
        };
        let mut lines = vec![script("app.js"), script(LOADER), wasm("app_bg")];
        lines.extend(parts.iter().map(|name| wasm(name)));
        Ok(lines.join("\n    "))
    }
}

/// Puts the program into the site; as it is while developing, else as small as can be.
pub(crate) fn add_to(site: &Path, developing: bool) -> Result<Program> {
    remove_whole(site)?;
    let profile = if developing { "debug" } else { "page" };
    let compiled = target_folder()?.join(format!("wasm32-unknown-unknown/{profile}/app.wasm"));
    let folder = site.join("app");
    let parts = cut(&compiled, &folder)?;
    bind(&folder)?;
    if !developing {
        for file in entries(&folder)?.iter().filter(|file| is_wasm(file)) {
            shrink(file)?;
        }
    }
    Ok(Program {
        folder: named_by_content(&folder)?,
        parts,
    })
}

/// What Trunk wrote.
fn remove_whole(site: &Path) -> Result<()> {
    for file in entries(site)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("app-") && file.is_file() {
            std::fs::remove_file(&file).map_err(|error| failed(&file, &error))?;
        }
    }
    Ok(())
}

/// Gives the files of each part.
fn cut(compiled: &Path, folder: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let program = std::fs::read(compiled).map_err(|error| failed(compiled, &error))?;
    let shared = folder.join("app.wasm");
    let loader = format!("./{LOADER}");
    let mut options = wasm_split_cli_support::Options::new(&program);
    options.output_dir = folder;
    options.main_out_path = &shared;
    options.main_module = "./app.js";
    options.link_name = &loader;
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let cut = wasm_split_cli_support::transform(options);
    let cut = cut.map_err(|error| Failure(format!("{} could not be cut: {error:#}.", compiled.display())))?;
    Ok(cut.prefetch_map.into_iter().collect())
}

fn bind(folder: &Path) -> Result<()> {
    let shared = folder.join("app.wasm");
    let mut bindgen = Command::new("wasm-bindgen");
    bindgen.args(["--target", "web", "--no-typescript", "--keep-lld-exports", "--out-dir"]);
    run(
        bindgen.arg(folder).arg(&shared),
        "wasm-bindgen could not bind the program: the messages above say why.",
    )?;
    std::fs::remove_file(&shared).map_err(|error| failed(&shared, &error))
}

fn shrink(file: &Path) -> Result<()> {
    let mut opt = Command::new("wasm-opt");
    // In the order of their names functions that are alike are neighbours, which packs better.
    opt.args(["-Oz", "--reorder-functions-by-name"]).args(WASM_FEATURES);
    // What it prints while it succeeds is about names, which go.
    let shrunk = capture(opt.arg(file).arg("-o").arg(file));
    if shrunk.success {
        return Ok(());
    }
    Err(Failure(format!(
        "wasm-opt could not shrink {}:\n{}",
        file.display(),
        shrunk.text
    )))
}

pub(crate) fn is_wasm(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "wasm")
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}.", path.display()))
}

#[cfg(test)]
impl Program {
    pub(crate) fn of(folder: &str, parts: &[(&str, &[&str])]) -> Program {
        let owned = |name: &&str| (*name).to_owned();
        let parts = parts
            .iter()
            .map(|(part, files)| (owned(part), files.iter().map(owned).collect()));
        Program {
            folder: folder.to_owned(),
            parts: parts.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_files_of_its_part() {
        let program = Program::of("app-1", &[("lab", &["chunk_5", "split_lab"])]);
        let head = program.preloads("lab").unwrap();
        for file in ["app.js", LOADER, "app_bg.wasm", "chunk_5.wasm", "split_lab.wasm"] {
            assert!(head.contains(&format!("href=\"./app-1/{file}\"")), "{file}: {head}");
        }
        assert!(program.preloads("attic").is_err());
    }
}
