//! What Piipan's participants take in memory: a hash of the person, an upload, two ids, a date and three ranges of days; a primary key and two
//! more indexes. Rows come in the order of an upload, hashes and ids at random.

use base::random::Stream;
use base::range::DateRange;
use base::{Row, Value};
use engine_sql::{Server, ServerConfig};

const ROWS: i32 = 100_000;

fn hex(random: &mut Stream, digits: usize) -> String {
    (0..digits)
        .map(|_| char::from(b"0123456789abcdef"[random.below(16) as usize]))
        .collect()
}

fn participant(id: i32, hash: Value, random: &mut Stream) -> Row {
    let mut row = vec![
        Value::Int4(id),
        hash,
        Value::Int4(1),
        Value::text(hex(random, 20)),
        Value::text(hex(random, 20)),
        Value::Date(8_000 + random.below(400) as i32),
    ];
    let months = (0..3).map(|month| DateRange::Days {
        from: Some(8_000 + 30 * month),
        to: Some(8_030 + 30 * month),
    });
    row.extend(months.map(Value::Daterange));
    row.push(Value::Bool(random.chance(1, 20)));
    row.into()
}

/// Bytes a row, all indexes included.
fn bytes_a_row(hash_type: &str, hash: impl Fn(&mut Stream) -> Value) -> u64 {
    let mut server = Server::new(ServerConfig::default());
    let table = format!(
        "CREATE TABLE participants (
            id serial PRIMARY KEY,
            lds_hash {hash_type} NOT NULL,
            upload_id int,
            case_id text,
            participant_id text NOT NULL,
            participant_closing_date date,
            benefit_1 daterange, benefit_2 daterange, benefit_3 daterange,
            vulnerable_individual boolean,
            UNIQUE (participant_id, upload_id)
        );
        CREATE INDEX ON participants (lds_hash, upload_id);"
    );
    server.run_script("postgres", &table).expect("a table");
    let mut random = Stream::new(17, "participants", 0);
    let mut rows = (1..=ROWS).map(|id| {
        let hash = hash(&mut random);
        participant(id, hash, &mut random)
    });
    server.load("postgres", "participants", &mut rows).expect("rows");
    let memory = server.table_memory("postgres", "participants").expect("the table");
    let per_row = |bytes: u64| bytes as f64 / f64::from(ROWS);
    println!("lds_hash {hash_type}: {:.1} bytes a row", per_row(memory.total()));
    println!("    heap {:.1}", per_row(memory.heap));
    for (name, bytes) in &memory.indexes {
        println!("    {name} {:.1}", per_row(*bytes));
    }
    memory.total() / ROWS as u64
}

#[test]
fn participants_take_few_bytes() {
    let as_text = bytes_a_row("text", |random| Value::text(hex(random, 128)));
    assert!(as_text <= 430, "{as_text} bytes a row");
    let as_bytes = bytes_a_row("bytea", |random| {
        let bytes: Vec<u8> = (0..64).map(|_| random.below(256) as u8).collect();
        Value::bytea(bytes)
    });
    assert!(as_bytes <= 250, "{as_bytes} bytes a row");
}
