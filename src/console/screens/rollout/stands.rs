//! What stands in place of the list: why there is nothing, and how something comes to be there.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::items::Plans;
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;

/// Draws the screen where there is nothing to list.
pub(super) fn draw_none(scene: Scene<'_>, plans: &Plans, area: Rect, buf: &mut Buffer) {
    let is_replay = scene.snapshot.live.is_none();
    let scope = if is_replay { "a replay rolls nothing out" } else { "nothing is under way" };
    let title = "Rollouts, steering, automations";
    let inner = paint::margin(figures::frame(scene, 0, title, scope, area, buf));
    let mut lines: Vec<(String, Role)> = Vec::new();
    let mut say = |words: &str, role| lines.push((words.to_owned(), role));
    if is_replay {
        say(
            "A log has the policies that rollouts brought, and each request's lot; the rollouts themselves were the gateway's.",
            Role::Text,
        );
        say("What they would have done over this log is simulated outside of the console:", Role::Text);
        say("", Role::Text);
        say(
            "- `pointsman rollout LOG --name NAME`: when each step would have come, both sides, what was missing",
            Role::Text,
        );
        say(
            "- `pointsman steer LOG --budgets budgets.toml`: what each window would have cost, how often thresholds move",
            Role::Text,
        );
        say("- `pointsman automations LOG`: when each would have shifted what", Role::Text);
    } else {
        say("Nothing is rolled out, steered towards or automated here.", Role::Text);
        say("", Role::Text);
        say("- a rollout: a plan in rollouts.toml, which this screen then lists and S starts", Role::Text);
        say("- steering: `steer` in budgets.toml moves thresholds so that a limit lasts", Role::Text);
        say("- an automation: automations.toml shifts a share of a route while a signal says so", Role::Text);
    }
    say("", Role::Text);
    match (&*plans.problem, plans.list.as_slice()) {
        ("", []) => say(&plans.missing(), Role::Muted),
        ("", list) => {
            let names: Vec<&str> = list.iter().map(|plan| &*plan.name).collect();
            say(&format!("plans in {}: {}", plans.origin, names.join(", ")), Role::Muted);
        }
        (problem, _) => say(problem, Role::Warn),
    }
    let mut below = paint::split_top(inner, u16::from(inner.height > 14)).1;
    for (words, role) in lines {
        below = figures::say(scene, &words, role, below, buf);
    }
}
