//! What came of one request, and the little that is read of its answer: the end of a stream and the cost told there.
//!
//! The answer's text is counted, never kept.

use std::time::Duration;

use crate::units::Pico;

/// The header (and the comment at a stream's end) that tells the cost in dollars.
pub(super) const COST_HEADER: &str = "pointsman-cost-usd";
/// Only the beginning of a line is looked at; what is sought is short.
const LINE: usize = 256;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// With an HTTP status and a whole body.
    Status(u16),
    /// Without; in a few words.
    Failed(&'static str),
}

impl Ending {
    /// Nobody listens at the address.
    pub const UNREACHABLE: Self = Self::Failed("no connection");

    /// Says whether an answer was served.
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Status(200..=299))
    }

    /// Says whether no model can have been called: nothing was sent, or it was turned away at the door.
    pub fn is_free(self) -> bool {
        self == Self::UNREACHABLE || matches!(self, Self::Status(401 | 403 | 404 | 405 | 413))
    }

    /// Names it: `200`, `no connection`.
    pub fn name(self) -> String {
        match self {
            Self::Status(status) => status.to_string(),
            Self::Failed(why) => why.to_owned(),
        }
    }
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub ending: Ending,
    /// The model that served, where told.
    pub model: Option<String>,
    /// What it cost, where told.
    pub cost: Option<Pico>,
    /// Whether the gateway says that it was synthetic.
    pub simulated: bool,
    /// From sending to the last byte.
    pub latency: Duration,
    /// From sending to the first byte of the body.
    pub first_byte: Option<Duration>,
}

impl Answer {
    /// Stands for an answer of which nothing is known.
    pub(super) fn failed() -> Self {
        Self {
            ending: Ending::Failed("lost"),
            model: None,
            cost: None,
            simulated: false,
            latency: Duration::ZERO,
            first_byte: None,
        }
    }
}

/// Reads a stream of server-sent events as far as it concerns us: whether it ended whole, and what it cost.
#[derive(Debug, Default)]
pub(super) struct StreamEnd {
    line: Vec<u8>,
    /// What the last comment said of the cost.
    pub(super) cost: Option<Pico>,
    /// Whether `[DONE]` came.
    pub(super) done: bool,
    /// Whether an error came within the stream.
    pub(super) failed: bool,
}

impl StreamEnd {
    /// Takes the next bytes, however they are cut.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                _ if self.line.len() < LINE => self.line.push(byte),
                _ => {}
            }
        }
    }

    /// Takes what came as a line; at the end what stands after the last line end, too.
    pub(super) fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if let Some(comment) = line.strip_prefix(b":") {
            let text = std::str::from_utf8(comment).unwrap_or_default().trim();
            if let Some(cost) = text.strip_prefix(COST_HEADER) {
                self.cost = read_cost(cost.trim_start_matches([':', ' ', '=']));
            }
        } else if let Some(data) = line.strip_prefix(b"data:") {
            let data = data.trim_ascii();
            self.done |= data == b"[DONE]";
            self.failed |= data.starts_with(b"{\"error\"");
        }
        // The buffer goes back for the next line.
        self.line = line;
        self.line.clear();
    }
}

/// Reads a cost as told; a negative one is as good as none.
pub(super) fn read_cost(text: &str) -> Option<Pico> {
    Pico::from_usd(text.trim()).ok().filter(|cost| cost.0 >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Größe 🚂\"}}]}\r\n\r\n: keep-alive\r\n\r\ndata: [DONE]\r\n\r\n: pointsman-cost-usd 0.000123\r\n";

    proptest! {
        #[test]
        fn a_stream_is_understood_however_it_is_cut(cuts in proptest::collection::vec(1usize..20, 1..100)) {
            let mut end = StreamEnd::default();
            let mut rest = STREAM.as_bytes();
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                end.feed(now);
                rest = later;
            }
            end.end_line();
            prop_assert!(end.done && !end.failed);
            prop_assert_eq!(end.cost, Some(Pico(123_000_000)));
        }

        #[test]
        fn nothing_in_a_stream_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut end = StreamEnd::default();
            end.feed(&bytes);
            end.end_line();
            prop_assert!(end.line.len() <= LINE);
        }
    }

    #[test]
    fn a_cost_that_is_none_stays_unknown() {
        for bad in ["", "-1", "unknown", "1e999", "0x1"] {
            assert_eq!(read_cost(bad), None, "{bad}");
        }
        assert_eq!(read_cost(" 0 "), Some(Pico::ZERO));
        let mut end = StreamEnd::default();
        end.feed(b"data: {\"error\":{\"message\":\"overloaded\"}}\n\n: pointsman-cost-usd");
        end.end_line();
        assert!(end.failed && !end.done && end.cost.is_none());
    }
}
