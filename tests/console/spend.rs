//! Spend as a person uses it: what is one key away, whatever the size.

use pointsman::config::budgets;
use pointsman::pricing::Billed;

use super::*;

/// What a request, a session or a team costs was out of reach on Spend where not all panels have room.
#[test]
fn unit_costs_are_one_key_away_on_spend_whatever_the_size() {
    let log = log();
    for size in [(80, 24), (120, 36), (200, 60)] {
        let mut sandbox = Sandbox::open(&log, ScreenId::Spend, size);
        sandbox.keys("b");
        assert!(sandbox.text().contains("Unit costs by"), "{size:?}: {}", sandbox.text());
        let shown = sandbox.text();
        sandbox.keys("b");
        assert!(
            sandbox.text() != shown && sandbox.text().contains("Unit costs by"),
            "{size:?}: {}",
            sandbox.text()
        );
        sandbox.keys("x");
        assert!(sandbox.text().contains("Why it changed"), "{size:?}: {}", sandbox.text());
    }
}

/// Whoever looks at spend would else take it for what is billed, though somebody found out that it is not.
#[test]
fn what_the_latest_bill_said_stands_on_spend_whatever_the_size() {
    let log = log();
    let billed = |theirs: &str| Billed {
        from: "2026-05-01".into(),
        to: "2026-05-24".into(),
        ours_usd: "99.6".into(),
        theirs_usd: theirs.into(),
        ours_unknown_calls: 0,
    };
    for size in [(80, 24), (120, 36), (200, 60)] {
        let mut sandbox = Sandbox::open(&log, ScreenId::Spend, size);
        assert!(!sandbox.text().contains("bill "), "{size:?}: nobody looked at a bill");
        for with_budgets in [false, true] {
            if with_budgets {
                let limits = budgets::parse(sample::BUDGETS, "budgets.toml").unwrap();
                sandbox.player.set_budgets(&limits.into(), "the sample's".to_owned());
            }
            for (theirs, said) in [("100", "+0.40 %"), ("90", "-10.67 %")] {
                sandbox.player.set_billed(Some(billed(theirs)));
                sandbox.app.update(Arc::new(sandbox.player.snapshot()));
                let shown = sandbox.text();
                assert!(shown.contains("bill") && shown.contains(said), "{size:?} {with_budgets}: {shown}");
            }
        }
    }
}
