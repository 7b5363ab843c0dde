//! How much a model wrote, in whatever shape an answer holds it.

use crate::record::json::Plain;
use crate::record::usage::OpenAiUsage;
use crate::record::value::{FromValue, Value};

/// The bytes of the texts within a value: of itself, of a list's items, of what stands under the keys of contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written(pub(super) u64);

/// Keys under which providers put what a model wrote.
const KEYS: [&str; 8] =
    ["content", "text", "parts", "message", "arguments", "thinking", "partial_json", "reasoning_content"];

impl FromValue for Written {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        written(value, &mut None).map(Self)
    }
}

/// What a choice holds of an answer: how much was written, and the usage that some servers put there.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) written: u64,
    pub(super) usage: Option<OpenAiUsage>,
}

impl FromValue for Part {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let mut usage = None;
        let written = written(value, &mut Some(&mut usage))?;
        Ok(Self { written, usage })
    }
}

/// Adds up texts, and keeps the usage beside those of the value itself where it is asked for.
fn written(value: Value<'_>, usage: &mut Option<&mut Option<OpenAiUsage>>) -> Result<u64, String> {
    let mut sum = 0u64;
    match value.plain()? {
        Plain::Text(text) => sum = text.len() as u64,
        Plain::List { .. } => {
            for item in value.items()? {
                sum = sum.saturating_add(written(item, &mut None)?);
            }
        }
        Plain::Object => {
            for (key, value) in value.object()?.members() {
                if KEYS.contains(&key) {
                    sum = sum.saturating_add(written(value, &mut None)?);
                } else if let Some(usage) = usage.as_deref_mut().filter(|_| key == "usage") {
                    *usage = value.maybe()?;
                }
            }
        }
        _ => {}
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::value::read;

    #[test]
    fn texts_are_found_in_every_shape() {
        for (text, want) in [
            (r#""héllo""#, 6),
            (r#"{"role":"assistant","content":"hello"}"#, 5),
            (r#"[{"type":"text","text":"one"},{"type":"tool_use","id":"t1","input":{"text":1}}]"#, 3),
            (r#"{"parts":[{"text":"hi"},null,7,true,1.5,{"inlineData":{"data":"xxxx"}}]}"#, 2),
            (r#"[{"type":"message","content":[{"type":"output_text","text":"a\"b"}]}]"#, 3),
            ("null", 0),
        ] {
            assert_eq!(read::<Written>(text).unwrap(), Written(want), "{text}");
        }
    }
}
