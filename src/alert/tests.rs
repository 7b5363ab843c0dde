//! Tests of alerts: nothing fires twice in a window, ids are the same everywhere, silences end.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::units::{Instant, Span};

const HOUR: i64 = 3_600_000_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    Fire { subject: u8, late: u8 },
    Resolve { subject: u8 },
    Pass,
}

fn steps() -> impl Strategy<Value = Vec<(u16, Step)>> {
    let step = prop_oneof![
        4 => (0u8..4, 0u8..3).prop_map(|(subject, late)| Step::Fire { subject, late }),
        2 => (0u8..4).prop_map(|subject| Step::Resolve { subject }),
        1 => Just(Step::Pass),
    ];
    proptest::collection::vec((0u16..120, step), 0..200)
}

fn subject(number: u8) -> Subject {
    Subject { rule: "budget".into(), scope: format!("scope {number}").into(), threshold: "50%".into() }
}

/// Runs steps, each some minutes after the one before, in windows of an hour.
fn run(steps: &[(u16, Step)]) -> Vec<Change> {
    let (mut alerts, mut changes, mut now) = (Alerts::default(), Vec::new(), Instant(0));
    for (minutes, step) in steps {
        now = now + Span::mins(i64::from(*minutes));
        match step {
            Step::Fire { subject: number, late } => {
                let start = (now.0.div_euclid(HOUR) - i64::from(*late)) * HOUR;
                let window = (Instant(start), Some(Instant(start + HOUR)));
                let facts = (Source::Budget, Level::Notice);
                changes.extend(alerts.fire(subject(*number), window, now, facts, String::new));
            }
            Step::Resolve { subject: number } => changes.extend(alerts.resolve(&subject(*number), now)),
            Step::Pass => changes.extend(alerts.pass(now)),
        }
    }
    changes
}

proptest! {
    #[test]
    fn nothing_fires_twice_in_a_window_and_windows_only_go_on(steps in steps()) {
        let changes = run(&steps);
        prop_assert_eq!(&changes, &run(&steps), "the same steps tell the same");
        let mut last: BTreeMap<String, (Instant, bool)> = BTreeMap::new();
        for change in &changes {
            let alert = change.alert();
            let scope = alert.scope.to_string();
            match change {
                Change::Fired(_) => {
                    if let Some((window, fires)) = last.get(&scope) {
                        prop_assert!(alert.window > *window, "a later window only");
                        prop_assert!(!fires, "what fires is over before it fires anew");
                    }
                    prop_assert!(alert.resolved.is_none());
                    last.insert(scope, (alert.window, true));
                }
                Change::Resolved(_) => {
                    prop_assert_eq!(last.get(&scope), Some(&(alert.window, true)), "only what fires is over, and once");
                    prop_assert!(alert.resolved.is_some());
                    last.insert(scope, (alert.window, false));
                }
            }
        }
        let mut ids: Vec<&str> = changes
            .iter()
            .filter(|change| matches!(change, Change::Fired(_)))
            .map(|change| change.alert().id.as_str())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), all, "an id for each subject and window");
    }
}

#[test]
fn an_id_is_the_same_everywhere_and_parts_cannot_be_moved_into_each_other() {
    let id = |rule: &str, scope: &str, threshold: &str, window: i64| {
        let subject = Subject { rule: rule.into(), scope: scope.into(), threshold: threshold.into() };
        let facts = (Source::Budget, Level::Notice);
        let window = (Instant(window), None);
        let changes = Alerts::default().fire(subject, window, Instant(5), facts, String::new);
        changes.first().unwrap().alert().id.clone()
    };
    assert_eq!(id("budget", "ten/lifetime", "50%", i64::MIN), "fd1975a005950d13c3443f9e");
    assert_ne!(id("a", "bc", "", 0), id("ab", "c", "", 0));
    assert_ne!(id("a", "b", "c", 0), id("a", "b", "c", 1));
}

#[test]
fn a_silence_covers_its_rule_and_scope_until_its_end() {
    let facts = (Source::Budget, Level::Notice);
    let changes = Alerts::default().fire(subject(1), (Instant(0), None), Instant(0), facts, String::new);
    let alert = changes.first().unwrap().alert();
    let silence = |rule: &str, scope: &str| Silence {
        rule: Pattern(rule.into()),
        scope: Pattern(scope.into()),
        until: Instant(10),
        who: String::new(),
    };
    assert!(silence("*", "scope *").covers(alert, Instant(9)));
    assert!(!silence("*", "scope *").covers(alert, Instant(10)));
    assert!(!silence("forecast", "*").covers(alert, Instant(0)));
}
