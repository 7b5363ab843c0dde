//! Values of `providers.toml` that are read by hand.
//!
//! Invariant: a key that stands there by mistake is not repeated in an error.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::spec::KeySource;

/// Where a key is. Read by hand, so that a key that stands there by mistake is not repeated in the error.
#[derive(Clone)]
pub(super) struct Key(pub(super) KeySource);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        const WHERE: &str = "say where the key is: { env = \"NAME\" }, { file = \"path\" }, \
                             { keyring = \"service/account\" }, { command = [\"pass\", \"show\", \"x\"] } or \
                             { profile = \"name\" } of AWS";
        impl<'de> Visitor<'de> for Table {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(WHERE)
            }
            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Key, E> {
                Err(E::custom(format!("a key itself never stands in this file; {WHERE}")))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Key, A::Error> {
                use serde::de::Error as _;
                let invalid = || A::Error::custom(WHERE);
                let source = match map.next_key::<String>()?.ok_or_else(invalid)?.as_str() {
                    "env" => KeySource::Env(map.next_value().map_err(|_| invalid())?),
                    "file" => KeySource::File(map.next_value().map_err(|_| invalid())?),
                    "command" => KeySource::Command(map.next_value().map_err(|_| invalid())?),
                    "profile" => KeySource::AwsProfile(map.next_value().map_err(|_| invalid())?),
                    "keyring" => {
                        let text: String = map.next_value().map_err(|_| invalid())?;
                        let (service, account) = text.split_once('/').ok_or_else(invalid)?;
                        KeySource::Keyring { service: service.to_owned(), account: account.to_owned() }
                    }
                    _ => return Err(invalid()),
                };
                let empty = match &source {
                    KeySource::Env(name) => name.trim().is_empty() || name.contains(['=', '\0']),
                    KeySource::File(path) => path.as_os_str().is_empty(),
                    KeySource::Keyring { service, account } => service.is_empty() || account.is_empty(),
                    KeySource::Command(words) => words.first().is_none_or(String::is_empty),
                    KeySource::AwsProfile(name) => name.trim().is_empty(),
                    KeySource::AwsEnv | KeySource::GoogleDefault => false,
                };
                if empty || map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    return Err(invalid());
                }
                Ok(Key(source))
            }
        }
        deserializer.deserialize_any(Table)
    }
}

/// A table of texts in the order of the file.
#[derive(Clone)]
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of texts such as { \"a\" = \"b\" }")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Table)
    }
}
