//! `adr-lab iso`: a schedule of several sessions on standard input, run on a fresh server, printed as PostgreSQL's
//! isolationtester prints it; or all its interleavings against the serial orders; or the matrix of anomalies.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use experiment::schedule::{self, InterleavingsJob, Orders};
use experiment::{Job, Progress, library};

use crate::Print;
use crate::commands::printed;

/// Prints what the schedule gives, and why it ends early.
pub(crate) fn run(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let mut text = String::new();
    input.read_to_string(&mut text)?;
    let spec = schedule::parse(&text).map_err(io::Error::other)?;
    let (printed, ended) = schedule::run(&spec);
    output.write_all(printed.as_bytes())?;
    output.flush()?;
    ended.map_err(io::Error::other)
}

/// `--enumerate`
pub(crate) fn enumerate(form: Print) -> Result<ExitCode, String> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    let mut job = InterleavingsJob::new(&text, Orders::All, None).map_err(|found| told(&found))?;
    loop {
        match job.step(u64::MAX) {
            Progress::Running { .. } => {}
            Progress::Finished(report) => return printed(&*report, &report.document(), form),
            Progress::Failed(found) => return Err(told(&found)),
        }
    }
}

/// `--matrix`
pub(crate) fn matrix(form: Print) -> Result<ExitCode, String> {
    let matrix = schedule::matrix(library::ANOMALIES)?;
    printed(&matrix, &matrix.document(), form)
}

fn told(found: &[scenario::Diagnostic]) -> String {
    let one = |found: &scenario::Diagnostic| match found.place.line {
        0 => found.message.clone(),
        line => format!("{line}:{}: {}", found.place.column, found.message),
    };
    found.iter().map(one).collect::<Vec<_>>().join("\n")
}
