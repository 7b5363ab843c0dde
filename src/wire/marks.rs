//! Marks for providers' prompt caches in requests whose clients set none.
//!
//! Invariants: a request that has any mark of its own stays as it is; everything else stays byte for byte.

use bytes::Bytes;
use memchr::memmem;

use super::json::{Value, quoted, spliced};

const MARK: &str = r#""cache_control":{"type":"ephemeral"}"#;

/// Marks a request to Anthropic: behind what the system says (behind the tools where it says nothing), which other conversations
/// begin with, too, and at the end, which Anthropic finds by itself. Nothing where the request has a mark already.
pub fn marked(body: &Bytes) -> Option<Bytes> {
    // Within a text its quotes would be escaped.
    if memmem::find(body, br#""cache_control""#).is_some() {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let root = Value::of(text.trim());
    let before_end = |value: Value<'_>| value.span_in(body).end.checked_sub(1);
    let system = root.get("system");
    let end = before_end(root).filter(|_| is_block(root))?;
    let mut spans = Vec::new();
    let is_said = |said: &Value<'_>| said.text().is_some_and(|said| !said.trim().is_empty());
    if let Some(said) = system.filter(is_said) {
        let span = said.span_in(body);
        spans.push((span.start..span.start, r#"[{"type":"text","text":"#.to_owned()));
        spans.push((span.end..span.end, format!(",{MARK}}}]")));
    } else {
        let block = last_block(system).or_else(|| last_block(root.get("tools")));
        spans.extend(block.and_then(before_end).map(|inner| (inner..inner, format!(",{MARK}"))));
    }
    // Last, where what the system says stands last.
    spans.push((end..end, format!(",{MARK}")));
    Some(spliced(body, spans).into())
}

/// Says whether a value is an object that holds something: a mark goes behind a comma.
fn is_block(value: Value<'_>) -> bool {
    value.members().next().is_some()
}

fn last_block(list: Option<Value<'_>>) -> Option<Value<'_>> {
    list?.items().last().filter(|last| is_block(*last))
}

/// Adds the key by which OpenAI brings requests of one session to one place; nothing where the request has one.
pub fn keyed(body: &Bytes, key: &str) -> Option<Bytes> {
    if memmem::find(body, br#""prompt_cache_key""#).is_some() {
        return None;
    }
    let root = Value::of(std::str::from_utf8(body).ok()?.trim());
    root.members().next()?;
    let end = root.span_in(body).end.checked_sub(1)?;
    let added = format!(r#","prompt_cache_key":{}"#, quoted(key));
    Some(spliced(body, vec![(end..end, added)]).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn read(body: &Bytes) -> Json {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn what_others_begin_with_and_the_end_are_marked() {
        let mark = json!({"type":"ephemeral"});
        let block = json!([{"type":"text","text":"Be\n\"brief\"","cache_control":mark}]);
        let tools = json!([{"name":"a","input_schema":{}},{"name":"b","input_schema":{}}]);
        let marked_tools =
            json!([{"name":"a","input_schema":{}},{"name":"b","input_schema":{},"cache_control":mark}]);
        for (before, after) in [
            (json!({"system":"Be\n\"brief\"","tools":tools}), json!({"system":block,"tools":tools})),
            (json!({"system":[{"type":"text","text":"Be\n\"brief\""}]}), json!({"system":block})),
            (json!({"messages":[],"system":"Be\n\"brief\""}), json!({"messages":[],"system":block})),
            (json!({"tools":tools}), json!({"tools":marked_tools})),
            (json!({"system":"  ","tools":tools}), json!({"system":"  ","tools":marked_tools})),
            (json!({"system":[],"tools":[]}), json!({"system":[],"tools":[]})),
            (json!({"system":null,"tools":[{}]}), json!({"system":null,"tools":[{}]})),
            (
                json!({"messages":[{"role":"user","content":"\"cache_control\""}]}),
                json!({"messages":[{"role":"user","content":"\"cache_control\""}]}),
            ),
        ] {
            let mut want = after;
            want["cache_control"] = mark.clone();
            for text in [before.to_string(), format!(" {before}\n")] {
                assert_eq!(read(&marked(&text.into()).unwrap()), want);
            }
        }
    }

    #[test]
    fn a_clients_own_marks_stay_alone() {
        for body in [
            r#"{"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":null}]}]}"#,
            r#"{"cache_control":{"type":"ephemeral","ttl":"1h"},"messages":[]}"#,
            "{}",
            "[]",
            "",
        ] {
            assert_eq!(marked(&Bytes::from_static(body.as_bytes())), None, "{body}");
        }
        assert_eq!(keyed(&Bytes::from_static(br#"{"prompt_cache_key":"mine"}"#), "k"), None);
        assert_eq!(keyed(&Bytes::from_static(b"{}"), "k"), None);
        let added = keyed(&Bytes::from_static(b"{\"model\":\"m\"} "), "a\"b").unwrap();
        assert_eq!(read(&added), json!({"model":"m","prompt_cache_key":"a\"b"}));
    }
}
