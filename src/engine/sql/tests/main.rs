//! Tests of the engine through its public face.
//!
//! `scripts/*.sql` are run in one session; `scripts/*.out` hold what PostgreSQL 15 printed for them
//! (`psql -X -q -A`, SQLSTATEs shown; hints and places in the text left out). To record them again:
//! `ADR_LAB_RECORD="host=… dbname=…" cargo test -p engine-sql scripts`, against a database of
//! encoding UTF8 and locale C, with the time zone UTC.

mod databases;
mod long_keys;
mod memory;
mod partitions;
mod planner;
mod scripts;
mod sessions;
mod speed;
mod suspension;
