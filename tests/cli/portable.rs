//! A stretch of a log as one file: whoever opens it sees the same figures, and no prompt.

use serde_json::Value;

use super::program::Sandbox;

#[test]
fn a_snapshot_gives_the_figures_of_its_log_anywhere() {
    let sandbox = Sandbox::new();
    let request = |id: u32, extra: &str| {
        format!(
            r#"{{"id":"r-{id}","at":"2026-05-23T10:00:{id}0Z","team":"search","model":"house-model","in":1000,"out":100,"latency_ms":100,"prompt":"secret words of {id}: extract the total"{extra}}}"#
        ) + "\n"
    };
    let log: String = (0..6).map(|id| request(id, "")).collect();
    sandbox.write("log.jsonl", log + "{\"event\":\"label\",\"at\":\"2026-05-23T10:09:00Z\",\"id\":\"r-2\",\"model\":\"house-model\",\"quality\":900}\n");
    let policy = "name = \"mine\"\nbaseline = \"house-model\"\n[[route]]\nname = \"all\"\nladder = [{ model = \"house-small\", threshold = 500 }, { model = \"house-model\" }]\n";
    sandbox.write("policy.toml", policy);
    sandbox.write("config/budgets.toml", "[budget.all]\nlimit = { day = 1 }\n");
    sandbox.write(
        "book.toml",
        "name = \"mine\"\ndated = \"2026-05-01\"\n[models.house-model]\ninput = 2\noutput = 8\n[models.house-small]\ninput = 0.1\noutput = 0.4\n",
    );
    let under = "--policy policy.toml --prices book.toml --from 10:00:10 --to 10:00:50";
    let told = sandbox.run(&format!("snapshot log.jsonl {under} -o part.jsonl.zst"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("4 requests"), "{}", told.err);
    // A colleague has neither the policy nor the prices nor the budgets.
    let there = Sandbox::new();
    there.write("part.jsonl.zst", std::fs::read(sandbox.path("part.jsonl.zst")).expect("the snapshot"));
    for reading in ["recorded", "routed"] {
        let figures = |sandbox: &Sandbox, args: &str| {
            let text = sandbox.good(&format!("replay {args} --as {reading} --format json"));
            let mut found: Value = serde_json::from_str(&text).expect("JSON");
            for scope in ["scope", "classified_requests"] {
                found.as_object_mut().expect("an object").remove(scope);
            }
            found
        };
        assert_eq!(figures(&sandbox, &format!("log.jsonl {under}")), figures(&there, "part.jsonl.zst"));
    }
    assert!(there.run("budgets show part.jsonl.zst").out.contains("all"));
    assert_eq!(there.run("import part.jsonl.zst -o plain.jsonl").code, Some(0));
    let plain = there.read("plain.jsonl");
    assert!(!plain.contains("secret"), "{plain}");
    assert!(plain.contains("[budget.all]"), "{plain}");
    // Nothing is overwritten, and a typing error of a screen is none of a log.
    assert!(sandbox.run(&format!("snapshot log.jsonl {under} -o part.jsonl.zst")).err.contains("exists"));
    assert!(sandbox.run("snapshot overvew").err.contains("overview"));
}
