//! The console on live traffic, as a person uses it: what comes in, what is held, what goes out, what has gone wrong.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

#[path = "live_console/first_minute.rs"]
mod first_minute;

use std::ops::ControlFlow;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use pointsman::classifier::Classifier;
use pointsman::config::{policy, prices, themes};
use pointsman::console::app::{App, Do, Settings};
use pointsman::console::glyphs::{GlyphSet, Glyphs};
use pointsman::console::keys::Keymap;
use pointsman::console::screen::ScreenId;
use pointsman::console::theme::{Catalogue, Depth};
use pointsman::console::ui::Ui;
use pointsman::console::{screens::traffic, svg};
use pointsman::record::{self, Entry, Input, PolicyChange, ReadOptions};
use pointsman::routing::{Policy, RouteId};
use pointsman::sample;
use pointsman::session::{
    Answer, Command, Deed, Feed, Ingest, IngestOptions, LedgerState, LiveControl, LiveStart, LiveStatus,
    Outgoing, Play, Player, Question, Reply, Severity, Snapshot, spawn_live,
};
use pointsman::telemetry::{Breaker, Headroom, ModelHealth};
use pointsman::units::{Instant, Names, Pico, Span};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Where the stretch of the sample lies that the feed is made from: some hours around midday.
const FROM: usize = 10_000;
const MANY: usize = 3000;

/// Lines of the bundled sample as a gateway would write them, in order of finishing. They are read once for all tests.
fn lines() -> &'static [String] {
    static LINES: OnceLock<Vec<String>> = OnceLock::new();
    LINES.get_or_init(|| {
        let bundled = Input::bytes(sample::NAME, sample::BUNDLED);
        let mut source = record::open(&bundled, &ReadOptions::default()).unwrap();
        let (mut found, mut seen) = (Vec::<(i64, String)>::new(), 0);
        let read = source.for_each(|_, _, entry| {
            if let Ok(Entry::Request(record)) = &entry {
                seen += 1;
                if seen > FROM {
                    let took: u32 = record.attempts.iter().filter_map(|attempt| attempt.latency_ms).sum();
                    let mut out = Vec::new();
                    record::append_line(&mut out, entry.as_ref().unwrap());
                    let text = String::from_utf8(out).unwrap().trim_end().to_owned();
                    found.push((record.at.0 + i64::from(took) * 1000, text));
                }
            }
            if seen >= FROM + MANY { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        read.unwrap();
        found.sort();
        found.into_iter().map(|(_, line)| line).collect()
    })
}

fn status(now: Instant) -> LiveStatus {
    let health = |provider: &str, model: &str| ModelHealth {
        provider: provider.into(),
        model: model.into(),
        ..ModelHealth::default()
    };
    LiveStatus {
        address: "http://127.0.0.1:4141".into(),
        started: now - Span::hours(3),
        simulated: true,
        simulated_providers: vec!["anthropic".into()],
        models: vec![
            ModelHealth {
                in_flight: 2,
                requests: Some(Headroom { left: 412, limit: Some(500) }),
                tokens: Some(Headroom { left: 61_000, limit: Some(400_000) }),
                resets: Some(now + Span::secs(38)),
                ..health("google", "gemini-2.5-flash")
            },
            ModelHealth {
                breaker: Breaker::Open { until: now + Span::secs(17) },
                last_error: "503 upstream \u{1b}[31mconnect error".into(),
                ..health("openai", "gpt-4.1")
            },
            ModelHealth {
                breaker: Breaker::HalfOpen,
                in_flight: 1,
                simulated: true,
                ..health("anthropic", "claude-opus-4-6")
            },
        ],
        open: 3,
        keys: 2,
        ..LiveStatus::default()
    }
}

/// A console and a live session behind it, without threads.
struct Rig {
    app: App,
    player: Player,
    area: Rect,
    sent: Vec<Question>,
    applied: Vec<(Policy, String)>,
    drained: bool,
    gone: bool,
    now: Instant,
}

fn settings(theme: &str) -> Settings {
    Settings {
        theme: Catalogue::new(themes::built_in()).load(theme, Depth::True).unwrap().0,
        glyphs: Glyphs::of(GlyphSet::Braille),
        keymap: Keymap::build(&[]).unwrap(),
        mouse: true,
        message: Duration::from_secs(4),
    }
}

fn player(now: Instant) -> Player {
    let mut names = Names::default();
    let policy = Arc::new(policy::parse(policy::BUILTIN, "policy.toml", &mut names).unwrap());
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let book = prices::builtin("list").unwrap();
    let start =
        LiveStart { title: "live".into(), ingest, policy, book, now, keep: 200_000, logs_time: false };
    Player::live(start, Some(Span::hours(1)))
}

impl Rig {
    fn open(screen: ScreenId, size: (u16, u16), fed: &[String]) -> Self {
        let now = Instant::parse("2026-05-23T12:00:00Z").unwrap();
        let mut player = player(now - Span::hours(12));
        player.extend(&fed.join("\n"));
        let last = player.log().bounds().map_or(now, |(_, last)| last + Span::secs(2));
        player.tick(last);
        player.tell(|view| view.owns = true);
        player.set_status(Arc::new(status(last)));
        let app = App::new(Ui::on(screen), settings("dark"), Arc::new(player.snapshot()));
        let area = Rect::new(0, 0, size.0, size.1);
        let (sent, applied) = (Vec::new(), Vec::new());
        let mut rig = Self { app, player, area, sent, applied, drained: false, gone: false, now: last };
        rig.draw();
        rig
    }

    fn update(&mut self) {
        for Outgoing { policy, what, undo } in self.player.take_outgoing() {
            let what = if undo { format!("undo: {what}") } else { what };
            self.applied.push(((*policy).clone(), what));
        }
        self.app.update(Arc::new(self.player.snapshot()));
    }

    fn feed(&mut self, lines: &[String]) {
        self.player.extend(&lines.join("\n"));
        self.update();
        self.draw();
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now + Span::secs(seconds);
        self.player.tick(self.now);
        self.update();
    }

    fn draw(&mut self) -> Buffer {
        while self.app.work() {}
        let mut buffer = Buffer::empty(self.area);
        self.app.draw(self.area, &mut buffer);
        buffer
    }

    fn text(&mut self) -> String {
        let buffer = self.draw();
        let row = |y| (0..self.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..self.area.height).map(|y| row(y) + "\n").collect()
    }

    fn event(&mut self, event: &Event) {
        for todo in self.app.event(event) {
            match todo {
                Do::Send(Command::Ask(question)) => match self.player.may_ask() {
                    None => self.sent.push(*question),
                    Some(why) => self.player.say(format!("not sent: {why}")),
                },
                Do::Send(Command::Drain) => self.drained = true,
                Do::Send(command) => self.player.handle(command),
                Do::Quit => self.gone = true,
                _ => {}
            }
        }
        self.update();
        self.draw();
    }

    fn key(&mut self, code: KeyCode) {
        self.event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    fn keys(&mut self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    fn shown(&self) -> &Snapshot {
        self.app.shown()
    }
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

#[test]
fn live_screens_look_as_they_did() {
    let lines = lines();
    for size in SIZES {
        let look = |name: &str, rig: &mut Rig| {
            let text = rig.text();
            insta::with_settings!({filters => vec![
                (r" *exact sums,[^│]*", " exact sums "),
                (r"list 20\d\d-\d\d-\d\d", "list [dated]"),
                (r"builtin [0-9a-f]{8}", "builtin [hash]"),
            ]}, {
                insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text);
            });
        };
        for screen in ScreenId::ALL {
            let mut rig = Rig::open(screen, size, lines);
            look(&format!("live_{}", screen.name().to_lowercase()), &mut rig);
        }
        let mut rig = Rig::open(ScreenId::Overview, size, &lines[..2500]);
        rig.keys(" ");
        rig.feed(&lines[2500..]);
        rig.pass(12);
        look("live_frozen", &mut rig);
        let mut rig = Rig::open(ScreenId::Traffic, size, &lines[..2500]);
        rig.keys("i");
        rig.event(&Event::Paste(
            "Extract all dates from the following text as JSON.\nThe meeting is on 3 May.".into(),
        ));
        look("live_ask", &mut rig);
    }
}

/// What brings a console into a state.
type State = fn(&mut Rig);

/// Every screen at every size in every state: nothing falls over, nothing foreign reaches the terminal.
#[test]
fn no_size_breaks_a_live_screen_in_any_state() {
    let lines = lines();
    let states: [(&str, State); 5] = [
        ("following", |_| {}),
        ("frozen", |rig| rig.keys(" ")),
        ("rewound", |rig| {
            rig.player.handle(Command::SeekBy(Span::mins(-30)));
            rig.update();
        }),
        ("disconnected", |rig| {
            rig.player.close("connection reset\u{1b}[2J".into());
            rig.player.tell(|view| view.lost += 7);
            rig.update();
        }),
        ("troubled", |rig| {
            let ledger = LedgerState { text: "disk full\u{1b}[2J".into(), severity: Severity::Failure };
            rig.player.set_status(Arc::new(LiveStatus { ledger, draining: true, ..status(rig.now) }));
            rig.update();
            rig.keys("i");
            rig.event(&Event::Paste("x\u{1b}[31m\n日本語 ".repeat(50)));
        }),
    ];
    for fed in [&lines[..0], &lines[..1], &lines[..600]] {
        for (name, state) in states {
            for screen in ScreenId::ALL {
                let mut rig = Rig::open(screen, (120, 36), fed);
                state(&mut rig);
                for (height, width) in (0..=46)
                    .step_by(5)
                    .flat_map(|h| [0, 1, 3, 11, 25, 40, 59, 60, 79, 80, 100, 120, 150, 210].map(|w| (h, w)))
                {
                    rig.area = Rect::new(0, 0, width, height);
                    let buffer = rig.draw();
                    assert!(
                        buffer.content.iter().all(|cell| !cell.symbol().contains('\u{1b}')),
                        "{name} {screen:?} {width}x{height}"
                    );
                }
            }
        }
    }
}

#[test]
fn dark_and_light_draw_every_state() {
    let lines = lines();
    let mut rig = Rig::open(ScreenId::Models, (160, 45), lines);
    for theme in ["dark", "light", "colorblind-light", "mono"] {
        rig.app.set_settings(settings(theme));
        let ground = if theme.contains("light") { svg::Ground::LIGHT } else { svg::Ground::DARK };
        let picture = svg::render(&rig.draw(), ground, "live");
        if let Ok(folder) = std::env::var("LIVE_PICTURES") {
            std::fs::write(format!("{folder}/models-{theme}.svg"), &picture).unwrap();
        }
        assert!(picture.contains("127.0.0.1:4141"));
    }
}

#[test]
fn the_header_says_what_state_it_is_in() {
    let lines = lines();
    let mut rig = Rig::open(ScreenId::Overview, (160, 40), &lines[..2000]);
    let first = |rig: &mut Rig| rig.text().lines().next().unwrap().to_owned();
    let line = first(&mut rig);
    for words in ["LIVE", "SIMULATED", "policy 1", "3 open", "http://127.0.0.1:4141"] {
        assert!(line.contains(words), "{words}: {line}");
    }
    rig.keys(" ");
    rig.feed(&lines[2000..2341]);
    rig.pass(12);
    assert!(first(&mut rig).contains("FROZEN 12s · 341 new"), "{}", first(&mut rig));
    rig.keys("G");
    assert!(first(&mut rig).contains("LIVE"));
    rig.keys("<");
    assert!(first(&mut rig).contains("PAUSED"), "scrolling back pauses and says so: {}", first(&mut rig));
    rig.keys("G");
    let ledger = LedgerState { text: "disk full, traffic goes on".into(), severity: Severity::Failure };
    rig.player.set_status(Arc::new(LiveStatus { ledger, draining: true, ..status(rig.now) }));
    rig.player.tell(|view| view.lost += 12);
    rig.update();
    let line = first(&mut rig);
    for words in ["LEDGER disk full", "DRAINING", "12 lines lost"] {
        assert!(line.contains(words), "{words}: {line}");
    }
    rig.player.close("the gateway went away".into());
    rig.update();
    let line = first(&mut rig);
    assert!(
        line.contains("DISCONNECTED") && !line.contains("open"),
        "what is open now, nobody knows: {line}"
    );
    rig.player.tell(|view| view.again = Some(rig.now + Span::secs(4)));
    rig.update();
    let when = format!("tries again {}", (rig.now + Span::secs(4)).clock());
    assert!(first(&mut rig).contains(&when), "{}", first(&mut rig));
}

#[test]
fn what_is_applied_goes_out_and_holds_when_it_comes_back() {
    let lines = lines();
    let mut rig = Rig::open(ScreenId::Tune, (160, 45), lines);
    rig.keys("r");
    rig.key(KeyCode::Left);
    rig.key(KeyCode::Enter);
    assert_eq!(rig.shown().policy.version, 1, "it holds when the gateway says so");
    let (policy, what) = rig.applied.pop().unwrap();
    assert!(rig.text().contains("asked for: extraction · flash 620 → 619"));
    let names = rig.player.log().names.clone();
    let spec = Policy { version: 2, ..policy };
    let toml = policy::to_toml(&spec, &names);
    let again = policy::parse(&toml, "p", &mut names.clone()).unwrap();
    assert_eq!(again.routes, spec.routes);
    rig.player.policy_came(spec, rig.now, "kim", Deed::Change(&what));
    rig.update();
    let text = rig.text();
    assert!(text.contains("policy 2") && text.contains("kim: ext"), "{text}");
    rig.keys("u");
    assert_eq!(rig.applied.pop().unwrap().1, "undo: extraction · flash 619 → 620");
    rig.player.tell(|view| view.read_only = Some("this key may only read".into()));
    rig.key(KeyCode::Left);
    rig.key(KeyCode::Enter);
    assert!(rig.applied.is_empty() && rig.text().contains("this key may only read"));
}

#[test]
fn a_prompt_is_explained_sent_and_answered() {
    let lines = lines();
    let mut rig = Rig::open(ScreenId::Overview, (120, 40), lines);
    rig.keys("i");
    rig.event(&Event::Paste("Is this review positive or negative?\nIt broke \u{1b}[31mafter a day.".into()));
    let text = rig.text();
    for words in ["It broke after a day.", "starts on", "starts here", "confidence", "estimated"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    rig.key(KeyCode::Tab);
    rig.keys("search");
    rig.key(KeyCode::Enter);
    let question = rig.sent.pop().unwrap();
    assert_eq!((question.team.as_str(), question.model.as_str()), ("search", "auto"));
    assert_eq!(question.prompt, "Is this review positive or negative?\nIt broke after a day.");
    rig.key(KeyCode::Enter);
    assert!(rig.sent.is_empty(), "one question at a time");
    let reply = Reply {
        text: "Negative.\u{1b}]0;title\u{7}".into(),
        model: "mistral-small-3.1".into(),
        rung: "small".into(),
        cost: Some(Pico(12_300_000)),
        latency_ms: 840,
        operation: "op-77".into(),
        simulated: true,
    };
    rig.player
        .tell(|view| view.answer = Some(Arc::new(Answer { ticket: question.ticket, outcome: Ok(reply) })));
    rig.update();
    let text = rig.text();
    for words in ["Negative.", "mistral-small-3.1 on small", "$0.0000123", "840 ms", "op-77", "SIMULATED"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    rig.event(&Event::Key(KeyEvent::new(KeyCode::Char('t'), KeyModifiers::CONTROL)));
    assert_eq!(rig.app.ui.view.screen, ScreenId::Traffic);
    assert_eq!(traffic::filter(&rig.app.ui.traffic).text, "id:op-77");
}

#[test]
fn what_is_chosen_stays_chosen_while_requests_come_in() {
    let lines = lines();
    let mut rig = Rig::open(ScreenId::Traffic, (140, 40), &lines[..1000]);
    for _ in 0..5 {
        rig.key(KeyCode::Down);
    }
    let chosen = |rig: &Rig| {
        let index = traffic::selected(&rig.app.ui.traffic, rig.shown()).unwrap();
        rig.shown().log.history.id(index).to_owned()
    };
    let before = chosen(&rig);
    for part in lines[1000..1600].chunks(37) {
        rig.feed(part);
        assert_eq!(chosen(&rig), before);
    }
    // A filtered and sorted list that was kept up is the list made anew.
    for keys in ["", "s", "ss", "S"] {
        let mut rig = Rig::open(ScreenId::Traffic, (140, 40), &lines[..1200]);
        rig.keys("/");
        rig.keys("status:error !translation");
        rig.key(KeyCode::Enter);
        rig.keys(keys);
        for part in lines[1200..2200].chunks(53) {
            rig.feed(part);
        }
        let snapshot = rig.shown().clone();
        let kept = rig.app.ui.traffic.clone();
        let mut anew = traffic::State::default();
        traffic::set_filter(&mut anew, &traffic::filter(&kept).text);
        let mut ui = Ui { traffic: anew, ..Ui::on(ScreenId::Traffic) };
        for key in keys.chars() {
            let action = if key == 's' {
                pointsman::console::action::Action::Sort
            } else {
                pointsman::console::action::Action::SortReverse
            };
            ui.act(action, &snapshot);
        }
        while ui.screen_mut().work(&snapshot) {}
        let list = |state: &traffic::State| {
            (0..traffic::rows(state, &snapshot))
                .map(|row| traffic::request_at(state, row, &snapshot))
                .collect::<Vec<_>>()
        };
        assert!(list(&kept).len() > 10);
        assert_eq!(list(&kept), list(&ui.traffic), "sorted by {keys:?}");
        assert_eq!(traffic::summary(&kept, &snapshot), traffic::summary(&ui.traffic, &snapshot));
    }
}

/// Whose spend it is leads to their requests, and the list of flips back to where it was asked for.
#[test]
fn one_thing_leads_to_another_and_back() {
    let lines = lines();
    let mut rig = Rig::open(ScreenId::Overview, (200, 60), lines);
    let text = rig.text();
    let row = text.lines().position(|line| line.contains("By team")).unwrap();
    let (column, row) = (5, u16::try_from(row).unwrap() + 3);
    let kind = MouseEventKind::Down(MouseButton::Left);
    rig.event(&Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    rig.key(KeyCode::Down);
    rig.key(KeyCode::Down);
    rig.key(KeyCode::Enter);
    assert_eq!(traffic::filter(&rig.app.ui.traffic).text, "team:platform window");
    rig.key(KeyCode::F(2));
    rig.keys("r");
    rig.key(KeyCode::Left);
    rig.keys("x");
    assert_eq!(rig.app.ui.view.screen, ScreenId::Traffic);
    rig.key(KeyCode::Esc);
    assert_eq!(rig.app.ui.view.screen, ScreenId::Tune, "Esc from the flips goes back to Tune");
    assert!(traffic::filter(&rig.app.ui.traffic).text.is_empty());
}

#[test]
fn leaving_waits_for_requests_in_flight() {
    let mut rig = Rig::open(ScreenId::Overview, (120, 36), &lines()[..500]);
    rig.keys("q");
    assert!(rig.drained && !rig.gone);
    assert!(rig.text().contains("3 requests in flight; draining · q again to leave at once"));
    assert!(!rig.app.has_drained());
    rig.player.set_status(Arc::new(LiveStatus { open: 0, draining: true, ..status(rig.now) }));
    rig.update();
    assert!(rig.app.has_drained());
    let mut rig = Rig::open(ScreenId::Overview, (120, 36), &lines()[..500]);
    rig.keys("qq");
    assert!(rig.gone, "whoever insists leaves at once");
    let mut rig = Rig::open(ScreenId::Overview, (120, 36), &lines()[..500]);
    rig.player.tell(|view| view.owns = false);
    rig.update();
    rig.keys("q");
    assert!(rig.gone && !rig.drained, "an attached console leaves the gateway alone");
}

struct Control(Arc<Mutex<Vec<String>>>);

impl LiveControl for Control {
    fn read_only(&self) -> Option<Arc<str>> {
        None
    }

    fn owns(&self) -> bool {
        true
    }

    fn apply(&mut self, policy: &Policy, names: &Names, deed: Deed<'_>) -> Result<(), String> {
        let what = deed.words();
        self.0.lock().unwrap().push(format!("{what} ({})", names.model(policy.baseline)));
        Err("the key may not operate".to_owned())
    }

    fn send(&mut self, question: Question) -> Result<(), String> {
        self.0.lock().unwrap().push(question.prompt);
        Ok(())
    }

    fn drain(&mut self) {
        self.0.lock().unwrap().push("drain".to_owned());
    }
}

/// The threads: what is fed is shown, what is asked for goes out, and what ends is told.
#[test]
fn the_thread_behind_a_live_console() {
    let now = Instant::parse("2026-05-23T00:00:00Z").unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (feed, fed) = sync_channel(4);
    let feed_all = std::thread::spawn(move || {
        for part in lines().chunks(5) {
            feed.send(Feed::Lines(part.join("\n").into())).unwrap();
        }
        feed.send(Feed::Status(Arc::new(status(now)))).unwrap();
        feed.send(Feed::Gap(3)).unwrap();
        feed
    });
    // The window reaches back from the world's clock, so that the sample lies in it only where it has no end.
    let mut player = player(now);
    player.handle(Command::Window(None));
    let (publish, pictures) = channel::<Arc<Snapshot>>();
    let (policy_feed, events) = channel();
    let forward = std::thread::spawn(move || {
        for part in fed {
            if policy_feed.send(part).is_err() {
                return;
            }
        }
    });
    let control = Box::new(Control(Arc::clone(&asked)));
    let worker = spawn_live(player, events, control, move |picture| publish.send(picture).is_ok()).unwrap();
    let until = |wanted: &dyn Fn(&Snapshot) -> bool| {
        for _ in 0..10_000 {
            let picture = pictures.recv_timeout(Duration::from_secs(20)).unwrap();
            if wanted(&picture) {
                return picture;
            }
        }
        panic!("it never came");
    };
    let feed = feed_all.join().unwrap();
    let whole = until(&|picture| picture.head == MANY && picture.live.as_ref().unwrap().lost == 3);
    assert_eq!((whole.play, whole.totals.all.requests), (Play::Following, MANY as u64));
    assert!(whole.live.as_ref().unwrap().owns);
    worker.send(Command::Nudge(RouteId(1), 0, -7));
    worker.send(Command::Apply);
    let refused = until(&|picture| picture.message.is_some());
    assert_eq!(refused.message.as_deref(), Some("not applied: the key may not operate"));
    worker.send(Command::Ask(Box::new(Question { prompt: "hello".into(), ..Question::default() })));
    worker.send(Command::Drain);
    until(&|_| asked.lock().unwrap().iter().any(|words| words == "drain"));
    let mut line = Vec::new();
    let change = PolicyChange { version: 9, at: now, what: "by hand".into(), ..PolicyChange::default() };
    record::append_line(&mut line, &Entry::Policy(Box::new(change)));
    // A policy without routes makes no sense; it is told, and the one in force stays.
    feed.send(Feed::Lines(String::from_utf8(line).unwrap().into())).unwrap();
    feed.send(Feed::Closed("gone".into())).unwrap();
    drop(feed);
    let last = until(&|picture| picture.live.as_ref().unwrap().closed.is_some());
    assert_eq!(last.policy.version, 1);
    assert_eq!(last.live.as_ref().unwrap().closed.as_deref(), Some("gone"));
    forward.join().unwrap();
    let asked = asked.lock().unwrap();
    assert!(asked[0].contains("→"), "{asked:?}");
    assert_eq!(&asked[1..], ["hello", "drain"]);
}
