//! Which budget lies within which: a team's within that of all, a project's within its team's, window by window.
//!
//! Invariant: every account stands there once, below a limit whose requests are all of its own and more.

use std::collections::BTreeSet;

use crate::session::BudgetRow;

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line<'a> {
    /// A limit that each member has to himself.
    Limit {
        /// Its accounts.
        of: &'a [BudgetRow],
    },
    /// An account.
    Account(&'a BudgetRow),
}

/// What the requests of a limit have in common, whoever draws on it: its traits without the member's.
fn scope(group: &[BudgetRow]) -> Option<&[(String, Vec<String>)]> {
    let first = group.first()?;
    let traits = first.traits.as_deref()?;
    Some(if is_each(group) { traits.get(..traits.len().saturating_sub(1))? } else { traits })
}

fn is_each(group: &[BudgetRow]) -> bool {
    group.iter().any(|row| row.member.is_some())
}

/// Says whether all requests of the inner are such of the outer.
fn within(inner: &[(String, Vec<String>)], outer: &[(String, Vec<String>)]) -> bool {
    outer.iter().all(|(dimension, values)| {
        let own = inner.iter().find(|(known, _)| known == dimension);
        own.is_some_and(|(_, own)| own.iter().all(|value| values.contains(value)))
    })
}

/// Finds the account that a limit lies in, the narrowest of several: its group and its row.
fn parent(groups: &[&[BudgetRow]], at: usize) -> Option<(usize, usize)> {
    let group = groups.get(at)?;
    let (inner, window) = (scope(group)?, &group.first()?.window);
    let candidates =
        groups.iter().enumerate().filter(|(other, _)| *other != at).flat_map(|(other, rows)| {
            rows.iter().enumerate().map(move |(row, account)| (other, row, account))
        });
    candidates
        .filter(|(.., account)| account.window == *window)
        .filter_map(|(other, row, account)| {
            let outer = account.traits.as_deref()?;
            // Members of the same requests lie within them; of two limits that say the same neither lies within the other.
            let narrower = outer != inner || is_each(group);
            (narrower && within(inner, outer)).then_some((outer.len(), (other, row)))
        })
        .max_by_key(|(narrow, (other, row))| (*narrow, std::cmp::Reverse((*other, *row))))
        .map(|(_, place)| place)
}

/// Lays accounts out as a tree, each line with its depth; what is fullest anywhere below it brings a limit forward.
pub(super) fn lines(rows: &[BudgetRow]) -> Vec<(u16, Line<'_>)> {
    let groups: Vec<&[BudgetRow]> = rows.chunk_by(BudgetRow::is_of).collect();
    let parents: Vec<Option<(usize, usize)>> = (0..groups.len()).map(|at| parent(&groups, at)).collect();
    let root = |at: usize| {
        let (mut at, mut seen) = (at, BTreeSet::new());
        while let Some(Some((above, _))) = parents.get(at)
            && seen.insert(at)
        {
            at = *above;
        }
        at
    };
    let mut roots = Vec::new();
    for at in (0..groups.len()).map(root) {
        if !roots.contains(&at) {
            roots.push(at);
        }
    }
    let mut out = Vec::with_capacity(rows.len() * 2);
    let mut left: BTreeSet<usize> = (0..groups.len()).collect();
    for root in roots {
        emit(&groups, &parents, (root, 0), &mut left, &mut out);
    }
    out
}

fn emit<'a>(
    groups: &[&'a [BudgetRow]],
    parents: &[Option<(usize, usize)>],
    (at, depth): (usize, u16),
    left: &mut BTreeSet<usize>,
    out: &mut Vec<(u16, Line<'a>)>,
) {
    let Some(group) = groups.get(at).filter(|_| left.remove(&at)) else { return };
    if is_each(group) {
        out.push((depth, Line::Limit { of: group }));
    }
    for (row, account) in group.iter().enumerate() {
        out.push((depth, Line::Account(account)));
        for (child, parent) in parents.iter().enumerate() {
            if *parent == Some((at, row)) {
                emit(groups, parents, (child, depth + 1), left, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Budgets, Payer};
    use crate::config::budgets::parse;
    use crate::pricing::Cost;
    use crate::session::BudgetsView;
    use crate::units::{Instant, Pico};

    #[test]
    fn teams_lie_within_all_and_projects_within_their_team() {
        let file = "[budget.all]\nlimit = { day = 100, month = 900 }\n[budget.teams]\neach = \"team\"\nlimit = { day = 20 }\n\
                    [budget.search]\nteam = [\"search\"]\neach = \"project\"\nlimit = { day = 5 }\n";
        let mut budgets = Budgets::new(parse(file, "a test").unwrap());
        for (team, project, dollars) in [("search", "rank", 4), ("search", "index", 1), ("ads", "bids", 2)] {
            let draws = budgets.draws(&Payer { team, project, ..Payer::default() });
            let hold = budgets.take(&draws, Pico(Pico::USD.0 * dollars), Instant(0));
            budgets.settle(hold, Cost::Known(Pico(Pico::USD.0 * dollars)));
        }
        let view = BudgetsView::of(&budgets.standings(Instant(0), false), "");
        let shown: Vec<String> = lines(&view.rows)
            .iter()
            .map(|(depth, line)| match line {
                Line::Limit { of } => format!("{depth} {}:", of[0].budget),
                Line::Account(row) => {
                    format!("{depth} {} {} {}", row.budget, row.window, row.member.as_deref().unwrap_or("*"))
                }
            })
            .collect();
        let expected = [
            "0 all day *",
            "1 teams:",
            "1 teams day search",
            "2 search:",
            "2 search day rank",
            "2 search day index",
            "1 teams day ads",
            "0 all month *",
        ];
        assert_eq!(shown, expected);
    }
}
