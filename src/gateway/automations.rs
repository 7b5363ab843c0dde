//! Automations at work: their file, what only a gateway can read of quotas and budgets, what they propose and do.
//!
//! Invariants: a file that cannot be read changes nothing, and it is said; what is done is a policy with who and why, what is only
//! proposed a note; a rule that is changed or gone takes its canary with it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use http::Response;

use super::automations_file::AutomationsFile;
use super::body::Reply;
use super::respond::answer;
use super::watch::model_health;
use super::{Gateway, lock, now};
use crate::automation::{Proposal, Rule, Signal};
use crate::budget::Standing;
use crate::ledger::LedgerFile;
use crate::routing::RouteSpec;
use crate::session::{Automations, Deed};
use crate::telemetry::ModelHealth;
use crate::units::counted;

/// Names an automation as the one who changes a policy.
fn who(name: &str) -> String {
    format!("automation {name}")
}

impl Gateway {
    /// Returns the automations.
    pub fn automations(&self) -> &Arc<Mutex<Automations>> {
        &self.automations
    }

    /// Takes the file of automations, and watches it from now on.
    ///
    /// # Errors
    /// Where it cannot be used; what is wrong in it, with its line.
    pub fn open_automations(&self, path: Option<PathBuf>) -> Result<(), String> {
        let source = AutomationsFile::new(path);
        let spec = self.live.policy_spec().1;
        let rules = source.read()?;
        rules.iter().try_for_each(|rule| rule.check(&spec))?;
        *lock(&self.automations) = Automations::new(rules, &spec);
        *lock(&self.automations_source) = source;
        Ok(())
    }

    /// Looks whether the file has changed, and brings what it says into force. Returns what became of it in words.
    pub(super) fn look_at_automations(&self) -> Option<String> {
        let mut source = lock(&self.automations_source);
        if !source.has_changed() {
            return None;
        }
        let read = source.read().and_then(|rules| {
            // As it will be without the canaries of rules that were changed or are gone.
            let mut spec = self.live.policy_spec().1;
            for old in lock(&self.automations).all().filter(|one| one.rule.acts && !rules.contains(&one.rule))
            {
                spec = old.rule.plan(old.rule.share).without(&spec);
            }
            rules.iter().try_for_each(|rule| rule.check(&spec))?;
            Ok(rules)
        });
        let rules = match read {
            Ok(rules) => rules,
            Err(error) => return Some(format!("automations: {error}; what was read before stays in force")),
        };
        let mut all = lock(&self.automations);
        for old in all.all().filter(|one| one.rule.acts && !rules.contains(&one.rule)) {
            self.take_out(&old.rule, "its rule was changed or is gone");
        }
        let count = rules.len() as u64;
        *all = Automations::new(rules, &self.live.policy_spec().1);
        Some(format!("automations: {} in force", counted(count, "rule")))
    }

    /// Takes out what automations of an earlier run put into force and no rule stands behind any more: while nobody ran, their
    /// file was changed.
    pub fn end_orphans(&self, ledger: &Path) {
        let mut all = lock(&self.automations);
        let spec = self.live.policy_spec().1;
        let has_rule = |route: &RouteSpec, of: &str| {
            let is_of = |rule: &Rule| rule.acts && *rule.name == *route.name && *rule.route == *of;
            let is_to = |rule: &Rule| route.no_signal.as_deref().is_none_or(|to| *to == *rule.to);
            all.all().any(|one| is_of(&one.rule) && is_to(&one.rule))
        };
        let alone: Vec<&RouteSpec> = (spec.routes.iter())
            .filter(|route| route.canary.as_ref().is_some_and(|canary| !has_rule(route, &canary.of)))
            .collect();
        if alone.is_empty() {
            return;
        }
        let mut next = spec.clone();
        let mut ended = Vec::new();
        for route in alone {
            match LedgerFile::open(ledger).and_then(|file| file.who_brought(route)) {
                Ok(Some(found)) if found == who(&route.name) => {
                    next.routes.retain(|one| one.name != route.name);
                    ended.push(&*route.name);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, route = route.name, "whose canary this is cannot be read from the ledger");
                }
            }
        }
        if ended.is_empty() {
            return;
        }
        let names = ended.join(", ");
        let what = format!(
            "automation {names}: nothing is shifted any more, its rule was changed or is gone since the last run"
        );
        if let Err(error) = self.apply(&next, &who(&names), Deed::Change(&what)) {
            self.remark(&format!(
                "automation {names}: its rule is gone, and its canary cannot be taken out: {error}"
            ));
        }
        let rules = all.all().map(|one| (*one.rule).clone()).collect();
        *all = Automations::new(rules, &self.live.policy_spec().1);
    }

    fn take_out(&self, rule: &Rule, why: &str) {
        let (_, spec) = self.live.policy_spec();
        let without = rule.plan(rule.share).without(&spec);
        if without != spec {
            let what = format!("automation {}: nothing of route {} is shifted, {why}", rule.name, rule.route);
            if let Err(error) = self.apply(&without, &who(&rule.name), Deed::Change(&what)) {
                tracing::error!(%error, "an automation's canary cannot be taken out");
            }
        }
    }

    /// Has each automation do, or propose, what it wants at this moment.
    pub fn turn_automations(&self) {
        let mut all = lock(&self.automations);
        if all.is_empty() {
            return;
        }
        let models = std::cell::OnceCell::new();
        let beside = |signal: &Signal| match signal {
            Signal::Headroom(name) => headroom(models.get_or_init(|| model_health(self)), name),
            Signal::Spend(name) => self.spent(name),
            Signal::Pace(name) => self.pace_of(name),
            _ => None,
        };
        for proposal in all.pass(now(), beside) {
            let Some(one) = all.find(&proposal.name) else { continue };
            let at = now();
            if !proposal.acts {
                one.shifted(proposal.share, at);
                self.tell(&proposal.words);
                continue;
            }
            match self.shift(&one.rule, &proposal) {
                Ok(()) => one.shifted(proposal.share, at),
                Err(why) => {
                    if one.refuse(&why, at) {
                        self.tell(&format!("automation {} is refused: {why}", proposal.name));
                    }
                }
            }
        }
    }

    fn shift(&self, rule: &Rule, proposal: &Proposal) -> Result<(), String> {
        let (_, spec) = self.live.policy_spec();
        let plan = rule.plan(proposal.share);
        let next = if proposal.share.get() == 0 { plan.without(&spec) } else { plan.staged(&spec, 0)? };
        if next == spec {
            return Ok(());
        }
        self.apply(&next, &who(&rule.name), Deed::Change(&proposal.words))
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn tell(&self, text: &str) {
        self.remark(text);
        tracing::info!(text, "automation");
    }

    /// Returns how many thousandths of a budget's limit are spent: `teams/day`, or `teams/day of search`.
    fn spent(&self, name: &str) -> Option<u64> {
        self.fullest(name, |one| one.account.spent.0.saturating_mul(1000).checked_div(one.amount.0))
    }

    /// Returns how fast it is spent, in thousandths of the pace at which it lasts until its window ends.
    fn pace_of(&self, name: &str) -> Option<u64> {
        let at = now();
        self.fullest(name, |one| one.account.pace(one.amount, at))
    }

    /// Returns the highest of what is asked of a limit's accounts.
    fn fullest(&self, name: &str, of: impl Fn(&Standing) -> Option<i128>) -> Option<u64> {
        let (limit, member) =
            name.split_once(" of ").map_or((name, None), |(limit, member)| (limit, Some(member)));
        let standings = self.live.budgets(now());
        let meant = standings
            .iter()
            .filter(|one| one.limit.name() == limit && member.is_none_or(|member| *one.member == *member));
        meant.filter_map(of).max().and_then(|share| u64::try_from(share).ok())
    }
}

/// Returns how many thousandths of a provider's quota are left, of a model's where one is named: of the account that has most.
fn headroom(models: &[ModelHealth], name: &str) -> Option<u64> {
    let mut accounts: Vec<(&str, u64)> = Vec::new();
    for health in models {
        if health.owner() != name && health.provider != name && health.model != name {
            continue;
        }
        let rooms = health.requests.into_iter().chain(health.tokens);
        let rooms = rooms.filter_map(|room| room.left.saturating_mul(1000).checked_div(room.limit?));
        let windows = health.windows.iter().map(|window| 1000u64.saturating_sub(u64::from(window.used)));
        let Some(left) = rooms.chain(windows).min() else { continue };
        match accounts.iter_mut().find(|(account, _)| *account == health.provider) {
            Some((_, known)) => *known = left.min(*known),
            None => accounts.push((&health.provider, left)),
        }
    }
    accounts.into_iter().map(|(_, left)| left).max()
}

/// Answers how all automations stand.
pub(super) fn standing(gateway: &Gateway) -> Response<Reply> {
    let rows = lock(&gateway.automations).rows();
    answer(&serde_json::json!({ "at": now().rfc3339(), "automations": rows }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Headroom, QuotaWindow};

    #[test]
    fn of_several_accounts_the_one_with_most_left_counts_and_of_one_its_tightest_limit() {
        let room = |left| Some(Headroom { left, limit: Some(1000) });
        let window = |used| vec![QuotaWindow { used, ..QuotaWindow::default() }];
        let of = |provider: &str, left, used| ModelHealth {
            provider: provider.to_owned(),
            model: "m".to_owned(),
            requests: room(left),
            windows: window(used),
            ..ModelHealth::default()
        };
        let models = [of("a/one", 900, 950), of("a/two", 400, 100), of("b", 10, 0)];
        assert_eq!(headroom(&models, "a"), Some(400));
        assert_eq!(headroom(&models, "a/one"), Some(50));
        assert_eq!(headroom(&models, "b"), Some(10));
        assert_eq!(headroom(&models, "c"), None, "what nobody knows is no nothing");
    }
}
