//! The worlds there are: those that come with the program, and one's own.

use std::sync::LazyLock;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::config::world::{BUILTIN, parse};
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::text;
use crate::console::theme::Role;

/// A world of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnWorld {
    /// Its file.
    pub name: String,
    /// What it is, in its own words; or what is wrong with it.
    pub about: Result<String, String>,
}

/// What those that come along say of themselves.
static ABOUT: LazyLock<Vec<String>> = LazyLock::new(|| {
    let about = |(name, text): &(&str, &str)| {
        parse(text, name).map(|world| format!("{}. {}", world.title, world.about)).unwrap_or_default()
    };
    BUILTIN.iter().map(about).collect()
});

/// Counts them.
pub(super) fn count(own: &[OwnWorld]) -> usize {
    BUILTIN.len() + own.len()
}

/// Names the one at a place.
pub(super) fn name(own: &[OwnWorld], place: usize) -> Option<&str> {
    let builtin = BUILTIN.get(place).map(|(name, _)| *name);
    builtin.or_else(|| own.get(place.checked_sub(BUILTIN.len())?).map(|one| one.name.as_str()))
}

/// Finds the place of one.
pub(super) fn place(own: &[OwnWorld], wanted: &str) -> Option<usize> {
    (0..count(own)).find(|place| name(own, *place) == Some(wanted))
}

/// Says what the one at a place is; an error is what is wrong with it.
pub(super) fn about(own: &[OwnWorld], place: usize) -> Result<&str, &str> {
    match ABOUT.get(place) {
        Some(about) => Ok(about),
        None => match place.checked_sub(BUILTIN.len()).and_then(|at| own.get(at)).map(|one| &one.about) {
            Some(Ok(about)) => Ok(about),
            Some(Err(why)) => Err(why),
            None => Ok(""),
        },
    }
}

/// Returns the file's own name, which is what tells files apart in a narrow list.
pub(super) fn short(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// Draws the list.
pub(super) fn draw(scene: Scene<'_>, own: &[OwnWorld], chosen: usize, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let inner = figures::frame(scene, 0, "Worlds", "", area, buf);
    let visible = usize::from(inner.height);
    let offset = (chosen + 1).saturating_sub(visible);
    for (line, place) in (0..inner.height).zip(offset..count(own)) {
        let at = paint::nth_row(inner, line);
        let (sign, rest) = paint::split_left(at, 2);
        if place == chosen {
            look.sign(buf, sign.x, sign.y, look.glyphs.chosen, Role::Accent);
        }
        let words = name(own, place).map(short).unwrap_or_default();
        let role = match about(own, place) {
            Err(_) => Role::Warn,
            Ok(_) if place < BUILTIN.len() => Role::Text,
            Ok(_) => Role::Accent,
        };
        look.text(buf, rest, &text::clean(words), role);
        if place == chosen && scene.view.focus == 0 {
            paint::choose(buf, at, look.style(Role::Selection));
        }
    }
}
