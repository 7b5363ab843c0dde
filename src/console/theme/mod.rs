//! Looks: what each meaning on screen is drawn with.
//!
//! A theme is read from text ([`Catalogue::load`]), reduced to what the terminal can show, and then only looked up.
//! Invariant: this never reads a file, the environment or the terminal; and no theme text, however wrong, stops it.

pub mod colour;
mod file;
mod role;

use ratatui::style::{Color, Modifier, Style};

pub use crate::config::themes::ThemeText;
pub use colour::{Depth, TerminalEnv};
pub use file::{Catalogue, Warning};
pub use role::Role;

use super::ground::Ground;

/// Whether a theme is meant for a dark or a light ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Light text on dark.
    #[default]
    Dark,
    /// Dark text on light.
    Light,
    /// Whatever the terminal has.
    Either,
}

/// A loaded theme: one style for each [`Role`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    name: Box<str>,
    mode: Mode,
    styles: Box<[Style]>,
}

impl Theme {
    /// Returns the theme's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says what ground it is meant for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the style of a role: a patch to lay over [`Theme::base`].
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// Returns the style that the whole frame is painted with before anything else.
    pub fn base(&self) -> Style {
        let text = self.style(Role::Text);
        Style { fg: text.fg.or(Some(Color::Reset)), bg: text.bg.or(Some(Color::Reset)), ..text }
    }

    /// Returns the ground of popups: the base with the popup's own colours over it.
    pub fn popup(&self) -> Style {
        self.base().patch(self.style(Role::Popup))
    }

    /// Returns the style of the `index`th model.
    pub fn series(&self, index: usize) -> Style {
        self.style(Role::series(index))
    }

    /// Returns this theme as a terminal of less colour can show it.
    #[must_use]
    pub fn reduced(&self, depth: Depth) -> Self {
        let base = self.base();
        let (ground, ink) = (base.bg, base.fg.map(|c| colour::reduce(c, depth)));
        let reduced_ground = ground.map(|c| colour::reduce(c, depth));
        let styles = self.styles.iter().map(|&style| {
            let mut less = Style {
                fg: style.fg.map(|c| colour::reduce(c, depth)),
                bg: style.bg.map(|c| colour::reduce(c, depth)),
                ..style
            };
            // A ground that told something apart and no longer does is told by reversing instead.
            let told = style.bg.is_some() && style.bg != ground;
            let lost = told && (less.bg == reduced_ground || less.bg == Some(Color::Reset));
            let unreadable = less.bg.is_some() && less.fg.or(ink) == less.bg && less.bg != Some(Color::Reset);
            if lost || unreadable {
                less = Style { fg: ink, bg: reduced_ground, ..less }.add_modifier(Modifier::REVERSED);
            }
            less
        });
        Self { name: self.name.clone(), mode: self.mode, styles: styles.collect() }
    }
}

/// Chooses the theme that `auto` stands for. Where there are only the terminal's own sixteen colours it is `terminal`, which
/// reads on any ground; else the ground decides, as the terminal told it or as `COLORFGBG` (such as `15;0`) has it. Where
/// neither says, `dark` paints its own.
pub fn auto_theme(depth: Depth, told: Option<Ground>, colorfgbg: Option<&str>) -> &'static str {
    if depth <= Depth::Sixteen {
        return "terminal";
    }
    let by_variable =
        colorfgbg.and_then(|value| value.rsplit(';').next()).and_then(|last| match last.parse::<u8>() {
            Ok(0..=6 | 8) => Some(Ground::Dark),
            Ok(7 | 9..=15) => Some(Ground::Light),
            _ => None,
        });
    match told.or(by_variable) {
        Some(Ground::Light) => "light",
        Some(Ground::Dark) | None => "dark",
    }
}

impl Default for Theme {
    /// The look of a terminal without colours and modifiers, for use where no theme could be read.
    fn default() -> Self {
        let styles = Role::ALL.iter().map(|role| match role {
            Role::Selection | Role::Toast | Role::TabActive => Style::new().add_modifier(Modifier::REVERSED),
            _ => Style::new(),
        });
        Self { name: "plain".into(), mode: Mode::Either, styles: styles.collect() }
    }
}
