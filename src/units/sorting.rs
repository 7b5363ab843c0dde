//! Sorting for lists that are short or seldom sorted: one sort for rows of every type, as each one of the standard library's is
//! seven kilobytes of code.
//!
//! Invariant: equal rows keep their order, as with `slice::sort_by`.

use std::cmp::Ordering;

/// Sorts rows by what `order` says of two.
pub fn sort_by<T>(rows: &mut [T], mut order: impl FnMut(&T, &T) -> Ordering) {
    let places = ranked(rows.len(), &mut |a, b| match (rows.get(a), rows.get(b)) {
        (Some(a), Some(b)) => order(a, b),
        _ => Ordering::Equal,
    });
    arrange(places, &mut |a, b| rows.swap(a, b));
}

/// Sorts rows by a key.
pub fn sort_by_key<T, K: Ord>(rows: &mut [T], mut key: impl FnMut(&T) -> K) {
    sort_by(rows, |a, b| key(a).cmp(&key(b)));
}

/// Returns the places in the order of what stands there.
fn ranked(len: usize, order: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..len).collect();
    places.sort_by(|a, b| order(*a, *b));
    places
}

/// Moves to each place what `from` says stands there in the end.
fn arrange(mut from: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..from.len() {
        let mut at = start;
        while let Some(place) = from.get_mut(at) {
            let next = std::mem::replace(place, at);
            if next == start || next == at {
                break;
            }
            swap(at, next);
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A list on screen is in the order that its column says, and equal rows do not change places.
        #[test]
        fn rows_stand_as_the_standard_sort_has_them(keys in proptest::collection::vec(0u8..20, 0..60)) {
            let mut rows: Vec<(u8, usize)> = keys.into_iter().zip(0..).collect();
            let mut expected = rows.clone();
            expected.sort_by_key(|row| row.0);
            sort_by_key(&mut rows, |row| row.0);
            prop_assert_eq!(&rows, &expected);
            expected.sort_by_key(|row| std::cmp::Reverse(row.0));
            sort_by(&mut rows, |a, b| b.0.cmp(&a.0));
            prop_assert_eq!(rows, expected);
        }
    }
}
