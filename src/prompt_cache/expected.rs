//! What a turn is expected to cost, and whether its session does better to stay where it is or to go.
//!
//! Invariants: both ways are priced over the same turns; a model without a price is in no comparison.

use super::caches::{Caches, Offer, Prompt, Stand, side};
use super::{Change, Choice, Escalation, Outlook, Side, Standing, Turn, Way};
use crate::units::{Instant, PerMille, Pico, RouteTag, Span};

/// How long a session is away at least, for how likely its prefix survives.
const AWAY: Span = Span::mins(1);

/// A turn that is about to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Its prompt.
    pub prompt: &'a Prompt,
    /// The rungs of its route, cheapest first.
    pub ladder: &'a [Offer<'a>],
    /// The route.
    pub route: RouteTag,
    /// How much more than never changing a session may cost by its changes.
    pub cap: Option<PerMille>,
    /// Accounts that cannot be called, as numbers.
    pub blocked: &'a [u32],
    /// When it arrives.
    pub now: Instant,
}

/// One model's part in a comparison.
struct Party {
    side: Side,
    /// Tokens that are expected to be warm there.
    warm: u64,
}

impl Caches {
    /// Says how the session of a turn stands, with what every change to another rung is expected to come to.
    pub fn standing(&self, asking: &Asking<'_>) -> Standing {
        let &Asking { prompt, ladder, route, cap, .. } = asking;
        let nowhere = Standing { tie: prompt.tie, ..Standing::default() };
        let Some(stand) = self.stand(prompt) else { return nowhere };
        let Some(place) = ladder.iter().position(|offer| offer.model == stand.model) else { return nowhere };
        let Some(here) = ladder.get(place) else { return nowhere };
        let mut standing = Standing { here: here.known_as, ..nowhere };
        let tokens = stand.scaled(prompt.tokens);
        let Some(mine) = self.party(here, asking, Some(&stand), tokens) else { return standing };
        let fresh = tokens.saturating_sub(u64::from(stand.billed));
        let seen = self.seen(stand.model);
        let turn = Turn { prefix: tokens - fresh, fresh, output: seen.answer() };
        let runs = self.runs(route);
        let alive_after = |turns: u64| {
            let away = stand.pause.0.saturating_mul(i64::try_from(turns).unwrap_or(1000)) / 1000;
            seen.survival.chance(Span(away).max(AWAY), self.rules.get(stand.model))
        };
        let never = ladder.iter().find(|offer| offer.model == stand.first).unwrap_or(here);
        let never = never.rates.map(|rates| side(rates, self.rules.get(never.model), tokens));
        let never = stand.never + never.unwrap_or(mine.side).cost(turn, turn.prefix);
        for (at, offer) in ladder.iter().enumerate().filter(|(_, offer)| offer.model != stand.model) {
            let Some(theirs) = self.party(offer, asking, Some(&stand), tokens) else { continue };
            let turns = runs.turns(at);
            let alive = alive_after(turns);
            let (way, stay, go) = if at > place {
                let both = Escalation::between(&mine.side, &theirs.side, turn, turns, alive);
                // It is not cold there where it was before.
                let less = theirs.side.cost(turn, 0) - theirs.side.cost(turn, theirs.warm);
                (Way::Up, both.stays - less, both.returns - less)
            } else {
                let outlook = Outlook {
                    turns,
                    warm_here: mine.warm,
                    warm_there: theirs.warm,
                    returns: runs.returns(at),
                    alive_at_return: alive,
                    alive_here: alive_after(1000),
                    handoff: Pico::ZERO,
                };
                let choice = Choice::between(&mine.side, &theirs.side, turn, &outlook);
                let over = stand.cost + theirs.side.cost(turn, theirs.warm) - never;
                let is_capped = cap.is_some_and(|cap| over > never.ratio(cap.get().into(), 1000));
                (if is_capped { Way::Capped } else { Way::Down }, choice.stay, choice.go)
            };
            let is_named = standing.changes.iter().any(|change| change.to == offer.known_as);
            if !is_named {
                standing.changes.push(Change { to: offer.known_as, way, stay: kept(stay), go: kept(go) });
            }
        }
        standing
    }

    /// Says how many tokens of a prompt a model is expected to hold; none where nothing is known of its cache.
    pub fn expected_warm(&self, asking: &Asking<'_>, offer: &Offer<'_>) -> Option<u64> {
        self.rules.get(offer.model)?;
        let stand = self.stand(asking.prompt);
        let tokens = stand.map_or(asking.prompt.tokens, |stand| stand.scaled(asking.prompt.tokens));
        self.party(offer, asking, stand.as_ref(), tokens).map(|party| party.warm)
    }

    /// Says what a call is expected to cost; none where its model has no price.
    pub fn expected(&self, asking: &Asking<'_>, offer: &Offer<'_>) -> Option<Pico> {
        let stand = self.stand(asking.prompt);
        let tokens = stand.map_or(asking.prompt.tokens, |stand| stand.scaled(asking.prompt.tokens));
        let Party { side, warm } = self.party(offer, asking, stand.as_ref(), tokens)?;
        let seen = self.seen(offer.model);
        let cold = tokens.saturating_sub(warm);
        let is_long = self.rules.get(offer.model).is_some_and(|rule| tokens >= u64::from(rule.minimum));
        let written = if is_long { cold.saturating_mul(seen.uses()) / 1000 } else { 0 };
        let cost = side.read.charge(warm)
            + side.write.charge(written)
            + side.input.charge(cold - written)
            + side.output.charge(seen.answer());
        Some(kept(cost))
    }

    /// Returns the prices of a model, and what it is expected to hold of a prompt; none where it has no price.
    fn party(
        &self,
        offer: &Offer<'_>,
        asking: &Asking<'_>,
        stand: Option<&Stand>,
        tokens: u64,
    ) -> Option<Party> {
        let rule = self.rules.get(offer.model);
        let side = side(offer.rates?, rule, tokens);
        let (sent, idle, account) = self.warm(offer.model, asking.prompt, asking.now);
        // Another account has none of it.
        let Some(rule) = rule.filter(|_| !asking.blocked.contains(&account)) else {
            return Some(Party { side, warm: 0 });
        };
        let sent = stand.map_or(sent, |stand| stand.scaled(sent)).min(tokens);
        let alive = self.seen(offer.model).survival.chance(idle, Some(rule));
        Some(Party { side, warm: rule.usable(sent, tokens) * u64::from(alive.get()) / 1000 })
    }
}

impl Stand {
    /// Returns the tokens that are billed for so many estimated ones, as with the last prompt.
    fn scaled(&self, estimated: u64) -> u64 {
        let all = u128::from(estimated) * u128::from(self.billed);
        all.checked_div(u128::from(self.estimated)).and_then(|it| u64::try_from(it).ok()).unwrap_or(estimated)
    }
}

/// Bounds an amount to what a log can hold.
fn kept(amount: Pico) -> Pico {
    Pico(amount.0.clamp(i128::from(i64::MIN), i128::from(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pricing::{PriceRow, PriceTable, Rates, Tier, Usage};
    use crate::prompt_cache::{Answered, Prompt, Rule, RuleTable, Rules, Tie, Underway};
    use crate::units::{Count, ModelId, Names, PicoPerMillion};

    fn rates(input: i64, output: i64) -> Rates {
        let price = |cents: i64| PicoPerMillion(cents * 10_000_000_000);
        let base = Tier {
            input: price(input * 100),
            cache_read: Some(price(input * 10)),
            write_5m: Some(price(input * 125)),
            output: price(output * 100),
            ..Tier::default()
        };
        Rates { base, above: Vec::new() }
    }

    struct Fixture {
        caches: Caches,
        prices: PriceTable,
        names: Names,
    }

    const HAIKU: ModelId = ModelId(0);
    const SONNET: ModelId = ModelId(1);
    const OPUS: ModelId = ModelId(2);

    impl Fixture {
        fn new() -> Self {
            let mut names = Names::default();
            for name in ["haiku", "sonnet", "opus"] {
                names.intern_model(name);
            }
            let rule = Rule {
                minimum: 1024,
                step: 1,
                ttl: Span::mins(5),
                ttl_long: None,
                read: 100,
                write: 1250,
                write_long: None,
                storage: None,
                asked: true,
            };
            let all = ["haiku", "sonnet", "opus"].map(str::to_owned).to_vec();
            let mut caches = Caches::default();
            caches.rule(RuleTable::new(Arc::new(Rules { rules: vec![(all, rule)] })));
            caches.know(&names);
            let mut prices = PriceTable::default();
            for (model, (input, output)) in [HAIKU, SONNET, OPUS].into_iter().zip([(1, 5), (3, 15), (5, 25)])
            {
                prices.change(model, PriceRow { standard: rates(input, output), ..PriceRow::default() });
            }
            Self { caches, prices, names }
        }

        fn ladder(&self) -> [Offer<'_>; 3] {
            [HAIKU, SONNET, OPUS].map(|model| Offer {
                model,
                known_as: model,
                rates: self.prices.rates(model, Instant::from_secs(0)),
            })
        }

        fn standing(&self, prompt: &Prompt, seconds: i64, cap: Option<u16>, blocked: &[u32]) -> Standing {
            self.caches.standing(&Asking {
                prompt,
                ladder: &self.ladder(),
                route: RouteTag(0),
                cap: cap.and_then(PerMille::new),
                blocked,
                now: Instant::from_secs(seconds),
            })
        }

        fn answer(&mut self, turn: &Underway, model: ModelId, seconds: i64, usage: &Usage) {
            let at = Instant::from_secs(seconds);
            let cost = crate::pricing::charge(usage, self.prices.rates(model, at));
            self.caches.answered(turn, &Answered { model, at, usage, cost, prices: &self.prices });
        }
    }

    fn prompt(tokens: u64) -> Prompt {
        Prompt { session: 7, tokens, has_past: true, ..Prompt::default() }
    }

    fn usage(read: u64, written: u64) -> Usage {
        let count = |tokens| Count::new(tokens).unwrap();
        Usage { cache_read: count(read), write_5m: count(written), output: count(800), ..Usage::NONE }
    }

    /// A session of 50,000 tokens, warm on Opus.
    fn warm() -> Fixture {
        let mut fixture = Fixture::new();
        let turn = Underway { prompt: prompt(50_000), wanted: 2, account: 3 };
        fixture.answer(&turn, OPUS, 0, &usage(0, 50_000));
        fixture
    }

    #[test]
    fn a_warm_session_stays_where_a_change_does_not_pay_and_goes_where_it_does() {
        let mut fixture = warm();
        let standing = fixture.standing(&prompt(50_500), 30, None, &[]);
        assert_eq!((standing.here, standing.tie), (OPUS, None));
        // Two turns are guessed: Haiku would pay from the second on, but for the way back.
        let sonnet = *standing.change(SONNET).unwrap();
        assert!(!sonnet.goes() && sonnet.way == Way::Down, "{sonnet:?}");
        // Sessions that go on cheaply for twenty turns, and do not come back.
        let easy = Prompt { session: 8, ..prompt(50_500) };
        let turn = Underway { prompt: easy.clone(), ..Underway::default() };
        fixture.answer(&turn, HAIKU, 0, &usage(0, 50_000));
        for turn in 0..4000 {
            let of = Prompt { session: if turn % 20 == 0 { 9 } else { 8 }, ..easy.clone() };
            fixture.caches.placed(RouteTag(0), &of, 0);
        }
        let long = fixture.standing(&prompt(50_500), 30, None, &[]);
        assert!(long.change(HAIKU).unwrap().goes() && long.change(SONNET).unwrap().goes(), "{long:?}");
        assert!(
            !fixture.standing(&prompt(50_500), 30, Some(50), &[]).change(SONNET).unwrap().goes(),
            "capped"
        );
        assert_eq!(long.about(Some(HAIKU)).changes.len(), 1);
    }

    #[test]
    fn what_has_gone_cold_or_cannot_be_called_binds_nobody() {
        let fixture = warm();
        let cold = fixture.standing(&prompt(50_500), 3600, None, &[]);
        assert!(cold.change(HAIKU).unwrap().goes(), "after an hour nothing is lost: {cold:?}");
        let sonnet = cold.change(SONNET).unwrap();
        assert!(!sonnet.goes(), "but whoever returns, as nine of ten do, writes it all the same: {sonnet:?}");
        let rotated = fixture.standing(&prompt(50_500), 30, None, &[3]);
        assert!(rotated.change(HAIKU).unwrap().goes(), "another account has none of it: {rotated:?}");
        assert!(
            fixture.standing(&prompt(50_500), 30, None, &[4]).change(SONNET).is_some_and(|it| !it.goes())
        );
    }

    #[test]
    fn new_sessions_and_sub_agents_are_nowhere_and_ties_are_told() {
        let fixture = warm();
        let other = Prompt { session: 8, ..prompt(50_500) };
        assert_eq!(fixture.standing(&other, 30, None, &[]), Standing::default());
        assert_eq!(
            fixture.standing(&prompt(2_000), 30, None, &[]),
            Standing::default(),
            "a shorter one is another"
        );
        let tied = Prompt { tie: Some(Tie::Tools), ..prompt(50_500) };
        assert_eq!(fixture.standing(&tied, 30, None, &[]).tie, Some(Tie::Tools));
    }

    #[test]
    fn upwards_staying_and_returning_are_priced_apart() {
        let mut fixture = Fixture::new();
        let turn = Underway { prompt: prompt(50_000), ..Underway::default() };
        fixture.answer(&turn, HAIKU, 0, &usage(0, 50_000));
        let standing = fixture.standing(&prompt(50_500), 30, None, &[]);
        let up = *standing.change(OPUS).unwrap();
        assert!(up.way == Way::Up && up.goes());
        assert!(up.go < up.stay, "Haiku is still warm a minute later: {up:?}");
    }

    #[test]
    fn what_is_expected_is_what_is_billed_where_nothing_surprises() {
        let mut fixture = warm();
        let ladder = fixture.ladder().map(|offer| (offer.model, offer.known_as));
        assert_eq!(ladder[2].0, OPUS);
        let mut tokens = 50_000;
        let (mut expected, mut billed) = (Pico::ZERO, Pico::ZERO);
        for turn in 1..60 {
            tokens += 500;
            let prompt = prompt(tokens);
            let asking = Asking {
                prompt: &prompt,
                ladder: &[],
                route: RouteTag(0),
                cap: None,
                blocked: &[],
                now: Instant::from_secs(turn * 30),
            };
            let usage = usage(tokens - 500, 500);
            let [.., opus] = fixture.ladder();
            expected += fixture.caches.expected(&asking, &opus).unwrap();
            billed += crate::pricing::charge(&usage, opus.rates).amount().unwrap();
            let turn_ = Underway { prompt: prompt.clone(), ..Underway::default() };
            fixture.answer(&turn_, OPUS, turn * 30, &usage);
        }
        let off = (expected - billed).0.abs() * 1000 / billed.0;
        assert!(off < 50, "{off} per mille off: {} and {}", expected.usd(), billed.usd());
        assert_eq!(fixture.names.models().len(), 3);
    }

    #[test]
    fn all_that_is_remembered_fits_64_mb() {
        const { assert!(Caches::MOST_BYTES <= 64_000_000) };
    }
}
