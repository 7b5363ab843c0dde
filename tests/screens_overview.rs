//! Overview and Models over a fixed log: what they show, how they answer, and that no size breaks them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's own scaffolding may fail the test")]

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use pointsman::budget::LimitHistory;
use pointsman::classifier::Classifier;
use pointsman::config::{budgets, policy, prices, themes};
use pointsman::console::action::Action;
use pointsman::console::frame;
use pointsman::console::glyphs::{GlyphSet, Glyphs};
use pointsman::console::paint::{self, Look};
use pointsman::console::screen::{Ask, Pointer, ScreenId, View};
use pointsman::console::theme::{Catalogue, Depth, Theme};
use pointsman::console::ui::Ui;
use pointsman::record::{self, Input, ReadOptions};
use pointsman::session::{BudgetsView, Command, Ingest, IngestOptions, Log, Player, Reading, Snapshot};
use pointsman::units::{Names, PerMille, Span};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Small steady randomness.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

const TASKS: [&str; 6] = ["extraction", "classification", "summarisation", "agent", "code", "question"];
const MODELS: [&str; 6] =
    ["gpt-4.1", "gemini-2.5-flash", "gpt-4.1-nano", "mistral-small-2503", "claude-opus-4-6", "in-house-7b"];
const TEAMS: [&str; 4] = ["payments", "search", "support", ""];

/// Six hours of traffic: failures in a bad quarter of an hour, a price change and a note.
fn log_text(requests: u64, simulated: bool) -> String {
    let mut dice = Dice(42);
    let mut out = String::from("{\"pointsman\":\"log\",\"v\":1}\n");
    for n in 0..requests {
        // Traffic comes in waves of twenty minutes.
        let even = n * 21_600 / requests;
        let wave = even % 1200;
        let second = even - wave + wave * wave / 1200;
        let (hour, minute, second) = (9 + second / 3600, second / 60 % 60, second % 60);
        let task = dice.pick(&TASKS);
        let model = if dice.below(3) == 0 { dice.pick(&MODELS) } else { MODELS[0] };
        let bad = (hour == 11 && minute < 15 || second == 7) && dice.below(5) == 0;
        let prompt = 200 + dice.below(6_000);
        let cached = if dice.below(3) == 0 { prompt / 2 } else { 0 };
        let confidence = dice.below(700) + dice.below(300);
        let calm = if dice.below(20) == 0 { String::new() } else { format!(",\"confidence\":{confidence}") };
        let _ = write!(
            out,
            "{{\"id\":\"r{n}\",\"at\":\"2026-05-23T{hour:02}:{minute:02}:{second:02}.{:03}Z\",\"team\":\"{}\",\
             \"project\":\"p{}\",\"asked\":\"gpt-4.1\",\"task\":\"{}\"{calm},\"model\":\"{model}\",\"in\":{},\"cache_read\":{cached},",
            dice.below(1000),
            dice.pick(&TEAMS),
            dice.below(3),
            task,
            prompt - cached,
        );
        let latency = 300 + dice.below(900) + dice.below(40) * dice.below(60);
        let _ = if bad {
            write!(out, "\"out\":0,\"latency_ms\":{latency},\"status\":503")
        } else if dice.below(90) == 0 {
            write!(out, "\"out\":null,\"latency_ms\":{latency}")
        } else {
            write!(out, "\"out\":{},\"latency_ms\":{latency}", 40 + dice.below(700))
        };
        // A log that is synthetic as a whole says so in the header; one that is in part says so on every panel.
        out.push_str(if simulated && n % 2 == 0 { ",\"simulated\":\"test\"}\n" } else { "}\n" });
    }
    out.push_str(
        "{\"event\":\"price\",\"at\":\"2026-05-23T12:30:00Z\",\"model\":\"gemini-2.5-flash\",\"input\":\"0.15\",\"output\":\"1.25\"}\n\
         {\"event\":\"note\",\"at\":\"2026-05-23T11:02:00Z\",\"text\":\"provider reports elevated errors\"}\n\
         {\"event\":\"note\",\"at\":\"2026-05-23T14:50:00Z\",\"text\":\"still to come\"}\n",
    );
    out
}

fn player(requests: u64, simulated: bool, reading: Reading, window: Option<Span>) -> Player {
    let mut names = Names::default();
    let policy = policy::parse(policy::BUILTIN, "built-in policy", &mut names).unwrap();
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let input = Input::bytes("test.jsonl", log_text(requests, simulated).into_bytes());
    let source = record::open(&input, &ReadOptions::default()).unwrap();
    let book = prices::builtin("list").expect("the list is built in");
    let log = Log::load("test.jsonl".into(), source, ingest, Arc::new(policy), &book, |_| true).unwrap();
    let mut player = Player::new(Arc::new(log), reading, window);
    player.set_budgets(&budgets::parse(BUDGETS, "budgets.toml").unwrap().into(), "budgets.toml".to_owned());
    player
}

/// A soft limit for each team, a hard one for all, and one that nobody draws on.
const BUDGETS: &str = "[budget.teams]\neach = \"team\"\nlimit = { \"3h\" = 2 }\nspecial = { search = { \"3h\" = 40 } }\nmode = \"soft\"\n\
    [budget.company]\nlimit = { day = 26 }\n[budget.nobody]\nuser = [\"anna\"]\nlimit = { lifetime = 5 }\nmode = \"observe\"\n";

/// Routed, at 600 thousandths of the log, over the last quarter of an hour. It is made once for all tests.
fn snapshot() -> Snapshot {
    static MADE: OnceLock<Snapshot> = OnceLock::new();
    MADE.get_or_init(|| at(player(7_200, false, Reading::Routed, Some(Span::mins(15))), 600)).clone()
}

fn at(mut player: Player, share: u16) -> Snapshot {
    player.handle(Command::SeekShare(PerMille::new(share).unwrap()));
    player.snapshot()
}

fn theme(name: &str) -> Theme {
    Catalogue::new(themes::built_in()).load(name, Depth::True).expect("the theme is built in").0
}

fn picture(ui: &Ui, snapshot: &Snapshot, glyphs: GlyphSet, width: u16, height: u16) -> Buffer {
    let theme = theme("dark");
    let look = Look { theme: &theme, glyphs: Glyphs::of(glyphs) };
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    paint::clear(&mut buf, area, theme.base());
    ui.draw(snapshot, look, area, &mut buf);
    buf
}

fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let row: String = (buf.area.left()..buf.area.right()).map(|x| buf[(x, y)].symbol()).collect();
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

fn shown(ui: &Ui, snapshot: &Snapshot, width: u16, height: u16) -> String {
    text(&picture(ui, snapshot, GlyphSet::Braille, width, height))
}

/// The body of windows of 80x24, 120x36 and 200x60.
const BODIES: [(u16, u16); 3] = [(80, 20), (120, 32), (200, 56)];

#[test]
fn screens_look_as_agreed() {
    let snapshot = snapshot();
    for screen in [ScreenId::Overview, ScreenId::Models, ScreenId::Spend] {
        for (width, height) in BODIES {
            let ui = Ui::on(screen);
            let name = format!("{}_{width}x{height}", screen.name().to_lowercase());
            // The day of the price book changes with every new one.
            insta::with_settings!({ filters => vec![(r"list \d{4}-\d{2}-\d{2}", "list 0000-00-00")] }, {
                insta::assert_snapshot!(name, shown(&ui, &snapshot, width, height));
            });
        }
    }
}

#[test]
fn no_size_focus_or_zoom_breaks_a_screen() {
    let early = at(player(60, true, Reading::Recorded, Some(Span::mins(1))), 0);
    let mut staged = player(600, false, Reading::Routed, None);
    let route = pointsman::routing::RouteId(0);
    let mut tried = staged.log().policy.as_ref().clone();
    tried.set_threshold(route, 0, PerMille::new(300).unwrap()).unwrap();
    staged.handle(Command::Stage(Some(Arc::new(tried))));
    let staged = at(staged, 1000);
    for snapshot in [&snapshot(), &early, &staged] {
        for screen in [ScreenId::Overview, ScreenId::Models, ScreenId::Spend] {
            let panels = Ui::on(screen).screen().panels();
            for zoomed in [false, true] {
                for focus in 0..panels {
                    let ui = Ui::from(View { screen, focus, zoomed, ..View::default() });
                    for (width, height) in sizes() {
                        picture(&ui, snapshot, GlyphSet::Ascii, width, height);
                    }
                }
            }
        }
    }
}

fn sizes() -> impl Iterator<Item = (u16, u16)> {
    let wide = [0, 1, 2, 3, 5, 9, 14, 22, 31, 40, 60, 80, 104, 130, 160];
    let high = [0, 1, 2, 3, 4, 5, 7, 11, 19, 26, 36, 45];
    wide.into_iter().flat_map(move |width| high.into_iter().map(move |height| (width, height)))
}

#[test]
fn keys_and_mouse_anywhere_break_nothing() {
    let snapshot = snapshot();
    let actions = [
        Action::Up,
        Action::Down,
        Action::PageUp,
        Action::PageDown,
        Action::First,
        Action::Last,
        Action::Open,
        Action::Sort,
        Action::SortReverse,
        Action::Play,
    ];
    for screen in [ScreenId::Overview, ScreenId::Models, ScreenId::Spend] {
        for area in [Rect::new(0, 0, 0, 0), Rect::new(0, 2, 80, 20), Rect::new(0, 2, 200, 56)] {
            let mut ui = Ui::on(screen);
            for focus in 0..9 {
                ui.view.focus = focus;
                for action in actions {
                    ui.act(action, &snapshot);
                    picture(&ui, &snapshot, GlyphSet::Braille, 80, 20);
                }
            }
            ui.view.focus = 0;
            for y in 0..60 {
                for x in (0..210).step_by(3) {
                    ui.point(Pointer::Press(x, y), area, &snapshot);
                    ui.point(Pointer::Wheel(x, y, if x % 2 == 0 { 1 } else { -1 }), area, &snapshot);
                    assert!(ui.view.focus < ui.screen().panels());
                }
            }
            picture(&ui, &snapshot, GlyphSet::Braille, 120, 32);
        }
    }
}

#[test]
fn ascii_terminals_get_nothing_but_ascii_lines() {
    let snapshot = snapshot();
    for screen in [ScreenId::Overview, ScreenId::Models, ScreenId::Spend] {
        let ui = Ui::on(screen);
        let drawn = text(&picture(&ui, &snapshot, GlyphSet::Ascii, 200, 56));
        // Words keep their signs (per mille, plus-minus, the dash of the unknown); lines, bars and marks do not.
        let drawings = drawn.chars().filter(|c| !c.is_ascii() && !"‰±–".contains(*c));
        assert_eq!(drawings.collect::<String>(), "");
    }
}

/// The line of tabs, which says what the screen's figures are of.
fn scope(ui: &Ui, snapshot: &Snapshot, width: u16) -> String {
    let theme = theme("dark");
    let look = Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Braille) };
    let area = Rect::new(0, 0, width, 1);
    let mut buf = Buffer::empty(area);
    frame::tabs(ui.scene(snapshot, look), ui.front(), area, &mut buf);
    text(&buf).trim_end().to_owned()
}

#[test]
fn every_figure_says_how_well_it_is_known() {
    let ui = Ui::default();
    let routed = shown(&ui, &snapshot(), 200, 56);
    assert!(routed.contains("±$"), "{routed}");
    let [wide, usual, narrow] = [160, 120, 80].map(|width| scope(&ui, &snapshot(), width));
    assert!(wide.contains("last 15m · routed · ") && wide.contains(" % estimated"), "{wide}");
    assert!(usual.contains(" 15m · routed · ") && usual.ends_with(" % est."), "{usual}");
    // Beside nine tabs there is no room for how much is estimated; each figure is marked.
    assert!(narrow.ends_with(" 15m · routed"), "{narrow}");
    assert!(routed.contains("of unknown cost"), "{routed}");
    let recorded = at(player(1_800, false, Reading::Recorded, Some(Span::hours(1))), 600);
    let recorded = shown(&ui, &recorded, 200, 56);
    assert!(!recorded.contains("last 1h · recorded"), "the screen's scope is not said again: {recorded}");
    // A model outside the price book costs an unknown amount, not nothing.
    let row = recorded.lines().find(|line| line.contains("in-house-7b")).expect("it has traffic");
    assert!(row.contains("unknown") && !row.contains("$0 "), "{row}");
    assert!(!recorded.contains("SIMULATED"));
    let simulated = at(player(600, true, Reading::Recorded, Some(Span::hours(1))), 600);
    assert!(shown(&ui, &simulated, 200, 56).contains(" PARTLY SIMULATED "));
}

#[test]
fn nothing_is_projected_from_less_than_a_minute() {
    let first = at(player(1_800, false, Reading::Routed, Some(Span::mins(15))), 0);
    let drawn = shown(&Ui::from(View { zoomed: true, ..View::default() }), &first, 60, 20);
    let row = drawn.lines().find(|line| line.contains("30 days")).expect("the row stands");
    assert!(row.contains('–') && !row.contains('$'), "{row}");
}

#[test]
fn events_lead_back_to_their_moment_and_never_tell_the_future() {
    let snapshot = snapshot();
    let mut ui = Ui::from(View { focus: 6, zoomed: true, ..View::default() });
    let drawn = shown(&ui, &snapshot, 100, 20);
    assert!(!drawn.contains("still to come"), "{drawn}");
    let row = drawn.lines().position(|line| line.contains("provider reports elevated errors"));
    let row = u16::try_from(row.expect("the note is listed")).unwrap();
    ui.point(Pointer::Press(10, row), Rect::new(0, 0, 100, 20), &snapshot);
    let asks = ui.act(Action::Open, &snapshot);
    let at = pointsman::units::Instant::parse("2026-05-23T11:02:00Z").unwrap();
    assert_eq!(asks, [Ask::Send(Command::SeekTime(at))]);
}

#[test]
fn a_chosen_model_stays_chosen_when_the_order_changes() {
    let snapshot = snapshot();
    let mut ui = Ui::on(ScreenId::Models);
    ui.act(Action::Down, &snapshot);
    let chosen = |ui: &Ui| {
        let drawn = shown(ui, &snapshot, 120, 32);
        let row = drawn.lines().find(|line| line.contains('▸')).expect("a row is chosen").to_owned();
        row.split_whitespace().nth(1).expect("it has a name").to_owned()
    };
    let before = chosen(&ui);
    for _ in 0..16 {
        ui.act(Action::Sort, &snapshot);
        assert_eq!(chosen(&ui), before);
        ui.act(Action::SortReverse, &snapshot);
        assert_eq!(chosen(&ui), before);
    }
}

#[test]
fn overview_hands_the_chosen_model_and_route_on() {
    let snapshot = snapshot();
    let mut ui = Ui::from(View { focus: 1, ..View::default() });
    ui.act(Action::Down, &snapshot);
    ui.act(Action::Down, &snapshot);
    let asks = ui.act(Action::Open, &snapshot);
    assert!(
        matches!(&asks[..], [Ask::ListFiltered(filter)] if filter.starts_with("model:") && filter.ends_with(" window"))
    );
    let second = shown(&Ui::from(View { focus: 1, zoomed: true, ..View::default() }), &snapshot, 120, 20);
    let name =
        second.lines().nth(3).and_then(|line| line.split_whitespace().nth(1)).expect("two models").to_owned();
    ui.view.screen = ScreenId::Models;
    assert!(shown(&ui, &snapshot, 120, 32).lines().any(|line| line.contains('▸') && line.contains(&name)));
    let mut ui = Ui::from(View { focus: 3, ..View::default() });
    ui.act(Action::Down, &snapshot);
    let asks = ui.act(Action::Open, &snapshot);
    assert!(matches!(asks[..], [Ask::Send(Command::Focus(..)), Ask::Show(ScreenId::Tune)]), "{asks:?}");
}

#[test]
fn budgets_stand_the_same_however_one_got_to_the_head() {
    let mut player = player(2_400, false, Reading::Routed, None);
    let mut seen = Vec::new();
    for share in [0, 250, 700, 1000] {
        player.handle(Command::SeekShare(PerMille::new(share).unwrap()));
        seen.push((share, player.snapshot()));
    }
    for (share, before) in seen.iter().rev().chain(&seen) {
        player.handle(Command::SeekShare(PerMille::new(*share).unwrap()));
        assert_eq!(player.snapshot().budgets(), before.budgets(), "at {share}");
    }
    let (_, end) = &seen[3];
    let company = end.budgets().rows.iter().find(|row| row.budget == "company").unwrap();
    // What the log says was spent, and besides what calls of unknown cost can have cost at most.
    let mut recorded = self::player(2_400, false, Reading::Recorded, None);
    recorded.handle(Command::Follow);
    let told = recorded.snapshot().to_date.all.cost;
    assert!(told.unknown > 0 && company.assumed > pointsman::units::Pico::ZERO);
    assert_eq!(company.spent - company.assumed, told.known);
}

#[test]
fn enter_on_a_budget_lists_the_requests_of_whoever_draws_on_it() {
    let snapshot = snapshot();
    let mut ui = Ui::on(ScreenId::Spend);
    let mut listed = Vec::new();
    ui.act(Action::First, &snapshot);
    for _ in &snapshot.budgets().rows {
        match &ui.act(Action::Open, &snapshot)[..] {
            [Ask::ListFiltered(filter), Ask::Say(_)] => listed.push(filter.clone()),
            [Ask::Refuse(why)] => listed.push(why.clone()),
            other => panic!("{other:?}"),
        }
        ui.act(Action::Down, &snapshot);
    }
    listed.sort();
    let user = "no filter tells requests apart by user anna";
    assert_eq!(listed, ["", user, "team:-", "team:payments", "team:search", "team:support"]);
}

#[test]
fn budgets_of_a_live_session_come_with_its_state() {
    let snapshot = snapshot();
    let said = serde_json::to_value(snapshot.budgets()).unwrap();
    let read: BudgetsView = serde_json::from_value(said).unwrap();
    assert_eq!(&read, snapshot.budgets());
}

#[test]
fn where_no_budget_is_in_force_spend_says_how_to_write_one() {
    let mut player = player(60, false, Reading::Recorded, None);
    player.set_budgets(&LimitHistory::default(), String::new());
    let shown = shown(&Ui::on(ScreenId::Spend), &at(player, 500), 80, 20);
    assert!(shown.contains("pointsman budgets set company --limit month=2000"), "{shown}");
}

#[test]
fn the_header_tells_of_the_fullest_hard_limit() {
    let snapshot = at(player(7_200, false, Reading::Recorded, Some(Span::mins(15))), 600);
    let theme = theme("dark");
    let look = Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Braille) };
    let header = |width| {
        let area = Rect::new(0, 0, width, 1);
        let mut buf = Buffer::empty(area);
        frame::header(Ui::on(ScreenId::Spend).scene(&snapshot, look), None, area, &mut buf);
        text(&buf)
    };
    assert!(header(160).contains("company / day ▰"), "{}", header(160));
    assert!(header(110).contains(" budget "), "{}", header(110));
    assert!(header(80).contains("policy"), "{}", header(80));
}
