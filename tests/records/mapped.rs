//! A log of one's own shape is read as its mapping says, in every arrangement, and what is wrong is told where it stands.

use std::ops::ControlFlow;
use std::sync::Arc;

use pointsman::record::{Entry, Error, Input, Mapping, ReadOptions, Record, Status, open};
use pointsman::units::{Count, Instant};

fn options(mapping: &str) -> ReadOptions {
    ReadOptions { mapping: Some(Arc::new(Mapping::parse(mapping).unwrap())), ..ReadOptions::default() }
}

/// What a log gives: its requests as `f` sees them, and why lines are bad.
fn with<T>(log: impl Into<Vec<u8>>, mapping: &str, f: impl Fn(&Record<'_>) -> T) -> (Vec<T>, Vec<String>) {
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    let mut source = open(&Input::bytes("log", log.into()), &options(mapping)).unwrap();
    let summary = source.for_each(|_, _, entry| {
        if let Ok(Entry::Request(record)) = entry {
            found.push(f(&record));
        }
        ControlFlow::Continue(())
    });
    bad.extend(summary.unwrap().first_bad);
    (found, bad)
}

type Seen = (String, Instant, [Option<u64>; 4], Option<u32>, Status);

fn seen(record: &Record<'_>) -> Seen {
    let served = record.attempts.last().unwrap();
    let u = served.usage;
    let tokens = [u.input, u.cache_read, u.output, u.reasoning].map(Count::get);
    (served.model.to_string(), record.at, tokens, served.latency_ms, served.status)
}

fn refused(log: &str, mapping: &str) -> String {
    open(&Input::bytes("log", log.as_bytes().to_vec()), &options(mapping)).err().unwrap().to_string()
}

const MAP: &str = "at=ts,model=req.model,in=usage.prompt,out=usage.completion,cached=usage.cached,reasoning=usage.thinking,latency_ms=dur,status=code";
const ONE: &str = r#"{"ts":"2026-05-23T10:00:00Z","req":{"model":"gpt-4.1"},"usage":{"prompt":12000,"completion":650,"cached":8192,"thinking":100},"dur":4810,"code":200}"#;
const TWO: &str = r#"{"ts":"2026-05-23T10:00:01Z","req":{"model":"gpt-4.1"},"usage":{"prompt":100,"completion":null},"dur":210,"code":429}"#;

/// What the two entries say; the second's cached tokens are told nowhere, or in a cell that is empty.
fn want(cached: Option<u64>) -> Vec<Seen> {
    let at = |text: &str| Instant::parse(text).unwrap();
    vec![
        (
            "gpt-4.1".into(),
            at("2026-05-23T10:00:00Z"),
            [Some(3808), Some(8192), Some(650), Some(100)],
            Some(4810),
            Status::Ok,
        ),
        (
            "gpt-4.1".into(),
            at("2026-05-23T10:00:01Z"),
            [Some(100), cached, None, None],
            Some(210),
            Status::RateLimited,
        ),
    ]
}

#[test]
fn json_gives_the_same_in_every_arrangement() {
    for log in [
        format!("{ONE}\n{TWO}\n"),
        format!("\u{feff}{ONE}\r\n\r\n{TWO}"),
        format!("[{ONE},\n{TWO}]"),
        format!("{{\"next\":null,\"result\":{{\"calls\":[{ONE},{TWO}]}},\"n\":2}}"),
        format!("{{\n\"items\": [\n{ONE},\n{TWO}\n]\n}}\n"),
        ONE.replace(",\"", ",\n\"") + "\n" + &TWO.replace(",\"", ",\n\""),
    ] {
        assert_eq!(with(log.clone(), MAP, seen), (want(Some(0)), vec![]), "{log}");
        let packed = zstd::stream::encode_all(log.as_bytes(), 1).unwrap();
        assert_eq!(with(packed, MAP, seen).0, want(Some(0)), "packed {log}");
    }
}

#[test]
fn tables_give_the_same_whatever_stands_between_fields() {
    let map = "at=When,model=Model,in=Prompt tokens,out=usage.completion,cached=Cached,reasoning=usage.thinking,latency_s=Seconds,status=Code";
    for by in [",", ";", "\t", "|"] {
        let rows = [
            ["When", "Model", "Prompt tokens", "usage", "Cached", "Seconds", "Code", "Note"],
            [
                "2026-05-23 10:00:00",
                "gpt-4.1",
                "\"12,000\"",
                r#""{""completion"":650,""thinking"":100}""#,
                "8192",
                "4.81",
                "200",
                "\"two\nlines\"",
            ],
            ["2026-05-23 10:00:01", "gpt-4.1", "100", "", "", "0.21", "429", "x"],
        ];
        let log: String = rows.iter().map(|row| row.join(by) + "\n").collect();
        assert_eq!(with(log.clone(), map, seen), (want(None), vec![]), "{log}");
    }
}

#[test]
fn what_is_missing_is_unknown_and_never_zero() {
    let log = r#"{"t":1779530412,"m":"gpt-4.1","i":100,"o":null,"c":null}
{"t":1779530413,"m":"gpt-4.1","i":100}
{"t":1779530414,"i":100,"o":5,"c":null}
{"t":1779530415,"m":"gpt-4.1","i":100,"o":5}
"#;
    let (found, bad) = with(log, "at=t,model=m,in=i,out=o,cached=c", seen);
    let tokens: Vec<_> = found.iter().map(|seen| seen.2).collect();
    assert_eq!(bad, Vec::<String>::new());
    assert_eq!(tokens[0], [Some(100), None, None, None]);
    assert_eq!(tokens[1][2], None);
    assert_eq!(tokens[2], [Some(100), None, Some(5), None], "a cell that is empty is not known");
    assert_eq!(tokens[3], [Some(100), Some(0), Some(5), None], "a key that is not there is none");
    assert_eq!(found[2].0, "", "no model is none");
}

#[test]
fn tokens_that_lie_beside_are_told_so_or_prove_it() {
    let first = |log: &str, map: &str| with(log, map, seen).0[0].2;
    let log = r#"{"i":10,"c":90,"o":5,"r":7,"all":112}"#;
    assert_eq!(first(log, "fresh=i,cached=c,answer=o,reasoning=r"), [Some(10), Some(90), Some(12), Some(7)]);
    assert_eq!(
        first(log, "in=i,cached=c,out=o,reasoning=r,total=all"),
        [Some(10), Some(90), Some(12), Some(7)]
    );
    assert_eq!(
        first(log, "in=i,cached=c,out=o"),
        [Some(10), Some(90), Some(5), None],
        "more cached than prompt"
    );
}

#[test]
fn every_field_finds_its_place() {
    let log = r#"{"s":1779530412000,"e":1779530413500,"id":"r1","org":{"team":"pay"},"app":"shop","who":"mia","chat":"c1","asked":"auto","m":"gpt-4.1","p":"azure","err":{"code":"timeout"},"usd":1.25,"kind":"code","n":3,"tools":[1,2],"msgs":[{"role":"user","content":"hello"},{"role":"assistant","content":"no"}],"tier":"flex","fit":false,"sure":0.61}"#;
    let map = "at_ms=s,ended_ms=e,id=id,team=org.team,project=app,user=who,session=chat,asked=asked,model=m,provider=p,error=err,cost_cents=usd,task=kind,turn=n,tools=tools,prompt=msgs,tier=tier,check=fit,confidence=sure";
    let (found, bad) = with(log, map, |record| {
        let served = record.attempts.last().unwrap();
        let words = [
            &record.id,
            &record.team,
            &record.project,
            &record.user,
            &record.session,
            &record.asked,
            &served.provider,
            &served.error,
        ];
        let words = words.map(std::string::ToString::to_string).join(" ");
        let rest = format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {} {:?} {:?}",
            served.latency_ms,
            served.status,
            record.claimed_usd.as_deref(),
            record.task,
            record.turn,
            record.tools,
            served.terms.as_ref().unwrap().tier(),
            served.check,
            record.confidence.map(pointsman::units::PerMille::get)
        );
        (words, rest, record.prompt.as_deref().map(str::to_owned))
    });
    assert_eq!(bad, Vec::<String>::new());
    let (words, rest, prompt) = &found[0];
    assert_eq!(words, "r1 pay shop mia c1 auto azure timeout");
    assert_eq!(rest, "Some(1500) Timeout Some(\"0.0125\") Some(Code) Some(3) Some(2) flex Failed Some(610)");
    assert_eq!(prompt.as_deref(), Some("hello"));
}

#[test]
fn what_is_wrong_is_told_with_line_path_and_value() {
    let log = format!("{ONE}\n{}\nnonsense\n", ONE.replace("650", "\"many\""));
    let (found, bad) = with(log, MAP, seen);
    assert_eq!(found.len(), 1);
    assert!(bad[0].starts_with("log:2: out: usage.completion holds `many`"), "{bad:?}");
    assert!(bad[1].starts_with("log:3: not JSON"), "{bad:?}");
    let (_, bad) = with(format!("{ONE}\n"), "at=ts,model=req", seen);
    assert!(bad[0].contains("req holds an object") && bad[0].contains("req.model"), "{bad:?}");
    let (_, bad) = with(r#"{"t":1779530412,"x":812}"#, "at=t,latency=x", seen);
    assert!(bad[0].contains("latency_ms="), "{bad:?}");
    let (_, bad) = with("a,b\n2026-05-23,gpt-4.1\n1,2,3\n", "at=a,model=b", seen);
    assert!(bad[0].starts_with("log:3: 3 fields where the header names 2"), "{bad:?}");
}

#[test]
fn a_mapping_that_fits_nothing_is_told_at_once() {
    let slip = refused(ONE, "at=ts,model=req.modle");
    assert!(slip.contains("did you mean req.model?") && slip.contains("usage.prompt"), "{slip}");
    assert!(
        refused("a;b\n1;2\n", "at=a,in=c,out=b").contains("none of the first"),
        "a column that is not there"
    );
    assert!(refused("hello\n", "at=a").contains("neither JSON nor rows"));
}

#[test]
fn a_log_that_nobody_knows_is_described_with_a_mapping_that_reads_it() {
    let log = ONE.replace("2026-05-23T10:00:00Z", "1779530412370")
        + "\n"
        + &ONE.replace("2026-05-23T10:00:00Z", "1779530413370");
    let error = open(&Input::bytes("log", log.clone().into_bytes()), &ReadOptions::default()).err().unwrap();
    let text = error.to_string();
    assert!(text.contains("JSON lines with keys") && text.contains("12000"), "{text}");
    let mapping = error.mapping().unwrap().to_owned();
    assert!(matches!(error, Error::UnknownFormat { .. }));
    let (found, bad) = with(log, &mapping, seen);
    assert_eq!((found.len(), bad.len()), (2, 0), "{mapping}");
    assert_eq!(found[0].2[..3], want(None)[0].2[..3], "{mapping}");
    // Ours by its moment, but for tokens that stand where ours never do.
    let near = r#"{"at":"2026-05-23T10:00:00Z","model":"m","prompt_tokens":5,"completion_tokens":6}"#;
    let error = open(&Input::bytes("log", near.as_bytes().to_vec()), &ReadOptions::default()).err().unwrap();
    assert_eq!(error.mapping(), Some("at=at,model=model,in=prompt_tokens,out=completion_tokens"));
}

#[test]
fn a_mapped_provider_keeps_the_list_price_away_like_any_column() {
    let row = |provider: &str| {
        format!(r#"{{"t":"2026-05-23T10:00:00Z","m":"gpt-4.1","i":1000,"o":100,"who":"{provider}"}}"#)
    };
    let billed = |record: &Record<'_>| {
        let call = record.attempts.last().unwrap();
        (call.billed.to_string(), call.estimated)
    };
    for (provider, want) in
        [("azure", ("azure/gpt-4.1", false)), ("openai", ("", false)), ("my-cloud", ("", true))]
    {
        let (found, bad) = with(row(provider), "at=t,model=m,in=i,out=o,provider=who", billed);
        assert_eq!((found, bad.len()), (vec![(want.0.to_owned(), want.1)], 0), "{provider}");
    }
    let zeros = r#"{"t":"2026-05-23T10:00:00Z","m":"gpt-4.1","i":0,"o":0,"usd":"0.04"}"#;
    let (found, _) =
        with(zeros, "at=t,model=m,in=i,out=o,cost=usd", |record| record.attempts[0].usage.is_known());
    assert_eq!(found, [false]);
}
