//! Whether one condition follows from others, as far as their form tells (PostgreSQL's `predicate_implied_by`).

use super::{Bound, BoundKind, Comparison};
use crate::types::compare::compare;

impl Bound {
    /// Whether this condition holds wherever all of these do.
    pub(crate) fn follows_from(&self, given: &[Bound]) -> bool {
        match &self.kind {
            BoundKind::And(parts) => parts.iter().all(|part| part.follows_from(given)),
            BoundKind::Or(parts) => parts.iter().any(|part| part.follows_from(given)),
            _ => given.iter().any(|condition| implies(condition, self)),
        }
    }
}

fn implies(given: &Bound, wanted: &Bound) -> bool {
    if given == wanted {
        return true;
    }
    match (&given.kind, &wanted.kind) {
        // A comparison that holds has compared something.
        (BoundKind::Compare(_, a, b), BoundKind::Not(inner)) => {
            matches!(&inner.kind, BoundKind::IsNull(operand) if operand == a || operand == b)
        }
        (BoundKind::In(operand, _) | BoundKind::Any(_, operand, _), BoundKind::Not(inner)) => {
            matches!(&inner.kind, BoundKind::IsNull(found) if found == operand)
        }
        (BoundKind::Compare(held, a, low), BoundKind::Compare(asked, b, high)) if a == b => {
            let (BoundKind::Const(low), BoundKind::Const(high)) = (&low.kind, &high.kind) else {
                return false;
            };
            let comparable = !low.is_null() && low.type_of() == high.type_of();
            comparable && narrower(*held, *asked, compare(low, high))
        }
        _ => false,
    }
}

/// Whether `x held low` says that `x asked high`, by how low compares to high.
fn narrower(held: Comparison, asked: Comparison, order: std::cmp::Ordering) -> bool {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    match (held, asked) {
        (Equal, asked) => asked.holds(order),
        (Greater, Greater | GreaterOrEqual | NotEqual) | (GreaterOrEqual, GreaterOrEqual) => order.is_ge(),
        (GreaterOrEqual, Greater | NotEqual) => order.is_gt(),
        (Less, Less | LessOrEqual | NotEqual) | (LessOrEqual, LessOrEqual) => order.is_le(),
        (LessOrEqual, Less | NotEqual) => order.is_lt(),
        _ => false,
    }
}
