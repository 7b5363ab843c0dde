//! Tails of distributions: binomial, beta by way of it, chi-square, normal.
//!
//! Binomial probabilities come from the saddle-point form (Loader 2000), which loses no digits to differences of large
//! logarithms of factorials; tails are sums of them, begun at the largest term.

use std::f64::consts::{PI, SQRT_2};

/// Bisections that bring an interval of length one to the resolution of a float.
const HALVINGS: u32 = 64;
/// Terms of a series or continued fraction: far more than any needs.
const TERMS: u32 = 2000;

/// What Stirling's formula lacks of the logarithm of a factorial.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        let (mut product, mut factor) = (1.0, 2.0);
        while factor <= n {
            product *= factor;
            factor += 1.0;
        }
        return f64::ln(product) - (0.5 * f64::ln(2.0 * PI * n) + n * f64::ln(n) - n);
    }
    let square = n * n;
    (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square)
        / n
}

/// Returns `x ln(x/m) + m - x` without losing digits where the two are close.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() < 0.1 * (x + m) {
        let v = (x - m) / (x + m);
        let (mut sum, mut term) = ((x - m) * v, 2.0 * x * v);
        for j in 1..TERMS {
            term *= v * v;
            let next = sum + term / f64::from(2 * j + 1);
            if next.to_bits() == sum.to_bits() {
                break;
            }
            sum = next;
        }
        return sum;
    }
    x * (x / m).ln() + m - x
}

/// Returns the chance of exactly `k` successes in `n` trials of chance `p`.
fn binomial_point(k: f64, n: f64, p: f64) -> f64 {
    if k <= 0.0 {
        return (n * (-p).ln_1p()).exp();
    }
    if k >= n {
        return (n * p.ln()).exp();
    }
    let rest = n - k;
    let exponent = stirling_error(n)
        - stirling_error(k)
        - stirling_error(rest)
        - deviance(k, n * p)
        - deviance(rest, n * (1.0 - p));
    (n / (2.0 * PI * k * rest)).sqrt() * exponent.exp()
}

/// Returns the chance of at most `k` successes in `n` trials of chance `p`.
pub fn binomial_at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let (k, n) = (k as f64, n as f64);
    if k < n * p {
        // Downwards: every term is smaller than the one before.
        let (mut term, mut sum, mut at) = (1.0, 1.0, k);
        while at > 0.0 {
            term *= at * (1.0 - p) / ((n - at + 1.0) * p);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
            at -= 1.0;
        }
        return (binomial_point(k, n, p) * sum).min(1.0);
    }
    let (mut term, mut sum, mut at) = (1.0, 1.0, k + 1.0);
    while at < n {
        term *= (n - at) * p / ((at + 1.0) * (1.0 - p));
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
        at += 1.0;
    }
    (1.0 - binomial_point(k + 1.0, n, p) * sum).max(0.0)
}

/// Finds where a function that falls from 0 to 1 passes a level.
pub fn falling(level: f64, of: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if of(middle) > level {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Returns the upper Clopper-Pearson bound of a chance, of which `k` came in `n` trials, that is wrong with chance `delta`.
pub fn clopper_pearson(k: u64, n: u64, delta: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    falling(delta, |p| binomial_at_most(k, n, p))
}

fn ln_gamma(x: f64) -> f64 {
    // Up to where Stirling's formula is exact to the last digit.
    let (mut x, mut shift) = (x, 0.0);
    while x < 17.0 {
        shift += x.ln();
        x += 1.0;
    }
    let n = x - 1.0;
    stirling_error(n) + 0.5 * (2.0 * PI * n).ln() + n * n.ln() - n - shift
}

/// Returns the regularised lower incomplete gamma function.
pub fn gamma_at_most(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut at) = (1.0 / a, 1.0 / a, a);
        for _ in 0..TERMS {
            at += 1.0;
            term *= x / at;
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (front * sum).min(1.0);
    }
    (1.0 - front * upper_fraction(a, x)).max(0.0)
}

/// Returns Lentz's continued fraction of the upper function.
fn upper_fraction(a: f64, x: f64) -> f64 {
    let tiny = 1e-300;
    let mut base = x + 1.0 - a;
    let (mut above, mut below) = (1.0 / tiny, 1.0 / base);
    let mut whole = below;
    for i in 1..TERMS {
        let part = -f64::from(i) * (f64::from(i) - a);
        base += 2.0;
        below = part * below + base;
        below = 1.0 / if below.abs() < tiny { tiny } else { below };
        above = base + part / above;
        above = if above.abs() < tiny { tiny } else { above };
        whole *= below * above;
        if (below * above - 1.0).abs() < 1e-16 {
            break;
        }
    }
    whole
}

/// Returns the value that chi-square stays below with chance `p`, for so many degrees of freedom.
pub fn chi_square_below(p: f64, degrees: u32) -> f64 {
    let half = 0.5 * f64::from(degrees.max(1));
    let mut scale = 1.0;
    while gamma_at_most(half, 0.5 * scale) < p && scale < 1e9 {
        scale *= 2.0;
    }
    scale * falling(1.0 - p, |x| 1.0 - gamma_at_most(half, 0.5 * scale * x))
}

/// Returns the chance that a standard normal stays below `z`.
pub fn normal_at_most(z: f64) -> f64 {
    let inner = gamma_at_most(0.5, z * z / 2.0);
    if z < 0.0 { 0.5 * (1.0 - inner) } else { 0.5 * (1.0 + inner) }
}

/// Returns the mean of the absolute value of a normal.
pub fn folded_normal_mean(mean: f64, deviation: f64) -> f64 {
    if deviation <= 0.0 {
        return mean.abs();
    }
    let z = mean / deviation;
    deviation * SQRT_2 / PI.sqrt() * (-0.5 * z * z).exp() + mean * (1.0 - 2.0 * normal_at_most(-z))
}
