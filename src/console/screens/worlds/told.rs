//! What stands in place of a comparison: what the chosen world is, how far branches have come, why there are none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::list::{self, OwnWorld};
use crate::console::format;
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::gauge;
use crate::session::{BranchState, Snapshot};

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

/// Draws the panel.
pub(super) fn draw(
    scene: Scene<'_>,
    (own, chosen): (&[OwnWorld], usize),
    state: &BranchState,
    area: Rect,
    buf: &mut Buffer,
) {
    let look = scene.look;
    let mut below =
        paint::margin(figures::frame(scene, 1, "Branches side by side", "not tried yet", area, buf));
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
            gauge::bar(buf, bar, figures::thousandths(*done, *total), look.style(Role::GaugeFill), look);
            return;
        }
        BranchState::Failed { file, why } => {
            say(&format!("{file} was not tried: {why}"), Role::Warn, buf);
            say("", Role::Text, buf);
        }
        BranchState::Idle | BranchState::Done(_) => {}
    }
    match list::about(own, chosen) {
        Ok(about) => say(about, Role::Text, buf),
        Err(why) => say(why, Role::Warn, buf),
    }
    say("", Role::Text, buf);
    say(&format!("Enter tries it {}.", from(scene.snapshot)), Role::Title, buf);
    let more = "a tries it beside a policy or thresholds of yours, or another file; what is staged on Tune is a branch, too.";
    say(more, Role::Muted, buf);
}
