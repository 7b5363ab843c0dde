//! The console as a person uses it: keys and mouse in, figures on the screen; and no size that breaks it.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

#[path = "console/certified.rs"]
mod certified;
#[path = "console/explored.rs"]
mod explored;
#[path = "console/quality.rs"]
mod quality;
#[path = "console/small.rs"]
mod small;
#[path = "console/spare.rs"]
mod spare;
#[path = "console/spend.rs"]
mod spend;
#[path = "console/warm.rs"]
mod warm;
#[path = "console/worlds.rs"]
mod worlds;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use pointsman::classifier::Classifier;
use pointsman::config::{policy, prices, themes};
use pointsman::console::app::{App, Do, Settings};
use pointsman::console::glyphs::{GlyphSet, Glyphs};
use pointsman::console::keys::Keymap;
use pointsman::console::screen::ScreenId;
use pointsman::console::screens::traffic;
use pointsman::console::theme::{Catalogue, Depth};
use pointsman::console::ui::Ui;
use pointsman::console::{frame, goto, svg};
use pointsman::record::{self, Input, ReadOptions};
use pointsman::sample;
use pointsman::session::{Command, Ingest, IngestOptions, Log, Player, Reading, Snapshot, all_on};
use pointsman::units::{Instant, Names, PerMille, Span};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The bundled sample; it is what a newcomer sees, and it is the same on every machine. It is read once for all tests.
fn log() -> Arc<Log> {
    static LOG: OnceLock<Arc<Log>> = OnceLock::new();
    Arc::clone(LOG.get_or_init(|| log_of(sample::NAME, sample::BUNDLED)))
}

fn log_of(name: &str, bytes: &'static [u8]) -> Arc<Log> {
    let mut names = Names::default();
    let policy = Arc::new(policy::parse(policy::BUILTIN, "policy.toml", &mut names).unwrap());
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let source = record::open(&Input::bytes(name, bytes), &ReadOptions::default()).unwrap();
    let book = prices::builtin("list").unwrap();
    Arc::new(Log::load(name.into(), source, ingest, policy, &book, |_| true).unwrap())
}

/// A console and the session behind it, without threads: what the console sends is done at once.
struct Sandbox {
    app: App,
    player: Player,
    area: Rect,
    gone: bool,
}

impl Sandbox {
    fn open(log: &Arc<Log>, screen: ScreenId, size: (u16, u16)) -> Self {
        let mut player = Player::new(Arc::clone(log), Reading::Recorded, Some(Span::hours(1)));
        player.handle(Command::SeekShare(PerMille::new(360).unwrap()));
        let snapshot = Arc::new(player.snapshot());
        let settings = Settings {
            theme: Catalogue::new(themes::built_in()).load("dark", Depth::True).unwrap().0,
            glyphs: Glyphs::of(GlyphSet::Braille),
            keymap: Keymap::build(&[]).unwrap(),
            mouse: true,
            message: Duration::from_secs(4),
        };
        let app = App::new(Ui::on(screen), settings, snapshot);
        let mut sandbox = Self { app, player, area: Rect::new(0, 0, size.0, size.1), gone: false };
        sandbox.draw();
        sandbox
    }

    fn draw(&mut self) -> Buffer {
        while self.app.work() {}
        let mut buffer = Buffer::empty(self.area);
        self.app.draw(self.area, &mut buffer);
        buffer
    }

    fn text(&mut self) -> String {
        let buffer = self.draw();
        let mut out = String::new();
        for y in 0..self.area.height {
            for x in 0..self.area.width {
                out.push_str(buffer[(x, y)].symbol());
            }
            out.push('\n');
        }
        out
    }

    fn event(&mut self, event: &Event) {
        for todo in self.app.event(event) {
            match todo {
                Do::Send(command) => {
                    self.player.handle(command);
                    self.app.update(Arc::new(self.player.snapshot()));
                }
                Do::Quit => self.gone = true,
                _ => {}
            }
        }
        self.draw();
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.event(&Event::Key(KeyEvent::new(code, modifiers)));
    }

    fn keys(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c), KeyModifiers::NONE);
        }
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        self.event(&Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    }

    fn shown(&self) -> &Snapshot {
        self.app.shown()
    }

    fn staged(&self) -> Option<u16> {
        let route = self.app.ui.tune.route;
        Some(self.shown().staged.as_ref()?.routes[route].ladder[self.app.ui.tune.rung].threshold.get())
    }

    fn applied(&self) -> u16 {
        self.shown().policy.routes[self.app.ui.tune.route].ladder[self.app.ui.tune.rung].threshold.get()
    }
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

#[test]
fn screens_look_as_they_did() {
    let log = log();
    for size in SIZES {
        for (screen, name) in [
            (ScreenId::Tune, "tune"),
            (ScreenId::Overview, "overview"),
            (ScreenId::Models, "models"),
            (ScreenId::Traffic, "traffic"),
        ] {
            let mut sandbox = Sandbox::open(&log, screen, size);
            if screen == ScreenId::Tune {
                sandbox.keys("r");
                sandbox.key(KeyCode::Left, KeyModifiers::SHIFT);
            }
            let text = sandbox.text();
            insta::with_settings!({filters => vec![
                (r" *exact sums,[^│]*", " exact sums "),
                (r"list 20\d\d-\d\d-\d\d", "list [dated]"),
                (r"builtin [0-9a-f]{8}", "builtin [hash]"),
            ]}, {
                insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text);
            });
        }
    }
}

/// Typed where no filter is, it would act: `c` gives the mouse away, `o` starts a loop, `s` sorts.
#[test]
fn a_slash_leads_to_the_filter_from_every_screen_and_what_is_typed_after_it_is_typed() {
    let log = log();
    for screen in [ScreenId::Overview, ScreenId::Tune, ScreenId::Models, ScreenId::Traffic] {
        let mut sandbox = Sandbox::open(&log, screen, (80, 24));
        sandbox.keys("/cost>0.01");
        assert_eq!(sandbox.app.ui.view.screen, ScreenId::Traffic, "from {screen:?}");
        assert_eq!(traffic::filter(&sandbox.app.ui.traffic).text, "cost>0.01");
        assert!(sandbox.shown().looped.is_none() && sandbox.app.settings().mouse);
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
        assert_eq!(sandbox.app.ui.view.screen, screen, "Esc comes back");
        assert_eq!(traffic::filter(&sandbox.app.ui.traffic).text, "");
    }
    // From a single request, too.
    let mut sandbox = Sandbox::open(&log, ScreenId::Traffic, (80, 24));
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert!(sandbox.app.ui.detail.is_some());
    sandbox.keys("/team:ads");
    assert!(sandbox.app.ui.detail.is_none());
    assert_eq!(traffic::filter(&sandbox.app.ui.traffic).text, "team:ads");
}

#[test]
fn a_panel_is_named_by_the_model_whose_figures_it_shows() {
    let log = log();
    for size in SIZES {
        let mut sandbox = Sandbox::open(&log, ScreenId::Models, size);
        sandbox.keys("A");
        // More models than are listed: how many more is said.
        let text = sandbox.text();
        assert!(text.lines().any(|line| line.contains("… ") && line.trim_end().ends_with(" more")), "{text}");
        sandbox.keys("claude-opus-4-1");
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        let text = sandbox.text();
        assert!(text.contains("╭ All on claude-opus-4-1 ─") && text.contains("its own answers"), "{text}");
        sandbox.key(KeyCode::Down, KeyModifiers::NONE);
        let text = sandbox.text();
        assert!(!text.contains("All on "), "{text}");
        // One that the table has is chosen there.
        sandbox.keys("Agpt-4.1-nano");
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        let text = sandbox.text();
        assert!(text.contains("╭ gpt-4.1-nano ─") && text.contains("All on gpt-4.1-nano"), "{text}");
        sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
        assert!(!sandbox.text().contains("All on "));
    }
}

#[test]
fn after_an_apply_the_curve_and_the_table_say_of_which_policy_they_are() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Tune, (120, 36));
    sandbox.keys("r");
    assert!(!sandbox.text().contains("all at "), "{}", sandbox.text());
    sandbox.key(KeyCode::Left, KeyModifiers::SHIFT);
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    let text = sandbox.text();
    assert!(text.contains("all at 610") && text.contains("each in its time"), "{text}");
}

#[test]
fn what_the_prompt_box_has_no_room_for_can_be_scrolled_to() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Overview, (80, 24));
    sandbox.keys("i");
    assert!(!sandbox.text().contains("Enter send"), "a replay sends nothing: {}", sandbox.text());
    sandbox.event(&Event::Paste("please write a proof\n".repeat(9)));
    let first = sandbox.text();
    let thumb = |text: &str| text.lines().filter(|line| line.trim_end().ends_with("█ │")).count();
    assert!(thumb(&first) > 0, "{first}");
    for _ in 0..9 {
        sandbox.key(KeyCode::PageDown, KeyModifiers::NONE);
    }
    let last = sandbox.text();
    assert!(last.contains("weighed") && last.contains("a replay: sending needs"), "{last}");
}

#[test]
fn nudging_stages_applying_holds_and_undo_takes_back() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Tune, (120, 36));
    sandbox.keys("r");
    assert_eq!(sandbox.applied(), 620, "extraction's first rung in the built-in policy");
    sandbox.key(KeyCode::Left, KeyModifiers::SHIFT);
    sandbox.key(KeyCode::Right, KeyModifiers::NONE);
    assert_eq!(sandbox.staged(), Some(611));
    let text = sandbox.text();
    assert!(text.contains("611*") && text.contains("x lists") && text.contains("policy 1*"), "{text}");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!((sandbox.staged(), sandbox.applied()), (None, 611));
    assert!(sandbox.text().contains("extraction · flash 620 → 611"));
    sandbox.keys("u");
    assert_eq!(sandbox.applied(), 620);
    assert_eq!(sandbox.shown().policy.version, 3, "an undo is a new version; versions never go back");
    // Typed: Enter stages the number, and only Enter again applies it.
    sandbox.keys("588");
    assert_eq!(sandbox.staged(), None);
    assert!(sandbox.text().contains("588_"), "what is typed is shown");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!((sandbox.staged(), sandbox.applied()), (Some(588), 620));
    sandbox.keys("7");
    sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
    assert_eq!(sandbox.staged(), Some(588), "Esc drops what is typed before what is staged");
    sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
    assert_eq!(sandbox.staged(), None);
    sandbox.keys("1000");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(sandbox.staged(), Some(1000));
    sandbox.keys("9999");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(sandbox.staged(), Some(1000));
    assert!(sandbox.text().contains("9999 is no threshold, 0 to 1000"));
}

#[test]
fn a_model_leads_to_its_traffic_and_esc_comes_back() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Models, (120, 36));
    sandbox.key(KeyCode::Down, KeyModifiers::NONE);
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(sandbox.app.ui.view.screen, ScreenId::Traffic);
    let text = sandbox.text();
    assert!(text.contains("filter  model:") && text.contains(" window"), "{text}");
    sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
    assert_eq!(sandbox.app.ui.view.screen, ScreenId::Models);
    sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
    assert_eq!(sandbox.app.ui.view.screen, ScreenId::Models, "there is nowhere else to go back to");
    sandbox.keys("3");
    assert!(!sandbox.text().contains("filter  model"), "the filter went with the way back");
}

#[test]
fn all_on_one_model_says_its_cost_and_what_nobody_knows() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Models, (120, 36));
    sandbox.keys("a");
    let text = sandbox.text();
    for part in [
        "All on gpt-4.1 · window to",
        "the recorded tokens on it",
        "the policy, routed",
        "never seen with it",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    sandbox.keys("a");
    assert!(!sandbox.text().contains("All on gpt-4.1"));
    // What the log saw on that model is taken as it was seen, and its tokens come to the baseline of Overview.
    let picture = sandbox.shown();
    let baseline = picture.log.names.model(picture.policy.baseline);
    let all = all_on(picture, baseline).unwrap();
    assert_eq!(all.requests, (picture.window.end - picture.window.first) as u64);
    assert!(all.estimated > 0 && all.estimated < all.requests);
    assert_eq!(all.same_tokens, picture.totals.all.baseline);
    assert_eq!(all.compared, picture.totals.all.comparable);
}

#[test]
fn any_model_that_has_a_price_can_be_asked_to_answer_everything() {
    let log = log();
    for size in [(80, 24), (120, 36)] {
        let mut sandbox = Sandbox::open(&log, ScreenId::Overview, size);
        sandbox.keys("Agpt-5-nan");
        assert!(sandbox.text().contains("gpt-5-nano"), "names are completed\n{}", sandbox.text());
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        let text = sandbox.text();
        assert_eq!(sandbox.app.ui.view.screen, ScreenId::Models);
        for part in
            ["All on gpt-5-nano ", "the recorded tokens on it", "its own answers", "never seen with it"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let block: Vec<&str> =
            text.lines().skip_while(|line| !line.contains("All on gpt-5-nano")).take(8).collect();
        assert!(!block.concat().contains('…'), "nothing is cut\n{text}");
        sandbox.keys("Ano-such-model");
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        assert!(
            sandbox.text().contains("no price book here has a model `no-such-model`"),
            "{}",
            sandbox.text()
        );
        assert!(sandbox.text().contains("All on gpt-5-nano"), "a slip takes nothing away");
    }
}

#[test]
fn a_log_without_models_can_be_priced_on_any() {
    let line =
        |at| format!("{{\"at\":\"2026-05-23T10:{:02}:{:02}Z\",\"in\":1000,\"out\":100}}\n", at / 60, at % 60);
    let lines = (0..90).map(line).collect::<Vec<_>>().concat();
    let log = log_of("nameless", lines.leak().as_bytes());
    let mut sandbox = Sandbox::open(&log, ScreenId::Models, (80, 24));
    sandbox.player.handle(Command::Follow);
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    sandbox.keys("Agpt-4.1-nano");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert!(sandbox.text().contains("All on gpt-4.1-nano"), "{}", sandbox.text());
    let all = all_on(sandbox.shown(), "gpt-4.1-nano").unwrap();
    assert_eq!((all.requests, all.estimated, all.cost.unknown), (90, 90, 0));
    assert!(all.cost.total() > pointsman::units::Pico::ZERO);
    assert!(all_on(sandbox.shown(), "no-such-model").is_none());
}

#[test]
fn tune_opens_on_the_busiest_route_with_a_threshold() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Models, (120, 36));
    sandbox.keys("2");
    let picture = sandbox.shown();
    let (route, rung) = sandbox.app.ui.tune.chosen(&picture.policy);
    let consequences = &picture.consequences;
    assert_eq!((consequences.route, consequences.rung), (route, rung));
    let requests = |at: usize| consequences.routes[at].applied.requests;
    let ladders = picture.policy.routes.iter().map(|route| route.ladder.len() > 1);
    let most = ladders.enumerate().filter(|(_, ladder)| *ladder).map(|(at, _)| requests(at)).max().unwrap();
    assert!(most > 0);
    assert_eq!(requests(route.index()), most);
    assert!(!sandbox.text().contains("no requests of this route"));
}

#[test]
fn the_mouse_drags_a_threshold() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Tune, (120, 36));
    sandbox.keys("r");
    let text = sandbox.text();
    let row = text.lines().position(|line| line.contains('▲')).unwrap();
    let line = text.lines().nth(row).unwrap();
    // The marker that is farthest to the right is the first rung's.
    let column = line.chars().enumerate().filter(|(_, c)| *c == '▲').map(|(at, _)| at).max().unwrap();
    let (x, y) = (u16::try_from(column).unwrap(), u16::try_from(row).unwrap());
    sandbox.mouse(MouseEventKind::Down(MouseButton::Left), x, y);
    sandbox.mouse(MouseEventKind::Drag(MouseButton::Left), x - 10, y);
    sandbox.mouse(MouseEventKind::Up(MouseButton::Left), x - 10, y);
    let staged = sandbox.staged().expect("a drag stages a threshold");
    assert!((430..=530).contains(&staged), "ten columns to the left of 620 is about 480, not {staged}");
    sandbox.mouse(MouseEventKind::Drag(MouseButton::Left), 0, 0);
    assert_eq!(sandbox.staged(), Some(staged), "after the release the mouse moves nothing");
}

#[test]
fn a_reader_changes_no_policy() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Tune, (120, 36));
    sandbox.app.ui.view.read_only = true;
    sandbox.keys("5");
    sandbox.key(KeyCode::Left, KeyModifiers::NONE);
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(sandbox.staged(), None);
    assert_eq!(sandbox.shown().policy.version, 1);
    assert!(sandbox.text().contains("read-only"));
}

#[test]
fn the_palette_finds_and_the_help_lists_what_works_here() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Overview, (120, 36));
    sandbox.keys(":");
    sandbox.keys("screen tune");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(sandbox.app.ui.view.screen, ScreenId::Tune);
    sandbox.keys("?");
    assert!(sandbox.text().contains("Lowers the chosen threshold by 1 per mille"));
    sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
    sandbox.key(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert!(sandbox.gone);
}

#[test]
fn a_filter_narrows_and_a_request_says_why() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Traffic, (120, 36));
    sandbox.keys("/team:payments escalated");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    let text = sandbox.text();
    assert!(text.contains("payments") && !text.contains(" search "), "{text}");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    let detail = sandbox.text();
    assert!(detail.contains("Why, by policy") && detail.contains("classify"), "{detail}");
    sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
    assert!(sandbox.app.ui.detail.is_none());
}

#[test]
fn flips_lists_exactly_the_requests_that_tune_counts() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Tune, (120, 36));
    sandbox.keys("r500");
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    let flips: u64 = sandbox.shown().consequences.routes.iter().map(|route| route.flips).sum();
    assert!(flips > 0);
    sandbox.keys("x");
    assert_eq!(sandbox.app.ui.view.screen, ScreenId::Traffic);
    sandbox.draw();
    let text = sandbox.text();
    assert!(
        text.contains(&format!("{flips} of ")) || text.contains(&format!(" {flips} ")),
        "{flips} flips in {text}"
    );
}

#[test]
fn go_to_understands_what_its_hint_says_and_nothing_else() {
    let log = log();
    let mut player = Player::new(Arc::clone(&log), Reading::Recorded, None);
    player.handle(Command::SeekShare(PerMille::new(500).unwrap()));
    let snapshot = player.snapshot();
    let at = |text: &str| goto::parse(text, &snapshot);
    let clock = |text: &str| Command::SeekTime(Instant::parse(text).unwrap());
    assert_eq!(at("14:03:20"), Ok(clock("2026-05-23T14:03:20Z")));
    assert_eq!(at("14:03"), Ok(clock("2026-05-23T14:03:00Z")));
    assert_eq!(at("+5m"), Ok(Command::SeekBy(Span::mins(5))));
    assert_eq!(at("-1h30m"), Ok(Command::SeekBy(Span::mins(-90))));
    assert_eq!(at("50%"), Ok(Command::SeekShare(PerMille::new(500).unwrap())));
    assert_eq!(at("ev 12 000"), Ok(Command::SeekEvent(12_000)));
    assert_eq!(at("2026-05-23T14:03Z"), Ok(clock("2026-05-23T14:03:00Z")));
    for bad in [
        "",
        "x",
        "101%",
        "25:00",
        "14:60",
        "+",
        "+5y",
        "ev",
        "99999999999999999999s",
        "+9223372036854775807h",
        "-é",
        "1e9%",
        "14:03:20:1",
    ] {
        assert!(at(bad).is_err(), "`{bad}` should be refused");
    }
}

#[test]
fn freezing_holds_the_picture_while_the_log_goes_on() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Overview, (120, 36));
    sandbox.keys("f");
    let held = sandbox.shown().head;
    sandbox.player.handle(Command::Step(50));
    let moved = Arc::new(sandbox.player.snapshot());
    sandbox.app.update(moved);
    assert_eq!(sandbox.shown().head, held);
    assert!(sandbox.text().contains("50 new"));
    sandbox.keys("f");
    assert_eq!(sandbox.shown().head, held + 50);
}

#[test]
fn the_strip_and_the_tabs_take_the_mouse() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Overview, (120, 36));
    let parts = frame::parts(sandbox.area);
    let before = sandbox.shown().clock;
    sandbox.mouse(MouseEventKind::Down(MouseButton::Left), 64, parts.bar.y);
    assert!(sandbox.shown().clock > before);
    let tabs = frame::tab_places(sandbox.app.ui.front(), sandbox.app.ui.view.screen, parts.tabs);
    let (screen, at, _) = tabs.into_iter().nth(2).unwrap();
    sandbox.mouse(MouseEventKind::Down(MouseButton::Left), at.x, at.y);
    assert_eq!(sandbox.app.ui.view.screen, screen);
}

#[test]
fn no_size_breaks_any_screen_or_overlay() {
    let log = log();
    for screen in ScreenId::ALL {
        let mut sandbox = Sandbox::open(&log, screen, (120, 36));
        for overlay in ["", "?", ":", "t", "A", "z", "zz"] {
            sandbox.keys(overlay);
            for height in (0..=46).step_by(3) {
                for width in [0, 1, 2, 5, 11, 24, 39, 59, 60, 61, 79, 80, 99, 100, 119, 150, 210] {
                    sandbox.area = Rect::new(0, 0, width, height);
                    sandbox.draw();
                    sandbox.mouse(MouseEventKind::Down(MouseButton::Left), width / 2, height / 2);
                    sandbox.mouse(MouseEventKind::ScrollDown, width, height);
                }
            }
            sandbox.area = Rect::new(0, 0, 120, 36);
            if overlay.len() == 1 && overlay != "z" {
                sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
            }
        }
        if screen == ScreenId::Traffic {
            sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
            for height in 0..40 {
                for width in [0, 1, 30, 60, 80, 109, 110, 180] {
                    sandbox.area = Rect::new(0, 0, width, height);
                    sandbox.draw();
                }
            }
        }
    }
}

#[test]
fn every_theme_and_glyph_set_draws_every_screen_and_ascii_means_ascii() {
    let log = log();
    let catalogue = Catalogue::new(themes::built_in());
    let names: Vec<String> = catalogue.names().map(str::to_owned).collect();
    for screen in ScreenId::ALL {
        let mut sandbox = Sandbox::open(&log, screen, (120, 36));
        for name in &names {
            sandbox.app.set_theme(catalogue.load(name, Depth::True).unwrap().0);
            let buffer = sandbox.draw();
            let picture = svg::render(&buffer, svg::Ground::DARK, "test");
            assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
        }
        sandbox.app.tick(Duration::from_secs(60));
        let settings = Settings {
            theme: catalogue.load("mono", Depth::None).unwrap().0,
            glyphs: Glyphs::of(GlyphSet::Ascii),
            keymap: Keymap::build(&[]).unwrap(),
            mouse: true,
            message: Duration::from_secs(4),
        };
        sandbox.app.set_settings(settings);
        let text = sandbox.text();
        let odd: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "{screen:?} draws {odd:?} with the ascii glyphs:\n{text}");
    }
}
