//! JSON values of logs, each read where it stands in its line: of what nobody asks for nothing is made.
//!
//! Invariants: `null` and an absent key mean "not said", and so does what is empty where an object or a list is due; a value of
//! the wrong kind is an error that names its key and column; an object is read by the names of its members alone.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use super::cursor::{Cursor, mark};
use super::json::{self, Measure, Num, Plain};

/// A value, and the text that it stands in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Value<'a> {
    raw: &'a str,
    whole: &'a str,
}

/// The members of an object.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    value: Value<'a>,
    members: Vec<Member<'a>>,
}

#[derive(Debug)]
struct Member<'a> {
    /// What tells most names apart.
    mark: u64,
    name: Cow<'a, str>,
    raw: &'a str,
}

/// What is made of a value.
pub(crate) trait FromValue: Sized {
    /// Reads it.
    fn from_value(value: Value<'_>) -> Result<Self, String>;
}

/// Reads what is made of a text that is one value.
pub(crate) fn read<T: FromValue>(text: &str) -> Result<T, String> {
    json::check_depth(text)?;
    T::from_value(Value::of(text))
}

impl<'a> Value<'a> {
    /// Takes a text for one value.
    pub(crate) fn of(text: &'a str) -> Self {
        Self { raw: text.trim_ascii(), whole: text }
    }

    /// Returns it as it stands there.
    pub(crate) fn raw(self) -> &'a str {
        self.raw
    }

    /// Returns it as it stands there, where anything is said.
    pub(crate) fn said(self) -> Option<&'a str> {
        Some(self.raw).filter(|raw| *raw != "null")
    }

    /// Says whether nothing is said where an object or a list is due, as languages write it that do not tell them apart.
    fn is_silent(self) -> bool {
        let within =
            |open, close| self.raw.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
        let inner = within('"', '"').or_else(|| within('[', ']'));
        matches!(self.raw, "" | "null" | "false") || inner.is_some_and(|inner| inner.trim().is_empty())
    }

    /// Says what is wrong with it, and where it stands.
    #[cold]
    pub(crate) fn fault(self, what: impl fmt::Display) -> String {
        // Of a list or an object there may be keys within it.
        let behind = if self.raw.starts_with(['{', '[']) { 0 } else { self.raw.len() };
        json::told_at(self.whole, self.offset() + behind, what)
    }

    #[cold]
    pub(crate) fn unfit(self, due: &str) -> String {
        match self.plain() {
            Ok(plain) => self.fault(plain.unfit(due)),
            Err(reason) => reason,
        }
    }

    fn offset(self) -> usize {
        (self.raw.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize)
    }

    /// Reads it as what it is.
    pub(crate) fn plain(self) -> Result<Plain<'a>, String> {
        let bytes = self.raw.as_bytes();
        let text = self.raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Ok(match (self.raw, text) {
            ("null", _) => Plain::Null,
            ("true", _) => Plain::Truth(true),
            ("false", _) => Plain::Truth(false),
            (_, Some(text)) if !text.bytes().any(|byte| byte == b'\\' || byte < 0x20) => {
                Plain::Text(text.into())
            }
            (raw, _) if bytes.len() < 20 && bytes.iter().all(u8::is_ascii_digit) => match raw.parse() {
                Ok(count) => Plain::Whole(count),
                Err(_) => self.typed()?,
            },
            (raw, _) if raw.starts_with('{') => Plain::Object,
            (raw, _) if raw.starts_with('[') => Plain::List { is_empty: self.is_silent() },
            _ => self.typed()?,
        })
    }

    /// Reads an object as one of the types that serde knows, which would take a list for one, too; none where it is `null`.
    pub(crate) fn structure<T: Deserialize<'a>>(self) -> Result<Option<T>, String> {
        match self.said() {
            None => Ok(None),
            Some(raw) if raw.starts_with('{') => self.typed(),
            Some(_) => Err(self.unfit("an object")),
        }
    }

    /// Reads a list of such objects.
    pub(crate) fn structures<T: Deserialize<'a>>(self) -> Result<Vec<T>, String> {
        self.items()?.into_iter().filter_map(|item| item.structure().transpose()).collect()
    }

    /// Reads it as one of the types that serde knows.
    pub(crate) fn typed<T: Deserialize<'a>>(self) -> Result<T, String> {
        sonic_rs::from_str(self.raw).map_err(|error| json::explain(self.whole, &error, self.offset()))
    }

    /// Reads whatever stands there as one word; lists and objects count as not said.
    pub(crate) fn word(self) -> Result<Cow<'a, str>, String> {
        Ok(self.plain()?.word())
    }

    /// Reads text; numbers are taken as they print.
    pub(crate) fn text(self) -> Result<Cow<'a, str>, String> {
        match self.plain()? {
            Plain::Truth(_) | Plain::List { .. } | Plain::Object => Err(self.unfit("text")),
            plain => Ok(plain.word()),
        }
    }

    /// Reads a count.
    pub(crate) fn count(self) -> Result<Num, String> {
        Num::of(&self.plain()?).map_err(|what| self.fault(what))
    }

    /// Reads a whole number.
    pub(crate) fn number<T: TryFrom<u64>>(self) -> Result<Option<T>, String> {
        match self.plain()? {
            Plain::Null => Ok(None),
            Plain::Whole(count) => {
                let number = T::try_from(count).ok();
                number.map(Some).ok_or_else(|| self.fault(format_args!("`{count}` is too large")))
            }
            _ => Err(self.unfit("a whole number")),
        }
    }

    /// Reads yes or no.
    pub(crate) fn flag(self) -> Result<Option<bool>, String> {
        match self.plain()? {
            Plain::Null => Ok(None),
            Plain::Truth(is_set) => Ok(Some(is_set)),
            _ => Err(self.unfit("true or false")),
        }
    }

    /// Reads an object.
    pub(crate) fn object(self) -> Result<Object<'a>, String> {
        if self.is_silent() {
            return Ok(Object { value: self, members: Vec::new() });
        }
        if !self.raw.starts_with('{') {
            return Err(self.unfit("an object"));
        }
        let mut members = Vec::new();
        let mut cursor = Cursor::new(self.raw);
        let read = cursor.members(|cursor, name| {
            members.push(Member { mark: mark(name.as_bytes()), name: name.into(), raw: cursor.value()? });
            Some(())
        });
        if read.is_none() || !cursor.is_at_end() {
            members.clear();
            for member in parted(self.inside()?, b',') {
                let (mut name, mut value) = ("", "");
                for (part, slot) in parted(member, b':').zip([&mut name, &mut value]) {
                    *slot = part;
                }
                let name = Value { raw: name, ..self }.text()?;
                members.push(Member { mark: mark(name.as_bytes()), name, raw: value });
            }
        }
        Ok(Object { value: self, members })
    }

    /// Reads the items of a list.
    pub(crate) fn items(self) -> Result<Vec<Self>, String> {
        let mut items = Vec::new();
        if self.is_silent() || self.raw.strip_prefix('{').is_some_and(|rest| rest.trim() == "}") {
            return Ok(items);
        }
        if !self.raw.starts_with('[') {
            return Err(self.unfit("a list"));
        }
        let mut cursor = Cursor::new(self.raw);
        let read = cursor.items(|cursor| {
            items.push(Self { raw: cursor.value()?, ..self });
            Some(())
        });
        if read.is_none() || !cursor.is_at_end() {
            items = parted(self.inside()?, b',').map(|raw| Self { raw, ..self }).collect();
        }
        Ok(items)
    }

    /// Returns what stands between the brackets, where all of it is sound.
    fn inside(self) -> Result<&'a str, String> {
        self.typed::<Plain<'a>>()?;
        Ok(self.raw.get(1..self.raw.len().saturating_sub(1)).unwrap_or_default())
    }

    /// Returns an object's text, which may stand within text, as database dumps have it; empty where nothing is said.
    pub(crate) fn embedded(self) -> Result<Cow<'a, str>, String> {
        match self.plain()? {
            Plain::Object => Ok(self.raw.into()),
            Plain::Text(text) if text.trim() != "null" => Ok(text),
            Plain::Text(_) | Plain::Null | Plain::List { .. } => Ok(Cow::Borrowed("")),
            _ => Err(self.unfit("an object, or JSON within text")),
        }
    }

    /// Reads what is not just empty.
    pub(crate) fn maybe<T: FromValue>(self) -> Result<Option<T>, String> {
        if self.is_silent() { Ok(None) } else { T::from_value(self).map(Some) }
    }
}

/// Cuts the inside of a list or an object that is sound at what parts its values.
fn parted(inside: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(inside).filter(|inside| !inside.trim_ascii().is_empty());
    std::iter::from_fn(move || {
        let (text, mut depth) = (rest?, 0u32);
        let end = json::outside_texts(text.as_bytes()).find(|&(_, byte)| {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && byte == at
        });
        let (part, behind) = match end {
            Some((end, _)) => (text.get(..end)?, text.get(end + 1..)),
            None => (text, None),
        };
        rest = behind;
        Some(part.trim_ascii())
    })
}

impl<'a> Object<'a> {
    /// Reads a text that is one object; one that is empty has no members.
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        json::check_depth(text)?;
        let value = Value::of(text);
        if value.raw.is_empty() || value.raw.starts_with('{') {
            return value.object();
        }
        // What is no JSON at all is told as that.
        value.typed::<Plain<'a>>()?;
        Err(value.unfit("an object"))
    }

    /// Finds a member by one of its names, which are parted by `|`; `None` where it is not there.
    pub(crate) fn find(&self, names: &str) -> Result<Option<Value<'a>>, String> {
        let mut found = None;
        for name in names.split('|') {
            let wanted = mark(name.as_bytes());
            for member in self.members.iter().filter(|member| member.mark == wanted && member.name == name) {
                let value = Value { raw: member.raw, ..self.value };
                if found.replace(value).is_some() {
                    let name = names.split('|').next().unwrap_or_default();
                    return Err(value.fault(format_args!("duplicate field `{name}`")));
                }
            }
        }
        Ok(found)
    }

    /// Finds a member; one that is not there is `null`.
    pub(crate) fn get(&self, names: &str) -> Result<Value<'a>, String> {
        Ok(self.find(names)?.unwrap_or(Value { raw: "null", ..self.value }))
    }

    /// Reads a member as one word.
    pub(crate) fn word(&self, names: &str) -> Result<Cow<'a, str>, String> {
        self.get(names)?.word()
    }

    /// Returns the first of several members, as words, that says something.
    pub(crate) fn first(&self, names: &[&str]) -> Result<Cow<'a, str>, String> {
        for name in names {
            let word = self.word(name)?;
            if !word.is_empty() {
                return Ok(word);
            }
        }
        Ok(Cow::Borrowed(""))
    }

    /// Reads a member that is text.
    pub(crate) fn text(&self, names: &str) -> Result<Cow<'a, str>, String> {
        self.get(names)?.text()
    }

    /// Reads a member that is text, where anything is said.
    pub(crate) fn maybe_text(&self, names: &str) -> Result<Option<String>, String> {
        self.get(names)?.typed()
    }

    /// Reads a member that is a list of texts.
    pub(crate) fn texts(&self, names: &str) -> Result<Vec<String>, String> {
        Ok(self.get(names)?.typed::<Option<_>>()?.unwrap_or_default())
    }

    /// Reads a member that is a whole number of any sign.
    pub(crate) fn integer(&self, names: &str) -> Result<Option<i64>, String> {
        self.get(names)?.typed()
    }

    /// Reads a member that is a count.
    pub(crate) fn count(&self, names: &str) -> Result<Num, String> {
        self.get(names)?.count()
    }

    /// Reads a member that is measured.
    pub(crate) fn measure(&self, names: &str) -> Result<Measure, String> {
        Ok(Measure::of(&self.word(names)?))
    }

    /// Reads a member that is yes or no.
    pub(crate) fn flag(&self, names: &str) -> Result<Option<bool>, String> {
        self.get(names)?.flag()
    }

    /// Reads a member that is an object.
    pub(crate) fn object(&self, names: &str) -> Result<Self, String> {
        self.get(names)?.object()
    }

    /// Reads a member that is a list.
    pub(crate) fn items(&self, names: &str) -> Result<Vec<Value<'a>>, String> {
        self.get(names)?.items()
    }

    /// Reads a member that is a list of objects; what stands there for nothing has no members.
    pub(crate) fn objects(&self, names: &str) -> Result<Vec<Self>, String> {
        self.items(names)?.into_iter().map(Value::object).collect()
    }

    /// Reads a member that may say nothing.
    pub(crate) fn maybe<T: FromValue>(&self, names: &str) -> Result<Option<T>, String> {
        self.get(names)?.maybe()
    }

    /// Says whether a member is there and not `null`.
    pub(crate) fn says(&self, names: &str) -> Result<bool, String> {
        Ok(self.get(names)?.said().is_some())
    }

    /// Reads the whole object as one of the types that serde knows.
    pub(crate) fn whole<T: Deserialize<'a>>(&self) -> Result<T, String> {
        self.value.typed()
    }

    /// Lists the members, by their names.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Value<'a>)> {
        self.members.iter().map(|member| (&*member.name, Value { raw: member.raw, ..self.value }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_borrowed_and_forgiving() {
        let id = |line| Object::read(line).unwrap().text("id").unwrap();
        assert!(matches!(id(r#"{"id":"abc"}"#), Cow::Borrowed("abc")));
        for (line, want) in
            [(r#"{"id":"a\"b"}"#, "a\"b"), (r#"{"id":12}"#, "12"), (r#"{"id":null}"#, ""), ("{}", "")]
        {
            assert_eq!(id(line), want, "{line}");
        }
    }

    #[test]
    fn numbers_may_be_text_but_never_negative() {
        for (line, want) in [
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("\"12\"", Some(12)),
            ("null", None),
            ("{}", None),
            ("0", Some(0)),
        ] {
            let line = format!("{{\"n\":{line}}}");
            assert_eq!(Object::read(&line).unwrap().count("n").unwrap().0, want, "{line}");
        }
        for bad in ["-1", "1.5", "\"x\"", "[1]", "1e300"] {
            let line = format!("{{\"id\":\"q\",\"n\":{bad}}}");
            let reason = Object::read(&line).unwrap().count("n").unwrap_err();
            assert!(reason.starts_with("n:"), "{line}: {reason}");
        }
    }

    #[test]
    fn json_within_text_is_read_like_an_object() {
        for line in [r#"{"inner":{"n":3}}"#, r#"{"inner":"{\"n\":3}"}"#] {
            let inner = Object::read(line).unwrap().get("inner").unwrap().embedded().unwrap();
            assert_eq!(Object::read(&inner).unwrap().count("n").unwrap().0, Some(3), "{line}");
        }
        for line in [r#"{"inner":""}"#, r#"{"inner":null}"#, "{}", r#"{"inner":"null"}"#] {
            assert_eq!(Object::read(line).unwrap().get("inner").unwrap().embedded().unwrap(), "", "{line}");
        }
        let told = Object::read(r#"{"inner":5}"#).unwrap().get("inner").unwrap().embedded().unwrap_err();
        assert!(told.starts_with("inner: `5` stands where an object"), "{told}");
    }

    #[test]
    fn deep_nesting_is_refused_before_it_eats_the_stack() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let line = format!("{{\"x\":{}1{}}}", open.repeat(200_000), close.repeat(200_000));
            assert!(Object::read(&line).unwrap_err().contains("deeper"), "{open}");
        }
        let brackets_in_text = format!("{{\"id\":\"{}\"}}", "[".repeat(5000));
        assert_eq!(Object::read(&brackets_in_text).unwrap().text("id").unwrap().len(), 5000);
    }

    #[test]
    fn members_are_read_by_name_and_never_by_their_place_at_any_depth() {
        let text = r#"{"\u0061":"x","b": 1 ,"more":{"b":2},"list":[ {"b":3} ,null],"\\,":"\\]\":,"}"#;
        let whole = Object::read(text).unwrap();
        assert_eq!((&*whole.word("a").unwrap(), &*whole.word("\\,").unwrap()), ("x", "\\]\":,"));
        assert_eq!(whole.object("more").unwrap().count("b").unwrap().0, Some(2));
        let list: Vec<_> =
            whole.objects("list").unwrap().iter().map(|one| one.count("b").unwrap().0).collect();
        assert_eq!(list, [Some(3), None]);
        let refused = [
            Object::read(r#"["x",1,null,[]]"#).map(drop),
            Object::read(r#"{"more":["x",1,null,[]]}"#).unwrap().object("more").map(drop),
            Object::read(r#"{"list":[["x",1,null,[]]]}"#).unwrap().objects("list").map(drop),
            Object::read(r#"{"more":["x"]}"#).unwrap().get("more").unwrap().structure::<Tuple>().map(drop),
        ];
        for told in refused {
            let told = told.unwrap_err();
            assert!(told.contains("a list stands where an object is due"), "{told}");
        }
    }

    #[derive(Deserialize)]
    struct Tuple(#[expect(dead_code, reason = "never read so")] String);

    #[test]
    fn a_key_that_stands_twice_is_refused_where_it_is_asked_for() {
        let row = Object::read(r#"{"n":1,"x":1,"n":2,"m":1,"M":2}"#).unwrap();
        assert_eq!(row.count("n").unwrap_err().split(" (column").next(), Some("n: duplicate field `n`"));
        assert!(row.count("m|M").unwrap_err().starts_with("M: duplicate field `m`"));
        assert_eq!(row.count("x").unwrap().0, Some(1));
    }

    #[test]
    fn what_is_empty_says_nothing_whatever_it_is_instead_of() {
        for empty in ["null", "[]", "{}", "\"\"", "\" \"", "false"] {
            let text = format!("{{\"one\":{empty},\"many\":{empty}}}");
            let outer = Object::read(&text).unwrap();
            assert_eq!(outer.object("one").unwrap().members().count(), 0, "{text}");
            assert!(outer.items("many").unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_in_plain_words() {
        let at = |text| Object::read(text).unwrap();
        for (told, want) in [
            (
                at(r#"{"one":[1]}"#).object("one").map(drop),
                "one: a list stands where an object is due (column 11)",
            ),
            (
                at(r#"{"one":"x"}"#).object("one").map(drop),
                "one: \"x\" stands where an object is due (column 11)",
            ),
            (at(r#"{"one":7}"#).object("one").map(drop), "one: `7` stands where an object is due (column 9)"),
            (
                at(r#"{"many":{"a":1}}"#).items("many").map(drop),
                "many: an object stands where a list is due (column 16)",
            ),
            (
                at(r#"{"s":"x"}"#).get("s").unwrap().number::<u32>().map(drop),
                "s: \"x\" stands where a whole number is due (column 9)",
            ),
            (
                at(r#"{"s":99999999999}"#).get("s").unwrap().number::<u32>().map(drop),
                "s: `99999999999` is too large (column 17)",
            ),
            (
                at(r#"{"s":-1}"#).get("s").unwrap().number::<u32>().map(drop),
                "s: `-1` stands where a whole number is due (column 8)",
            ),
            (
                at(r#"{"s":-1}"#).get("s").unwrap().typed::<Option<u32>>().map(drop),
                "s: `-1` stands where a whole number is due (column 8)",
            ),
            (
                at(r#"{"flag":1}"#).flag("flag").map(drop),
                "flag: `1` stands where true or false is due (column 10)",
            ),
        ] {
            let told = told.unwrap_err();
            assert_eq!(told.split(" (column").next(), want.split(" (column").next(), "{told}");
        }
        assert!(Object::read(r#"{"\u00e9":tru}"#).unwrap_err().starts_with("not JSON after `\\u00e9`"));
        assert!(Object::read("tru").unwrap_err().starts_with("not JSON: "));
    }
}
