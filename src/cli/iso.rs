//! `adr-lab iso`: a schedule of several sessions on standard input, run on a fresh server, printed as
//! PostgreSQL's isolationtester prints it.

use std::io::{self, Read, Write};

use experiment::schedule;

/// Prints what the schedule gives, or why it cannot be run.
pub(crate) fn run(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let mut text = String::new();
    input.read_to_string(&mut text)?;
    let result = schedule::parse(&text).map_err(|error| error.to_string());
    match result.and_then(|spec| schedule::run(&spec)) {
        Ok(printed) => output.write_all(printed.as_bytes()),
        Err(message) => Err(io::Error::other(message)),
    }
}
