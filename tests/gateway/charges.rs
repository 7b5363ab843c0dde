//! Whatever a provider does, in whatever order: the ledger's charges are what the upstream served. Known where usage was
//! told, estimated or unknown elsewhere, never silently zero.

use proptest::prelude::*;
use serde_json::json;

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::stage::{MODELS, Speaks, all_lawful, nothing_held};
use crate::upstream::upstream_script::Report;
use crate::upstream::{At, Fault, Framing, Pace, Reply, Upstream};

fn place() -> impl Strategy<Value = At> {
    prop_oneof![
        Just(At::BeforeHeaders),
        Just(At::AfterHeaders),
        (0..9_usize).prop_map(At::Frame),
        Just(At::BeforeUsage),
        Just(At::BeforeEnd),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Reset),
        Just(Fault::Close),
        Just(Fault::End),
        Just(Fault::Splice(b"data: {\"broken\n\n".to_vec())),
        Just(Fault::Splice(b": a comment\n\n".to_vec())),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let status = prop_oneof![Just(429_u16), Just(500), Just(503), Just(400), Just(529)];
    let pace = prop_oneof![Just(Pace::Frames), Just(Pace::Whole), (1..40_usize).prop_map(Pace::Bytes)];
    let framing = prop_oneof![Just(Framing::Usual), Just(Framing::Trailers), Just(Framing::UntilClose)];
    let report = (0..Report::ALL.len()).prop_map(|at| Report::ALL[at]);
    let answer = (prop::option::weighted(0.6, (place(), fault())), report, pace, framing).prop_map(
        |(fault, report, pace, framing)| Reply { report, framing, pace, fault, ..Reply::default() },
    );
    prop_oneof![3 => answer, 1 => status.prop_map(Reply::status)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_is_what_the_upstream_served(
        replies in prop::collection::vec(reply(), 4..24),
        asks in prop::collection::vec((0..MODELS.len() + 2, any::<bool>(), any::<bool>()), 4..16),
    ) {
        let upstream = Upstream::start();
        let setup = Setup::with(&upstream.url(), r#"retries = { attempts = 2, base = "1ms", max_wait = "1s" }"#);
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        for reply in replies {
            upstream.push(reply);
        }
        for (model, chat, stream) in asks {
            let model = MODELS.get(model).copied().unwrap_or("auto");
            let speaks = if chat { Speaks::Chat } else { Speaks::Messages };
            let answer = speaks.ask(model, stream).send(front.address());
            prop_assert!(answer.sound, "the gateway's own answer broke off");
            upstream.wait_idle();
        }
        nothing_held(&front);
        let rows = front.settle();
        all_lawful(&rows, &upstream.served());
        upstream.wait("every connection is closed", |state| state.open == 0);
    }
}

/// Who writes to a cache at one price, however long that keeps it, is charged what is known; and the ledger proves it.
#[test]
fn a_lifetime_that_nobody_tells_makes_no_estimate_where_the_price_goes_by_none() {
    let whole = json!({"id": "c", "object": "chat.completion", "model": "gpt-5.6",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200,
            "prompt_tokens_details": {"cached_tokens": 512, "cache_write_tokens": 400}}});
    let upstream = Upstream::with(move |_| Reply::json(&whole));
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for (path, body) in [
        ("/v1/chat/completions", json!({"model": "gpt-5.6", "messages": [{"role": "user", "content": "x"}]})),
        ("/v1/responses", json!({"model": "gpt-5.6", "input": "x"})),
    ] {
        let answer = Ask::post(path, &body).send(front.address());
        assert_eq!((answer.status(), answer.header("pointsman-cost-kind")), (200, Some("known")), "{path}");
    }
    for row in front.settle() {
        let counted = (row.cache_read, row.write_5m, row.estimated, &*row.kind);
        assert_eq!(counted, (Some(512), Some(400), false, "known"), "{row:?}");
    }
    sandbox.check();
}

/// A server that counts nothing is no free one, and a total that stands alone is a count.
#[test]
fn embeddings_are_charged_for_their_texts_however_their_tokens_are_told() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let wanted = [
        (json!({"prompt_tokens": 8, "total_tokens": 8}), "known", Some(8)),
        (json!({"total_tokens": 8}), "known", Some(8)),
        (json!({"prompt_tokens": 0, "total_tokens": 0}), "estimated", None),
        (json!(null), "estimated", None),
    ];
    for (usage, kind, _) in &wanted {
        upstream
            .push(Reply::json(&json!({"object": "list", "model": "text-embedding-3-small", "usage": usage,
            "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}]})));
        let body = json!({"model": "text-embedding-3-small", "input": "What is due, and when?"});
        let answer = Ask::post("/v1/embeddings", &body).send(front.address());
        assert_eq!((answer.status(), answer.header("pointsman-cost-kind")), (200, Some(*kind)), "{usage}");
    }
    for (row, (usage, kind, tokens)) in front.settle().iter().zip(&wanted) {
        assert_eq!((&*row.kind, row.output), (*kind, Some(0)), "{usage}");
        assert!(tokens.map_or(row.input > Some(1), |tokens| row.input == Some(tokens)), "{usage}: {row:?}");
        assert!(row.amount.is_some_and(|amount| amount > 0), "{usage}");
    }
    sandbox.check();
}
