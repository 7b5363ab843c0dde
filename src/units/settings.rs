//! Settings written in TOML, read into the structures that hold them.
//!
//! Invariant: one deserializer and one kind of access for tables, places and dates alike, so each structure of settings is
//! compiled once; with the parser's own it is four times, and settings were a tenth of the program.

use std::fmt;
use std::ops::Range;
use std::vec;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeString, DeTable, DeValue};

/// What [`Spanned`] and the dates of `toml` call themselves and their members; a test holds it.
const PLACED: &str = "$__serde_spanned_private_Spanned";
const PLACED_MEMBERS: [&str; 3] =
    ["$__serde_spanned_private_start", "$__serde_spanned_private_end", "$__serde_spanned_private_value"];
const DATE: &str = "$__toml_private_datetime";

/// Reads settings.
///
/// # Errors
/// Where the text is no TOML, or not of the shape that is due.
pub fn from_toml<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Fault> {
    let table = DeTable::parse(text).map_err(|error| Fault::from(&error))?;
    let span = table.span();
    T::deserialize(Node { span, value: Value::Written(DeValue::Table(table.into_inner())) })
}

/// What is wrong in a TOML text, and where.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) message: String,
    pub(super) span: Option<Range<usize>>,
}

impl Fault {
    /// Says where it is, unless that was said nearer to it.
    #[cold]
    fn within(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl From<&toml::de::Error> for Fault {
    fn from(error: &toml::de::Error) -> Self {
        Self { message: error.message().to_owned(), span: error.span() }
    }
}

impl From<&Self> for Fault {
    fn from(fault: &Self) -> Self {
        fault.clone()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), span: None }
    }
}

/// A value, or a key, and where it stands.
struct Node<'i> {
    span: Range<usize>,
    value: Value<'i>,
}

enum Value<'i> {
    Written(DeValue<'i>),
    Offset(usize),
}

/// The members of a table, or of what stands for a place or a date.
struct Members<'i> {
    rest: vec::IntoIter<(Node<'i>, Node<'i>)>,
    value: Option<Node<'i>>,
}

struct Items<'i>(vec::IntoIter<Spanned<DeValue<'i>>>);

impl<'i> Node<'i> {
    fn written(value: Spanned<DeValue<'i>>) -> Self {
        Self { span: value.span(), value: Value::Written(value.into_inner()) }
    }
    fn text(text: impl Into<DeString<'i>>, span: Range<usize>) -> Self {
        Self { span, value: Value::Written(DeValue::String(text.into())) }
    }

    /// Returns the value with its place, as [`Spanned`] takes it.
    fn with_its_place(self) -> Members<'i> {
        let span = self.span.clone();
        let offset = |at| Node { span: span.clone(), value: Value::Offset(at) };
        let values = [offset(span.start), offset(span.end), self];
        Members::of(
            PLACED_MEMBERS.into_iter().map(|name| Node::text(name, span.clone())).zip(values).collect(),
        )
    }
}

impl<'i> Members<'i> {
    fn of(members: Vec<(Node<'i>, Node<'i>)>) -> Self {
        Self { rest: members.into_iter(), value: None }
    }
    fn of_table(table: DeTable<'i>) -> Self {
        let member = |(key, value): (Spanned<DeString<'i>>, _)| {
            let span = key.span();
            (Node::text(key.into_inner(), span), Node::written(value))
        };
        Self::of(table.into_iter().map(member).collect())
    }
    fn of_date(text: String, span: Range<usize>) -> Self {
        Self::of(vec![(Node::text(DATE, span.clone()), Node::text(text, span))])
    }
}

// Kept out of line: settings are read once, and each member of each structure would hold a copy of this.
impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Fault;

    #[inline(never)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { span, value } = self;
        let read = match value {
            Value::Offset(at) => visitor.visit_u64(at as u64),
            Value::Written(DeValue::String(DeString::Owned(text))) => visitor.visit_string(text),
            Value::Written(DeValue::String(DeString::Borrowed(text))) => visitor.visit_borrowed_str(text),
            Value::Written(DeValue::Boolean(yes)) => visitor.visit_bool(yes),
            Value::Written(DeValue::Integer(written)) => match whole(&written) {
                Some(Whole::Signed(number)) => visitor.visit_i64(number),
                Some(Whole::Unsigned(number)) => visitor.visit_u64(number),
                None => Err(Fault::invalid_type(Unexpected::Other("integer"), &visitor)),
            },
            Value::Written(DeValue::Float(written)) => match real(&written) {
                Some(number) => visitor.visit_f64(number),
                None => Err(Fault::custom("floating-point number overflowed")),
            },
            Value::Written(DeValue::Datetime(at)) => {
                visitor.visit_map(Members::of_date(at.to_string(), span.clone()))
            }
            Value::Written(DeValue::Array(items)) => visitor.visit_seq(Items(items.into_iter())),
            Value::Written(DeValue::Table(table)) => visitor.visit_map(Members::of_table(table)),
        };
        read.map_err(|fault| fault.within(span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let span = self.span.clone();
        visitor.visit_some(self).map_err(|fault| fault.within(span))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let span = self.span.clone();
        visitor.visit_newtype_struct(self).map_err(|fault| fault.within(span))
    }

    #[inline(never)]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let span = self.span.clone();
        let read = match self.value {
            _ if name == PLACED => visitor.visit_map(self.with_its_place()),
            Value::Written(DeValue::Table(table)) => visitor.visit_map(Members::of_table(table)),
            Value::Written(DeValue::Datetime(at)) => {
                visitor.visit_map(Members::of_date(at.to_string(), span.clone()))
            }
            // Members by their place in a list are nobody's settings.
            value => Err(Fault::invalid_type(unexpected(&value), &visitor)),
        };
        read.map_err(|fault| fault.within(span))
    }

    #[inline(never)]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let span = self.span.clone();
        let read = match self.value {
            Value::Written(DeValue::String(text)) => {
                visitor.visit_enum(Variant { name: Node::text(text, span.clone()), value: None })
            }
            Value::Written(DeValue::Table(table)) => {
                let mut members = Members::of_table(table).rest;
                match (members.next(), members.next()) {
                    (Some((name, value)), None) => visitor.visit_enum(Variant { name, value: Some(value) }),
                    _ => Err(Fault::custom("wanted exactly 1 element")),
                }
            }
            _ => Err(Fault::custom("wanted string or table")),
        };
        read.map_err(|fault| fault.within(span))
    }

    forward_to_deserialize_any! {
        bool u8 u16 u32 u64 i8 i16 i32 i64 i128 u128 f32 f64 char str string seq bytes byte_buf map unit
        ignored_any unit_struct tuple_struct tuple identifier
    }
}

enum Whole {
    Signed(i64),
    Unsigned(u64),
}

fn whole(written: &DeInteger<'_>) -> Option<Whole> {
    let (digits, radix) = (written.as_str(), written.radix());
    let signed = i64::from_str_radix(digits, radix).map(Whole::Signed);
    signed.or_else(|_| u64::from_str_radix(digits, radix).map(Whole::Unsigned)).ok()
}

fn real(written: &DeFloat<'_>) -> Option<f64> {
    let number: f64 = written.as_str().parse().ok()?;
    (number.is_finite() || number.is_nan() || written.as_str().contains("inf")).then_some(number)
}

/// Says what stands there where a table is due.
fn unexpected<'v>(value: &'v Value<'_>) -> Unexpected<'v> {
    match value {
        Value::Offset(at) => Unexpected::Unsigned(*at as u64),
        Value::Written(DeValue::String(text)) => Unexpected::Str(text),
        Value::Written(DeValue::Integer(written)) => match whole(written) {
            Some(Whole::Signed(number)) => Unexpected::Signed(number),
            Some(Whole::Unsigned(number)) => Unexpected::Unsigned(number),
            None => Unexpected::Other("integer"),
        },
        Value::Written(DeValue::Float(written)) => {
            real(written).map_or(Unexpected::Other("floating point"), Unexpected::Float)
        }
        Value::Written(DeValue::Boolean(yes)) => Unexpected::Bool(*yes),
        Value::Written(DeValue::Array(_)) => Unexpected::Seq,
        Value::Written(DeValue::Datetime(_) | DeValue::Table(_)) => Unexpected::Map,
    }
}

impl<'de> IntoDeserializer<'de, Fault> for Node<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        let span = key.span.clone();
        seed.deserialize(key).map(Some).map_err(|fault| fault.within(span))
    }

    #[inline(never)]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(value) = self.value.take() else { return Err(Fault::custom("a value before its key")) };
        let span = value.span.clone();
        seed.deserialize(value).map_err(|fault| fault.within(span))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    #[inline(never)]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|item| seed.deserialize(Node::written(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// One of several: its name alone, or with what it holds.
struct Variant<'i> {
    name: Node<'i>,
    value: Option<Node<'i>>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(mut self, seed: V) -> Result<(V::Value, Self), Fault> {
        let span = self.name.span.clone();
        let name = std::mem::replace(&mut self.name, Node { span: span.clone(), value: Value::Offset(0) });
        let read = seed.deserialize(name).map_err(|fault| fault.within(span))?;
        Ok((read, self))
    }
}

impl Variant<'_> {
    /// Says that the variant holds something else than is due.
    fn unfit<T>(&self, due: &'static str) -> Result<T, Fault> {
        match &self.value {
            Some(node) => Err(Fault::invalid_type(unexpected(&node.value), &due).within(node.span.clone())),
            None => Err(Fault::invalid_type(Unexpected::UnitVariant, &due)),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match &self.value {
            None => Ok(()),
            Some(Node { value: Value::Written(DeValue::Table(table)), .. }) if table.is_empty() => Ok(()),
            Some(_) => self.unfit("the name alone"),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, Fault> {
        match self.value.take() {
            Some(value) => seed.deserialize(value),
            None => self.unfit("a value"),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, _length: usize, visitor: V) -> Result<V::Value, Fault> {
        match self.value.take() {
            Some(value) => value.deserialize_any(visitor),
            None => self.unfit("a list"),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value.take() {
            Some(value) => value.deserialize_struct("", members, visitor),
            None => self.unfit("a table"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    struct File<'a> {
        #[serde(borrow)]
        name: Spanned<&'a str>,
        until: Spanned<toml::Value>,
        #[serde(default)]
        kinds: Vec<Kind>,
        #[serde(default)]
        limit: BTreeMap<Spanned<String>, Spanned<u64>>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
        Times(f64),
        Both { from: i64, to: i64 },
    }

    #[test]
    fn places_dates_and_variants_are_read_as_the_parser_reads_them() {
        let text = "name = 'a'\nuntil = 2026-11-29T10:00:00Z\nkinds = ['plain', { times = 1.5 }, { both = { from = -1, to = 0xff } }]\n[limit]\nday = 18446744073709551615\n";
        let (ours, theirs): (File<'_>, File<'_>) = (from_toml(text).unwrap(), toml::from_str(text).unwrap());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        assert!(matches!(ours.until.get_ref(), toml::Value::Datetime(_)), "{ours:?}");
        assert_eq!(ours.kinds, [Kind::Plain, Kind::Times(1.5), Kind::Both { from: -1, to: 255 }]);
        assert_eq!((ours.name.span(), *ours.name.get_ref()), (7..10, "a"));
        assert_eq!(ours.limit.values().next().map(|day| *day.get_ref()), Some(u64::MAX));
    }

    #[test]
    fn what_does_not_fit_is_told_at_its_place() {
        let begins = "name = 'a'\nuntil = 1\n";
        for (rest, at) in [
            ("kinds = ['none']", "'none'"),
            ("kinds = [{ plain = 1 }]", "1 }"),
            ("kinds = [3]", "3]"),
            ("limit = { day = -1 }", "-1"),
            ("limit = { day = 2026-01-01 }", "2026"),
            ("limit = { day = 99999999999999999999999 }", "999"),
            ("limit = [1]", "[1]"),
            ("more = 1", "more"),
        ] {
            let text = format!("{begins}{rest}\n");
            let fault = from_toml::<File<'_>>(&text).unwrap_err();
            let span = fault.span.clone().unwrap_or_default();
            assert!(
                text.get(span.start..).unwrap_or_default().starts_with(at),
                "{rest}: {fault} at {span:?}"
            );
        }
    }
}
