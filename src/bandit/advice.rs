//! What was known of the rungs of a route when a request of it arrived.
//!
//! Invariant: it is kept with the request and nothing is reckoned again from it, so that a replay decides the same.

/// How a log writes it, among what could not be called: `adapt:0=512+40,2=603+12`, or while too little is learnt `adapt:12/50`.
pub const ADAPT: &str = "adapt:";

/// What one rung is expected to bring, in per mille of a good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// The rung.
    pub rung: u8,
    /// The expected quality, less what it costs.
    pub estimate: i32,
    /// How much its uncertainty counts in its favour.
    pub bonus: u32,
}

impl Offer {
    /// Returns what it is chosen by.
    pub fn score(&self) -> i64 {
        i64::from(self.estimate) + i64::from(self.bonus)
    }
}

/// What was known of a route's rungs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Advice {
    /// Nobody asked.
    #[default]
    None,
    /// Too few verdicts were in.
    Few {
        /// How many were.
        seen: u32,
        /// How many are needed.
        least: u32,
    },
    /// What each rung was expected to bring.
    Of(Vec<Offer>),
}

impl Advice {
    /// Writes it as a log does; none where nobody asked.
    pub fn word(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Few { seen, least } => Some(format!("{ADAPT}{seen}/{least}")),
            Self::Of(offers) => {
                let one = |offer: &Offer| format!("{}={}+{}", offer.rung, offer.estimate, offer.bonus);
                Some(format!("{ADAPT}{}", offers.iter().map(one).collect::<Vec<_>>().join(",")))
            }
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        let rest = word.strip_prefix(ADAPT)?;
        if let Some((seen, least)) = rest.split_once('/') {
            return Some(Self::Few { seen: seen.parse().ok()?, least: least.parse().ok()? });
        }
        let one = |text: &str| {
            let (rung, rest) = text.split_once('=')?;
            let (estimate, bonus) = rest.split_once('+')?;
            Some(Offer {
                rung: rung.parse().ok()?,
                estimate: estimate.parse().ok()?,
                bonus: bonus.parse().ok()?,
            })
        };
        rest.split(',').map(one).collect::<Option<Vec<_>>>().map(Self::Of)
    }

    /// Finds what was known of a rung.
    pub fn offer(&self, rung: u8) -> Option<&Offer> {
        let Self::Of(offers) = self else { return None };
        offers.iter().find(|offer| offer.rung == rung)
    }
}
