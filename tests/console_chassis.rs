//! The console's chassis from outside: themes, glyphs and widgets at every size, and the bytes that reach a terminal.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's own scaffolding may fail the test")]

use std::io::Write;
use std::num::NonZero;
use std::process::Command;

use pointsman::config::themes;
use pointsman::console::action::Context;
use pointsman::console::footer::{Hints, Messages};
use pointsman::console::format::{self, Short};
use pointsman::console::glyphs::{GlyphSet, Glyphs};
use pointsman::console::ground;
use pointsman::console::help::Help;
use pointsman::console::keys::Keymap;
use pointsman::console::paint::{self, Look};
use pointsman::console::palette::Palette;
use pointsman::console::prompt::Prompt;
use pointsman::console::svg::{Ground, render};
use pointsman::console::terminal::{self, Session};
use pointsman::console::theme::colour;
use pointsman::console::theme::{Catalogue, Depth, Mode, Role, TerminalEnv, Theme, auto_theme};
use pointsman::console::widgets::bars::{self, Bar, BarList, Spark};
use pointsman::console::widgets::chart::{Axis, Chart, Point, Series};
use pointsman::console::widgets::histogram::{self, Histogram, Marker, MarkerKind, Segment};
use pointsman::console::widgets::key_values::{self, KeyValue};
use pointsman::console::widgets::panel::{Panel, too_small};
use pointsman::console::widgets::replay::{PlayState, ReplayBar, Strip};
use pointsman::console::widgets::table::{Column, Order, Table, TableState, Width};
use pointsman::units::{PerMille, Pico};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

fn text(buf: &Buffer) -> String {
    let row = |y| (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect::<String>() + "\n";
    (0..buf.area.height).map(row).collect()
}

fn catalogue() -> Catalogue {
    Catalogue::new(themes::built_in())
}

fn load(name: &str, depth: Depth) -> Theme {
    let (theme, warnings) = catalogue().load(name, depth).expect("the theme is built in");
    assert!(warnings.is_empty(), "{name}: {warnings:?}");
    theme
}

/// Themes that paint their own ground.
fn painted() -> Vec<Theme> {
    let names: Vec<&str> = themes::BUILT_IN.iter().map(|theme| theme.0).collect();
    let all = names.iter().map(|name| load(name, Depth::True));
    all.filter(|theme| theme.mode() != Mode::Either).collect()
}

fn seen(colour: Option<Color>) -> [u8; 3] {
    colour.and_then(colour::rgb).expect("a painted theme names its colours")
}

#[test]
fn every_theme_names_every_role() {
    let catalogue = catalogue();
    for (name, _) in themes::BUILT_IN {
        load(name, Depth::True);
        assert_eq!(catalogue.unnamed(name), Vec::new(), "{name} leaves roles out");
    }
}

#[test]
fn text_is_readable_on_its_ground() {
    let themes = painted();
    assert!(themes.len() >= 7, "themes that paint their ground are missing");
    for theme in themes {
        for (ground, of) in
            [(theme.base(), "frame"), (theme.popup(), "popup"), (theme.style(Role::Header), "header")]
        {
            let bg = seen(ground.bg);
            for (role, least) in [
                (Role::Text, 4.5),
                (Role::Muted, 3.0),
                (Role::Ok, 3.0),
                (Role::Warn, 3.0),
                (Role::Error, 3.0),
                (Role::Applied, 3.0),
                (Role::Staged, 3.0),
                (Role::Key, 3.0),
                (Role::Estimated, 3.0),
            ] {
                let contrast = colour::contrast(seen(theme.style(role).fg), bg);
                assert!(
                    contrast >= least,
                    "{}: {} on the {of} has only {contrast:.2}",
                    theme.name(),
                    role.name()
                );
            }
        }
        for role in [Role::Selection, Role::Toast] {
            let style = theme.style(role);
            let contrast = colour::contrast(seen(style.fg), seen(style.bg));
            assert!(contrast >= 4.5, "{}: {} has only {contrast:.2}", theme.name(), role.name());
        }
        for role in Role::SERIES {
            let contrast = colour::contrast(seen(theme.style(role).fg), seen(theme.base().bg));
            assert!(contrast >= 3.0, "{}: {} has only {contrast:.2}", theme.name(), role.name());
        }
    }
}

/// What becomes of light in eyes without green or red cones (Machado, Oliveira and Fernandes 2009, full severity).
const COLOUR_BLIND: [(&str, [[f64; 3]; 3]); 2] = [
    (
        "deuteranopia",
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
    ),
    (
        "protanopia",
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
    ),
];

fn seen_by(colour: [u8; 3], rows: [[f64; 3]; 3]) -> [u8; 3] {
    let light = colour.map(|channel| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    rows.map(|row| {
        let c: f64 = row.iter().zip(light).map(|(m, l)| m * l).sum::<f64>().clamp(0.0, 1.0);
        let encoded = if c <= 0.003_130_8 { c * 12.92 } else { 1.055 * c.powf(1.0 / 2.4) - 0.055 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0..=1 before scaling"
        )]
        let byte = (encoded.clamp(0.0, 1.0) * 255.0).round() as u8;
        byte
    })
}

#[test]
fn models_stay_apart_for_the_colour_blind() {
    for name in ["colorblind-dark", "colorblind-light"] {
        let theme = load(name, Depth::True);
        let groups: [&[Role]; 3] =
            [&Role::SERIES, &[Role::Applied, Role::Staged], &[Role::Better, Role::Worse, Role::Muted]];
        for group in groups {
            for (at, a) in group.iter().enumerate() {
                for b in &group[..at] {
                    let (x, y) = (seen(theme.style(*a).fg), seen(theme.style(*b).fg));
                    for (eyes, rows) in COLOUR_BLIND {
                        let apart = colour::distance(seen_by(x, rows), seen_by(y, rows));
                        assert!(
                            apart >= 0.08,
                            "{name}, {eyes}: {} and {} are {apart:.3}",
                            a.name(),
                            b.name()
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_default_theme_keeps_to_the_terminals_own_colours() {
    let theme = load("terminal", Depth::True);
    for &role in Role::ALL {
        let style = theme.style(role);
        assert!(matches!(style.bg, None | Some(Color::Reset)), "{} sets a ground", role.name());
        let unsafe_on_some_ground =
            [Color::Yellow, Color::LightYellow, Color::White, Color::Gray, Color::Black];
        let fg = style.fg.unwrap_or(Color::Reset);
        assert!(!unsafe_on_some_ground.contains(&fg), "{} is {fg:?}", role.name());
        assert!(!matches!(fg, Color::Rgb(..) | Color::Indexed(_)), "{} is {fg:?}", role.name());
    }
}

#[test]
fn a_poorer_terminal_gets_no_colour_it_does_not_have() {
    for (name, _) in themes::BUILT_IN {
        for depth in [Depth::None, Depth::Sixteen, Depth::Indexed] {
            let theme = load(name, depth);
            for &role in Role::ALL {
                let style = theme.style(role);
                for colour in [style.fg, style.bg].into_iter().flatten() {
                    let had = match depth {
                        Depth::None => colour == Color::Reset,
                        Depth::Sixteen => !matches!(colour, Color::Rgb(..) | Color::Indexed(_)),
                        Depth::Indexed | Depth::True => !matches!(colour, Color::Rgb(..)),
                    };
                    assert!(had, "{name} at {depth:?}: {} is {colour:?}", role.name());
                }
            }
        }
    }
}

#[test]
fn auto_goes_by_the_terminals_own_word() {
    for (depth, told, variable, theme) in [
        (Depth::True, None, Some("15;0"), "dark"),
        (Depth::Indexed, None, Some("0;15"), "light"),
        (Depth::True, None, Some("0;default;15"), "light"),
        (Depth::True, None, Some("x"), "dark"),
        (Depth::Indexed, None, None, "dark"),
        (Depth::Indexed, Some(ground::Ground::Light), None, "light"),
        (Depth::True, Some(ground::Ground::Dark), Some("0;15"), "dark"),
        (Depth::Sixteen, Some(ground::Ground::Light), Some("0;15"), "terminal"),
        (Depth::Sixteen, None, None, "terminal"),
    ] {
        assert_eq!(auto_theme(depth, told, variable), theme, "{depth:?} {told:?} {variable:?}");
        assert!(catalogue().text(theme).is_some());
    }
}

fn dollars(value: f64, _: f64) -> Short {
    let mut out = Short::new();
    let _ = std::fmt::Write::write_fmt(&mut out, format_args!("${value:.1}"));
    out
}

fn bins() -> Vec<u32> {
    (0..1001u32).map(|at| if at % 7 == 0 { 0 } else { (at * 37 % 101) * (at / 90) }).collect()
}

/// Draws one of everything into equal parts of the area.
fn draw_everything(area: Rect, buf: &mut Buffer, look: Look<'_>) {
    paint::clear(buf, area, look.theme.base());
    let half = |r: Rect| {
        let (top, bottom) = paint::split_top(r, r.height / 2);
        let ((a, b), (c, d)) = (paint::split_left(top, r.width / 2), paint::split_left(bottom, r.width / 2));
        [a, b, c, d]
    };
    let bins = bins();
    let segments = [
        Segment { from: PerMille::ZERO, name: "opus 4.6", style: look.theme.series(0) },
        Segment { from: PerMille::clamped(180), name: "gpt-4.1", style: look.theme.series(1) },
        Segment { from: PerMille::clamped(588), name: "gemini 2.5 flash", style: look.theme.series(2) },
    ];
    let markers = [
        Marker { at: PerMille::clamped(180), kind: MarkerKind::Applied, chosen: false },
        Marker { at: PerMille::clamped(620), kind: MarkerKind::Applied, chosen: false },
        Marker { at: PerMille::clamped(588), kind: MarkerKind::Staged, chosen: true },
    ];
    let curve: Vec<(f64, f64)> = (0..60).map(|x| (f64::from(x), f64::from(x).sqrt())).collect();
    let gap = [(1.0, 2.0), (f64::NAN, 3.0), (1e300, -1e300), (4.0, f64::INFINITY), (5.0, 5.0)];
    let rate: Vec<u32> = (0..500u32).map(|x| x * 31 % 89).collect();
    let strip = Strip {
        rate: &rate,
        head: 370_000,
        errors: &[0, 999_999, 5_000_000],
        trips: &[],
        marks: &[500_000],
        looped: Some((900_000, 300_000)),
    };

    let [histogram, curves, table_at, rest] = half(area);
    let inner = Panel { title: "Confidence", scope: "extraction · 12,408 requests · 日本", focus: true }
        .render(histogram, buf, look);
    Histogram { bins: &bins, segments: &segments, markers: &markers, certified: None }
        .render(inner, buf, look);

    let inner =
        Panel { title: "Cost against quality", scope: "last 15 m", focus: false }.render(curves, buf, look);
    let chart = Chart {
        rules: &[],
        series: &[
            Series { points: &curve, style: look.theme.series(0) },
            Series { points: &gap, style: look.theme.series(1) },
        ],
        points: &[Point {
            at: (30.0, 5.0),
            sign: look.glyphs.point.0,
            label: "applied",
            style: look.style(Role::Applied),
        }],
        x: Axis::around(curve.iter().map(|p| p.0), dollars),
        y: Axis::around(curve.iter().map(|p| p.1), dollars),
    };
    chart.render(inner, buf, look);

    let columns = [
        Column { name: "time", width: Width::Fixed(12), right: false, yields: 1 },
        Column { name: "model", width: Width::Fill(10), right: false, yields: 0 },
        Column { name: "cost", width: Width::Fixed(9), right: true, yields: 2 },
    ];
    let table = Table {
        columns: &columns,
        rows: 1000,
        sorted: Some((2, Order::Descending)),
        state: TableState { selected: Some(990), offset: 3 },
        focus: true,
    };
    table.render(table_at, buf, look, |buf, slot| match slot.column {
        0 => slot.say(buf, "14:03:20.412", look.style(Role::Muted)),
        1 => slot.say(buf, "gemini \u{1b}[31m2.5 日本", look.style(Role::Text)),
        _ => {
            let cost = format::money(Pico(1_234_567_890 * slot.row as i128));
            slot.say(buf, &cost, look.style(Role::Observed));
        }
    });

    let [bars_at, spark_at, left, right] = half(rest);
    let bars = [
        Bar { label: "gemini 2.5 flash", value: "64.9 %", filled: 1000, style: look.theme.series(2) },
        Bar { label: "gpt-4.1", value: "31.2 %", filled: 1, style: look.theme.series(1) },
        Bar { label: "日本語日本語日本語", value: "", filled: 9_000, style: look.theme.series(1) },
    ];
    BarList { bars: &bars, label_width: 20 }.render(bars_at, buf, look);
    let values: Vec<Option<u64>> = (0..90).map(|n| (n % 9 != 0).then_some(n * n)).collect();
    Spark { values: &values, style: look.theme.series(3) }.render(spark_at, buf, look);
    let (top, bottom) = paint::split_top(left, left.height / 2);
    key_values::render(
        &[KeyValue { key: "p95 latency", value: "2.84 s", style: look.style(Role::Observed) }],
        top,
        buf,
        look,
    );
    strip.render(bottom, buf, look);
    let (top, _) = paint::split_top(right, 1);
    bars::gauge(buf, top, 700, look);
    let bar = ReplayBar {
        state: PlayState::Playing,
        speed_tenths: 20,
        now: "14:03:20.412",
        end: "14:30:00",
        strip,
        events: (12_408, 33_120),
        error_count: 7,
        loop_label: "14:02:00–14:05:00",
    };
    bar.render(paint::nth_row(area, area.height.saturating_sub(2)), buf, look);
}

fn buffer(width: u16, height: u16, look: Look<'_>) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw_everything(area, &mut buf, look);
    buf
}

#[test]
fn everything_is_drawn_at_every_size_without_a_fall() {
    let theme = load("dark", Depth::True);
    let keymap = Keymap::default();
    for set in [GlyphSet::Braille, GlyphSet::Block, GlyphSet::Ascii] {
        let look = Look { theme: &theme, glyphs: Glyphs::of(set) };
        let hints = Hints::gather(&keymap, Context::Tune.layers(), look.glyphs.is_ascii());
        let mut palette = Palette::open(Context::Tune.layers(), &keymap);
        palette.step(30);
        let mut prompt = Prompt::default();
        prompt.set("a rather long line of 日本語 that has to scroll in most windows");
        let mut messages = Messages::default();
        messages.show(true, "could not reach 日本", std::time::Duration::MAX);
        let mut help = Help::open(Context::Tune, &keymap, look.glyphs);
        let widths = (0..=24).chain([37, 59, 80, 120]);
        for width in widths {
            for height in (0..=12).chain([24, 40]) {
                let area = Rect::new(0, 0, width, height);
                let mut buf = buffer(width, height, look);
                too_small(area, &mut buf, look);
                hints.render(area, &mut buf, look);
                messages.render(area, &mut buf, look);
                prompt.render("/", "filter", area, &mut buf, look);
                palette.render(area, &mut buf, look, &keymap);
                help.scroll(7, area);
                help.render(area, &mut buf, look);
            }
        }
    }
}

#[test]
fn ascii_glyphs_draw_nothing_but_ascii() {
    let theme = load("terminal", Depth::Sixteen);
    let buf = buffer(120, 36, Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Ascii) });
    let from_outside = ['日', '本', '語', '·', '–'];
    for cell in buf.content() {
        let fine = cell.symbol().chars().all(|c| c.is_ascii() || from_outside.contains(&c));
        assert!(fine, "{:?} is drawn by the console itself", cell.symbol());
    }
}

#[test]
fn no_outside_text_reaches_a_cell_as_control() {
    let theme = load("dark", Depth::True);
    let buf = buffer(120, 36, Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Braille) });
    assert!(buf.content().iter().all(|cell| !cell.symbol().chars().any(char::is_control)));
}

#[test]
fn a_painted_theme_leaves_no_cell_to_the_terminal() {
    for theme in painted() {
        let buf = buffer(120, 36, Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Braille) });
        let bare = buf.content().iter().find(|cell| cell.bg == Color::Reset || cell.fg == Color::Reset);
        assert_eq!(bare, None, "{}", theme.name());
    }
}

#[test]
fn the_histogram_shows_every_request_and_its_thresholds() {
    let theme = Theme::default();
    let look = Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Braille) };
    let mut bins = vec![0; 1001];
    bins[500] = 1_000_000;
    bins[900] = 1;
    let area = Rect::new(0, 0, 80, 6);
    let mut buf = Buffer::empty(area);
    let segments = [
        Segment { from: PerMille::ZERO, name: "gpt-4.1", style: theme.series(0) },
        Segment { from: PerMille::clamped(620), name: "flash", style: theme.series(1) },
    ];
    let markers = [
        Marker { at: PerMille::clamped(620), kind: MarkerKind::Applied, chosen: false },
        Marker { at: PerMille::clamped(540), kind: MarkerKind::Staged, chosen: true },
    ];
    Histogram { bins: &bins, segments: &segments, markers: &markers, certified: None }
        .render(area, &mut buf, look);
    let at = |value, y| buf[(histogram::column(area, PerMille::clamped(value)), y)].symbol().to_owned();
    assert_eq!((at(500, 0), at(500, 2)), ("█".into(), "█".into()));
    assert_eq!(at(900, 2), "▁", "one request among a million is still to be seen");
    assert_eq!((at(620, 0), at(540, 0)), ("│".into(), "┊".into()));
    let dump = text(&buf);
    for words in ["gpt-4.1", "flash", "540", "620", "1000", "▲", "△"] {
        assert!(dump.contains(words), "{words} is missing in\n{dump}");
    }
}

#[test]
fn the_footer_says_where_the_rest_is() {
    let theme = Theme::default();
    let look = Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Braille) };
    let hints = Hints::gather(&Keymap::default(), Context::Tune.layers(), false);
    let area = Rect::new(0, 0, 80, 1);
    let mut buf = Buffer::empty(area);
    hints.render(area, &mut buf, look);
    let line = text(&buf);
    assert!(line.contains("←/→ 1 ‰") && line.contains('…') && line.contains(": palette  ? help"), "{line}");
}

fn screen_of(rows: u16, columns: u16) -> vt100::Parser {
    vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap(), 0)
}

/// The bytes of one frame.
fn bytes_of(theme: &Theme, glyphs: &Glyphs) -> Vec<u8> {
    let mut out = Vec::new();
    let area = Rect::new(0, 0, 120, 36);
    let mut session = Session::on(&mut out, area, true).unwrap();
    session.draw(|frame| draw_everything(area, frame.buffer_mut(), Look { theme, glyphs })).unwrap();
    drop(session);
    out
}

#[test]
fn every_frame_is_one_synchronized_update_and_the_end_is_clean() {
    terminal::trust_the_theme();
    let theme = load("dark", Depth::Sixteen);
    let bytes = String::from_utf8(bytes_of(&theme, Glyphs::of(GlyphSet::Braille))).unwrap();
    let (begin, end) = (bytes.find("\x1b[?2026h").unwrap(), bytes.find("\x1b[?2026l").unwrap());
    let first_letter = bytes.find("Confidence").unwrap();
    assert!(begin < first_letter && first_letter < end, "the frame must lie inside the update");
    assert!(
        !bytes.contains("38;2;") && !bytes.contains("48;2;"),
        "a terminal of sixteen colours gets no others"
    );
    assert!(!bytes.contains("\x1b[6n"), "asking for the cursor hangs where nobody answers");
    let mut screen = screen_of(36, 120);
    screen.process(bytes.as_bytes());
    let screen = screen.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
}

#[test]
fn a_frame_that_fails_still_ends_its_update() {
    /// A terminal that is gone after the first bytes.
    struct Broken(Vec<u8>, usize);
    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if bytes.windows(4).any(|four| four == b"FAIL") || self.1 == 1 {
                self.1 = 2;
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut broken = Broken(Vec::new(), 0);
    let area = Rect::new(0, 0, 4, 1);
    let mut session = Session::on(&mut broken, area, false).unwrap();
    let drawn = session.draw(|frame| {
        if let Some(cell) = frame.buffer_mut().cell_mut((0, 0)) {
            cell.set_symbol("FAIL");
        }
    });
    assert!(drawn.is_err());
    drop(session);
    let text = String::from_utf8(broken.0).unwrap();
    let (begin, end) = (text.find("\x1b[?2026h").unwrap(), text.find("\x1b[?2026l").unwrap());
    assert!(begin < end, "{text:?}");
}

/// Run by [`no_color_keeps_the_selection_visible`] in a process of its own, with `NO_COLOR` set in truth.
#[test]
#[ignore = "run by no_color_keeps_the_selection_visible in a process of its own"]
fn no_color_child() {
    let no_color = std::env::var("NO_COLOR").ok();
    let depth =
        TerminalEnv { no_color: no_color.as_deref(), colorterm: Some("truecolor"), ..TerminalEnv::default() }
            .depth();
    assert_eq!(depth, Depth::None);
    if std::env::var_os("POINTSMAN_TEST_TRUST").is_some() {
        terminal::trust_the_theme();
    }
    let theme = load("dark", depth);
    assert_eq!(theme.name(), "mono");
    let area = Rect::new(0, 0, 20, 2);
    let mut out = Vec::new();
    let mut session = Session::on(&mut out, area, false).unwrap();
    session
        .draw(|frame| {
            let buf = frame.buffer_mut();
            paint::clear(buf, area, theme.base());
            paint::text(buf, area, "chosen", theme.style(Role::Selection).fg(Color::Red), '…');
            paint::text(buf, paint::nth_row(area, 1), "selected", theme.style(Role::Selection), '…');
        })
        .unwrap();
    drop(session);
    std::fs::write(std::env::var_os("POINTSMAN_TEST_BYTES").unwrap(), out).unwrap();
}

#[test]
fn no_color_keeps_the_selection_visible() {
    let folder = tempfile::tempdir().unwrap();
    let screen = |trust: bool| {
        let path = folder.path().join(format!("bytes-{trust}"));
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "no_color_child", "--ignored"])
            .env("NO_COLOR", "1")
            .env("POINTSMAN_TEST_BYTES", &path);
        if trust {
            child.env("POINTSMAN_TEST_TRUST", "1");
        }
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let mut parser = screen_of(2, 20);
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        // Up to where the alternate screen is left.
        parser.process(text.split("\x1b[?1049l").next().unwrap_or_default().as_bytes());
        let look = |row, column| parser.screen().cell(row, column).map(|cell| (cell.bold(), cell.inverse()));
        (look(0, 0), look(1, 0))
    };
    let visible = Some((true, true));
    assert_eq!(screen(true), (visible, visible));
    assert_eq!(screen(false).0, Some((false, false)), "the library no longer mangles: the call can go");
}

#[test]
fn pictures_of_a_whole_frame_are_the_same_each_time() {
    let theme = load("dark", Depth::True);
    let look = Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Braille) };
    let (first, second) = (buffer(120, 36, look), buffer(120, 36, look));
    let svg = render(&first, Ground::DARK, "Tune");
    assert_eq!(svg, render(&second, Ground::DARK, "Tune"));
    assert!(svg.contains(">Cost against quality</text>"));
    if let Some(folder) = std::env::var_os("POINTSMAN_TEST_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join("chassis.svg"), svg).unwrap();
    }
}
