//! Running other programs: what is said before and after, how long it took, and failure as a sentence.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One sentence for the person at the terminal.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// The Cargo that started us, so that the toolchain is the same.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where Cargo puts what it builds.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let metadata = capture(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--quiet"]));
    let metadata: serde_json::Value = serde_json::from_str(metadata.text.trim()).unwrap_or_default();
    let folder = metadata["target_directory"].as_str().map(PathBuf::from);
    folder.ok_or_else(|| Failure("Cargo does not say where it builds.".to_owned()))
}

/// `3.4 s`, `2 min 05 s`
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds < 60 {
        format!("{:.1} s", span.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// Says what begins, runs it with its output visible, says how long it took.
pub(crate) fn announce<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("→ {what}");
    let start = Instant::now();
    let result = work();
    println!(
        "  {} after {}",
        if result.is_ok() { "done" } else { "stopped" },
        duration(start.elapsed())
    );
    result
}

/// Runs a program with its output visible; `sentence` is what to say if it fails.
pub(crate) fn run(command: &mut Command, sentence: &str) -> Result<()> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure(sentence.to_owned())),
        Err(error) => Err(Failure(format!("{sentence} ({}: {error})", program(command)))),
    }
}

/// What a program printed, both streams in one text.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) success: bool,
    pub(crate) text: String,
}

/// Runs a program and keeps what it prints.
pub(crate) fn capture(command: &mut Command) -> Captured {
    match command.stdin(Stdio::null()).output() {
        Ok(output) => {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            Captured {
                success: output.status.success(),
                text,
            }
        }
        Err(error) => Captured {
            success: false,
            text: format!("{}: {error}\n", program(command)),
        },
    }
}

/// Where `name` is found on PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path)
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file())
}

pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Failure(format!("{} cannot be read: {error}.", path.display())))
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, content).map_err(|error| Failure(format!("{} cannot be written: {error}.", path.display())))
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(Duration::from_millis(3_440)), "3.4 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
    }
}
