//! The command `adr-lab`: everything that the page does, without a browser.
//!
//! Exit codes: 0 done, 1 the scenario or the choice is wrong, 2 the command line is, 3 a run found what must
//! not be (`explore --expect-none`).

use std::io::{self, StdinLock, StdoutLock, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod bench;
mod commands;
mod input;
mod iso;
mod psql;

#[derive(Debug, Parser)]
#[command(
    name = "adr-lab",
    version,
    about = "Run a database decision before you write it down"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The built-in scenarios, the designs and the hardware profiles
    List,
    /// What is wrong in a scenario file, with line, column and hint
    Check {
        /// A built-in scenario's name, a file, or `-` for standard input
        scenario: String,
    },
    /// What designs make of a scenario: deployment and programs
    Compile {
        #[command(flatten)]
        what: What,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Run a scenario's load on designs and compare
    Run {
        #[command(flatten)]
        what: What,
        /// Requests to issue instead of the scenario's number
        #[arg(long, value_name = "N")]
        requests: Option<u64>,
        /// What to break: `crash orchestrator after step 3 of create_user restart after 500 ms`; `none`
        #[arg(long)]
        fault: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Execute SQL from standard input on a fresh server, printing as `psql -X -q` does
    Sql,
    /// Run a schedule of several sessions from standard input, printing as PostgreSQL's isolationtester does
    Iso,
    /// Try a fault at every physical step of an operation, of every actor in turn
    Explore {
        #[command(flatten)]
        what: What,
        /// The operation to disturb
        #[arg(long)]
        operation: String,
        /// Exit with 3 if an explored fault leaves an invariant broken
        #[arg(long)]
        expect_none: bool,
        #[command(flatten)]
        form: Form,
    },
    /// How fast the machinery is, beside known programs if they are given
    Bench {
        /// A command that prints the figures of sql.js as JSON (see `tests/bench/`)
        #[arg(long, value_name = "COMMAND")]
        sqljs: Option<String>,
        /// A command that prints the figures of SimPy as JSON
        #[arg(long, value_name = "COMMAND")]
        simpy: Option<String>,
        #[arg(long)]
        json: bool,
    },
}

/// A scenario and the designs to lay it out on.
#[derive(Debug, Args)]
struct What {
    /// A built-in scenario's name, a file, or `-` for standard input
    scenario: String,
    /// A design with its variant, as `list` shows it; may be repeated; default: all
    #[arg(long = "architecture", short, value_name = "DESIGN")]
    architectures: Vec<String>,
    /// Instead of the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Leave something out on purpose (for tests of the checkers); may be repeated
    #[arg(long, value_name = "WHAT")]
    sabotage: Vec<String>,
}

/// How to print a report.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
struct Form {
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
    /// Print Markdown
    #[arg(long)]
    markdown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Print {
    Text,
    Markdown,
    Json,
}

impl Form {
    fn print(self) -> Print {
        match (self.json, self.markdown) {
            (true, _) => Print::Json,
            (_, true) => Print::Markdown,
            _ => Print::Text,
        }
    }
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::List => commands::list(),
        Command::Check { scenario } => commands::check(&scenario),
        Command::Compile { what, json } => commands::compile(&what, json),
        Command::Sql => streamed(psql::run),
        Command::Iso => streamed(iso::run),
        Command::Run {
            what,
            requests,
            fault,
            form,
        } => commands::run(&what, requests, fault, form.print()),
        Command::Explore {
            what,
            operation,
            expect_none,
            form,
        } => commands::explore(&what, &operation, expect_none, form.print()),
        Command::Bench { sqljs, simpy, json } => bench::run(sqljs.as_deref(), simpy.as_deref(), json),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("{}", message.trim_end());
            ExitCode::from(1)
        }
    }
}

/// A command that reads standard input and writes standard output.
fn streamed(run: fn(&mut StdinLock<'static>, &mut StdoutLock<'static>) -> io::Result<()>) -> Result<ExitCode, String> {
    let mut output = io::stdout().lock();
    match run(&mut io::stdin().lock(), &mut output).and_then(|()| output.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Whoever read our output has gone.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.to_string()),
    }
}
