//! What a crash leaves without a call is told alike by the ledger, its export and a replay of that.

use super::*;

/// Were its call not told, a replay would take it for answered, at a cost that the ledger does not have.
#[test]
fn a_request_that_a_crash_left_without_its_call_ends_alike_in_ledger_export_and_replay() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record(in_force(1, 1, policy::BUILTIN));
    // Placed on a rung, pinned, refused: none of them with the call that it was about to make.
    ledger.record(Entry::Opened(Box::new(opened(1))));
    let pinned = pointsman::ledger::Opened { asked: "gpt-4.1".into(), pinned: true, rung: None, ..opened(2) };
    ledger.record(Entry::Opened(Box::new(pinned)));
    ledger.record(Entry::Opened(Box::new(pointsman::ledger::Opened { rung: None, ..opened(3) })));
    // A call failed, and the next one is not told of.
    let failed = pointsman::ledger::AttemptEnded {
        status: pointsman::routing::Status::RateLimited,
        usage: pointsman::pricing::Usage::NONE,
        cost: pointsman::pricing::Cost::Known(Pico::ZERO),
        ..ended(4, 0)
    };
    ledger.record(Entry::Opened(Box::new(opened(4))));
    ledger.record(Entry::AttemptStarted(Box::new(started(4, 0))));
    ledger.record(Entry::AttemptEnded(Box::new(failed)));
    ledger.close().unwrap();
    let (ledger, found) = Ledger::open(options.clone()).unwrap();
    assert_eq!((found.closed_operations, found.settled_attempts, found.unknown), (4, 3, 3));
    ledger.close().unwrap();
    assert_eq!(findings(&options.path), Vec::<String>::new());
    let totals = everything(&options.path);
    assert_eq!((totals.all.calls, totals.all.cost.unknown), (5, 3));
    let log = exported(&options.path, &Range::default(), ExportOptions::default());
    let line = |id: &str| log.lines().find(|line| line.contains(id)).unwrap();
    assert!(line("op-00000001").contains(r#""model":"gemini-2.5-flash""#), "{log}");
    assert!(line("op-00000002").contains(r#""model":"gpt-4.1""#), "{log}");
    for id in ["op-00000001", "op-00000002", "op-00000004"] {
        assert!(line(id).contains(r#""status":"cancelled""#) && line(id).contains("charged_as"), "{log}");
    }
    assert!(line("op-00000003").contains(r#""status":"refused""#), "{log}");
    assert!(log.contains("of 3 more nobody knows the cost"), "{log}");
    for reading in [Reading::Recorded, Reading::Routed] {
        let input = Input::bytes("ledger", log.clone().into_bytes());
        let source = record::open(&input, &ReadOptions { strict: true, ..ReadOptions::default() }).unwrap();
        let mut names = Names::default();
        let policy = Arc::new(policy::parse(policy::BUILTIN, "policy", &mut names).unwrap());
        let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
        let how = StreamOptions::from(reading);
        let found = stream(source, ingest, &policy, &made::book(), &how, |_| true).unwrap();
        // The third, which no model may serve here, is one that this policy places.
        let unknown = if reading == Reading::Routed { 4 } else { 3 };
        assert_eq!((found.totals.all.requests, found.totals.all.cost.unknown), (4, unknown), "{reading:?}");
    }
}
