//! Prices by the hour, on screen: who looks at a model sees what it costs at the clock, and when it is another price.

use super::*;

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
