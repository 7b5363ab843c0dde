//! What limits that come or are lowered beside a run tell.

use super::*;
use crate::budget::{Anchor, Budgets, Mode, OverLimit, Payer, Period, Scope, Unpriced, Zone};

fn usd(text: &str) -> Pico {
    Pico::from_usd(text).unwrap()
}

fn limit(budget: &str, amount: &str) -> Limit {
    Limit {
        budget: budget.into(),
        scope: Arc::new(Scope::default()),
        period: Period::Lifetime,
        anchor: Anchor::default(),
        zone: Zone::utc(),
        amount: usd(amount),
        special: BTreeMap::new(),
        mode: Mode::Hard,
        over: OverLimit::Cheaper,
        wait: Limit::WAIT,
        unpriced: Unpriced::Hold,
        steer: None,
    }
}

fn standings(limits: &[Limit], spent: &str) -> Vec<Standing> {
    let mut gateway = Budgets::new(limits.iter().cloned());
    let draws = gateway.draws(&Payer::default());
    let hold = gateway.take(&draws, Pico::ZERO, Instant(7));
    gateway.settle(hold, Cost::Known(usd(spent)));
    gateway.standings(Instant(7), false)
}

fn told(watcher: &mut Watcher, at: i64) -> Vec<String> {
    watcher.look(Instant(at), Instant(at));
    let changes = watcher.take_changes();
    let fired = changes.iter().filter_map(|change| {
        let Change::Fired(alert) = change else { return None };
        Some(format!("{} {}", alert.scope, alert.threshold))
    });
    fired.collect()
}

/// A limit at 98 % refuses everybody, and nobody would be told.
#[test]
fn what_was_spent_of_a_limit_before_it_came_or_was_lowered_tells_at_once() {
    let first = [limit("company", "10")];
    let names = Names::default();
    let mut watcher = Watcher::new(Arc::new(Rules::default()), &(&first[..]).into(), &names);
    watcher.set_limits(&[limit("company", "10"), limit("other", "2")]);
    assert!(watcher.has_fresh());
    let now = [limit("company", "10"), limit("other", "2")];
    for _ in 0..3 {
        watcher.raise(&standings(&now, "1.6"));
    }
    assert_eq!(
        told(&mut watcher, 60_000_000),
        ["other/lifetime 50%", "other/lifetime 75%"],
        "of the new one, once"
    );
    watcher.raise(&standings(&now, "1.9"));
    assert_eq!(told(&mut watcher, 120_000_000), ["other/lifetime 90%"], "more of it was found in the ledger");
    watcher.settle_fresh();
    watcher.set_limits(&[limit("company", "10"), limit("other", "1.9")]);
    assert_eq!(told(&mut watcher, 180_000_000), ["other/lifetime 100%"], "it was lowered");
    assert!(!watcher.has_fresh(), "its account is the same");
}
