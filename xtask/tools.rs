//! What a build needs beyond Rust, Node and git: installed once per version, outside of the project,
//! in `$ADR_LAB_TOOLS`, else `$XDG_CACHE_HOME/adr-lab`, else `~/.cache/adr-lab`.
//!
//! A tool of the right version on PATH counts as installed. npm's packages lie in `node_modules/` and
//! are installed again only when `package-lock.json` has changed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Failure, Result, announce, capture, cargo, on_path, read, root, run, write};

struct Tool {
    /// The folder is `<name>-<version>`; the program has this name, too.
    name: &'static str,
    package: &'static str,
    version: &'static str,
    /// With the versions of its own lock file. (wasm-bindgen's names a crate that does not resolve.)
    locked: bool,
}

const TRUNK: Tool = Tool {
    name: "trunk",
    package: "trunk",
    version: "0.21.14",
    locked: true,
};
/// The same version as the crate `wasm-bindgen` in Cargo.toml.
const WASM_BINDGEN: Tool = Tool {
    name: "wasm-bindgen",
    package: "wasm-bindgen-cli",
    version: "0.2.130",
    locked: false,
};
const WASM_PACK: Tool = Tool {
    name: "wasm-pack",
    package: "wasm-pack",
    version: "0.15.1",
    locked: true,
};

const OLDEST_NODE: u32 = 20;

/// The folders that hold the tools, to be searched before PATH.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    folders: Vec<PathBuf>,
}

/// For `serve` and `build`.
pub(crate) fn for_the_site() -> Result<Tools> {
    wasm_target()?;
    npm_packages()?;
    let mut tools = Tools {
        folders: vec![root().join("node_modules/.bin")],
    };
    for tool in [&TRUNK, &WASM_BINDGEN] {
        tools.folders.extend(install(tool)?);
    }
    Ok(tools)
}

/// For the unit tests that run in a browser.
pub(crate) fn for_wasm_tests() -> Result<Tools> {
    wasm_target()?;
    let mut tools = Tools::default();
    for tool in [&WASM_PACK, &WASM_BINDGEN] {
        tools.folders.extend(install(tool)?);
    }
    Ok(tools)
}

impl Tools {
    /// A command that finds the tools before anything else on PATH.
    pub(crate) fn command(&self, program: &str) -> Command {
        let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
        let found = self
            .folders
            .iter()
            .map(|folder| folder.join(&file))
            .find(|path| path.is_file());
        let mut command = found.map_or_else(|| Command::new(program), Command::new);
        command.env("PATH", self.path());
        command
    }

    fn path(&self) -> OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.folders.iter().cloned().chain(std::env::split_paths(&path));
        std::env::join_paths(folders).unwrap_or(path)
    }
}

/// The folder to put before PATH; `None` if the right version is there already.
fn install(tool: &Tool) -> Result<Option<PathBuf>> {
    let folder = toolbox()?.join(format!("{}-{}", tool.name, tool.version));
    let program = folder
        .join("bin")
        .join(format!("{}{}", tool.name, std::env::consts::EXE_SUFFIX));
    if program.is_file() {
        return Ok(Some(folder.join("bin")));
    }
    if has_version(tool) {
        return Ok(None);
    }
    announce(
        &format!("install {} {} (once; takes some minutes)", tool.package, tool.version),
        || {
            let mut command = cargo();
            command
                .args(["install", "--quiet", tool.package, "--version", tool.version, "--root"])
                .arg(&folder);
            if tool.locked {
                command.arg("--locked");
            }
            // A tool that runs for seconds is not worth minutes of optimising it.
            command
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
                .env("CARGO_PROFILE_RELEASE_LTO", "off");
            command.env_remove("CARGO_TARGET_DIR");
            let sentence = format!(
                "{} {} could not be installed: is there a way to crates.io? (`cargo install {} --version {}` shows more.)",
                tool.package, tool.version, tool.package, tool.version
            );
            run(&mut command, &sentence)
        },
    )?;
    Ok(Some(folder.join("bin")))
}

fn has_version(tool: &Tool) -> bool {
    on_path(tool.name).is_some_and(|program| {
        let output = capture(Command::new(program).arg("--version"));
        output.success && output.text.split_whitespace().any(|word| word == tool.version)
    })
}

/// Where what is installed lies.
pub(crate) fn toolbox() -> Result<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("ADR_LAB_TOOLS")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("adr-lab")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache/adr-lab")))
        .ok_or_else(|| Failure("There is no home folder for the tools: set ADR_LAB_TOOLS to a folder.".to_owned()))
}

/// Rustup adds what `rust-toolchain.toml` names when it installs a toolchain, not to one that was there before.
pub(crate) fn wasm_target() -> Result<()> {
    let sysroot = capture(Command::new("rustc").args(["--print", "sysroot"]));
    if Path::new(sysroot.text.trim())
        .join("lib/rustlib/wasm32-unknown-unknown/lib")
        .is_dir()
    {
        return Ok(());
    }
    announce("install Rust's target wasm32-unknown-unknown", || {
        run(
            Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]),
            "Rust's target wasm32-unknown-unknown could not be installed: is rustup there, and a network?",
        )
    })
}

/// `npm ci`, unless what lies in `node_modules/` came from this very lock file.
pub(crate) fn npm_packages() -> Result<()> {
    node()?;
    let lock = read(&root().join("package-lock.json"))?;
    let stamp = root().join("node_modules/.installed-from");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    announce("install npm packages (npm ci)", || {
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        run(
            Command::new(npm).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]),
            "`npm ci` failed: is npm installed, and a way to its registry there?",
        )?;
        write(&stamp, &lock)
    })
}

/// Node 20 or newer, or a sentence.
pub(crate) fn node() -> Result<()> {
    let output = capture(Command::new("node").arg("--version"));
    let version = output.text.trim().trim_start_matches('v');
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if output.success && major >= OLDEST_NODE => Ok(()),
        Some(_) if output.success => Err(Failure(format!(
            "Node {OLDEST_NODE} or newer is needed, and this is {version}: see https://nodejs.org."
        ))),
        _ => Err(Failure(format!(
            "Node {OLDEST_NODE} or newer is needed, with npm: see https://nodejs.org."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_has_the_version_of_the_crate() {
        let manifest: toml_edit::DocumentMut = read(&root().join("Cargo.toml")).unwrap().parse().unwrap();
        let required = manifest["workspace"]["dependencies"]["wasm-bindgen"].as_str().unwrap();
        assert_eq!(required, format!("={}", WASM_BINDGEN.version));
    }

    #[test]
    fn the_lock_file_names_no_registry() {
        assert!(
            !read(&root().join("package-lock.json"))
                .unwrap()
                .contains("\"resolved\"")
        );
    }
}
