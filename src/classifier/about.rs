//! What a trained classifier says of itself: what it learned from, and what it was worth there. None of it decides.

/// What trained weights say of themselves.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct About {
    /// The models it chooses between, cheapest first.
    pub ladder: Vec<String>,
    /// What was learned from: each with its licence, empty where not known.
    pub data: Vec<(String, String)>,
    /// Rows learned from.
    pub rows: u64,
    /// The seed.
    pub seed: u64,
    /// Which rows were learned from and which were not.
    pub split: String,
    /// Share of the gap recovered, per mille, out of fold; with its interval.
    pub apgr: Option<[i64; 3]>,
    /// The same for the length of the prompt alone.
    pub length_only: Option<i64>,
    /// Calibration error per mille, out of fold.
    pub calibration_error: Option<i64>,
    /// The most that whole numbers moved a confidence from what floats would have said, per mille, and in the mean in thousandths of that.
    pub quantised: Option<[i64; 2]>,
    /// The start of the hash of every question learned from, sorted: so that nobody is judged by what was learned by heart.
    pub seen: Vec<u32>,
}

impl About {
    /// Says whether a question was learned from.
    pub fn has_seen(&self, question: u64) -> bool {
        self.seen.binary_search(&Self::start_of(question)).is_ok()
    }

    /// Returns what is kept of a question's hash.
    pub const fn start_of(question: u64) -> u32 {
        (question >> 32) as u32
    }
}
