//! Text from outside: whatever a log, a price book or a policy says, nothing of it acts on the terminal or on a spreadsheet.

use super::program::{Run, Sandbox};

/// What terminals obey, what turns the reading direction, what hides; and a formula in front of it all.
const EVIL: &str = "=cmd\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}x\u{2066}y\u{200b}z\u{feff}\u{ad}";

fn is_safe(c: char) -> bool {
    c == '\n' || c == '\t' || !(c.is_control() || "\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}".contains(c))
}

fn held(what: &str, run: &Run) {
    for (stream, text) in [("stdout", &run.out), ("stderr", &run.err)] {
        let found: Vec<char> = text.chars().filter(|&c| !is_safe(c)).collect();
        assert!(found.is_empty(), "{what}: {found:?} on {stream}: {text:?}");
    }
    assert!(run.code.is_some_and(|code| code != 101), "{what}: {}", run.err);
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let evil = serde_json::to_string(EVIL).expect("JSON");
    let line = |id: &str| {
        format!(
            "{{\"id\":{id},\"at\":\"2026-05-23T10:00:00Z\",\"model\":{evil},\"asked\":{evil},\"team\":{evil},\"project\":{evil},\
             \"user\":{evil},\"session\":{evil},\"provider\":{evil},\"status\":\"server_error\",\"error\":{evil},\
             \"in\":10,\"out\":5,\"latency_ms\":7}}\n"
        )
    };
    let good = line("\"r1\"") + &line(&evil);
    sandbox.write("log.jsonl", good.clone() + "{\"at\":\"" + EVIL + "\"}\n" + EVIL + "\n");
    let foreign = format!(
        "{{\"request_id\":{evil},\"model\":{evil},\"startTime\":\"2026-05-23T10:00:00Z\",\"endTime\":{evil},\
         \"prompt_tokens\":1,\"completion_tokens\":1,\"spend\":{evil},\"status\":{evil},\"call_type\":{evil}}}\n"
    );
    sandbox.write("litellm.jsonl", foreign);
    sandbox.write(
        "rows.csv",
        format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{EVIL},1,{EVIL}\n2023-11-16 18:15:46,7,8\n"),
    );
    sandbox.write("evil.toml", format!("{EVIL} = 1\n"));
    sandbox
}

#[test]
fn nothing_in_a_log_acts_on_the_terminal() {
    let sandbox = sandbox();
    for log in ["log.jsonl", "litellm.jsonl", "rows.csv"] {
        for format in ["table", "csv", "md", "json"] {
            for reading in ["recorded", "routed"] {
                let args = format!("replay {log} --format {format} --as {reading}");
                held(&args, &sandbox.run(&args));
            }
            for args in [format!("whatif {log} --format {format}"), format!("report {log} --format {format}")]
            {
                held(&args, &sandbox.run(&args));
            }
        }
        for args in [
            format!("why {log} #1"),
            format!("why {log} #2"),
            format!("frontier {log}"),
            format!("report {log} --format html"),
            format!("report {log} --format focus"),
            format!("reconcile {log} --bill rows.csv"),
            format!("reconcile {log} --bill {log}"),
            format!("import {log} -o out-{log}.jsonl"),
            format!("replay {log} --strict"),
            format!("replay {log} --policy evil.toml"),
            format!("replay {log} --prices evil.toml"),
            format!("snapshot traffic --log {log}"),
        ] {
            held(&args, &sandbox.run(&args));
        }
        let run = sandbox.run_all(&["why", log, EVIL]);
        held("why with an evil id", &run);
    }
    let run = sandbox.run_all(&["replay", EVIL]);
    held("a file of that name", &run);
}

#[test]
fn no_cell_of_a_csv_starts_a_formula() {
    let sandbox = sandbox();
    let run = sandbox.run("replay log.jsonl --format csv");
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out.contains("'=cmd"), "{}", run.out);
    for cell in run.out.lines().flat_map(|line| line.split(',')) {
        let cell = cell.trim_start_matches('"');
        let is_number = cell.parse::<f64>().is_ok();
        assert!(is_number || !cell.starts_with(['=', '+', '-', '@']), "{cell:?}");
    }
}
