//! Bills worked out by hand, from the prices in the book that is shipped.

use base::{Money, Nanos};
use cost::{Engine, Fleet, FleetError, Kind, NodeUsage, PriceBook, PriceChange, Usage, bill, sizing};
use program::{Deployment, Node, NodeKind};

const GIB: u64 = 1 << 30;

fn book() -> PriceBook {
    serde_json::from_str(include_str!("../../../public/prices/aws-us-east-1.json")).expect("the book is sound")
}

fn money(text: &str) -> Money {
    text.parse().expect("an amount")
}

fn fleet(text: &str) -> Money {
    let fleet: Fleet = text.parse().unwrap_or_else(|error| panic!("{error}"));
    fleet.bill(&book()).unwrap_or_else(|error| panic!("{error}")).total()
}

fn server(cores: u16) -> Deployment {
    let node = |name: &str, kind, cores| Node {
        name: name.to_owned(),
        kind,
        cores,
    };
    Deployment {
        nodes: vec![
            node("client", NodeKind::Client, u16::MAX),
            node("postgres", NodeKind::SqlServer, cores),
        ],
        ..Deployment::default()
    }
}

/// A thousand requests in a hundred seconds.
fn usage(node: NodeUsage) -> Usage {
    Usage {
        requests: 1_000,
        span: Nanos::from_secs(100),
        nodes: vec![NodeUsage::default(), node],
    }
}

#[test]
fn the_fleets_that_the_studied_decision_names() {
    // 730 × 0.072 + 20 × 0.115, and so on.
    assert_eq!(fleet("1 db.t3.medium, 20 GB each"), money("54.86"));
    assert_eq!(fleet("4 db.t3.small, 20 GB each"), money("114.32"));
    assert_eq!(fleet("1 db.t3.large, 0 GB each"), money("105.85"));
    assert_eq!(fleet("4 db.t3.small, 0 GB each"), money("105.12"));
    assert_eq!(fleet("1 aurora db.t3.medium, 20 GB each"), money("61.86"));
    assert_eq!(fleet("4 aurora db.t3.small, 0 GB each"), money("119.72"));
}

/// The keys of a book are those of its file: each can be changed, counts as assumed, and changes nothing else.
#[test]
fn every_price_of_the_file_can_be_replaced_by_its_key() {
    let file: serde_json::Value = serde_json::to_value(book()).expect("it is plain data");
    let fields = file.as_object().expect("a book").iter();
    let rates = fields.filter(|(_, value)| value.get("usd").is_some());
    let servers = file["instances"].as_array().expect("a list").iter();
    let keys = rates.map(|(key, _)| key.clone()).chain(servers.map(|server| {
        let word = |name: &str| server[name].as_str().expect("a word");
        format!("{}/{}", word("engine"), word("class"))
    }));
    let keys: Vec<String> = keys.collect();
    assert!(keys.len() > 30, "{keys:?}");
    for key in &keys {
        let changed = book().changed(&[format!("{key}=7.5").parse().expect("a price")]);
        let changed = serde_json::to_value(changed.expect(key))
            .expect("it is plain data")
            .to_string();
        assert_eq!(changed.matches("\"7.5\"").count(), 1, "{key}");
        assert_eq!(changed.matches("assumed: yours, in place of ").count(), 1, "{key}");
    }
}

#[test]
fn what_is_no_price_is_refused() {
    let refused = |text: &str| text.parse::<PriceChange>().expect_err(text).to_string();
    assert!(refused("cheap").contains("write it like"));
    assert!(refused("sql_storage_usd_per_gb_month=-1").contains("no amount of dollars"));
    let unknown = book().changed(&["lunch=1".parse().expect("a price")]);
    let unknown = unknown.expect_err("no such price").to_string();
    assert!(
        unknown.contains("“lunch”") && unknown.contains("sql_storage_usd_per_gb_month"),
        "{unknown}"
    );
}

#[test]
fn a_fleet_prints_as_it_was_written_and_what_is_none_is_refused() {
    for text in ["4 db.t3.small, 20 GB each", "1 aurora db.t3.medium, 0 GB each"] {
        assert_eq!(text.parse::<Fleet>().expect("it is a fleet").to_string(), text);
    }
    for text in [
        "",
        "db.t3.small",
        "0 db.t3.small, 20 GB each",
        "4 db.t3.small 20 GB",
        "4 db.t3.small, 20 GiB each",
    ] {
        assert!(text.parse::<Fleet>().is_err(), "{text}");
    }
    let unknown: Fleet = "1 db.z9.huge, 20 GB each".parse().expect("the form is right");
    assert!(matches!(unknown.bill(&book()), Err(FleetError::UnknownClass { .. })));
    let memory: Fleet = "4 db.t3.small, 20 GB each".parse().expect("it is a fleet");
    assert_eq!(memory.memory_gib(&book()), Some(8));
}

#[test]
fn a_server_that_idles_gets_the_cheapest_class_its_data_fits() {
    // Busy 10 of 2 × 100 s; 1 GiB of data wants 2 GiB of memory: db.t4g.small at 730 × 0.032; no burst.
    let used = NodeUsage {
        busy: Nanos::from_secs(10),
        loaded_bytes: GIB,
        connections: 20,
        ..NodeUsage::default()
    };
    let bill = bill(&server(2), &usage(used), &book());
    let lines: Vec<(Kind, Money)> = bill.lines.iter().map(|line| (line.kind, line.result)).collect();
    assert_eq!(
        lines,
        [
            (Kind::Server, money("23.36")),
            (Kind::Storage, money("2.3")),
            (Kind::Backup, Money::ZERO)
        ]
    );
    assert!(bill.lines[0].what.starts_with("db.t4g.small"), "{}", bill.lines[0].what);
    assert_eq!(bill.total(), money("25.66"));
}

#[test]
fn processor_time_beyond_the_baseline_is_billed() {
    // Busy 100 of 2 × 100 s: 50 %, 30 % beyond the baseline of 20 %, of 2 vCPU: 0.6 × 730 × 0.075 = 32.85.
    let used = NodeUsage {
        busy: Nanos::from_secs(100),
        loaded_bytes: GIB,
        ..NodeUsage::default()
    };
    let bill = bill(&server(2), &usage(used), &book());
    assert_eq!(bill.lines[1].result, money("32.85"));
    assert_eq!(bill.total(), money("58.51"));
}

#[test]
fn connections_need_memory_by_the_formula_of_rds() {
    // 200 × 9,531,392 bytes are more than 1 GiB, 400 more than 2 GiB.
    let class = |connections| {
        let used = NodeUsage {
            connections,
            ..NodeUsage::default()
        };
        bill(&server(2), &usage(used), &book()).lines[0].what.clone()
    };
    assert!(class(100).starts_with("db.t4g.micro"));
    assert!(class(200).starts_with("db.t4g.small"));
    assert!(class(400).starts_with("db.t4g.medium"));
}

#[test]
fn what_a_month_adds_is_stored_and_backed_up() {
    // 1 MiB in 100 s is 26,280 MiB in 2,628,000 s = 25.66 GiB; twice that is provisioned, rounded up: 52 GB.
    let used = NodeUsage {
        added_bytes: 1 << 20,
        ..NodeUsage::default()
    };
    let bill = bill(&server(2), &usage(used), &book());
    let volume = bill
        .lines
        .iter()
        .find(|line| line.kind == Kind::Storage)
        .expect("a volume");
    assert_eq!((volume.quantity.as_str(), volume.result), ("52 GB", money("5.98")));
    let backup = bill
        .lines
        .iter()
        .find(|line| line.kind == Kind::Backup)
        .expect("backups");
    assert_eq!(backup.result, Money::ZERO, "38.5 GB are within the 52 that are free");
}

#[test]
fn what_no_class_carries_is_said_and_not_billed() {
    let used = NodeUsage {
        loaded_bytes: 10_000 * GIB,
        ..NodeUsage::default()
    };
    let bill = bill(&server(2), &usage(used), &book());
    assert_eq!(bill.unpriced.len(), 1, "{:?}", bill.unpriced);
    assert!(bill.lines.iter().all(|line| line.kind != Kind::Server));
}

#[test]
fn items_are_billed_by_their_units() {
    let deployment = Deployment {
        nodes: vec![Node {
            name: "dynamodb".to_owned(),
            kind: NodeKind::DynamoDb,
            cores: 1,
        }],
        ..Deployment::default()
    };
    let usage = Usage {
        requests: 1_000,
        span: Nanos::from_secs(100),
        nodes: vec![NodeUsage {
            read_half_units: 3_001,
            write_half_units: 4_000,
            loaded_bytes: 10 * GIB,
            ..NodeUsage::default()
        }],
    };
    let bill = bill(&deployment, &usage, &book());
    let results: Vec<Money> = bill.lines.iter().map(|line| line.result).collect();
    // 2,000 × 26,280 × 0.625 / 10⁶; 3,001 / 2 × 26,280 × 0.125 / 10⁶; 10 × 0.25; 10 × 0.20.
    assert_eq!(results, [money("32.85"), money("4.9291425"), money("2.5"), money("2")]);
    // 20 / 0.7 → 29 write units, 15.005 / 0.7 → 22 read units: 29 × 0.4745 + 22 × 0.0949.
    assert!(
        bill.notes[0].contains("29 write and 22 read units"),
        "{}",
        bill.notes[0]
    );
    assert!(bill.notes[0].contains("$15.85"), "{}", bill.notes[0]);
}

#[test]
fn a_bus_is_billed_by_its_brokers_and_what_they_keep() {
    let deployment = Deployment {
        nodes: vec![Node {
            name: "event-bus".to_owned(),
            kind: NodeKind::EventBus,
            cores: 2,
        }],
        ..Deployment::default()
    };
    let bill_of = |added_bytes, busy| {
        let used = NodeUsage {
            added_bytes,
            busy: Nanos::from_secs(busy),
            ..NodeUsage::default()
        };
        let usage = Usage {
            nodes: vec![used],
            ..usage(used)
        };
        bill(&deployment, &usage, &book())
    };
    let results = |bill: &cost::Bill| bill.lines.iter().map(|line| line.result).collect::<Vec<Money>>();
    // 3 × 730 × 0.0456; 3 × 1 × 0.10.
    assert_eq!(results(&bill_of(0, 0)), [money("99.864"), money("0.3")]);
    // 1 MiB in 100 s is 25.66 GiB a month, of which 168 h of 730 are kept: 5.9 GiB on each of three.
    assert_eq!(results(&bill_of(1 << 20, 0))[1], money("1.8"));
    // Busy 150 of 200 processor seconds.
    assert_eq!(bill_of(0, 150).unpriced.len(), 1);
}

#[test]
fn the_rule_asks_for_more_processors_where_they_are_missing() {
    let book = book();
    let busy = |seconds| {
        usage(NodeUsage {
            busy: Nanos::from_secs(seconds),
            ..NodeUsage::default()
        })
    };
    assert_eq!(
        sizing::too_small(&server(2), &busy(119), true, &book),
        Vec::<usize>::new()
    );
    assert_eq!(sizing::too_small(&server(2), &busy(121), true, &book), [1]);
    assert_eq!(
        sizing::too_small(&server(4), &busy(121), true, &book),
        Vec::<usize>::new()
    );
    assert_eq!(
        sizing::too_small(&server(2), &busy(10), false, &book),
        [1],
        "the target is missed"
    );
    assert_eq!(sizing::processor_counts(&book), [2, 4, 8, 16, 32]);
}

#[test]
fn every_price_says_where_it_was_read() {
    let book = book();
    for class in &book.instances {
        assert!(!class.source.is_empty(), "{}", class.class);
    }
    assert!(
        book.instance(Engine::RdsPostgresql, "db.t3.large")
            .is_some_and(|class| !class.is_assumed())
    );
    assert!(
        book.instance(Engine::RdsPostgresql, "db.t3.medium")
            .is_some_and(cost::InstanceClass::is_assumed)
    );
}

#[test]
fn objects_are_billed_by_requests_of_two_classes_and_what_is_stored() {
    let deployment = Deployment {
        nodes: vec![Node {
            name: "object-store".to_owned(),
            kind: NodeKind::ObjectStore,
            cores: 1,
        }],
        ..Deployment::default()
    };
    let usage = Usage {
        requests: 1_000,
        span: Nanos::from_secs(100),
        nodes: vec![NodeUsage {
            object_writes: 1_200,
            object_reads: 30_000,
            loaded_bytes: 10 * GIB,
            ..NodeUsage::default()
        }],
    };
    let bill = bill(&deployment, &usage, &book());
    let results: Vec<Money> = bill.lines.iter().map(|line| line.result).collect();
    // 1,200 × 26,280 × 0.005 / 1,000; 30,000 × 26,280 × 0.0004 / 1,000; 10 × 0.023.
    assert_eq!(results, [money("157.68"), money("315.36"), money("0.23")]);
}
