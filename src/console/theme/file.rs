//! Reading themes: TOML texts in, a [`Theme`] and warnings out.
//!
//! A theme file has `name`, `mode`, `inherits`, a `[palette]` of named colours, and for each role either a colour or a
//! table of `fg`, `bg` and `modifiers`. Invariant: whatever is wrong becomes a warning naming file and line; something
//! readable is always returned.

use std::collections::BTreeMap;
use std::fmt;

use ratatui::style::{Color, Modifier, Style};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Depth, Mode, Role, Theme, colour};
use crate::config::themes::ThemeText;
use crate::units::Slip;

/// Something in a theme file that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub origin: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and how to mend it.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.origin, self.line, self.what)
    }
}

/// The themes that can be chosen from.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    texts: Vec<ThemeText>,
}

/// The longest chain of `inherits`.
const DEEPEST: usize = 16;

/// What one file says, its own and inherited lines together.
#[derive(Default)]
struct Sheet<'a> {
    mode: Option<Mode>,
    palette: BTreeMap<String, Color>,
    roles: BTreeMap<Role, (&'a ThemeText, Spanned<DeValue<'a>>)>,
}

/// Adds a warning about a place of a file.
fn warn(warnings: &mut Vec<Warning>, of: &ThemeText, at: usize, what: impl Into<String>) {
    let before = of.text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    warnings.push(Warning { origin: of.origin.clone(), line, what: what.into() });
}

impl Catalogue {
    /// Gathers theme texts; of two with the same name the first counts, so the user's own go first.
    pub fn new(texts: impl IntoIterator<Item = ThemeText>) -> Self {
        let mut kept: Vec<ThemeText> = Vec::new();
        for text in texts {
            if !kept.iter().any(|known| known.name == text.name) {
                kept.push(text);
            }
        }
        Self { texts: kept }
    }

    /// Lists the names that can be asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| text.name.as_str())
    }

    /// Returns the name after `name`, starting again at the end.
    pub fn next_name(&self, name: &str) -> Option<&str> {
        let at = self.texts.iter().position(|text| text.name == name).map_or(0, |at| at + 1);
        self.texts.get(at).or_else(|| self.texts.first()).map(|text| text.name.as_str())
    }

    /// Returns the text of a theme, to be printed.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.find(name).map(|text| text.text.as_str())
    }

    /// Lists the roles that a theme leaves to their parents, for those who write themes.
    pub fn unnamed(&self, name: &str) -> Vec<Role> {
        let (mut named, mut next) = (Vec::new(), Some(name.to_owned()));
        for _ in 0..DEEPEST {
            let Some(text) = next.and_then(|name| self.find(&name)) else { break };
            let (sheet, inherits) = read_file(text, &mut Vec::new());
            named.extend(sheet.roles.into_keys());
            next = inherits.map(|(parent, _)| parent);
        }
        Role::ALL.iter().copied().filter(|role| !named.contains(role)).collect()
    }

    fn find(&self, name: &str) -> Option<&ThemeText> {
        self.texts.iter().find(|text| text.name == name)
    }

    /// Loads a theme for a terminal of this depth. Without colours the theme `mono` is loaded, whatever was asked for.
    /// An unknown name is `None`.
    pub fn load(&self, name: &str, depth: Depth) -> Option<(Theme, Vec<Warning>)> {
        let wanted = if depth == Depth::None && self.find("mono").is_some() { "mono" } else { name };
        let (theme, warnings) = self.read(wanted)?;
        Some((theme.reduced(depth), warnings))
    }

    /// Reads a theme with all its colours.
    fn read(&self, name: &str) -> Option<(Theme, Vec<Warning>)> {
        let mut warnings = Vec::new();
        let mut chain: Vec<&ThemeText> = vec![self.find(name)?];
        let mut sheets: Vec<Sheet<'_>> = Vec::new();
        while let Some(&text) = chain.get(sheets.len()) {
            let (sheet, inherits) = read_file(text, &mut warnings);
            sheets.push(sheet);
            let Some((parent, at)) = inherits else { break };
            let wrong = match self.find(&parent) {
                None => format!("there is no theme `{parent}` to inherit from"),
                Some(found) if chain.iter().any(|&seen| std::ptr::eq(seen, found)) => {
                    format!("`inherits = \"{parent}\"` goes round in a circle")
                }
                Some(_) if chain.len() >= DEEPEST => {
                    format!("more than {DEEPEST} themes inherit from one another")
                }
                Some(found) => {
                    chain.push(found);
                    continue;
                }
            };
            warn(&mut warnings, text, at, wrong);
        }
        // The eldest first, so that what is nearer wins.
        let mut all = Sheet::default();
        for sheet in sheets.into_iter().rev() {
            all.mode = sheet.mode.or(all.mode);
            all.palette.extend(sheet.palette);
            all.roles.extend(sheet.roles);
        }
        let mut styles = vec![Style::new(); Role::ALL.len()];
        for (slot, &role) in Role::ALL.iter().enumerate() {
            let style = match all.roles.get(&role) {
                Some((source, value)) => read_style(source, role.name(), value, &all.palette, &mut warnings),
                None if role.parent() == Role::Text => Style::new(),
                None => styles.get(role.parent() as usize).copied().unwrap_or_default(),
            };
            if let Some(place) = styles.get_mut(slot) {
                *place = style;
            }
        }
        let mode = all.mode.unwrap_or_default();
        Some((Theme { name: name.into(), mode, styles: styles.into() }, warnings))
    }
}

/// Reads one file: its sheet, and the theme it inherits from with the place of that line.
fn read_file<'a>(text: &'a ThemeText, warnings: &mut Vec<Warning>) -> (Sheet<'a>, Option<(String, usize)>) {
    let mut sheet = Sheet::default();
    let mut inherits = None;
    let (table, errors) = DeTable::parse_recoverable(&text.text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        warn(warnings, text, at, Slip::of(&text.text, &error).what);
    }
    for (key, value) in table.into_inner() {
        let at = key.span().start;
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("name", DeValue::String(_)) => {}
            ("mode", DeValue::String(mode)) => match mode.as_ref() {
                "dark" => sheet.mode = Some(Mode::Dark),
                "light" => sheet.mode = Some(Mode::Light),
                "either" => sheet.mode = Some(Mode::Either),
                other => {
                    let what = format!("mode `{other}` is unknown; write dark, light or either");
                    warn(warnings, text, at, what);
                }
            },
            ("inherits", DeValue::String(parent)) => inherits = Some((parent.clone().into_owned(), at)),
            ("palette", DeValue::Table(colours)) => {
                for (name, value) in colours {
                    match value.get_ref().as_str().and_then(colour::read) {
                        Some(colour) => {
                            sheet.palette.insert(name.get_ref().clone().into_owned(), colour);
                        }
                        None => warn(
                            warnings,
                            text,
                            value.span().start,
                            format!(
                                "palette colour `{}` is no colour; write \"#rrggbb\", a number 0 to 255 in quotes, or a name such as \"light-blue\"",
                                name.get_ref()
                            ),
                        ),
                    }
                }
            }
            _ => read_role(text, &key.get_ref().clone(), at, value, &mut sheet, warnings),
        }
    }
    (sheet, inherits)
}

/// Takes one top-level entry as a role, or as a group of roles (`[series]`, `chart.axis = ..`).
fn read_role<'a>(
    source: &'a ThemeText,
    name: &str,
    at: usize,
    value: Spanned<DeValue<'a>>,
    sheet: &mut Sheet<'a>,
    warnings: &mut Vec<Warning>,
) {
    if let Some(role) = Role::named(name) {
        sheet.roles.insert(role, (source, value));
        return;
    }
    let unknown = |name: &str| format!("there is no role `{name}`; it is left out");
    if !Role::ALL.iter().any(|role| role.name().split_once('.').is_some_and(|(group, _)| group == name)) {
        warn(warnings, source, at, unknown(name));
        return;
    }
    let DeValue::Table(group) = value.into_inner() else {
        warn(warnings, source, at, format!("`{name}` is a group of roles; write `{name}.<role> = ..`"));
        return;
    };
    for (key, value) in group {
        let full = format!("{name}.{}", key.get_ref());
        match Role::named(&full) {
            Some(role) => {
                sheet.roles.insert(role, (source, value));
            }
            None => warn(warnings, source, key.span().start, unknown(&full)),
        }
    }
}

/// Reads the look of one role: a colour, or a table of `fg`, `bg` and `modifiers`.
fn read_style(
    source: &ThemeText,
    role: &str,
    value: &Spanned<DeValue<'_>>,
    palette: &BTreeMap<String, Color>,
    warnings: &mut Vec<Warning>,
) -> Style {
    let at = value.span().start;
    let colour = |name: &str, warnings: &mut Vec<Warning>| {
        let found = palette.get(name).copied().or_else(|| colour::read(name));
        if found.is_none() {
            let what = format!("`{role}`: `{name}` is neither a colour nor in the palette");
            warn(warnings, source, at, what);
        }
        found
    };
    let mut style = Style::new();
    match value.get_ref() {
        DeValue::String(name) => style.fg = colour(name, warnings),
        DeValue::Table(table) => {
            for (key, value) in table {
                match (key.get_ref().as_ref(), value.get_ref()) {
                    ("fg", DeValue::String(name)) => style.fg = colour(name, warnings),
                    ("bg", DeValue::String(name)) => style.bg = colour(name, warnings),
                    ("modifiers", DeValue::Array(list)) => {
                        for entry in list {
                            match entry.get_ref().as_str().and_then(read_modifier) {
                                Some(modifier) => style = style.add_modifier(modifier),
                                None => warn(
                                    warnings,
                                    source,
                                    entry.span().start,
                                    format!(
                                        "`{role}`: modifiers are bold, dim, italic, underlined, reversed, crossed-out"
                                    ),
                                ),
                            }
                        }
                    }
                    (other, _) => {
                        let what = format!(
                            "`{role}`: `{other}` is not understood; write fg, bg (colours) or modifiers (a list)"
                        );
                        warn(warnings, source, key.span().start, what);
                    }
                }
            }
        }
        _ => {
            warn(warnings, source, at, format!("`{role}` wants a colour or a table of fg, bg and modifiers"));
        }
    }
    style
}

fn read_modifier(name: &str) -> Option<Modifier> {
    Some(match name {
        "bold" => Modifier::BOLD,
        "dim" => Modifier::DIM,
        "italic" => Modifier::ITALIC,
        "underlined" => Modifier::UNDERLINED,
        "reversed" => Modifier::REVERSED,
        "crossed-out" => Modifier::CROSSED_OUT,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(name: &str, text: &str) -> ThemeText {
        ThemeText { name: name.into(), origin: format!("{name}.toml"), text: text.into() }
    }

    fn load(texts: &[(&str, &str)], name: &str) -> (Theme, Vec<String>) {
        let catalogue = Catalogue::new(texts.iter().map(|(name, text)| theme(name, text)));
        let (theme, warnings) = catalogue.load(name, Depth::True).unwrap();
        (theme, warnings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_child_takes_what_it_does_not_say_from_its_parent() {
        let parent = "[palette]\nink = \"#101010\"\n[text]\nfg = \"ink\"\nbg = \"#ffffff\"";
        let child = "inherits = \"parent\"\nwarn = \"ink\"\n[palette]\nink = \"#202020\"";
        let (theme, warnings) = load(&[("child", child), ("parent", parent)], "child");
        assert_eq!(warnings, Vec::<String>::new());
        // The child's palette reaches the parent's roles: that is how a variant of a theme is two lines long.
        assert_eq!(theme.style(Role::Text).fg, Some(Color::Rgb(0x20, 0x20, 0x20)));
        assert_eq!(
            theme.style(Role::Error),
            theme.style(Role::Warn),
            "a role left out looks like its parent"
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_the_rest_is_used() {
        let text = "mode = \"dusk\"\nok = \"#00ff00\"\nnonsense = \"red\"\nwarn = \"grue\"\nseries.9 = \"red\"\nerror = { fg = \"red\", modifiers = [\"blinking\"] }\ninherits = \"nobody\"\n";
        let (theme, warnings) = load(&[("t", text)], "t");
        assert_eq!(theme.style(Role::Ok).fg, Some(Color::Rgb(0, 255, 0)));
        assert_eq!(theme.style(Role::Error).fg, Some(Color::Red));
        for (line, word) in
            [(1, "dusk"), (3, "nonsense"), (4, "grue"), (5, "series.9"), (6, "modifiers"), (7, "nobody")]
        {
            let start = format!("t.toml:{line}: ");
            assert!(
                warnings.iter().any(|w| w.starts_with(&start) && w.contains(word)),
                "{line} {word}: {warnings:?}"
            );
        }
        assert_eq!(warnings.len(), 6, "{warnings:?}");
    }

    #[test]
    fn circles_of_inheritance_end() {
        let (_, warnings) = load(&[("a", "inherits = \"b\""), ("b", "inherits = \"a\"")], "a");
        assert!(warnings.iter().any(|w| w.contains("circle")), "{warnings:?}");
        let (_, warnings) = load(&[("a", "inherits = \"a\"")], "a");
        assert!(warnings.iter().any(|w| w.contains("circle")), "{warnings:?}");
    }

    #[test]
    fn without_colours_mono_is_loaded_and_no_colour_is_left() {
        let texts =
            [theme("red", "text = \"red\""), theme("mono", "selection = { modifiers = [\"reversed\"] }")];
        let (theme, _) = Catalogue::new(texts).load("red", Depth::None).unwrap();
        assert_eq!(theme.name(), "mono");
        assert_eq!(theme.style(Role::Selection), Style::new().add_modifier(Modifier::REVERSED));
    }

    #[test]
    fn a_selection_stays_visible_on_sixteen_colours() {
        let text = "text = { fg = \"#dddddd\", bg = \"#101014\" }\nselection = { bg = \"#181c24\" }";
        let (theme, _) = Catalogue::new([theme("t", text)]).load("t", Depth::Sixteen).unwrap();
        assert!(theme.style(Role::Selection).add_modifier.contains(Modifier::REVERSED));
    }

    proptest::proptest! {
        #[test]
        fn no_text_stops_the_reader(text in "[a-z\\[\\]{}=\"#.\n ,]{0,200}") {
            let _ = Catalogue::new([theme("t", &text)]).load("t", Depth::Indexed);
        }
    }
}
