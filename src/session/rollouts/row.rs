//! A rollout as it is shown and told.

use serde::{Deserialize, Serialize};

use crate::calibration::wilson;
use crate::rollout::{Arm, Phase, Rollout};
use crate::units::{Instant, PerMille, Pico, counted, took};

/// One side in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArmRow {
    /// Requests.
    pub requests: u64,
    /// What a thousand of them cost, in dollars; none where that is not known of any.
    pub usd_per_thousand: Option<String>,
    /// How many of a thousand failed.
    pub failed: Option<u64>,
    /// How many of a thousand went up the ladder.
    pub escalated: Option<u64>,
    /// How many milliseconds one took, on average.
    pub mean_ms: Option<u64>,
    /// Judged answers.
    pub judged: u64,
    /// How good they were on average, in per mille.
    pub quality: Option<u64>,
    /// Where that lies with a chance of 95%, in per mille.
    pub quality_within: Option<(u64, u64)>,
}

impl ArmRow {
    fn of(arm: &Arm) -> Self {
        let within = (arm.judged > 0).then(|| {
            let (low, high) = wilson(arm.quality as f64 / 1000.0, arm.judged);
            let per_mille = |p| PerMille::from_probability(p).map_or(0, |found| u64::from(found.get()));
            (per_mille(low), per_mille(high))
        });
        Self {
            requests: arm.requests,
            usd_per_thousand: arm.per_thousand().map(Pico::usd),
            failed: arm.failures(),
            escalated: arm.escalations(),
            mean_ms: arm.mean_millis(),
            judged: arm.judged,
            quality: arm.mean_quality(),
            quality_within: within,
        }
    }
}

impl ArmRow {
    /// Says it in a line; what is not known is left out.
    pub fn words(&self) -> String {
        let cost = self.usd_per_thousand.as_ref().map(|usd| {
            let usd = Pico::from_usd(usd).map_or_else(|_| usd.clone(), Pico::dollars);
            format!("{usd} per 1,000")
        });
        let failed = self.failed.map(|share| format!("{share}‰ failed"));
        let escalated = self.escalated.map(|share| format!("{share}‰ escalated"));
        let mean = self.mean_ms.map(took);
        let share = |quality: u64| format!("{}.{:03}", quality / 1000, quality % 1000);
        let quality = self.quality.zip(self.quality_within).map(|(quality, (low, high))| {
            let [quality, low, high] = [quality, low, high].map(share);
            format!("quality {quality} ({low} to {high}, {})", counted(self.judged, "label"))
        });
        let parts = [cost, failed, escalated, mean, quality];
        let parts = std::iter::once(counted(self.requests, "request")).chain(parts.into_iter().flatten());
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// A rollout at a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutRow {
    /// Its name, and its canary's.
    pub name: String,
    /// The route that it changes.
    pub route: String,
    /// What it changes, in words.
    pub change: String,
    /// `running`, `held`, `done` or `taken back`.
    pub phase: String,
    /// Why it was taken back; empty where it was not.
    pub why: String,
    /// The stage, from 1.
    pub stage: usize,
    /// The shares of all stages, in per mille.
    pub stages: Vec<u16>,
    /// The share of sessions that the canary decides, in per mille.
    pub share: u16,
    /// Whether the canary's figures are estimates, because it decides nothing yet.
    pub estimated: bool,
    /// Who began it.
    pub by: String,
    /// When.
    pub began: Instant,
    /// Since when it stands where it does.
    pub since: Instant,
    /// What the next stage still lacks; nothing where it may come.
    pub lacks: Vec<String>,
    /// The canary in this stage.
    pub canary: ArmRow,
    /// The route beside it.
    pub base: ArmRow,
}

impl RolloutRow {
    /// Writes a rollout as it stands at a moment.
    pub fn of(rollout: &Rollout, at: Instant) -> Self {
        let plan = &rollout.plan;
        let why = if let Phase::Back(why) = &rollout.phase { why.to_string() } else { String::new() };
        let is_open = rollout.phase.is_open();
        Self {
            name: plan.name.to_string(),
            route: plan.route.to_string(),
            change: plan.change.words(),
            phase: rollout.phase.word().to_owned(),
            why,
            stage: rollout.stage + 1,
            stages: plan.stages.iter().map(|share| share.get()).collect(),
            share: if is_open { rollout.share().get() } else { 0 },
            estimated: rollout.is_shadow(),
            by: rollout.who.to_string(),
            began: rollout.began,
            since: rollout.since,
            lacks: rollout.judged(at).lacks.iter().map(ToString::to_string).collect(),
            canary: ArmRow::of(&rollout.arms.canary),
            base: ArmRow::of(rollout.arms.beside(plan.needs.requests)),
        }
    }

    /// Says whether it may still change anything.
    pub fn is_open(&self) -> bool {
        matches!(&*self.phase, "running" | "held")
    }

    /// Tells it in a few lines: what it does, how both sides did, and what the next stage lacks.
    pub fn lines(&self) -> Vec<String> {
        let head = format!("{} of route {}: {}", self.name, self.route, self.change);
        let since = self.since.rfc3339();
        let since = since.get(..16).unwrap_or(&since).replace('T', " ");
        let place = format!("{} since {since} UTC, begun by {}", self.place(), self.by);
        let canary = if self.estimated { "canary, estimated" } else { "canary" };
        let mut lines = vec![head, place];
        if self.is_open() {
            lines.push(format!("{canary}: {}", self.canary.words()));
            lines.push(format!("route beside it: {}", self.base.words()));
            let next = if self.stage < self.stages.len() { "the next stage" } else { "the end" };
            lines.push(match &*self.lacks {
                [] => format!("{next} lacks nothing"),
                lacks => format!("{next} lacks {}", lacks.join("; ")),
            });
        } else if !self.why.is_empty() {
            lines.push(format!("why: {}", self.why));
        }
        lines
    }

    /// Says in a few words where it stands: `stage 3 of 6, 50‰`.
    pub fn place(&self) -> String {
        if !self.is_open() {
            return self.phase.clone();
        }
        let held = if self.phase == "held" { ", held" } else { "" };
        let share =
            if self.share == 0 { "beside the traffic".to_owned() } else { format!("{}‰", self.share) };
        format!("stage {} of {}, {share}{held}", self.stage, self.stages.len())
    }
}
