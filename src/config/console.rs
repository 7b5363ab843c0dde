//! How the console looks and behaves: `console.toml` read into plain values.
//!
//! Invariant: the file that comes with the program says exactly what holds without it.

use super::FileError;
use super::settings::settings;
use crate::units::{choice, from_toml};

/// The console.toml that comes with the program.
pub const DEFAULT_CONSOLE: &str = include_str!("../../config/console.toml");

settings! {
    /// How the console looks and behaves.
    pub struct ConsoleSettings {
        /// The theme's name, or `auto`: light or dark as the terminal says, `terminal` where it has sixteen colours.
        pub theme: String = "auto".to_owned(),
        /// The glyphs: `auto`, `braille`, `block` or `ascii`.
        pub glyphs: String = "auto".to_owned(),
        /// Whether the mouse is taken; the key for copying gives it back at any time.
        pub mouse: bool = true,
        /// The most redraws a second that data alone may cause; 0 chooses 10, or 4 over ssh.
        pub refresh_hz: u8 = 0,
        /// The screen to begin with: `overview`, `tune`, `traffic`, `models`, `spend`, `events`, `quality`, `rollout` or `worlds`.
        pub screen: String = "overview".to_owned(),
        /// The most bytes copied to the terminal's clipboard at once.
        pub copy_limit: usize = 74_994,
        /// How long a message stays, in seconds.
        pub message_seconds: u8 = 4,
        /// How a live console tells of a new alert: `bell`, `osc9` (a notification of the desktop, where the terminal has them) or `off`.
        pub alert: String = "bell".to_owned(),
    }
}

/// Reads a console file; what it leaves out keeps its default.
pub fn read(origin: &str, text: &str) -> Result<ConsoleSettings, FileError> {
    let settings: ConsoleSettings =
        from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let choices: [(&str, &str, &[&str]); 3] = [
        ("alert", &settings.alert, &["bell", "osc9", "off"]),
        ("glyphs", &settings.glyphs, &["auto", "braille", "block", "ascii"]),
        (
            "screen",
            &settings.screen,
            &["overview", "tune", "traffic", "models", "spend", "events", "quality", "rollout", "worlds"],
        ),
    ];
    for (key, value, allowed) in choices {
        if !allowed.contains(&value) {
            return Err(wrong_word(origin, text, key, value, allowed));
        }
    }
    Ok(settings)
}

/// Says that a word of a console file is none of those that are known.
pub fn wrong_word(origin: &str, text: &str, key: &str, word: &str, known: &[&str]) -> FileError {
    FileError::at(origin, text, &[key], format!("{key} is \"{word}\"; {}", choice(word, known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_comes_with_the_program_says_the_defaults() {
        assert_eq!(read("console.toml", DEFAULT_CONSOLE).unwrap(), ConsoleSettings::default());
        for key in
            ["theme", "glyphs", "mouse", "refresh-hz", "screen", "copy-limit", "message-seconds", "alert"]
        {
            assert!(
                DEFAULT_CONSOLE.lines().any(|line| line.starts_with(key)),
                "{key} should be shown to the user"
            );
        }
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line) in [("# x\nmouse = 3", 2), ("theem = \"dark\"", 1), ("\n\nglyphs = \"sparkles\"", 3)]
        {
            let error = read("console.toml", text).unwrap_err();
            assert_eq!(error.place.line, line, "{error}");
        }
    }
}
