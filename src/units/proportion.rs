//! An amount times one product of counts over another, rounded once.
//!
//! Invariant: equal ratios give equal results, however they are written; nothing overflows on the way.

use super::Pico;
use super::money::div_half_even;

impl Pico {
    /// Scales by the product of `over` divided by the product of `under`, rounding half-even once; zero where `under` has a zero.
    #[must_use]
    pub fn proportion<const N: usize>(self, mut over: [u64; N], mut under: [u64; N]) -> Self {
        if under.contains(&0) {
            return Self::ZERO;
        }
        for top in &mut over {
            for bottom in &mut under {
                let common = gcd(*top, *bottom);
                if common > 1 {
                    *top /= common;
                    *bottom /= common;
                }
            }
        }
        let (top, bottom) = fitting(product(over), product(under));
        if let Some(exact) = self.0.checked_mul(i128::try_from(top).unwrap_or(i128::MAX))
            && let Ok(bottom) = i128::try_from(bottom)
        {
            return Self(div_half_even(exact, bottom));
        }
        let size = i128::try_from(divided(self.0.unsigned_abs(), top, bottom)).unwrap_or(i128::MAX);
        Self(if self.0 < 0 { -size } else { size })
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A product as a number and the binary digits that it lacks at its end, which only products beyond any traffic do.
fn product<const N: usize>(factors: [u64; N]) -> (u128, u32) {
    factors.into_iter().fold((1, 0), |(product, lacking), factor| {
        let spare = product.leading_zeros();
        let short = (u64::BITS - factor.leading_zeros()).saturating_sub(spare);
        ((product >> short) * u128::from(factor), lacking + short)
    })
}

/// Brings two products to one scale, each below 2^126.
fn fitting((top, top_lacks): (u128, u32), (bottom, bottom_lacks): (u128, u32)) -> (u128, u128) {
    let scale = top_lacks.max(bottom_lacks);
    let down = |value: u128, lacks: u32| value.checked_shr(scale - lacks).unwrap_or(0);
    let (top, bottom) = (down(top, top_lacks), down(bottom, bottom_lacks));
    let more = 2u32.saturating_sub(top.leading_zeros().min(bottom.leading_zeros()));
    (top >> more, (bottom >> more).max(1))
}

/// Returns `amount * top / bottom`, rounded half to even; `bottom` is above zero and below 2^127.
fn divided(amount: u128, top: u128, bottom: u128) -> u128 {
    const HALF: u32 = 64;
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (amount >> HALF, amount & LOW, top >> HALF, top & LOW);
    let low = a0 * b0;
    let mid = a1 * b0 + (low >> HALF);
    let other = a0 * b1 + (mid & LOW);
    let mut high = a1 * b1 + (mid >> HALF) + (other >> HALF);
    let mut low = (other << HALF) | (low & LOW);
    // Long division, a binary digit at a time: such sizes are rare.
    let (mut quotient, mut rest) = (0u128, 0u128);
    for _ in 0..2 * u128::BITS {
        rest = (rest << 1) | (high >> (u128::BITS - 1));
        high = (high << 1) | (low >> (u128::BITS - 1));
        low <<= 1;
        if quotient >> (u128::BITS - 1) == 1 {
            return u128::MAX;
        }
        quotient <<= 1;
        if rest >= bottom {
            rest -= bottom;
            quotient |= 1;
        }
    }
    let up = rest * 2 > bottom || (rest * 2 == bottom && quotient & 1 == 1);
    quotient.saturating_add(u128::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_exact_where_a_plain_product_would_overflow() {
        let amount = Pico(123_456_789_012_345_678_901);
        let many = [9_999_999_999_999, 1_000_000_007, 8_888_888_888_889];
        assert_eq!(amount.proportion(many, many), amount);
        let mut thrice = many;
        thrice[1] *= 3;
        assert_eq!(amount.proportion(thrice, many), Pico(amount.0 * 3));
        assert_eq!(Pico(-5).proportion([3], [2]), Pico(-8), "half to even");
        assert_eq!(Pico(5).proportion([1], [0]), Pico::ZERO);
    }

    proptest! {
        #[test]
        fn large_ways_and_small_ways_agree(amount in 0u64..1 << 62, top in 0u64..1 << 62, bottom in 1u64..) {
            let plain = Pico(i128::from(amount)).ratio(i128::from(top), i128::from(bottom));
            prop_assert_eq!(Pico(i128::from(amount)).proportion([top], [bottom]), plain);
            let long = divided(u128::from(amount), u128::from(top), u128::from(bottom));
            prop_assert_eq!(i128::try_from(long).unwrap(), plain.0);
        }

        #[test]
        fn no_counts_break_it(amount: i128, over: [u64; 3], under: [u64; 3]) {
            let _ = Pico(amount).proportion(over, under);
        }
    }
}
