//! A temporary PostgreSQL 15: its own data folder, a Unix socket and no network, ended by its own
//! process id.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::shell::{Failure, Result, capture, on_path, run};

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    process: Child,
}

/// The user that PostgreSQL runs as when we are root, which it refuses to be.
const SERVICE_USER: &str = "postgres";

impl Postgres {
    pub(crate) fn start() -> Result<Postgres> {
        let programs = programs()?;
        let folder = std::env::temp_dir().join(format!("adr-lab-golden-{}", std::process::id()));
        make_folder(&folder)?;
        let data = folder.join("data");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb
            .args(["-U", "postgres", "--no-locale", "-E", "UTF8", "-A", "trust", "-D"])
            .arg(&data);
        run(initdb.stdout(Stdio::null()), "initdb failed.")?;
        let process = unprivileged(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-c", "listen_addresses=", "-c", "timezone=UTC", "-c", "fsync=off"])
            // None can be prepared otherwise.
            .args(["-c", "max_prepared_transactions=64"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failure(format!("postgres does not start: {error}.")))?;
        let server = Postgres {
            programs,
            folder,
            process,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            if capture(ready.arg("-q").arg("-h").arg(&self.folder)).success {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(Failure(
            "The temporary PostgreSQL was not ready after 30 seconds.".to_owned(),
        ))
    }

    /// `psql -X -q` in this database.
    pub(crate) fn psql(&self, database: &str) -> Command {
        psql(&self.programs, &self.folder, database)
    }

    /// PostgreSQL's own program for schedules of several sessions.
    pub(crate) fn isolationtester(&self, database: &str) -> Result<Command> {
        let program = self.programs.join("../lib/pgxs/src/test/isolation/isolationtester");
        if !program.is_file() {
            let sentence = "isolationtester is missing; on Debian, apt-get install postgresql-client-15.";
            return Err(Failure(sentence.to_owned()));
        }
        let mut tester = Command::new(program);
        // As PostgreSQL's own tests run it.
        tester.env("PGDATESTYLE", "Postgres, MDY");
        tester.arg(format!(
            "host={} user=postgres dbname={database}",
            self.folder.display()
        ));
        Ok(tester)
    }

    /// A new, empty database in place of the one of this name.
    pub(crate) fn fresh_database(&self, name: &str) -> Result<()> {
        for sql in [
            format!("DROP DATABASE IF EXISTS {name}"),
            format!("CREATE DATABASE {name}"),
        ] {
            let mut psql = self.psql("postgres");
            psql.stderr(Stdio::null());
            run(psql.args(["-c", &sql]), &format!("`{sql}` failed."))?;
        }
        Ok(())
    }
}

impl Postgres {
    /// Those of them that are there go.
    pub(crate) fn drop_roles(&self, names: &[String]) -> Result<()> {
        for name in names {
            let sql = format!("DROP ROLE IF EXISTS {name}");
            let mut psql = self.psql("postgres");
            psql.stderr(Stdio::null());
            run(psql.args(["-c", &sql]), &format!("`{sql}` failed."))?;
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown. What fails here leaves a folder behind, no more.
        let _ = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// `psql -X -q` of PostgreSQL 15, at a server whose socket lies in a folder.
pub(crate) fn psql_at(sockets: &Path) -> Result<Command> {
    Ok(psql(&programs()?, sockets, "postgres"))
}

fn psql(programs: &Path, sockets: &Path, database: &str) -> Command {
    let mut psql = Command::new(programs.join("psql"));
    psql.args(["-X", "-q", "-U", "postgres", "-d", database, "-h"])
        .arg(sockets);
    psql
}

/// Whether there is a PostgreSQL 15 on this machine.
pub(crate) fn installed() -> Result<()> {
    programs().map(drop)
}

fn programs() -> Result<PathBuf> {
    let debian = Path::new("/usr/lib/postgresql/15/bin");
    if debian.join("postgres").is_file() {
        return Ok(debian.to_owned());
    }
    let found = on_path("postgres").and_then(|program| Some(program.parent()?.to_owned()));
    let sentence = "PostgreSQL 15 is missing; on Debian, apt-get install postgresql-15.";
    let folder = found.ok_or_else(|| Failure(sentence.to_owned()))?;
    let version = capture(Command::new(folder.join("postgres")).arg("--version")).text;
    if version.contains(" 15.") {
        Ok(folder)
    } else {
        Err(Failure(sentence.to_owned()))
    }
}

fn is_root() -> bool {
    capture(Command::new("id").arg("-u")).text.trim() == "0"
}

/// As the service user if we are root. `setpriv` becomes the program: the process id is its own.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={SERVICE_USER}"))
        .arg(format!("--regid={SERVICE_USER}"));
    command.arg("--clear-groups").arg(program);
    command
}

fn make_folder(folder: &Path) -> Result<()> {
    let failed = |error| Failure(format!("{} cannot be made: {error}.", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    if is_root() {
        let sentence = format!("There is no user `{SERVICE_USER}` to run PostgreSQL as.");
        run(Command::new("chown").arg(SERVICE_USER).arg(folder), &sentence)?;
    }
    Ok(())
}
