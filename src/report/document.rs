//! A report as a document (headings, paragraphs, tables, code) and the two ways to print one:
//! Markdown for files and issues, aligned text for a terminal.

use std::fmt::Write;

#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Heading(u8, String),
    Paragraph(String),
    List(Vec<String>),
    Table(Table),
    Code(Vec<String>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub title: String,
    pub align: Align,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

impl Table {
    /// Columns by title, aligned left.
    pub fn new(titles: &[&str]) -> Table {
        let column = |title: &&str| Column {
            title: (*title).to_owned(),
            align: Align::Left,
        };
        Table {
            columns: titles.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Aligns these columns right: numbers.
    pub fn numbers(mut self, columns: std::ops::Range<usize>) -> Table {
        for column in &mut self.columns[columns] {
            column.align = Align::Right;
        }
        self
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn cell<'a>(&'a self, row: &'a [String], column: usize) -> &'a str {
        row.get(column).map_or("", String::as_str)
    }
}

/// GitHub-flavoured Markdown.
pub fn markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        if !out.is_empty() {
            out.push('\n');
        }
        match block {
            Block::Heading(level, text) => {
                let _ = writeln!(out, "{} {}", "#".repeat(usize::from(*level)), escape(text));
            }
            Block::Paragraph(text) => {
                let _ = writeln!(out, "{}", escape(text));
            }
            Block::List(items) => {
                for item in items {
                    let _ = writeln!(out, "- {}", escape(item));
                }
            }
            Block::Code(lines) => {
                let _ = writeln!(out, "```\n{}\n```", lines.join("\n"));
            }
            Block::Table(table) => markdown_table(&mut out, table),
        }
    }
    out
}

fn markdown_table(out: &mut String, table: &Table) {
    let line = |out: &mut String, cells: &mut dyn Iterator<Item = String>| {
        out.push('|');
        for cell in cells {
            let _ = write!(out, " {cell} |");
        }
        out.push('\n');
    };
    line(out, &mut table.columns.iter().map(|column| escape(&column.title)));
    line(
        out,
        &mut table
            .columns
            .iter()
            .map(|column| if column.align == Align::Right { "--:" } else { "---" }.to_owned()),
    );
    for row in &table.rows {
        line(out, &mut (0..table.columns.len()).map(|i| escape(table.cell(row, i))));
    }
}

/// Keeps text from being read as Markdown or HTML: names and values come from a person's file.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Aligned columns for a terminal, without escape sequences.
pub fn terminal(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        if !out.is_empty() {
            out.push('\n');
        }
        match block {
            Block::Heading(level, text) => {
                let _ = writeln!(out, "{text}");
                if *level < 3 {
                    let _ = writeln!(
                        out,
                        "{}",
                        if *level == 1 { "=" } else { "-" }.repeat(text.chars().count())
                    );
                }
            }
            Block::Paragraph(text) => wrap(&mut out, text, ""),
            Block::List(items) => {
                for item in items {
                    wrap(&mut out, item, "- ");
                }
            }
            Block::Code(lines) => {
                for line in lines {
                    let _ = writeln!(out, "    {line}");
                }
            }
            Block::Table(table) => terminal_table(&mut out, table),
        }
    }
    out
}

const TERMINAL_WIDTH: usize = 100;

fn wrap(out: &mut String, text: &str, bullet: &str) {
    let indent = bullet.chars().count();
    let mut used = indent;
    out.push_str(bullet);
    for (i, word) in text.split_whitespace().enumerate() {
        let width = word.chars().count();
        if i > 0 && used + 1 + width > TERMINAL_WIDTH {
            let _ = write!(out, "\n{}", " ".repeat(indent));
            used = indent;
        } else if i > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += width;
    }
    out.push('\n');
}

fn terminal_table(out: &mut String, table: &Table) {
    let width = |i: usize| {
        let cells = table.rows.iter().map(|row| table.cell(row, i).chars().count());
        cells.chain([table.columns[i].title.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let line = |out: &mut String, cell: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for (i, column) in table.columns.iter().enumerate() {
            let padding = " ".repeat(widths[i].saturating_sub(cell(i).chars().count()));
            let gap = if i == 0 { "" } else { "  " };
            let _ = match column.align {
                Align::Left => write!(text, "{gap}{}{padding}", cell(i)),
                Align::Right => write!(text, "{gap}{padding}{}", cell(i)),
            };
        }
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(out, &|i| table.columns[i].title.clone());
    line(out, &|i| "─".repeat(widths[i]));
    for row in &table.rows {
        line(out, &|i| table.cell(row, i).to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Block> {
        let mut table = Table::new(&["name", "rows"]).numbers(1..2);
        table.row(["a|b".to_owned(), "7".to_owned()]);
        table.row(["<script>".to_owned(), "1200".to_owned()]);
        vec![Block::Heading(2, "What".to_owned()), Block::Table(table)]
    }

    #[test]
    fn markdown_neutralises_what_a_file_could_smuggle_in() {
        let text = markdown(&sample());
        assert_eq!(
            text,
            "## What\n\n| name | rows |\n| --- | --: |\n| a\\|b | 7 |\n| \\<script\\> | 1200 |\n"
        );
    }

    #[test]
    fn terminal_columns_line_up() {
        assert_eq!(
            terminal(&sample()),
            "What\n----\n\nname      rows\n────────  ────\na|b          7\n<script>  1200\n"
        );
    }
}
