//! A logistic curve of one number: the chance of something as that number grows.

use std::ops::RangeInclusive;

/// The curve: log-odds at zero, and how they grow.
#[derive(Clone, Copy, Debug)]
pub struct Logistic {
    /// Log-odds at zero.
    pub level: f64,
    /// What they grow by.
    pub slope: f64,
}

impl Logistic {
    /// Fits it to rows by so many of Newton's steps, held to what it is so strongly (level and slope), with a slope within a range.
    #[must_use]
    pub fn fit(
        self,
        rows: &[(f64, bool)],
        steps: usize,
        pull: [f64; 2],
        slopes: RangeInclusive<f64>,
    ) -> Self {
        let mut found = self;
        for _ in 0..steps {
            let mut level = pull[0] * (found.level - self.level);
            let mut slope = pull[1] * (found.slope - self.slope);
            let (mut aa, mut ab, mut bb) = (pull[0], 0.0, pull[1]);
            for &(x, did) in rows {
                let p = found.at(x);
                let (off, spread) = (p - f64::from(u8::from(did)), p * (1.0 - p));
                (level, slope) = (level + off, slope + off * x);
                (aa, ab, bb) = (aa + spread, ab + spread * x, bb + spread * x * x);
            }
            let whole = aa * bb - ab * ab;
            if whole <= 1e-12 {
                break;
            }
            found.level -= (bb * level - ab * slope) / whole;
            found.slope -= (aa * slope - ab * level) / whole;
            found.slope = found.slope.clamp(*slopes.start(), *slopes.end());
        }
        found
    }

    /// Returns the chance at a number.
    pub fn at(&self, x: f64) -> f64 {
        1.0 / (1.0 + (-(self.level + self.slope * x)).exp())
    }
}
