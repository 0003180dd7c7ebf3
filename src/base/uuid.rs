//! Universally unique identifiers (RFC 9562), as sixteen bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// What PostgreSQL reads: 32 hexadecimal digits of either case, a hyphen allowed after each four of them, all of it
    /// perhaps in braces.
    pub fn parse(text: &str) -> Option<Uuid> {
        let inner = match text.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}')?,
            None => text,
        };
        let (mut bytes, mut count) = ([0_u8; 16], 0_usize);
        let mut hyphen_before = true;
        for c in inner.chars() {
            if c == '-' {
                if hyphen_before || count % 4 != 0 || count == 32 {
                    return None;
                }
                hyphen_before = true;
                continue;
            }
            hyphen_before = false;
            let digit = c.to_digit(16)? as u8;
            *bytes.get_mut(count / 2)? |= if count % 2 == 0 { digit << 4 } else { digit };
            count += 1;
        }
        (count == 32).then_some(Uuid(bytes))
    }

    /// Of version 8 (of one's own making): 64 bits that tell it from others of its kind, and the kind.
    pub fn numbered(kind: u64, number: u64) -> Uuid {
        let mut bytes = [0_u8; 16];
        // Mixed, so that ids are as scattered as random ones; a bijection, so that two numbers never meet.
        bytes[..8].copy_from_slice(&mixed(number).to_be_bytes());
        bytes[8..].copy_from_slice(&kind.to_be_bytes());
        // The version and the variant stand where bits of the number were: these go to the kind's place.
        let (version, variant) = (bytes[6] >> 4, bytes[8] >> 6);
        bytes[6] = 0x80 | bytes[6] & 0x0f;
        bytes[8] = 0x80 | version << 2 | variant;
        Uuid(bytes)
    }
}

/// The finaliser of SplitMix64 (G. Steele, D. Lea, C. Flood, 2014): one-to-one on 64 bits.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn forms_that_postgresql_takes() {
        let plain = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for text in [
            plain,
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
        ] {
            assert_eq!(Uuid::parse(text).map(|uuid| uuid.to_string()).as_deref(), Some(plain));
        }
        for text in [
            "",
            "{}",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
            "-a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11-",
            "a0e-ebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc99--9c0b4ef8bb6d6bb9bd380a11",
        ] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbered_ones_differ_and_say_their_version() {
        let all: BTreeSet<Uuid> = (0..10_000).map(|number| Uuid::numbered(7, number)).collect();
        assert_eq!(all.len(), 10_000);
        assert_ne!(Uuid::numbered(1, 5), Uuid::numbered(2, 5));
        assert!(all.iter().all(|uuid| uuid.0[6] >> 4 == 8 && uuid.0[8] >> 6 == 2));
    }
}
