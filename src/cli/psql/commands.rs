//! psql's backslash commands: those that scripts use, and a word about the others.

use std::io::{self, Write};

use engine_sql::Output;

use super::{Client, Flow};

impl<W: Write> Client<'_, W> {
    /// Runs the command that starts at the backslash at `at`; returns where the script goes on.
    pub(super) fn command(&mut self, script: &str, at: usize) -> io::Result<(Flow, usize)> {
        let rest = &script[at + 1..];
        if rest.starts_with([';', ':']) {
            writeln!(self.out, "\\{}: not supported", &rest[..1])?;
            return Ok((Flow::GoOn, at + 2));
        }
        let name_length = rest
            .find(|c: char| c.is_whitespace() || c == '\\')
            .unwrap_or(rest.len());
        let name = &rest[..name_length];
        let (arguments, next) = self.arguments(script, at + 1 + name_length);
        let flow = self.run_command(name, &arguments)?;
        Ok((flow, next))
    }

    /// The arguments up to the end of the line or the next backslash, and where the script goes on.
    fn arguments(&self, script: &str, from: usize) -> (Vec<String>, usize) {
        let mut arguments = Vec::new();
        let mut at = from;
        loop {
            let rest = &script[at..];
            match rest.chars().next() {
                None => return (arguments, at),
                Some('\n') => return (arguments, at + 1),
                // `\\` only ends the command.
                Some('\\') => return (arguments, at + if rest.starts_with("\\\\") { 2 } else { 0 }),
                Some(c) if c.is_whitespace() => at += c.len_utf8(),
                Some(_) => {
                    let (argument, length) = self.argument(rest);
                    arguments.push(argument);
                    at += length;
                }
            }
        }
    }

    /// One argument: quotes group, single quotes also unescape, `:name` is replaced.
    fn argument(&self, text: &str) -> (String, usize) {
        let mut value = String::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            match c {
                '\'' => at += unquote(&text[at..], &mut value),
                '"' => {
                    let length = text[at + 1..].find('"').map_or(text.len() - at, |end| end + 2);
                    value.push_str(&text[at..at + length]);
                    at += length;
                }
                ':' => match self.variables.reference(&text[at..]) {
                    Some((replaced, length)) => {
                        value.push_str(&replaced);
                        at += length;
                    }
                    None => {
                        value.push(':');
                        at += 1;
                    }
                },
                c if c.is_whitespace() || c == '\\' => break,
                c => {
                    value.push(c);
                    at += c.len_utf8();
                }
            }
        }
        (value, at)
    }

    fn run_command(&mut self, name: &str, arguments: &[String]) -> io::Result<Flow> {
        match name {
            "q" | "quit" => return Ok(Flow::Stop),
            "echo" | "qecho" | "warn" => self.echo(arguments)?,
            "set" => self.set_variable(arguments)?,
            "unset" => arguments.iter().for_each(|name| self.variables.unset(name)),
            "pset" => self.set_format(arguments)?,
            "t" => self.tuples_only = !self.tuples_only,
            "r" | "reset" => self.buffer.clear(),
            "p" | "print" => writeln!(self.out, "{}", self.buffer.trim())?,
            "g" if arguments.is_empty() => return self.send(),
            "gset" => self.send_into_variables(arguments)?,
            "gexec" => return self.send_and_execute(),
            "c" | "connect" => return self.reconnect(arguments),
            _ if is_known(name) => writeln!(self.out, "\\{name}: not supported")?,
            _ => writeln!(self.out, "invalid command \\{name}")?,
        }
        Ok(Flow::GoOn)
    }

    fn echo(&mut self, arguments: &[String]) -> io::Result<()> {
        match arguments.split_first() {
            Some((option, rest)) if option == "-n" => write!(self.out, "{}", rest.join(" ")),
            _ => writeln!(self.out, "{}", arguments.join(" ")),
        }
    }

    fn set_variable(&mut self, arguments: &[String]) -> io::Result<()> {
        match arguments.split_first() {
            Some((name, values)) => {
                self.variables.set(name, &values.concat());
                Ok(())
            }
            None => {
                let Client { out, variables, .. } = self;
                variables
                    .all()
                    .try_for_each(|(name, value)| writeln!(out, "{name} = {}", syntax::quote_string(value)))
            }
        }
    }

    fn set_format(&mut self, arguments: &[String]) -> io::Result<()> {
        let value = arguments.get(1).map(String::as_str);
        match arguments.first().map(String::as_str) {
            Some("null") => self.null = value.unwrap_or_default().to_owned(),
            Some("tuples_only" | "t") => {
                self.tuples_only = match value {
                    Some("on" | "true" | "1") => true,
                    Some("off" | "false" | "0") => false,
                    _ => !self.tuples_only,
                }
            }
            // What is the default already, or changes nothing in a script.
            Some("format") if value == Some("aligned") => {}
            Some("pager" | "border") if value != Some("2") && value != Some("0") || arguments[0] == "pager" => {}
            Some(option) => writeln!(self.out, "\\pset: option \"{option}\" is not supported")?,
            None => writeln!(self.out, "\\pset: not supported without an option")?,
        }
        Ok(())
    }

    /// The buffer's result as an `Output`, its error printed.
    fn result_of_buffer(&mut self) -> io::Result<Option<Output>> {
        let text = std::mem::take(&mut self.buffer);
        let text = self.variables.interpolate(&text).unwrap_or(text);
        match self.execute(super::sent(&text)) {
            Some(Ok(output)) => Ok(Some(output)),
            Some(Err(error)) => {
                self.failed(super::sent(&text), &error)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// `\gset`: the only row's columns become variables.
    fn send_into_variables(&mut self, arguments: &[String]) -> io::Result<()> {
        let prefix = arguments.first().map_or("", String::as_str);
        let Some(output) = self.result_of_buffer()? else {
            return Ok(());
        };
        let [row] = &output.rows[..] else {
            let found = if output.rows.is_empty() {
                "no rows"
            } else {
                "more than one row"
            };
            return writeln!(self.out, "{found} returned for \\gset");
        };
        for (column, value) in output.columns.iter().zip(row.iter()) {
            let name = format!("{prefix}{}", column.name);
            if value.is_null() {
                self.variables.unset(&name);
            } else {
                self.variables.set(&name, &value.to_string());
            }
        }
        Ok(())
    }

    /// `\gexec`: each cell is a statement.
    fn send_and_execute(&mut self) -> io::Result<Flow> {
        let Some(output) = self.result_of_buffer()? else {
            return Ok(Flow::GoOn);
        };
        for value in output
            .rows
            .iter()
            .flat_map(|row| row.iter())
            .filter(|value| !value.is_null())
        {
            if self.statement(&value.to_string())? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::GoOn)
    }

    /// `\c [database | -] [role | -]`
    fn reconnect(&mut self, arguments: &[String]) -> io::Result<Flow> {
        let chosen = |n: usize, current: &str| match arguments.get(n).map(String::as_str) {
            None | Some("-") => current.to_owned(),
            Some(other) => other.to_owned(),
        };
        let (database, role) = (chosen(0, &self.database), chosen(1, &self.role));
        match self.server.connect(&database, &role, self.now) {
            Ok(session) => {
                self.server.disconnect(self.session, self.now);
                (self.session, self.database, self.role) = (session, database, role);
                Ok(Flow::GoOn)
            }
            Err(error) => {
                writeln!(self.out, "\\connect: FATAL:  {}", error.message)?;
                Ok(Flow::Stop)
            }
        }
    }
}

/// Appends the content of a single-quoted argument; returns its length.
fn unquote(text: &str, value: &mut String) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if chars.next_if(|&(_, next)| next == '\'').is_some() => value.push('\''),
            '\'' => return at + 1,
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, other)) => value.push(other),
                None => {}
            },
            c => value.push(c),
        }
    }
    text.len()
}

/// Commands of psql that are left out here.
fn is_known(name: &str) -> bool {
    let plain = name.trim_end_matches(['+', 'S']);
    plain.starts_with('d')
        || matches!(
            plain,
            "a" | "bind"
                | "C"
                | "cd"
                | "conninfo"
                | "copy"
                | "copyright"
                | "crosstabview"
                | "e"
                | "edit"
                | "ef"
                | "elif"
                | "else"
                | "encoding"
                | "endif"
                | "errverbose"
                | "ev"
                | "f"
                | "g"
                | "gdesc"
                | "getenv"
                | "gx"
                | "h"
                | "H"
                | "help"
                | "html"
                | "i"
                | "if"
                | "include"
                | "include_relative"
                | "ir"
                | "l"
                | "list"
                | "o"
                | "out"
                | "password"
                | "prompt"
                | "s"
                | "setenv"
                | "sf"
                | "sv"
                | "T"
                | "timing"
                | "w"
                | "watch"
                | "write"
                | "x"
                | "z"
                | "!"
                | "?"
        )
}
