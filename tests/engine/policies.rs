//! Several policies within one log: what-if is judged in every one that was in force.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use pointsman::pricing::CostSum;
use pointsman::routing::{Policy, RouteId};
use pointsman::session::{Command, Player, PolicySpan, Reading, RerunJob, rerun};
use pointsman::units::{PerMille, Span};
use proptest::prelude::*;

use super::world::{compile, log, memory_log, policy};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever policies were in force, in whatever order they have their routes: what is staged gives what deciding every
    /// request again under the changed policy of its time gives, also once the window has slid over the changes.
    #[test]
    fn what_is_staged_is_judged_in_every_policy_that_was_in_force(
        log in log(), first in policy(), later in proptest::collection::vec((policy(), 0usize..60, any::<bool>()), 0..7),
        window in 0usize..3, at in 0usize..60, rung in 0usize..2, value in 0u16..=1000,
    ) {
        let mut memory = (*memory_log(&log, compile(&first))).clone();
        let mut spans: Vec<PolicySpan> = later.iter().enumerate().map(|(n, (thresholds, from, swapped))| {
            let mut policy = Policy { version: 2 + u32::try_from(n).unwrap(), ..compile(thresholds) };
            if *swapped && policy.routes.len() > 2 {
                policy.routes.swap(0, 1);
            }
            PolicySpan { from: *from, policy: Arc::new(policy) }
        }).collect();
        spans.sort_by_key(|span| (span.from, span.policy.version));
        for (n, span) in spans.iter_mut().enumerate() {
            Arc::make_mut(&mut span.policy).version = 2 + u32::try_from(n).unwrap();
        }
        memory.policies = spans;
        let memory = Arc::new(memory);
        let window = [None, Some(Span::mins(5)), Some(Span::mins(1))][window];
        let mut player = Player::new(Arc::clone(&memory), Reading::Routed, window);
        player.handle(Command::SeekEvent(log.len()));
        player.handle(Command::SeekEvent(at.min(log.len())));
        let in_force = player.snapshot();
        let applied: CostSum = player.what_if().iter().fold(CostSum::default(), |mut sum, route| { sum += &route.applied.cost; sum });
        let (from, end) = (in_force.window.first, in_force.window.end);
        let job = RerunJob { policies: in_force.policies.to_vec().into(), limits: [].into(), first: from, end };
        let again = rerun(&memory, &job, &AtomicUsize::default(), &AtomicBool::default()).unwrap();
        prop_assert_eq!(applied, again.cost, "what was in force");
        player.handle(Command::SetThreshold(RouteId(0), rung, PerMille::new(value).unwrap()));
        if let Some(job) = player.rerun_wanted() {
            let found = rerun(&memory, &job, &AtomicUsize::default(), &AtomicBool::default()).unwrap();
            prop_assert!(player.agrees(&found));
        }
    }
}
