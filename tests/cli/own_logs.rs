//! Logs of one's own shape, and those of coding agents on this machine.

use serde_json::Value;

use super::json;
use super::program::Sandbox;

#[test]
fn a_log_of_ones_own_shape_is_proposed_a_mapping_that_works_when_pasted() {
    let sandbox = Sandbox::new();
    let line = r#"{"ts":"2026-05-23T10:00:00Z","req":{"model":"gpt-4.1"},"usage":{"prompt":1000,"completion":100},"dur":812}"#;
    sandbox.write("own.jsonl", format!("{line}\n{line}\n"));
    let run = sandbox.run("replay own.jsonl");
    let told = run.err;
    assert_eq!(run.code, Some(2));
    let pasted = told.lines().find_map(|line| line.trim().strip_prefix("pointsman ")).expect("a command");
    assert!(told.contains("JSON lines with keys") && pasted.starts_with("replay own.jsonl --map "), "{told}");
    let report = json(&sandbox.good(&format!("{pasted} --format json")));
    assert_eq!((&report["requests"], &report["cost_usd"]), (&json("2"), &json("\"0.0056\"")), "{pasted}");
    sandbox.write("own.toml", "at = \"ts\"\nmodel = [\"model\", \"req.model\"]\nin = \"usage.prompt\"\nout = \"usage.completion\"\n");
    let by_file = json(&sandbox.good("replay own.jsonl --map own.toml --format json"));
    assert_eq!(by_file["cost_usd"], report["cost_usd"]);
}

/// Fifty requests of a day in one line are no request that took a day.
#[test]
fn a_providers_report_of_sums_is_told_from_a_log() {
    let sandbox = Sandbox::new();
    sandbox.write("usage.csv", "start_time,end_time,num_model_requests,model,input_tokens,output_tokens\n1779494400,1779580800,50,gpt-4.1,1000,50\n");
    sandbox.write("usage.json", r#"{"data":[{"starting_at":"2026-05-23T00:00:00Z","ending_at":"2026-05-24T00:00:00Z","results":[{"uncached_input_tokens":1000,"output_tokens":500,"model":"claude-sonnet-4-5"}]}],"has_more":false}"#);
    for file in ["usage.csv", "usage.json"] {
        let told = sandbox.run(&format!("replay {file}")).err;
        assert!(told.contains("reconcile LOG --bill FILE") && !told.contains("--map"), "{told}");
    }
}

#[test]
fn what_coding_agents_spent_is_found_and_added_up() {
    let sandbox = Sandbox::new();
    let told = sandbox.run("mine");
    assert!(told.code == Some(2) && told.err.contains("CLAUDE_CONFIG_DIR"), "{told:?}");
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/home");
    let mut open = vec![from.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(&from).expect("a file within").display().to_string();
                sandbox.write(&name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    // An agent that was installed and has not run, or has cleaned up, keeps nobody from the figures of the others.
    std::fs::create_dir_all(sandbox.path(".config/claude/projects")).expect("an empty folder");
    let report = json(&sandbox.good("mine --format json"));
    assert_eq!(report["calls"], 17);
    assert_eq!(report["all"]["unknown_calls"], 0);
    assert_eq!(report["plans"][0]["window_minutes"], 300);
    let cost = |rows: &Value| -> Vec<(String, String)> {
        let word = |row: &Value, key: &str| row[key].as_str().expect("a word").to_owned();
        let rows = rows.as_array().expect("rows");
        rows.iter().map(|row| (word(row, "name"), word(row, "cost_usd"))).collect()
    };
    let agents = cost(&report["by_agent"]);
    assert!(agents.contains(&("claude-code".into(), "0.0775864".into())), "{agents:?}");
    assert!(agents.contains(&("opencode".into(), "0.0033912".into())), "{agents:?}");
    assert!(report["other_policy"]["cost_usd"].as_str().is_some_and(|usd| usd != "0"));
    // Without a terminal it is the report, and a replay of the folders comes to the same.
    let text = sandbox.good("mine");
    assert!(text.contains("By sub-agent") && text.contains("Windows of 5 hours"), "{text}");
    let folders = ".claude/projects .codex/sessions .local/share/opencode .gemini/tmp";
    let replayed = json(&sandbox.good(&format!("replay {folders} --format json")));
    assert_eq!(replayed["cost_usd"], report["all"]["cost_usd"]);
}

#[test]
fn what_keeps_a_file_from_being_read_is_said() {
    let sandbox = Sandbox::new();
    let table = "ts,model,prompt_tokens,completion_tokens\n2026-05-23T10:00:00Z,gpt-4.1,1000,100\n";
    let line = r#"{"id":"1","at":"2026-05-23T10:00:00Z","model":"gpt-4.1","in":1000,"out":100}"#;
    for (name, bytes, told) in [
        ("latin1.csv", [b"ts,model,tokens,M\xfcller\n".as_slice(), b"x,y,z,w\n"].concat(), "iconv -f latin1"),
        ("sep.csv", format!("sep=;\n{}", table.replace(',', ";")).into_bytes(), "tail -n +2"),
        ("comment.csv", format!("# export of May\n{table}").into_bytes(), "tail -n +2"),
        ("prefix.log", format!("2026-05-23 10:00:00 INFO {line}\n").into_bytes(), "text before it on each line"),
        (
            "labels.jsonl",
            b"{\"pointsman\":\"log\",\"v\":2}\n{\"event\":\"label\",\"at\":\"2026-05-23T10:00:00Z\",\"id\":\"a\",\"model\":\"gpt-4.1\",\"quality\":1}\n".to_vec(),
            "1 label and no requests",
        ),
    ] {
        sandbox.write(name, bytes);
        let command = if name == "labels.jsonl" { "certify" } else { "replay" };
        let said = sandbox.refused(&format!("{command} {name}"));
        assert!(said.contains(told), "{name}: {said}");
    }
}

/// Dollars as text are how everything else here writes them.
#[test]
fn outcomes_tell_costs_as_numbers_or_text() {
    let sandbox = Sandbox::new();
    let line = |n: u32, cost: &str| {
        format!(
            "{{\"id\":{n},\"prompt\":\"p{n}\",\"outcomes\":{{\"a\":{{\"quality\":1,\"cost_usd\":{cost}}},\"b\":{{\"quality\":1,\"cost_usd\":{cost}}}}}}}\n"
        )
    };
    let of = |quote: &str| (0..20).map(|n| line(n, &format!("{quote}0.000{n}{quote}"))).collect::<String>();
    sandbox.write("numbers.jsonl", of(""));
    sandbox.write("texts.jsonl", of("\""));
    let found = |file: &str| {
        let run = sandbox.run(&format!("evaluate {file} --cheap a --strong b --format json"));
        run.out.replace(file, "FILE") + &run.err.replace(file, "FILE")
    };
    assert_eq!(found("numbers.jsonl"), found("texts.jsonl"));
    assert!(!found("texts.jsonl").contains("could not be read"), "{}", found("texts.jsonl"));
}
