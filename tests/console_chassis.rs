//! The console's chassis from outside: themes, glyphs and widgets at every size, and the bytes that reach a terminal.

use pointsman::config::themes;
use pointsman::console::theme::colour::{self, Blindness};
use pointsman::console::theme::{Catalogue, Depth, Mode, Role, Theme};
use ratatui::style::Color;

fn catalogue() -> Catalogue {
    Catalogue::new(themes::built_in())
}

fn load(name: &str, depth: Depth) -> Theme {
    let (theme, warnings) = catalogue().load(name, depth).expect("the theme is built in");
    assert!(warnings.is_empty(), "{name}: {warnings:?}");
    theme
}

/// Themes that paint their own ground.
fn painted() -> Vec<Theme> {
    let names: Vec<&str> = themes::BUILT_IN.iter().map(|theme| theme.0).collect();
    let all = names.iter().map(|name| load(name, Depth::True));
    all.filter(|theme| theme.mode() != Mode::Either).collect()
}

fn seen(colour: Option<Color>) -> [u8; 3] {
    colour.and_then(colour::rgb).expect("a painted theme names its colours")
}

#[test]
fn every_theme_names_every_role() {
    let catalogue = catalogue();
    for (name, _) in themes::BUILT_IN {
        load(name, Depth::True);
        assert_eq!(catalogue.unnamed(name), Vec::new(), "{name} leaves roles out");
    }
}

#[test]
fn text_is_readable_on_its_ground() {
    let themes = painted();
    assert!(themes.len() >= 7, "themes that paint their ground are missing");
    for theme in themes {
        for (ground, of) in
            [(theme.base(), "frame"), (theme.popup(), "popup"), (theme.style(Role::Header), "header")]
        {
            let bg = seen(ground.bg);
            for (role, least) in [
                (Role::Text, 4.5),
                (Role::Muted, 3.0),
                (Role::Ok, 3.0),
                (Role::Warn, 3.0),
                (Role::Error, 3.0),
                (Role::Applied, 3.0),
                (Role::Staged, 3.0),
                (Role::Key, 3.0),
                (Role::Estimated, 3.0),
            ] {
                let contrast = colour::contrast(seen(theme.style(role).fg), bg);
                assert!(
                    contrast >= least,
                    "{}: {} on the {of} has only {contrast:.2}",
                    theme.name(),
                    role.name()
                );
            }
        }
        for role in [Role::Selection, Role::Toast] {
            let style = theme.style(role);
            let contrast = colour::contrast(seen(style.fg), seen(style.bg));
            assert!(contrast >= 4.5, "{}: {} has only {contrast:.2}", theme.name(), role.name());
        }
        for role in Role::SERIES {
            let contrast = colour::contrast(seen(theme.style(role).fg), seen(theme.base().bg));
            assert!(contrast >= 3.0, "{}: {} has only {contrast:.2}", theme.name(), role.name());
        }
    }
}

#[test]
fn models_stay_apart_for_the_colour_blind() {
    for name in ["colorblind-dark", "colorblind-light"] {
        let theme = load(name, Depth::True);
        let groups: [&[Role]; 3] =
            [&Role::SERIES, &[Role::Applied, Role::Staged], &[Role::Better, Role::Worse, Role::Muted]];
        for group in groups {
            for (at, a) in group.iter().enumerate() {
                for b in &group[..at] {
                    let (x, y) = (seen(theme.style(*a).fg), seen(theme.style(*b).fg));
                    for eyes in [Blindness::Deuteranopia, Blindness::Protanopia] {
                        let apart = colour::distance(colour::seen_by(x, eyes), colour::seen_by(y, eyes));
                        assert!(
                            apart >= 0.08,
                            "{name}, {eyes:?}: {} and {} are {apart:.3}",
                            a.name(),
                            b.name()
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_default_theme_keeps_to_the_terminals_own_colours() {
    let theme = load("terminal", Depth::True);
    for &role in Role::ALL {
        let style = theme.style(role);
        assert!(matches!(style.bg, None | Some(Color::Reset)), "{} sets a ground", role.name());
        let unsafe_on_some_ground =
            [Color::Yellow, Color::LightYellow, Color::White, Color::Gray, Color::Black];
        let fg = style.fg.unwrap_or(Color::Reset);
        assert!(!unsafe_on_some_ground.contains(&fg), "{} is {fg:?}", role.name());
        assert!(!matches!(fg, Color::Rgb(..) | Color::Indexed(_)), "{} is {fg:?}", role.name());
    }
}

#[test]
fn a_poorer_terminal_gets_no_colour_it_does_not_have() {
    for (name, _) in themes::BUILT_IN {
        for depth in [Depth::None, Depth::Sixteen, Depth::Indexed] {
            let theme = load(name, depth);
            for &role in Role::ALL {
                let style = theme.style(role);
                for colour in [style.fg, style.bg].into_iter().flatten() {
                    let had = match depth {
                        Depth::None => colour == Color::Reset,
                        Depth::Sixteen => !matches!(colour, Color::Rgb(..) | Color::Indexed(_)),
                        Depth::Indexed | Depth::True => !matches!(colour, Color::Rgb(..)),
                    };
                    assert!(had, "{name} at {depth:?}: {} is {colour:?}", role.name());
                }
            }
        }
    }
}
