//! Where a scenario comes from: its built-in name, a file, or standard input.

use std::io::Read;
use std::path::Path;

use experiment::library;

/// A scenario's text and how to call it in messages.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) text: String,
}

/// # Errors
///
/// One sentence: there is neither a file nor a built-in scenario of that name, or it cannot be read.
pub(crate) fn read(scenario: &str) -> Result<Input, String> {
    if scenario == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| format!("standard input: {error}"))?;
        return Ok(Input {
            name: "standard input".to_owned(),
            slug: "own".to_owned(),
            text,
        });
    }
    if let Some(built_in) = library::scenario(scenario) {
        let name = format!("{scenario}.toml");
        return Ok(Input {
            name,
            slug: scenario.to_owned(),
            text: built_in.text.to_owned(),
        });
    }
    let path = Path::new(scenario);
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let slug = path
                .file_stem()
                .map_or_else(|| "own".to_owned(), |stem| stem.to_string_lossy().into_owned());
            Ok(Input {
                name: scenario.to_owned(),
                slug,
                text,
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let known: Vec<&str> = library::SCENARIOS.iter().map(|built_in| built_in.slug).collect();
            Err(format!(
                "{scenario}: no such file, and no built-in scenario (there are: {})",
                known.join(", ")
            ))
        }
        Err(error) => Err(format!("{scenario}: {error}")),
    }
}
