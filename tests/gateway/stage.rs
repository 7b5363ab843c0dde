//! What the tests of faults share: requests in every dialect, what a client must see, and the law that joins the ledger
//! to what the upstream served.

use serde_json::{Value, json};

use std::time::Instant;

use crate::client::{Answer, Ask};
use crate::front::{Front, Row};
use crate::upstream::{Dialect, End, PATIENCE, Served, Tokens, Told};

/// Models whose list prices name every bucket, in pico-dollars a token: prompt, cached, written, answer.
const PRICES: &[(&str, [i128; 4])] = &[
    ("gpt-4.1", [2_000_000, 500_000, 0, 8_000_000]),
    ("gpt-4.1-nano", [100_000, 25_000, 0, 400_000]),
    ("claude-opus-4-6", [5_000_000, 500_000, 6_250_000, 25_000_000]),
    ("gemini-2.5-flash", [300_000, 30_000, 0, 2_500_000]),
    ("mistral-small-2503", [100_000, 0, 0, 300_000]),
];

/// One model of each dialect.
pub(crate) const MODELS: [&str; 4] = ["gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash", "mistral-small-2503"];

/// Returns what tokens cost.
pub(crate) fn price(model: &str, tokens: Tokens) -> i128 {
    let (_, [input, cached, written, output]) =
        PRICES.iter().find(|(name, _)| *name == model).unwrap_or_else(|| panic!("{model} has no price here"));
    let of = |tokens: u64, price: &i128| i128::from(tokens) * price;
    of(tokens.input, input)
        + of(tokens.cache_read, cached)
        + of(tokens.write_5m, written)
        + of(tokens.output, output)
}

/// Asks in OpenAI's chat dialect.
pub(crate) fn chat(model: &str, stream: bool) -> Ask {
    let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "What is due, and when?"}]});
    Ask::post("/v1/chat/completions", &body)
}

/// Asks in Anthropic's dialect.
pub(crate) fn messages(model: &str, stream: bool) -> Ask {
    let body = json!({"model": model, "stream": stream, "max_tokens": 100,
        "messages": [{"role": "user", "content": "What is due, and when?"}]});
    Ask::post("/v1/messages", &body)
}

/// The dialects that clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Chat,
    Messages,
}

impl Speaks {
    pub(crate) const ALL: [Self; 2] = [Self::Chat, Self::Messages];

    pub(crate) fn ask(self, model: &str, stream: bool) -> Ask {
        match self {
            Self::Chat => chat(model, stream),
            Self::Messages => messages(model, stream),
        }
    }

    /// Holds an error to the shape that the client's package expects.
    pub(crate) fn error(self, body: &Value) {
        let error = &body["error"];
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "no message in {body}");
        assert!(error["type"].as_str().is_some_and(|text| !text.is_empty()), "no type in {body}");
        if self == Self::Messages {
            assert_eq!(body["type"], "error", "{body}");
        }
    }
}

/// What a client must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    /// The whole answer.
    Whole,
    /// An error of one of these statuses, before anything of an answer.
    Refusal(&'static [u16]),
    /// A part of the answer, then an error event, and no sign of an end.
    Broken,
}

/// Any trouble of a provider's.
pub(crate) const TROUBLE: &[u16] = &[500, 502, 503, 504, 529];

/// Holds an answer to what the client must see.
pub(crate) fn hold(what: &str, speaks: Speaks, stream: bool, sees: Sees, answer: &Answer, text: &str) {
    assert!(answer.sound, "{what}: the gateway's own answer broke off");
    assert!(answer.header("pointsman-operation").is_some(), "{what}: no operation id");
    match sees {
        Sees::Whole => {
            assert_eq!(answer.status(), 200, "{what}: {}", answer.text());
            assert_eq!(answer.said(), text, "{what}");
            if stream {
                assert!(ends_well(answer), "{what}: the stream has no end: {}", answer.text());
            }
        }
        Sees::Refusal(statuses) => {
            assert!(statuses.contains(&answer.status()), "{what}: {} {}", answer.status(), answer.text());
            speaks.error(&answer.json());
        }
        Sees::Broken => {
            assert_eq!(answer.status(), 200, "{what}: {}", answer.text());
            let chunks = answer.chunks();
            let error = chunks.iter().find(|chunk| chunk.get("error").is_some());
            speaks.error(error.unwrap_or_else(|| panic!("{what}: no error event in {}", answer.text())));
            let said: String = answer.said();
            assert!(text.starts_with(&said) && !said.is_empty(), "{what}: {said:?}");
            assert!(!ends_well(answer), "{what}: a broken stream looks whole: {}", answer.text());
        }
    }
}

/// Says whether a stream has what marks its end.
pub(crate) fn ends_well(answer: &Answer) -> bool {
    let text = answer.text();
    text.contains("data: [DONE]") || text.contains("message_stop")
}

/// Returns what of the tokens a dialect of an upstream can tell.
fn as_charged(row: &Row) -> Tokens {
    Tokens {
        input: row.input.unwrap_or(u64::MAX),
        cache_read: row.cache_read.unwrap_or(0),
        write_5m: row.write_5m.unwrap_or(0),
        output: row.output.unwrap_or(u64::MAX),
        reasoning: 0,
    }
}

/// Holds one attempt in the ledger to what the upstream served: what was told is charged to the token; what was not is
/// estimated or unknown, never silently nothing; what was refused costs nothing.
pub(crate) fn lawful(row: &Row, served: &Served) {
    let what = format!("\n{row:#?}\n{served:#?}");
    let refused = served.status.is_some_and(|status| status >= 300);
    match served.told {
        // Nobody saw what it came to, and it is not taken for nothing.
        Told::Counts(_) if row.kind == "unknown" && may_be_lost(served) => {}
        Told::Counts(tokens) if row.kind == "estimated" && may_be_lost(served) => {
            let nothing = tokens == Tokens::default();
            assert!(row.amount.is_some_and(|amount| nothing || amount > 0), "{what}");
        }
        // Zeros beside words are not believed.
        Told::Counts(tokens) if tokens == Tokens::default() && !served.text.is_empty() => {
            assert!(row.kind == "estimated" && row.amount.is_some_and(|amount| amount > 0), "{what}");
        }
        Told::Counts(tokens) => {
            let tokens = Tokens { reasoning: 0, ..tokens };
            // Behind a break something might have been revised; the counts stand, as an estimate.
            let may_doubt = served.end != Some(End::Whole);
            let known = row.kind == "known" && !row.estimated;
            assert!(known || (may_doubt && row.kind == "estimated"), "{what}");
            assert_eq!(as_charged(row), tokens, "{what}");
            assert_eq!(row.amount, Some(price(&row.model, tokens)), "{what}");
        }
        _ if refused => assert_eq!((row.kind.as_str(), row.amount), ("known", Some(0)), "{what}"),
        _ => {
            assert!(matches!(row.kind.as_str(), "estimated" | "unknown"), "{what}");
            assert!(row.kind == "unknown" || row.amount.is_some_and(|amount| amount > 0), "{what}");
        }
    }
    assert!(
        row.status != "ok" || (served.finished && served.status == Some(200)),
        "counted as a success: {what}"
    );
    assert!(
        served.call.dialect != Dialect::Strange,
        "the gateway asked for a path that is not there: {what}"
    );
}

/// Says whether usage that was sent need not have been understood: nonsense stood before it, a reset threw it away, or
/// the end of a whole answer never came.
fn may_be_lost(served: &Served) -> bool {
    served.spliced || served.reset || (!served.call.stream && served.end == Some(End::Broken))
}

/// Returns the lines of `/metrics` whose name begins like this, as labels and value.
pub(crate) fn metrics(front: &Front<'_>, name: &str) -> Vec<(String, String)> {
    let answer = Ask::get("/metrics").header("connection", "close").send(front.address());
    assert_eq!(answer.status(), 200);
    let text = answer.text();
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(what, value)| (what.to_owned(), value.to_owned()))
        .collect()
}

/// Waits until the gateway says that no request is in flight and no call is under way: whatever went wrong, every place
/// and every permit has been given back.
pub(crate) fn nothing_held(front: &Front<'_>) {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut held = metrics(front, "pointsman_requests_in_flight");
        assert_eq!(held.len(), 1, "the gateway does not say what is in flight");
        held.extend(metrics(front, "pointsman_provider_in_flight"));
        held.retain(|(_, value)| value != "0");
        if held.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "never given back: {held:?}");
        std::thread::yield_now();
    }
}

/// Holds the whole ledger to all that was served, in order.
pub(crate) fn all_lawful(rows: &[Row], served: &[Served]) {
    let made: Vec<&Row> =
        rows.iter().filter(|row| !row.status.is_empty() && row.status != "unavailable").collect();
    let Some(pairs) = paired(&made, served) else {
        panic!("attempts and requests served differ: {made:#?}\n{served:#?}");
    };
    for (row, served) in pairs {
        lawful(row, served);
    }
}

/// Returns each attempt what was served for it. A request on a used connection that broke before a byte of an answer came is
/// sent again and stands in no ledger.
fn paired<'t>(rows: &[&'t Row], served: &'t [Served]) -> Option<Vec<(&'t Row, &'t Served)>> {
    let Some((first, rest)) = served.split_first() else { return rows.is_empty().then(Vec::new) };
    let matched = rows.split_first().filter(|(row, _)| fits(row, first)).and_then(|(row, others)| {
        let mut pairs = paired(others, rest)?;
        pairs.insert(0, (row, first));
        Some(pairs)
    });
    let may_be_sent_again = first.reset || first.status.is_none();
    matched.or_else(|| may_be_sent_again.then(|| paired(rows, rest)).flatten())
}

/// Says whether an attempt may have been this call, by its model and how they ended.
fn fits(row: &Row, served: &Served) -> bool {
    let code = row.error.split(':').next().and_then(|code| code.parse::<u16>().ok());
    let is_answer = served.status == Some(200);
    row.model == served.call.model
        && (row.status != "ok" || (served.finished && is_answer))
        && code == served.status.filter(|_| !is_answer && code.is_some())
        && (is_answer || served.status.is_none() || code.is_some())
}
