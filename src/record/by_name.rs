//! Values whose objects are read by the names of their members alone.
//!
//! Invariant: a list where an object is due is an error, at any depth; nothing else is read otherwise than without this.
//!
//! Derived readers take objects from lists, too, each member at its place. No log is written so, and the code for it was most of
//! what readers of logs compile to; what every member needs is compiled once a type besides, not once a member.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A deserializer, a visitor, a seed or a value that is read by names.
pub(crate) struct ByName<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByName<T> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(ByName(deserializer)).map(ByName)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for ByName<S> {
    type Value = S::Value;
    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(ByName(deserializer))
    }
}

macro_rules! as_without {
    ($($method:ident($($word:ident: $kind:ty),*))*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($word: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($word,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ByName<D> {
    type Error = D::Error;

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, members, Object(visitor))
    }
    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(ByName(visitor))
    }
    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_seq(ByName(visitor))
    }
    as_without! {
        deserialize_any() deserialize_bool() deserialize_char() deserialize_str() deserialize_string()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_bytes() deserialize_byte_buf() deserialize_unit()
        deserialize_map() deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(length: usize) deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for ByName<V> {
    type Value = V::Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(ByName(deserializer))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(&mut Reading { inner, has_begun: false })
    }
}

/// Visits what is an object, and nothing else.
struct Object<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(&mut Reading { inner, has_begun: false })
    }
}

/// The members of an object or a list; remembers whether anything was taken out.
pub(super) struct Reading<A> {
    pub(super) inner: A,
    pub(super) has_begun: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for &mut Reading<A> {
    type Error = A::Error;
    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.has_begun = true;
        self.inner.next_key_seed(seed)
    }
    #[inline(never)]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.inner.next_value_seed(ByName(seed))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for &mut Reading<A> {
    type Error = A::Error;
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.has_begun = true;
        self.inner.next_element_seed(ByName(seed))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::record::json::{Num, Word, read};

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Pair {
        a: Word,
        b: Num,
        more: Option<Box<Pair>>,
        list: Vec<Option<Pair>>,
    }

    #[test]
    fn members_are_read_by_name_and_never_by_their_place_at_any_depth() {
        let pair = |b| Pair { b: Num(Some(b)), ..Pair::default() };
        let text = r#"{"a":"x","b":1,"more":{"b":2},"list":[{"b":3},null]}"#;
        let whole = Pair {
            a: Word("x".into()),
            more: Some(pair(2).into()),
            list: vec![Some(pair(3)), None],
            ..pair(1)
        };
        assert_eq!(read::<Pair>(text), Ok(whole));
        for listed in [r#"["x",1,null,[]]"#, r#"{"more":["x",1,null,[]]}"#, r#"{"list":[["x",1,null,[]]]}"#] {
            let told = read::<Pair>(listed).unwrap_err();
            assert!(told.contains("a list stands where an object is due"), "{listed}: {told}");
        }
    }
}
