//! Requests that were played to dynalite and to moto (`tests/golden/record.mjs`), played to the engine.
//!
//! Where the two agree the engine must, too, unless `differences.md` says why not; where they differ the table says
//! whom the engine follows, and why. A difference that is not in the table fails the test, and so does one that has
//! gone. `UPDATE_DIFFERENCES=1` rewrites the table, with a question mark for each new reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base::Nanos;
use serde_json::{Map, Value as Json, json};

use crate::lab::Lab;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden/dynamo")
}

fn lines(file: &str) -> Vec<Json> {
    let path = folder().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Replies that mean the same are made equal: numbers are 1 or 1.0, failures have their name alone, and what has no
/// order (sets, scans, batches) is sorted.
fn normal(operation: &str, reply: &Json) -> Json {
    let mut reply = plain(reply, operation == "Scan");
    if let Some(fields) = reply.as_object_mut() {
        if let Some(name) = fields.get("__type").and_then(Json::as_str) {
            let name = name.rsplit('#').next().unwrap_or_default().to_owned();
            let message = fields
                .get("message")
                .or(fields.get("Message"))
                .cloned()
                .unwrap_or_default();
            let kept = ["Item", "CancellationReasons"];
            let mut failure: Map<String, Json> = fields.clone();
            failure.retain(|key, _| kept.contains(&key.as_str()));
            failure.insert("failure".to_owned(), json!(name));
            failure.insert("message".to_owned(), message);
            *fields = failure;
        }
        // Only that a table was made.
        fields.remove("TableDescription");
        for one in ["ConsumedCapacity"] {
            if let Some(all) = fields.get_mut(one).and_then(Json::as_array_mut) {
                all.sort_by_key(Json::to_string);
            }
        }
        if let Some(responses) = fields.get_mut("Responses").and_then(Json::as_object_mut) {
            responses
                .values_mut()
                .filter_map(Json::as_array_mut)
                .for_each(|items| items.sort_by_key(Json::to_string));
        }
    }
    reply
}

fn plain(json: &Json, scan: bool) -> Json {
    match json {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(values) => values.iter().map(|value| plain(value, scan)).collect(),
        Json::Object(fields) => {
            let pairs = fields.iter().map(|(key, value)| {
                let mut value = plain(value, scan);
                let is_set = matches!(key.as_str(), "SS" | "NS" | "BS");
                if (is_set || scan && key == "Items")
                    && let Some(values) = value.as_array_mut()
                {
                    values.sort_by_key(Json::to_string);
                }
                (key.clone(), value)
            });
            Json::Object(pairs.collect())
        }
        other => other.clone(),
    }
}

/// Two habits of moto's that AWS's documentation excludes would touch nearly every line: numbers come back as they
/// were written, and some operations report capacity and metrics though nobody has asked.
fn mend_moto(reply: &Json, reported: bool) -> Json {
    fn number(text: &Json) -> Json {
        let parsed = text.as_str().map(engine_dynamo::Number::parse);
        parsed
            .and_then(Result::ok)
            .map_or(text.clone(), |number| json!(number.to_string()))
    }
    match reply {
        Json::Object(fields) => {
            let unasked = |key: &str| key == "ItemCollectionMetrics" || key == "ConsumedCapacity" && !reported;
            let pairs = fields.iter().filter(|(key, _)| !unasked(key));
            let mended = pairs.map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("N", text) => number(text),
                    ("NS", Json::Array(texts)) => texts.iter().map(number).collect(),
                    _ => mend_moto(value, true),
                };
                (key.clone(), value)
            });
            Json::Object(mended.collect())
        }
        Json::Array(values) => values.iter().map(|value| mend_moto(value, true)).collect(),
        other => other.clone(),
    }
}

/// As the table names whom the engine agrees with.
fn agreement(ours: &Json, dynalite: &Json, moto: &Json) -> &'static str {
    match (ours == dynalite, ours == moto) {
        (true, true) => "both",
        (true, false) => "dynalite",
        (false, true) => "moto",
        (false, false) => "neither",
    }
}

/// (script, line) → (whom the engine follows, why).
type Differences = BTreeMap<(String, usize), (String, String)>;

fn recorded_differences() -> Differences {
    let text = fs::read_to_string(folder().join("differences.md")).unwrap_or_default();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| script"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [script, number, follows, why] = cells[..] else {
            panic!("{line}")
        };
        (
            (script.to_owned(), number.parse().unwrap()),
            (follows.to_owned(), why.to_owned()),
        )
    };
    rows.map(row).collect()
}

fn write_differences(found: &Differences) {
    let mut text = String::from(HEAD);
    for ((script, line), (follows, why)) in found {
        text.push_str(&format!("| {script} | {line} | {follows} | {why} |\n"));
    }
    fs::write(folder().join("differences.md"), text).unwrap();
}

const HEAD: &str = "\
# Where the recorded servers and the engine differ

Each line of `<script>.requests.jsonl` was played to dynalite and to moto (`record.mjs`). A row: whom the engine
follows in that line, and why. Lines that are not here: all three agree.

| script | line | the engine agrees with | why |
|---|---|---|---|
";

#[test]
fn replies_are_those_of_recorded_servers() {
    let scripts = [
        "capacity",
        "conditions",
        "errors",
        "indexes",
        "queries",
        "transactions",
        "updates",
    ];
    let known = recorded_differences();
    let (mut found, mut unknown) = (Differences::new(), Vec::new());
    for script in scripts {
        let requests = lines(&format!("{script}.requests.jsonl"));
        let replies = lines(&format!("{script}.replies.jsonl"));
        assert_eq!(requests.len(), replies.len(), "{script}");
        let mut lab = Lab::empty(Nanos::ZERO);
        for (index, (request, recorded)) in requests.iter().zip(&replies).enumerate() {
            // So that throughput is not what is tested.
            lab.now += Nanos::from_secs(1);
            let (operation, body) = (request[0].as_str().unwrap(), request[1].clone());
            let ours = normal(operation, &lab.send(operation, body));
            let reported = request[1].get("ReturnConsumedCapacity").is_some();
            let dynalite = normal(operation, &recorded["dynalite"]);
            let moto = normal(operation, &mend_moto(&recorded["moto"], reported));
            let follows = agreement(&ours, &dynalite, &moto);
            if follows == "both" {
                continue;
            }
            let place = (script.to_owned(), index + 1);
            let why = known
                .get(&place)
                .filter(|(known, _)| known == follows)
                .map(|(_, why)| why.clone());
            if why.is_none() {
                let short = |json: &Json| json.to_string().chars().take(500).collect::<String>();
                unknown.push(format!(
                    "{script}:{} {}\n  ours     {}\n  dynalite {}\n  moto     {}",
                    index + 1,
                    short(request),
                    short(&ours),
                    short(&dynalite),
                    short(&moto)
                ));
            }
            found.insert(place, (follows.to_owned(), why.unwrap_or_else(|| "?".to_owned())));
        }
    }
    if std::env::var_os("UPDATE_DIFFERENCES").is_some() {
        write_differences(&found);
    }
    assert!(
        unknown.is_empty(),
        "{} unknown differences\n{}",
        unknown.len(),
        unknown.join("\n")
    );
    let gone: Vec<_> = known.keys().filter(|place| !found.contains_key(place)).collect();
    assert!(gone.is_empty(), "differences that have gone: {gone:?}");
    assert!(
        found.values().all(|(_, why)| why != "?"),
        "a difference without a reason"
    );
}
