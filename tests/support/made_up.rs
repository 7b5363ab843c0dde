//! A made-up log in our own format, the same every time, with every circumstance that the request table must show.

use std::fmt::Write as _;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.roll(list.len() as u64)).unwrap()]
    }
}

/// Returns a log of so many requests.
pub(crate) fn jsonl(requests: u64) -> String {
    const MODELS: [&str; 5] =
        ["gpt-4.1", "gemini-2.5-flash", "claude-opus-4-6", "mistral-small-2503", "house-model-x"];
    let mut dice = Dice(7);
    let mut text = String::new();
    let mut micros = 0u64;
    for n in 0..requests {
        micros += 400_000 + dice.roll(2_000_000);
        let (s, ms) = (micros / 1_000_000, micros / 1000 % 1000);
        let at = format!("2026-05-23T{:02}:{:02}:{:02}.{ms:03}Z", 10 + s / 3600, s / 60 % 60, s % 60);
        let _ = write!(text, r#"{{"id":"req-{n:05}","at":"{at}""#);
        if dice.roll(12) > 0 {
            let team = dice.pick(&["search", "payments", "data lab", "Ads"]);
            let _ = write!(text, r#","team":"{team}","project":"{}-{}""#, team.to_lowercase(), dice.roll(3));
        }
        if dice.roll(3) > 0 {
            let _ = write!(text, r#","session":"s{}","turn":{}"#, dice.roll(90), dice.roll(6));
        }
        let task = dice.pick(&["extraction", "classification", "summarisation", "agent", "code", "question"]);
        let _ = write!(text, r#","task":"{task}""#);
        match dice.roll(6) {
            0 => text.push_str(r#","prompt":"zorbl quimfy vax gleth drummox pliq snorfel wubbity""#),
            1 => text.push_str(r#","prompt":"Extract the invoice number and the total from this letter.""#),
            _ => {
                let _ = write!(text, r#","confidence":{}"#, dice.roll(1001));
            }
        }
        if dice.roll(25) == 0 {
            text.push_str(r#","simulated":"provider trouble""#);
        }
        let model = dice.pick(&MODELS);
        let mut call = format!(r#""model":"{model}","latency_ms":{}"#, 120 + dice.roll(9000));
        match dice.roll(10) {
            0 => {}
            1 => call.push_str(r#","in":900,"cache_read":2400,"write_5m":300,"out":150"#),
            2 => {
                let _ = write!(call, r#","in":{},"out":{}"#, 20_000 + dice.roll(60_000), dice.roll(3000));
            }
            _ => {
                let _ = write!(call, r#","in":{},"out":{}"#, 200 + dice.roll(4000), 1 + dice.roll(700));
            }
        }
        match dice.roll(14) {
            0 => call.push_str(r#","status":"timeout""#),
            1 => call.push_str(r#","status":"rejected","error":"context length exceeded""#),
            2 => call.push_str(r#","check":"failed""#),
            _ => {}
        }
        if dice.roll(20) == 0 {
            call.push_str(r#","assumed_model":true"#);
        }
        if dice.roll(9) == 0 {
            let first = dice.pick(&MODELS);
            let _ = write!(
                text,
                r#","attempts":[{{"model":"{first}","status":429,"in":0,"out":0,"latency_ms":90}},{{{call}}}]"#
            );
        } else {
            let _ = write!(text, ",{call}");
        }
        text.push_str("}\n");
    }
    text
}
