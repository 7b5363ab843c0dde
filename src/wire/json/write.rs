//! JSON written straight into bytes, in the order it is said.

/// Writes an object.
pub(in crate::wire) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, is_first: true });
    out.push(b'}');
}

/// Writes a list.
fn array(out: &mut Vec<u8>, fill: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    fill(&mut Array { out, is_first: true });
    out.push(b']');
}

/// Writes text in quotes, escaped.
pub(in crate::wire) fn quote(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        from = at + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out.push(b'"');
}

fn comma(out: &mut Vec<u8>, is_first: &mut bool) {
    if !std::mem::take(is_first) {
        out.push(b',');
    }
}

/// An object being written.
pub(in crate::wire) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl Object<'_> {
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        comma(self.out, &mut self.is_first);
        quote(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// Writes text.
    pub(in crate::wire) fn text(&mut self, key: &str, text: &str) {
        quote(self.key(key), text);
    }

    /// Writes text, or `null` where there is none.
    pub(in crate::wire) fn text_or_null(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.raw(key, "null"),
        }
    }

    /// Writes a value that is JSON already.
    pub(in crate::wire) fn raw(&mut self, key: &str, json: &str) {
        self.key(key).extend_from_slice(json.as_bytes());
    }

    /// Writes the members of an object that is JSON already, and is not empty.
    pub(in crate::wire) fn within(&mut self, json: &str) {
        let inner = json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        comma(self.out, &mut self.is_first);
        self.out.extend_from_slice(inner.as_bytes());
    }

    /// Writes a whole number.
    pub(in crate::wire) fn number(&mut self, key: &str, number: u64) {
        self.raw(key, &number.to_string());
    }

    /// Writes a boolean.
    pub(in crate::wire) fn flag(&mut self, key: &str, flag: bool) {
        self.raw(key, if flag { "true" } else { "false" });
    }

    /// Writes an object.
    pub(in crate::wire) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.key(key), fill);
    }

    /// Writes a list.
    pub(in crate::wire) fn array(&mut self, key: &str, fill: impl FnOnce(&mut Array<'_>)) {
        array(self.key(key), fill);
    }
}

/// A list being written.
pub(in crate::wire) struct Array<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl<'o> Array<'o> {
    /// Starts a list that is ended by [`Self::end`].
    pub(in crate::wire) fn start(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, is_first: true }
    }

    /// Ends a list that was started by [`Self::start`].
    pub(in crate::wire) fn end(self) {
        self.out.push(b']');
    }

    fn item(&mut self) -> &mut Vec<u8> {
        comma(self.out, &mut self.is_first);
        self.out
    }

    /// Writes text.
    pub(in crate::wire) fn text(&mut self, text: &str) {
        quote(self.item(), text);
    }

    /// Writes a value that is JSON already.
    pub(in crate::wire) fn raw(&mut self, json: &str) {
        self.item().extend_from_slice(json.as_bytes());
    }

    /// Writes an object.
    pub(in crate::wire) fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.item(), fill);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quoted_text_reads_back(text in "\\PC{0,40}[\\x00-\\x1f\"\\\\]{0,10}.{0,10}") {
            let mut out = Vec::new();
            quote(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn what_is_written_keeps_its_order() {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.text("b", "x");
            o.array("a", |a| {
                a.object(|_| {});
                a.text("t");
            });
            o.object("n", |n| n.number("m", 7));
            o.flag("f", true);
            o.text_or_null("z", None);
        });
        assert_eq!(out, br#"{"b":"x","a":[{},"t"],"n":{"m":7},"f":true,"z":null}"#);
    }
}
