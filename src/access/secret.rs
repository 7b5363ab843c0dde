//! The secret itself: how it is drawn, what tells a typo from a stranger, and the hash that stands for it.
//!
//! `pm_`, 43 base64url characters of 256 random bits, 4 characters of checksum. The checksum and the stored hash come
//! from one SHA-256 over the first 46 characters: checking a key costs a single hash. A slow hash would add nothing,
//! as nobody can go through 2^256 keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::{Choice, ConstantTimeEq};

use crate::units::{Sha256, hex};

/// What every key starts with.
pub const KEY_PREFIX: &str = "pm_";

/// Random characters: 256 bits at 6 a character.
const RANDOM: usize = 43;
/// Characters of checksum: a typo goes unnoticed once in 16 million.
const CHECK: usize = 4;
const LENGTH: usize = KEY_PREFIX.len() + RANDOM + CHECK;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The SHA-256 that stands for a key. Compared in constant time alone.
#[derive(Clone, Copy)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body))
    }

    /// Returns the first eight bytes, by which the table is ordered. Whoever could learn them from timing would still
    /// have to find a text with that hash.
    pub(super) fn index(&self) -> u64 {
        self.0.iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    }

    /// Compares in a time that does not depend on where the difference lies.
    pub(super) fn same(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }

    /// Writes `sha256:` and 64 hexadecimal digits.
    pub(super) fn text(&self) -> String {
        format!("sha256:{}", hex(&self.0))
    }

    /// Reads what [`Self::text`] writes.
    pub(super) fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64)?.as_bytes();
        let mut bytes = [0u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().try_fold(0u8, |sum, &digit| {
                let value = char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())?;
                Some(sum << 4 | value)
            })?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hash(..)")
    }
}

/// Draws a new key from the system's randomness.
pub(super) fn draw() -> Result<(Secret, Hash), getrandom::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(from_bytes(&bytes))
}

/// Makes the key of given random bytes.
pub(super) fn from_bytes(bytes: &[u8; 32]) -> (Secret, Hash) {
    let mut text = String::with_capacity(LENGTH);
    text.push_str(KEY_PREFIX);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    let hash = Hash::of(text.as_bytes());
    text.push_str(&checksum(&hash));
    (SecretString::from(text), hash)
}

/// Draws a public id: `pmk_` and eight hexadecimal digits. It shares nothing with the secret.
pub(super) fn draw_id() -> Result<String, getrandom::Error> {
    Ok(format!("pmk_{:08x}", getrandom::u32()?))
}

/// Reads a presented key; `None` where it cannot be one, which says nothing about any key that exists.
pub(super) fn read(presented: &str) -> Option<Hash> {
    if presented.len() != LENGTH || !presented.starts_with(KEY_PREFIX) {
        return None;
    }
    let (body, check) = presented.as_bytes().split_at_checked(LENGTH - CHECK)?;
    if !body.iter().all(|letter| LETTERS.contains(letter)) {
        return None;
    }
    let hash = Hash::of(body);
    bool::from(checksum(&hash).as_bytes().ct_eq(check)).then_some(hash)
}

/// A key's secret: wiped from memory when dropped, and without a `Debug` of its text.
pub type Secret = SecretString;

/// Returns the text of a secret, for the one moment when it is shown.
pub fn reveal(secret: &Secret) -> &str {
    secret.expose_secret()
}

fn checksum(hash: &Hash) -> String {
    // The last bytes: the first ones order the table.
    URL_SAFE_NO_PAD.encode(hash.0.get(29..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_has_the_form_that_is_promised() {
        let (secret, hash) = from_bytes(&[0xff; 32]);
        let text = reveal(&secret);
        assert_eq!(text.len(), 50);
        assert!(text.starts_with("pm______"), "{text}");
        assert!(bool::from(read(text).unwrap().same(&hash)));
        assert_eq!(format!("{secret:?} {hash:?}").matches("____").count(), 0, "Debug shows no secret");
        let (one, two) = (draw().unwrap().0, draw().unwrap().0);
        assert_ne!(reveal(&one), reveal(&two));
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_a_typo_and_not_an_unknown_key(
            bytes in any::<[u8; 32]>(), at in 0usize..50, letter in "[A-Za-z0-9_-]",
        ) {
            let (secret, _) = from_bytes(&bytes);
            let text = reveal(&secret);
            let mut wrong = text.to_owned();
            wrong.replace_range(at..=at, &letter);
            prop_assert_eq!(read(&wrong).is_some(), wrong == text);
            prop_assert!(read(&text[..at]).is_none());
        }

        #[test]
        fn hashes_survive_the_file(bytes in any::<[u8; 32]>()) {
            let hash = Hash(bytes);
            prop_assert!(bool::from(Hash::read(&hash.text()).unwrap().same(&hash)));
            prop_assert!(Hash::read(&hash.text().replace(':', "=")).is_none());
        }

        #[test]
        fn nothing_presented_panics(text in ".{0,80}") {
            let _ = (read(&text), Hash::read(&text));
        }
    }
}
