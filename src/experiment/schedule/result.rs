//! What steps gave and what tables hold in the end, each kept once and known by a number: outcomes are compared by numbers.

use std::collections::BTreeMap;
use std::fmt::Write;

use engine_sql::{Look, Output, Server, SqlError, TableOutline, TransactionStatus};

use super::stage::Reply;

#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    /// The tables whose rows are looked at in the end.
    tables: Vec<(TableOutline, String)>,
    /// At each of them, as they are in the beginning.
    looks: Vec<Look>,
    steps: Numbers<StepResult>,
    /// What the clients see of them.
    visible: Numbers<()>,
    rows: Numbers<Vec<Output>>,
    text: String,
}

#[derive(Clone, Debug)]
pub(super) struct StepResult {
    pub(super) gave: Vec<Reply>,
    /// After the step.
    pub(super) status: TransactionStatus,
    /// Equal in results that look the same to the client.
    pub(super) visible: u32,
}

/// Things by their texts.
#[derive(Clone, Debug)]
struct Numbers<T> {
    by_text: BTreeMap<String, u32>,
    things: Vec<T>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers {
            by_text: BTreeMap::new(),
            things: Vec::new(),
        }
    }
}

impl<T> Numbers<T> {
    fn known(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    fn add(&mut self, text: String, thing: T) -> u32 {
        let number = self.things.len() as u32;
        self.by_text.insert(text, number);
        self.things.push(thing);
        number
    }
}

impl Results {
    pub(super) fn new(server: &Server, database: &str) -> Result<Results, SqlError> {
        let query = |table: TableOutline| {
            let sql = format!("SELECT * FROM {}", table.name);
            (table, sql)
        };
        let tables: Vec<(TableOutline, String)> = server.tables(database)?.into_iter().map(query).collect();
        let looks = tables.iter().map(|(_, sql)| server.look(database, sql));
        Ok(Results {
            looks: looks.collect::<Result<_, SqlError>>()?,
            tables,
            ..Results::default()
        })
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &TableOutline> {
        self.tables.iter().map(|(table, _)| table)
    }

    pub(super) fn step_result(&self, number: u32) -> Option<&StepResult> {
        self.steps.things.get(number as usize)
    }

    /// The tables' rows, table by table.
    pub(super) fn row_sets(&self, number: u32) -> &[Output] {
        self.rows.things.get(number as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn step(&mut self, gave: Vec<Reply>, watched: &[bool], status: TransactionStatus) -> u32 {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let _ = write!(text, "{}", status as u8);
        for reply in &gave {
            write_reply(&mut text, reply, true);
        }
        let number = match self.steps.known(&text) {
            Some(number) => number,
            None => {
                let visible = self.visible(&gave, watched);
                self.steps.add(text.clone(), StepResult { gave, status, visible })
            }
        };
        self.text = text;
        number
    }

    fn visible(&mut self, gave: &[Reply], watched: &[bool]) -> u32 {
        let mut text = String::new();
        for (place, reply) in gave.iter().enumerate() {
            write_reply(&mut text, reply, !watched.get(place).copied().unwrap_or(false));
        }
        self.visible.known(&text).unwrap_or_else(|| self.visible.add(text, ()))
    }

    /// What has been committed, table by table. A table that is not there any more has no rows.
    pub(super) fn rows(&mut self, server: &Server, database: &str) -> u32 {
        // Where a step has changed a definition, the tables are looked for anew.
        let outputs = server.look_with(&self.looks).and_then(Result::ok).unwrap_or_else(|| {
            let one = |(_, sql): &(TableOutline, String)| server.read(database, sql).unwrap_or_default();
            self.tables.iter().map(one).collect()
        });
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        for output in &outputs {
            write_rows(&mut text, output);
        }
        let number = match self.rows.known(&text) {
            Some(number) => number,
            None => self.rows.add(text.clone(), outputs),
        };
        self.text = text;
        number
    }
}

fn write_reply(text: &mut String, reply: &Reply, with_rows: bool) {
    match reply {
        Ok(output) => {
            let _ = write!(text, "\n{} {:?}", output.tag.verb, output.tag.rows);
            if with_rows {
                write_rows(text, output);
            }
        }
        Err(error) => {
            let _ = write!(text, "\n{} {}", error.sqlstate, error.message);
        }
    }
}

/// Sorted: in which order rows lie in a table is no outcome.
fn write_rows(text: &mut String, output: &Output) {
    let line = |row: &base::Row| {
        let mut line = String::new();
        for value in row.iter() {
            let _ = write!(line, "|{value:?}");
        }
        line
    };
    let mut lines: Vec<String> = output.rows.iter().map(line).collect();
    lines.sort_unstable();
    for line in &lines {
        text.push('\n');
        text.push_str(line);
    }
    text.push(';');
}
