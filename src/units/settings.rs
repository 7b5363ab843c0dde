//! Settings written in TOML, read into the structures that hold them.
//!
//! Invariant: one deserializer and one kind of access for tables, places and dates alike, so each structure of settings is
//! compiled once; with the parser's own it is four times, and settings were a tenth of the program.

use std::fmt;
use std::ops::Range;
use std::vec;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeFloat, DeString, DeTable, DeValue};

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
    root(text)?.read(std::marker::PhantomData)
}

fn root(text: &str) -> Result<Node<'_>, Fault> {
    let table = DeTable::parse(text).map_err(|error| Fault::from(&error))?;
    Ok(Node { span: table.span(), value: Value::of_table(table.into_inner()) })
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

/// A value as structures take it: what is generic over them has as little to tell apart as can be.
enum Value<'i> {
    Text(DeString<'i>),
    Yes(bool),
    Signed(i64),
    Unsigned(u64),
    Real(DeFloat<'i>),
    /// A whole number that does not fit.
    TooLarge,
    List(Items<'i>),
    Table(Members<'i>),
}

/// Returns a number with a fraction, where it fits.
fn real(written: &DeFloat<'_>) -> Option<f64> {
    let number: f64 = written.as_str().parse().ok()?;
    (number.is_finite() || number.is_nan() || written.as_str().contains("inf")).then_some(number)
}

/// The members of a table, or of what stands for a place or a date.
struct Members<'i> {
    rest: vec::IntoIter<(Node<'i>, Node<'i>)>,
    value: Option<Box<Node<'i>>>,
}

struct Items<'i>(vec::IntoIter<Spanned<DeValue<'i>>>);

impl<'i> Value<'i> {
    fn of(written: DeValue<'i>, span: &Range<usize>) -> Self {
        match written {
            DeValue::String(text) => Self::Text(text),
            DeValue::Boolean(yes) => Self::Yes(yes),
            DeValue::Integer(number) => {
                let (digits, radix) = (number.as_str(), number.radix());
                let signed = i64::from_str_radix(digits, radix).map(Self::Signed);
                let number = signed.or_else(|_| u64::from_str_radix(digits, radix).map(Self::Unsigned));
                number.unwrap_or(Self::TooLarge)
            }
            DeValue::Float(number) => Self::Real(number),
            DeValue::Datetime(at) => Self::Table(Members::of_date(at.to_string(), span.clone())),
            DeValue::Array(items) => Self::List(Items(items.into_iter())),
            DeValue::Table(table) => Self::of_table(table),
        }
    }

    fn of_table(table: DeTable<'i>) -> Self {
        let member = |(key, value): (Spanned<DeString<'i>>, _)| {
            let span = key.span();
            (Node { span, value: Self::Text(key.into_inner()) }, Node::written(value))
        };
        Self::Table(Members::of(table.into_iter().map(member).collect()))
    }

    /// Says what stands there where something else is due.
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Text(text) => Unexpected::Str(text),
            Self::Yes(yes) => Unexpected::Bool(*yes),
            Self::Signed(number) => Unexpected::Signed(*number),
            Self::Unsigned(number) => Unexpected::Unsigned(*number),
            Self::Real(number) => real(number).map_or(Unexpected::Other("number"), Unexpected::Float),
            Self::TooLarge => Unexpected::Other("integer"),
            Self::List(_) => Unexpected::Seq,
            Self::Table(_) => Unexpected::Map,
        }
    }
}

impl<'i> Node<'i> {
    fn written(value: Spanned<DeValue<'i>>) -> Self {
        let span = value.span();
        Self { value: Value::of(value.into_inner(), &span), span }
    }

    fn text(text: impl Into<DeString<'i>>, span: Range<usize>) -> Self {
        Self { span, value: Value::Text(text.into()) }
    }

    /// Reads it, and says of what is wrong where it stands.
    fn read<S: DeserializeSeed<'i>>(self, seed: S) -> Result<S::Value, Fault> {
        let span = self.span.clone();
        seed.deserialize(self).map_err(|fault| fault.within(span))
    }

    /// Returns the value with its place, as [`Spanned`] takes it.
    fn with_its_place(self) -> Members<'i> {
        let span = self.span.clone();
        let offset = |at: usize| Node { span: span.clone(), value: Value::Unsigned(at as u64) };
        let values = [offset(span.start), offset(span.end), self];
        Members::of(
            PLACED_MEMBERS.into_iter().map(|name| Node::text(name, span.clone())).zip(values).collect(),
        )
    }

    /// Returns the members of a structure.
    fn members(self, name: &str, due: &dyn Expected) -> Result<Members<'i>, Fault> {
        match self.value {
            _ if name == PLACED => Ok(self.with_its_place()),
            Value::Table(members) => Ok(members),
            // Members by their place in a list are nobody's settings.
            value => Err(Fault::invalid_type(value.unexpected(), due)),
        }
    }

    /// Returns one of several.
    fn variant(self) -> Result<Variant<'i>, Fault> {
        match self.value {
            Value::Text(text) => Ok(Variant { name: Node::text(text, self.span), value: None }),
            // A date is no table to whoever wrote it.
            Value::Table(mut members) if !members.is_date() => {
                match (members.rest.next(), members.rest.next()) {
                    (Some((name, value)), None) => Ok(Variant { name, value: Some(value) }),
                    _ => Err(Fault::custom("wanted exactly 1 element")),
                }
            }
            _ => Err(Fault::custom("wanted string or table")),
        }
    }
}

impl<'i> Members<'i> {
    fn of(members: Vec<(Node<'i>, Node<'i>)>) -> Self {
        Self { rest: members.into_iter(), value: None }
    }

    fn of_date(text: String, span: Range<usize>) -> Self {
        Self::of(vec![(Node::text(DATE, span.clone()), Node::text(text, span))])
    }

    fn is_date(&self) -> bool {
        let first = self.rest.as_slice().first();
        first.is_some_and(|(key, _)| matches!(&key.value, Value::Text(text) if text.as_ref() == DATE))
    }
}

// Kept out of line: settings are read once, and each member of each structure would hold a copy of this.
impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Fault;

    #[inline(never)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Text(DeString::Owned(text)) => visitor.visit_string(text),
            Value::Text(DeString::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Value::Yes(yes) => visitor.visit_bool(yes),
            Value::Signed(number) => visitor.visit_i64(number),
            Value::Unsigned(number) => visitor.visit_u64(number),
            Value::Real(number) => match real(&number) {
                Some(number) => visitor.visit_f64(number),
                None => Err(Fault::custom("floating-point number overflowed")),
            },
            Value::TooLarge => Err(Fault::invalid_type(Unexpected::Other("integer"), &visitor)),
            Value::List(items) => visitor.visit_seq(items),
            Value::Table(members) => visitor.visit_map(members),
        }
    }

    /// Reads the name of a member or of a variant.
    #[inline(never)]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Text(text) => visitor.visit_str(&text),
            value => Err(Fault::invalid_type(value.unexpected(), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    #[inline(never)]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let members = self.members(name, &visitor)?;
        visitor.visit_map(members)
    }

    #[inline(never)]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.variant()?)
    }

    forward_to_deserialize_any! {
        bool u8 u16 u32 u64 i8 i16 i32 i64 i128 u128 f32 f64 char str string seq bytes byte_buf map unit
        ignored_any unit_struct tuple_struct tuple
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(Box::new(value));
        key.read(seed).map(Some)
    }

    #[inline(never)]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.value.take() {
            Some(value) => value.read(seed),
            None => Err(Fault::custom("a value before its key")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    #[inline(never)]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|item| Node::written(item).read(seed)).transpose()
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
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), Fault> {
        Ok((self.name.read(seed)?, Content(self.value)))
    }
}

/// What a variant holds.
struct Content<'i>(Option<Node<'i>>);

impl<'i> Content<'i> {
    /// Returns it where something is due.
    fn due(self, due: &'static str) -> Result<Node<'i>, Fault> {
        self.0.ok_or_else(|| Fault::invalid_type(Unexpected::UnitVariant, &due))
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.0 {
            None => Ok(()),
            Some(Node { value: Value::Table(members), .. }) if members.rest.len() == 0 => Ok(()),
            Some(node) => {
                let due: &'static str = "the name alone";
                Err(Fault::invalid_type(node.value.unexpected(), &due).within(node.span))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.due("a value")?.read(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Fault> {
        let node = self.due("a list")?;
        let span = node.span.clone();
        node.deserialize_any(visitor).map_err(|fault| fault.within(span))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let node = self.due("a table")?;
        let span = node.span.clone();
        node.deserialize_struct("", members, visitor).map_err(|fault| fault.within(span))
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
