//! Rust sources as the architecture test sees them: without comments and the inside of literals, cut into words, each
//! word with its line, its function and whether it stands in test code.

/// A word or a mark of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub text: String,
    pub line: usize,
    /// The innermost function that it stands in; empty outside of all.
    pub function: String,
    /// Whether it stands under `#[cfg(test)]`.
    pub test: bool,
    /// How many inline modules are around it.
    pub inline: usize,
}

/// Blanks out comments and the inside of strings and characters; line breaks stay.
pub(crate) fn bare(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        let word_before = i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_');
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    (c, _) => {
                        out.extend((c == '\n').then_some('\n'));
                        i += 1;
                    }
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if let Some(hashes) = (!word_before).then(|| raw_string(&chars, i)).flatten() {
            let start = i + chars[i..].iter().position(|&c| c == '"').unwrap_or(0);
            let mut end = start + 1;
            while end < chars.len() && !(at(end) == '"' && (1..=hashes).all(|n| at(end + n) == '#')) {
                out.extend((at(end) == '\n').then_some('\n'));
                end += 1;
            }
            out.push_str("\"\"");
            i = end + 1 + hashes;
        } else if c == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                i += usize::from(at(i) == '\\');
                out.extend((at(i) == '\n').then_some('\n'));
                i += 1;
            }
            out.push_str("\"\"");
            i += 1;
        } else if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            out.push_str("''");
            i += 1;
        } else {
            out.push(c);
            i += 1;
        }
    }
    out
}

/// Says how many `#` a raw string starting here has.
fn raw_string(chars: &[char], mut i: usize) -> Option<usize> {
    i += usize::from(matches!(chars.get(i), Some('b' | 'c')));
    if chars.get(i) != Some(&'r') {
        return None;
    }
    let hashes = chars[i + 1..].iter().take_while(|&&c| c == '#').count();
    (chars.get(i + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// Cuts code into words.
pub(crate) fn words(source: &str) -> Vec<Word> {
    let mut raw: Vec<(String, usize)> = Vec::new();
    let code: Vec<char> = bare(source).chars().collect();
    let (mut i, mut line) = (0, 1);
    while let Some(&c) = code.get(i) {
        let start = i;
        if c == '\n' {
            line += 1;
            i += 1;
        } else if c.is_whitespace() {
            i += 1;
        } else if c.is_ascii_digit() && raw.last().is_none_or(|(last, _)| last != ".") {
            i = number(&code, i);
        } else if c.is_alphanumeric() || c == '_' {
            while code.get(i).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                i += 1;
            }
        } else {
            i += if c == ':' && code.get(i + 1) == Some(&':') { 2 } else { 1 };
        }
        let text: String = code[start..i].iter().collect();
        if !text.trim().is_empty() {
            raw.push((text, line));
        }
    }
    scoped(&raw)
}

/// Returns the end of a number: a point belongs to it only before a digit or at its end, not in `0..9` or `1.max(2)`.
fn number(code: &[char], mut i: usize) -> usize {
    let mut point = false;
    loop {
        let next = |n: usize| code.get(i + n).copied().unwrap_or(' ');
        match next(0) {
            c if c.is_alphanumeric() || c == '_' => i += 1,
            '.' if !point && next(1) != '.' && !next(1).is_alphabetic() && next(1) != '_' => {
                (point, i) = (true, i + 1);
            }
            _ => return i,
        }
    }
}

enum Brace {
    Function(String),
    Module { test: bool },
    Other,
}

fn scoped(raw: &[(String, usize)]) -> Vec<Word> {
    let mut open: Vec<Brace> = Vec::new();
    let mut next = Brace::Other;
    let mut test_ahead = false;
    let mut out = Vec::with_capacity(raw.len());
    for (at, (text, line)) in raw.iter().enumerate() {
        let following = |n: usize| raw.get(at + n).map_or("", |(text, _)| text.as_str());
        match text.as_str() {
            "#" if (1..=5).map(following).eq(["[", "cfg", "(", "test", ")"]) => test_ahead = true,
            "fn" => next = Brace::Function(following(1).to_owned()),
            "mod" if following(2) == "{" => next = Brace::Module { test: std::mem::take(&mut test_ahead) },
            ";" => next = Brace::Other,
            "{" => open.push(std::mem::replace(&mut next, Brace::Other)),
            "}" => {
                open.pop();
            }
            _ => {}
        }
        let function = open.iter().rev().find_map(|brace| match brace {
            Brace::Function(name) => Some(name.clone()),
            _ => None,
        });
        out.push(Word {
            text: text.clone(),
            line: *line,
            function: function.unwrap_or_default(),
            test: open.iter().any(|brace| matches!(brace, Brace::Module { test: true })),
            inline: open.iter().filter(|brace| matches!(brace, Brace::Module { .. })).count(),
        });
    }
    out
}

/// Says whether a word is a floating-point type or number.
pub(crate) fn is_float(word: &str) -> bool {
    let digits = word.chars().next().is_some_and(|c| c.is_ascii_digit()) && !word.starts_with("0x");
    matches!(word, "f32" | "f64")
        || digits
            && (word.contains('.')
                || word.contains(['e', 'E']) && !word.contains("usize") && !word.contains("isize"))
        || digits && (word.ends_with("f32") || word.ends_with("f64"))
}

/// Finds where a path like `std::fs` or a macro like `println!` stands; a path also matches where it goes on, and where
/// it stands in braces: `use std::{fs, io}`.
pub(crate) fn find<'a>(words: &'a [Word], path: &str) -> Vec<&'a Word> {
    let wanted: Vec<String> = self::words(path).into_iter().map(|word| word.text).collect();
    let mut found: Vec<&Word> = words
        .windows(wanted.len())
        .filter(|window| window.iter().zip(&wanted).all(|(word, wanted)| word.text == *wanted))
        .map(|window| &window[0])
        .collect();
    if let [root, colons, name] = wanted.as_slice()
        && colons == "::"
    {
        found.extend(grouped(words, root).into_iter().filter(|word| word.text == *name));
    }
    found
}

/// Returns the first names inside `root::{..}`.
fn grouped<'a>(words: &'a [Word], root: &str) -> Vec<&'a Word> {
    let mut found = Vec::new();
    for (at, window) in words.windows(3).enumerate() {
        if window[0].text != root || window[1].text != "::" || window[2].text != "{" {
            continue;
        }
        let mut depth = 1;
        let mut first = true;
        for word in &words[at + 3..] {
            match word.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 1 => first = true,
                _ if depth == 1 && first => {
                    found.push(word);
                    first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

/// Returns every top-level module that code names: `crate::name`, `crate::{name, ..}`, and `super::..::name` where the
/// `super`s escalate to the top. `depth` is how deep the file's module lies (1 for `src/units/mod.rs`).
pub(crate) fn rooms(words: &[Word], depth: usize) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = words
        .windows(3)
        .filter(|window| window[0].text == "crate" && window[1].text == "::" && window[2].text != "{")
        .map(|window| (window[2].text.clone(), window[2].line))
        .collect();
    found.extend(grouped(words, "crate").into_iter().map(|word| (word.text.clone(), word.line)));
    let mut at = 0;
    while at < words.len() {
        let mut escalated = 0;
        while words.get(at + 2 * escalated).is_some_and(|word| word.text == "super")
            && words.get(at + 2 * escalated + 1).is_some_and(|word| word.text == "::")
        {
            escalated += 1;
        }
        if escalated > 0 && escalated >= depth + words[at].inline {
            found.extend(words.get(at + 2 * escalated).map(|word| (word.text.clone(), word.line)));
        }
        at += 2 * escalated + 1;
    }
    found
}

#[test]
fn literals_and_comments_are_no_code() {
    let text = "let a = r#\"f64 \" \"#; let b = '\"'; let c: &'static str = \"\\\" f64\"; /* f64 /* f64 */ f64 */ let d = b'\\''; f64";
    let floats: Vec<_> = words(text).into_iter().filter(|word| word.text == "f64").collect();
    assert_eq!(floats.len(), 1, "{:?}", bare(text));
}
