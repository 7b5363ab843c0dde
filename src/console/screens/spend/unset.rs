//! What stands where no budget is in force: what one says, and how to write it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;

/// Rows of the page.
pub(super) const ROWS: u16 = 14;

/// Draws the page.
pub(super) fn draw(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (look, live) = (scene.look, scene.snapshot.live.is_some());
    let inside =
        Panel { title: "No budgets", scope: "", focus: scene.view.focus == 0 }.render(area, buf, look);
    let inside = paint::margin(inside);
    let then = if live {
        "The gateway takes them up within a second."
    } else {
        "A log is played against the budgets of a file: pointsman LOG --budgets FILE"
    };
    let lines = [
        ("A budget says how much may be spent, by whom, in which window of time.", Role::Text),
        ("", Role::Text),
        ("Everybody together, by month and day", Role::Title),
        ("  pointsman budgets set company --limit month=2000 --limit day=150", Role::Accent),
        ("Each team by itself; search may spend more", Role::Title),
        ("  pointsman budgets set teams --each team --limit day=25 --special search:day=60", Role::Accent),
        ("Over it, go to cheaper models and refuse nothing", Role::Title),
        ("  pointsman budgets set teams --mode soft", Role::Accent),
        ("", Role::Text),
        ("That writes budgets.toml in the configuration folder.", Role::Muted),
        (then, Role::Muted),
        ("docs/budgets.md has every key.", Role::Muted),
    ];
    let spare = usize::from(inside.height) >= lines.len();
    let kept = lines.into_iter().filter(|(words, _)| spare || !words.is_empty());
    for (row, (words, role)) in (0..inside.height).zip(kept) {
        look.text(buf, paint::nth_row(inside, row), words, role);
    }
}
