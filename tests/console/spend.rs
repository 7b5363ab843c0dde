//! Spend and prices as a person sees them: what is one key away, and what holds at the clock, whatever the size.

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

/// Who looks at a model sees what it costs at the clock, and when it is another price.
#[test]
fn a_model_shows_the_price_of_the_hour_that_the_clock_stands_in() {
    let call = |id: u32, at: &str| {
        format!(
            "{{\"id\":\"{id}\",\"at\":\"{at}\",\"model\":\"deepseek-v4-flash\",\"in\":1000,\"out\":100,\"ms\":900}}\n"
        )
    };
    let text = call(1, "2026-11-30T00:59:59Z") + &call(2, "2026-11-30T01:00:00Z");
    let log = log_of("edge", text.leak().as_bytes());
    for size in SIZES {
        let mut sandbox = Sandbox::open(&log, ScreenId::Models, size);
        let mut seen = |events| {
            sandbox.player.handle(Command::SeekEvent(events));
            sandbox.app.update(Arc::new(sandbox.player.snapshot()));
            sandbox.text()
        };
        let (before, peak) = (seen(1), seen(2));
        assert!(before.contains("in $0.15  cached $0.003  out $0.60"), "{before}");
        assert!(peak.contains("in $0.30  cached $0.006  out $1.20"), "{peak}");
        // The smallest has no room for more than the price.
        if size.1 > 24 {
            assert!(before.contains("x2 Mon-Fri ") && !before.contains("x2 Mon-Fri, now"), "{before}");
            assert!(
                peak.contains("x2 Mon-Fri, now") && peak.contains("01:00-04:00, 06:00-10:00 UTC"),
                "{peak}"
            );
        }
    }
}
