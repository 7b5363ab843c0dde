//! The budgets that a log is played against: of a file that is named, those that it brings along, or one's own.
//!
//! Invariant: a command that plays logs goes by the same limits as every other.

use std::path::Path;

use super::output;
use crate::app::unbound_in;
use crate::budget::LimitHistory;
use crate::config::{self, budgets};
use crate::record::BudgetFiles;
use crate::sample;
use crate::session::Player;

/// How budgets are called that a log brings along.
const BROUGHT: &str = "the log's own budgets";

/// What may help where a file of budgets cannot be read.
pub(super) const NONE_YET: &str =
    "\nhint: write one with `pointsman budgets set`, or name a file with --budgets";

/// Plays a log against the budgets of a file, of one's own, or of the sample.
///
/// # Errors
/// Where the file cannot be used; that there is none of one's own is none.
pub(super) fn play(player: &mut Player, named: Option<&Path>, is_sample: bool) -> anyhow::Result<()> {
    let brought = player.log().budgets.clone();
    let (limits, name) = of_log(named, (is_sample, &brought))?.unwrap_or_default();
    for words in &unbound_in(player.log(), limits.all()) {
        output::remark(words);
    }
    player.set_alerts(super::alert_rules::rules()?, &limits, name);
    Ok(())
}

/// Reads the budgets that a log is played against, with where they are from: of a file that is named, of the log itself, or of
/// one's own.
///
/// # Errors
/// Where the file cannot be used; that there is none of one's own is none.
pub(super) fn of_log(
    named: Option<&Path>,
    (is_sample, brought): (bool, &BudgetFiles),
) -> anyhow::Result<Option<(LimitHistory, String)>> {
    if named.is_none() && !brought.is_empty() {
        return Ok(Some((brought_limits(brought)?, BROUGHT.to_owned())));
    }
    if named.is_none() && is_sample {
        let limits = budgets::parse(sample::BUDGETS, "the sample's budgets")?;
        return Ok(Some((limits.into(), "the sample's".to_owned())));
    }
    let own = || config::own_file(budgets::FILE);
    let Some(path) = named.map(Path::to_path_buf).or_else(own) else { return Ok(None) };
    let (name, text) = config::named_text(&path, if named.is_some() { "" } else { NONE_YET })?;
    Ok(Some((budgets::parse(&text, &name)?.into(), name)))
}

/// Reads the limits that a log brings along, each from its moment on.
///
/// # Errors
/// Where one of its files cannot be used.
pub(super) fn brought_limits(files: &BudgetFiles) -> anyhow::Result<LimitHistory> {
    let later = files
        .later
        .iter()
        .map(|(at, text)| Ok((*at, budgets::parse(text, &format!("{BROUGHT} from {}", at.rfc3339()))?)));
    let later = later.collect::<anyhow::Result<_>>()?;
    Ok(LimitHistory::new(budgets::parse(&files.first, BROUGHT)?, later))
}
