//! The keymap: which key does what where, made from the table of actions and the user's own keys.
//!
//! Invariant: in one context a key does one thing. Ctrl-C always quits and cannot be taken; Ctrl-S, Ctrl-Q and Ctrl-D
//! belong to the terminal and the shell; Ctrl-Z only ever suspends.

use std::fmt::Write;

use rustc_hash::FxHashMap;

use super::action::{ACTIONS, Action, Context, Spec};
use super::chord::{Chord, ChordError};
use crate::config::keys::Remap;
use crate::units::nearest;

/// Keys that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// The file names an action that is not in the table.
    #[error("{place}: there is no action `{id}`{}", suggestion.map_or(String::new(), |id| format!("; did you mean `{id}`?")))]
    NoAction {
        /// File and line.
        place: String,
        /// What was written.
        id: String,
        /// The nearest id.
        suggestion: Option<&'static str>,
    },
    /// The file names a key that is none.
    #[error("{place}: {source}")]
    NoKey {
        /// File and line.
        place: String,
        /// What is wrong.
        source: ChordError,
    },
    /// The key belongs to the terminal.
    #[error("{place}: `{chord}` cannot be given to `{id}`: {why}")]
    Reserved {
        /// File and line.
        place: String,
        /// The key.
        chord: Chord,
        /// The action.
        id: &'static str,
        /// Who has the key.
        why: &'static str,
    },
    /// Two actions want one key in the same context.
    #[error("{place}: `{chord}` would mean both `{first}` and `{second}` ({}); give one of them another key, or [] to leave it without", context.name())]
    Twice {
        /// File and line, or the built-in table.
        place: String,
        /// The key.
        chord: Chord,
        /// One action.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Where both would work.
        context: Context,
    },
}

/// Which key does what where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    bindings: FxHashMap<(Context, Chord), Action>,
    /// The keys of each action as they were written, in the order of the table.
    written: Vec<Written>,
}

/// Keys as they were written, and the first of them that stands for a range of digits.
type Written = (Vec<Chord>, Option<Chord>);

/// The key that always quits.
pub fn is_quit(chord: Chord) -> bool {
    chord.is_ctrl('c')
}

fn reserved(chord: Chord, action: Action) -> Option<&'static str> {
    let only = |letter| chord.is_ctrl(letter);
    match action {
        _ if only('c') => Some("Ctrl-C always quits"),
        _ if only('s') || only('q') => Some("the terminal uses it to hold and release output"),
        _ if only('d') => Some("shells take it as the end of input"),
        _ if only('z') && action != Action::Suspend => Some("Ctrl-Z suspends"),
        _ if only('i') || only('m') || only('[') || only('j') => {
            Some("terminals cannot tell it from tab, enter or escape")
        }
        _ => None,
    }
}

impl Keymap {
    /// Builds the keymap from the table, with the user's own keys in place of the table's.
    pub fn build(remaps: &[Remap]) -> Result<Self, KeymapError> {
        let mut places: Vec<Option<String>> = vec![None; ACTIONS.len()];
        let table = ACTIONS.iter().map(|spec| read_all(spec.keys.iter().copied(), "built-in keys"));
        let mut written = table.collect::<Result<Vec<Written>, _>>()?;
        for remap in remaps {
            let place = format!("{}:{}", remap.origin, remap.line);
            let Some(action) = Action::by_id(&remap.action) else {
                let suggestion = nearest_id(&remap.action);
                return Err(KeymapError::NoAction { place, id: remap.action.clone(), suggestion });
            };
            let own = read_all(remap.keys.iter().map(String::as_str), &place)?;
            for &chord in &own.0 {
                if let Some(why) = reserved(chord, action) {
                    return Err(KeymapError::Reserved { place, chord, id: action.spec().id, why });
                }
            }
            written[action as usize] = own;
            places[action as usize] = Some(place);
        }
        let mut bindings = FxHashMap::default();
        for (spec, (chords, _)) in ACTIONS.iter().zip(&written) {
            for (&context, &chord) in
                spec.contexts.iter().flat_map(|on| chords.iter().map(move |key| (on, key)))
            {
                let Some(first) = bindings.insert((context, chord), spec.action) else { continue };
                if first != spec.action {
                    let of = [first, spec.action];
                    let place = of.iter().find_map(|a| places.get(*a as usize).cloned().flatten());
                    return Err(KeymapError::Twice {
                        place: place.unwrap_or_else(|| "built-in keys".to_owned()),
                        chord,
                        first: first.spec().id,
                        second: spec.id,
                        context,
                    });
                }
            }
        }
        Ok(Self { bindings, written })
    }

    /// Finds what a key does: the first context that knows it wins. Ctrl-C quits everywhere.
    pub fn find(&self, layers: &[Context], chord: Chord) -> Option<Action> {
        if is_quit(chord) {
            return Some(Action::Quit);
        }
        layers.iter().find_map(|&context| self.bound(context, chord))
    }

    fn bound(&self, context: Context, chord: Chord) -> Option<Action> {
        self.bindings.get(&(context, chord)).copied()
    }

    /// Says where a key of the user's own takes the place of another action, or has its place taken.
    pub fn shadows(&self, remaps: &[Remap]) -> Vec<String> {
        // All that have keys of their own above the player's.
        let is_screen = |context: &Context| context.layers().len() > 2;
        let screens: Vec<Context> = Context::ALL.iter().copied().filter(is_screen).collect();
        let table = Self::default();
        let mut told: Vec<(String, String, Vec<&str>)> = Vec::new();
        for remap in remaps {
            let Some(action) = Action::by_id(&remap.action) else { continue };
            let places = |&key: &Chord| screens.iter().map(move |&on| (key, on)).collect::<Vec<_>>();
            for (chord, screen) in self.keys(action).iter().flat_map(places) {
                let all: Vec<Action> =
                    screen.layers().iter().filter_map(|&context| self.bound(context, chord)).collect();
                let Some((&wins, hidden)) = all.split_first() else { continue };
                for &loses in hidden.iter().filter(|&&other| wins == action || other == action) {
                    // What the table itself lays over each other is meant.
                    if wins == loses || [wins, loses].iter().all(|&one| table.keys(one).contains(&chord)) {
                        continue;
                    }
                    // What is lost comes first, the place last: a narrow window cuts the end.
                    let words = format!("`{chord}` does {} and not {} on", wins.spec().id, loses.spec().id);
                    let place = format!("{}:{}", remap.origin, remap.line);
                    match told.iter_mut().find(|(known, at, _)| *known == words && *at == place) {
                        Some((_, _, screens)) => screens.push(screen.name()),
                        None => told.push((words, place, vec![screen.name()])),
                    }
                }
            }
        }
        let all = screens.len();
        let say = |(words, place, screens): (String, String, Vec<&str>)| {
            let on = if screens.len() == all { "any screen".to_owned() } else { screens.join(", ") };
            format!("{words} {on} ({place})")
        };
        told.into_iter().map(say).collect()
    }

    /// Lists the keys of an action as they were written, whether or not they work here.
    pub fn keys(&self, action: Action) -> &[Chord] {
        self.written.get(action as usize).map_or(&[], |(chords, _)| chords.as_slice())
    }

    /// Lists those keys of an action that do it in these contexts, best first.
    pub fn keys_here<'a>(
        &'a self,
        layers: &'a [Context],
        action: Action,
    ) -> impl Iterator<Item = Chord> + 'a {
        self.keys(action).iter().copied().filter(move |&chord| self.find(layers, chord) == Some(action))
    }

    /// Writes the first key of an action that works here, as the footer shows it; a range of digits as `0-9`.
    pub fn label_here(&self, layers: &[Context], action: Action, ascii: bool) -> Option<String> {
        self.keys_here(layers, action).next().map(|chord| self.label(action, chord, ascii))
    }

    /// Writes all keys of an action that work here, with a space between.
    pub fn labels_here(&self, layers: &[Context], action: Action, ascii: bool) -> String {
        let mut out = String::new();
        for chord in self.keys_here(layers, action) {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&self.label(action, chord, ascii));
            if self.is_range(action, chord) {
                break;
            }
        }
        out
    }

    fn is_range(&self, action: Action, chord: Chord) -> bool {
        self.written.get(action as usize).is_some_and(|(_, range)| *range == Some(chord))
    }

    fn label(&self, action: Action, chord: Chord, ascii: bool) -> String {
        let mut label = chord.label(ascii);
        if self.is_range(action, chord) {
            label.push_str("-9");
        }
        label
    }

    /// Lists the rows of the table that have a meaning in these contexts, those of the winning context first.
    pub fn actions_here<'a>(
        &self,
        layers: &'a [Context],
    ) -> impl Iterator<Item = (Context, &'static Spec)> + 'a {
        layers.iter().flat_map(move |&context| {
            ACTIONS
                .iter()
                .filter(move |spec| spec.contexts.contains(&context))
                .map(move |spec| (context, spec))
        })
    }
}

impl Default for Keymap {
    /// The table's own keys.
    fn default() -> Self {
        // A test holds that the table alone always builds.
        Self::build(&[]).unwrap_or_else(|_| Self { bindings: FxHashMap::default(), written: Vec::new() })
    }
}

fn read_all<'a>(keys: impl Iterator<Item = &'a str>, place: &str) -> Result<Written, KeymapError> {
    let mut chords = Vec::new();
    let mut range = None;
    for key in keys {
        let read = Chord::parse_range(key)
            .map_err(|source| KeymapError::NoKey { place: place.to_owned(), source })?;
        if read.len() > 1 {
            range = read.first().copied();
        }
        chords.extend(read);
    }
    Ok((chords, range))
}

/// Finds the id that shares most of its letters, in order, with what was written.
fn nearest_id(written: &str) -> Option<&'static str> {
    if let Some(near) = nearest(written, ACTIONS.iter().map(|spec| spec.id)).into_iter().next() {
        return Some(near);
    }
    let name = |id: &'static str| id.split_once('.').map_or(id, |(_, name)| name);
    let wanted = written.split_once('.').map_or(written, |(_, name)| name);
    let common = |id: &'static str| {
        let mut letters = wanted.chars().take(64);
        let mut next = letters.next();
        let mut shared = 0usize;
        for c in name(id).chars() {
            if next == Some(c) {
                shared += 1;
                next = letters.next();
            }
        }
        2 * shared >= name(id).len().max(1) && shared > 0
    };
    let group = written.split_once('.').map_or("", |(group, _)| group);
    let near = |same_group: bool| {
        let mut ids = ACTIONS.iter().map(|spec| spec.id);
        ids.find(|id| (!same_group || id.starts_with(group)) && (name(id) == wanted || common(id)))
    };
    near(true).or_else(|| near(false))
}

/// Writes keys.toml with every action, its keys and what it does: the file that comes with the program.
pub fn default_file() -> String {
    let mut out = String::from(
        "# Keys. Every line here says the default; copy only what you change. A key or a list of keys; [] for none.\n\
         # Keys are written as a character, or space enter esc tab backspace delete insert up down left right home end\n\
         # pageup pagedown f1..f24, with ctrl-, alt-, shift- before them; 0..9 means all ten digits. A screen's keys win\n\
         # over the player's (in replay), and those over the global ones. Ctrl-C always quits and cannot be given away.\n",
    );
    let mut group = "";
    for spec in ACTIONS {
        let (this, name) = spec.id.split_once('.').unwrap_or(("app", spec.id));
        if this != group {
            group = this;
            out.push_str("\n[");
            out.push_str(group);
            out.push_str("]\n");
        }
        let keys: Vec<String> = spec.keys.iter().map(|key| format!("\"{key}\"")).collect();
        let line = format!("{name} = [{}]", keys.join(", "));
        let _ = writeln!(out, "{line:<48} # {}", spec.doc);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn a_key_that_hides_another_action_is_told_and_the_tables_own_are_not() {
        let shadows = |text: &str| {
            let remaps = keys::read("keys.toml", text).unwrap();
            Keymap::build(&remaps).unwrap().shadows(&remaps)
        };
        assert_eq!(
            shadows("[tune]\nnudge-down = \"q\"\n"),
            ["`q` does tune.nudge-down and not app.quit on tune (keys.toml:2)"]
        );
        let hidden = shadows("[app]\nquit = \"u\"\n");
        assert_eq!(hidden.len(), 1, "{hidden:?}");
        assert!(hidden[0].contains("and not app.quit on tune ("), "{hidden:?}");
        assert_eq!(
            shadows("[rollout]\nhold = \"q\"\n"),
            ["`q` does rollout.hold and not app.quit on rollout (keys.toml:2)"]
        );
        assert_eq!(shadows(&default_file()), Vec::<String>::new());
    }

    fn map(text: &str) -> Result<Keymap, KeymapError> {
        Keymap::build(&keys::read("keys.toml", text).unwrap())
    }

    fn chord(text: &str) -> Chord {
        text.parse().unwrap()
    }

    #[test]
    fn the_table_alone_builds_and_breaks_none_of_its_rules() {
        let keymap = Keymap::build(&[]).unwrap();
        for (&(_, chord), &action) in &keymap.bindings {
            assert_eq!(reserved(chord, action), None, "{chord} for {action:?}");
        }
    }

    #[test]
    fn every_action_that_has_a_key_is_reached_somewhere() {
        let keymap = Keymap::default();
        let all = [
            Context::Overview,
            Context::Tune,
            Context::Traffic,
            Context::Models,
            Context::Spend,
            Context::Events,
            Context::Quality,
            Context::Rollout,
            Context::Worlds,
            Context::Detail,
            Context::Prompt,
            Context::Ask,
            Context::Confirm,
            Context::Palette,
            Context::Help,
        ];
        for spec in ACTIONS.iter().filter(|spec| !spec.keys.is_empty()) {
            let reached =
                all.iter().any(|context| keymap.keys_here(context.layers(), spec.action).next().is_some());
            assert!(reached, "{} is hidden everywhere", spec.id);
        }
    }

    #[test]
    fn a_screen_hides_no_key_of_the_player_without_leaving_another() {
        let keymap = Keymap::default();
        for screen in [
            Context::Overview,
            Context::Tune,
            Context::Traffic,
            Context::Models,
            Context::Spend,
            Context::Detail,
        ] {
            for spec in ACTIONS.iter().filter(|spec| spec.contexts == [Context::Player]) {
                let here = keymap.keys_here(screen.layers(), spec.action).next();
                assert!(here.is_some(), "{} cannot be reached on {}", spec.id, screen.name());
            }
            for spec in
                ACTIONS.iter().filter(|spec| spec.contexts == [Context::Global] && !spec.keys.is_empty())
            {
                let here = keymap.keys_here(screen.layers(), spec.action).next();
                let hidden = matches!(spec.action, Action::Back);
                assert!(here.is_some() || hidden, "{} cannot be reached on {}", spec.id, screen.name());
            }
        }
    }

    #[test]
    fn the_screen_wins_over_the_player_and_the_player_over_the_rest() {
        let keymap = Keymap::default();
        let on = |screen: Context, key| keymap.find(screen.layers(), chord(key));
        assert_eq!(on(Context::Tune, "left"), Some(Action::NudgeDown));
        assert_eq!(on(Context::Overview, "left"), Some(Action::Back10s));
        assert_eq!(on(Context::Tune, "<"), Some(Action::Back10s));
        assert_eq!(on(Context::Overview, "f"), Some(Action::Freeze));
        assert_eq!(on(Context::Overview, "space"), Some(Action::Play));
        assert_eq!(on(Context::Tune, "3"), Some(Action::TypeValue));
        assert_eq!(on(Context::Tune, "f3"), Some(Action::Traffic));
        assert_eq!(on(Context::Prompt, "q"), None, "letters are typed, not obeyed, in a prompt");
        assert_eq!(on(Context::Prompt, "ctrl-c"), Some(Action::Quit));
    }

    #[test]
    fn ranges_are_shown_as_such() {
        let keymap = Keymap::default();
        let tune = Context::Tune.layers();
        assert_eq!(keymap.label_here(tune, Action::TypeValue, false).unwrap(), "0-9");
        assert_eq!(keymap.label_here(tune, Action::JumpTenth, false).unwrap(), "Alt-0-9");
        assert_eq!(keymap.labels_here(tune, Action::Back10s, false), "< Alt-←");
    }

    #[test]
    fn the_users_keys_take_the_place_of_the_tables() {
        let keymap = map("[app]\nquit = [\"x\", \"Q\"]\n[tune]\nflipped = []\n[spend]\nwhy = []").unwrap();
        let layers = Context::Overview.layers();
        assert_eq!(keymap.find(layers, chord("x")), Some(Action::Quit));
        assert_eq!(keymap.find(layers, chord("q")), None);
        assert_eq!(keymap.find(Context::Tune.layers(), chord("x")), Some(Action::Quit));
    }

    #[test]
    fn what_cannot_be_is_refused_with_names_and_line() {
        for (text, words) in [
            ("[tune]\napply = \"u\"", &["keys.toml:2", "`u`", "tune.apply", "tune.undo"][..]),
            ("[app]\nquit = \"ctrl-s\"", &["keys.toml:2", "ctrl-s", "app.quit", "terminal"]),
            ("[app]\nhelp = \"ctrl-c\"", &["Ctrl-C always quits"]),
            ("[app]\nzoom = \"ctrl-z\"", &["Ctrl-Z suspends"]),
            ("[app]\nhelp = \"hyper-x\"", &["keys.toml:2", "hyper-x"]),
            ("[tune]\naply = \"a\"", &["tune.aply", "tune.apply"]),
        ] {
            let message = map(text).unwrap_err().to_string();
            for word in words {
                assert!(message.contains(word), "{message} should say {word}");
            }
        }
    }

    #[test]
    fn the_file_that_comes_with_the_program_says_the_defaults() {
        assert_eq!(
            keys::DEFAULT_KEYS,
            default_file(),
            "config/keys.toml is what default_file() writes; write it anew"
        );
        assert_eq!(map(keys::DEFAULT_KEYS).unwrap(), Keymap::default());
    }
}
