//! Every interleaving of clients that share a budget: those that are served, that wait, that leave, whose call is not made.
//!
//! What is concurrent is what goes on between the steps that take the session's one lock; within them nothing else runs. So each
//! step of a client is one point at which any other may come first, and all orders of them are gone through with the session
//! that the gateway uses. Whoever waits takes a step only once its bell has rung: one that is never rung is left standing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use crate::budget::{Anchor, Limit, Mode, OverLimit, Period, Scope, Unpriced, Zone};
use crate::classifier::Classifier;
use crate::config::{policy, prices};
use crate::pricing::{PriceBook, Usage};
use crate::routing::{AtMost, Policy, Status};
use crate::session::{Arriving, Bell, Called, Follow, Live, LiveSetup, Placed, Waiting, Wants};
use crate::units::{Instant, Names, Pico};

/// What becomes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is served, and waits for as long as that takes.
    Served,
    /// It is let in, and its call is never made.
    NotMade,
    /// Its call fails, is made once more, and is answered.
    Again,
    /// It goes away where it has to wait, sooner or later.
    Leaves,
    /// It is refused where it has to wait, sooner or later.
    Late,
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
        steer: None,
    }]);
    live
}

fn arriving() -> Arriving<'static> {
    let at_most = AtMost { prompt: 1024, output: 1024, ..AtMost::default() };
    Arriving { asked: "auto".into(), wants: Wants { at_most, ..Wants::default() }, ..Arriving::default() }
}

fn called(status: Status) -> Called {
    let usage = if status.is_ok() { Usage::plain(1024, 1024).unwrap() } else { Usage::NONE };
    Called { model: MODEL.into(), usage, status, latency_ms: Some(1), ..Called::default() }
}

/// Where a client stands.
enum At {
    Outside,
    Waits(Box<Waiting<'static>>),
    /// It was let in, and its place in the queue is to be given up.
    LetIn(u64, Box<Placed>),
    Called(Box<Placed>),
    Over,
}

struct Client {
    fate: Fate,
    at: At,
    is_rung: Arc<AtomicBool>,
    served: bool,
}

impl Client {
    fn new(fate: Fate) -> Self {
        Self { fate, at: At::Outside, is_rung: Arc::default(), served: false }
    }

    /// Says whether anything can come of it now.
    fn may_step(&self) -> bool {
        match self.at {
            At::Over => false,
            At::Waits(_) => {
                matches!(self.fate, Fate::Leaves | Fate::Late) || self.is_rung.load(Ordering::Relaxed)
            }
            _ => true,
        }
    }

    /// Takes its next step under the session's lock.
    fn step(&mut self, live: &Live) {
        self.at = match std::mem::replace(&mut self.at, At::Over) {
            At::Outside => {
                let rung = Arc::clone(&self.is_rung);
                let bell = || Box::new(move || rung.store(true, Ordering::Relaxed)) as Bell;
                match live.arrive_or_wait(arriving(), Instant(0), bell) {
                    Ok(placed) => Self::placed(placed),
                    Err(waiting) => At::Waits(waiting),
                }
            }
            At::Waits(waiting) if self.fate == Fate::Leaves => {
                live.leave(waiting.turn);
                At::Over
            }
            At::Waits(waiting) => {
                self.is_rung.store(false, Ordering::Relaxed);
                let turn = waiting.turn;
                match live.ask_again(waiting, Instant(0), self.fate == Fate::Late) {
                    Ok(placed) => At::LetIn(turn, Box::new(placed)),
                    Err(waiting) => At::Waits(waiting),
                }
            }
            At::LetIn(turn, placed) => {
                live.leave(turn);
                Self::placed(*placed)
            }
            At::Called(mut placed) if self.fate == Fate::Again => {
                self.fate = Fate::Served;
                live.ended(&mut placed.ticket, called(Status::ServerError), true).unwrap();
                At::Called(placed)
            }
            At::Called(mut placed) => {
                // What others spend would leave no room for those that wait.
                let status = if self.fate == Fate::Served { Status::Ok } else { Status::Unavailable };
                let ended = live.ended(&mut placed.ticket, called(status), false).unwrap();
                assert!(matches!(ended.1, Follow::Answer { .. }));
                self.served = true;
                At::Over
            }
            At::Over => At::Over,
        };
    }

    fn placed(placed: Placed) -> At {
        if placed.send.is_ok() { At::Called(Box::new(placed)) } else { At::Over }
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

/// Goes through all interleavings; `then` sees who was served in each. Returns how many there are.
fn all_orders(over: OverLimit, room: i128, fates: &[Fate], then: impl Fn(&[bool], &Live)) -> usize {
    let most = Pico(a_call().0 * room);
    // Which of those that could take the next step did, and of how many, step by step.
    let mut script: Vec<(usize, usize)> = Vec::new();
    for orders in 1.. {
        let live = session(over, most);
        let mut clients: Vec<Client> = fates.iter().copied().map(Client::new).collect();
        for step in 0.. {
            let mut next: Vec<&mut Client> = clients.iter_mut().filter(|client| client.may_step()).collect();
            if next.is_empty() {
                break;
            }
            if step == script.len() {
                script.push((0, next.len()));
            }
            next[script[step].0].step(&live);
            let account = live.budgets(Instant(0))[0].account;
            assert!(account.committed() <= most, "{account:?} after {script:?}");
        }
        let is_over = |client: &Client| matches!(client.at, At::Over);
        assert!(clients.iter().all(is_over), "somebody waits for ever after {script:?}");
        assert_eq!((live.waiting(), live.open()), (0, 0), "nothing is left behind after {script:?}");
        let standing = &live.budgets(Instant(0))[0];
        let left = (standing.account.holds, standing.account.held, standing.waiting);
        assert_eq!(left, (0, Pico::ZERO, 0), "after {script:?}");
        then(&clients.iter().map(|client| client.served).collect::<Vec<_>>(), &live);
        // The next one: the last step that could have been another's is.
        while script.last().is_some_and(|(taken, of)| taken + 1 == *of) {
            script.pop();
        }
        match script.last_mut() {
            Some((taken, _)) => *taken += 1,
            None => return orders,
        }
    }
    0
}

#[test]
fn whoever_waits_is_let_in_in_every_order_of_events_and_nothing_leaks() {
    // Two at a time, and the third where a call ends; what is spent leaves room for one.
    let fates = [Fate::NotMade, Fate::NotMade, Fate::Served];
    let orders = all_orders(OverLimit::Queue, 2, &fates, |served, live| {
        assert_eq!(served, [true; 3], "nobody is refused while room comes");
        assert_eq!(live.budgets(Instant(0))[0].account.refused, 0);
    });
    assert!(orders > 50, "{orders}");
}

#[test]
fn one_that_goes_away_or_is_late_holds_nobody_up() {
    for other in [Fate::Leaves, Fate::Late] {
        all_orders(OverLimit::Queue, 1, &[Fate::NotMade, other, Fate::NotMade], |served, _| {
            assert!(served[0] && served[2], "{other:?}: {served:?}");
        });
    }
}

#[test]
fn without_a_queue_exactly_those_are_served_that_there_is_room_for() {
    all_orders(OverLimit::Refuse, 2, &[Fate::Served; 3], |served, live| {
        assert_eq!(served.iter().filter(|served| **served).count(), 2);
        assert_eq!(live.budgets(Instant(0))[0].account.refused, 1);
    });
    // A failed call that costs nothing gives its hold back, and takes it anew in the same step.
    all_orders(OverLimit::Refuse, 2, &[Fate::Again, Fate::Served], |served, _| assert_eq!(served, [true; 2]));
}
