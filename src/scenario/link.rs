//! A scenario's text in the form that a link carries.
//!
//! ```text
//! 1.5e2a90.nVPBbtswDL3…      version . check . deflate, base64url
//! ```
//!
//! The rest of a link, which names a built-in scenario and says what differs, is `protocol`'s: a page reads it
//! before anything can unpack this part.
//!
//! A link is a stranger's text: its length and unpacked size are bounded, its end is noticed when it is missing, and
//! whatever is wrong with it ends in one sentence.

use std::fmt;

use base::Fingerprinter;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

use crate::read::limits::FILE_BYTES;

/// Raised when an older reader would misunderstand a newer text.
const VERSION: &str = "1";

/// The longest packed text: with the rest of a link it stays below 64 KiB. Browsers take more, mail programs and
/// chats often less.
pub const MAX_PACKED_BYTES: usize = 60 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// More than a file may have, or more than a link can carry.
    TooLong {
        bytes: usize,
        limit: usize,
    },
    /// The text that was packed has more bytes than a scenario may have.
    Bomb,
    OtherVersion(String),
    /// Cut short, or changed on its way.
    Damaged,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::TooLong { bytes, limit } => {
                write!(
                    f,
                    "the scenario takes {bytes} bytes, and a link carries {limit}; save it as a file instead"
                )
            }
            LinkError::Bomb => write!(f, "the scenario in the link unpacks to more than {FILE_BYTES} bytes"),
            LinkError::OtherVersion(version) => {
                write!(
                    f,
                    "the scenario in the link is of version “{version}”; only version {VERSION} is known here"
                )
            }
            LinkError::Damaged => {
                f.write_str("the scenario in the link is damaged or cut short; copy the link again, as a whole")
            }
        }
    }
}

impl std::error::Error for LinkError {}

/// The text for a link: letters that need no escaping.
pub fn pack(text: &str) -> Result<String, LinkError> {
    if text.len() > FILE_BYTES {
        return Err(LinkError::TooLong {
            bytes: text.len(),
            limit: FILE_BYTES,
        });
    }
    let data = URL_SAFE_NO_PAD.encode(compress_to_vec(text.as_bytes(), 9));
    let packed = format!("{VERSION}.{}.{data}", check(&data));
    if packed.len() > MAX_PACKED_BYTES {
        return Err(LinkError::TooLong {
            bytes: packed.len(),
            limit: MAX_PACKED_BYTES,
        });
    }
    Ok(packed)
}

/// The text that was packed; not yet known to be a scenario.
pub fn unpack(packed: &str) -> Result<String, LinkError> {
    if packed.len() > MAX_PACKED_BYTES {
        return Err(LinkError::TooLong {
            bytes: packed.len(),
            limit: MAX_PACKED_BYTES,
        });
    }
    let (version, rest) = packed.split_once('.').ok_or(LinkError::Damaged)?;
    if version != VERSION {
        let shown: String = version.chars().filter(|c| !c.is_control()).take(20).collect();
        return Err(LinkError::OtherVersion(shown));
    }
    let (given, data) = rest.split_once('.').ok_or(LinkError::Damaged)?;
    if given != check(data) {
        return Err(LinkError::Damaged);
    }
    let bytes = URL_SAFE_NO_PAD.decode(data).map_err(|_| LinkError::Damaged)?;
    let text = decompress_to_vec_with_limit(&bytes, FILE_BYTES).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => LinkError::Bomb,
        _ => LinkError::Damaged,
    })?;
    String::from_utf8(text).map_err(|_| LinkError::Damaged)
}

fn check(data: &str) -> String {
    let mut hasher = Fingerprinter::new();
    std::hash::Hasher::write(&mut hasher, data.as_bytes());
    format!("{:06x}", hasher.finish64() & 0xff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Stream;

    /// As a stranger would, who knows how the check is made.
    fn forged(bytes: &[u8]) -> String {
        let data = URL_SAFE_NO_PAD.encode(bytes);
        format!("1.{}.{data}", check(&data))
    }

    fn text(stream: &mut Stream) -> String {
        let letters: Vec<char> = "abcdefg \"'\n\\&=%+#ä\u{1F600}\0".chars().collect();
        (0..stream.below(3_000))
            .map(|_| letters[stream.below(letters.len() as u64) as usize])
            .collect()
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut stream = Stream::new(1, "links", 0);
        for number in 0..300 {
            let text = text(&mut stream);
            let packed = pack(&text).unwrap();
            assert_eq!(unpack(&packed), Ok(text), "seed 1, text {number}");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            assert!(packed.bytes().all(plain), "needs no escaping: {packed}");
        }
    }

    #[test]
    fn a_text_that_is_cut_short_or_changed_is_refused() {
        let mut stream = Stream::new(2, "links", 0);
        for _ in 0..30 {
            let packed = pack(&text(&mut stream)).unwrap();
            for end in 0..packed.len() {
                assert!(unpack(&packed[..end]).is_err(), "cut at {end}: {packed}");
            }
            for _ in 0..100 {
                let mut bytes = packed.clone().into_bytes();
                let at = stream.below(bytes.len() as u64) as usize;
                bytes[at] = b"aZ9-_.%\n"[stream.below(8) as usize];
                let changed = String::from_utf8(bytes).unwrap();
                assert!(changed == packed || unpack(&changed).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn any_bytes_at_all_are_answered() {
        let mut stream = Stream::new(3, "links", 0);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..stream.below(80)).map(|_| stream.next_u64() as u8).collect();
            // Whatever deflate makes of it: a text or a refusal, no panic.
            if let Ok(text) = unpack(&forged(&bytes)) {
                assert!(text.len() <= FILE_BYTES);
            }
            let _ = unpack(&String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn each_way_to_go_wrong_has_its_sentence() {
        let bomb = forged(&compress_to_vec(&vec![b' '; 50_000_000], 9));
        assert!(bomb.len() > MAX_PACKED_BYTES, "a large bomb is refused unread");
        let small_bomb = forged(&compress_to_vec(&vec![b' '; FILE_BYTES + 1], 9));
        let not_text = forged(&compress_to_vec(&[0xff, 0xfe], 9));
        let damaged = "the scenario in the link is damaged or cut short; copy the link again, as a whole";
        for (packed, sentence) in [
            ("", damaged),
            ("1", damaged),
            ("1.x", damaged),
            ("1.000000.AAAA", damaged),
            (&forged(&[7; 9]), damaged),
            (&not_text, damaged),
            (
                "2.000000.AAAA",
                "the scenario in the link is of version “2”; only version 1 is known here",
            ),
            (
                &small_bomb,
                "the scenario in the link unpacks to more than 262144 bytes",
            ),
            (
                &bomb,
                &format!(
                    "the scenario takes {} bytes, and a link carries 61440; save it as a file instead",
                    bomb.len()
                ),
            ),
        ] {
            assert_eq!(unpack(packed).unwrap_err().to_string(), sentence);
        }
        let long = pack(&"x".repeat(FILE_BYTES + 1)).unwrap_err();
        assert_eq!(
            long,
            LinkError::TooLong {
                bytes: FILE_BYTES + 1,
                limit: FILE_BYTES
            }
        );
        let mut stream = Stream::new(4, "links", 0);
        let noise: String = (0..200_000)
            .map(|_| char::from(b' ' + stream.below(90) as u8))
            .collect();
        assert!(matches!(
            pack(&noise),
            Err(LinkError::TooLong {
                limit: MAX_PACKED_BYTES,
                ..
            })
        ));
    }

    #[test]
    fn sign_up_fits_into_a_link() {
        let text = include_str!("../../public/scenarios/sign-up.toml");
        let packed = pack(text).unwrap();
        assert!(packed.len() < 8_000, "{} bytes", packed.len());
        assert_eq!(unpack(&packed).as_deref(), Ok(text));
    }
}
