//! A partitioned table answers as a plain one, reads only the partitions that it has to, and locks only those.

use base::random::Stream;
use base::{Row, Time, Value};
use engine_sql::{Output, Progress, Server, ServerConfig, SessionId, SqlError};
use syntax::Dialect;

const COLUMNS: &str = "(k int, n int NOT NULL, t text, twice int GENERATED ALWAYS AS (n * 2) STORED)";

/// How the same table is cut.
const CUTS: [&str; 4] = [
    "PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1, 2, NULL); \
     CREATE TABLE p2 PARTITION OF p FOR VALUES IN (3); CREATE TABLE p3 PARTITION OF p DEFAULT;",
    "PARTITION BY RANGE (k, n); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE, MINVALUE) TO (2, 5); \
     CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (2, 5) TO (4, MINVALUE); CREATE TABLE p3 PARTITION OF p DEFAULT;",
    "PARTITION BY HASH (k); CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
     CREATE TABLE p2 PARTITION OF p FOR VALUES WITH (MODULUS 4, REMAINDER 1); \
     CREATE TABLE p3 PARTITION OF p FOR VALUES WITH (MODULUS 4, REMAINDER 3);",
    "PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1, 2) PARTITION BY RANGE (n); \
     CREATE TABLE p1a PARTITION OF p1 FOR VALUES FROM (MINVALUE) TO (4); CREATE TABLE p1b PARTITION OF p1 DEFAULT; \
     CREATE TABLE p2 PARTITION OF p DEFAULT; CREATE INDEX ON p (n); CREATE INDEX ON p (k, t);",
];

fn execute(server: &mut Server, session: SessionId, sql: &str) -> Result<Output, SqlError> {
    let statement =
        syntax::parse_statement(sql, Dialect::Postgres).unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
    server.start_parsed(session, &statement, &[], Time::ZERO);
    loop {
        match server.resume(session, Time::ZERO, &mut u64::MAX.clone()) {
            Progress::Done(result) => return result,
            Progress::Flush(lsn) => server.flushed(lsn),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

fn condition(random: &mut Stream) -> String {
    let n = random.below(6) as i64;
    match random.below(9) {
        0 => format!("k = {n}"),
        1 => format!("k IN ({n}, {})", n + 2),
        2 => format!("k = {n} OR k = 3 AND n > {n}"),
        3 => "k IS NULL".to_owned(),
        4 => format!("k >= {n} AND k < {}", n + 2),
        5 => format!("k = {n} AND n = {}", random.below(9)),
        6 => format!("{n} < k"),
        7 => format!("n < {} AND t = 'x'", n + 2),
        _ => format!("k = 2 AND n >= {n}"),
    }
}

fn statement(random: &mut Stream) -> String {
    let (k, n) = (random.below(6), random.below(9));
    match random.below(8) {
        0 | 1 => format!("INSERT INTO p VALUES ({k}, {n}, 'x'), (NULL, {n}, 'y') RETURNING *"),
        2 => format!(
            "UPDATE p SET k = {k}, t = t || 'u' WHERE {} RETURNING *",
            condition(random)
        ),
        3 => format!("UPDATE p SET n = n + 1 WHERE {} RETURNING n, twice", condition(random)),
        4 => format!("DELETE FROM p WHERE n = {n} AND {} RETURNING *", condition(random)),
        5 => format!("SELECT count(*), sum(n) FROM p WHERE {}", condition(random)),
        6 => format!("SELECT a.k, b.n FROM p a JOIN p b ON a.k = b.k WHERE b.n = {n}"),
        _ => format!("SELECT * FROM p WHERE {}", condition(random)),
    }
}

fn sorted(output: &Output) -> Vec<String> {
    let mut rows: Vec<String> = output.rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

#[test]
fn a_partitioned_table_answers_as_a_plain_one() {
    for seed in 0..24 {
        let cut = CUTS[seed as usize % CUTS.len()];
        let mut random = Stream::new(seed, "partitions", 0);
        let mut servers = [
            format!("CREATE TABLE p {COLUMNS}"),
            format!("CREATE TABLE p {COLUMNS} {cut}"),
        ]
        .map(|script| {
            let mut server = Server::new(ServerConfig::default());
            server.run_script("postgres", &script).expect("a table");
            let session = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
            (server, session)
        });
        for _ in 0..120 {
            let sql = statement(&mut random);
            let [plain, parted] = servers
                .each_mut()
                .map(|(server, session)| execute(server, *session, &sql));
            let (plain, parted) = (plain.expect("an answer"), parted.expect("an answer"));
            assert_eq!(plain.tag, parted.tag, "seed {seed}: {sql}");
            assert_eq!(sorted(&plain), sorted(&parted), "seed {seed}: {sql}");
        }
    }
}

/// Ten partitions of a hundred rows, loaded in bulk.
fn decades() -> (Server, SessionId) {
    let mut server = Server::new(ServerConfig::default());
    let parts: Vec<String> = (0..10)
        .map(|n| {
            format!(
                "CREATE TABLE d{n} PARTITION OF d FOR VALUES FROM ({}) TO ({});",
                n * 100,
                n * 100 + 100
            )
        })
        .collect();
    let script = format!(
        "CREATE TABLE d (id int PRIMARY KEY, n int) PARTITION BY RANGE (id); {} CREATE TABLE few (id int); \
         INSERT INTO few VALUES (150), (151);",
        parts.concat()
    );
    server.run_script("postgres", &script).expect("tables");
    let mut rows = (0..1000).map(|id| -> Row { vec![Value::Int4(id), Value::Int4(id % 7)].into() });
    server.load("postgres", "d", &mut rows).expect("rows");
    let session = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
    (server, session)
}

fn rows_read(server: &mut Server, session: SessionId, sql: &str, parameters: &[Value]) -> u64 {
    server.take_usage(session);
    let statement = syntax::parse_statement(sql, Dialect::Postgres).expect("SQL");
    server.start_parsed(session, &statement, parameters, Time::ZERO);
    let Progress::Done(result) = server.resume(session, Time::ZERO, &mut u64::MAX.clone()) else {
        panic!("{sql} did not end");
    };
    result.unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
    server.take_usage(session).rows_read
}

#[test]
fn partitions_that_cannot_have_rows_are_not_read() {
    let (mut server, session) = decades();
    let five = [Value::Int4(512)];
    for (sql, parameters, most) in [
        ("SELECT * FROM d WHERE n = 3", &[][..], 1000),
        ("SELECT * FROM d WHERE id >= 300 AND id < 400 AND n = 3", &[], 100),
        ("SELECT * FROM d WHERE (id < 50 OR id >= 950) AND n = 3", &[], 200),
        ("SELECT * FROM d WHERE id = 77", &[], 1),
        ("SELECT * FROM d WHERE id = $1", &five, 1),
        ("SELECT * FROM d WHERE id > $1 AND n = 3", &five, 500),
        ("SELECT * FROM d WHERE id = ANY ('{1, 999}')", &[], 2),
        ("SELECT * FROM d WHERE id > 5000", &[], 0),
        ("SELECT * FROM d WHERE id IS NULL", &[], 0),
        ("SELECT * FROM d JOIN few USING (id) WHERE few.id > 100", &[], 1002),
    ] {
        let read = rows_read(&mut server, session, sql, parameters);
        assert!(read <= most, "{sql} has read {read} rows");
    }
}

#[test]
fn partitions_that_are_not_read_are_not_locked() {
    let (mut server, first) = decades();
    let second = server.connect("postgres", "postgres", Time::ZERO).expect("a session");
    execute(&mut server, first, "BEGIN").expect("BEGIN");
    execute(&mut server, first, "SELECT * FROM d WHERE id = 77").expect("rows");
    execute(&mut server, second, "ALTER TABLE d3 ALTER COLUMN n SET DEFAULT 4").expect("no lock is in the way");
    let alter = syntax::parse_statement("ALTER TABLE d0 ALTER COLUMN n SET DEFAULT 4", Dialect::Postgres).expect("SQL");
    server.start_parsed(second, &alter, &[], Time::ZERO);
    let progress = server.resume(second, Time::ZERO, &mut u64::MAX.clone());
    assert!(matches!(progress, Progress::Blocked(_)), "{progress:?}");
    execute(&mut server, first, "COMMIT").expect("COMMIT");
}
