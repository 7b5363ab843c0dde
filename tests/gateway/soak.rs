//! Thousands of requests of every kind: neither memory nor open files may grow with their number. The long run is
//! `benches/gateway.sh --soak`.

use crate::client::Line;
use crate::front::{Front, Sandbox, Setup};
use crate::stage::{Speaks, chat, nothing_held};
use crate::upstream::upstream_script::Report;
use crate::upstream::{At, Fault, Reply, Upstream};

const REQUESTS: usize = 1_200;
/// A leak of a few kilobytes a request would show as this much.
const GROWTH_KIB: u64 = 24 << 10;

fn load(front: &Front<'_>, requests: usize) {
    let to = front.address();
    std::thread::scope(|scope| {
        for client in 0..4_usize {
            scope.spawn(move || {
                for at in 0..requests / 4 {
                    let turn = at + client;
                    let mut line = Line::open(to);
                    let ask = Speaks::ALL[turn % 2].ask(["auto", "claude-opus-4-6"][turn % 2], turn % 3 == 0);
                    line.write(&ask.wire()).unwrap();
                    let head = line.head().unwrap();
                    if turn % 11 == 0 && head.status == 200 {
                        // Gone before the answer is read.
                        continue;
                    }
                    line.finish(head);
                }
            });
        }
    });
}

#[test]
fn neither_memory_nor_files_grow_with_the_number_of_requests() {
    let upstream = Upstream::with(|call| match call.number % 13 {
        3 => Reply::status(429),
        5 => Reply::status(500),
        7 => Reply::fault(At::Frame(4), Fault::Reset),
        11 => Reply::fault(At::BeforeHeaders, Fault::Close),
        _ => Reply::default(),
    });
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    // The tables of the tokenizer, 45 MB, are built once, for the first answer whose tokens nobody told; whether one of those
    // that break off below comes that far before its break is chance.
    upstream.push(Reply::report(Report::Missing));
    assert_eq!(chat("gpt-4.1", true).send(front.address()).status(), 200);
    load(&front, REQUESTS);
    upstream.wait_idle();
    let (memory, files) = (front.memory(), front.files());
    for _ in 0..2 {
        load(&front, REQUESTS);
    }
    upstream.wait_idle();
    assert!(front.memory() <= memory + GROWTH_KIB, "{memory} KiB became {} KiB", front.memory());
    // Connections to the upstream are kept for the next request; those of clients are gone, or about to be.
    assert!(front.files() <= files + 24, "{files} open files became {}", front.files());
    nothing_held(&front);
    let rows = front.settle();
    assert!(rows.len() >= 3 * REQUESTS);
}
