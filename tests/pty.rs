//! The console in a real terminal, from the first frame to the last byte: what an operator does, and what is left behind.

#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test's own scaffolding may fail the test")]

#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use terminal::{Console, Left, outside_frames, sequences, styles};

const WIDE: (u16, u16) = (120, 36);

const DOWN: &str = "\x1b[B";
const RIGHT: &str = "\x1b[C";
const ESC: &str = "\x1b";
const ENTER: &str = "\r";
const F3: &str = "\x1bOR";

/// Four requests: r-3 escalated after a failed check, and nobody knows what r-4 costs.
const LOG: &str = r#"{"id":"r-1","at":"2026-05-23T10:00:00Z","team":"payments","task":"extraction","confidence":700,"model":"gpt-4.1","in":3808,"cache_read":8192,"out":650,"latency_ms":4000}
{"id":"r-2","at":"2026-05-23T10:00:10Z","team":"payments","task":"classification","confidence":540,"model":"gpt-4.1","in":1000,"out":100,"latency_ms":1000}
{"id":"r-3","at":"2026-05-23T10:00:20Z","team":"search","task":"extraction","confidence":650,"attempts":[{"model":"gemini-2.5-flash","in":2000,"out":300,"latency_ms":800,"check":"failed"},{"model":"gpt-4.1","in":2000,"out":400,"latency_ms":3000}]}
{"id":"r-4","at":"2026-05-23T10:00:30Z","team":"search","task":"extraction","confidence":600,"model":"house-model","in":10,"out":10,"latency_ms":50}
"#;

struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("config")).expect("a folder for settings");
        fs::write(folder.path().join("small.jsonl"), LOG).expect("a log");
        Self { folder }
    }

    /// Opens the console on the bundled sample.
    fn sample(&self) -> Console {
        Console::start(self.folder.path(), &[], &[], WIDE)
    }

    /// Opens the console on the small log, which stands still at its end.
    fn small(&self, args: &[&str], env: &[(&str, &str)]) -> Console {
        let args: Vec<&str> = ["small.jsonl"].iter().chain(args).copied().collect();
        let console = Console::start(self.folder.path(), &args, env, WIDE);
        console.wait_for("? help");
        console
    }
}

/// Leaves by key and checks that nothing of us stays in the terminal.
fn quit(mut console: Console) -> Left {
    console.send("q");
    let left = console.finish();
    assert_eq!(left.code, 0);
    clean(&left);
    left
}

fn clean(left: &Left) {
    assert!(!left.screen.alternate_screen(), "the alternate screen is still on");
    assert!(!left.screen.hide_cursor(), "the cursor is still hidden");
    assert!(!left.screen.bracketed_paste(), "pastes are still bracketed");
    assert_eq!(left.screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is still taken");
    assert_eq!(left.settings.0, left.settings.1, "the terminal is left raw");
    for mode in ["1004", "2026"] {
        let text = String::from_utf8_lossy(&left.raw);
        let (on, off) = (text.rfind(&format!("\x1b[?{mode}h")), text.rfind(&format!("\x1b[?{mode}l")));
        assert!(on < off, "mode {mode} is still on");
    }
}

#[test]
fn the_first_frame_is_the_overview_of_the_sample_and_digits_change_screens() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.sample();
    console.wait_for("╭ Spend").wait_for("REPLAY").wait_for("SIMULATED").wait_for("sample.j");
    assert_ne!(console.settings(), console.settings_before(), "the console reads single keys");
    console.send("4").wait_for("╭ Models by");
    console.send("3").wait_for("╭ Traffic").wait_for("newest first");
    console.send("2").wait_for("╭ Routes").wait_for("╭ Consequences");
    // There digits are a threshold's; the function keys change screens everywhere.
    console.send(F3).wait_for("╭ Traffic");
    console.send("1").wait_for("╭ Spend");
    let left = quit(console);
    assert!(
        left.screen.contents().trim().is_empty(),
        "the shell's screen is as it was: {}",
        left.screen.contents()
    );
}

#[test]
fn palette_and_help_open_act_and_close() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.small(&[], &[]);
    console.send(":").wait_for("╭ Actions").wait_for("Goes up one row");
    console.send("tune").wait_gone("Goes up one row").wait_for("Shows the screen Tune");
    console.send(ENTER).wait_for("╭ Consequences");
    console.send("?").wait_for("Lowers the chosen threshold by 1 per mille");
    console.send(ESC).wait_gone("Lowers the chosen threshold").wait_for("╭ Consequences");
    quit(console);
}

#[test]
fn every_size_is_drawn_and_the_smallest_says_so() {
    let sandbox = Sandbox::new();
    let console = sandbox.small(&[], &[]);
    let fills = |rows: u16| {
        move |console: &Console| {
            let lines = console.rows();
            let last = lines.last().is_some_and(|line| line.contains("? help"));
            lines.len() == usize::from(rows) && last && lines.iter().any(|line| line.contains("╭ Spend"))
        }
    };
    for (columns, rows) in [(200, 60), (80, 24), (120, 36)] {
        console.resize(columns, rows).wait("the overview in the new size", fills(rows));
    }
    console.resize(40, 10).wait_for("window too small").wait_for("40x10, wants 60x16");
    console.resize(120, 36).wait("the overview again", fills(36)).wait_gone("window too small");
    quit(console);
}

#[test]
fn a_signal_to_end_leaves_the_terminal_clean() {
    let sandbox = Sandbox::new();
    for signal in ["TERM", "HUP", "INT"] {
        let console = sandbox.small(&[], &[]);
        console.signal(signal);
        let left = console.finish();
        assert_ne!(left.code, 101, "{signal}");
        clean(&left);
    }
}

/// Asks a gateway for a stream; gives the connection once the answer has begun.
fn ask(address: std::net::SocketAddr) -> std::io::Result<std::net::TcpStream> {
    let body =
        r#"{"model":"gpt-4.1","stream":true,"messages":[{"role":"user","content":"Tell me a long story."}]}"#;
    let mut line = std::net::TcpStream::connect(address)?;
    line.set_read_timeout(Some(Duration::from_secs(30)))?;
    let length = body.len();
    write!(
        line,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )?;
    line.read_exact(&mut [0; 15])?;
    Ok(line)
}

#[test]
fn a_gateway_whose_terminal_is_closed_answers_all_it_has_taken_on() {
    let sandbox = Sandbox::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("its address");
    drop(free);
    let data = sandbox.folder.path().join("data");
    let data = data.to_str().expect("a path");
    let env = [("POINTSMAN_DATA_DIR", data)];
    let console = Console::start(sandbox.folder.path(), &["--listen", &address.to_string()], &env, WIDE);
    console.wait_for("? help");
    let lines: Vec<_> = (0..8).map(|_| ask(address).expect("a stream")).collect();
    assert_eq!(console.hang_up(), 0, "as if it had been told to end");
    for mut line in lines {
        let mut text = String::new();
        line.read_to_string(&mut text).expect("an answer");
        assert!(text.contains("[DONE]") && text.ends_with("0\r\n\r\n"), "cut: {text}");
    }
    let file = rusqlite::Connection::open(format!("{data}/ledger.db")).expect("a ledger");
    let count = "SELECT count(*), sum(state = 'open') FROM operations";
    let found: (i64, i64) = file.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    assert_eq!(found, (8, 0), "operations, and open ones");
}

/// Returns the state letter of a process.
#[cfg(target_os = "linux")]
fn process_state(id: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
#[cfg(target_os = "linux")]
fn it_stops_like_any_program_and_comes_back_whole() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.small(&["--screen", "tune"], &[]);
    console.wait_for("╭ Consequences");
    console.send("\x1a");
    console.wait("the program to stop", |console| process_state(console.id()) == Some('T'));
    console.wait("the shell's screen", |console| !console.screen().alternate_screen());
    assert!(!console.screen().hide_cursor());
    assert_eq!(console.settings(), console.settings_before(), "the shell gets its line settings back");
    // A shell writes over everything meanwhile; what comes back must not rest on what stood there.
    let before = console.raw().len();
    console.signal("CONT");
    console.wait("the alternate screen", |console| console.screen().alternate_screen());
    console.wait_for("╭ Consequences").wait_for("? help").wait_quiet();
    let repainted = String::from_utf8_lossy(&console.raw()[before..]).into_owned();
    for text in ["Routes", "Consequences", "help"] {
        assert!(repainted.contains(text), "`{text}` was not drawn again");
    }
    assert_ne!(console.settings(), console.settings_before(), "keys are read one by one again");
    console.send(F3).wait_for("╭ Traffic");
    quit(console);
}

#[test]
fn an_idle_console_writes_nothing() {
    let sandbox = Sandbox::new();
    let mut sample = sandbox.sample();
    sample.wait_for("REPLAY");
    sample.send(" ").wait_for("PAUSED");
    for console in [sample, sandbox.small(&[], &[])] {
        console.wait_quiet();
        let before = console.raw().len();
        std::thread::sleep(Duration::from_secs(1));
        let after = console.raw();
        assert_eq!(after.len(), before, "{}", String::from_utf8_lossy(&after[before..]));
        quit(console);
    }
}

/// Says whether style parameters ask for a colour.
fn colours(params: &[u16]) -> bool {
    params.iter().any(|param| matches!(param, 30..=38 | 40..=48 | 90..=107))
}

#[test]
fn without_colours_what_is_chosen_still_stands_out() {
    let sandbox = Sandbox::new();
    for env in [[("NO_COLOR", "1"), ("COLORTERM", "truecolor")], [("NO_COLOR", "1"), ("TERM", "linux")]] {
        let mut console = sandbox.small(&["--screen", "traffic"], &env);
        console.send(DOWN);
        console.wait("a row that stands out", |console| {
            let screen = console.screen();
            let row = console.rows().iter().position(|row| row.contains(" r-3 ")).unwrap_or_default();
            let stands_out = |column| {
                screen
                    .cell(u16::try_from(row).unwrap_or(0), column)
                    .is_some_and(|cell| cell.contents() == "r" && (cell.inverse() || cell.bold()))
            };
            (0..WIDE.0).any(stands_out)
        });
        console.send("12").wait_for("Consequences");
        let left = quit(console);
        let coloured: Vec<_> = styles(&left.raw).into_iter().filter(|params| colours(params)).collect();
        assert_eq!(coloured, Vec::<Vec<u16>>::new(), "{env:?}");
    }
}

#[test]
fn colours_are_no_finer_than_the_terminal() {
    let sandbox = Sandbox::new();
    let walk = |env: &[(&str, &str)], args: &[&str]| {
        let mut console = sandbox.small(args, env);
        for (key, panel) in
            [("3", "newest first"), ("4", "Models by"), ("1", "By team"), ("2", "Consequences")]
        {
            console.send(key).wait_for(panel);
        }
        styles(&quit(console).raw)
    };
    let finer = |all: &[Vec<u16>], form: u16| {
        all.iter()
            .filter(|params| params.windows(2).any(|pair| pair == [38, form] || pair == [48, form]))
            .count()
    };
    let indexed = |all: &[Vec<u16>]| {
        let index =
            |params: &Vec<u16>| params.windows(3).any(|w| matches!(w, [38 | 48, 5, index] if *index > 15));
        all.iter().filter(|params| index(params)).count()
    };
    let full = walk(&[("COLORTERM", "truecolor")], &["--theme", "dark"]);
    assert!(finer(&full, 2) > 0, "a terminal with all colours gets them");
    let many = walk(&[("TERM", "xterm-256color")], &["--theme", "dark"]);
    assert_eq!(finer(&many, 2), 0);
    assert!(indexed(&many) > 0, "a terminal with 256 colours gets them");
    for (term, theme) in
        [("xterm", "dark"), ("linux", "dark"), ("xterm", "terminal"), ("xterm", "colorblind-light")]
    {
        let few = walk(&[("TERM", term)], &["--theme", theme]);
        assert_eq!((finer(&few, 2), indexed(&few)), (0, 0), "{term} {theme}");
        assert!(few.iter().any(|params| colours(params)), "{term} {theme}: sixteen colours are colours");
    }
}

#[test]
fn every_frame_is_one_synchronized_update() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.sample();
    console.wait_for("REPLAY");
    console.send("2").wait_for("╭ Routes");
    console
        .resize(100, 30)
        .wait("the new size", |console| console.rows().get(29).is_some_and(|line| line.contains("? help")));
    console.wait_for("╭ Routes");
    console.send("?").wait_for("Lowers the chosen");
    console.send(ESC).wait_gone("Lowers the chosen");
    console.send("\x0c");
    let left = quit(console);
    let marks: Vec<bool> = sequences(&left.raw)
        .filter(|sequence| sequence.starts_with(b"?2026"))
        .map(|sequence| sequence.ends_with(b"h"))
        .collect();
    let frames = marks.iter().filter(|&&begin| begin).count();
    assert!(frames >= 4, "{frames} frames");
    assert!(!marks.windows(2).any(|pair| pair == [true, true]), "an update begins within another");
    let outside = outside_frames(&left.raw);
    let wiped = |outside: &[u8]| sequences(outside).any(|sequence| sequence.ends_with(b"J"));
    assert!(!wiped(&outside), "the screen is wiped outside of a frame: it flickers");
    let mut text = String::from_utf8_lossy(&outside).into_owned();
    for sequence in sequences(&outside) {
        text = text.replacen(&format!("\x1b[{}", String::from_utf8_lossy(sequence)), "", 1);
    }
    // A busy machine loads for longer than a moment and says how far it is; its bar is gone before the first frame.
    let text = match text.rsplit_once('\r') {
        Some((bar, rest)) if bar.starts_with("loading: ") => rest.to_owned(),
        _ => text,
    };
    assert_eq!(text, "\x1b]11;?\x07", "nothing is drawn outside of a frame; only the ground is asked for");
}

#[test]
fn a_threshold_is_staged_applied_and_undone() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.small(&["--screen", "tune"], &[]);
    console.wait_for("540").wait_for("none to undo");
    // It opens on the busiest route; the one before it is meant.
    console.send("R").wait_for("classification · small");
    console.send(RIGHT).wait_for("541*").wait_for("policy 1*");
    // The one classification has confidence 540: it flips from the small model to gpt-4.1.
    console.wait_for("1 flip").wait_for("-100.0 pt");
    console.send(ENTER).wait_for("policy 2").wait_gone("policy 2*").wait_gone("541*").wait_for("v2");
    console.wait_gone("none to undo").wait_gone("no change yet");
    console.send("u").wait_for("policy 3").wait_for("540").wait_for("v3");
    assert!(console.text().contains("v2"), "both changes are listed: {}", console.text());
    // Typed, and dropped again.
    console.send("600").wait_for("600_");
    console.send("\r").wait_for("600*");
    console.send(ESC).wait_gone("600*").wait_for("540");
    quit(console);
}

#[test]
fn look_only_refuses_every_change() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.small(&["--screen", "tune", "--read-only"], &[]);
    console.send(RIGHT).wait_for("read-only: the policy cannot be changed");
    console.send("7").wait_for("read-only: thresholds cannot be moved");
    console.send("u").wait_for("read-only: the policy cannot be changed");
    assert!(console.text().contains("policy 1") && !console.text().contains('*'), "{}", console.text());
    quit(console);
}

#[test]
fn the_table_narrows_while_one_types_and_a_request_opens_with_its_reasons() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.small(&["--screen", "traffic"], &[]);
    console.wait_for("r-1 ").wait_for("r-4 ");
    console.send("/").send("team~sea").wait_gone("r-1 ").wait_gone("r-2 ").wait_for("r-3 ").wait_for("r-4 ");
    console.send("rch\r").wait_for("? help");
    console.send(DOWN).send(DOWN).send(ENTER).wait_for("╭ Request r-3");
    for reason in ["reaches threshold 620", "check failed", "up to 4.1 (gpt-4.1)", "$0.00855"] {
        console.wait_for(reason);
    }
    console.send(ESC).wait_gone("╭ Request r-3").wait_for("r-4 ");
    assert!(!console.text().contains("r-1 "), "the filter stays: {}", console.text());
    quit(console);
}

#[test]
fn a_time_typed_moves_the_clock() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.sample();
    console.wait_for("REPLAY");
    console.send(" ").wait_for("PAUSED");
    console.send("t").wait_for("go to");
    console.send("15:10\r").wait_for("15:10:00");
    console.send("t").wait_for("go to");
    console.send("50%\r").wait_for("50 %");
    console.send("t").wait_for("go to");
    console.send("noon\r").wait_for("noon");
    quit(console);
}

#[test]
fn a_wrong_settings_file_is_told_before_the_terminal_is_taken() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.folder.path().join("config/keys.toml"), "[app]\nfly = \"x\"\n").expect("a file");
    let console = Console::start(sandbox.folder.path(), &["small.jsonl"], &[], WIDE);
    let left = console.finish();
    assert_eq!(left.code, 2);
    assert!(left.screen.contents().contains("keys.toml:2: "), "{}", left.screen.contents());
    let text = String::from_utf8_lossy(&left.raw);
    assert!(!text.contains("\x1b[?1049h"), "{text}");
}

#[test]
fn without_mouse_the_terminal_keeps_it() {
    let sandbox = Sandbox::new();
    let with = sandbox.small(&[], &[]);
    assert_ne!(with.screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    quit(with);
    let without = sandbox.small(&["--no-mouse"], &[]);
    assert_eq!(without.screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    quit(without);
}

#[test]
fn a_terminal_without_unicode_gets_none() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.small(&["--screen", "tune"], &[("LANG", "C")]);
    // It opens on the busiest route; the one before it is meant.
    console.send("R").wait_for("classification | small");
    console.send(RIGHT).wait_for("541*");
    console.send(":").wait_for("Actions");
    console.send(ESC).wait_gone("Actions");
    console.send("?").wait_for("Lowers the chosen");
    console.send(ESC).wait_gone("Lowers the chosen");
    console.send(F3).wait_for("newest first");
    console.send(ENTER).wait_for("Request r-4");
    for (key, text) in [("4", "Models by"), ("1", "By team")] {
        console.send(key).wait_for(text);
    }
    let left = quit(console);
    let text = String::from_utf8_lossy(&left.raw);
    let foreign: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
    assert_eq!(foreign, Vec::<char>::new());
}

#[test]
fn logs_of_coding_agents_are_offered_beside_the_sample() {
    let sandbox = Sandbox::new();
    let folder = sandbox.folder.path().join(".claude/projects/shop");
    fs::create_dir_all(&folder).expect("a folder of Claude Code");
    let line = r#"{"parentUuid":null,"isSidechain":false,"sessionId":"s","uuid":"u","cwd":"/shop","type":"assistant","timestamp":"2026-05-23T11:00:00Z","requestId":"r","message":{"id":"m","model":"claude-haiku-4-5","usage":{"input_tokens":5,"output_tokens":7}}}"#;
    fs::write(folder.join("s.jsonl"), format!("{line}\n")).expect("a session");
    let mut console = sandbox.sample();
    console.wait_for("Coding agents have kept logs").wait_for(".claude/projects");
    console.send(ENTER).wait_for("╭ Spend").wait_for("projects");
    quit(console);
    let mut console = sandbox.sample();
    console.wait_for("Coding agents have kept logs");
    console.send("s").wait_for("╭ Spend").wait_for("sample.j");
    quit(console);
    let console = sandbox.sample();
    console.wait_for("Coding agents have kept logs");
    quit(console);
}

/// Returns the ground of the screen: that of a border's corner.
fn ground(console: &Console) -> Option<vt100::Color> {
    let row = console.rows().iter().position(|row| row.starts_with('╭'))?;
    console.screen().cell(u16::try_from(row).ok()?, 0).map(vt100::Cell::bgcolor)
}

#[test]
fn the_theme_follows_the_terminals_ground_and_no_part_of_its_answer_is_a_key() {
    const LIGHT: Option<vt100::Color> = Some(vt100::Color::Rgb(0xfb, 0xfa, 0xf7));
    const DARK: Option<vt100::Color> = Some(vt100::Color::Rgb(0x14, 0x17, 0x1c));
    let sandbox = Sandbox::new();
    let full = [("COLORTERM", "truecolor")];
    let start = |args: &[&str], env: &[(&str, &str)]| {
        let args: Vec<&str> = ["small.jsonl"].iter().chain(args).copied().collect();
        Console::start(sandbox.folder.path(), &args, env, WIDE)
    };
    let asked = |console: &Console| console.raw().windows(6).any(|bytes| bytes == b"\x1b]11;?");
    for (answer, theme) in [
        ("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", LIGHT),
        ("\x1b]11;rgb:fd/f6/e3\x07", LIGHT),
        ("\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", DARK),
    ] {
        // At once, and long after the console has begun without it; keys around it all count.
        for late in [false, true] {
            let mut console = start(&[], &full);
            if late {
                console.wait_for("? help");
                assert_eq!(ground(&console), DARK, "nobody has answered");
            } else {
                console.wait("the question", asked);
            }
            console.send(&format!("4{answer}"));
            console.wait_for("╭ Models by").wait("the theme", |console| ground(console) == theme);
            console.wait_quiet();
            assert!(console.text().contains("╭ Models by"), "{}", console.text());
            console.send("3").wait_for("newest first");
            quit(console);
        }
    }
    // Without an answer the variable says, and else dark paints its own.
    let told = start(&[], &[full[0], ("COLORFGBG", "0;15")]);
    told.wait_for("? help").wait("the light theme", |console| ground(console) == LIGHT);
    quit(told);
    // Whoever names a theme, or has sixteen colours or none, is not asked.
    for (args, env) in
        [(&["--theme", "dark"][..], full), (&[], [("TERM", "xterm")]), (&[], [("NO_COLOR", "1")])]
    {
        let console = start(args, &env);
        console.wait_for("? help");
        assert!(!asked(&console), "{args:?} {env:?}");
        quit(console);
    }
}

#[test]
fn a_theme_that_was_chosen_stays_whatever_the_terminal_says_later() {
    let sandbox = Sandbox::new();
    let mut console = sandbox.small(&[], &[("COLORTERM", "truecolor")]);
    console.send("TT").wait_for("theme high-contrast");
    let chosen = ground(&console);
    console.send("\x1b]11;rgb:ffff/ffff/ffff\x1b\\").send("4").wait_for("╭ Models by").wait_quiet();
    assert_eq!(ground(&console), chosen);
    quit(console);
}

#[test]
fn a_log_that_grows_is_watched() {
    let sandbox = Sandbox::new();
    let console =
        Console::start(sandbox.folder.path(), &["--follow", "--screen", "traffic", "small.jsonl"], &[], WIDE);
    console.wait_for("r-4");
    let mut log =
        fs::OpenOptions::new().append(true).open(sandbox.folder.path().join("small.jsonl")).expect("the log");
    log.write_all(b"{\"id\":\"r-5\",\"at\":\"2026-05-23T10:00:40Z\",\"team\":\"search\",\"model\":\"gpt-4.1\",\"in\":10,\"out\":10}\n").expect("a line");
    drop(log);
    console.wait_for("r-5");
    quit(console);
}

#[test]
fn a_terminal_that_can_draw_nothing_gets_the_report() {
    let sandbox = Sandbox::new();
    let console = Console::start(sandbox.folder.path(), &["small.jsonl"], &[("TERM", "dumb")], WIDE);
    let left = console.finish();
    assert_eq!(left.code, 0);
    let text = String::from_utf8_lossy(&left.raw);
    assert!(text.contains("By model") && !text.contains('\x1b'), "{text}");
}
