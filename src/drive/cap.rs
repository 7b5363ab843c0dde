//! The spending cap: a hold before each request, settled by what the answer says it cost.
//!
//! Invariant: no hold is given that could bring what was spent and all that is in flight above the cap. Only an answer
//! that costs more than its own worst case can lead above it; that is counted, and from then on nothing more is held.

use crate::units::Pico;

/// Money spent and money that requests in flight may yet spend.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cap {
    limit: Pico,
    spent: Pico,
    assumed: Pico,
    held: Pico,
    unknown: u64,
    beyond_worst: u64,
}

/// Money set aside for one request; to be given back to [`Cap::settle`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a hold that is dropped keeps its money for ever"]
pub struct Hold(Pico);

/// The cap leaves no room for a request at its worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Cap {
    /// Starts with nothing spent.
    pub fn new(limit: Pico) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Sets the worst case of a request aside.
    ///
    /// # Errors
    /// Where it could break the cap.
    pub fn hold(&mut self, worst: Pico) -> Result<Hold, Refused> {
        let worst = Pico(worst.0.max(0));
        let total = self.spent.0.checked_add(self.held.0).and_then(|sum| sum.checked_add(worst.0));
        if total.is_none_or(|total| total > self.limit.0) {
            return Err(Refused);
        }
        self.held += worst;
        Ok(Hold(worst))
    }

    /// Books what a request cost; a cost that nobody knows counts as the worst case.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a hold is given up, so that it can be booked only once"
    )]
    pub fn settle(&mut self, hold: Hold, cost: Option<Pico>) {
        let Hold(worst) = hold;
        self.held -= worst;
        // A negative cost would make room for more than was allowed.
        if let Some(cost) = cost.filter(|cost| cost.0 >= 0) {
            self.beyond_worst += u64::from(cost > worst);
            self.spent = Pico(self.spent.0.saturating_add(cost.0));
        } else {
            self.unknown += 1;
            self.assumed += worst;
            self.spent = Pico(self.spent.0.saturating_add(worst.0));
        }
    }

    /// Returns the cap itself.
    pub fn limit(&self) -> Pico {
        self.limit
    }

    /// Returns what was spent, unknown costs at their worst.
    pub fn spent(&self) -> Pico {
        self.spent
    }

    /// Returns the part of it that is a worst case and no reported cost.
    pub fn assumed(&self) -> Pico {
        self.assumed
    }

    /// Returns what is set aside for requests in flight.
    pub fn held(&self) -> Pico {
        self.held
    }

    /// Counts requests whose cost nobody told.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Counts requests that cost more than their worst case, which is then no worst case.
    pub fn beyond_worst(&self) -> u64 {
        self.beyond_worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_request_that_would_break_the_cap_is_refused_not_before_not_after() {
        let mut cap = Cap::new(Pico::from_usd("10").unwrap());
        let each = Pico::from_usd("0.004").unwrap();
        for _ in 0..2500 {
            let hold = cap.hold(each).unwrap();
            cap.settle(hold, Some(each));
        }
        assert_eq!(cap.hold(each), Err(Refused));
        assert_eq!(cap.spent(), cap.limit());
    }

    #[test]
    fn an_unknown_cost_is_no_zero() {
        let mut cap = Cap::new(Pico(100));
        let hold = cap.hold(Pico(60)).unwrap();
        cap.settle(hold, None);
        assert_eq!((cap.spent(), cap.assumed(), cap.unknown()), (Pico(60), Pico(60), 1));
        assert_eq!(cap.hold(Pico(60)), Err(Refused));
        let hold = cap.hold(Pico(40)).unwrap();
        cap.settle(hold, Some(Pico(-1_000)));
        assert_eq!(cap.spent(), Pico(100), "a negative cost makes no room");
    }

    proptest! {
        #[test]
        fn spent_and_in_flight_never_exceed_the_cap(
            limit in 0i128..10_000,
            steps in proptest::collection::vec((0usize..4, -50i128..3_000, 0usize..64), 1..300),
        ) {
            let mut cap = Cap::new(Pico(limit));
            let mut flying: Vec<(Hold, i128)> = Vec::new();
            for (what, amount, pick) in steps {
                if what < 2 || flying.is_empty() {
                    let room = limit - cap.spent().0 - cap.held().0;
                    match cap.hold(Pico(amount)) {
                        Ok(hold) => flying.push((hold, amount.max(0))),
                        Err(Refused) => prop_assert!(amount > room, "refused though there is room"),
                    }
                } else {
                    let (hold, worst) = flying.swap_remove(pick % flying.len());
                    match what {
                        2 => cap.settle(hold, (amount >= 0).then_some(Pico(amount.min(worst)))),
                        _ => cap.settle(hold, Some(Pico::ZERO)),
                    }
                }
                prop_assert!(cap.spent() + cap.held() <= cap.limit());
                prop_assert_eq!(cap.held().0, flying.iter().map(|(_, worst)| worst).sum::<i128>());
            }
            for (hold, _) in flying {
                cap.settle(hold, Some(Pico::ZERO));
            }
            prop_assert_eq!(cap.held(), Pico::ZERO);
        }

        #[test]
        fn what_costs_more_than_its_worst_stops_the_rest(limit in 1i128..1000, over in 1i128..10_000) {
            let mut cap = Cap::new(Pico(limit));
            let hold = cap.hold(Pico(limit)).unwrap();
            cap.settle(hold, Some(Pico(limit + over)));
            prop_assert_eq!(cap.beyond_worst(), 1);
            prop_assert_eq!(cap.hold(Pico(0)), Err(Refused));
        }
    }
}
