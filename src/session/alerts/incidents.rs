//! What is unlike its past, as alerts: an incident that is told of fires, and is over when it ends.

use super::sink::{AlertSink, Seen};
use crate::alert::{Level, Rules, Source};
use crate::anomaly::{Changed, Incident, Metric, Scope, Survey, Tally, Window};
use crate::units::{Instant, Names, Pico, Span, grouped, took};

/// An incident that was told of.
#[derive(Clone, Debug)]
struct Told {
    scope: String,
    metric: Metric,
    of: (Scope, Option<Scope>),
    start: Instant,
    /// Up to when it was heard of.
    last: Instant,
}

/// The survey, and what was told of it.
#[derive(Clone, Debug)]
pub(super) struct Incidents {
    survey: Survey,
    slot: Span,
    told: Vec<Told>,
    /// The start of the latest incident that was ended.
    ended: Instant,
}

impl Incidents {
    pub(super) fn new(rules: &Rules) -> Self {
        let survey = Survey::new(rules.slot, rules.knobs);
        Self { slot: survey.length, survey, told: Vec::new(), ended: Instant(i64::MIN) }
    }

    pub(super) fn add(&mut self, at: Instant, parts: &[(Scope, Tally)]) {
        self.survey.add(at, parts);
    }

    /// Looks at a slot that has ended.
    pub(super) fn look(&mut self, at: Instant, names: &Names, sink: &mut AlertSink) {
        if at.0.rem_euclid(self.slot.0) != 0 || sink.rules.of(Source::Anomaly).next().is_none() {
            return;
        }
        self.survey.pass(at);
        let found = self.survey.incidents();
        let going = found.iter().filter(|incident| incident.end.is_none());
        let slot = self.slot;
        let mut heard = vec![false; self.told.len()];
        for incident in going {
            let of = (incident.lead.scope, incident.causes.first().map(|cause| cause.scope));
            // The same goes by its figure and whose it is, or by what explains it, though its start is seen better later.
            let same = |told: &Told| {
                (told.metric == incident.lead.metric && told.of.0 == of.0)
                    || (of.1.is_some() && told.of.1 == of.1)
            };
            if let Some(place) = self.told.iter().position(same) {
                heard[place] = true;
                self.told[place].last = at;
                continue;
            }
            let scope =
                named(names, incident.causes.first().map_or(incident.lead.scope, |cause| cause.scope));
            let about = (&*scope, incident.lead.metric.name());
            let seen = Seen::new(Source::Anomaly, about, (incident.start, None), (at, Level::Warning));
            sink.fire(&seen, || words(incident, names, slot));
            heard.push(true);
            let (metric, start) = (incident.lead.metric, incident.start);
            self.told.push(Told { scope, metric, of, start, last: at });
        }
        let mut heard = heard.into_iter();
        let ended = &mut self.ended;
        self.told.retain(|told| {
            let goes_on = heard.next().unwrap_or(true);
            if !goes_on {
                sink.resolve(Source::Anomaly, &told.scope, told.metric.name(), at);
                *ended = (*ended).max(told.start);
            }
            goes_on
        });
    }
}

fn named(names: &Names, scope: Scope) -> String {
    match scope {
        Scope::All => "all traffic".to_owned(),
        Scope::Team(team) => format!("team {}", names.team(team)),
        Scope::Project(project) => format!("project {}", names.project(project)),
        Scope::Route(route) => format!("route {}", names.route(route)),
        Scope::Model(model) => format!("model {}", names.model(model)),
    }
}

fn words(incident: &Incident, names: &Names, slot: Span) -> String {
    let Changed { scope, metric, before, during } = &incident.lead;
    let mut words = format!(
        "{} of {} since {} {} UTC: {}, usually {}",
        metric.name().replace('_', " "),
        named(names, *scope),
        incident.start.date(),
        incident.start.clock(),
        figure(*metric, during, slot),
        figure(*metric, before, slot)
    );
    if let Some(cause) = incident.causes.first() {
        words.push_str("; explained by ");
        words.push_str(&named(names, cause.scope));
    }
    words
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts that people read")]
fn whole(figure: f64) -> u64 {
    figure.round() as u64
}

fn dollars(figure: f64) -> String {
    let text = format!("{figure:.6}");
    Pico::from_usd(&text).map_or(text, Pico::dollars)
}

fn figure(metric: Metric, window: &Window, slot: Span) -> String {
    let Some(figure) = window.figure(metric) else { return "unknown".to_owned() };
    match metric {
        Metric::Spend if figure == 0.0 => "nothing".to_owned(),
        Metric::Spend => format!("{} in {slot}", dollars(figure)),
        Metric::Requests if figure < 100.0 => format!("{figure:.1} in {slot}"),
        Metric::Requests => format!("{} in {slot}", grouped(whole(figure))),
        Metric::CostPerRequest => dollars(figure),
        Metric::TokensPerRequest => grouped(whole(figure)),
        Metric::Latency => took(whole(figure)),
        Metric::Escalations | Metric::Errors | Metric::CacheHits => format!("{:.1}%", figure * 100.0),
    }
}
