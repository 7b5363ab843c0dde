//! Shallow boosted trees on surface numbers, fitted to the gain.
//!
//! Invariant: the same rows and seed give the same trees; thresholds are whole numbers of the surface itself.

use crate::classifier::{DEPTH, INNER, LEAVES, SURFACE, Surface};
use crate::units::Draw;

const BINS: usize = 32;
/// How much of a tree's say is taken.
const RATE: f32 = 0.03;
/// Rows of no gain that every leaf starts with.
const PULL: f32 = 20.0;
/// The fewest rows of a leaf.
const LEAST: f32 = 12.0;

/// One tree: a number of the surface at or above a threshold leads to the right.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) splits: [(u8, i16); INNER],
    pub(super) leaves: [f32; LEAVES],
}

impl Tree {
    fn leaf(&self, surface: &Surface) -> usize {
        let mut at = 0;
        for _ in 0..DEPTH {
            let (number, threshold) = self.splits.get(at).copied().unwrap_or((0, i16::MAX));
            at = 2 * at + 1 + usize::from(surface.get(usize::from(number)) >= threshold);
        }
        at - INNER
    }

    pub(super) fn value(&self, surface: &Surface) -> f32 {
        self.leaves.get(self.leaf(surface)).copied().unwrap_or(0.0)
    }
}

/// Surfaces cut into few steps each, for fitting.
pub(super) struct Binned {
    /// By number of the surface: the least value of every step but the first.
    edges: Vec<Vec<i16>>,
    /// By number of the surface: the step of every row.
    bins: Vec<Vec<u8>>,
}

impl Binned {
    pub(super) fn of(surfaces: &[Option<Surface>]) -> Self {
        let edges: Vec<Vec<i16>> = (0..SURFACE)
            .map(|number| {
                let mut values: Vec<i16> =
                    surfaces.iter().flatten().map(|surface| surface.get(number)).collect();
                values.sort_unstable();
                let mut edges: Vec<i16> =
                    (1..BINS).filter_map(|step| values.get(values.len() * step / BINS).copied()).collect();
                edges.dedup();
                let least = values.first().copied();
                edges.retain(|&edge| Some(edge) != least);
                // A value that is rare but above all others is told apart too.
                if let (Some(&most), Some(least)) = (values.last(), least)
                    && edges.is_empty()
                    && most > least
                {
                    edges.push(least + 1);
                }
                edges
            })
            .collect();
        let bins = (edges.iter().enumerate())
            .map(|(number, edges)| {
                let step = |surface: &Option<Surface>| {
                    let value = surface.as_ref().map_or(i16::MIN, |surface| surface.get(number));
                    u8::try_from(edges.partition_point(|&edge| edge <= value)).unwrap_or(0)
                };
                surfaces.iter().map(step).collect()
            })
            .collect();
        Self { edges, bins }
    }

    fn column(&self, number: usize) -> &[u8] {
        self.bins.get(number).map_or(&[], Vec::as_slice)
    }
}

/// The trees.
#[derive(Clone, Debug, Default)]
pub(super) struct Forest(pub(super) Vec<Tree>);

impl Forest {
    /// Fits the centred `target` of the rows.
    pub(super) fn fit(
        binned: &Binned,
        surfaces: &[Option<Surface>],
        rows: &[u32],
        target: &[f32],
        trees: usize,
        seed: u64,
    ) -> Self {
        let mut draw = Draw::new(seed);
        let (rows, mut rest): (Vec<u32>, Vec<f32>) = rows
            .iter()
            .zip(target)
            .filter(|(row, _)| surfaces.get(**row as usize).is_some_and(Option::is_some))
            .map(|(&row, &wanted)| (row, wanted))
            .unzip();
        let usable: Vec<usize> = (0..SURFACE)
            .filter(|&number| binned.edges.get(number).is_some_and(|edges| !edges.is_empty()))
            .collect();
        let mut forest = Self::default();
        if rows.is_empty() || usable.is_empty() {
            return forest;
        }
        for _ in 0..trees {
            let mut numbers = usable.clone();
            draw.shuffle(&mut numbers);
            numbers.truncate((numbers.len() / 3).max(1));
            numbers.sort_unstable();
            let drawn: Vec<u32> = (0u32..).take(rows.len()).filter(|_| draw.next() % 10 < 7).collect();
            let tree = grow(binned, &rows, &drawn, &rest, &numbers);
            for (&row, left) in rows.iter().zip(&mut rest) {
                if let Some(Some(surface)) = surfaces.get(row as usize) {
                    *left -= tree.value(surface);
                }
            }
            forest.0.push(tree);
        }
        forest
    }

    pub(super) fn value(&self, surface: &Surface) -> f32 {
        self.0.iter().map(|tree| tree.value(surface)).sum()
    }
}

/// Returns the step of one of the rows fitted.
fn step_of(bins: &[u8], rows: &[u32], at: u32) -> u8 {
    rows.get(at as usize).and_then(|&row| bins.get(row as usize)).copied().unwrap_or(0)
}

fn grow(binned: &Binned, rows: &[u32], drawn: &[u32], rest: &[f32], numbers: &[usize]) -> Tree {
    let mut tree = Tree { splits: [(0, i16::MAX); INNER], leaves: [0.0; LEAVES] };
    // The rows of every node, top down.
    let mut waiting: Vec<(usize, Vec<u32>)> = vec![(0, drawn.to_vec())];
    while let Some((node, members)) = waiting.pop() {
        if node >= INNER {
            let sum: f32 = members.iter().filter_map(|&at| rest.get(at as usize)).sum();
            if let Some(leaf) = tree.leaves.get_mut(node - INNER) {
                *leaf = RATE * sum / (members.len() as f32 + PULL);
            }
            continue;
        }
        let best = best_split(binned, rows, &members, rest, numbers);
        let (left, right): (Vec<u32>, Vec<u32>) = match best {
            Some((number, bin)) => {
                let threshold = binned
                    .edges
                    .get(number)
                    .and_then(|edges| edges.get(usize::from(bin)))
                    .copied()
                    .unwrap_or(i16::MAX);
                if let Some(split) = tree.splits.get_mut(node) {
                    *split = (u8::try_from(number).unwrap_or(0), threshold);
                }
                {
                    let bins = binned.column(number);
                    members.iter().partition(|&&at| step_of(bins, rows, at) <= bin)
                }
            }
            None => (members, Vec::new()),
        };
        waiting.push((2 * node + 1, left));
        waiting.push((2 * node + 2, right));
    }
    tree
}

/// Finds the number and the last step on the left that part the rows best.
fn best_split(
    binned: &Binned,
    rows: &[u32],
    members: &[u32],
    rest: &[f32],
    numbers: &[usize],
) -> Option<(usize, u8)> {
    let worth = |sum: f32, count: f32| sum * sum / (count + PULL);
    let mut best: Option<(f32, usize, u8)> = None;
    for &number in numbers {
        let mut sums = [(0.0f32, 0.0f32); BINS];
        let bins = binned.column(number);
        for &at in members {
            let step = usize::from(step_of(bins, rows, at));
            if let (Some(slot), Some(&left)) = (sums.get_mut(step), rest.get(at as usize)) {
                slot.0 += left;
                slot.1 += 1.0;
            }
        }
        let (all, count) = sums.iter().fold((0.0, 0.0), |(a, b), &(sum, n)| (a + sum, b + n));
        let (mut left, mut left_count) = (0.0, 0.0);
        let steps = binned.edges.get(number).map_or(0, Vec::len);
        for (bin, &(sum, n)) in (0u8..).zip(sums.iter().take(steps)) {
            left += sum;
            left_count += n;
            if left_count < LEAST || count - left_count < LEAST {
                continue;
            }
            let gain = worth(left, left_count) + worth(all - left, count - left_count) - worth(all, count);
            if gain > best.map_or(0.0, |best| best.0) {
                best = Some((gain, number, bin));
            }
        }
    }
    best.map(|(_, number, bin)| (number, bin))
}
