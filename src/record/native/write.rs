//! Writes entries in our own format, leaving out whatever absence already says.

use std::collections::BTreeMap;

use super::event::{Header, VERSION};
use crate::checks::CheckWhen;
use crate::pricing::{Charged, Cost, PriceRow, Rates, Tier, Usage, as_factor};
use crate::record::{
    Attempt, Check, Entry, Label, PolicyChange, PriceChange, Record, RecordedNeeds, Status, Under, WriteTtl,
};
use crate::routing::{
    Caching, CanarySpec, Effort, FactsSpec, Mode, RouteSpec, RungSpec, StreamLimits, TAG, WhenFailed,
    WhenFull,
};
use crate::units::{Count, Instant};

/// Appends one line for the header.
pub(crate) fn write_header(out: &mut Vec<u8>, header: &Header) {
    let mut object = Object::open(out);
    object.text("pointsman", "log");
    object.number("v", VERSION);
    object.word("source", &header.source);
    object.words("simulated", &header.simulated);
    object.word("budgets", &header.budgets.first);
    object.objects("budget_changes", &header.budgets.later, |change, (at, text)| {
        change.text("at", &at.rfc3339());
        change.text("text", text);
    });
    object.close();
    out.push(b'\n');
}

/// Appends one line for an entry.
pub fn write_entry(out: &mut Vec<u8>, entry: &Entry<'_>) {
    match entry {
        Entry::Request(record) => request(out, record),
        Entry::Price(change) => price(out, change),
        Entry::Policy(change) => policy(out, change),
        Entry::Label(late) => {
            let mut object = Object::event(out, "label", late.at);
            object.text("id", &late.id);
            label_keys(&mut object, &late.label);
            object.close();
        }
        Entry::Correction(correction) => {
            let mut object = Object::event(out, "correction", correction.at);
            object.text("id", &correction.id);
            object.maybe("call", correction.call.map(u64::from));
            charged(&mut object, correction.charged);
            object.word("source", &correction.source);
            object.close();
        }
        Entry::Signal(signal) => {
            let mut object = Object::event(out, "signal", signal.at);
            object.text("model", &signal.model);
            match signal.until {
                Some(until) => object.text("down_until", &until.rfc3339()),
                None => object.raw("up", b"true"),
            }
            object.word("why", &signal.why);
            object.close();
        }
        Entry::Note { at, text, simulated } => {
            let mut object = Object::event(out, "note", *at);
            object.text("text", text);
            object.flag("simulated", *simulated);
            object.close();
        }
    }
    out.push(b'\n');
}

fn request(out: &mut Vec<u8>, record: &Record<'_>) {
    let mut object = Object::open(out);
    object.word("id", &record.id);
    object.text("at", &record.at.rfc3339());
    object.word("timing", record.timing.word());
    object.word("team", &record.team);
    object.word("project", &record.project);
    object.word("user", &record.user);
    object.word("key", &record.key);
    object.word("session", &record.session);
    object.word("asked", &record.asked);
    object.flag("pinned", record.pinned);
    object.word("task", record.task.map_or("", |task| task.name()));
    object.maybe("confidence", record.confidence.map(|confidence| u64::from(confidence.get())));
    object.flag("unsure", record.unsure);
    if !record.saw.is_empty() {
        object.text("saw", &record.saw.to_string());
    }
    object.maybe("turn", record.turn.map(u64::from));
    object.maybe("tools", record.tools.map(u64::from));
    object.maybe("history", record.history.map(u64::from));
    object.maybe("seq", record.seq);
    object.maybe("policy", record.policy.map(u64::from));
    object.maybe("propensity", record.propensity.map(|chance| u64::from(chance.get())));
    let RecordedNeeds { window, output, vision, require, down } = &record.needs;
    object.maybe("window", window.map(u64::from));
    object.maybe("max_output", output.map(u64::from));
    object.flag("vision", *vision);
    let (tags, down) = down.split_at(down.iter().take_while(|word| word.starts_with(TAG)).count());
    for (key, list) in [("tags", tags), ("require", require), ("down", down)] {
        object.some(key, list, |out, name| quoted(out, name.strip_prefix(TAG).unwrap_or(name)));
    }
    object.maybe_text("prompt", record.prompt.as_deref());
    object.some("prefix", &record.prefix, |out, hash| number(out, *hash));
    match &*record.attempts {
        [] => {}
        [only] if *only != Attempt::default() => attempt(&mut object, only),
        several => object.objects("attempts", several, attempt),
    }
    object.objects("labels", &record.labels, label_keys);
    object.maybe_text("claimed_usd", record.claimed_usd.as_deref());
    object.word("simulated", &record.simulated);
    object.close();
}

fn attempt(object: &mut Object<'_>, attempt: &Attempt<'_>) {
    object.word("model", &attempt.model);
    object.flag("assumed_model", attempt.assumed_model);
    object.flag("estimated", attempt.estimated);
    object.word("billed", &attempt.billed);
    object.word("provider", &attempt.provider);
    let Usage { input, cache_read, write_5m, write_1h, output, reasoning } = attempt.usage;
    let cached = if input.is_known() && output.is_known() { Count::ZERO } else { Count::UNKNOWN };
    object.count("in", input, Count::UNKNOWN);
    object.count("cache_read", cache_read, cached);
    object.count("write_5m", write_5m, cached);
    object.count("write_1h", write_1h, cached);
    object.count("out", output, Count::UNKNOWN);
    object.count("reasoning", reasoning, Count::UNKNOWN);
    object.maybe("began_us", attempt.began_us);
    object.maybe("latency_ms", attempt.latency_ms.map(u64::from));
    object.maybe("ttft_ms", attempt.ttft_ms.map(u64::from));
    if attempt.status != Status::Ok {
        object.text("status", attempt.status.name());
    }
    object.word("error", &attempt.error);
    object.word("effort", attempt.effort.map_or("", |effort| effort.name()));
    match attempt.check {
        Check::None => {}
        Check::Passed => object.text("check", "passed"),
        Check::Failed => object.text("check", "failed"),
    }
    if attempt.write_ttl == WriteTtl::Assumed {
        object.text("write_ttl", "assumed");
    }
    if let Some(terms) = &attempt.terms {
        object.word("tier", terms.tier());
        if terms.meters().next().is_some() {
            object.object("meters", |meters| {
                terms.meters().for_each(|(name, count)| meters.number(name, count));
            });
        }
    }
    object.words("left_out", &attempt.left_out);
    object.maybe("gap_ms", attempt.gap_ms.map(u64::from));
    object.some("verdicts", &attempt.verdicts, json);
    charged(object, attempt.charged);
}

/// Writes what knows itself how it is written.
fn json<T: serde::Serialize>(out: &mut Vec<u8>, value: &T) {
    // Into memory, texts and numbers under names that are texts: nothing of that can fail.
    let _ = serde_json::to_writer(out, value);
}

fn charged(object: &mut Object<'_>, charged: Charged) {
    match charged.cost() {
        None => {}
        Some(Cost::Known(amount)) => object.text("charged", &amount.usd()),
        Some(Cost::Estimated(amount)) => {
            object.text("charged", &amount.usd());
            object.text("charged_as", "estimated");
        }
        Some(Cost::Unknown(why)) => object.text("charged_as", why.name()),
    }
}

fn label_keys(object: &mut Object<'_>, label: &Label<'_>) {
    object.word("source", &label.source);
    object.text("model", &label.model);
    object.maybe("quality", label.quality.map(|quality| u64::from(quality.get())));
    object.maybe("output", label.output);
}

fn policy(out: &mut Vec<u8>, change: &PolicyChange<'_>) {
    let mut object = Object::event(out, "policy", change.at);
    object.number("version", u64::from(change.version));
    object.word("who", &change.who);
    object.word("what", &change.what);
    object.flag("undo", change.undo);
    let Under { gateway, classifier, prices } = &change.under;
    let under = [("gateway", gateway), ("classifier", classifier), ("prices", prices)];
    if under.iter().any(|(_, text)| !text.is_empty()) {
        object.object("under", |inner| under.iter().for_each(|(key, text)| inner.word(key, text)));
    }
    object.word("name", &change.spec.name);
    object.maybe_text("baseline", change.spec.baseline.as_deref());
    object.maybe_text("classifier", change.spec.classifier.as_deref());
    object.maybe_text("mode", change.spec.mode.map(Mode::name));
    object.objects("models", &change.spec.models, |object, (model, known)| {
        object.text("model", model);
        facts(object, known);
    });
    object.list("routes", &change.spec.routes, |out, of| Object::within(out, of, route));
    object.close();
}

fn route(object: &mut Object<'_>, route: &RouteSpec) {
    object.text("route", &route.name);
    object.words("team", &route.teams);
    object.words("project", &route.projects);
    object.words("task", &route.tasks);
    object.words("asked", &route.asked);
    object.maybe_text("no_signal", route.no_signal.as_deref());
    object.maybe("holdout", route.holdout.and_then(|share| u64::try_from(share).ok()));
    object.json("explore", route.explore.as_ref());
    object.json("adapt", route.adapt.as_ref());
    if let Some(CanarySpec { of, share }) = &route.canary {
        object.object("canary", |inner| {
            inner.text("of", of);
            inner.maybe("share", u64::try_from(*share).ok());
        });
    }
    object.maybe_text("mode", route.mode.map(Mode::name));
    object.words("require", &route.require);
    object.maybe_text("when_full", route.when_full.map(WhenFull::name));
    object.maybe_text("when_failed", route.when_failed.map(WhenFailed::name));
    object.maybe_text("cache", route.cache.map(Caching::name));
    object.maybe("switch_cap", route.switch_cap.and_then(|cap| u64::try_from(cap).ok()));
    limits(object, route.stream);
    object.maybe_text("check", route.check.map(CheckWhen::name));
    object.some("checks", &route.checks, json);
    object.list("ladder", &route.ladder, |out, of| Object::within(out, of, rung));
}

fn rung(object: &mut Object<'_>, rung: &RungSpec) {
    object.word("rung", rung.name.as_deref().unwrap_or_default());
    object.text("model", &rung.model);
    object.maybe("threshold", rung.threshold.and_then(|threshold| u64::try_from(threshold).ok()));
    object.flag("fallback", rung.fallback);
    limits(object, rung.stream);
    facts(object, &rung.facts);
    let with = &rung.with;
    if with.is_none() {
        return;
    }
    object.object("with", |inner| {
        inner.maybe_text("effort", with.effort.map(Effort::name));
        inner.word("service_tier", with.service_tier.as_deref().unwrap_or_default());
        inner.maybe("max_output", with.max_output.map(u64::from));
        inner.maybe("temperature_thousandths", with.temperature.map(u64::from));
    });
}

fn facts(object: &mut Object<'_>, facts: &FactsSpec) {
    let FactsSpec { labels, context, max_output, max_in_flight, vision, tools } = facts;
    object.words("labels", labels);
    object.maybe("context", context.map(u64::from));
    object.maybe("max_output", max_output.map(u64::from));
    object.maybe("max_in_flight", max_in_flight.map(u64::from));
    object.told("vision", *vision);
    object.told("tools", *tools);
}

fn limits(object: &mut Object<'_>, limits: StreamLimits) {
    if limits.is_none() {
        return;
    }
    object.object("stream", |inner| {
        inner.maybe("first_byte_ms", limits.first_byte_ms.map(u64::from));
        inner.maybe("gap_ms", limits.gap_ms.map(u64::from));
        inner.maybe("tokens_per_second", limits.tokens_per_second.map(u64::from));
        inner.told("hold", limits.hold);
    });
}

fn price(out: &mut Vec<u8>, change: &PriceChange<'_>) {
    let mut object = Object::open(out);
    object.text("event", "price");
    if let Some(at) = change.row.from {
        object.text("at", &at.rfc3339());
    }
    object.text("model", &change.model);
    rates(&mut object, &change.row.standard);
    if let Some(batch) = &change.row.batch {
        object.object("batch", |inner| rates(inner, batch));
    }
    let PriceRow { tiers, meters, factors, scheduled, .. } = &change.row;
    object.table("tiers", tiers, |out, prices| Object::within(out, prices, rates));
    object.table("meters", meters, |out, price| quoted(out, &price.usd_per_token()));
    object.table("factors", factors, |out, factor| quoted(out, &as_factor(*factor)));
    object.objects("hours", scheduled, |inner, one| {
        inner.text("utc", &one.hours.utc());
        inner.maybe_text("days", one.hours.days().as_deref());
        inner.text("times", &as_factor(one.times));
    });
    object.maybe_text("source", change.row.source.as_deref());
    object.flag("simulated", change.simulated);
    object.close();
}

fn rates(object: &mut Object<'_>, rates: &Rates) {
    tier(object, &rates.base);
    object.objects("above", &rates.above, |object, (prompt, prices)| {
        object.number("prompt", *prompt);
        tier(object, prices);
    });
}

fn tier(object: &mut Object<'_>, tier: &Tier) {
    for (key, price) in tier.prices() {
        object.text(key, &price.usd_per_million());
    }
}

/// An object under construction; keys are our own and need no escaping.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Writes a whole object of something.
    fn within<T>(out: &'o mut Vec<u8>, of: &T, write: impl FnOnce(&mut Self, &T)) {
        let mut object = Self::open(out);
        write(&mut object, of);
        object.close();
    }

    /// Begins an event.
    fn event(out: &'o mut Vec<u8>, event: &str, at: Instant) -> Self {
        let mut object = Self::open(out);
        object.text("event", event);
        object.text("at", &at.rfc3339());
        object
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn raw(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(value);
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        quoted(self.out, value);
    }

    /// Writes text that may be empty; empty is left out.
    fn word(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    fn maybe_text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn json<T: serde::Serialize>(&mut self, key: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.key(key);
            json(self.out, value);
        }
    }

    /// Writes what is so; what is not is left out.
    fn flag(&mut self, key: &str, is_set: bool) {
        self.told(key, is_set.then_some(true));
    }

    fn told(&mut self, key: &str, told: Option<bool>) {
        if let Some(is_set) = told {
            self.raw(key, if is_set { b"true" } else { b"false" });
        }
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        number(self.out, value);
    }

    fn maybe(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// Writes a count unless leaving it out says the same.
    fn count(&mut self, key: &str, count: Count, absent: Count) {
        match count.get() {
            _ if count == absent => {}
            Some(tokens) => self.number(key, tokens),
            None => self.raw(key, b"null"),
        }
    }

    /// Writes an object of named things; an empty one is left out.
    fn table<T>(&mut self, key: &str, table: &BTreeMap<String, T>, mut write: impl FnMut(&mut Vec<u8>, &T)) {
        if table.is_empty() {
            return;
        }
        self.key(key);
        self.out.push(b'{');
        for (place, (name, item)) in table.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            quoted(self.out, name);
            self.out.push(b':');
            write(self.out, item);
        }
        self.out.push(b'}');
    }

    fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        Object::within(self.out, &(), |inner, ()| write(inner));
    }

    /// Writes a list of objects; an empty one is left out.
    fn objects<T>(&mut self, key: &str, items: &[T], mut write: impl FnMut(&mut Object<'_>, &T)) {
        self.some(key, items, |out, item| Object::within(out, item, &mut write));
    }

    /// Writes a list of words; an empty one is left out.
    fn words<T: AsRef<str>>(&mut self, key: &str, words: &[T]) {
        self.some(key, words, |out, word| quoted(out, word.as_ref()));
    }

    /// Writes a list; an empty one is left out.
    fn some<T>(&mut self, key: &str, items: &[T], write: impl FnMut(&mut Vec<u8>, &T)) {
        if !items.is_empty() {
            self.list(key, items, write);
        }
    }

    fn list<T>(&mut self, key: &str, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
        self.key(key);
        self.out.push(b'[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            write(self.out, item);
        }
        self.out.push(b']');
    }
}

fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    while let Some(slot) = at.checked_sub(1).and_then(|before| digits.get_mut(before)) {
        let digit = (rest % 10) as u8;
        *slot = b'0' + digit;
        at -= 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Writes text in quotes, escaping what JSON must.
fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => &[],
            _ => continue,
        };
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        from = at + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out.push(b'"');
}
