//! What the parts of a prompt weigh in the estimate of its tokens, in bytes of text: most of them their own size, but
//! pictures, documents, sound and escaped text something else.

use crate::wire::halves;
use crate::wire::json::Value;

/// What a picture weighs.
const PICTURE: u64 = 4 * 1024;
/// What a page of a document weighs: its text, and the picture that models are given of it.
const PAGE: u64 = 8 * 1000;
/// So many characters of base64 are taken to be a page: documents of text are about that, scanned ones larger.
const PAGE_SIZE: u64 = 50 * 1024;
/// Longer documents are not taken by anybody.
const MOST_PAGES: u64 = 600;
/// So many characters of base64 of sound are taken to be a token: between what is packed and what is not.
const SOUND: u64 = 1024;
/// So many may be one where it is packed: 32 tokens a second at 2 kbit/s, which is silence as a rule.
const PACKED: u64 = 8;
/// Likewise of a film: 290 tokens a second of a still picture.
const FILM: u64 = 2;

/// The tokens that a provider's own words on the use of tools may come to, once any are offered: Anthropic's are 264 to 530.
/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing>
pub(super) const TOOL_USE: u64 = 530;
/// Likewise of a tool that the provider defines: of Anthropic's, the screen's has 735 and 499 more in the system prompt.
const OWN_TOOL: u64 = 1_500;

/// Returns how many tokens a tool may have besides its own bytes, by its kind.
pub(super) fn of_tool(kind: Option<&str>) -> u64 {
    if matches!(kind, None | Some("function" | "custom" | "namespace")) { 0 } else { OWN_TOOL }
}

/// A part that weighs something else than its bytes.
#[derive(Default)]
pub(super) struct Weight {
    pub(super) bytes: u64,
    /// Whether it takes a model that looks at pictures; films do as well.
    pub(super) is_picture: bool,
    /// Whether it does not come along, so that it may be of any length.
    pub(super) is_elsewhere: bool,
    /// The most tokens that it may have.
    pub(super) most: u64,
}

/// Returns what a part of a message weighs; nothing where its bytes are right.
pub(super) fn of_part(part: Value<'_>) -> Option<Weight> {
    let document = |size: Option<u64>| {
        let bytes = pages(size.unwrap_or(0));
        Some(Weight { bytes, is_elsewhere: size.is_none(), ..Weight::default() })
    };
    // A file by its id or address lies elsewhere, whatever stands beside that.
    let file = |holder: Option<Value<'_>>| {
        let is_said = |name: &str| holder.and_then(|holder| holder.get(name)).is_some();
        let is_elsewhere = is_said("file_id") || is_said("file_url");
        document(inline(holder.and_then(|holder| holder.get("file_data"))).filter(|_| !is_elsewhere))
    };
    match &*part.text_of("type")? {
        "image" | "image_url" | "input_image" | "computer_screenshot" => {
            Some(Weight { bytes: PICTURE, is_picture: true, ..Weight::default() })
        }
        "video_url" | "input_video" => {
            let address = part.get("video_url").and_then(|film| film.text_or("url"));
            let is_elsewhere = !address.is_some_and(|address| address.starts_with("data:"));
            Some(Weight { bytes: bytes(part), is_picture: true, is_elsewhere, most: 0 })
        }
        "document" => {
            let source = part.get("source")?;
            match &*source.text_of("type")? {
                "base64" => document(Some(source.get("data")?.raw().len() as u64)),
                "url" | "file" => document(None),
                // Plain text, or parts of its own.
                _ => None,
            }
        }
        "file" => file(part.get("file")),
        "input_file" => file(Some(part)),
        "document_url" => document(inline(part.get("document_url"))),
        "input_audio" => {
            let sound = part.get("input_audio")?;
            let form = sound.text_of("format").unwrap_or_default();
            let said = if sound.is_text() { Some(sound) } else { Some(sound.get("data")?) };
            heard(&format!("audio/{form}"), inline(said))
        }
        "audio_url" => {
            let sound = part.get("audio_url")?;
            let said = if sound.is_text() { Some(sound) } else { sound.get("url") };
            heard("audio/", inline(said))
        }
        _ => None,
    }
}

/// Returns the size of what comes along; nothing where an address stands in its place, or nothing does.
fn inline(said: Option<Value<'_>>) -> Option<u64> {
    let said = said?;
    let begin = said.raw().get(..24).unwrap_or(said.raw());
    (said.raw().len() > 2 && said.is_text() && !begin.contains("://") && !begin.contains(r":\/\/"))
        .then(|| said.raw().len() as u64)
}

/// Returns what sound weighs that comes as so many characters; of what does not come nobody knows how long it is.
fn heard(kind: &str, size: Option<u64>) -> Option<Weight> {
    match size {
        Some(size) => of_media(kind, size),
        None => Some(Weight { is_elsewhere: true, ..Weight::default() }),
    }
}

/// Returns what inline data of a media type weighs that comes as so many characters of base64; nothing where its bytes are
/// right.
pub(super) fn of_media(kind: &str, size: u64) -> Option<Weight> {
    match kind.split('/').next()? {
        "image" => Some(Weight { bytes: PICTURE, is_picture: true, ..Weight::default() }),
        top @ ("audio" | "video") => {
            let is_plain = ["wav", "pcm", "l16"].iter().any(|form| kind.to_ascii_lowercase().contains(form));
            let most = match top {
                "video" => size / FILM,
                _ if is_plain => 0,
                _ => size / PACKED,
            };
            Some(Weight { bytes: size / SOUND * 4, is_picture: top == "video", most, ..Weight::default() })
        }
        _ if kind == "application/pdf" => Some(Weight { bytes: pages(size), ..Weight::default() }),
        _ => None,
    }
}

/// Returns what a document weighs that comes as so many characters of base64; one that does not come along is a page at
/// least.
fn pages(size: u64) -> u64 {
    size.div_ceil(PAGE_SIZE).clamp(1, MOST_PAGES) * PAGE
}

/// Returns the bytes of a value, with characters that are written as `\uXXXX` counted as what they stand for.
pub(super) fn bytes(value: Value<'_>) -> u64 {
    let raw = value.raw();
    let saved = halves::places(raw).map(|at| match halves::unit(raw, at) {
        Some(0..0x80) => 5,
        // Half of a pair stands for half of four bytes.
        Some(0x80..0x800 | 0xd800..0xe000) => 4,
        _ => 3,
    });
    let saved: u64 = saved.sum();
    (raw.len() as u64).saturating_sub(saved)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn escaped_text_weighs_what_it_stands_for() {
        for text in
            ["plain", "Grüße aus Zürich", "東京に行きたい", "👍🏽 ok", "a\\u4e00 is no code", "\u{1}\u{7f}"]
        {
            let plain = serde_json::to_string(text).unwrap();
            let mut escaped = String::new();
            for c in plain.chars() {
                if c.is_ascii() {
                    escaped.push(c);
                } else {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(escaped, "\\u{unit:04x}");
                    }
                }
            }
            assert_eq!(bytes(Value::of(&escaped)), bytes(Value::of(&plain)), "{escaped}");
        }
        assert_eq!(bytes(Value::of(r#""\\\u0041""#)), 5);
        assert_eq!(bytes(Value::of(r#""\\u0041""#)), 9);
    }

    #[test]
    fn documents_weigh_by_the_page_in_every_dialect() {
        let data = "A".repeat(200_000);
        for part in [
            format!(
                r#"{{"type":"document","source":{{"type":"base64","media_type":"application/pdf","data":"{data}"}}}}"#
            ),
            format!(
                r#"{{"type":"file","file":{{"filename":"a.pdf","file_data":"data:application/pdf;base64,{data}"}}}}"#
            ),
            format!(r#"{{"type":"input_file","filename":"a.pdf","file_data":"{data}"}}"#),
        ] {
            assert_eq!(of_part(Value::of(&part)).unwrap().bytes, 4 * PAGE, "{}", &part[..40]);
        }
        let text = format!(r#"{{"type":"document","source":{{"type":"text","data":"{data}"}}}}"#);
        assert!(of_part(Value::of(&text)).is_none());
        let sound = format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}","format":"mp3"}}}}"#);
        assert_eq!(of_part(Value::of(&sound)).unwrap().bytes, 195 * 4);
    }
}
