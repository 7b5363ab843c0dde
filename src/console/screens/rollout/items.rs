//! The list: rollouts, limits that are steered towards, automations, and plans that have not begun; and what stands in its place
//! where there is none of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Slot, Table, TableState, Width};
use crate::console::{paint, text};
use crate::rollout::Plan;
use crate::session::{AutomationRow, RolloutRow, Snapshot, SteerRow};

/// The plans of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plans {
    /// The file, as it is named on screen.
    pub origin: String,
    /// What stands in it.
    pub list: Vec<Plan>,
    /// What is wrong with it; empty where nothing is.
    pub problem: String,
}

impl Plans {
    /// Says why there are none.
    pub(super) fn missing(&self) -> String {
        match (&*self.problem, &*self.origin) {
            ("", "") => "no plan is there: write rollouts.toml into the configuration folder".to_owned(),
            ("", origin) => format!("no plan is there: write one into {origin}"),
            (problem, _) => problem.to_owned(),
        }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    /// A rollout under way or lately over.
    Rollout(&'a RolloutRow),
    /// A limit that is steered towards.
    Steering(&'a SteerRow),
    /// An automation.
    Automation(&'a AutomationRow),
    /// A plan that has not begun, and why it cannot.
    Plan(&'a Plan, Option<String>),
}

impl Item<'_> {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Rollout(_) => "rollout",
            Self::Steering(_) => "steering",
            Self::Automation(_) => "automation",
            Self::Plan(..) => "plan",
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Rollout(row) => &row.name,
            Self::Steering(row) => &row.limit,
            Self::Automation(row) => &row.name,
            Self::Plan(plan, _) => &plan.name,
        }
    }

    pub(super) fn is(&self, kind: &str, name: &str) -> bool {
        self.kind() == kind && self.name() == name
    }

    /// Says in a few words where it stands, and how that is to be looked at.
    fn stands(&self) -> (String, Role) {
        match self {
            Self::Rollout(row) => {
                let role = match &*row.phase {
                    "held" | "taken back" => Role::Warn,
                    "done" => Role::Ok,
                    _ => Role::Text,
                };
                let lacks = match row.lacks.len() {
                    _ if !row.is_open() => String::new(),
                    0 => ", lacks nothing".to_owned(),
                    many => format!(", lacks {}", crate::units::counted(many as u64, "thing")),
                };
                (format!("{}{lacks}", row.place()), role)
            }
            Self::Steering(row) => {
                let role = match &*row.heading {
                    "out of reach" | "too slow" => Role::Warn,
                    "moves" if !row.acts => Role::Accent,
                    _ => Role::Text,
                };
                let does = match (&*row.heading, row.acts) {
                    ("moves", true) => "moves thresholds by itself".to_owned(),
                    ("moves", false) => {
                        format!("proposes {}", crate::units::counted(row.moves.len() as u64, "move"))
                    }
                    (heading, _) => heading.to_owned(),
                };
                (does, role)
            }
            Self::Automation(row) => {
                let AutomationRow { share, most, .. } = row;
                let shift = match (row.acts, share) {
                    (_, 0) => "quiet".to_owned(),
                    (true, _) => format!("shifts {share}‰ of {most}‰"),
                    (false, _) => format!("would shift {share}‰ of {most}‰"),
                };
                let mode = if row.acts { "acts" } else { "dry run" };
                if row.refused.is_empty() {
                    (format!("{mode}, {shift}"), if *share > 0 { Role::Accent } else { Role::Muted })
                } else {
                    (format!("refused: {}", row.refused), Role::Warn)
                }
            }
            Self::Plan(_, Some(why)) => (format!("cannot begin: {why}"), Role::Warn),
            Self::Plan(plan, None) => (format!("not begun, for route {}", plan.route), Role::Muted),
        }
    }
}

/// Lists what a live session tells, and the plans that are not under way.
pub(super) fn items<'a>(snapshot: &'a Snapshot, plans: &'a Plans) -> Vec<Item<'a>> {
    let Some(live) = &snapshot.live else { return Vec::new() };
    let status = &live.status;
    let is_open = |plan: &&Plan| !status.rollouts.iter().any(|row| row.is_open() && row.name == *plan.name);
    let rollouts = status.rollouts.iter().map(Item::Rollout);
    let steering = status.steering.iter().map(Item::Steering);
    let automations = status.automations.iter().map(Item::Automation);
    let plans = plans.list.iter().filter(is_open).map(|plan| {
        let spec = snapshot.policy.spec(&snapshot.log.names);
        Item::Plan(plan, plan.staged(&spec, 0).err())
    });
    rollouts.chain(steering).chain(automations).chain(plans).collect()
}

const COLUMNS: [Column<'static>; 4] = [
    Column::left("", Width::Fixed(1), 0),
    Column::left("name", Width::Fill(18), 0),
    Column::left("kind", Width::Fixed(10), 0),
    Column::left("where it stands", Width::Fill(34), 0),
];

/// Draws the list.
pub(super) fn draw(scene: Scene<'_>, items: &[Item<'_>], state: TableState, area: Rect, buf: &mut Buffer) {
    let open = items.iter().filter(|item| matches!(item, Item::Rollout(row) if row.is_open())).count();
    let read_only = scene.snapshot.live.as_ref().and_then(|live| live.read_only.as_deref());
    let scope = match (read_only, open) {
        (Some(why), _) => format!("read only: {why}"),
        (None, 0) => "no rollout under way".to_owned(),
        (None, many) => format!("{} under way", crate::units::counted(many as u64, "rollout")),
    };
    let title = if area.width < 90 { "What changes routes" } else { "What changes routes step by step" };
    let inner = figures::page(scene, 0, title, &scope, area, buf);
    let focus = scene.view.focus == 0;
    let table = Table { columns: &COLUMNS, rows: items.len(), sorted: None, state, focus };
    table.render(inner, buf, scene.look, |buf, slot| cell(items, slot, buf));
}

fn cell(items: &[Item<'_>], slot: Slot<'_>, buf: &mut Buffer) {
    let Some(item) = items.get(slot.row) else { return };
    match slot.column {
        0 => slot.mark_chosen(buf),
        1 => slot.say(buf, &text::clean(item.name()), Role::Text),
        2 => slot.say(buf, item.kind(), Role::Muted),
        3 => {
            let (words, role) = item.stands();
            slot.say(buf, &text::clean(&words), role);
        }
        _ => {}
    }
}

/// Draws the screen where there is nothing to list.
pub(super) fn draw_none(scene: Scene<'_>, plans: &Plans, area: Rect, buf: &mut Buffer) {
    let is_replay = scene.snapshot.live.is_none();
    let scope = if is_replay { "a replay rolls nothing out" } else { "nothing is under way" };
    let title = "Rollouts, steering, automations";
    let inner = figures::page(scene, 0, title, scope, area, buf);
    let words: &[&str] = if is_replay {
        &[
            "A log has the policies that rollouts brought, and each request's lot; the rollouts themselves were the gateway's.",
            "What they would have done over this log is simulated outside of the console:",
            "",
            "- pointsman rollout LOG --name NAME: when each step would have come, both sides, what was missing",
            "- pointsman steer LOG --budgets budgets.toml: what each window would have cost, how often thresholds move",
            "- pointsman automations LOG: when each would have shifted what",
            "",
        ]
    } else {
        &[
            "Nothing is rolled out, steered towards or automated here.",
            "",
            "- a rollout: a plan in rollouts.toml, which this screen then lists and S starts",
            "- steering: steer in budgets.toml moves thresholds so that a limit lasts",
            "- an automation: automations.toml shifts a share of a route while a signal says so",
            "",
        ]
    };
    let mut below = paint::split_top(inner, u16::from(inner.height > 14)).1;
    for words in words {
        below = figures::say(scene, words, Role::Text, below, buf);
    }
    let names: Vec<&str> = plans.list.iter().map(|plan| &*plan.name).collect();
    let (words, role) = match (&*plans.problem, names.as_slice()) {
        ("", []) => (plans.missing(), Role::Muted),
        ("", names) => (format!("plans in {}: {}", plans.origin, names.join(", ")), Role::Muted),
        (problem, _) => (problem.to_owned(), Role::Warn),
    };
    figures::say(scene, &words, role, below, buf);
}
