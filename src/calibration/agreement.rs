//! How far two who judge the same answers agree, beyond what chance alone would give: Cohen's kappa.

/// Judgements of two of the same answers, each good or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Agreement {
    /// By the first's word, then by the second's: not good, good.
    counts: [[u64; 2]; 2],
}

/// A kappa with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kappa {
    /// 1 where they always agree, 0 where no more often than by chance.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Agreement {
    /// Takes in what both said of an answer.
    pub fn note(&mut self, first: bool, second: bool) {
        self.counts[usize::from(first)][usize::from(second)] += 1;
    }

    /// Counts the answers.
    pub fn n(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Counts those of which both said the same.
    pub fn alike(&self) -> u64 {
        self.counts[0][0] + self.counts[1][1]
    }

    /// Counts those that the first called good and the second did not.
    pub fn only_first(&self) -> u64 {
        self.counts[1][0]
    }

    /// Returns kappa with the interval of Fleiss, Cohen and Everitt (1969); none where one of them always said the same, for
    /// then chance alone would have them agree as they do.
    pub fn kappa(&self) -> Option<Kappa> {
        const Z: f64 = 1.959_963_984_540_054;
        let n = self.n() as f64;
        let share = |first: usize, second: usize| self.counts[first][second] as f64 / n;
        let (rows, columns) = (
            [share(0, 0) + share(0, 1), share(1, 0) + share(1, 1)],
            [share(0, 0) + share(1, 0), share(0, 1) + share(1, 1)],
        );
        let by_chance = rows[0] * columns[0] + rows[1] * columns[1];
        let is_one_sided = |sides: [f64; 2]| sides.contains(&0.0);
        if self.n() == 0 || is_one_sided(rows) || is_one_sided(columns) {
            return None;
        }
        let alike = share(0, 0) + share(1, 1);
        let value = (alike - by_chance) / (1.0 - by_chance);
        let same = |at: usize| share(at, at) * (1.0 - (rows[at] + columns[at]) * (1.0 - value)).powi(2);
        let apart = |a: usize, b: usize| share(a, b) * (columns[a] + rows[b]).powi(2);
        let spread = same(0) + same(1) + (1.0 - value).powi(2) * (apart(0, 1) + apart(1, 0))
            - (value - by_chance * (1.0 - value)).powi(2);
        let half = Z * (spread.max(0.0) / n).sqrt() / (1.0 - by_chance);
        Some(Kappa { value, low: (value - half).max(-1.0), high: (value + half).min(1.0) })
    }
}
