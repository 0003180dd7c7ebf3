//! The hash under which two parties find the same person without telling each other who it is (PPRL, as the benefit
//! agencies' platform describes it in its `docs/pprl.md`).
//!
//! ```text
//! last name, normalised ┐
//! birthday YYYY-MM-DD   ├─ joined by commas ─ SHA-512 ─▶ 64 bytes, or 128 lower-case hexadecimal characters
//! number   AAA-GG-SSSS  ┘
//! ```
//!
//! Nothing secret goes into it: whoever can try all numbers of a known name and birthday finds the person. That is a
//! property of the method, and kept.

use sha2::{Digest, Sha512};

/// Suffixes of which a name loses one.
const SUFFIXES: [&str; 18] = [
    "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "junior", "jr", "jr.", "jnr", "senior", "sr", "sr.", "snr",
    "jnr.",
];

/// Last names as people write them: with capitals, hyphens, suffixes and letters beyond a to z.
const NAMES: [&str; 24] = [
    "Hopper",
    "von Neumann",
    "O'Brien",
    "García",
    "Smith-Jones",
    "Müller",
    "King Jr.",
    "de la Cruz",
    "Nguyễn",
    "Lee",
    "Johnson III",
    "Núñez",
    "Brown",
    "Williams",
    "Martinez",
    "Davis Sr",
    "Wilson",
    "Anderson",
    "Thomas",
    "Żeleński",
    "Jackson",
    "White",
    "Harris",
    "Clark",
];

/// Person number `n` as every place that knows them knows them, hashed.
pub(crate) fn of_person(n: u64) -> [u8; 64] {
    let name = NAMES[(n % NAMES.len() as u64) as usize];
    let n = n / NAMES.len() as u64;
    // Days of months that all have them; years in which somebody alive may be born.
    let (year, month, day) = (1930 + n % 80, 1 + n / 80 % 12, 1 + n / 960 % 28);
    let n = n / 26_880;
    // Areas without 666 and those above 899, groups and serials without zero.
    let (area, group, serial) = (100 + n % 500, 1 + n / 500 % 99, 1 + n / 49_500 % 9_999);
    let birthday = format!("{year:04}-{month:02}-{day:02}");
    let number = format!("{area:03}-{group:02}-{serial:04}");
    hash(&normalized(name), &birthday, &number)
}

fn hash(name: &str, birthday: &str, number: &str) -> [u8; 64] {
    let mut hasher = Sha512::new();
    hasher.update(format!("{name},{birthday},{number}"));
    hasher.finalize().into()
}

/// Lower case; hyphens are spaces; one suffix goes; only letters a to z and single spaces stay.
fn normalized(name: &str) -> String {
    let lower: String = name.chars().flat_map(char::to_lowercase).collect();
    let plain: String = lower.chars().map(|c| if c == '-' { ' ' } else { latin(c) }).collect();
    let mut words: Vec<&str> = plain.split_whitespace().collect();
    if words.len() > 1 && words.last().is_some_and(|last| SUFFIXES.contains(last)) {
        words.pop();
    }
    let letters = |word: &str| word.chars().filter(char::is_ascii_lowercase).collect::<String>();
    let words: Vec<String> = words.into_iter().map(letters).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The letter of a to z that a lower-case Latin letter is written with where there are no others.
fn latin(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ạ'..='ặ' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ę' | 'ě' | 'ẹ'..='ệ' => 'e',
        'ğ' => 'g',
        'ì'..='ï' | 'ī' | 'ı' | 'ỉ' | 'ị' => 'i',
        'ł' | 'ľ' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ő' | 'ọ'..='ợ' => 'o',
        'ř' => 'r',
        'ś' | 'š' | 'ş' => 's',
        'ť' | 'ţ' => 't',
        'ù'..='ü' | 'ū' | 'ű' | 'ů' | 'ụ'..='ự' => 'u',
        'ý' | 'ÿ' | 'ỳ'..='ỹ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

/// 128 lower-case hexadecimal characters.
pub(crate) fn hexadecimal(hash: &[u8; 64]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the platform's own description.
    #[test]
    fn the_published_example_has_its_published_hash() {
        let hash = hash(&normalized("Hopper"), "1978-08-14", "078-05-1121");
        assert_eq!(
            hexadecimal(&hash),
            "04d1117b976e9c894294ab6198bee5fdaac1f657615f6ee01f96bcfc7045872c\
             60ea68aa205c04dd2d6c5c9a350904385c8d6c9adf8f3cf8da8730d767251eef"
        );
    }

    #[test]
    fn a_name_is_the_same_however_it_is_written() {
        for (written, normal) in [
            ("Hopper", "hopper"),
            ("von Neumann", "von neumann"),
            ("Smith-Jones", "smith jones"),
            ("  O'Brien   Jr. ", "obrien"),
            ("King III", "king"),
            ("Nguyễn", "nguyen"),
            ("García", "garcia"),
            // Of two suffixes one goes; a name that is a suffix stays.
            ("Martin Jr Sr", "martin jr"),
            ("V", "v"),
        ] {
            assert_eq!(normalized(written), normal, "{written}");
        }
    }

    #[test]
    fn people_differ() {
        let hashes: std::collections::BTreeSet<[u8; 64]> = (0..5_000).map(of_person).collect();
        assert_eq!(hashes.len(), 5_000);
    }
}
