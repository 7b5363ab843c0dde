//! Prices that are edited while a gateway serves: they hold from then on, what was charged before stays, and the log knows.

use serde_json::Value;

use crate::front::{Front, Sandbox, Setup};
use crate::rungs::{follow, read};
use crate::stage::chat;
use crate::upstream::Upstream;

fn heard(front: &Front<'_>, what: &str) {
    for _ in 0..600 {
        if front.said().contains(what) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("never said: {what}\n{}", front.said());
}

#[test]
fn an_edited_price_holds_from_then_on_and_a_broken_book_changes_nothing() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).args(&["--prices", "mine"]);
    let sandbox = Sandbox::new(&setup);
    let set = |more: &[&str]| {
        let mut args = vec!["prices", "set", "gpt-4.1"];
        args.extend_from_slice(more);
        sandbox.run(&args)
    };
    // Nobody is there to be asked.
    let refused = set(&["--output", "8.5"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("--yes"));
    assert!(set(&["--input", "2", "--output", "8.5", "--yes"]).status.success());
    let front = sandbox.serve(&setup);
    let pico = |usd: &str| pointsman::units::Pico::from_usd(usd).unwrap().0;
    // What a call cost, and what its tokens cost at these prices, in hundredths of a dollar per million.
    let mut whole = 0;
    let mut costs_at = |input: i128, cached: i128, output: i128| {
        let answer = chat("gpt-4.1", false).send(front.address());
        let usage = &answer.json()["usage"];
        let tokens = |of: &Value| i128::from(of.as_u64().unwrap());
        let read = tokens(&usage["prompt_tokens_details"]["cached_tokens"]);
        let fresh = tokens(&usage["prompt_tokens"]) - read;
        let hundredths = fresh * input + read * cached + tokens(&usage["completion_tokens"]) * output;
        let cost = pico(answer.header("pointsman-cost-usd").unwrap());
        assert_eq!(cost, hundredths * 10_000, "{usage}");
        whole += cost;
    };
    costs_at(200, 50, 850);

    let done = set(&["--input", "4", "--output", "17", "--cache-read", "1", "--yes"]);
    assert!(String::from_utf8_lossy(&done.stdout).contains("2.00 → 4.00"), "{done:?}");
    heard(&front, "prices: gpt-4.1 $4");
    costs_at(400, 100, 1700);

    // A slip in the file is told with its line, and the last good prices stay.
    let book = sandbox.path().join("config/prices/mine.toml");
    let good = std::fs::read_to_string(&book).unwrap();
    std::fs::write(&book, format!("{good}\n[models.\"gpt-4.1\"]\n")).unwrap();
    heard(&front, "the prices before stay in force");
    assert!(front.said().contains("mine.toml:"), "{}", front.said());
    costs_at(400, 100, 1700);
    front.settle();

    // Each charge remembers its price, with the list at hand and no other book; so do the export and the audit.
    let log = sandbox.must(&["ledger", "export"]);
    assert!(log.contains(r#""audit""#), "{log}");
    std::fs::write(sandbox.path().join("day.jsonl"), &log).unwrap();
    let report = |log: &str| -> Value {
        serde_json::from_str(&sandbox.must(&["replay", log, "--format", "json"])).unwrap()
    };
    for log in ["day.jsonl", sandbox.must(&["ledger", "path"]).trim()] {
        assert_eq!(pico(report(log)["cost_usd"].as_str().unwrap()), whole, "{log}");
    }
    let told = sandbox.must(&["ledger", "export", "--with-prices"]);
    assert_eq!(told.matches(r#""event":"price""#).count(), 2, "{told}");
    sandbox.check();
}

#[test]
fn a_model_whose_end_has_come_is_told_once() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).args(&["--prices", "mine"]);
    let sandbox = Sandbox::new(&setup);
    let book = sandbox.path().join("config/prices/mine.toml");
    std::fs::create_dir(book.parent().unwrap()).unwrap();
    let ends = "name = \"mine\"\ndated = \"2026-11-23\"\nsource = \"a test\"\n[models.\"gpt-4.1\"]\ndeprecated = \"2026-01-01\"\ninput = 1\noutput = 2\n";
    std::fs::write(book, ends).unwrap();
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    for _ in 0..3 {
        assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    }
    let told: Vec<String> = read(&mut feed, 3).iter().map(Value::to_string).collect();
    let count =
        told.iter().filter(|line| line.contains("gpt-4.1 is no longer promised since 2026-01-01")).count();
    assert_eq!(count, 1, "{told:#?}");
}
