//! What no client can provoke from outside: that a fault of the gateway itself leaves nothing open, and that strangers'
//! names take bounded memory.

use std::sync::Arc;

use http::HeaderMap;

use super::arriving::{Hashes, open};
use super::assembled::{gateway, live};
use super::gate::let_in;
use super::run;
use crate::access::Caller;
use crate::ledger::{LedgerFile, Range};
use crate::session::{Arriving, Deed};
use crate::units::Instant;
use crate::wire::{Ask, Dialect};

#[tokio::test]
async fn an_operation_that_fails_within_the_gateway_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    for is_called in [false, true] {
        let body = r#"{"model":"auto","messages":[{"role":"user","content":"hello"}]}"#;
        let ask = Ask::read(Dialect::OpenAiChat, body.into()).unwrap();
        let place = let_in(&gateway).unwrap();
        let hashes = Hashes { prompt: [0; 32], prefix: Arc::default() };
        let caller = Caller::local();
        let open = open(&gateway, ask, false, HeaderMap::new(), &caller, (place, hashes));
        let mut open = open.await.unwrap();
        if is_called {
            let send = open.placed.send.clone().unwrap();
            open.record_start(&send, &"openai".into());
        }
        assert_eq!((gateway.live.open(), gateway.in_flight()), (1, 1));
        let failed = tokio::spawn(async move {
            let _held = open;
            panic!("as a fault within the gateway would");
        });
        assert!(failed.await.unwrap_err().is_panic());
        assert_eq!((gateway.live.open(), gateway.in_flight()), (0, 0));
    }
    gateway.ledger.commit().await.unwrap();
    let file = LedgerFile::open(&folder.path().join("ledger.db")).unwrap();
    assert!(file.check(|_, _| true).unwrap().is_sound());
    let mut log = Vec::new();
    let written =
        file.export(&Range::default(), crate::ledger::ExportOptions::default(), &mut log, &mut |_, _| true);
    let written = written.unwrap();
    assert_eq!((written.requests, written.open), (2, 0));
    assert_eq!(String::from_utf8(log).unwrap().matches("the gateway itself failed").count(), 2);
}

/// A thread that serves has one runtime of its own. What is done apart is held up here by keeping the runtime's only other
/// thread busy, so that an answer to a small request shows that none of a large one was done in its way.
#[test]
fn a_large_body_holds_no_other_request_of_its_thread_up() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let (free, busy) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || busy.recv());
    let caller = Caller::local();
    let ask = |length: usize| {
        let text = "word ".repeat(length / 5);
        let body = format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let ask = Ask::read(Dialect::OpenAiChat, body.into()).unwrap();
        run::run(&gateway, ask, false, HeaderMap::new(), &caller, let_in(&gateway).unwrap())
    };
    runtime.block_on(async {
        let mut large = std::pin::pin!(ask(2 << 20));
        let small = async { ask(100).await.unwrap().status().as_u16() };
        let first = tokio::select! {
            biased;
            large = &mut large => panic!("done in the way of others: {large:?}"),
            status = small => status,
        };
        free.send(()).unwrap();
        assert_eq!((first, large.await.unwrap().status().as_u16()), (200, 200));
    });
}

#[test]
fn a_flood_of_models_leaves_room_for_a_policys_own() {
    let live = live(Instant(0));
    for n in 0..5000 {
        let asked: Arc<str> = format!("gpt-{n}").into();
        let arriving = Arriving { asked: Arc::clone(&asked), pinned: true, ..Arriving::default() };
        let mut placed = live.arrive(arriving, Instant(n));
        assert_eq!(placed.send.unwrap().model, asked, "the client gets what it asked for");
        let called = crate::session::Called { model: asked, ..crate::session::Called::default() };
        live.ended(&mut placed.ticket, called, false).unwrap();
    }
    let (_, mut spec) = live.policy_spec();
    spec.routes[0].ladder[0].model = "a-new-model".into();
    live.apply(&spec, "test", Deed::Change("a new model"), Instant(6000)).unwrap();
    assert_eq!(live.policy_spec().1.routes[0].ladder[0].model, "a-new-model");
    assert_eq!(live.open(), 0);
}

#[test]
fn dates_follow_a_clock_that_was_set_forward_and_back() {
    let live = live(Instant(0));
    let year = 365 * 86_400_000_000;
    let arrive = |at| live.arrive(Arriving::default(), Instant(at)).at.0;
    assert_eq!([10, year, year + 10].map(arrive), [10, year, year + 10]);
    assert_eq!(arrive(year + 7), year + 10, "what is only out of turn stays in order");
    assert_eq!([5_000_000, 6_000_000].map(arrive), [5_000_000, 6_000_000], "as soon as it is right again");
    let (_, spec) = live.policy_spec();
    assert_eq!(live.apply(&spec, "test", Deed::Change("again"), Instant(7_000_000)).unwrap().at.0, 7_000_000);
}
