//! What usage blocks tell besides tokens: the service tier, what else is billed, and counts that nobody here knows.
//!
//! Invariants: nothing here refuses a block; a key that is not known and counts something becomes a meter of its own name,
//! so that the cost is not taken for known, unless a word of it says that it measures what nobody bills.

use super::Plainly;
use crate::pricing::{ShortName, Terms};
use crate::record::cursor::Cursor;
use crate::record::json::{Num, Plain};
use crate::record::value::{FromValue, Value};

/// A word that a provider says of an answer, like its service tier; anything else is no word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(ShortName);

impl Said {
    /// Takes a word.
    pub(crate) fn new(word: &str) -> Self {
        Self(ShortName::new(word.trim()))
    }

    /// Returns the word; empty for none.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Takes over a later word, where one is said.
    pub(crate) fn absorb(&mut self, then: Self) {
        if !then.as_str().is_empty() {
            *self = then;
        }
    }
}

impl FromValue for Said {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        Ok(match value.plain()? {
            Plain::Text(word) => Self::new(&word),
            _ => Self::default(),
        })
    }
}

/// What is free, and looked at no further.
#[derive(Clone, Copy, Debug, Default)]
struct Free;

impl FromValue for Free {
    fn from_value(_: Value<'_>) -> Result<Self, String> {
        Ok(Self)
    }
}

impl Plainly for Free {}

impl Free {
    fn absorb(&mut self, then: Self) {
        *self = then;
    }
}

block! {
    /// Tools that a provider ran itself and bills by the call.
    pub(crate) struct ServerTools {
        web_search_requests | "web_search_calls": Num,
        /// Free but for the tokens that it brings.
        web_fetch_requests: Free,
        /// Likewise.
        tool_search_requests: Free,
    }
    fn absorb;
}

impl ServerTools {
    /// Takes the number of searches as it is told elsewhere.
    pub(crate) fn searched(&mut self, searches: Num) {
        self.web_search_requests.absorb(searches);
    }

    /// Returns the number of searches.
    pub(crate) fn searches(&self) -> Num {
        self.web_search_requests
    }

    pub(crate) fn tell(&self, terms: &mut Terms) {
        terms.meter("web_search", self.web_search_requests.or_zero());
        self.unlisted.tell(terms);
    }
}

/// Adds where an answer was made to its terms, in the words of the provider.
pub(crate) fn place(said: Said, terms: &mut Terms) {
    let word = said.as_str().to_ascii_lowercase();
    if !matches!(word.as_str(), "" | "global" | "default" | "not_available" | "null" | "none") {
        terms.meter(&format!("region:{word}"), 1);
    }
}

/// What a block says besides what is known: the first two counts of keys that nobody here knows by name, and whether a known
/// one could not be read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unlisted([(ShortName, u64); 2], bool);

impl Unlisted {
    fn add(&mut self, name: ShortName, count: u64) {
        if count == 0 {
            return;
        }
        let slot = self.0.iter_mut().find(|(known, there)| *known == name || *there == 0);
        if let Some(slot) = slot {
            *slot = (name, slot.1.max(count));
        }
    }

    /// Takes the value of a member of a block.
    pub(super) fn read(&mut self, key: &str, value: Value<'_>) -> Result<(), String> {
        // What counts nothing is no meter, and most that blocks tell besides is known.
        let raw = value.raw();
        let is_known =
            matches!(raw, "0" | "null") || (!raw.starts_with(['{', '[']) && HARMLESS.contains(&key));
        if !is_known {
            self.take(key, &Quantity::from_value(value)?, "", true);
        }
        Ok(())
    }

    /// Takes the value of a member of a block that is read plainly.
    pub(super) fn read_plainly(&mut self, key: &str, cursor: &mut Cursor<'_>) -> Option<()> {
        self.read(key, Value::of(cursor.value()?)).ok()
    }

    /// Takes note that a known count could not be read.
    pub(crate) fn doubt(&mut self) {
        self.1 = true;
    }

    /// Says whether one could not.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.1
    }

    pub(crate) fn absorb(&mut self, then: Self) {
        self.1 |= then.1;
        then.0.into_iter().for_each(|(name, count)| self.add(name, count));
    }

    pub(crate) fn tell(&self, terms: &mut Terms) {
        self.0.iter().filter(|told| told.1 > 0).for_each(|(name, count)| terms.meter(name.as_str(), *count));
    }
}

/// Words of names that measure what is not billed, and whatever stands under them.
const MEASURED: [&str; 30] = [
    "cost",
    "costs",
    "price",
    "prices",
    "usd",
    "discount",
    "latency",
    "rate",
    "rates",
    "ratio",
    "limit",
    "limits",
    "remaining",
    "reset",
    "quota",
    "throughput",
    "speed",
    "per",
    "ms",
    "percent",
    "score",
    "version",
    "id",
    "index",
    "created",
    "timestamp",
    "max",
    "budget",
    "temperature",
    "seed",
];
/// Words of names that measure how long an answer took, unless they tell how long the sound or film is that it took or made.
const TIMES: [&str; 7] = ["time", "times", "timing", "timings", "duration", "durations", "elapsed"];
/// Words of what is billed by its length.
const MEDIA: [&str; 8] = ["audio", "video", "speech", "voice", "music", "sound", "media", "session"];
/// Names of counts that are in the buckets already, or free.
const HARMLESS: [&str; 22] = [
    "text_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
    "cache_deleted_input_tokens",
    "request_count",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "total_token_count",
    "total_prompt_tokens",
    "total_completion_tokens",
    "total_input_tokens",
    "total_output_tokens",
    "total",
    "approximate_total",
    "context_tokens",
    "video_tokens",
    "document_tokens",
    "prompt_eval_count",
    "eval_count",
];
/// Names that say nothing without the one around them.
const BARE: [&str; 9] = ["count", "calls", "number", "quantity", "amount", "used", "requests", "units", "n"];

/// Writes a key as words in lower case: `videoTokenCount` and `VIDEO_TOKEN_COUNT` are one name.
fn snake(key: &str) -> String {
    let mut word = String::with_capacity(key.len() + 4);
    let mut was_small = false;
    for c in key.chars() {
        if c.is_ascii_uppercase() && was_small {
            word.push('_');
        }
        was_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        word.push(c.to_ascii_lowercase());
    }
    word
}

fn has_word(name: &str, wanted: &[&str]) -> bool {
    name.split(|c: char| !c.is_alphanumeric()).any(|word| wanted.contains(&word))
}

/// Words of what is charged besides tokens.
const COSTS: [&str; 6] = ["cost", "costs", "usd", "price", "fee", "fees"];
const FEES: [&str; 8] = ["search", "searches", "web", "tool", "tools", "plugin", "plugins", "fetch"];

/// Says whether a name in lower case is that of an amount which was charged for something besides tokens.
fn is_fee(name: &str, around: &str) -> bool {
    has_word(name, &FEES) && (has_word(name, &COSTS) || has_word(around, &COSTS))
}

/// Says whether a name in lower case measures what is not billed, by its whole words.
fn is_measure(name: &str) -> bool {
    let has = |wanted: &[&str]| has_word(name, wanted);
    name.contains('/') || has(&MEASURED) || (has(&TIMES) && !has(&MEDIA))
}

/// Says whether a key names a count that is in the buckets already or free, or measures what is not billed.
pub(crate) fn is_known_key(key: &str) -> bool {
    let name = snake(key);
    HARMLESS.contains(&name.as_str()) || is_measure(&name)
}

/// A quantity, also as text, and the quantities within an object or a list; anything else counts nothing.
#[derive(Default)]
struct Quantity {
    count: u64,
    /// The items of a list have no names.
    within: Vec<(String, Quantity)>,
}

impl FromValue for Quantity {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        // A part of a unit is something billed all the same.
        let count = match value.plain()? {
            Plain::Whole(count) => count,
            Plain::Real(count) => u64::from(count > 0.0),
            Plain::Text(text) => {
                let part = || u64::from(text.trim().parse().is_ok_and(|part: f64| part > 0.0));
                text.trim().parse().unwrap_or_else(|_| part())
            }
            Plain::Object => {
                let object = value.object()?;
                let within =
                    object.members().map(|(key, part)| Ok((key.to_owned(), Self::from_value(part)?)));
                return Ok(Self { count: 0, within: within.collect::<Result<_, String>>()? });
            }
            Plain::List { .. } => {
                let items = value.items()?.into_iter();
                let within = items.map(|part| Ok((String::new(), Self::from_value(part)?)));
                return Ok(Self { count: 0, within: within.collect::<Result<_, String>>()? });
            }
            Plain::Null | Plain::Truth(_) | Plain::Negative(_) => 0,
        };
        Ok(Self { count, within: Vec::new() })
    }
}

impl Unlisted {
    /// Takes a quantity under its key. `around` is the name of what it stands in, `is_told` whether counts that go by the
    /// usual names are those of the block itself.
    fn take(&mut self, key: &str, quantity: &Quantity, around: &str, is_told: bool) {
        let name = if key.is_empty() { around.to_owned() } else { snake(key) };
        if is_fee(&name, around) {
            // Never the name of what is counted: an amount tells no number of searches.
            let fee = if has_word(&name, &COSTS) { name } else { format!("{name}_cost") };
            return self.add(ShortName::new(&fee), u64::from(quantity.count > 0));
        }
        if has_word(&name, &COSTS) {
            let fees = quantity.within.iter().filter(|(key, _)| is_fee(&snake(key), &name));
            fees.for_each(|(key, part)| self.take(key, part, &name, is_told));
        }
        if is_measure(&name) || (key.is_empty() && quantity.count == 0 && quantity.within.is_empty()) {
            return;
        }
        let is_bare = BARE.contains(&name.as_str()) && !around.is_empty();
        let is_part = around.contains("detail") && matches!(name.as_str(), "tokens" | "token_count");
        if !(is_told && (is_part || HARMLESS.contains(&name.as_str()))) {
            self.add(ShortName::new(if is_bare { around } else { &name }), quantity.count);
        }
        let is_told = is_told && (key.is_empty() || name.contains("detail") || name == "tokens");
        let within = if is_bare { around } else { &name };
        quantity.within.iter().for_each(|(key, part)| self.take(key, part, within, is_told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::value::read;

    #[test]
    fn only_what_may_be_billed_is_a_meter() {
        let found = |text: &str| {
            let mut terms = Terms::NONE;
            read::<ServerTools>(text).unwrap().tell(&mut terms);
            terms.meters().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
        };
        for (text, want) in [
            (r#"{"num_search_queries":4}"#, "num_search_queries=4"),
            (r#"{"num_search_queries":"4"}"#, "num_search_queries=4"),
            (
                r#"{"videoTokenCount":12,"b":{"pages_read":3,"x":[true]}}"#,
                "video_token_count=12 pages_read=3",
            ),
            (r#"{"SERVER_SIDE_SEARCH":3}"#, "server_side_search=3"),
            (r#"{"generated_images":3,"total_images":2}"#, "generated_images=3 total_images=2"),
            (
                r#"{"video_duration_seconds":8,"runtime_sessions":2}"#,
                "video_duration_seconds=8 runtime_sessions=2",
            ),
            (r#"{"realtime_tokens":800,"widgets":4}"#, "realtime_tokens=800 widgets=4"),
            (r#"{"server_tools":[{"type":"web_search","count":3}]}"#, "server_tools=3"),
            (r#"{"plugins":{"search":{"count":1,"strategy":"turbo"}}}"#, "search=1"),
            (
                r#"{"advisor_usage":{"input_tokens":5000,"output_tokens":3000}}"#,
                "input_tokens=5000 output_tokens=3000",
            ),
            (r#"{"prompt_audio_seconds":2.5}"#, "prompt_audio_seconds=1"),
            (r#"{"prompt_audio_seconds":{},"num_sources_used":0,"web_pages":null,"images":"no"}"#, ""),
            (r#"{"cost":0.1,"queue_time":0.2,"total_time":1,"tokens_per_second":80,"is_byok":true}"#, ""),
            (r#"{"cost_details":{"upstream":3,"input":0.1},"text_tokens":7,"total_duration":9}"#, ""),
            (r#"{"cost_details":{"web_search":0.02,"upstream":3}}"#, "web_search_cost=1"),
            (r#"{"cost":{"tool_usage_cost":0.02,"total_cost":1}}"#, "tool_usage_cost=1"),
            (r#"{"web_search_cost":0,"cost":{"web":0}}"#, ""),
            (r#"{"request_cost":3,"rejected_prediction_tokens":9,"search_context_size":"low"}"#, ""),
            (r#"{"tokens":{"input_tokens":5,"output_tokens":7},"response_token/s":41.2}"#, ""),
            (r#"{"x_details":[{"input_tokens":7,"total_tokens":9}]}"#, ""),
            (r#"{"thoughtsTokensDetails":[{"modality":"TEXT","tokenCount":5}]}"#, ""),
        ] {
            assert_eq!(found(text), want, "{text}");
        }
    }
}
