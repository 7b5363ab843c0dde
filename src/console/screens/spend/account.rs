//! What an account is called, and how it looks by how full it is.

use crate::budget::Mode;
use crate::console::text;
use crate::console::theme::Role;
use crate::session::BudgetRow;

/// From where on an account is something to look at, in thousandths of its limit.
pub(super) const WARN_FROM: u32 = 900;

/// Names an account: `teams / day`, and whose it is.
pub(super) fn name(row: &BudgetRow) -> String {
    let limit = format!("{} / {}", text::clean(&row.budget), row.window);
    match &row.member {
        Some(member) => format!("{limit} of {}", member_name(member)),
        None => limit,
    }
}

pub(super) fn member_name(member: &str) -> String {
    if member.is_empty() { "(not named)".to_owned() } else { text::clean(member).into_owned() }
}

/// How an account that is so full looks.
pub(super) fn role(row: &BudgetRow) -> Role {
    match (row.used(), row.mode) {
        (1000.., Mode::Hard) => Role::Error,
        (WARN_FROM.., Mode::Hard | Mode::Soft) => Role::Warn,
        (1000.., Mode::Observe) => Role::Accent,
        _ => Role::GaugeFill,
    }
}

/// How a text about an account looks; `calm` is for one that has room.
pub(super) fn text_role(row: &BudgetRow, calm: Role) -> Role {
    match role(row) {
        Role::GaugeFill => calm,
        role => role,
    }
}
