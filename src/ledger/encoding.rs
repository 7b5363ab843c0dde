//! The canonical form of an entry, from which its digest is made; docs/ledger.md describes it for other programs.
//!
//! Invariant: it never changes. Another form would be another kind of entry beside the ones there are.

use crate::units::{Sha256, hex};
use rusqlite::Row;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// A field as it is bound to a statement, and as it goes into the canonical form: one value for both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'v>(ValueRef<'v>);

impl ToSql for Field<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

impl<'v> From<&'v str> for Field<'v> {
    fn from(text: &'v str) -> Self {
        Self(ValueRef::Text(text.as_bytes()))
    }
}

impl<'v> From<&'v [u8]> for Field<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self(ValueRef::Blob(bytes))
    }
}

impl From<i64> for Field<'_> {
    fn from(number: i64) -> Self {
        Self(ValueRef::Integer(number))
    }
}

macro_rules! small {
    ($($number:ty),+) => {$(
        impl From<$number> for Field<'_> {
            fn from(number: $number) -> Self {
                Self::from(i64::from(number))
            }
        }
    )+};
}
small!(bool, u8, u16, u32);

impl<'v, T: Into<Field<'v>>> From<Option<T>> for Field<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(ValueRef::Null), Into::into)
    }
}

/// An entry in its canonical form, field by field: `~` is nothing, `12,` a number, `3:abc` a text of that many bytes.
#[derive(Debug)]
pub(super) struct Encoding(Vec<u8>);

impl Encoding {
    /// Begins the form of an entry of a kind.
    pub(super) fn of(kind: &str) -> Self {
        let mut new = Self(Vec::with_capacity(1024));
        new.text(kind);
        new
    }

    /// Begins anew, keeping the memory.
    pub(super) fn begin(&mut self, kind: &str) {
        self.0.clear();
        self.text(kind);
    }

    /// Adds a field that says nothing.
    pub(super) fn none(&mut self) {
        self.0.push(b'~');
    }

    /// Adds a number.
    pub(super) fn whole(&mut self, number: i64) {
        if number < 0 {
            self.0.push(b'-');
        }
        self.digits(number.unsigned_abs());
        self.0.push(b',');
    }

    /// Adds a text.
    pub(super) fn text(&mut self, text: &str) {
        self.digits(text.len() as u64);
        self.0.push(b':');
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Adds bytes, as a text of hexadecimal digits.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.text(&hex(bytes));
    }

    /// Adds what may be a number.
    pub(super) fn maybe_whole(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.whole(number),
            None => self.none(),
        }
    }

    /// Adds what may be a text.
    pub(super) fn maybe_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.none(),
        }
    }

    /// Adds so many columns of a row.
    pub(super) fn columns(&mut self, row: &Row<'_>, from: usize, count: usize) -> rusqlite::Result<()> {
        for at in from..from + count {
            self.value(row.get_ref(at)?);
        }
        Ok(())
    }

    /// Adds fields as they are written.
    pub(super) fn fields(&mut self, fields: &[Field<'_>]) {
        for field in fields {
            self.value(field.0);
        }
    }

    fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.none(),
            ValueRef::Integer(number) => self.whole(number),
            ValueRef::Text(bytes) => {
                self.digits(bytes.len() as u64);
                self.0.push(b':');
                self.0.extend_from_slice(bytes);
            }
            ValueRef::Blob(bytes) => self.bytes(bytes),
            // No column of ours holds one; where somebody put it, it is no value that was written here.
            ValueRef::Real(_) => self.text("a fraction"),
        }
    }

    /// Returns its digest.
    pub(super) fn digest(&self) -> Hash {
        Sha256::digest(&self.0)
    }

    fn digits(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut from = digits.len();
        loop {
            from -= 1;
            if let (Some(place), Ok(digit)) = (digits.get_mut(from), u8::try_from(number % 10)) {
                *place = b'0' + digit;
            }
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0.extend_from_slice(digits.get(from..).unwrap_or_default());
    }
}

/// Returns the hash of a link: over the one before it, the digest of its entry and the number of its kind.
pub(super) fn chained(before: &Hash, digest: &Hash, kind: i64) -> Hash {
    let kind = u8::try_from(kind).unwrap_or(u8::MAX);
    Sha256::default().with(before).with(digest).with([kind]).finalize()
}

/// Returns what a gateway's first link follows.
pub(super) fn origin(gateway: &str) -> Hash {
    Sha256::digest(format!("pointsman ledger {gateway}").as_bytes())
}

/// Returns the hash of a text that is kept: it outlasts the text.
pub(super) fn text_hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes())
}

/// Reads a hash as people pass it on.
pub(super) fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_entries_have_one_form() {
        let form = |write: fn(&mut Encoding)| {
            let mut all = Encoding::of("note");
            write(&mut all);
            String::from_utf8(all.0).unwrap()
        };
        assert_eq!(
            form(|all| {
                all.none();
                all.whole(i64::MIN);
                all.text("a~1,");
                all.whole(0);
                all.bytes(&[0, 255]);
            }),
            "4:note~-9223372036854775808,4:a~1,0,4:00ff"
        );
        assert_ne!(form(|all| all.text("12")), form(|all| all.whole(12)));
        assert_ne!(form(|all| all.text("")), form(Encoding::none));
        let hash = origin("g1");
        assert_eq!(parse_hash(&hex(&hash)), Some(hash));
        assert_eq!(parse_hash("0a"), None);
        assert_eq!(parse_hash(&"é".repeat(32)), None);
    }
}
