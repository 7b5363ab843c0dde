//! The worlds there are: those that come with the program, and one's own; and what stands in place of a comparison: what the chosen
//! world is, how far branches have come, why there are none.

use std::sync::LazyLock;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::config::world::{BUILTIN, parse};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::bars;
use crate::console::{format, paint, text};
use crate::session::{BranchState, Snapshot};

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

/// Says from when on the chosen world would hold.
fn from(snapshot: &Snapshot) -> String {
    let Some((first, _)) = snapshot.log.bounds() else { return "no request has come yet".to_owned() };
    if snapshot.head < snapshot.log.len() && snapshot.clock > first {
        format!("from the play head on, {} UTC", figures::moment(snapshot, snapshot.clock))
    } else if snapshot.head < snapshot.log.len() || snapshot.window.window.is_none() {
        "from the log's first request on".to_owned()
    } else {
        format!(
            "over the last {}: nothing lies ahead of the play head",
            figures::window(snapshot).trim_start_matches("last ")
        )
    }
}

/// Draws the panel beside the list.
pub(super) fn draw_told(
    scene: Scene<'_>,
    (own, chosen): (&[OwnWorld], usize),
    state: &BranchState,
    area: Rect,
    buf: &mut Buffer,
) {
    let look = scene.look;
    let mut below = figures::page(scene, 1, "Branches side by side", "not tried yet", area, buf);
    let mut say = |words: &str, role: Role, buf: &mut Buffer| {
        below = figures::say(scene, words, role, below, buf);
    };
    match state {
        BranchState::Running { file, done, total } => {
            let share = format::percent(*done, *total);
            let all = format::count(*total);
            say(&format!("{file}: {share} of {all} requests, all branches together"), Role::Text, buf);
            say("x cancels", Role::Muted, buf);
            let (bar, _) = paint::split_top(below, 1);
            bars::bar(buf, bar, figures::thousandths(*done, *total), look.style(Role::GaugeFill), look);
            return;
        }
        BranchState::Failed { file, why } => {
            say(&format!("{file} was not tried: {why}"), Role::Warn, buf);
            say("", Role::Text, buf);
        }
        BranchState::Idle | BranchState::Done(_) => {}
    }
    match about(own, chosen) {
        Ok(about) => say(about, Role::Text, buf),
        Err(why) => say(why, Role::Warn, buf),
    }
    say("", Role::Text, buf);
    say(&format!("Enter tries it {}.", from(scene.snapshot)), Role::Title, buf);
    let more = "a tries it beside a policy or thresholds of yours, or another file; what is staged on Tune is a branch, too.";
    say(more, Role::Muted, buf);
}
