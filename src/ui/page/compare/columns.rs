//! Which designs a board shows, in which order: the baseline first, at most four beside it.
//!
//! The order of the choice says it, so a link says it, too.

use report::Board;

/// The baseline, and four beside it.
pub(super) const MOST: usize = 5;

/// Places in the board's designs.
pub(super) fn columns(board: &Board, chosen: Option<&Vec<String>>) -> Vec<usize> {
    let place = |slug: &String| board.designs.iter().position(|design| design.architecture == *slug);
    let mut columns: Vec<usize> = match chosen {
        Some(slugs) => slugs.iter().filter_map(place).collect(),
        None => (0..board.designs.len()).collect(),
    };
    columns.truncate(MOST);
    columns
}

/// Is every design that was chosen on the board?
pub(super) fn has_all(board: &Board, chosen: Option<&Vec<String>>) -> bool {
    let there = |slug: &String| board.designs.iter().any(|design| design.architecture == *slug);
    chosen.is_none_or(|slugs| slugs.iter().all(there))
}

/// The same designs with another one first.
pub(super) fn with_baseline(board: &Board, columns: &[usize], baseline: &str) -> Vec<String> {
    let slugs = columns.iter().filter_map(|column| board.designs.get(*column));
    let others = slugs
        .map(|design| design.architecture.clone())
        .filter(|slug| slug != baseline);
    std::iter::once(baseline.to_owned()).chain(others).collect()
}

/// A design taken in at the end, or away.
pub(super) fn toggled(mut slugs: Vec<String>, slug: &str, on: bool) -> Vec<String> {
    slugs.retain(|known| known != slug);
    if on {
        slugs.push(slug.to_owned());
    }
    slugs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        let recorded = include_str!("../../../../public/recorded/compare.json");
        serde_json::from_str(recorded).expect("the recorded board")
    }

    #[test]
    fn the_first_chosen_is_the_baseline_and_four_stand_beside_it() {
        let board = board();
        let slugs: Vec<String> = board.designs.iter().map(|design| design.architecture.clone()).collect();
        assert_eq!(columns(&board, None), [0, 1, 2, 3, 4]);
        let chosen = vec![slugs[2].clone(), slugs[0].clone(), "not-on-the-board".to_owned()];
        assert_eq!(columns(&board, Some(&chosen)), [2, 0]);
        assert!(!has_all(&board, Some(&chosen)) && has_all(&board, Some(&slugs)));
    }

    #[test]
    fn another_baseline_goes_first_and_the_rest_keeps_its_order() {
        let board = board();
        let slugs: Vec<String> = board.designs.iter().map(|design| design.architecture.clone()).collect();
        let chosen = with_baseline(&board, &[0, 1, 2], &slugs[2]);
        assert_eq!(chosen, [slugs[2].clone(), slugs[0].clone(), slugs[1].clone()]);
        assert_eq!(columns(&board, Some(&chosen)), [2, 0, 1]);
    }
}
