//! How much each part's word counts: weights that are never below zero, fitted to what the parts said of rows they had not seen.

/// The parts: words, surface, task, project.
pub(super) const PARTS: usize = 4;
/// What each part says of a row.
pub(super) type Said = [f32; PARTS];

/// Where weights are pulled to, and by how many rows' worth.
const PRIOR: f64 = 0.5;
const PULL: f64 = 100.0;

/// Finds the weights whose sum comes closest to the centred `wanted`; by trying every set of parts, which is exact.
pub(super) fn weigh(said: &[Said], wanted: &[f64]) -> [f64; PARTS] {
    let rows = (said.len() as f64).max(1.0);
    let mut products = [[0.0f64; PARTS]; PARTS];
    let mut towards = [0.0f64; PARTS];
    for (row, &wanted) in said.iter().zip(wanted) {
        let row = row.map(f64::from);
        for (line, &a) in products.iter_mut().zip(&row) {
            for (slot, &b) in line.iter_mut().zip(&row) {
                *slot += a * b;
            }
        }
        for (slot, &a) in towards.iter_mut().zip(&row) {
            *slot += a * wanted;
        }
    }
    for (part, (line, slot)) in products.iter_mut().zip(&mut towards).enumerate() {
        if let Some(own) = line.get_mut(part) {
            let pull = *own * PULL / rows;
            *own += pull + 1e-12;
            *slot += pull * PRIOR;
        }
    }
    let mut best = (0.0f64, [0.0; PARTS]);
    for set in 1u32..1 << PARTS {
        let Some(weights) = solve(&products, &towards, set) else { continue };
        if weights.iter().any(|weight| *weight < 0.0) {
            continue;
        }
        // At the solution what is left of the squares falls by this much.
        let worth: f64 = weights.iter().zip(&towards).map(|(weight, towards)| weight * towards).sum();
        if worth > best.0 {
            best = (worth, weights);
        }
    }
    best.1
}

/// Solves the equations of the parts in a set, by elimination.
fn solve(products: &[[f64; PARTS]; PARTS], towards: &[f64; PARTS], set: u32) -> Option<[f64; PARTS]> {
    let (mut lines, mut right) = (*products, *towards);
    let inside = |part: usize| set >> part & 1 == 1;
    for pivot in (0..PARTS).filter(|&part| inside(part)) {
        let own = *lines.get(pivot)?;
        let (lead, value) = (*own.get(pivot)?, *right.get(pivot)?);
        if lead <= 1e-11 {
            return None;
        }
        for other in (0..PARTS).filter(|&part| inside(part) && part != pivot) {
            let share = lines.get(other)?.get(pivot)? / lead;
            for (slot, &of) in lines.get_mut(other)?.iter_mut().zip(&own) {
                *slot -= share * of;
            }
            *right.get_mut(other)? -= share * value;
        }
    }
    let mut weights = [0.0; PARTS];
    for part in (0..PARTS).filter(|&part| inside(part)) {
        *weights.get_mut(part)? = right.get(part)? / lines.get(part)?.get(part)?;
    }
    Some(weights)
}
