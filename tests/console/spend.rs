//! Spend as a person uses it: what is one key away, whatever the size.

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
