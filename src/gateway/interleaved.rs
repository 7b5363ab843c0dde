//! Every interleaving of clients that share a budget: those that are served, that wait, that leave, whose call is not made.
//!
//! What is concurrent is what goes on between the steps that take the session's one lock; within them nothing else runs. So each
//! step is one point at which the model may let another client go on, and all orders of them are gone through. Bells ring
//! outside of it, as they wake tasks of other threads.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use loom::sync::Notify;
use loom::sync::atomic::{AtomicUsize, Ordering};

use crate::budget::{Anchor, Limit, Mode, OverLimit, Period, Scope, Unpriced, Zone};
use crate::classifier::Classifier;
use crate::config::{policy, prices};
use crate::pricing::{PriceBook, Usage};
use crate::routing::{AtMost, Policy, Status};
use crate::session::{Arriving, Bell, Called, Follow, Live, LiveSetup, Wants};
use crate::units::{Instant, Names, Pico};

/// What becomes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is served, and waits for as long as that takes.
    Served,
    /// Its call is never made.
    NotMade,
    /// Its call fails, is made once more, and is answered.
    Again,
    /// It goes away where it has to wait.
    Leaves,
}

const MODEL: &str = "gpt-4.1";

/// What sessions are made of, worked out once.
struct Parts {
    policy: Policy,
    names: Names,
    classifier: Arc<Classifier>,
    book: PriceBook,
}

static PARTS: LazyLock<Parts> = LazyLock::new(|| {
    let mut names = Names::default();
    let ladder = format!("ladder = [{{ rung = \"only\", model = \"{MODEL}\" }}]");
    let text = format!("name = \"one\"\nbaseline = \"{MODEL}\"\n[[route]]\nname = \"all\"\n{ladder}\n");
    let policy = policy::parse(&text, "test", &mut names).unwrap();
    let price = format!("[models.\"{MODEL}\"]\nprovider = \"openai\"\ninput = 2.00\noutput = 8.00\n");
    let book = format!("name = \"one\"\ndated = \"2026-11-23\"\nsource = \"made up\"\n\n{price}");
    let book = prices::from_toml(&book, "test").unwrap();
    Parts { policy, names, classifier: Arc::new(Classifier::builtin()), book }
});

/// Does something on a stack of its own: those of modelled threads are small.
fn apart<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(what).join().unwrap())
}

fn session(over: OverLimit, amount: Pico) -> Live {
    let Parts { policy, names, classifier, book } = &*PARTS;
    let live = Live::new(LiveSetup {
        policy: policy.clone(),
        names: names.share(),
        classifier: Arc::clone(classifier),
        book: book.clone(),
        next_seq: 1,
        at: Instant(0),
        who: String::new(),
        gateway: String::new(),
    });
    live.limit(vec![Limit {
        budget: "all".into(),
        scope: Arc::new(Scope::default()),
        period: Period::Lifetime,
        anchor: Anchor::default(),
        zone: Zone::utc(),
        amount,
        special: std::collections::BTreeMap::new(),
        mode: Mode::Hard,
        over,
        wait: Limit::WAIT,
        unpriced: Unpriced::Refuse,
    }]);
    live
}

fn arriving() -> Arriving<'static> {
    let at_most = AtMost { prompt: 1024, output: 1024, any_tier: false };
    Arriving { asked: "auto".into(), wants: Wants { at_most, ..Wants::default() }, ..Arriving::default() }
}

fn called(status: Status) -> Called {
    let usage = if status.is_ok() { Usage::plain(1024, 1024).unwrap() } else { Usage::NONE };
    Called { model: MODEL.into(), usage, status, latency_ms: Some(1), ..Called::default() }
}

/// The stage on which clients meet.
struct Stage {
    live: Live,
    turn: AtomicUsize,
    /// Those that were called and have not been woken.
    called: Mutex<Vec<Arc<Notify>>>,
    /// The most that may be spent, and what calls cost.
    most: Pico,
}

impl Stage {
    /// Takes a step under the lock, somewhere among those of others, and wakes whom it called.
    fn step<T: Send>(&self, step: impl FnOnce(&Live) -> T + Send) -> T {
        self.turn.fetch_add(1, Ordering::SeqCst);
        let (live, most) = (&self.live, self.most);
        let done = apart(|| {
            let done = step(live);
            let account = live.budgets(Instant(0))[0].account;
            assert!(account.committed() <= most, "{account:?}");
            done
        });
        let called = std::mem::take(&mut *self.called.lock().unwrap_or_else(PoisonError::into_inner));
        called.iter().for_each(|bell| bell.notify());
        done
    }

    /// Runs a client. Says whether it was served.
    fn client(self: &Arc<Self>, fate: Fate) -> bool {
        let bell = Arc::new(Notify::new());
        let (stage, mine) = (Arc::clone(self), Arc::clone(&bell));
        let ring = move || {
            Box::new(move || {
                stage.called.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&mine))
            }) as Bell
        };
        let mut entered = self.step(|live| live.arrive_or_wait(arriving(), Instant(0), ring));
        let mut turn = None;
        let placed = loop {
            match entered {
                Ok(placed) => break placed,
                Err(waiting) => {
                    turn = Some(waiting.turn);
                    if fate == Fate::Leaves {
                        self.step(|live| live.leave(waiting.turn));
                        return false;
                    }
                    bell.wait();
                    entered = self.step(|live| live.ask_again(waiting, Instant(0), false));
                }
            }
        };
        if let Some(turn) = turn {
            self.step(|live| live.leave(turn));
        }
        let mut placed = placed;
        if placed.send.is_err() {
            return false;
        }
        if fate == Fate::Again {
            let failed = called(Status::ServerError);
            self.step(|live| live.ended(&mut placed.ticket, failed, true)).unwrap();
        }
        let status = if fate == Fate::NotMade { Status::Unavailable } else { Status::Ok };
        let ended = self.step(|live| live.ended(&mut placed.ticket, called(status), false));
        assert!(matches!(ended.unwrap().1, Follow::Answer { .. }));
        true
    }
}

/// What is held for a call of the model, which costs next to no less.
fn a_call() -> Pico {
    let live = session(OverLimit::Refuse, Pico(i128::MAX / 2));
    let mut placed = live.arrive(arriving(), Instant(0));
    let held = live.budgets(Instant(0))[0].account.held;
    live.ended(&mut placed.ticket, called(Status::Ok), false).unwrap();
    let spent = live.budgets(Instant(0))[0].account.spent;
    assert!(spent <= held && spent.0 * 100 > held.0 * 99, "{spent:?} of {held:?}");
    held
}

/// Goes through all interleavings; `then` sees what came of each.
fn all_orders(
    over: OverLimit,
    room: i128,
    fates: &'static [Fate],
    then: impl Fn(&[bool], &Live) + Sync + Send + 'static,
) {
    let most = Pico(a_call().0 * room);
    let mut model = loom::model::Builder::new();
    // More changes of client against its will than this show nothing new among so few.
    model.preemption_bound = Some(3);
    model.check(move || {
        let live = apart(|| session(over, most));
        let stage = Arc::new(Stage { live, turn: AtomicUsize::new(0), called: Mutex::default(), most });
        let others: Vec<_> = fates[1..]
            .iter()
            .map(|&fate| {
                let stage = Arc::clone(&stage);
                loom::thread::spawn(move || stage.client(fate))
            })
            .collect();
        let mut served = vec![stage.client(fates[0])];
        served.extend(others.into_iter().map(|other| other.join().unwrap()));
        let stage = Arc::into_inner(stage).unwrap();
        apart(|| {
            let live = stage.live;
            assert_eq!((live.waiting(), live.open()), (0, 0), "nothing is left behind");
            let standing = &live.budgets(Instant(0))[0];
            assert_eq!((standing.account.holds, standing.account.held, standing.waiting), (0, Pico::ZERO, 0));
            then(&served, &live);
        });
    });
}

#[test]
fn whoever_waits_is_let_in_in_every_order_of_events_and_nothing_leaks() {
    // There is room for one call at a time, and for all of them one after the other where one is never made.
    all_orders(OverLimit::Queue, 2, &[Fate::NotMade, Fate::NotMade, Fate::Served], |served, live| {
        assert_eq!(served, [true, true, true], "nobody is refused while room comes");
        assert_eq!(live.budgets(Instant(0))[0].account.refused, 0);
    });
}

#[test]
fn one_that_goes_away_holds_nobody_up() {
    all_orders(OverLimit::Queue, 1, &[Fate::NotMade, Fate::Leaves, Fate::NotMade], |served, _| {
        assert!(served[0] && served[2], "{served:?}");
    });
}

#[test]
fn without_a_queue_exactly_those_are_served_that_there_is_room_for() {
    all_orders(OverLimit::Refuse, 2, &[Fate::Served, Fate::Served, Fate::Served], |served, live| {
        assert_eq!(served.iter().filter(|served| **served).count(), 2);
        assert_eq!(live.budgets(Instant(0))[0].account.refused, 1);
    });
    // A failed call that costs nothing gives its hold back, and takes it anew in the same step.
    all_orders(OverLimit::Refuse, 2, &[Fate::Again, Fate::Served], |served, _| {
        assert_eq!(served, [true, true])
    });
}
