//! An old snapshot, or a prepared transaction, keeps what others have replaced: the table grows, and reading it costs more.

use crate::lab::{At, Lab};

const ROWS: &str = "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, filler text);";

fn lab() -> Lab {
    let mut lab = Lab::new(ROWS);
    let session = lab.connect();
    let insert = "INSERT INTO t SELECT g, 0, repeat('x', 200) FROM generate_series(1, 300) AS g";
    lab.all(session, &[insert]);
    lab
}

fn number(lab: &Lab, sql: &str) -> u64 {
    lab.read(sql).parse().expect("a number")
}

fn dead(lab: &Lab) -> u64 {
    number(lab, "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 't'")
}

fn size(lab: &Lab) -> u64 {
    number(lab, "SELECT pg_relation_size('t')")
}

/// Pages that a query over the whole table reads.
fn pages_read(lab: &mut Lab) -> u64 {
    let session = lab.connect();
    lab.all(session, &["SELECT sum(n) FROM t"]);
    let pages = lab.server.take_usage(session).pages_read;
    lab.server.disconnect(session, lab.now);
    pages
}

fn update_all(lab: &mut Lab, times: u32) {
    let session = lab.connect();
    for _ in 0..times {
        lab.all(session, &["UPDATE t SET n = n + 1"]);
    }
    lab.server.disconnect(session, lab.now);
}

#[test]
fn without_an_old_snapshot_the_table_keeps_its_size() {
    let mut lab = lab();
    update_all(&mut lab, 2);
    let (before, read) = (size(&lab), pages_read(&mut lab));
    assert_eq!(read * 8192, before);
    update_all(&mut lab, 20);
    assert!(size(&lab) <= before * 2, "{} after {before}", size(&lab));
    assert!(dead(&lab) <= 300 + 50 + 300 / 5, "{}", dead(&lab));
}

#[test]
fn an_old_snapshot_or_a_prepared_transaction_keeps_all_versions() {
    for prepared in [false, true] {
        let mut lab = lab();
        update_all(&mut lab, 2);
        let (before, read) = (size(&lab), pages_read(&mut lab));
        let old = lab.connect();
        if prepared {
            lab.all(old, &["BEGIN", "PREPARE TRANSACTION 'forgotten'"]);
        } else {
            lab.all(
                old,
                &["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM t"],
            );
        }
        update_all(&mut lab, 20);
        // VACUUM finds them, and must leave them.
        let session = lab.connect();
        lab.all(session, &["VACUUM t"]);
        assert!(dead(&lab) >= 20 * 300, "{}", dead(&lab));
        let (bloated, costs) = (size(&lab), pages_read(&mut lab));
        assert!(
            bloated > before * 6 && costs > read * 6,
            "{before} to {bloated} bytes, {read} to {costs} pages"
        );
        if !prepared {
            let At::Done(Ok(output)) = lab.run(old, "SELECT sum(n) FROM t") else {
                panic!("it reads what it read before");
            };
            assert_eq!(output.rows[0][0].to_string(), "600");
        }
        lab.all(
            old,
            &[if prepared {
                "ROLLBACK PREPARED 'forgotten'"
            } else {
                "COMMIT"
            }],
        );
        // Nobody needs them now: they go, and their room is used again.
        lab.all(session, &["VACUUM t"]);
        assert_eq!(dead(&lab), 0);
        update_all(&mut lab, 10);
        assert_eq!(size(&lab), bloated);
    }
}
