//! A power cut at any moment: what was committed is still there, what was open is settled as an estimate, and the sums
//! still add up.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Instant;

use crate::budgets::{standings, usd};
use crate::client::Line;
use crate::front::{Sandbox, Setup};
use crate::stage::{Speaks, chat};
use crate::upstream::{At, Fault, PATIENCE, Reply, Told, Upstream};

#[test]
fn a_kill_under_load_loses_no_answer_and_leaves_nothing_open() {
    for round in 0..3_usize {
        // Every seventh stream hangs, so that there are always calls in the middle of things.
        let upstream = Upstream::with(|call| {
            if call.stream && call.number % 7 == 6 {
                Reply::fault(At::Frame(5), Fault::Stall)
            } else {
                Reply::default()
            }
        });
        let setup = Setup::of(&upstream.url()).gateway("[ledger]\ndurability = \"strict\"");
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        let to = front.address();
        let answered: Mutex<BTreeSet<String>> = Mutex::default();
        let enough = 20 + 10 * round;
        std::thread::scope(|scope| {
            for client in 0..4_usize {
                let answered = &answered;
                scope.spawn(move || {
                    for at in 0..200_usize {
                        let Ok(stream) = std::net::TcpStream::connect(to) else { return };
                        let mut line = Line::over(stream);
                        let speaks = Speaks::ALL[(at + client) % 2];
                        let model = if at % 3 == 0 { "auto" } else { "claude-opus-4-6" };
                        if line.write(&speaks.ask(model, at % 2 == 0).wire()).is_err() {
                            return;
                        }
                        let Ok(answer) = line.answer() else { return };
                        if !answer.sound {
                            return;
                        }
                        let id = answer.header("pointsman-operation").unwrap().to_owned();
                        answered.lock().unwrap().insert(id);
                    }
                });
            }
            upstream.wait("the gateway is busy", |state| state.served.len() >= enough);
            front.kill();
        });
        upstream.wait("every connection is closed", |state| state.open == 0);
        let answered = answered.into_inner().unwrap();
        let again = sandbox.serve(&setup);
        assert_eq!(chat("gpt-4.1", false).send(again.address()).status(), 200);
        let rows = again.settle();
        let kept: BTreeSet<String> = rows.iter().map(|row| row.operation.clone()).collect();
        let lost: Vec<&String> = answered.difference(&kept).collect();
        assert!(lost.is_empty(), "answered, but not in the ledger: {lost:?}");
        for row in rows.iter().filter(|row| answered.contains(&row.operation)) {
            assert_eq!(row.kind, "known", "{row:#?}");
        }
        let told = upstream.served().iter().filter(|served| matches!(served.told, Told::Counts(_))).count();
        let known = rows.iter().filter(|row| row.kind == "known").count();
        assert!(known <= told, "{known} charges are known, but {told} were told");
        let open = rows.iter().filter(|row| !answered.contains(&row.operation) && row.kind != "known");
        for row in open {
            assert!(row.kind == "unknown" || row.amount.is_some_and(|amount| amount > 0), "{row:#?}");
        }
    }
}

#[test]
fn without_waiting_for_the_disk_the_sums_still_add_up_after_a_kill() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let mut kept = 0;
    for _ in 0..3 {
        let front = sandbox.serve(&setup);
        let to = front.address();
        let before = upstream.served().len();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..400 {
                    let mut line = match std::net::TcpStream::connect(to) {
                        Ok(stream) => Line::over(stream),
                        Err(_) => return,
                    };
                    if line.write(&chat("auto", false).wire()).is_err() || line.answer().is_err() {
                        return;
                    }
                }
            });
            upstream.wait("the gateway is busy", |state| state.served.len() >= before + 150);
            // Some of it is on the disk, some is not.
            let until = Instant::now() + PATIENCE;
            while sandbox.ledger().len() <= kept {
                assert!(Instant::now() < until, "nothing is ever written");
                std::thread::yield_now();
            }
            front.kill();
        });
        kept = sandbox.ledger().len();
    }
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    let rows = front.settle();
    assert!(rows.len() > kept, "what was on the disk has gone");
}

#[test]
fn a_kill_between_hold_and_charge_leaves_no_budget_overrun_and_no_call_for_nothing() {
    // Every second stream hangs in the middle, so that calls are held for when the power goes.
    let upstream = Upstream::with(|call| match (call.stream, call.number % 2) {
        (true, 1) => Reply::fault(At::Frame(5), Fault::Stall),
        _ => Reply::default(),
    });
    let setup = Setup::of(&upstream.url()).gateway("[ledger]\ndurability = \"strict\"");
    let sandbox = Sandbox::new(&setup);
    std::fs::write(
        sandbox.path().join("config/budgets.toml"),
        "[budget.all]\nlimit = { lifetime = \"0.5\" }\n",
    )
    .unwrap();
    let front = sandbox.serve(&setup);
    let to = front.address();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(move || {
                let Ok(stream) = std::net::TcpStream::connect(to) else { return };
                let mut line = Line::over(stream);
                let _ = line.write(&chat("gpt-4.1", true).wire()).and_then(|()| line.answer());
            });
        }
        upstream.wait("calls are in the middle", |state| state.busy() >= 3);
        let held = standings(&front)["open_holds"].as_u64();
        assert!(held.is_some_and(|held| held >= 3), "{held:?} are held for");
        front.kill();
    });
    upstream.wait("every connection is closed", |state| state.open == 0);
    let front = sandbox.serve(&setup);
    let found = standings(&front);
    let (budget, charged) = (&found["budgets"][0], sandbox.ledger());
    let sum: i128 = charged.iter().filter_map(|row| row.amount).sum();
    let charged: Vec<_> = charged.into_iter().filter(|row| row.status != "refused").collect();
    assert!(charged.iter().all(|row| row.amount.is_some_and(|amount| amount > 0)), "{charged:#?}");
    assert!(charged.iter().any(|row| row.kind == "estimated"), "some were in the middle of it: {charged:#?}");
    assert_eq!((usd(&budget["spent"]), usd(&budget["held"])), (sum, 0), "{found:#}");
    let mut last = 200;
    for _ in 0..2000 {
        last = chat("gpt-4.1", false).send(front.address()).status();
        if last != 200 {
            break;
        }
    }
    assert_eq!(last, 429, "it goes on up to the limit");
    let rows = front.settle();
    let spent: i128 = rows.iter().filter_map(|row| row.amount).sum();
    assert!(spent > sum && spent <= usd(&serde_json::json!("0.5")), "{spent}");
}
