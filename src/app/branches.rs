//! Branches in other worlds: worlds and policies read from files, what was found laid out and written.
//!
//! Invariant: nothing that is there already is written over.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::found::{WORLDS, is_toml};
use super::{created, policies_text};
use crate::budget::StandingRow;
use crate::config::{self, policy, world};
use crate::report::{BranchReport, BranchRow, BranchScope, Figures, Format};
use crate::routing::PolicySpec;
use crate::session::{BranchPlan, BranchesFound, Idle};
use crate::units::{Names, choice};
use crate::world::{Branch, World};

/// Reads a world: one that comes with the program, or a file.
///
/// # Errors
/// Where there is none of that name, or the file cannot be used.
pub fn read_world(name: &str) -> anyhow::Result<World> {
    if let Some((_, text)) = world::BUILTIN.iter().find(|(known, _)| *known == name) {
        return Ok(world::parse(text, name)?);
    }
    // One's own go by their names, as on the screen Worlds.
    let own = config::user_dir().map(|dir| dir.join(WORLDS).join(format!("{name}.toml")));
    let own = own.filter(|own| own.is_file());
    if own.is_none() && !is_toml(Path::new(name)) {
        let known: Vec<&str> = world::BUILTIN.iter().map(|(name, _)| *name).collect();
        bail!("there is no world `{name}`\nhint: a file of your own ends in .toml; {}", choice(name, &known));
    }
    let path = own.unwrap_or_else(|| PathBuf::from(name));
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
    Ok(world::parse(&text, &shown)?)
}

/// Reads what is tried beside a world: a policy file, or thresholds with commas between them.
pub fn against(text: &str) -> Branch {
    let is_file = is_toml(Path::new(text));
    let set = || text.split(',').map(str::to_owned).collect();
    Branch {
        name: text.to_owned(),
        policy: is_file.then(|| text.to_owned()),
        set: if is_file { Vec::new() } else { set() },
        budgets: true,
        runaways: true,
    }
}

/// Reads the policy that a branch is of; a path in a world's file is meant from there.
///
/// # Errors
/// Where it cannot be read or used.
pub fn with_policy(branch: Branch, world: &str) -> anyhow::Result<(Branch, Option<PolicySpec>)> {
    let Some(path) = &branch.policy else { return Ok((branch, None)) };
    let beside = Path::new(world).parent().map(|folder| folder.join(path)).filter(|path| path.is_file());
    let found = beside.unwrap_or_else(|| PathBuf::from(path));
    let mut names = Names::default();
    let spec = policy::load(&found, &mut names)?.spec(&names);
    Ok((branch, Some(spec)))
}

/// Reads a world and all that is tried in it: its own branches, and others besides.
///
/// # Errors
/// Where a file of them cannot be read or used.
pub(super) fn plan(name: &str, beside: &[String]) -> anyhow::Result<BranchPlan> {
    let world = read_world(name)?;
    let branches = world.branches.iter().cloned().chain(beside.iter().map(|text| against(text)));
    let tried = branches.map(|branch| with_policy(branch, name)).collect::<anyhow::Result<_>>()?;
    Ok(BranchPlan { file: name.to_owned(), world, tried })
}

/// Lays out what was found.
pub fn branch_report(found: &BranchesFound, logs: Vec<String>) -> BranchReport {
    let world = &found.plan.world;
    let scope = BranchScope {
        world: world.title.clone(),
        file: found.plan.file.clone(),
        about: world.about.clone(),
        seed: world.seed,
        logs,
        reading: "routed",
        prices: found.prices.clone(),
        simulated_requests: found.simulated,
    };
    let mut report = BranchReport::new(scope, world, (found.start, found.end), found.base);
    report.remark(found.idle.iter().map(|idle| idle.map(Idle::text)));
    report.leave_out(&found.untried);
    for run in &found.runs {
        let of = &run.found;
        let is_used = |row: &StandingRow| row.calls + row.refused + row.moved + row.waited > 0;
        let budgets = of.budgets.standings.iter().map(StandingRow::from).filter(is_used).collect();
        let whole = Figures::new(&of.totals, of.refused.0, run.apart.whole, &found.names);
        let incident = Figures::new(&of.inside, of.refused.1, run.apart.inside, &found.names);
        report.branches.push(BranchRow::new(
            (run.name.clone(), policies_text(&run.policies)),
            (whole, report.incident.is_some().then_some(incident)),
            of.seen,
            (of.budgets.moved, of.budgets.waited, budgets),
            &of.trips,
        ));
    }
    report
}

/// Writes what was found to a new file in the present folder, as a page or as Markdown, and names it.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn save(found: &BranchesFound, as_page: bool) -> anyhow::Result<String> {
    save_in(Path::new(""), found, as_page)
}

fn save_in(folder: &Path, found: &BranchesFound, as_page: bool) -> anyhow::Result<String> {
    let report = branch_report(found, vec![found.title.clone()]);
    let text = if as_page { report.page() } else { report.text(Format::Md) };
    let stem = Path::new(&found.plan.file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem = stem.unwrap_or_else(|| "world".to_owned());
    let ending = if as_page { "html" } else { "md" };
    created::write(&folder.join(format!("branches-{stem}")).display().to_string(), ending, &text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::{Setup, SetupOptions, load_log};
    use crate::budget::LimitHistory;
    use crate::record::{Input, ReadOptions};
    use crate::sample;
    use crate::session::{BranchesOf, branch_out};

    fn stormy() -> BranchesFound {
        let setup = Setup::new(&SetupOptions::default()).unwrap();
        let input = Input::bytes(sample::NAME, sample::BUNDLED);
        let log = Arc::new(load_log(&input, &[], setup, &ReadOptions::default(), Some("sample")).unwrap());
        let spans = log.spans();
        let of = BranchesOf {
            log: &log,
            policies: &spans,
            limits: &LimitHistory::default(),
            from: None,
            staged: None,
        };
        branch_out(of, &Arc::new(plan("429-storm", &[]).unwrap()), |_, _| true).unwrap().unwrap()
    }

    #[test]
    fn branches_are_written_as_markdown_and_as_a_page_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let found = stormy();
        let written = [false, true, false].map(|as_page| save_in(folder.path(), &found, as_page).unwrap());
        let names = written.each_ref().map(|path| Path::new(path).file_name().unwrap().to_str().unwrap());
        assert_eq!(names, ["branches-429-storm.md", "branches-429-storm.html", "branches-429-storm-2.md"]);
        let [markdown, page, again] = written.each_ref().map(|path| std::fs::read_to_string(path).unwrap());
        assert_eq!(markdown, again, "the same is written of the same");
        for text in [&markdown, &page] {
            for words in ["as it was", "in this world", "escalated"] {
                assert!(text.contains(words), "{words}: {text}");
            }
        }
        assert!(markdown.contains("| ---") || markdown.contains("|---"), "{markdown}");
        assert!(page.starts_with("<!") && page.trim_end().ends_with("</html>"), "{page}");
        // Both name the cost of every branch to the digit that the report has.
        let report = branch_report(&found, vec!["sample".to_owned()]).text(Format::Md);
        assert!(report.lines().skip(2).all(|line| markdown.contains(line)), "{report}");
    }
}
