//! The thread that owns a player: commands in, snapshots out, and of a live log the lines of its feed. It sleeps where nothing comes.
//!
//! Invariants: a slow console never holds up whoever feeds it for longer than a short queue; at most ten pictures a second
//! while traffic comes, one a second while only the clock goes on, none once the feed has ended.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use super::growth::Outgoing;
use super::snapshot::{Play, Snapshot};
use super::worker::{Inbox, Reruns, Worker};
use super::written::Deed;
use super::{AlertDeed, Answer, Command, LiveStatus, Player, Question, Skipped, Speed};
use crate::rollout::Order;
use crate::routing::Policy;
use crate::runaway::Whom;
use crate::units::Names;

/// The pace of published pictures while traffic comes.
const FRAME: Duration = Duration::from_millis(100);
/// The pace of the clock where nothing comes.
const CLOCK: Duration = Duration::from_secs(1);
/// The pace at which time passes while an earlier stretch is played.
const LOOK: Duration = Duration::from_millis(10);
/// The least time between two looks; a thread that only looks burns a core.
const LEAST: Duration = Duration::from_millis(1);
/// Operations between two looks at the commands.
const BATCH: usize = 8192;
/// Parts of the feed that may wait.
const QUEUE: usize = 256;
/// Parts of the feed taken in at once.
const AT_ONCE: usize = 256;

/// What comes from the live session.
#[derive(Clone, Debug)]
pub enum Feed {
    /// Lines of the native log format: requests that have finished, events.
    Lines(Arc<str>),
    /// What it says of itself.
    Status(Arc<LiveStatus>),
    /// What in a followed log was passed over.
    Skipped(Box<Skipped>),
    /// So many lines were lost on the way here.
    Gap(u64),
    /// What came of a question.
    Answer(Answer),
    /// Words for the screen: something that was asked for was refused, or what is read has changed.
    Refused(Arc<str>),
    /// Nothing more will come, and why.
    Closed(Arc<str>),
    /// What ended is asked for again at this moment.
    Again(crate::units::Instant),
}

/// What a console may ask of the live session. Nothing here waits: what comes of it arrives in the feed.
pub trait LiveControl: Send {
    /// Says why nothing may be changed from here; none where it may.
    fn read_only(&self) -> Option<Arc<str>>;

    /// Says whether leaving this console ends the session: requests in flight are then waited for.
    fn owns(&self) -> bool;

    /// Asks for a policy to come into force; it does when its event comes back in the feed.
    ///
    /// # Errors
    /// Where it can be told at once, why not, in words for the screen.
    fn apply(&mut self, policy: &Policy, names: &Names, deed: Deed<'_>) -> Result<(), String>;

    /// Sends a prompt; its answer comes back in the feed.
    ///
    /// # Errors
    /// Where it can be told at once, why not, in words for the screen.
    fn send(&mut self, question: Question) -> Result<(), String>;

    /// Asks for someone to be stopped or let go; that he is comes back in the feed.
    ///
    /// # Errors
    /// Where it can be told at once, why not, in words for the screen.
    fn switch(&mut self, whom: &Whom, lifts: bool) -> Result<(), String> {
        let done = if lifts { "let go" } else { "stopped" };
        Err(format!("{whom} cannot be {done} from here"))
    }

    /// Asks for requests in flight to be finished and no new ones to be taken.
    fn drain(&mut self);

    /// Asks for something to become of a rollout; what did comes back in the feed.
    ///
    /// # Errors
    /// Where it can be told at once, why not, in words for the screen.
    fn rollout(&mut self, name: &str, order: Order, why: &str) -> Result<(), String> {
        let _ = (name, order, why);
        Err("there are no rollouts here".to_owned())
    }

    /// Asks for a rollout to begin by the plan in a file's text; what came of it comes back in the feed.
    ///
    /// # Errors
    /// Where it can be told at once, why not, in words for the screen.
    fn start_rollout(&mut self, name: &str, plan: &str) -> Result<(), String> {
        let _ = (name, plan);
        Err("there are no rollouts here".to_owned())
    }

    /// Asks for the thresholds to come into force that are proposed for a limit; what came of it comes back in the feed.
    ///
    /// # Errors
    /// Where it can be told at once, why not, in words for the screen.
    fn accept_steering(&mut self, limit: &str) -> Result<(), String> {
        let _ = limit;
        Err("nothing is steered here".to_owned())
    }

    /// Does something about an alert; what came of it shows in the state.
    ///
    /// # Errors
    /// Where it can be told at once, why not, in words for the screen.
    fn alert(&mut self, deed: AlertDeed) -> Result<(), String> {
        let _ = deed;
        Err("nobody is told of alerts here".to_owned())
    }
}

/// Reads the wall clock, the only place of the session that does: a live log's time is that of the world.
fn now() -> crate::units::Instant {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    crate::units::Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Starts the thread of a replay. `publish` hears of every new picture and answers false when nobody listens any more.
///
/// # Errors
/// Where the system gives no thread.
pub fn spawn(
    mut player: Player,
    mut publish: impl FnMut(Arc<Snapshot>) -> bool + Send + 'static,
) -> std::io::Result<Worker> {
    let (commands, inbox) = channel();
    std::thread::Builder::new().name("session".to_owned()).spawn(move || {
        run(&mut player, &inbox, None, &mut publish);
    })?;
    Ok(Worker::new(commands))
}

/// Starts the threads of a live log. `publish` hears of every new picture and answers false when nobody listens any more.
///
/// # Errors
/// Where the system gives no thread.
pub fn spawn_live(
    mut player: Player,
    feed: Receiver<Feed>,
    mut control: Box<dyn LiveControl>,
    mut publish: impl FnMut(Arc<Snapshot>) -> bool + Send + 'static,
) -> std::io::Result<Worker> {
    let (commands, inbox) = channel();
    let (queue, fed) = sync_channel(QUEUE);
    let bell = commands.clone();
    std::thread::Builder::new().name("feed".to_owned()).spawn(move || {
        // Whoever feeds waits where the session falls behind; a command rings the same bell but never waits.
        let mut is_said = false;
        while let Ok(part) = feed.recv() {
            is_said = matches!(part, Feed::Closed(_));
            if queue.send(part).is_err() || bell.send(Inbox::Fed).is_err() {
                return;
            }
        }
        // Why it ended may be said already.
        if !is_said {
            let _ = queue.send(Feed::Closed("the feed ended".into()));
            let _ = bell.send(Inbox::Fed);
        }
    })?;
    std::thread::Builder::new().name("session".to_owned()).spawn(move || {
        run(&mut player, &inbox, Some((&fed, control.as_mut())), &mut publish);
    })?;
    Ok(Worker::new(commands))
}

fn run(
    player: &mut Player,
    inbox: &Receiver<Inbox>,
    mut live: Option<(&Receiver<Feed>, &mut dyn LiveControl)>,
    publish: &mut dyn FnMut(Arc<Snapshot>) -> bool,
) {
    let mut last = Instant::now();
    let mut published = last;
    let mut reruns = Reruns::new();
    // The clock of the world is nothing to a replay, as to a feed that has ended.
    let (mut pending, mut closed) = (false, live.is_none());
    if let Some((_, control)) = &live {
        player.tell(|view| (view.read_only, view.owns) = (control.read_only(), control.owns()));
    }
    loop {
        let playing = player.play == Play::Playing;
        let since = published.elapsed();
        let wait = if playing {
            // At full speed the machine is the limit; else a look every few milliseconds keeps the clock smooth.
            if player.speed == Speed::Max {
                Duration::ZERO
            } else {
                FRAME.saturating_sub(since).clamp(LEAST, LOOK)
            }
        } else if pending {
            FRAME.saturating_sub(since)
        } else {
            let clock = if closed { Duration::from_secs(3600) } else { CLOCK.saturating_sub(since) };
            reruns.wait(player).map_or(clock, |wait| wait.min(clock))
        };
        let mut next = match inbox.recv_timeout(wait) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let elapsed = last.elapsed();
        last = Instant::now();
        pending |= playing && player.advance(elapsed, BATCH);
        let mut answered = false;
        while let Some(message) = next {
            if let Inbox::Command(command) = message {
                reruns.disturb();
                if let Some((_, control)) = &mut live {
                    obey(player, command, *control);
                } else {
                    tracing::debug!(?command, "asked");
                    player.handle(command);
                }
                answered = true;
            }
            next = inbox.try_recv().ok();
        }
        if let Some((fed, control)) = &mut live {
            pending |= hear(player, fed, *control, &mut closed);
        }
        if !closed && published.elapsed() >= CLOCK {
            pending |= player.tick(now());
        }
        answered |= reruns.watch(player);
        let ended = playing && player.play != Play::Playing;
        if answered || ended || pending && published.elapsed() >= FRAME {
            if !closed {
                player.tick(now());
            }
            published = Instant::now();
            pending = false;
            if !publish(Arc::new(player.snapshot())) {
                return;
            }
        }
    }
}

/// Hands on what the player wants done, and takes in what waits in the feed; says whether there was anything.
fn hear(player: &mut Player, fed: &Receiver<Feed>, control: &mut dyn LiveControl, closed: &mut bool) -> bool {
    for Outgoing { policy, what, undo } in player.take_outgoing() {
        let deed = if undo { Deed::Undo(&what) } else { Deed::Change(&what) };
        let names = player.log().names.clone();
        if let Err(why) = control.apply(&policy, &names, deed) {
            player.say(format!("not applied: {why}"));
        }
    }
    let mut taken = 0;
    while taken < AT_ONCE
        && let Ok(part) = fed.try_recv()
    {
        taken += 1;
        match part {
            Feed::Closed(_) => *closed = true,
            Feed::Status(_) => *closed = false,
            _ => {}
        }
        take(player, part);
    }
    taken > 0
}

/// Gives an order to whoever drives the live traffic, and says why where it cannot be.
fn order(
    player: &mut Player,
    control: &mut dyn LiveControl,
    give: impl FnOnce(&mut dyn LiveControl) -> Result<(), String>,
) {
    let may = control.read_only().map_or(Ok(()), |why| Err(why.to_string()));
    if let Err(why) = may.and_then(|()| give(control)) {
        player.say(format!("not done: {why}"));
    }
}

fn obey(player: &mut Player, command: Command, control: &mut dyn LiveControl) {
    match command {
        Command::Ask(question) => match player.may_ask().map_or_else(|| control.send(*question), Err) {
            // The box that it was typed into says that it was sent.
            Ok(()) => {}
            Err(why) => player.say(format!("not sent: {why}")),
        },
        Command::Switch(whom, lifts) => order(player, control, |control| control.switch(&whom, lifts)),
        Command::Rollout(name, turn, why) => {
            order(player, control, |control| control.rollout(&name, turn, &why));
        }
        Command::StartRollout { name, plan } => {
            order(player, control, |control| control.start_rollout(&name, &plan));
        }
        Command::AcceptSteering(limit) => {
            order(player, control, |control| control.accept_steering(&limit));
        }
        Command::Drain => control.drain(),
        Command::Alert(deed) => order(player, control, |control| control.alert(deed)),
        command => player.handle(command),
    }
}

fn take(player: &mut Player, part: Feed) {
    match part {
        Feed::Lines(lines) => player.extend(&lines),
        Feed::Status(status) => player.set_status(status),
        Feed::Skipped(skipped) => player.pass_over(*skipped),
        Feed::Gap(lines) => player.tell(|view| view.lost = view.lost.saturating_add(lines)),
        Feed::Answer(answer) => player.tell(|view| view.answer = Some(Arc::new(answer))),
        Feed::Refused(why) => player.say(why.to_string()),
        Feed::Closed(why) => player.close(why),
        Feed::Again(at) => player.tell(|view| view.again = Some(at)),
    }
}
