//! Ids of calls, and names of end users, that a server of the client's own dialect does not take: they go as a digest of themselves.
//!
//! Invariant: the same id is sent the same whenever it comes, so that results find their calls; what is taken stays as it came.

use bytes::Bytes;
use memchr::memmem;

use super::edits::{Edits, apply};
use crate::wire::Dialect;
use crate::wire::calls;
use crate::wire::json::{Value, quoted};
use crate::wire::messages::opaque;

/// The longest id of a call that OpenAI's responses take.
const LONGEST_OF_RESPONSES: usize = 64;

/// Returns the body with shorter ids of calls where they are longer than OpenAI takes, as those of other servers may be.
pub(super) fn shortened(body: Bytes, to: Dialect) -> Bytes {
    let (mark, list, most): (&[u8], _, _) = match to {
        Dialect::OpenAiChat => (b"\"tool_call_id\"", "messages", calls::LONGEST_ID),
        Dialect::OpenAiResponses => (b"\"call_id\"", "input", LONGEST_OF_RESPONSES),
        _ => return body,
    };
    if memmem::find(&body, mark).is_none() {
        return body;
    }
    let Ok(root) = std::str::from_utf8(&body).map(Value::of) else { return body };
    let mut spans = Vec::new();
    let mut look = |id: Option<Value<'_>>| {
        if let Some((id, said)) = id.and_then(|id| Some((id, id.text()?)))
            && said.chars().count() > most
        {
            spans.push((id.span_in(&body), quoted(&calls::short_id(&said)).into_bytes()));
        }
    };
    for turn in root.list(list) {
        if to == Dialect::OpenAiResponses {
            look(turn.get("call_id"));
            continue;
        }
        look(turn.get("tool_call_id"));
        turn.list("tool_calls").for_each(|call| look(call.get("id")));
    }
    apply(&body, spans)
}

/// Names the end user by a word that every server of Anthropic's dialect takes: Claude Code writes an object there.
pub(super) fn name_user(edits: &mut Edits<'_>) {
    const SHORTEST: usize = 6;
    const LONGEST: usize = 128;
    let Some(user) = edits.at("metadata.user_id") else { return };
    let Some(said) = user.text() else { return };
    let word = opaque(&said, SHORTEST..=LONGEST);
    if *word != *said {
        edits.replace(user.span_in(&edits.ask.body), quoted(&word));
    }
}
