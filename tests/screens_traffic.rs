//! The request table and the view of one request, from outside: what a filter lists, what stays chosen, what is drawn.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

#[path = "support/filters.rs"]
mod filters;
#[path = "support/made_up.rs"]
mod made_up;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pointsman::classifier::Classifier;
use pointsman::config::{policy, prices, themes};
use pointsman::console::action::Action;
use pointsman::console::glyphs::{GlyphSet, Glyphs};
use pointsman::console::paint::{self, Look};
use pointsman::console::screen::{Ask, Pointer, Screen as _, ScreenId};
use pointsman::console::screens::traffic;
use pointsman::console::screens::{detail, traffic::State};
use pointsman::console::theme::{Catalogue, Depth, Theme};
use pointsman::console::ui::Ui;
use pointsman::outcome::Settled;
use pointsman::record::{self, Input, ReadOptions};
use pointsman::routing::{RouteId, match_route};
use pointsman::session::listing::{Compare, Figure, Filter, Name, Summary, Test, figure_of, is_estimated};
use pointsman::session::{Command, Ingest, IngestOptions, Log, Player, Reading, Snapshot, settle_one};
use pointsman::units::{Names, PerMille, Span};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn load(text: String) -> Arc<Log> {
    let mut names = Names::default();
    let policy = policy::parse(policy::BUILTIN, "policy.toml", &mut names).unwrap();
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let source = record::open(&Input::bytes("test", text.into_bytes()), &ReadOptions::default()).unwrap();
    let book = prices::builtin("list").unwrap();
    Arc::new(Log::load("test".into(), source, ingest, Arc::new(policy), &book, |_| true).unwrap())
}

const REQUESTS: usize = 600;

fn log() -> Arc<Log> {
    static LOG: OnceLock<Arc<Log>> = OnceLock::new();
    Arc::clone(LOG.get_or_init(|| load(made_up::jsonl(REQUESTS as u64))))
}

fn player(reading: Reading) -> Player {
    let mut player = Player::new(log(), reading, None);
    player.handle(Command::Follow);
    player
}

/// A policy with one threshold of every route moved.
fn staged(snapshot: &Snapshot, by: i64) -> Arc<pointsman::routing::Policy> {
    let mut policy = (*snapshot.policy).clone();
    for route in 0..policy.routes.len() {
        let (low, high) = policy.routes[route].threshold_range(0);
        let to = i64::from(policy.routes[route].ladder[0].threshold.get()) + by;
        let to = PerMille::clamped(to.clamp(i64::from(low.get()), i64::from(high.get())));
        policy.set_threshold(RouteId(u8::try_from(route).unwrap()), 0, to).unwrap();
    }
    Arc::new(policy)
}

fn finish(state: &mut State, snapshot: &Snapshot) {
    for _ in 0..10_000 {
        if !state.work(snapshot) {
            return;
        }
    }
    panic!("the search does not come to an end");
}

fn listed(state: &State, snapshot: &Snapshot) -> Vec<usize> {
    let rows = traffic::rows(state, snapshot);
    assert_eq!(traffic::request_at(state, rows, snapshot), None);
    (0..rows).map(|row| traffic::request_at(state, row, snapshot).unwrap()).collect()
}

fn settled(snapshot: &Snapshot, index: usize) -> Settled {
    let recalled = snapshot.log.history.recall(index).unwrap();
    let evidence = recalled.evidence();
    let mut settled = Settled::default();
    let policy = snapshot.policy_at(index);
    settle_one(&evidence, snapshot.reading, policy, &snapshot.log.outlook(), &mut settled);
    settled
}

/// Says the plain way whether a request passes a filter.
fn passes(filter: &Filter, snapshot: &Snapshot, index: usize) -> bool {
    let log = &snapshot.log;
    let recalled = log.history.recall(index).unwrap();
    let evidence = recalled.evidence();
    let (operation, names) = (evidence.operation, &log.names);
    let outcome = settled(snapshot, index);
    let route = &snapshot.policy_at(index).route(outcome.route).name;
    let name = |name: Name| match name {
        Name::Id => log.history.id(index),
        Name::Team => names.team(operation.team),
        Name::Project => names.project(operation.project),
        Name::Session => names.session(operation.session),
        Name::Task => operation.class.name(),
        Name::Route => route,
        Name::Model => names.model(outcome.model),
        Name::Asked => names.model(operation.asked),
    };
    let all = [
        Name::Id,
        Name::Team,
        Name::Project,
        Name::Session,
        Name::Task,
        Name::Route,
        Name::Model,
        Name::Asked,
    ];
    let known = |figure: Figure| match figure {
        Figure::Confidence => operation.confidence().map(|value| i128::from(value.get())),
        Figure::Cost => outcome.cost.amount().map(|amount| amount.0),
        Figure::Latency => outcome.latency.get().map(i128::from),
        Figure::Tokens => {
            let usage = outcome.attempts.last().unwrap().usage;
            usage.prompt().zip(usage.output.get()).map(|(input, output)| i128::from(input + output))
        }
    };
    let holds = |test: &Test| match test {
        Test::Word(word) => {
            all.into_iter().any(|of| name(of) != "-" && name(of).to_lowercase().contains(word.as_str()))
        }
        Test::Named(of, wanted) => wanted.iter().any(|text| {
            let name = name(*of);
            let part = || name.to_lowercase().contains(text.as_str());
            text.strip_prefix('=').map_or_else(part, |whole| name == whole)
        }),
        Test::Status(list) => list.contains(&outcome.status),
        Test::Source(list) => list.contains(&operation.source),
        Test::Figure(figure, how) => match (how, known(*figure)) {
            (Compare::Unknown, known) => known.is_none(),
            (_, None) => false,
            (Compare::Less(n), Some(known)) => known < *n,
            (Compare::AtMost(n), Some(known)) => known <= *n,
            (Compare::More(n), Some(known)) => known > *n,
            (Compare::AtLeast(n), Some(known)) => known >= *n,
            (Compare::Equal(n), Some(known)) => known == *n,
        },
        Test::Escalated => outcome.escalated,
        Test::Simulated => operation.simulated,
        Test::Estimated => is_estimated(&outcome),
        Test::Flips => snapshot.staged.as_ref().is_some_and(|staged| {
            let signals = operation.signals();
            let rung = |policy: &pointsman::routing::Policy| {
                policy.route(match_route(policy, &signals)).rung_for(signals.confidence)
            };
            rung(staged) != rung(&snapshot.policy)
        }),
    };
    (!filter.window || index >= snapshot.window.first)
        && filter.terms.iter().all(|term| holds(&term.test) != term.not)
}

fn expected(filter: &Filter, snapshot: &Snapshot) -> (Vec<usize>, Summary) {
    let found: Vec<usize> =
        (0..snapshot.head).rev().filter(|&index| passes(filter, snapshot, index)).collect();
    let mut sums = Summary::default();
    for &index in &found {
        let outcome = settled(snapshot, index);
        sums.requests += 1;
        sums.errors += u64::from(!outcome.status.is_ok());
        sums.cost.add_operation(outcome.costs());
    }
    (found, sums)
}

#[test]
fn every_term_lists_the_requests_it_names() {
    let mut player = player(Reading::Routed);
    let applied = player.snapshot();
    player.handle(Command::Stage(Some(staged(&applied, -120))));
    for reading in [Reading::Recorded, Reading::Routed] {
        player.handle(Command::Read(reading));
        let snapshot = player.snapshot();
        let mut lists = BTreeMap::new();
        for text in [
            "search",
            "req-0001",
            "team:search",
            "TEAM:\"data lab\"",
            "team:-",
            "project:ads-1,payments-2",
            "task:extraction",
            "task:summary",
            "model:gpt-4.1",
            "model~gpt",
            "flash",
            "route:general",
            "session:s1",
            "status:error",
            "status:ok",
            "status:timeout,rejected",
            "escalated",
            "simulated",
            "estimated",
            "flips",
            "source:classified",
            "conf<600",
            "conf>=300",
            "conf=none",
            "cost>0.05",
            "cost=unknown",
            "latency>5s",
            "tokens>10k",
            "!team:search",
            "-status:ok latency>2s",
            "team:search status:ok conf>=300 cost<0.1",
        ] {
            let mut state = State::default();
            traffic::set_filter(&mut state, text);
            finish(&mut state, &snapshot);
            assert_eq!(traffic::filter(&state).wrong, Vec::<String>::new(), "{text}");
            let (found, sums) = expected(traffic::filter(&state), &snapshot);
            assert_eq!(listed(&state, &snapshot), found, "{text}, {reading:?}");
            assert_eq!(traffic::summary(&state, &snapshot), sums, "{text}, {reading:?}");
            assert!(
                !found.is_empty() && found.len() < REQUESTS,
                "{text}, {reading:?}: {} of {REQUESTS} tell nothing",
                found.len()
            );
            lists.insert(text, found);
        }
        let both = lists["team:search"].len() + lists["!team:search"].len();
        assert_eq!(both, REQUESTS, "a term and its negation share out all requests");
    }
}

#[test]
fn without_a_filter_the_sums_are_those_of_the_whole_screen() {
    for reading in [Reading::Recorded, Reading::Routed] {
        let snapshot = player(reading).snapshot();
        let mut state = State::default();
        finish(&mut state, &snapshot);
        let (found, sums) = expected(&Filter::default(), &snapshot);
        assert_eq!(listed(&state, &snapshot), found);
        assert_eq!(traffic::summary(&state, &snapshot), sums);
    }
}

#[test]
fn flips_are_as_many_as_the_thresholds_say() {
    let mut player = player(Reading::Routed);
    let applied = player.snapshot();
    player.handle(Command::Stage(Some(staged(&applied, 150))));
    player.handle(Command::Window(Some(Span::mins(5))));
    let snapshot = player.snapshot();
    let mut ui = Ui::default();
    traffic::show_flips(&mut ui.traffic, &snapshot);
    finish(&mut ui.traffic, &snapshot);
    let said: u64 = snapshot.consequences.routes.iter().map(|route| route.flips).sum();
    assert!(said > 0);
    assert_eq!(traffic::rows(&ui.traffic, &snapshot) as u64, said);
}

#[test]
fn sorting_puts_the_most_first_and_the_unknown_last() {
    let snapshot = player(Reading::Routed).snapshot();
    let mut ui = Ui::on(ScreenId::Traffic);
    for figure in [Figure::Cost, Figure::Latency, Figure::Confidence, Figure::Tokens] {
        ui.act(Action::Sort, &snapshot);
        for reversed in [false, true] {
            if reversed {
                ui.act(Action::SortReverse, &snapshot);
            }
            finish(&mut ui.traffic, &snapshot);
            let rows = listed(&ui.traffic, &snapshot);
            let mut all = rows.clone();
            all.sort_unstable();
            assert_eq!(all, (0..REQUESTS).collect::<Vec<_>>(), "every request is there once");
            let figures: Vec<Option<i128>> = rows
                .iter()
                .map(|&index| match figure {
                    Figure::Confidence => snapshot
                        .log
                        .history
                        .get(index)
                        .and_then(|operation| operation.confidence())
                        .map(|value| i128::from(value.get())),
                    _ => figure_of(figure, &settled(&snapshot, index)),
                })
                .collect();
            let known: Vec<i128> = figures.iter().map_while(|figure| *figure).collect();
            assert!(figures.iter().skip(known.len()).all(Option::is_none), "{figure:?}: unknown comes last");
            assert!(known.len() < REQUESTS || figure == Figure::Latency, "{figure:?}");
            let sorted =
                known.windows(2).all(|two| if reversed { two[0] <= two[1] } else { two[0] >= two[1] });
            assert!(sorted, "{figure:?}, reversed: {reversed}");
        }
    }
    ui.act(Action::Sort, &snapshot);
    assert_eq!(traffic::request_at(&ui.traffic, 0, &snapshot), Some(REQUESTS - 1), "by time again");
}

/// Pieces of filters, whole and broken.
fn any_filter() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "search",
            "!search",
            "-\"data lab\"",
            "team:ads",
            "team:-",
            "!project:search-1",
            "task~ext",
            "model~gpt",
            "model:gpt-4.1",
            "model:house",
            "route:code",
            "session:s2",
            "status:ok",
            "status:error",
            "!escalated",
            "simulated",
            "estimated",
            "flips",
            "window",
            "conf<600",
            "conf>=300",
            "conf=none",
            "cost>0.01",
            "cost<0.002",
            "cost=unknown",
            "!latency>4s",
            "tokens>3000",
            "req-000",
            "foo:bar",
            "gpt",
            "source:recorded",
            "team:",
            "\"",
            "x<y",
            "asked~gpt",
            "id~9",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_listed_is_what_passes_however_one_got_there(
        text in any_filter(), moves in prop::collection::vec((0u8..8, 0usize..=REQUESTS), 1..10), sorts in 0usize..3,
    ) {
        let mut player = Player::new(log(), Reading::Routed, Some(Span::mins(3)));
        let mut ui = Ui::on(ScreenId::Traffic);
        traffic::set_filter(&mut ui.traffic, &text);
        for _ in 0..sorts {
            ui.act(Action::Sort, &player.snapshot());
        }
        for (what, to) in moves {
            let snapshot = player.snapshot();
            match what {
                0 => player.handle(Command::Read(Reading::Recorded)),
                1 => player.handle(Command::Read(Reading::Routed)),
                2 => player.handle(Command::Stage(Some(staged(&snapshot, i64::try_from(to).unwrap() - 300)))),
                3 => player.handle(Command::Apply),
                4 => player.handle(Command::Undo),
                _ => player.handle(Command::SeekEvent(to)),
            }
            if to % 3 > 0 {
                finish(&mut ui.traffic, &player.snapshot());
            }
        }
        let snapshot = player.snapshot();
        finish(&mut ui.traffic, &snapshot);
        let (found, sums) = expected(traffic::filter(&ui.traffic), &snapshot);
        let mut rows = listed(&ui.traffic, &snapshot);
        if sorts > 0 {
            rows.sort_unstable_by(|a, b| b.cmp(a));
        }
        prop_assert_eq!(rows, found);
        prop_assert_eq!(traffic::summary(&ui.traffic, &snapshot), sums);
    }
}

fn theme(name: &str) -> Theme {
    Catalogue::new(themes::built_in()).load(name, Depth::True).unwrap().0
}

fn drawn(ui: &Ui, snapshot: &Snapshot, width: u16, height: u16, theme: &Theme) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    paint::clear(&mut buf, area, theme.base());
    let look = Look { theme, glyphs: Glyphs::of(GlyphSet::Braille) };
    ui.draw(snapshot, look, area, &mut buf);
    buf
}

fn words(buf: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buf.area.height {
        let row: String = (0..buf.area.width).map(|x| buf[(x, y)].symbol().to_owned()).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn screen(ui: &Ui, snapshot: &Snapshot, width: u16, height: u16) -> String {
    words(&drawn(ui, snapshot, width, height, &theme("dark")))
}

#[test]
fn the_table_at_three_sizes() {
    let snapshot = player(Reading::Routed).snapshot();
    let mut ui = Ui::on(ScreenId::Traffic);
    finish(&mut ui.traffic, &snapshot);
    insta::assert_snapshot!("table_80x24", screen(&ui, &snapshot, 80, 20));
    traffic::set_filter(&mut ui.traffic, "team:search !status:ok");
    finish(&mut ui.traffic, &snapshot);
    ui.act(Action::Down, &snapshot);
    insta::assert_snapshot!("table_120x36", screen(&ui, &snapshot, 120, 32));
    traffic::set_filter(&mut ui.traffic, "conf>=300 colour:red");
    ui.act(Action::Sort, &snapshot);
    finish(&mut ui.traffic, &snapshot);
    insta::assert_snapshot!("table_200x60", screen(&ui, &snapshot, 200, 56));
}

/// The first request that two calls were made for and whose confidence was judged.
fn escalated(snapshot: &Snapshot) -> usize {
    let mut state = State::default();
    traffic::set_filter(&mut state, "escalated conf>=0 !cost=unknown");
    finish(&mut state, snapshot);
    *listed(&state, snapshot).last().unwrap()
}

#[test]
fn one_request_at_three_sizes() {
    let mut player = player(Reading::Routed);
    let applied = player.snapshot();
    player.handle(Command::Stage(Some(staged(&applied, -200))));
    let snapshot = player.snapshot();
    let mut flips = State::default();
    traffic::set_filter(&mut flips, "flips source:classified");
    finish(&mut flips, &snapshot);
    let judged = traffic::request_at(&flips, 0, &snapshot).unwrap();
    let at = |index| Ui { detail: Some(detail::State::of(index)), ..Ui::default() };
    insta::assert_snapshot!("request_80x24", screen(&at(escalated(&snapshot)), &snapshot, 80, 20));
    insta::assert_snapshot!("request_120x36", screen(&at(judged), &snapshot, 120, 32));
    insta::assert_snapshot!("request_200x60", screen(&at(escalated(&snapshot)), &snapshot, 200, 56));
}

#[test]
fn every_size_can_be_drawn_and_clicked() {
    let mut player = player(Reading::Routed);
    let applied = player.snapshot();
    player.handle(Command::Stage(Some(staged(&applied, 90))));
    let snapshot = player.snapshot();
    let light = theme("light");
    let mut ui = Ui::on(ScreenId::Traffic);
    for filter in ["", "team:search what:ever", "nothing-has-this-name"] {
        traffic::set_filter(&mut ui.traffic, filter);
        finish(&mut ui.traffic, &snapshot);
        for width in 0..=130 {
            for height in (0..=45).step_by(if width % 10 == 0 { 1 } else { 9 }) {
                drawn(&ui, &snapshot, width, height, &light);
                let area = Rect::new(0, 0, width, height);
                for pointer in [
                    Pointer::Press(width / 2, height / 2),
                    Pointer::Drag(width.saturating_sub(2), height.saturating_sub(2)),
                    Pointer::Wheel(1, 1, -1),
                ] {
                    ui.point(pointer, area, &snapshot);
                }
            }
        }
    }
    ui.detail = Some(detail::State::of(escalated(&snapshot)));
    for width in 0..=130 {
        for height in (0..=45).step_by(9) {
            drawn(&ui, &snapshot, width, height, &light);
        }
    }
    let mut nowhere = detail::State::of(usize::MAX);
    nowhere.scroll = usize::MAX;
    ui.detail = Some(nowhere);
    drawn(&ui, &snapshot, 80, 24, &light);
}

#[test]
fn a_chosen_request_stays_while_new_ones_arrive_and_home_follows_again() {
    let mut player = Player::new(log(), Reading::Routed, None);
    player.handle(Command::SeekEvent(300));
    let mut ui = Ui::on(ScreenId::Traffic);
    let mut show = |ui: &mut Ui, head: usize| {
        player.handle(Command::SeekEvent(head));
        let snapshot = player.snapshot();
        finish(&mut ui.traffic, &snapshot);
        let text = screen(ui, &snapshot, 100, 20);
        (snapshot, text)
    };
    let (snapshot, _) = show(&mut ui, 300);
    assert_eq!(traffic::selected(&ui.traffic, &snapshot), Some(299));
    let (snapshot, text) = show(&mut ui, 310);
    assert_eq!(traffic::selected(&ui.traffic, &snapshot), Some(309), "the newest is followed");
    assert!(text.contains("following"), "{text}");

    for _ in 0..4 {
        ui.act(Action::Down, &snapshot);
    }
    let line = |text: &str, id: &str| text.lines().position(|line| line.contains(id));
    let (snapshot, before) = show(&mut ui, 310);
    assert_eq!(traffic::selected(&ui.traffic, &snapshot), Some(305));
    let (snapshot, after) = show(&mut ui, 400);
    assert_eq!(traffic::selected(&ui.traffic, &snapshot), Some(305), "the choice stays");
    assert!(after.contains("held; Home follows"), "{after}");
    assert_eq!(line(&before, "req-00305"), line(&after, "req-00305"), "it stays on its line as well");

    assert_eq!(ui.act(Action::Open, &snapshot), vec![Ask::Open(305)]);
    ui.act(Action::First, &snapshot);
    assert!(traffic::follows(&ui.traffic));
    assert_eq!(traffic::selected(&ui.traffic, &snapshot), Some(399));
    ui.act(Action::Last, &snapshot);
    assert_eq!(traffic::selected(&ui.traffic, &snapshot), Some(0), "the first request of all");
    ui.act(Action::PageUp, &snapshot);
    let up = traffic::selected(&ui.traffic, &snapshot).unwrap();
    assert!((10..20).contains(&up), "a page is what is on screen, not {up}");

    traffic::set_filter(&mut ui.traffic, "nothing-has-this-name");
    let (snapshot, text) = show(&mut ui, 400);
    assert_eq!(traffic::selected(&ui.traffic, &snapshot), None);
    assert!(text.contains("no request passes the filter"), "{text}");
    assert_eq!(ui.act(Action::Open, &snapshot), Vec::new());
    assert!(ui.traffic.widen() && !ui.traffic.widen());
}

#[test]
fn a_row_is_copied_whole() {
    let snapshot = player(Reading::Recorded).snapshot();
    let mut ui = Ui::on(ScreenId::Traffic);
    finish(&mut ui.traffic, &snapshot);
    let row = traffic::selected_text(&ui.traffic, &snapshot).unwrap();
    let cells: Vec<&str> = row.split('\t').collect();
    assert_eq!(cells.len(), 17, "{row}");
    assert_eq!(cells[2], "req-00599");
    assert!(cells[1].starts_with("2026-05-23T") && cells[1].ends_with('Z'), "{row}");
}

#[test]
fn one_request_can_be_scrolled_and_left_for_its_neighbour() {
    let snapshot = player(Reading::Routed).snapshot();
    let mut ui = Ui::on(ScreenId::Traffic);
    finish(&mut ui.traffic, &snapshot);
    ui.detail = Some(detail::State::of(100));
    let top = screen(&ui, &snapshot, 80, 16);
    ui.act(Action::Last, &snapshot);
    let end = screen(&ui, &snapshot, 80, 16);
    assert_ne!(top, end);
    ui.act(Action::Down, &snapshot);
    assert_eq!(screen(&ui, &snapshot, 80, 16), end, "there is nothing beyond the end");
    ui.act(Action::Up, &snapshot);
    assert_ne!(screen(&ui, &snapshot, 80, 16), end, "one press up is seen at once");
    ui.act(Action::NextRequest, &snapshot);
    assert_eq!(ui.detail.as_ref().map(|state| (state.index, state.scroll)), Some((99, 0)));
    ui.act(Action::PreviousRequest, &snapshot);
    assert_eq!(ui.detail.as_ref().map(|state| state.index), Some(100));
    ui.act(Action::Close, &snapshot);
    assert!(ui.detail.is_none());
    assert_eq!(traffic::selected(&ui.traffic, &snapshot), Some(100), "the table stands where one was");
}

#[test]
fn foreign_text_cannot_move_the_cursor() {
    let line = concat!(
        r#"{"id":"\u001b[2Jevil\u202e","at":"2026-05-23T10:00:00Z","team":"a\tb\u001b]0;x\u0007","#,
        r#""model":"m\n\u001b[31m","in":1,"out":1,"status":"failed","error":"\u009b31mred\nline"}"#,
        "\n"
    );
    let mut player = Player::new(load(line.to_owned()), Reading::Recorded, None);
    player.handle(Command::Follow);
    let snapshot = player.snapshot();
    let mut ui = Ui::on(ScreenId::Traffic);
    finish(&mut ui.traffic, &snapshot);
    let row = traffic::selected_text(&ui.traffic, &snapshot).unwrap();
    assert_eq!(row.split('\t').count(), 17, "{row}");
    let mut all = row + &screen(&ui, &snapshot, 200, 10);
    ui.detail = Some(detail::State::default());
    all += &screen(&ui, &snapshot, 120, 40);
    assert!(all.contains("evil"));
    let bad = all
        .chars()
        .find(|c| (c.is_control() && !"\n\t".contains(*c)) || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(bad, None);
}
