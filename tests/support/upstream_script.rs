//! What a faulty model API is told to do with a request: the answer it would give, and where it goes wrong on the way.
//!
//! A reply is sound unless told otherwise, and every reply has token counts of its own, so that no two charges are
//! mistaken for each other.

use std::time::Duration;

use serde_json::Value;

/// Whose API a request was written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    /// `POST …/chat/completions`
    Chat,
    /// `POST …/responses`
    Responses,
    /// `POST …/embeddings`
    Embeddings,
    /// `POST …/messages`
    Anthropic,
    /// `POST …/models/M:generateContent` and `:streamGenerateContent`
    Gemini,
    /// Anything else, answered with 404 unless the reply has a body of its own.
    Strange,
}

/// A request as the script sees it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its place among all requests, from 0.
    pub(crate) number: usize,
    /// The path with its query.
    pub(crate) path: String,
    /// Whose API it was written for.
    pub(crate) dialect: Dialect,
    /// The model that was asked for.
    pub(crate) model: String,
    /// Whether a stream was asked for.
    pub(crate) stream: bool,
    /// Whether a chat stream's usage was asked for; other dialects always give it.
    pub(crate) wants_usage: bool,
    /// The body; null where it is no JSON.
    pub(crate) body: Value,
}

impl Call {
    /// Says whether Mistral is asked, whose chat differs a little from OpenAI's.
    pub(crate) fn is_mistral(&self) -> bool {
        self.dialect == Dialect::Chat && self.model.starts_with("mistral")
    }
}

/// Tokens in disjoint buckets, as the upstream really counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Tokens {
    /// Prompt tokens at the full price.
    pub(crate) input: u64,
    /// Prompt tokens read from cache.
    pub(crate) cache_read: u64,
    /// Prompt tokens written to a cache of five minutes (Anthropic alone reports them).
    pub(crate) write_5m: u64,
    /// Answer tokens, reasoning included.
    pub(crate) output: u64,
    /// The part of `output` spent on reasoning.
    pub(crate) reasoning: u64,
}

impl Tokens {
    /// Returns the counts of the request with this number; no two are alike.
    pub(crate) fn of(number: usize) -> Self {
        let n = number as u64;
        Self {
            input: 1_000 + 7 * n,
            cache_read: 64 * (n % 5),
            write_5m: 32 * (n % 3),
            output: 50 + 3 * n,
            reasoning: n % 4,
        }
    }
}

/// How the usage block is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Report {
    /// As it was.
    #[default]
    Exact,
    /// No block at all.
    Missing,
    /// `"usage": null`
    Null,
    /// A block of zeros, which is not the same as none.
    Zeros,
    /// The prompt alone.
    HalfMissing,
    /// Counts below zero.
    Negative,
    /// More tokens than any request can have.
    Huge,
    /// More cached tokens than the prompt has, in dialects whose prompt includes them.
    CachedOverPrompt,
    /// Words where numbers belong.
    Words,
}

impl Report {
    /// Every form, for tests that try all of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Exact,
        Self::Missing,
        Self::Null,
        Self::Zeros,
        Self::HalfMissing,
        Self::Negative,
        Self::Huge,
        Self::CachedOverPrompt,
        Self::Words,
    ];
}

/// How the body's length is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Framing {
    /// `Content-Length` for whole answers, chunks for streams.
    #[default]
    Usual,
    /// Chunks, and trailers behind the last one.
    Trailers,
    /// Neither: the body ends with the connection.
    UntilClose,
    /// A length greater than what follows, then the end of the connection.
    TooLong,
    /// A length less than what follows.
    TooShort,
}

/// In which pieces bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Pace {
    /// One write a frame.
    #[default]
    Frames,
    /// Everything at once.
    Whole,
    /// So many bytes a write, which cuts characters, lines and events apart.
    Bytes(usize),
    /// One byte at a time with a pause between; for time limits alone.
    Drip(Duration),
}

/// Where on the way something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Before the status line.
    BeforeHeaders,
    /// Between headers and body.
    AfterHeaders,
    /// After so many frames of the body. A whole answer is cut into a few, too.
    Frame(usize),
    /// Before the frame with the final usage.
    BeforeUsage,
    /// After the usage, before what ends the stream.
    BeforeEnd,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is reset.
    Reset,
    /// The connection is closed in the middle of things.
    Close,
    /// Nothing more comes until the peer leaves or the test releases it.
    Stall,
    /// The body ends here, properly framed.
    End,
    /// These bytes come in between; then it goes on.
    Splice(Vec<u8>),
    /// This many bytes without a line end; then it goes on.
    GiantLine(usize),
    /// Bytes without end, until the peer leaves.
    Flood,
    /// Header lines (or body bytes) without end, one byte at a time, until the peer leaves.
    Loris(Duration),
}

/// How a refusal says when to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    /// `retry-after-ms`
    Millis(u64),
    /// `retry-after` in seconds, possibly with a fraction.
    Seconds(String),
    /// `retry-after` as a date.
    Date(String),
}

impl RetryAfter {
    /// Returns the header line.
    pub(crate) fn header(&self) -> (String, String) {
        match self {
            Self::Millis(millis) => ("retry-after-ms".to_owned(), millis.to_string()),
            Self::Seconds(text) | Self::Date(text) => ("retry-after".to_owned(), text.clone()),
        }
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The status; anything but 200 carries the dialect's error body.
    pub(crate) status: u16,
    /// Interim answers that come first.
    pub(crate) interim: Vec<u16>,
    /// Further headers.
    pub(crate) headers: Vec<(String, String)>,
    /// The answer's text in the pieces a stream brings it in.
    pub(crate) pieces: Vec<String>,
    /// Arguments of a call to the first tool offered; a request without tools, or with a tool's result, gets text.
    pub(crate) tool_arguments: Option<String>,
    /// The tokens that are counted; those of the request's number where absent.
    pub(crate) tokens: Option<Tokens>,
    /// How they are told.
    pub(crate) report: Report,
    /// How the body's length is told.
    pub(crate) framing: Framing,
    /// In which pieces bytes are written.
    pub(crate) pace: Pace,
    /// What goes wrong, and where.
    pub(crate) fault: Option<(At, Fault)>,
    /// The body in place of the one the dialect asks for.
    pub(crate) body: Option<Vec<u8>>,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 200,
            interim: Vec::new(),
            headers: Vec::new(),
            pieces: ["Grüße", " aus ", "東京", " — ", "👍🏽", " done."].map(str::to_owned).to_vec(),
            tool_arguments: Some(r#"{"city":"Zürich"}"#.to_owned()),
            tokens: None,
            report: Report::Exact,
            framing: Framing::Usual,
            pace: Pace::Frames,
            fault: None,
            body: None,
        }
    }
}

impl Reply {
    /// Returns a sound answer of this text.
    pub(crate) fn text(text: &str) -> Self {
        Self { pieces: vec![text.to_owned()], ..Self::default() }
    }

    /// Returns a refusal.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Returns a sound answer of this body.
    pub(crate) fn json(body: &Value) -> Self {
        Self { body: Some(body.to_string().into_bytes()), ..Self::default() }
    }

    /// Returns an answer that goes wrong on the way.
    pub(crate) fn fault(at: At, fault: Fault) -> Self {
        Self { fault: Some((at, fault)), ..Self::default() }
    }

    /// Returns a sound answer whose usage is told in this way.
    pub(crate) fn report(report: Report) -> Self {
        Self { report, ..Self::default() }
    }

    /// Writes it in these pieces.
    #[must_use]
    pub(crate) fn paced(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Tells its length in this way.
    #[must_use]
    pub(crate) fn framed(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says when to come back.
    #[must_use]
    pub(crate) fn retry_after(mut self, when: &RetryAfter) -> Self {
        self.headers.push(when.header());
        self
    }

    /// Returns the whole text.
    pub(crate) fn whole_text(&self) -> String {
        self.pieces.concat()
    }
}
