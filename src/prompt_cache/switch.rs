//! Whether it pays to stay on a warm model or to go to another one: expected dollars, in integers.
//!
//! Invariant: both ways are priced over the same turns, so their difference is what the choice costs.

use crate::units::{PerMille, Pico, PicoPerMillion};

/// The prices of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Prompt tokens.
    pub input: PicoPerMillion,
    /// Those read from the cache.
    pub read: PicoPerMillion,
    /// Those written to it.
    pub write: PicoPerMillion,
    /// Answers.
    pub output: PicoPerMillion,
}

/// A turn of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Tokens that stood in the prompt before.
    pub prefix: u64,
    /// New ones.
    pub fresh: u64,
    /// The answer's.
    pub output: u64,
}

impl Side {
    /// Prices a turn of which so many tokens of the prefix are warm.
    pub fn cost(&self, turn: Turn, warm: u64) -> Pico {
        let warm = warm.min(turn.prefix);
        let cold = turn.prefix.saturating_sub(warm).saturating_add(turn.fresh);
        self.read.charge(warm) + self.write.charge(cold) + self.output.charge(turn.output)
    }

    fn warm(&self, turn: Turn) -> Pico {
        self.cost(turn, turn.prefix)
    }

    fn cold(&self, turn: Turn) -> Pico {
        self.cost(turn, 0)
    }

    /// Prices what is written again of what would have been read.
    fn rewritten(&self, tokens: u64) -> Pico {
        self.write.charge(tokens) - self.read.charge(tokens)
    }
}

/// How a session may go on. A prefix that is warm by chance counts with that share of its tokens: costs are linear in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Turns that are expected, this one included, in thousandths.
    pub turns: u64,
    /// Tokens of the prefix that are expected to be warm where the session is.
    pub warm_here: u64,
    /// The same where it might go.
    pub warm_there: u64,
    /// The chance that the session comes back afterwards.
    pub returns: PerMille,
    /// The chance that what was warm here then still is.
    pub alive_at_return: PerMille,
    /// The chance that what is sent here now is warm a turn later, for who stays.
    pub alive_here: PerMille,
    /// What a handover may cost besides.
    pub handoff: Pico,
}

/// What staying and going come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The expected cost of all turns where the session is.
    pub stay: Pico,
    /// The expected cost of the same turns elsewhere, coming back included.
    pub go: Pico,
}

impl Choice {
    /// Prices both.
    pub fn between(here: &Side, there: &Side, turn: Turn, outlook: &Outlook) -> Self {
        let later = i128::from(outlook.turns.saturating_sub(1000));
        let here_now = here.cost(turn, outlook.warm_here);
        // Who comes back writes what came while he was away, and of his prefix what has gone by then or had gone already; who stays
        // would find no more of it warm than survives from turn to turn.
        let while_away = turn.fresh.saturating_mul(outlook.turns) / 1000;
        let held =
            outlook.warm_here.min(turn.prefix).saturating_mul(outlook.alive_at_return.get().into()) / 1000;
        let stayed =
            while_away.saturating_add(turn.prefix).saturating_mul(outlook.alive_here.get().into()) / 1000;
        let missed = stayed.saturating_sub(held);
        let back = here.rewritten(missed).ratio(outlook.returns.get().into(), 1000);
        Self {
            stay: here_now + here.warm(turn).ratio(later, 1000),
            go: there.cost(turn, outlook.warm_there)
                + there.warm(turn).ratio(later, 1000)
                + back
                + outlook.handoff,
        }
    }
}

/// What an escalation comes to, either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// The strong model answers this turn and all that follow.
    pub stays: Pico,
    /// It answers this turn alone.
    pub returns: Pico,
}

impl Escalation {
    /// Prices both over so many turns (in thousandths, this one included), from a weak model that is warm with a chance when the
    /// session is back.
    pub fn between(weak: &Side, strong: &Side, turn: Turn, turns: u64, alive: PerMille) -> Self {
        let once = strong.cold(turn);
        let alive_tokens = turn.prefix.saturating_mul(alive.get().into()) / 1000;
        let later = turns.saturating_sub(1000);
        let first = i128::from(later.min(1000));
        let rest = i128::from(later.saturating_sub(1000));
        Self {
            stays: once + strong.warm(turn).ratio(first + rest, 1000),
            returns: once
                + weak.cost(turn, alive_tokens).ratio(first, 1000)
                + weak.warm(turn).ratio(rest, 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(input: i64, output: i64) -> Side {
        let price = |hundredths: i64| PicoPerMillion(hundredths * 10_000_000_000);
        let hundred = input * 100;
        Side {
            input: price(hundred),
            read: price(hundred / 10),
            write: price(hundred * 5 / 4),
            output: price(output * 100),
        }
    }

    const TURN: Turn = Turn { prefix: 50_000, fresh: 500, output: 800 };

    fn outlook(turns: u64) -> Outlook {
        let dead = PerMille::ZERO;
        Outlook {
            turns,
            warm_here: TURN.prefix,
            warm_there: 0,
            returns: dead,
            alive_at_return: dead,
            alive_here: PerMille::ONE,
            handoff: Pico::ZERO,
        }
    }

    #[test]
    fn the_choice_turns_where_the_break_even_says_and_a_return_costs() {
        let (opus, sonnet, haiku) = (side(5, 25), side(3, 15), side(1, 5));
        let dead = PerMille::ZERO;
        let goes = |there: &Side, outlook: &Outlook| {
            let choice = Choice::between(&opus, there, TURN, outlook);
            choice.go < choice.stay
        };
        assert!(!goes(&haiku, &outlook(1000)) && goes(&haiku, &outlook(2000)));
        assert!(!goes(&sonnet, &outlook(8000)) && goes(&sonnet, &outlook(9000)));
        let cold = Outlook { warm_here: 0, ..outlook(1000) };
        assert!(goes(&sonnet, &cold), "nothing is lost where the prefix has gone already");
        let back = Outlook { returns: PerMille::ONE, ..outlook(2000) };
        assert!(!goes(&haiku, &back), "the way back to a cold prefix costs more than two cheap turns save");
        let held = Outlook { alive_at_return: PerMille::ONE, ..back };
        assert!(goes(&haiku, &held));
        let gone = Outlook { warm_here: 0, ..held };
        assert!(!goes(&sonnet, &gone), "what is cold already is not warm at the return: both would write it");
        assert!(
            goes(&sonnet, &Outlook { alive_here: dead, ..gone }),
            "who stays would have to write it again, too"
        );
        assert!(goes(&sonnet, &Outlook { returns: dead, ..gone }), "where nobody returns it is written once");
        let dear = Outlook { handoff: Pico::USD, ..outlook(2000) };
        assert!(!goes(&haiku, &dear));
    }

    #[test]
    fn to_stay_escalated_and_to_return_have_prices_of_their_own() {
        let (opus, haiku) = (side(5, 25), side(1, 5));
        let once = Escalation::between(&haiku, &opus, TURN, 1000, PerMille::ONE);
        assert_eq!(once.stays, once.returns);
        let cold = Escalation::between(&haiku, &opus, TURN, 2000, PerMille::ZERO);
        assert_eq!((cold.stays.usd(), cold.returns.usd()), ("0.38375".into(), "0.40275".into()));
        assert!(cold.returns > cold.stays, "for one more turn the way back to a cold model does not pay");
        let warm = Escalation::between(&haiku, &opus, TURN, 2000, PerMille::ONE);
        assert_eq!(warm.returns.usd(), "0.34525");
        let long = Escalation::between(&haiku, &opus, TURN, 5000, PerMille::ZERO);
        assert!(long.returns < long.stays);
    }
}
