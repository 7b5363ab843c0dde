//! A budget's limit tried beside what is in force: `limit teams/day 40`, `limit teams/day of search 40`.
//!
//! Invariant: what is tried changes one amount of a limit that there is; whom it is about and when it counts stay as they are.

use std::sync::Arc;

use crate::budget::Limit;
use crate::units::{Pico, nearest};

/// Another amount of a limit, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitAim {
    /// Budget and window: `teams/day`.
    pub limit: Arc<str>,
    /// The member whose amount it is; every member's that has none of its own where nobody is named.
    pub member: Option<Arc<str>>,
    /// How much may be spent in a window.
    pub amount: Pico,
}

/// A limit tried with another amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedLimit {
    /// The amount that is tried.
    pub aim: LimitAim,
    /// The amount in force.
    pub in_force: Pico,
}

impl LimitAim {
    /// What stands before one where it is typed.
    pub const WORD: &'static str = "limit";

    /// Reads one as it is typed behind its word: `teams/day 40`, `teams/day of search $40`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let invalid = || {
            format!("`{}` is no limit; write limit teams/day 40 or limit teams/day of search 40", text.trim())
        };
        let (name, amount) = text.trim().rsplit_once(char::is_whitespace).ok_or_else(invalid)?;
        let digits = amount.strip_prefix('$').unwrap_or(amount).replace([',', '_'], "");
        let amount = Pico::from_usd(&digits).map_err(|_| invalid())?;
        if amount.0 < 0 {
            return Err("a limit is not below zero".to_owned());
        }
        let (limit, member) = match name.split_once(" of ") {
            Some((limit, member)) => (limit, Some(member.trim().into())),
            None => (name, None),
        };
        Ok(Self { limit: limit.trim().into(), member, amount })
    }

    /// Names it as rows of budgets do: `teams/day of search`.
    pub fn name(&self) -> String {
        match &self.member {
            Some(member) => format!("{} of {member}", self.limit),
            None => self.limit.to_string(),
        }
    }

    fn is_of(&self, limit: &Limit) -> bool {
        limit.name() == *self.limit
    }

    /// Returns the amount in force of the limit that it is about.
    pub(super) fn amount_now(&self, limits: &[Limit]) -> Option<Pico> {
        let limit = limits.iter().find(|limit| self.is_of(limit))?;
        Some(self.member.as_ref().map_or(limit.amount, |member| limit.amount_of(member)))
    }

    fn change(&self, limit: &mut Limit) {
        match &self.member {
            Some(member) => {
                limit.special.insert(Arc::clone(member), self.amount);
            }
            None => limit.amount = self.amount,
        }
    }
}

/// Returns limits with those tried in their places.
pub(super) fn with_tried(limits: &[Limit], tried: &[TriedLimit]) -> Vec<Limit> {
    let mut limits = limits.to_vec();
    for limit in &mut limits {
        for TriedLimit { aim, .. } in tried {
            if aim.is_of(limit) {
                aim.change(limit);
            }
        }
    }
    limits
}

/// Says that there is no such limit, and which there are.
pub(super) fn unknown(name: &str, limits: &[Limit]) -> String {
    let names: Vec<String> = limits.iter().map(Limit::name).collect();
    if names.is_empty() {
        return "there are no budgets here; start with --budgets FILE, or write budgets.toml".to_owned();
    }
    let near = nearest(name, names.iter().map(String::as_str));
    let told = if near.is_empty() { names.iter().map(String::as_str).take(6).collect() } else { near };
    format!("there is no limit `{name}`; there is {}", told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_as_it_is_typed() {
        let read = |text| LimitAim::parse(text).map(|tried| (tried.name(), tried.amount.usd()));
        assert_eq!(read(" teams/day 40"), Ok(("teams/day".into(), "40".into())));
        assert_eq!(
            read("teams/day of web search $1,200.50"),
            Ok(("teams/day of web search".into(), "1200.5".into()))
        );
        for wrong in ["", "40", "teams/day", "teams/day -1", "teams/day x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
