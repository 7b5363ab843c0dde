//! What calls tell: models that fail or cannot be called, and calls that nobody can price.

use std::collections::{BTreeMap, VecDeque};

use super::sink::{AlertSink, Call, Done, Seen, subject};
use crate::alert::{Level, Source};
use crate::pricing::Unpriced;
use crate::units::{Instant, ModelId, Names, Span};

const MINUTE: Span = Span::mins(1);
/// Minutes over which failures are counted.
const LOOKED: i64 = 5;
/// Minutes without a call after which a model is in no trouble that anybody knows of.
const SILENT: i64 = 15;
/// A model that cannot be called for so long is told of: a provider that asks for patience is no trouble.
const DOWN: Span = Span::mins(1);

/// The calls to one model in the last minutes.
#[derive(Clone, Debug, Default)]
struct Lately {
    minutes: VecDeque<(i64, u32, u32)>,
    last: i64,
    fires: bool,
}

/// All models.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    lately: BTreeMap<ModelId, Lately>,
    /// Models that cannot be called, since when, and whether that is told.
    down: BTreeMap<ModelId, (Instant, bool)>,
    /// The day in which calls to a model were seen that nobody can price.
    unpriced: BTreeMap<ModelId, Instant>,
}

fn scope(names: &Names, model: ModelId) -> String {
    format!("model {}", names.model(model))
}

impl Trouble {
    pub(super) fn count(&mut self, at: Instant, done: &Done, names: &Names, sink: &mut AlertSink) {
        let minute = at.0.div_euclid(MINUTE.0);
        for Call { model, is_ok, unpriced, .. } in &done.calls {
            let lately = self.lately.entry(*model).or_default();
            lately.last = minute;
            match lately.minutes.back_mut() {
                Some((last, calls, failed)) if *last == minute => {
                    (*calls, *failed) = (*calls + 1, *failed + u32::from(!is_ok));
                }
                _ => lately.minutes.push_back((minute, 1, u32::from(!is_ok))),
            }
            let is_priceless =
                matches!(unpriced, Some(Unpriced::NoPrice | Unpriced::NoTier | Unpriced::NoMeter));
            if let Some(why) = unpriced.filter(|_| is_priceless) {
                self.price(at, *model, why, names, sink);
            }
        }
        self.stand(done, at, names, sink);
    }

    fn price(&mut self, at: Instant, model: ModelId, why: Unpriced, names: &Names, sink: &mut AlertSink) {
        let day = at.day_start();
        if self.unpriced.insert(model, day) == Some(day) {
            return;
        }
        let scope = scope(names, model);
        let window = (day, Some(day + Span::days(1)));
        let seen = Seen::new(Source::Unpriced, (&scope, ""), window, (at, Level::Warning));
        sink.fire(&seen, || format!("calls to {scope} are of unknown cost: {}", why.text()));
    }

    /// Looks what could be called when a request arrived.
    fn stand(&mut self, done: &Done, at: Instant, names: &Names, sink: &mut AlertSink) {
        if self.down.is_empty() && done.down.is_empty() {
            return;
        }
        self.down.retain(|model, (since, told)| {
            // What arrived before it went down says nothing of it.
            let is_up = done.arrived > *since && !done.down.contains(model);
            if is_up && *told {
                sink.resolve(Source::Provider, &scope(names, *model), "down", at);
            }
            !is_up
        });
        for model in &done.down {
            let (since, told) = self.down.entry(*model).or_insert((done.arrived, false));
            if *told || done.arrived - *since < DOWN {
                continue;
            }
            *told = true;
            let (scope, since) = (scope(names, *model), *since);
            let window = (since.hour_start(), None);
            let seen = Seen::new(Source::Provider, (&scope, "down"), window, (at, Level::Critical));
            sink.fire(&seen, || {
                format!("{scope} cannot be called since {} {} UTC", since.date(), since.clock())
            });
        }
    }

    /// Looks how many calls failed, at the end of a minute.
    pub(super) fn look(&mut self, at: Instant, names: &Names, sink: &mut AlertSink) {
        let now = at.0.div_euclid(MINUTE.0);
        let (failing, least) = (u64::from(sink.rules.failing), sink.rules.least_calls);
        for (model, lately) in &mut self.lately {
            let old = lately.minutes.partition_point(|(minute, ..)| *minute < now - LOOKED);
            lately.minutes.drain(..old);
            if lately.minutes.is_empty() && !lately.fires {
                continue;
            }
            let sum = |of: fn(&(i64, u32, u32)) -> u32| lately.minutes.iter().map(of).sum::<u32>();
            let (calls, failed) = (sum(|one| one.1), sum(|one| one.2));
            let share = |per: u64| u64::from(failed) * 100 >= u64::from(calls) * per;
            if calls >= least && share(failing) {
                lately.fires = true;
                let scope = scope(names, *model);
                let window = (at.hour_start(), None);
                let seen = Seen::new(Source::Provider, (&scope, "failing"), window, (at, Level::Critical));
                // One trouble is told once, though it goes on over several hours.
                let fires = sink
                    .rules
                    .of(Source::Provider)
                    .any(|rule| sink.alerts.fires(&subject(rule, &scope, "failing")));
                if !fires {
                    sink.fire(&seen, || {
                        format!("{failed} of {calls} calls to {scope} failed within {LOOKED} minutes")
                    });
                }
            } else if lately.fires
                && ((calls > 0 && !share(failing.div_ceil(2))) || now - lately.last > SILENT)
            {
                lately.fires = false;
                sink.resolve(Source::Provider, &scope(names, *model), "failing", at);
            }
        }
    }
}
