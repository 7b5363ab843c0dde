//! What budgets tell: thresholds, how fast they are spent, whether they last.

use rustc_hash::FxHashMap;

use super::super::spending::Spending;
use super::sink::{AlertSink, Call, Done, Seen, subject};
use crate::alert::{Level, Pace, Rules, Source};
use crate::budget::{LimitHistory, Member, Mode, Standing};
use crate::forecast::{Hours, Method, Week, forecast};
use crate::units::{Instant, Names, Pico, Span};

const HOUR: Span = Span::hours(1);
/// An even pace, in thousandths.
const EVEN: u64 = 1000;
/// The hours that a forecast learns from: five weeks.
const LEARNT: usize = 5 * 7 * 24;
/// Accounts whose pace is kept; those that come later have thresholds only.
const PACED: usize = 1000;
/// A limit that has no room for a request is used up where at least this share is spent, in per cent.
const NEARLY: i128 = 90;
/// What is foretold is a limit of a day at least, of which this share is spent, in per cent: less is a guess.
const BEGUN: i128 = 20;
/// Hours of a past that is worth a guess.
const FEW: usize = 24;

/// How fast an account is spent.
#[derive(Clone, Debug, Default)]
struct Drawn {
    pace: Pace,
    /// Whole hours before `hour`.
    hours: Vec<Pico>,
    hour: i64,
    spent: Pico,
    /// When its requests last came, which tells its window.
    arrived: Instant,
    /// Whether anything was spent since the last full hour.
    is_new: bool,
    /// Whether anything may still burn.
    burns: bool,
    /// How its week goes, as it was known at an hour.
    week: Option<(i64, Option<Week>)>,
}

/// All accounts.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    pub(super) spending: Spending,
    drawn: FxHashMap<(u16, Member), Drawn>,
    /// The account's window and how many thresholds of all rules it has passed there.
    passed: FxHashMap<(u16, Member), (Instant, Pico, usize)>,
    keep: Span,
}

fn percent(standing: &Standing) -> i128 {
    let spent = standing.account.spent.0.max(0);
    spent.saturating_mul(100).checked_div(standing.amount.0).unwrap_or(if spent > 0 { 100 } else { 0 })
}

fn reaches(standing: &Standing, threshold: u32) -> bool {
    let spent = standing.account.spent.0.max(0);
    spent > 0 && spent.saturating_mul(100) >= standing.amount.0.saturating_mul(i128::from(threshold))
}

/// Returns what is seen of an account in its window.
fn seen<'a>(
    standing: &Standing,
    source: Source,
    about: (&'a str, &'a str),
    when: (Instant, Level),
) -> Seen<'a> {
    let window = standing.account.window;
    Seen::new(source, about, (window.start, window.end), when)
}

/// Says how much of what is spent nobody knows: what was held for calls of unknown cost.
fn assumed(standing: &Standing) -> String {
    match standing.account.assumed {
        Pico::ZERO => String::new(),
        assumed => format!(", {} of it assumed for calls of unknown cost", assumed.dollars()),
    }
}

fn starts_anew(standing: &Standing) -> String {
    let end = standing.account.window.end;
    end.map_or_else(String::new, |end| format!("; it starts anew {} {} UTC", end.date(), end.clock()))
}

impl Accounts {
    pub(super) fn new(rules: &Rules, limits: &LimitHistory, names: &Names) -> Self {
        let mut new = Self {
            spending: Spending::new(limits, names),
            drawn: FxHashMap::default(),
            passed: FxHashMap::default(),
            keep: Span::ZERO,
        };
        new.set_rules(rules);
        new
    }

    pub(super) fn set_rules(&mut self, rules: &Rules) {
        let longest = rules.burn.iter().map(|burn| burn.long).max();
        self.keep = Span(longest.unwrap_or_default().0.saturating_add(HOUR.0));
        self.passed.clear();
    }

    /// Books a request that was over at a moment.
    pub(super) fn count(&mut self, at: Instant, done: &Done, sink: &mut AlertSink) {
        for Call { payment, .. } in &done.calls {
            self.spending.pay(payment, done.arrived);
            let amount = payment.cost.amount().unwrap_or_default();
            for draw in &payment.draws {
                self.add(*draw, (done.arrived, at), amount);
                if let Some(standing) = self.spending.standing(*draw, done.arrived) {
                    self.threshold(*draw, &standing, at, sink);
                }
            }
        }
        for draws in &done.short {
            let standings = draws.iter().filter_map(|draw| self.spending.standing(*draw, done.arrived));
            let fullest = standings.max_by_key(percent).filter(|fullest| percent(fullest) >= NEARLY);
            if let Some(fullest) = fullest.filter(|fullest| !reaches(fullest, 100)) {
                Self::full(&fullest, at, sink);
            }
        }
    }

    fn add(&mut self, draw: (u16, Member), (arrived, at): (Instant, Instant), amount: Pico) {
        let is_full = self.drawn.len() >= PACED && !self.drawn.contains_key(&draw);
        if is_full {
            return;
        }
        let hour = at.0.div_euclid(HOUR.0);
        let drawn = self.drawn.entry(draw).or_insert_with(|| Drawn { hour, ..Drawn::default() });
        drawn.go_to(hour);
        drawn.spent += amount;
        drawn.pace.add(at, amount, self.keep);
        drawn.arrived = drawn.arrived.max(arrived);
        (drawn.is_new, drawn.burns) = (true, true);
    }

    fn threshold(&mut self, draw: (u16, Member), standing: &Standing, at: Instant, sink: &mut AlertSink) {
        let window = standing.account.window;
        let rules = sink.rules.clone();
        let all =
            || rules.of(Source::Budget).flat_map(|rule| rule.thresholds.iter().map(move |one| (rule, *one)));
        let count = all().filter(|(_, threshold)| reaches(standing, *threshold)).count();
        let known = self.passed.entry(draw).or_insert((window.start, standing.amount, 0));
        if known.0 == window.start && known.1 == standing.amount && known.2 == count {
            return;
        }
        *known = (window.start, standing.amount, count);
        let scope = standing.source();
        for (rule, threshold) in all().filter(|(rule, _)| rule.scope.matches(&scope)) {
            let name = format!("{threshold}%");
            if !reaches(standing, threshold) {
                // The limit was raised.
                sink.changes.extend(sink.alerts.resolve(&subject(rule, &scope, &name), at));
                continue;
            }
            let level = level(standing, threshold);
            let seen = seen(standing, Source::Budget, (&scope, &name), (at, level));
            sink.fire_by(rule, &seen, || {
                format!(
                    "budget {scope}: {name} of {} is spent ({}{}){}",
                    standing.amount.dollars(),
                    standing.account.spent.dollars(),
                    assumed(standing),
                    starts_anew(standing)
                )
            });
        }
    }

    /// Tells of a limit that has no room for a request.
    fn full(standing: &Standing, at: Instant, sink: &mut AlertSink) {
        let (rules, scope) = (sink.rules.clone(), standing.source());
        let of_all =
            |rule: &&crate::alert::Rule| rule.thresholds.contains(&100) && rule.scope.matches(&scope);
        for rule in rules.of(Source::Budget).filter(of_all) {
            let seen = seen(standing, Source::Budget, (&scope, "100%"), (at, level(standing, 100)));
            sink.fire_by(rule, &seen, || {
                format!(
                    "budget {scope}: there was no room for a request; {} of {} is spent{}{}",
                    standing.account.spent.dollars(),
                    standing.amount.dollars(),
                    assumed(standing),
                    starts_anew(standing)
                )
            });
        }
    }

    /// Looks how fast limits are spent, at the end of a minute, and whether they last, at the end of an hour.
    pub(super) fn look(&mut self, at: Instant, sink: &mut AlertSink) {
        self.spending.reach(at);
        if self.spending.take_turned_over() {
            // A limit that came, or was lowered, may be spent already.
            for standing in self.spending.budgets.standings(at, false) {
                if let Some(draw) = standing.draw() {
                    self.threshold(draw, &standing, at, sink);
                }
            }
        }
        let rules = sink.rules.clone();
        let burns = rules.of(Source::BurnRate).next().is_some();
        let foretells = at.0.rem_euclid(HOUR.0) == 0 && rules.of(Source::Forecast).next().is_some();
        if !burns && !foretells {
            return;
        }
        let mut keys: Vec<(u16, Member)> =
            self.drawn.iter().filter(|(_, drawn)| drawn.burns || drawn.is_new).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        for key in keys {
            let Some(drawn) = self.drawn.get_mut(&key) else { continue };
            let Some(standing) = self.spending.standing(key, drawn.arrived) else { continue };
            let scope = standing.source();
            if burns {
                drawn.burn(&rules, (&standing, &scope), at, sink);
            }
            if foretells && std::mem::take(&mut drawn.is_new) {
                drawn.go_to(at.0.div_euclid(HOUR.0));
                drawn.foretell((&standing, &scope), at, sink);
            }
        }
    }
}

fn level(standing: &Standing, threshold: u32) -> Level {
    match threshold {
        0..90 => Level::Notice,
        100.. if standing.limit.mode == Mode::Hard => Level::Critical,
        _ => Level::Warning,
    }
}

impl Drawn {
    fn go_to(&mut self, hour: i64) {
        while self.hour < hour {
            // A gap longer than what is learnt from leaves nothing to learn.
            if hour - self.hour > i64::try_from(LEARNT).unwrap_or(i64::MAX) {
                (self.hours, self.hour, self.spent) = (Vec::new(), hour, Pico::ZERO);
                return;
            }
            self.hours.push(std::mem::take(&mut self.spent));
            self.hour += 1;
        }
        if self.hours.len() > 2 * LEARNT {
            self.hours.drain(..LEARNT);
        }
    }

    fn burn(
        &mut self,
        rules: &Rules,
        (standing, scope): (&Standing, &str),
        at: Instant,
        sink: &mut AlertSink,
    ) {
        let window = standing.account.window;
        let Some(length) = window.end.map(|end| end - window.start) else {
            self.burns = false;
            return;
        };
        let hour = at.0.div_euclid(HOUR.0);
        if self.week.as_ref().is_none_or(|(known, _)| *known != hour) {
            self.go_to(hour);
            let past = Hours::new(self.hours.clone());
            let first = self.hour - i64::try_from(self.hours.len()).unwrap_or(0);
            self.week = Some((hour, Week::learn(&past, first)));
        }
        let week = self.week.as_ref().and_then(|(_, week)| week.as_ref());
        let bounds = (window.start, window.start + length);
        let mut any = false;
        for burn in rules.burn.iter().filter(|burn| burn.suits(length)) {
            // Spent over a stretch, beside what the limit has for it: spent * length >= rate * limit * stretch, as the hours of the
            // week go. Quiet hours count as half of the even pace at least, or a few calls at night would be too fast.
            let is_fast = |stretch: Span| {
                let spent = self.pace.within(at, stretch);
                let left = spent.0.saturating_mul(i128::from(length.0)).saturating_mul(10 * i128::from(EVEN));
                let right = standing.amount.0.saturating_mul(i128::from(stretch.0));
                let right = right.saturating_mul(i128::from(burn.rate));
                let beyond = |pace: u64| left >= right.saturating_mul(i128::from(pace));
                // What is not too fast for the quietest hours need not be looked at more closely.
                let fast = spent > Pico::ZERO && beyond(EVEN / 2);
                let usual = || week.map_or(EVEN, |week| week.pace((at - stretch, at), bounds));
                (fast && beyond(usual().max(EVEN / 2)), spent)
            };
            let (long, spent) = is_fast(burn.long);
            any |= spent > Pico::ZERO;
            let threshold = burn.to_string();
            if long && is_fast(burn.short).0 && window.has(at) {
                let seen = seen(standing, Source::BurnRate, (scope, &threshold), (at, burn.level));
                sink.fire(&seen, || {
                    format!(
                        "budget {scope}: {} spent within {}, {} {} lasts{}",
                        spent.dollars(),
                        burn.long,
                        if burn.rate == 10 {
                            "faster than".to_owned()
                        } else {
                            format!("over {} times as fast as", burn.times())
                        },
                        standing.amount.dollars(),
                        if week.is_some() { ", as the hours of the week go" } else { "" }
                    )
                });
            } else if !long {
                sink.resolve(Source::BurnRate, scope, &threshold, at);
            }
        }
        self.burns = any;
    }

    fn foretell(&self, (standing, scope): (&Standing, &str), at: Instant, sink: &mut AlertSink) {
        let window = standing.account.window;
        let Some(end) = window.end.filter(|end| *end - window.start >= Span::days(1) && at < *end) else {
            return;
        };
        let spent = percent(standing);
        if !(BEGUN..100).contains(&spent) || self.hours.len() < FEW {
            return;
        }
        let from = self.hours.len().saturating_sub(LEARNT);
        let past = Hours::new(self.hours.get(from..).unwrap_or_default().to_vec());
        let left = end - at;
        let hours = usize::try_from(left.0 / HOUR.0).unwrap_or(0);
        let Some(found) = forecast(&past, standing.account.spent, (0, hours), &[]) else { return };
        let certain = found.p10.is_some_and(|low| low >= standing.amount);
        let likely = found.p50 >= standing.amount;
        for (is_so, threshold, level) in
            [(likely, "likely", Level::Warning), (certain, "certain", Level::Critical)]
        {
            if !is_so {
                sink.resolve(Source::Forecast, scope, threshold, at);
                continue;
            }
            let seen = seen(standing, Source::Forecast, (scope, threshold), (at, level));
            sink.fire(&seen, || {
                let how = match found.method {
                    Method::Profile => "as the hours of the week go",
                    Method::RunRate => "at the average rate so far",
                };
                format!(
                    "budget {scope}: {} is expected at the end, of {}, {how}{}",
                    found.p50.dollars(),
                    standing.amount.dollars(),
                    starts_anew(standing)
                )
            });
        }
    }
}
