//! The answer must not depend on the way to it: with and without indexes, with and without a hash join.

use base::random::Stream;
use base::{Row, Time, Type, Value};
use engine_sql::{EphemeralTable, Progress, Server, ServerConfig, evaluate};
use syntax::Dialect;

const TABLES: &str = "CREATE TABLE x (id int, a int, b text, c bigint); CREATE TABLE y (id int, x int, t text);";
const INDEXES: &str = "CREATE UNIQUE INDEX ON x (id); CREATE INDEX ON x (a, b); CREATE INDEX ON x (b DESC, c); \
    CREATE INDEX ON y (x); CREATE INDEX ON y (t, x); CREATE INDEX ON x (c) WHERE a IS NOT NULL;";

fn value(stream: &mut Stream, bound: u64) -> Value {
    match stream.below(bound + 1) {
        0 => Value::Null,
        n => Value::Int4(n as i32 - 2),
    }
}

fn rows(stream: &mut Stream) -> (Vec<Row>, Vec<Row>) {
    let text = |stream: &mut Stream| match stream.below(5) {
        0 => Value::Null,
        n => Value::text(["p", "q", "qq", "r"][n as usize - 1]),
    };
    let x = (0..60).map(|id| -> Row {
        let c = match value(stream, 9) {
            Value::Int4(n) => Value::Int8(i64::from(n)),
            other => other,
        };
        vec![Value::Int4(id), value(stream, 6), text(stream), c].into()
    });
    let x: Vec<Row> = x.collect();
    let y = (0..40).map(|id| -> Row { vec![Value::Int4(id), value(stream, 60), text(stream)].into() });
    (x, y.collect())
}

/// A random condition over the tables in reach.
fn condition(stream: &mut Stream, columns: &[&str], depth: u32) -> String {
    let column = |stream: &mut Stream| columns[stream.below(columns.len() as u64) as usize].to_owned();
    if depth > 0 && stream.below(3) > 0 {
        let (left, right) = (
            condition(stream, columns, depth - 1),
            condition(stream, columns, depth - 1),
        );
        return match stream.below(4) {
            0 => format!("({left} OR {right})"),
            1 => format!("NOT ({left})"),
            _ => format!("({left} AND {right})"),
        };
    }
    let name = column(stream);
    let operator = ["=", "<", ">=", "<>", "<=", ">"][stream.below(6) as usize];
    if name.ends_with(".b") || name.ends_with(".t") {
        let literal = ["'p'", "'q'", "'qq'", "NULL"][stream.below(4) as usize];
        return match stream.below(4) {
            0 => format!("{name} IN ('p', {literal})"),
            1 => format!("{name} IS NULL"),
            _ => format!("{name} {operator} {literal}"),
        };
    }
    let n = stream.below(12) as i64 - 3;
    match stream.below(6) {
        0 => format!("{name} IN ({n}, {}, NULL)", n + 2),
        1 => format!("{name} IS NOT NULL"),
        2 => format!("{name} BETWEEN {n} AND {}", n + 3),
        3 => format!("{name} = ANY ('{{{n},{}}}')", n + 1),
        _ => format!("{name} {operator} {n}"),
    }
}

fn answer(server: &mut Server, sql: &str) -> Vec<String> {
    let session = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
    let statement = syntax::parse_statement(sql, Dialect::Postgres).expect("SQL");
    server.start_parsed(session, &statement, &[], Time::ZERO);
    let Progress::Done(result) = server.resume(session, Time::ZERO, &mut u64::MAX.clone()) else {
        panic!("{sql} did not end");
    };
    server.disconnect(session, Time::ZERO);
    sorted(&result.unwrap_or_else(|refusal| panic!("{sql}: {refusal}")).rows)
}

fn sorted(rows: &[Row]) -> Vec<String> {
    let mut texts: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    texts.sort();
    texts
}

#[test]
fn rows_with_and_without_indexes_and_over_row_sets_are_equal() {
    for seed in 0..12 {
        let mut stream = Stream::new(seed, "planner", 0);
        let (x, y) = rows(&mut stream);
        let mut bare = Server::new(ServerConfig::default());
        bare.run_script("postgres", TABLES).expect("tables");
        let mut indexed = bare.clone();
        indexed.run_script("postgres", INDEXES).expect("indexes");
        for server in [&mut bare, &mut indexed] {
            server.load("postgres", "x", &mut x.iter().cloned()).expect("rows of x");
            server.load("postgres", "y", &mut y.iter().cloned()).expect("rows of y");
        }
        let columns = |list: &[(&str, Type)]| {
            list.iter()
                .map(|(name, kind)| ((*name).to_owned(), *kind))
                .collect::<Vec<_>>()
        };
        let x_columns = columns(&[
            ("id", Type::Int4),
            ("a", Type::Int4),
            ("b", Type::Text),
            ("c", Type::Int8),
        ]);
        let y_columns = columns(&[("id", Type::Int4), ("x", Type::Int4), ("t", Type::Text)]);
        for _ in 0..60 {
            let of_x = ["x.id", "x.a", "x.b", "x.c"];
            let of_both = ["x.id", "x.a", "x.b", "x.c", "y.id", "y.x", "y.t"];
            let filter = condition(&mut stream, &of_both, 2);
            let alone = condition(&mut stream, &of_x, 2);
            let queries = [
                format!("SELECT * FROM x WHERE {alone}"),
                format!("SELECT * FROM x JOIN y ON y.x = x.id WHERE {filter}"),
                format!("SELECT * FROM x LEFT JOIN y ON y.x = x.id AND y.t = x.b WHERE {alone}"),
                format!("SELECT * FROM x RIGHT JOIN y ON y.x = x.id WHERE {filter}"),
                format!("SELECT * FROM x FULL JOIN y ON y.x = x.id AND {filter}"),
                format!(
                    "SELECT x.b, count(*), sum(x.a), max(y.t) FROM x, y WHERE x.id = y.x AND {filter} GROUP BY x.b"
                ),
                format!("SELECT x.id FROM x WHERE EXISTS (SELECT 1 FROM y WHERE y.x = x.id AND {filter})"),
                format!("SELECT x.id FROM x WHERE x.id NOT IN (SELECT y.x FROM y WHERE y.t = 'q') AND {alone}"),
            ];
            for sql in queries {
                let expected = answer(&mut bare, &sql);
                assert_eq!(answer(&mut indexed, &sql), expected, "seed {seed}: {sql}");
                let tables = [
                    EphemeralTable {
                        name: "x",
                        columns: &x_columns,
                        rows: &x,
                    },
                    EphemeralTable {
                        name: "y",
                        columns: &y_columns,
                        rows: &y,
                    },
                ];
                let (output, _) = evaluate(&tables, &sql, &[]).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
                assert_eq!(sorted(&output.rows), expected, "seed {seed}, row sets: {sql}");
            }
        }
    }
}

/// Each row passes a condition, its negation, or neither because it is unknown (TLP).
#[test]
fn a_condition_its_negation_and_the_unknown_make_up_the_whole() {
    let mut stream = Stream::new(3, "partitions", 0);
    let (x, _) = rows(&mut stream);
    let mut server = Server::new(ServerConfig::default());
    server.run_script("postgres", TABLES).expect("tables");
    server.run_script("postgres", INDEXES).expect("indexes");
    server.load("postgres", "x", &mut x.iter().cloned()).expect("rows");
    let whole = answer(&mut server, "SELECT * FROM x");
    for _ in 0..200 {
        let condition = condition(&mut stream, &["x.id", "x.a", "x.b", "x.c"], 2);
        let mut parts = Vec::new();
        for part in [
            condition.clone(),
            format!("NOT ({condition})"),
            format!("({condition}) IS NULL"),
        ] {
            parts.extend(answer(&mut server, &format!("SELECT * FROM x WHERE {part}")));
        }
        parts.sort();
        assert_eq!(parts, whole, "{condition}");
    }
}
