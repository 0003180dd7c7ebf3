//! Links: what is written is read again; what is cut, changed or made up ends in a sentence, never in a panic.

use base::random::Stream;
use base::{Nanos, Time};
use scenario::{Actor, Fault, FaultAction, Link, LinkedScenario, MAX_LINK_BYTES, Message, Moment, StepPlace};

fn pick<T: Copy>(stream: &mut Stream, from: &[T]) -> T {
    from[stream.below(from.len() as u64) as usize]
}

fn word(stream: &mut Stream, letters: &str) -> String {
    let letters: Vec<char> = letters.chars().collect();
    (0..=stream.below(12)).map(|_| pick(stream, &letters)).collect()
}

fn fault(stream: &mut Stream) -> Fault {
    let span = |stream: &mut Stream| {
        let bits = stream.below(50);
        Nanos(stream.below(1 << bits) + 1)
    };
    let message = pick(stream, &[Message::Request, Message::Reply]);
    let action = match stream.below(5) {
        0 => FaultAction::Lose(message),
        1 => FaultAction::Delay(message, span(stream)),
        2 => FaultAction::Duplicate,
        3 => FaultAction::Refuse,
        _ => FaultAction::Crash {
            actor: pick(
                stream,
                &[
                    Actor::Client,
                    Actor::Orchestrator,
                    Actor::Service,
                    Actor::Server,
                    Actor::Relay,
                ],
            ),
            restart_after: stream.chance(1, 2).then(|| span(stream)),
        },
    };
    let crash = matches!(action, FaultAction::Crash { .. });
    if crash && stream.chance(1, 3) {
        return Fault {
            action,
            moment: Moment::At(Time(span(stream).0)),
        };
    }
    let places = [StepPlace::Before, StepPlace::During, StepPlace::After];
    let moment = Moment::Step {
        place: if crash {
            pick(stream, &places)
        } else {
            StepPlace::During
        },
        step: stream.below(50) as u32 + 1,
        operation: format!("op_{}", word(stream, "abc_9")),
        request: stream.chance(1, 2).then(|| stream.below(9_999)),
    };
    Fault { action, moment }
}

fn link(stream: &mut Stream) -> Link {
    let scenario = if stream.chance(1, 2) {
        LinkedScenario::BuiltIn(word(stream, "abc-19"))
    } else {
        let lines = stream.below(200);
        LinkedScenario::Own((0..lines).map(|_| word(stream, "abä\u{1F600}\"'\n\\&=% +#")).collect())
    };
    Link {
        scenario,
        architectures: (0..stream.below(4)).map(|_| word(stream, "abc-+19")).collect(),
        fault: stream.chance(1, 2).then(|| fault(stream)),
        seed: stream.chance(1, 2).then(|| stream.next_u64()),
        requests: stream.chance(1, 2).then(|| stream.below(1_000_000)),
        operation: stream.chance(1, 2).then(|| word(stream, "abc_1")),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut stream = Stream::new(1, "links", 0);
    for number in 0..500 {
        let link = link(&mut stream);
        let query = link
            .to_query()
            .unwrap_or_else(|error| panic!("seed 1, link {number}: {error}: {link:?}"));
        assert_eq!(Link::parse(&query).as_ref(), Ok(&link), "seed 1, link {number}");
        assert_eq!(Link::parse(&format!("?{query}")), Ok(link));
        assert!(query.bytes().all(|byte| byte.is_ascii_graphic()), "{query}");
    }
}

#[test]
fn a_link_that_is_cut_short_or_changed_is_refused() {
    let mut stream = Stream::new(2, "links", 0);
    for _ in 0..40 {
        let query = link(&mut stream).to_query().unwrap();
        for end in 0..query.len() {
            assert!(Link::parse(&query[..end]).is_err(), "cut at {end}: {query}");
        }
        for _ in 0..50 {
            let mut bytes = query.clone().into_bytes();
            let at = stream.below(bytes.len() as u64) as usize;
            bytes[at] = pick(&mut stream, b"aZ9%&=+-_.,?#");
            let changed = String::from_utf8(bytes).unwrap();
            // A dot for an equals sign, say, may make the version unreadable; it never makes another link.
            assert!(changed == query || Link::parse(&changed).is_err(), "{changed}");
        }
    }
}

#[test]
fn any_text_at_all_is_answered() {
    let mut stream = Stream::new(3, "links", 0);
    for _ in 0..20_000 {
        let length = stream.below(60);
        let bytes: Vec<u8> = (0..length).map(|_| stream.next_u64() as u8).collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let key = pick(
            &mut stream,
            &["", "text", "scenario", "designs", "fault", "seed", "operation"],
        );
        let _ = Link::parse(&text);
        assert!(Link::parse(&format!("v=1&{key}={text}&scenario=&scenario=x")).is_err());
        let packed = word(&mut stream, "ABCabc019-_").repeat(4);
        let _ = Link::parse(&format!("v=1&text={packed}"));
    }
}

#[test]
fn each_way_to_go_wrong_has_its_sentence() {
    let bomb = base64url(&miniz_oxide::deflate::compress_to_vec(&vec![b' '; 300_000], 9));
    let not_text = base64url(&miniz_oxide::deflate::compress_to_vec(&[0xff, 0xfe], 9));
    for (query, sentence) in [
        (String::new(), "this is no link to a run"),
        ("scenario=sign-up".into(), "this is no link to a run"),
        (
            "v=2&scenario=sign-up".into(),
            "the link is of version 2, and only version 1 is known here",
        ),
        (
            "v=x&scenario=sign-up".into(),
            "the link's version is no number that was ever used",
        ),
        (
            "v=1.000000&scenario=sign-up".into(),
            "the link is damaged or cut short: its check does not fit",
        ),
        ("v=1&seed=3".into(), "the link names no scenario"),
        ("v=1&scenario=../x".into(), "\"../x\" is no scenario's name"),
        ("v=1&scenario=a&scenario=b".into(), "the link says \"scenario\" twice"),
        ("v=1&scenario=a&text=b".into(), "the link names two scenarios"),
        ("v=1&scenario=a&seed=-1".into(), "the link's seed is no number: \"-1\""),
        (
            "v=1&scenario=a&seed=99999999999999999999".into(),
            "the link's seed is no number: \"99999999999999999999\"",
        ),
        ("v=1&scenario=a&designs=a,,b".into(), "\"\" is no design's name"),
        ("v=1&scenario=a&operation=<b>".into(), "\"<b>\" is no operation's name"),
        (
            "v=1&scenario=a&color=red".into(),
            "the link says \"color\", which means nothing here",
        ),
        (
            format!("v=1&scenario=a&{}=1", "x".repeat(99)),
            "the link says \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…\", which means nothing here",
        ),
        (
            "v=1&text=a*b".into(),
            "the scenario in the link is damaged: letters are missing or wrong",
        ),
        ("v=1&text=AAAA".into(), "the scenario in the link cannot be unpacked"),
        (
            format!("v=1&text={bomb}"),
            "the scenario in the link unpacks to more than 262144 bytes",
        ),
        (format!("v=1&text={not_text}"), "the scenario in the link is no text"),
        (
            format!("v=1&scenario={}", "a".repeat(MAX_LINK_BYTES)),
            "the link has 65549 bytes, the limit is 65536",
        ),
    ] {
        let error = Link::parse(&query).map(|_| query).unwrap_err();
        assert_eq!(error.message, sentence);
    }
    let faulty = Link::parse("v=1&scenario=a&fault=crash+sever+at+1+s").unwrap_err();
    assert!(faulty.message.contains("did you mean \"server\"?"), "{faulty}");
    assert!(
        Link::parse("v=1&scenario=sign-up&seed=3").is_ok(),
        "a link by hand needs no check"
    );
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn sign_up_fits_into_a_link() {
    let text = include_str!("../../../public/scenarios/sign-up.toml");
    let link = Link {
        scenario: LinkedScenario::Own(text.to_owned()),
        architectures: vec![],
        fault: None,
        seed: None,
        requests: None,
        operation: None,
    };
    let query = link.to_query().unwrap();
    assert!(query.len() < 8_000, "{} bytes", query.len());
    assert_eq!(Link::parse(&query), Ok(link));
}
