//! Did you mean …? The nearest of the names that would have been right.

/// The candidate that a slip of the fingers would turn into `word`, if there is one: at most a third
/// of its letters wrong. Ties go to the earlier candidate.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 128 {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| {
            let length = candidate.chars().count();
            distance < length && distance * 3 <= length.max(3)
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean "x"?`, or what there is to choose from.
pub(crate) fn suggestion(word: &str, candidates: &[&str], what: &str) -> Option<String> {
    if let Some(candidate) = nearest(word, candidates.iter().copied()) {
        return Some(format!("did you mean \"{candidate}\"?"));
    }
    match candidates.len() {
        0 => None,
        1..=12 => Some(format!("{what}: {}", candidates.join(", "))),
        n => Some(format!("{what}: {}, … ({n} in all)", candidates[..8].join(", "))),
    }
}

/// Optimal string alignment: insertions, deletions, substitutions, swapped neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = vec![];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substituted = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substituted.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let candidates = ["create_user", "get_user", "append_audit"];
        assert_eq!(nearest("craete_user", candidates), Some("create_user"));
        assert_eq!(nearest("getuser", candidates), Some("get_user"));
        assert_eq!(nearest("delete", candidates), None);
        assert_eq!(nearest("", candidates), None);
    }

    #[test]
    fn a_swap_costs_one() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
