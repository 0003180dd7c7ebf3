//! Words that cannot name an attribute in an expression without a placeholder.

/// From AWS's "Reserved words in DynamoDB": one a line, in capitals, sorted.
const WORDS: &str = include_str!("reserved_words.txt");

pub(super) fn is_reserved(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    WORDS.lines().any(|reserved| reserved == word)
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_reserved_in_any_case() {
        assert!(super::is_reserved("name") && super::is_reserved("Status") && super::is_reserved("ZONE"));
        assert!(!super::is_reserved("email") && !super::is_reserved("") && !super::is_reserved("emails"));
        assert_eq!(super::WORDS.lines().count(), 573);
    }
}
