//! Budgets that hold: what clients are told, what upstreams were asked for, and what a ledger says of it afterwards.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front::{Front, Sandbox, Setup};
use crate::stage::{chat, messages};
use crate::upstream::{PATIENCE, Reply, Upstream};

pub(crate) fn sandbox(upstream: &Upstream, budgets: &str) -> (Setup, Sandbox) {
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    fs::write(sandbox.path().join("config/budgets.toml"), budgets).unwrap();
    (setup, sandbox)
}

pub(crate) fn standings(front: &Front<'_>) -> Value {
    let answer = Ask::get("/operator/v1/budgets").send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

/// Waits until the budgets stand as they should; they do so within a second or two.
pub(crate) fn stands(front: &Front<'_>, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let found = standings(front);
        if so(&found) {
            return found;
        }
        assert!(std::time::Instant::now() < until, "{what}: {found:#}");
        std::thread::yield_now();
    }
}

pub(crate) fn usd(value: &Value) -> i128 {
    pointsman::units::Pico::from_usd(value.as_str().unwrap()).unwrap().0
}

/// Sends as many requests at once, each on a connection of its own.
pub(crate) fn at_once(front: &Front<'_>, asks: &[Ask]) -> Vec<Answer> {
    let to = front.address();
    std::thread::scope(|scope| {
        let all: Vec<_> = asks.iter().map(|ask| scope.spawn(move || ask.send(to))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn sixty_four_clients_at_once_never_spend_more_than_there_is_and_are_told_what_there_was() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.all]\nlimit = { lifetime = \"0.08\" }\n");
    let front = sandbox.serve(&setup);
    // Bodies of these models are cut at 8,192 tokens, so that each could cost $0.0656 and more.
    let asks: Vec<Ask> = (0..64).map(|_| chat("gpt-4.1", false)).collect();
    let answers = at_once(&front, &asks);
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status() == 429).collect();
    let served = answers.iter().filter(|answer| answer.status() == 200).count();
    assert_eq!(served + refused.len(), 64);
    assert!(served >= 1 && !refused.is_empty(), "{served} served");
    let error = &refused[0].json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("insufficient_quota"), &json!("insufficient_quota"))
    );
    assert_eq!((&error["limit_source"], &error["limit"]), (&json!("all/lifetime"), &json!("0.08")));
    assert!(usd(&error["spent"]) + usd(&error["held"]) <= usd(&error["limit"]), "{error}");
    assert_eq!(error["resets_at"], Value::Null);
    assert!(
        error["message"].as_str().unwrap().contains("budget all/lifetime: $0.080000 may be spent"),
        "{error}"
    );
    assert_eq!(refused[0].header("x-should-retry"), Some("false"));
    // Whoever asks one after the other goes on until nothing that could be answered fits any more.
    let mut last = chat("gpt-4.1", false).send(front.address());
    for _ in 0..1000 {
        if last.status() != 200 {
            break;
        }
        last = chat("gpt-4.1", false).send(front.address());
    }
    assert_eq!(last.status(), 429, "{}", last.text());
    let found = standings(&front);
    assert_eq!(found["open_holds"], 0, "{found:#}");
    let budget = &found["budgets"][0];
    assert_eq!(usd(&budget["held"]), 0);
    let caps = upstream.served().into_iter().map(|served| served.call.body["max_tokens"].clone());
    assert!(
        caps.into_iter().all(|cap| cap == 8192),
        "what an answer may come to is written into the request"
    );
    let page = Ask::get("/metrics").send(front.address()).text();
    let spent = format!(
        "pointsman_budget_spent_usd{{budget=\"all\",window=\"lifetime\",member=\"\"}} {}\n",
        budget["spent"].as_str().unwrap()
    );
    assert!(page.contains(&spent) && page.contains("pointsman_budget_holds 0\n"), "{page}");
    let rows = front.settle();
    let spent: i128 = rows.iter().filter_map(|row| row.amount).sum();
    assert_eq!(spent, usd(&budget["spent"]), "what is enforced is what was charged");
    assert!(spent <= usd(&json!("0.08")));
}

#[test]
fn over_its_limit_a_team_goes_to_the_cheaper_rung_and_others_go_on() {
    let upstream = Upstream::with(|_| Reply::text("well"));
    let mut setup = Setup::of(&upstream.url());
    // Whatever comes starts on the large model.
    setup.policy = setup
        .policy
        .replace("no_signal = \"small\"", "no_signal = \"large\"")
        .replace("threshold = 0", "threshold = 1000");
    let sandbox = Sandbox::new(&setup);
    let budgets = "[budget.large]\nmodel = [\"gpt-4.1\"]\neach = \"team\"\nlimit = { day = \"0.05\" }\nspecial = { rich = { day = 5 } }\n";
    fs::write(sandbox.path().join("config/budgets.toml"), budgets).unwrap();
    let front = sandbox.serve(&setup);
    let ask = |team: &str| chat("auto", false).header("pointsman-team", team).send(front.address());
    let (poor, rich) = (ask("poor"), ask("rich"));
    assert_eq!(
        (poor.status(), poor.header("pointsman-model")),
        (200, Some("gpt-4.1-nano")),
        "{}",
        poor.text()
    );
    let reason = poor.header("pointsman-reason").unwrap();
    assert!(reason.contains("could have gone over a budget"), "{reason}");
    assert_eq!((rich.status(), rich.header("pointsman-model")), (200, Some("gpt-4.1")));
    // A client that names the model gets it or is told.
    let pinned = chat("gpt-4.1", false).header("pointsman-team", "poor").send(front.address());
    assert_eq!(pinned.status(), 429, "{}", pinned.text());
    assert_eq!(pinned.json()["error"]["limit_source"], "large/day of poor");
    let found = standings(&front);
    let poor = found["budgets"].as_array().unwrap().iter().find(|row| row["member"] == "poor").unwrap();
    assert_eq!((&poor["moved"], &poor["refused"], &poor["calls"]), (&json!(1), &json!(1), &json!(0)));
    assert!(poor["ends"].as_str().unwrap().ends_with("T00:00:00.000Z"), "{poor}");
    drop(front.settle());
}

#[test]
fn every_dialect_is_told_the_limit_in_its_own_form() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.none]\nlimit = { hour = 0 }\n");
    let front = sandbox.serve(&setup);
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "What is due?"}]}]});
    let responses = json!({"model": "gpt-4.1", "input": "What is due?"});
    for ask in [
        chat("gpt-4.1", false),
        chat("gpt-4.1", true),
        messages("claude-opus-4-6", true),
        Ask::post("/v1beta/models/gemini-2.5-flash:generateContent", &gemini),
        Ask::post("/v1/responses", &responses),
        Ask::post("/v1/embeddings", &json!({"model": "text-embedding-3-small", "input": "x"})),
    ] {
        let answer = ask.send(front.address());
        assert_eq!(answer.status(), 429, "{}", answer.text());
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
        let body = answer.json();
        let error = &body["error"];
        assert_eq!(error["limit_source"], "none/hour", "{body}");
        for member in ["limit", "spent", "held", "resets_at"] {
            assert!(error[member].is_string(), "{member} of {body}");
        }
    }
    assert!(upstream.served().is_empty(), "nothing was spent");
    drop(front.settle());
}

#[test]
fn an_edit_takes_effect_while_it_serves_a_slip_changes_nothing_and_a_restart_forgets_nothing() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.all]\nlimit = { month = 3 }\n");
    let file = sandbox.path().join("config/budgets.toml");
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    let spent = standings(&front)["budgets"][0]["spent"].clone();
    assert!(usd(&spent) > 0);
    fs::write(&file, "[budget.all]\nlimit = { moth = 3 }\n").unwrap();
    fs::write(&file, "[budget.all]\nlimit = { month = \"0.001\" }\n# closed\n").unwrap();
    stands(&front, "the edit", |found| found["budgets"][0]["limit"] == "0.001");
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 429);
    fs::write(&file, "[budget.all]\nlimit = { moth = 3 }\n").unwrap();
    let until = std::time::Instant::now() + PATIENCE;
    while !front.said().contains("`moth` is no window") {
        assert!(std::time::Instant::now() < until, "{}", front.said());
        std::thread::yield_now();
    }
    assert_eq!(standings(&front)["budgets"][0]["limit"], "0.001", "the limits before stay in force");
    fs::write(&file, "[budget.all]\nlimit = { month = 2 }\n").unwrap();
    front.stop();
    let front = sandbox.serve(&setup);
    let again = standings(&front);
    assert_eq!(again["budgets"][0]["spent"], spent, "{again:#}");
    assert_eq!(again["budgets"][0]["limit"], "2");
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    drop(front.settle());
    // Which file was in force when goes along with the traffic: the first one, the edit, and the one of between the runs.
    let log = sandbox.must(&["ledger", "export"]);
    let header: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(header["budgets"], "[budget.all]\nlimit = { month = 3 }\n");
    let texts: Vec<&Value> =
        header["budget_changes"].as_array().unwrap().iter().map(|one| &one["text"]).collect();
    let files = ["{ month = \"0.001\" }\n# closed", "{ month = 2 }"]
        .map(|limit| format!("[budget.all]\nlimit = {limit}\n"));
    assert_eq!(texts, [&Value::from(files[0].as_str()), &Value::from(files[1].as_str())]);
    let path = sandbox.must(&["ledger", "path"]);
    let shown: Value = serde_json::from_str(&sandbox.must(&[
        "budgets",
        "show",
        path.trim(),
        "--as",
        "routed",
        "--format",
        "json",
    ]))
    .unwrap();
    assert_eq!(shown["budgets"][0]["limit"], "2", "{shown:#}");
}

/// The first limit that somebody sets is often set while the gateway runs, and would else limit nothing until a restart.
#[test]
fn a_file_that_comes_while_it_serves_is_taken_up() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.all]\nlimit = { month = 3 }\n");
    let file = sandbox.path().join("config/budgets.toml");
    fs::remove_file(&file).unwrap();
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    sandbox.must(&["budgets", "set", "all", "--limit", "month=0.001"]);
    stands(&front, "the first limit", |found| found["budgets"][0]["limit"] == "0.001");
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 429);
    front.stop();
}

#[test]
fn tags_pay_as_key_header_and_metadata_tell_them_also_after_a_restart_and_in_a_replay() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(
        &upstream,
        "[budget.envs]\neach = \"tag.env\"\nlimit = { month = 5 }\nspecial = { test = { month = 0 } }\n\
         [budget.search]\ntag = { feature = [\"search\"] }\nlimit = { month = 5 }\n",
    );
    sandbox.key(&["bound", "--tag", "env=prod"]);
    let key = sandbox.key(&["prod", "--tag", "env=prod", "--scope", "route,read"]);
    let front = sandbox.serve(&setup);
    let ask = |tags: &str| {
        let body = json!({"model": "gpt-4.1", "metadata": {"feature": "search", "mail": "someone@example.org"},
            "messages": [{"role": "user", "content": "What is due?"}]});
        let ask = Ask::post("/v1/chat/completions", &body).header("authorization", &format!("Bearer {key}"));
        if tags.is_empty() { ask } else { ask.header("pointsman-tags", tags) }
    };
    // Whatever the client says, its key says prod; of the budget's other limits it says search.
    for tags in ["env=test", "", "env=test, feature=chat"] {
        let answer = ask(tags).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    let read = |front: &Front<'_>| {
        let answer = Ask::get("/operator/v1/budgets")
            .header("authorization", &format!("Bearer {key}"))
            .send(front.address());
        let rows = answer.json()["budgets"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| {
                (format!("{} {}", row["budget"], row["member"]), row["calls"].clone(), row["spent"].clone())
            })
            .collect::<Vec<_>>()
    };
    let before = read(&front);
    let calls: Vec<_> =
        before.iter().map(|(name, calls, _)| (name.as_str(), calls.as_u64().unwrap())).collect();
    assert_eq!(calls, [("\"envs\" \"prod\"", 3), ("\"search\" \"\"", 2)]);
    front.stop();
    let front = sandbox.serve(&setup);
    assert_eq!(read(&front), before, "a restart forgets nothing");
    drop(front.settle());
    assert!(sandbox.must(&["ledger", "check"]).contains("sound"));
    sandbox.must(&["ledger", "export", "-o", "tags.jsonl"]);
    let log = fs::read_to_string(sandbox.path().join("tags.jsonl")).unwrap();
    assert!(log.contains("\"tags\":[\"env=prod\",\"feature=search\"]") && !log.contains("someone@"), "{log}");
    assert!(sandbox.must(&["ledger", "check", "tags.jsonl"]).contains("sound"));
    let shown = sandbox.must(&[
        "budgets",
        "show",
        "tags.jsonl",
        "--budgets",
        "config/budgets.toml",
        "--format",
        "json",
    ]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let spent: Vec<_> = shown["budgets"].as_array().unwrap().iter().map(|row| row["spent"].clone()).collect();
    assert_eq!(spent, before.iter().map(|(_, _, spent)| spent.clone()).collect::<Vec<_>>());
}

/// Anybody could else spend past it by the other name, and a limit on all traffic would refuse that name for want of a price.
#[test]
fn a_limit_on_a_model_holds_for_every_name_that_providers_have_for_it() {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url());
    let house = format!(
        "\n[[provider]]\nname = \"house\"\ndialect = \"openai\"\nbase_url = \"{}/v1\"\nrename = {{ \"fast\" = \"gpt-4.1\" }}\n",
        upstream.url()
    );
    setup.providers += &house;
    let sandbox = Sandbox::new(&setup);
    fs::write(
        sandbox.path().join("config/budgets.toml"),
        "[budget.one]\nmodel = [\"gpt-4.1\"]\nlimit = { lifetime = \"0.02\" }\n\
         [budget.all]\nlimit = { lifetime = 9 }\n",
    )
    .unwrap();
    let front = sandbox.serve(&setup);
    let send = |name: &str, most: u32| {
        let body = json!({"model": name, "max_tokens": most, "messages": [{"role": "user", "content": "x"}]});
        Ask::post("/v1/chat/completions", &body).send(front.address()).status()
    };
    for name in ["gpt-4.1", "fast", "house/fast"] {
        assert_eq!((send(name, 10), send(name, 20_000)), (200, 429), "{name}");
    }
    let rows = standings(&front)["budgets"].clone();
    assert!(rows.as_array().unwrap().iter().all(|row| row["calls"] == 3), "{rows:#}");
    front.settle();
}

/// What a request may cost is held before it is sent, also where its length is told twice or lies with somebody else.
#[test]
fn no_request_passes_a_hard_limit_by_what_it_leaves_unsaid() {
    let upstream = Upstream::start();
    let (mut setup, sandbox) =
        sandbox(&upstream, "[budget.all]\nlimit = { lifetime = \"0.05\" }\nover = \"refuse\"\n");
    let texts = format!(
        "\n[[provider]]\nname = \"texts\"\ndialect = \"openai\"\nbase_url = \"{}/v1\"\nmodels = [\"gpt-3.5-turbo\"]\ncompletions = true\n",
        upstream.url()
    );
    setup.providers += &texts;
    let front = sandbox.serve(&setup);
    let film = json!({"fileData": {"fileUri": "https://example.com/film", "mimeType": "video/mp4"}});
    let document =
        json!({"type": "document", "source": {"type": "url", "url": "https://example.com/book.pdf"}});
    let x = json!([{"role": "user", "content": "x"}]);
    let gemini = "/v1beta/models/gemini-2.5-flash:generateContent";
    let few = json!({"maxOutputTokens": 10});
    let adviser = json!([{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-6"}]);
    let own_tools = json!([
        {"type": "computer_20251124", "name": "computer", "display_width_px": 1, "display_height_px": 1},
        {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
        {"type": "bash_20250124", "name": "bash"},
    ]);
    for (path, body) in [
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4.1", "messages": x, "max_tokens": 10, "max_completion_tokens": 20_000}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4.1", "messages": x, "max_completion_tokens": 20_000, "max_tokens": 10}),
        ),
        (
            "/v1/completions",
            json!({"model": "gpt-3.5-turbo", "prompt": "x", "max_tokens": 2000, "best_of": 20}),
        ),
        (gemini, json!({"contents": [{"parts": [film]}], "generationConfig": few})),
        (
            gemini,
            json!({"contents": [{"parts": [{"text": "x"}]}], "cachedContent": "cachedContents/a", "generationConfig": few}),
        ),
        (
            "/v1/messages",
            json!({"model": "claude-opus-4-6", "max_tokens": 10, "messages": [{"role": "user", "content": [document]}]}),
        ),
        // Anthropic's own tools bring some thousand tokens of its own words.
        (
            "/v1/messages",
            json!({"model": "claude-opus-4-6", "max_tokens": 10, "messages": x, "tools": own_tools}),
        ),
        // Another model works, too, at its own price and as long as it likes.
        (
            "/v1/messages",
            json!({"model": "claude-opus-4-6", "max_tokens": 10, "messages": x, "tools": adviser}),
        ),
        // Thoughts whose budget is above the answer's limit, or beside it.
        (
            "/v1/messages",
            json!({"model": "claude-opus-4-6", "max_tokens": 10, "messages": x, "thinking": {"type": "enabled", "budget_tokens": 20_000}}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4.1", "messages": x, "max_tokens": 5_000, "thinking_budget": 4_000}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4.1", "messages": x, "max_tokens": 10, "reasoning": {"max_tokens": 20_000}}),
        ),
        (
            gemini,
            json!({"contents": [{"parts": [{"text": "x"}]}],
                "generationConfig": {"maxOutputTokens": 10, "thinkingConfig": {"thinkingBudget": 24_576}}}),
        ),
    ] {
        let answer = Ask::post(path, &body).send(front.address());
        assert_eq!(answer.status(), 429, "{path} {body}: {}", answer.text());
    }
    assert!(upstream.served().is_empty());
    let small = json!({"model": "gpt-4.1", "messages": x, "max_tokens": 10});
    assert_eq!(Ask::post("/v1/chat/completions", &small).send(front.address()).status(), 200);
    front.settle();
    sandbox.check();
}

/// Six times the price would else be booked as one.
#[test]
fn a_dearer_tier_without_a_price_is_not_asked_for_under_a_hard_limit() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.all]\nlimit = { lifetime = 9 }\n");
    let front = sandbox.serve(&setup);
    let x = json!([{"role": "user", "content": "x"}]);
    let fast = json!({"model": "claude-opus-4-6", "max_tokens": 10, "messages": x, "speed": "fast"});
    let first =
        |model: &str| json!({"model": model, "max_tokens": 10, "messages": x, "service_tier": "priority"});
    let chat = "/v1/chat/completions";
    for (path, body, member, told, sent) in [
        ("/v1/messages", fast, "speed", Some("speed"), None),
        (chat, first("gpt-4-turbo"), "service_tier", Some("service_tier"), Some("default")),
        // This one has a price.
        (chat, first("gpt-4.1"), "service_tier", None, Some("priority")),
    ] {
        let answer = Ask::post(path, &body).send(front.address());
        assert_eq!((answer.status(), answer.header("pointsman-left-out")), (200, told), "{}", answer.text());
        upstream.wait_idle();
        let served = upstream.served().last().unwrap().call.body[member].clone();
        assert_eq!(served.as_str(), sent, "{body}");
    }
    front.settle();
}

/// A project's own setting would else serve and bill what nobody held for.
#[test]
fn openai_is_asked_for_the_ordinary_tier_under_a_hard_limit() {
    let upstream = Upstream::start();
    for (budgets, sent) in [("[budget.all]\nlimit = { lifetime = 9 }\n", Some("default")), ("", None)] {
        let (setup, sandbox) = sandbox(&upstream, budgets);
        let named = "name = \"openai\"\nkey = { command = [\"printf\", \"key\"] }";
        let providers = setup.providers.replace("name = \"up-chat\"", named);
        fs::write(sandbox.path().join("config/providers.toml"), providers).unwrap();
        let front = sandbox.serve(&setup);
        for ask in [chat("gpt-4.1", false), messages("gpt-4.1", false)] {
            let answer = ask.send(front.address());
            assert_eq!(
                (answer.status(), answer.header("pointsman-left-out")),
                (200, None),
                "{}",
                answer.text()
            );
            upstream.wait_idle();
            let served = upstream.served().last().unwrap().call.body["service_tier"].clone();
            assert_eq!(served.as_str(), sent, "{budgets}");
        }
        front.settle();
    }
}
