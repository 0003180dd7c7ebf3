//! The command `adr-lab`: everything that the page does, without a browser.
//!
//! Exit codes: 0 done, 1 the scenario or the choice is wrong, 2 the command line is, 3 a run found what must
//! not be (`explore --expect-none`).

use std::io::{self, StdinLock, StdoutLock, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod bench;
mod commands;
mod decisions;
mod hot_rows;
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
        #[arg(long, conflicts_with = "sql")]
        json: bool,
        /// Print a script for psql instead: definitions, initial rows, and each operation once
        #[arg(long)]
        sql: bool,
        /// Print what the DynamoDB design sends instead: requests and replies as JSON lines, and what is there in the end
        #[arg(long, conflicts_with_all = ["json", "sql"])]
        requests: bool,
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
        /// Instead of a load: the latencies of the scenario's decision beside one request alone
        #[arg(long, conflicts_with_all = ["requests", "fault"])]
        adr_table: bool,
        /// What a round trip between two machines takes in that table
        #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=10_000))]
        round_trip: u32,
        #[command(flatten)]
        form: Form,
    },
    /// What designs cost a month, each sized for the same target, line by line
    Bill {
        #[command(flatten)]
        what: BillOf,
        /// Of the 99th percentile of all requests
        #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=600_000))]
        target_p99: u32,
        #[command(flatten)]
        prices: Prices,
        #[command(flatten)]
        form: Form,
    },
    /// Check what decisions claim, by runs
    Claims {
        /// A decision's slug; default: all
        decision: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Write what the site's pages of decisions and designs show
    RecordDecisions {
        #[arg(default_value = "public/recorded")]
        folder: PathBuf,
    },
    /// Execute SQL from standard input on a fresh server, printing as `psql -X -q` does
    Sql,
    /// Run a schedule of several sessions from standard input, printing as PostgreSQL's isolationtester does
    Iso {
        /// Instead: which anomalies occur at which level of transaction isolation, from built-in schedules
        #[arg(long, conflicts_with = "enumerate")]
        matrix: bool,
        /// Instead: all interleavings of the schedule's steps, and which of their outcomes no serial order gives
        #[arg(long)]
        enumerate: bool,
        #[command(flatten)]
        form: Form,
    },
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
    /// Designs side by side: whose data, what a crash leaves, how long, what it costs
    Compare {
        #[command(flatten)]
        what: What,
        /// Servers are sized for this 99th percentile of all requests
        #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=600_000))]
        target_p99: u32,
        #[command(flatten)]
        prices: Prices,
        #[command(flatten)]
        form: Form,
    },
    /// Queries forget their tenant filter: whose rows come back, on each design
    Probe {
        #[command(flatten)]
        what: What,
        /// Print a script for psql instead, that asks on one design what this probe asks there
        #[arg(long, value_name = "PROBE", conflicts_with_all = ["json", "markdown"])]
        sql: Option<String>,
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
    /// A design with its variant, as `list` shows it; may be repeated; `all` takes every one; default: those that a
    /// studied decision chose
    #[arg(long = "architecture", short, value_name = "DESIGN")]
    architectures: Vec<String>,
    /// Instead of the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Leave something out on purpose (for tests of the checkers); may be repeated
    #[arg(long, value_name = "WHAT")]
    sabotage: Vec<String>,
}

/// Whose bill: a scenario's designs, or what a decision says of prices.
#[derive(Debug, Args)]
struct BillOf {
    /// A built-in scenario's name, a file, or `-` for standard input
    #[arg(required_unless_present = "adr")]
    scenario: Option<String>,
    /// The prices that a decision names, beside what the sheet gives
    #[arg(
        long,
        value_name = "DECISION",
        num_args = 0..=1,
        default_missing_value = "one-database-many-schemas",
        conflicts_with = "scenario"
    )]
    adr: Option<String>,
    /// A design with its variant, as `list` shows it; may be repeated; `all` takes every one; default: those that a
    /// studied decision chose
    #[arg(long = "architecture", short, value_name = "DESIGN")]
    architectures: Vec<String>,
    /// Instead of the scenario's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// What bills are made with.
#[derive(Debug, Args)]
struct Prices {
    /// Instead of the built-in price book: a file of the same form
    #[arg(long = "prices", value_name = "FILE")]
    book: Option<PathBuf>,
    /// In place of one of the book's: `sql_storage_usd_per_gb_month=0.2`; may be repeated
    #[arg(long = "price", value_name = "KEY=USD")]
    changed: Vec<String>,
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
        Command::Compile { what, sql: true, .. } => commands::script(&what),
        Command::Compile {
            what, requests: true, ..
        } => commands::item_script(&what),
        Command::Compile { what, json, .. } => commands::compile(&what, json),
        Command::Sql => streamed(psql::run),
        Command::Iso { matrix: true, form, .. } => iso::matrix(form.print()),
        Command::Iso {
            enumerate: true, form, ..
        } => iso::enumerate(form.print()),
        Command::Iso { form, .. } if form.print() != Print::Text => {
            Err("--json and --markdown go with --matrix or --enumerate".to_owned())
        }
        Command::Iso { .. } => streamed(iso::run),
        Command::Run {
            what,
            requests,
            fault,
            adr_table,
            round_trip,
            form,
        } => {
            if adr_table {
                decisions::adr_table(&what, round_trip, form.print())
            } else {
                commands::run(&what, requests, fault, form.print())
            }
        }
        Command::Bill {
            what: BillOf {
                adr: Some(decision), ..
            },
            form,
            ..
        } => decisions::adr_bill(&decision, form.print()),
        Command::Bill {
            what,
            target_p99,
            prices,
            form,
        } => {
            let what = What {
                scenario: what.scenario.unwrap_or_default(),
                architectures: what.architectures,
                seed: what.seed,
                sabotage: Vec::new(),
            };
            decisions::bill(&what, target_p99, &prices, form.print())
        }
        Command::Claims { decision, form } => decisions::claims(decision.as_deref(), form.print()),
        Command::RecordDecisions { folder } => decisions::record(&folder),
        Command::Explore {
            what,
            operation,
            expect_none,
            form,
        } => commands::explore(&what, &operation, expect_none, form.print()),
        Command::Compare {
            what,
            target_p99,
            prices,
            form,
        } => commands::compare(&what, target_p99, &prices, form.print()),
        Command::Probe {
            what, sql: Some(probe), ..
        } => commands::probe_script(&what, &probe),
        Command::Probe { what, form, .. } => commands::probe(&what, form.print()),
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
