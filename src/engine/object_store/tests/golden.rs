//! Requests that were played to moto (`tests/golden/record.mjs`), played to the engine.
//!
//! Where they differ, `differences.md` says why, by S3's documentation. A difference that is not in the table fails the
//! test, and so does one that has gone. `UPDATE_DIFFERENCES=1` rewrites the table, with a question mark for each new
//! reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base::Time;
use engine_object_store::{Condition, Engine, Limits, List, Object, Outcome, Reply, Request};
use serde_json::{Value as Json, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden/object_store")
}

fn lines(file: &str) -> Vec<Json> {
    let path = folder().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `$etag` and `$next` in a script stand for.
#[derive(Default)]
struct Last {
    etag: String,
    next: String,
}

fn request(operation: &str, parameters: &Json, last: &Last) -> Request {
    let text = |name: &str| parameters.get(name).and_then(Json::as_str).map(str::to_owned);
    let times = parameters.get("repeat").and_then(Json::as_u64).unwrap_or(1) as usize;
    let bucket = text("Bucket").unwrap().into();
    let key = text("Key").unwrap_or_default().repeat(times).into();
    let matched = text("IfMatch").map(|tag| if tag == "$etag" { last.etag.clone() } else { tag });
    let condition = match text("IfNoneMatch") {
        Some(_) => Some(Condition::Absent),
        None => matched.map(|tag| Condition::Match(tag.into())),
    };
    match operation {
        "CreateBucket" => Request::CreateBucket { bucket },
        "PutObject" => Request::PutObject {
            bucket,
            key,
            content: text("Body").unwrap().into_bytes().into(),
            condition,
        },
        "GetObject" => Request::GetObject { bucket, key },
        "HeadObject" => Request::HeadObject { bucket, key },
        "DeleteObject" => Request::DeleteObject { bucket, key, condition },
        "ListObjectsV2" => Request::ListObjectsV2(List {
            bucket,
            prefix: text("Prefix").unwrap_or_default().into(),
            delimiter: text("Delimiter").map(Into::into),
            start_after: text("StartAfter").map(Into::into),
            continuation: text("ContinuationToken")
                .map(|token| if token == "$next" { last.next.clone() } else { token })
                .map(Into::into),
            max_keys: parameters
                .get("MaxKeys")
                .map_or(1_000, |max| max.as_u64().unwrap() as u32),
        }),
        other => panic!("{other}"),
    }
}

fn reply(request: &Request, outcome: &Outcome) -> Json {
    let tag = |object: &Object| object.etag.to_string();
    match (&outcome.result, request) {
        // A HEAD has no body to say why.
        (Err(failure), Request::HeadObject { .. }) => json!({"status": failure.name.status()}),
        (Err(failure), _) => {
            json!({"status": failure.name.status(), "Code": failure.name.name(), "Message": failure.message})
        }
        (Ok(Reply::BucketCreated), _) => json!({"status": 200}),
        (Ok(Reply::Deleted), _) => json!({"status": 204}),
        (Ok(Reply::Put(etag)), _) => json!({"status": 200, "ETag": etag.to_string()}),
        (Ok(Reply::Object(object)), Request::HeadObject { .. }) => {
            json!({"status": 200, "ETag": tag(object), "ContentLength": object.content.len()})
        }
        (Ok(Reply::Object(object)), _) => {
            json!({"status": 200, "ETag": tag(object), "Body": String::from_utf8_lossy(&object.content)})
        }
        (Ok(Reply::Page(page)), _) => {
            let objects = page
                .objects
                .iter()
                .map(|(key, object)| json!({"Key": **key, "ETag": tag(object), "Size": object.content.len()}));
            let mut reply = json!({
                "status": 200,
                "Contents": objects.collect::<Json>(),
                "CommonPrefixes": page.common_prefixes.iter().map(|prefix| json!(**prefix)).collect::<Json>(),
                "KeyCount": page.objects.len() + page.common_prefixes.len(),
                "IsTruncated": page.next.is_some(),
            });
            if page.next.is_some() {
                reply["NextContinuationToken"] = json!("some");
            }
            reply
        }
    }
}

/// (script, line) → why.
type Differences = BTreeMap<(String, usize), String>;

fn recorded_differences() -> Differences {
    let text = fs::read_to_string(folder().join("differences.md")).unwrap_or_default();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| script"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [script, number, why] = cells[..] else {
            panic!("{line}")
        };
        ((script.to_owned(), number.parse().unwrap()), why.to_owned())
    };
    rows.map(row).collect()
}

fn write_differences(found: &Differences) {
    let mut text = String::from(HEAD);
    for ((script, line), why) in found {
        text.push_str(&format!("| {script} | {line} | {why} |\n"));
    }
    fs::write(folder().join("differences.md"), text).unwrap();
}

const HEAD: &str = "\
# Where moto and the engine differ

Each line of `<script>.requests.jsonl` was played to moto (`tests/golden/record.mjs`). In these lines the engine follows
the documentation of Amazon S3 instead, or what is said here.

| script | line | why |
|---|---|---|
";

#[test]
fn replies_are_those_of_a_recorded_server() {
    let known = recorded_differences();
    let (mut found, mut unknown) = (Differences::new(), Vec::new());
    for script in ["objects", "pages", "preconditions"] {
        let requests = lines(&format!("{script}.requests.jsonl"));
        let replies = lines(&format!("{script}.replies.jsonl"));
        assert_eq!(requests.len(), replies.len(), "{script}");
        let mut engine = Engine::new(Limits::default());
        let mut last = Last::default();
        for (index, (line, recorded)) in requests.iter().zip(&replies).enumerate() {
            let request = request(line[0].as_str().unwrap(), &line[1], &last);
            let outcome = engine.request(&request, Time::ZERO);
            if let Ok(Reply::Page(page)) = &outcome.result {
                last.next = page.next.as_deref().unwrap_or(&last.next).to_owned();
            }
            let ours = reply(&request, &outcome);
            if let Some(etag) = ours.get("ETag").and_then(Json::as_str) {
                last.etag = etag.to_owned();
            }
            if ours == recorded["moto"] {
                continue;
            }
            let place = (script.to_owned(), index + 1);
            let why = known.get(&place).cloned();
            if why.is_none() {
                unknown.push(format!(
                    "{script}:{} {line}\n  ours {ours}\n  moto {}",
                    index + 1,
                    recorded["moto"]
                ));
            }
            found.insert(place, why.unwrap_or_else(|| "?".to_owned()));
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
    assert!(found.values().all(|why| why != "?"), "a difference without a reason");
}
