//! Values that other programs write where they have nothing to say, and what is wrong with a value in plain words.
//!
//! Invariant: only what is empty counts as "not said"; anything else that does not fit is an error.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{
    BoolDeserializer, F64Deserializer, I64Deserializer, MapAccessDeserializer, SeqAccessDeserializer,
    StrDeserializer, U64Deserializer,
};
use serde::de::{Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::by_name::{ByName, Reading};

/// An object or a list, if anything is said: `null`, empty text, `false`, and an empty list where an object is due (or the
/// other way round) say nothing, as languages write it that do not tell them apart.
pub(crate) fn maybe<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    d.deserialize_any(Anything(PhantomData))
}

struct Anything<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Anything<T> {
    type Value = Option<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut map = Reading { inner: map, has_begun: false };
        match T::deserialize(MapAccessDeserializer::new(&mut map)) {
            Err(error) if map.has_begun => Err(error),
            Err(error) => match map.inner.next_key::<IgnoredAny>()? {
                Some(_) => Err(error),
                None => Ok(None),
            },
            read => read.map(Some),
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        let mut seq = Reading { inner: seq, has_begun: false };
        match T::deserialize(ByName(SeqAccessDeserializer::new(&mut seq))) {
            Err(error) if seq.has_begun => Err(error),
            Err(error) => match seq.inner.next_element::<IgnoredAny>()? {
                Some(_) => Err(error),
                None => Ok(None),
            },
            read => read.map(Some),
        }
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let text: StrDeserializer<'_, E> = text.into_deserializer();
        T::deserialize(text).map(Some)
    }
    fn visit_bool<E: Error>(self, yes: bool) -> Result<Self::Value, E> {
        if yes { T::deserialize(BoolDeserializer::new(yes)).map(Some) } else { Ok(None) }
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Self::Value, E> {
        T::deserialize(U64Deserializer::new(n)).map(Some)
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<Self::Value, E> {
        T::deserialize(I64Deserializer::new(n)).map(Some)
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<Self::Value, E> {
        T::deserialize(F64Deserializer::new(n)).map(Some)
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Says what is wrong with a value in words that do not suppose a reader of this program: what stands there, what is due.
pub(crate) fn in_words(message: &str) -> String {
    let said = ["invalid type: ", "invalid value: "].iter().find_map(|start| message.strip_prefix(start));
    let Some((found, due)) = said.and_then(|said| said.rsplit_once(", expected ")) else {
        return match message.strip_prefix("missing field ") {
            Some(field) => format!("{field} is missing"),
            None => message.to_owned(),
        };
    };
    let is_whole = |due: &str| matches!(due.as_bytes(), [b'u' | b'i', rest @ ..] if due != "unit" && (rest == b"size" || rest.iter().all(u8::is_ascii_digit)));
    if let Some(digits) = found.strip_prefix("integer `").and_then(|rest| rest.strip_suffix('`'))
        && is_whole(due)
        && !digits.starts_with('-')
    {
        return format!("`{digits}` is too large");
    }
    let found = match found {
        "map" => "an object",
        "sequence" => "a list",
        "null" | "unit value" | "Option value" => "null",
        _ => ["string ", "integer ", "floating point ", "boolean ", "character "]
            .iter()
            .find_map(|kind| found.strip_prefix(kind))
            .unwrap_or(found),
    };
    let due = match due {
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        "a string" | "a borrowed string" | "string" | "str" => "text",
        "a boolean" => "true or false",
        "unit" => "null",
        due if is_whole(due) => "a whole number",
        due if due.starts_with("struct ") => "an object",
        due => due,
    };
    format!("{found} stands where {due} is due")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::json::{Num, read};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Inner {
        n: Num,
        #[serde(flatten)]
        rest: Rest,
    }
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Rest {
        x: Num,
    }
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Outer {
        #[serde(deserialize_with = "maybe")]
        one: Option<Inner>,
        #[serde(deserialize_with = "maybe")]
        many: Option<Vec<Num>>,
        small: Option<u32>,
        flag: Option<bool>,
    }

    #[test]
    fn what_is_empty_says_nothing_whatever_it_is_instead_of() {
        for empty in ["null", "[]", "{}", "\"\"", "\" \"", "false"] {
            let text = format!("{{\"one\":{empty},\"many\":{empty}}}");
            let outer: Outer = read(&text).unwrap();
            assert_eq!(outer.one.unwrap_or_default(), Inner::default(), "{text}");
            assert!(outer.many.unwrap_or_default().is_empty(), "{text}");
        }
        let outer: Outer = read(r#"{"one":{"n":1,"x":2},"many":[3,null]}"#).unwrap();
        assert_eq!(outer.one, Some(Inner { n: Num(Some(1)), rest: Rest { x: Num(Some(2)) } }));
        assert_eq!(outer.many, Some(vec![Num(Some(3)), Num(None)]));
    }

    #[test]
    fn what_does_not_fit_is_told_in_plain_words() {
        for (text, want) in [
            (r#"{"one":[1]}"#, "one: a list stands where an object is due (column 8)"),
            (r#"{"one":"x"}"#, "one: \"x\" stands where an object is due (column 11)"),
            (r#"{"one":7}"#, "one: `7` stands where an object is due (column 9)"),
            (r#"{"small":"x"}"#, "small: \"x\" stands where a whole number is due (column 12)"),
            (r#"{"small":99999999999}"#, "small: `99999999999` is too large (column 20)"),
            (r#"{"small":-1}"#, "small: `-1` stands where a whole number is due (column 11)"),
            (r#"{"flag":1}"#, "flag: `1` stands where true or false is due (column 9)"),
        ] {
            let told = read::<Outer>(text).unwrap_err();
            assert_eq!(told.split(" (column").next(), want.split(" (column").next(), "{text}");
        }
    }
}
