//! Chat as Mistral speaks it: the same words, but strict. Mistral refuses a request that holds a member it does not know,
//! and ids of calls that are not nine letters or digits.
//!
//! So a chat request is put together anew: values stay as they were written; members whose absence changes nothing are
//! left out, two have another name, and ids become a digest of themselves. What Mistral cannot do stays in, and Mistral
//! says so.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::read_request::{LEFT_OUT, is_inert};
use crate::wire::json::{Array, Object, Value, object};

/// The members of a message that Mistral knows.
const MESSAGE: [&str; 5] = ["content", "name", "prefix", "role", "tool_call_id"];

/// Writes a client's chat request for Mistral.
pub(in crate::wire) fn write(root: Value<'_>, model: &str, limit: Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(root.raw().len() + 64);
    object(&mut out, |o| {
        o.text("model", model);
        for (key, value) in root.members() {
            let is_limit = matches!(&*key, "max_tokens" | "max_completion_tokens");
            if value.is_null()
                || is_limit
                || key == "user"
                || LEFT_OUT.contains(&&*key)
                || is_inert(&key, value)
            {
                continue;
            }
            match &*key {
                "messages" => o.array("messages", |a| {
                    for said in value.items() {
                        a.object(|o| message(o, said));
                    }
                }),
                "seed" => o.raw("random_seed", value.raw()),
                key => o.raw(key, value.raw()),
            }
        }
        if let Some(limit) = limit {
            o.number("max_tokens", limit);
        }
    });
    out
}

fn message(o: &mut Object<'_>, message: Value<'_>) {
    for (key, value) in message.members() {
        match &*key {
            _ if value.is_null() && key != "content" => {}
            "role" if value.text().as_deref() == Some("developer") => o.text("role", "system"),
            "tool_call_id" => o.text("tool_call_id", &short_id(&value.text().unwrap_or_default())),
            "content" if value.is_array() => {
                o.array("content", |a| {
                    for part in value.items() {
                        write_part(a, part);
                    }
                });
            }
            "tool_calls" => o.array("tool_calls", |a| {
                for called in value.items() {
                    a.object(|o| call(o, called));
                }
            }),
            key if MESSAGE.contains(&key) => o.raw(key, value.raw()),
            _ => {}
        }
    }
}

fn write_part(a: &mut Array<'_>, part: Value<'_>) {
    a.object(|o| {
        for (key, value) in part.members().filter(|(key, _)| key != "cache_control") {
            o.raw(&key, value.raw());
        }
    });
}

fn call(o: &mut Object<'_>, call: Value<'_>) {
    for (key, value) in call.members() {
        match &*key {
            "id" => o.text("id", &short_id(&value.text().unwrap_or_default())),
            key => o.raw(key, value.raw()),
        }
    }
}

/// Gives an id that Mistral takes: the same for the same id, so that results find their calls.
pub(in crate::wire) fn short_id(id: &str) -> Cow<'_, str> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    let digest = Sha256::digest(id.as_bytes());
    let digit =
        |byte: &u8| DIGITS.get(usize::from(*byte) % DIGITS.len()).map_or('0', |digit| char::from(*digit));
    Cow::Owned(digest.iter().take(9).map(digit).collect())
}
