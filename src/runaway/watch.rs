//! One rule at work: what it has seen of everyone it watches.
//!
//! Invariants: at most [`MOST`] are watched, those that were silent longest go first; a rule trips once for each episode; nothing
//! is learnt from an episode unless it lasts so long that it is the habit.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::habit::Habit;
use super::{Call, Kind, Rule, Test, Then, Trip, Whom, Whose};
use crate::units::{Instant, Pico, Span, counted, grouped};

/// The most that one rule watches.
const MOST: usize = 1 << 14;
/// The longest stretch of a pace, in minutes.
pub const LONGEST: u16 = 60;
/// The most calls among which one is looked for.
pub const WIDEST: u16 = 64;
/// After so long a pace is no episode any more, but how things are.
const ACCEPTED: Span = Span(24 * 3_600_000_000);
const MINUTE: i64 = 60_000_000;
/// Money is told apart by so much when habits are learnt: a hundredth of a cent.
const GRAIN: i128 = 100_000_000;

/// A rule with what it has seen.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    rule: Rule,
    seen: FxHashMap<Whom, Seen>,
}

/// What was seen of one.
#[derive(Clone, Debug)]
struct Seen {
    last: Instant,
    /// Since when the rule has tripped and not come to rest.
    since: Option<Instant>,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Calls { latest: Vec<Call>, next: usize },
    Pace(Box<Pace>),
    Sum { calls: u64, spend: Pico },
}

#[derive(Clone, Debug)]
struct Pace {
    minute: i64,
    /// By minute, so many as the stretch has.
    latest: Vec<(u64, Pico)>,
    calls: u64,
    spend: Pico,
    /// Minutes with traffic that were learnt from.
    learnt: u16,
    habits: [Habit; 2],
}

fn grains(amount: Pico) -> u64 {
    u64::try_from(amount.0.max(0) / GRAIN).unwrap_or(u64::MAX)
}

impl Watch {
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, seen: FxHashMap::default() }
    }

    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Says whether another rule looks at the same in the same way, so that what was seen goes on.
    pub(super) fn goes_on_as(&self, rule: &Rule) -> bool {
        let alike = match (&self.rule.test, &rule.test) {
            (Test::Pace { minutes, .. }, Test::Pace { minutes: other, .. }) => minutes == other,
            (Test::Loop { among, .. }, Test::Loop { among: other, .. }) => among == other,
            (Test::Cap { .. }, Test::Cap { .. }) => true,
            _ => false,
        };
        self.rule.name == rule.name && self.rule.each == rule.each && alike
    }

    pub(super) fn under(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// Finds who is watched of a request. Requests without a session are told apart by their key where calls are compared.
    fn whom(&self, whose: &Whose) -> Option<Whom> {
        let of = |kind| whose.name(kind).map(|name| Whom { kind, name });
        let each = of(self.rule.each);
        let is_loop = matches!(self.rule.test, Test::Loop { .. });
        each.or_else(|| of(Kind::Key).filter(|_| is_loop && self.rule.each == Kind::Session))
    }

    /// Takes a request in: says whether the rule trips with it, and what holds for it since it did.
    pub(super) fn arrived(
        &mut self,
        whose: &Whose,
        call: Option<Call>,
        at: Instant,
    ) -> (Option<Trip>, Option<Then>) {
        let is_loop = matches!(self.rule.test, Test::Loop { .. });
        let Some(whom) = self.whom(whose) else { return (None, None) };
        if self.seen.len() >= MOST && !self.seen.contains_key(&whom) {
            self.make_room();
        }
        let Rule { test, then, .. } = self.rule;
        if is_loop && call.is_none() && !self.seen.contains_key(&whom) {
            return (None, None);
        }
        let seen = self.seen.entry(whom.clone()).or_insert_with(|| Seen::new(&test, at));
        seen.last = at;
        // Who names no session may be several at once: only what goes on from turn to turn is one of them that repeats itself.
        let grows = is_loop && whom.kind != self.rule.each;
        let (over, rests) = seen.take(&test, call, grows, at);
        if seen.since.is_some() {
            if rests {
                seen.since = None;
            }
            return (None, seen.since.is_some().then_some(then));
        }
        let Some(words) = over else { return (None, None) };
        seen.since = Some(at);
        let trip =
            Trip { at, rule: Arc::clone(&self.rule.name), whom, then, seen: words, whose: whose.clone() };
        (Some(trip), Some(then))
    }

    pub(super) fn spent(&mut self, whose: &Whose, amount: Pico) {
        if matches!(self.rule.test, Test::Loop { .. }) {
            return;
        }
        let Some(whom) = self.whom(whose) else { return };
        match self.seen.get_mut(&whom).map(|seen| &mut seen.what) {
            Some(What::Pace(pace)) => pace.spent(amount),
            Some(What::Sum { spend, .. }) => *spend = Pico(spend.0.saturating_add(amount.0)),
            _ => {}
        }
    }

    /// Forgets what was seen of one, or of all; habits stay.
    pub(super) fn forget(&mut self, whom: &Whom) {
        let test = self.rule.test;
        let session = |known: &Whom| known.kind == Kind::Session && known.name.ends_with(&*whom.name);
        for (known, seen) in &mut self.seen {
            if whom.kind == Kind::All || known == whom || (whom.kind == Kind::Session && session(known)) {
                seen.calm(&test);
            }
        }
    }

    /// Lets those go that were silent longest: a quarter of all.
    fn make_room(&mut self) {
        let mut all: Vec<_> = self.seen.iter().map(|(whom, seen)| (seen.last, whom.clone())).collect();
        let quarter = all.len() / 4;
        all.select_nth_unstable(quarter);
        for (_, whom) in all.iter().take(quarter) {
            self.seen.remove(whom);
        }
    }
}

impl Seen {
    fn new(test: &Test, at: Instant) -> Self {
        let what = match test {
            Test::Loop { .. } => What::Calls { latest: Vec::new(), next: 0 },
            Test::Pace { minutes, .. } => What::Pace(Box::new(Pace::new(*minutes, at))),
            Test::Cap { .. } => What::Sum { calls: 0, spend: Pico::ZERO },
        };
        Self { last: at, since: None, what }
    }

    fn calm(&mut self, test: &Test) {
        self.since = None;
        match &mut self.what {
            What::Pace(pace) => pace.clear(),
            _ => self.what = Self::new(test, self.last).what,
        }
    }

    /// Takes a request in: what is over the rule, in words, and whether it is so far below that an episode is over.
    fn take(&mut self, test: &Test, call: Option<Call>, grows: bool, at: Instant) -> (Option<String>, bool) {
        match (&mut self.what, *test) {
            (What::Calls { latest, next }, Test::Loop { same, among }) => {
                let most = usize::from(among.clamp(1, WIDEST));
                let Some(call) = call else { return (None, false) };
                if latest.len() < most {
                    latest.push(call);
                } else if let Some(oldest) = latest.get_mut(*next % most) {
                    *oldest = call;
                }
                *next = (*next + 1) % most;
                let count = repeats(latest, *next, call, grows);
                let words = (count >= usize::from(same))
                    .then(|| format!("the same tool call {count} times among the last {}", latest.len()));
                (words, count * 2 < usize::from(same))
            }
            (What::Pace(pace), Test::Pace { times, minutes, history, calls, spend }) => {
                let learns = self.since.is_none_or(|since| at.0.saturating_sub(since.0) > ACCEPTED.0);
                pace.reach(at, learns);
                pace.called();
                if pace.learnt < history {
                    return (None, true);
                }
                let [usual_calls, usual_spend] =
                    pace.habits.each_ref().map(|habit| habit.usual().unwrap_or(0));
                let allowed = |usual: u64| usual.saturating_mul(u64::from(times));
                let spent = grains(pace.spend);
                let many = calls.is_some_and(|from| pace.calls >= from && pace.calls > allowed(usual_calls));
                let much = spend.is_some_and(|from| pace.spend >= from && spent > allowed(usual_spend));
                let rests = calls.is_none_or(|_| pace.calls <= allowed(usual_calls) / 2)
                    && spend.is_none_or(|_| spent <= allowed(usual_spend) / 2);
                let dollars = |grains: u64| Pico(i128::from(grains).saturating_mul(GRAIN)).dollars();
                let words = if much {
                    let (now, usual) = (pace.spend.dollars(), dollars(usual_spend));
                    Some(format!("{now} within {minutes} min, usual is up to {usual}"))
                } else {
                    many.then(|| {
                        let (calls, usual) = (counted(pace.calls, "call"), grouped(usual_calls));
                        format!("{calls} within {minutes} min, usual is up to {usual}")
                    })
                };
                (words, rests)
            }
            (What::Sum { calls, spend }, Test::Cap { calls: most_calls, spend: most_spend }) => {
                *calls += 1;
                let many =
                    most_calls.filter(|most| *calls > *most).map(|most| format!("more than {most} calls"));
                let much = most_spend.filter(|most| *spend >= *most);
                let much = much.map(|most| format!("{} spent of {}", spend.dollars(), most.dollars()));
                (much.or(many), false)
            }
            _ => (None, false),
        }
    }
}

/// Counts how often a call is among the latest; `grows` counts only those that came with more turns than the one before.
fn repeats(latest: &[Call], oldest: usize, call: Call, grows: bool) -> usize {
    let at = if latest.len() > oldest { oldest } else { 0 };
    let (newer, older) = latest.split_at(at);
    let same = older.iter().chain(newer).filter(|one| one.hash() == call.hash());
    if !grows {
        return same.count();
    }
    let mut turns = None;
    same.filter(|one| turns.replace(one.turns()).is_none_or(|before| before < one.turns())).count()
}

impl Pace {
    fn new(minutes: u16, at: Instant) -> Self {
        Self {
            minute: at.0.div_euclid(MINUTE),
            latest: vec![(0, Pico::ZERO); usize::from(minutes.clamp(1, LONGEST))],
            calls: 0,
            spend: Pico::ZERO,
            learnt: 0,
            habits: [Habit::default(), Habit::default()],
        }
    }

    fn clear(&mut self) {
        self.latest.fill((0, Pico::ZERO));
        (self.calls, self.spend) = (0, Pico::ZERO);
    }

    fn slot(&mut self, minute: i64) -> Option<&mut (u64, Pico)> {
        let of = i64::try_from(self.latest.len()).unwrap_or(1);
        let at = usize::try_from(minute.rem_euclid(of)).unwrap_or(0);
        self.latest.get_mut(at)
    }

    /// Lets time reach a moment: each minute that is over and had traffic is learnt from, with those before it.
    fn reach(&mut self, at: Instant, learns: bool) {
        let minute = at.0.div_euclid(MINUTE);
        if minute <= self.minute {
            return;
        }
        let had_traffic = self.slot(self.minute).is_some_and(|(calls, _)| *calls > 0);
        if had_traffic && learns {
            let amounts = [self.calls, grains(self.spend)];
            for (habit, amount) in self.habits.iter_mut().zip(amounts) {
                habit.learn(amount);
            }
            self.learnt = self.learnt.saturating_add(1);
        }
        let over = (minute - self.minute).min(i64::try_from(self.latest.len()).unwrap_or(1));
        for ago in 0..over {
            let gone = self.slot(minute - ago).map(std::mem::take);
            if let Some((calls, spend)) = gone {
                self.calls = self.calls.saturating_sub(calls);
                self.spend = Pico(self.spend.0.saturating_sub(spend.0));
            }
        }
        self.minute = minute;
    }

    fn called(&mut self) {
        self.calls += 1;
        if let Some((calls, _)) = self.slot(self.minute) {
            *calls += 1;
        }
    }

    fn spent(&mut self, amount: Pico) {
        self.spend = Pico(self.spend.0.saturating_add(amount.0));
        if let Some((_, spend)) = self.slot(self.minute) {
            *spend = Pico(spend.0.saturating_add(amount.0));
        }
    }
}
