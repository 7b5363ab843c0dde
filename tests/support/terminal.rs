//! The console in a pseudo-terminal: keys in, a screen out, and every byte that was written on the way.
//!
//! Nothing is ever asserted after a pause: tests wait for what must come, with a bound, and look at the last bytes only
//! after the reader has met the end.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take on a busy machine; what comes sooner is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came out of the terminal.
struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
    last: Instant,
}

/// A running console.
pub(crate) struct Console {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
    before: String,
    closing: Arc<AtomicBool>,
}

/// What is left when the console has ended.
pub(crate) struct Left {
    pub(crate) code: u32,
    pub(crate) raw: Vec<u8>,
    pub(crate) screen: vt100::Screen,
    /// How the terminal's line settings stood before, and how they stand now.
    pub(crate) settings: (String, String),
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a terminal has cells")
}

/// Returns the line settings as text, to be compared.
fn settings(master: &dyn MasterPty) -> String {
    master.get_termios().map_or_else(String::new, |termios| format!("{termios:?}"))
}

impl Console {
    /// Starts the program in a folder with a bare environment and what is added to it.
    pub(crate) fn start(
        folder: &Path,
        args: &[&str],
        add: &[(&str, &str)],
        (columns, rows): (u16, u16),
    ) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let before = settings(&*pair.master);
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pointsman"));
        command.args(args);
        command.env_clear();
        command.cwd(folder);
        let config = folder.join("config");
        for (name, value) in [
            ("POINTSMAN_CONFIG_DIR", config.to_str().expect("a path")),
            ("HOME", folder.to_str().expect("a path")),
            ("LANG", "C.UTF-8"),
            ("TERM", "xterm-256color"),
        ]
        .iter()
        .chain(add)
        {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let mut out = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let parser = vt100::Parser::new(cells(rows), cells(columns), 0);
        let seen = Arc::new(Mutex::new(Seen { parser, raw: Vec::new(), last: Instant::now() }));
        let closing = Arc::new(AtomicBool::new(false));
        let (shared, closes) = (Arc::clone(&seen), Arc::clone(&closing));
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            // The end is an error on some systems.
            while !closes.load(Ordering::SeqCst)
                && let Ok(n @ 1..) = out.read(&mut buffer)
            {
                let mut seen = shared.lock().expect("nobody panicked");
                seen.parser.process(&buffer[..n]);
                seen.raw.extend_from_slice(&buffer[..n]);
                seen.last = Instant::now();
            }
        });
        Self { master: pair.master, child, writer, seen, reader, before, closing }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("the reader did not panic")
    }

    /// Returns the screen's text.
    pub(crate) fn text(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// Returns the screen.
    pub(crate) fn screen(&self) -> vt100::Screen {
        self.seen().parser.screen().clone()
    }

    /// Returns the rows of the screen as text.
    pub(crate) fn rows(&self) -> Vec<String> {
        let screen = self.screen();
        screen.rows(0, screen.size().1.get()).collect()
    }

    /// Returns every byte so far.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.seen().raw.clone()
    }

    /// Waits until something holds; fails with the screen where it does not come.
    pub(crate) fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) -> &Self {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "waited in vain for {what}; the screen is\n{}", self.text());
            std::thread::sleep(Duration::from_millis(4));
        }
        self
    }

    /// Waits until a text stands on the screen.
    pub(crate) fn wait_for(&self, text: &str) -> &Self {
        self.wait(&format!("`{text}`"), |console| console.text().contains(text))
    }

    /// Waits until a text no longer stands on the screen.
    pub(crate) fn wait_gone(&self, text: &str) -> &Self {
        self.wait(&format!("no `{text}`"), |console| !console.text().contains(text))
    }

    /// Waits until nothing has been written for a while.
    pub(crate) fn wait_quiet(&self) -> &Self {
        self.wait("a quiet moment", |console| console.seen().last.elapsed() > Duration::from_millis(400))
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: &str) -> &mut Self {
        self.writer
            .write_all(keys.as_bytes())
            .and_then(|()| self.writer.flush())
            .expect("the terminal takes keys");
        self
    }

    /// Changes the terminal's size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> &Self {
        self.seen().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(size(columns, rows)).expect("the terminal takes a size");
        self
    }

    /// Returns the terminal's line settings.
    pub(crate) fn settings(&self) -> String {
        settings(&*self.master)
    }

    /// Returns how the line settings stood before the program started.
    pub(crate) fn settings_before(&self) -> &str {
        &self.before
    }

    /// Returns the program's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.process_id().expect("a running process")
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let told =
            std::process::Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(told.expect("kill can be run").success());
    }

    /// Closes the terminal as one closes its window, and waits for the end; gives the exit code.
    pub(crate) fn hang_up(self) -> u32 {
        // The reader holds a copy of the terminal's end, and lets go of it behind what a new size makes the program draw.
        self.closing.store(true, Ordering::SeqCst);
        self.resize(100, 30);
        let Self { master, writer, mut child, reader, .. } = self;
        reader.join().expect("the reader did not panic");
        drop((master, writer));
        // It answers what it has taken on first.
        let until = Instant::now() + 3 * PATIENCE;
        loop {
            if let Some(status) = child.try_wait().expect("a child") {
                return status.exit_code();
            }
            if Instant::now() > until {
                let _ = child.kill();
                panic!("the program outlives its terminal");
            }
            std::thread::sleep(Duration::from_millis(4));
        }
    }

    /// Waits for the end, and for the last byte.
    pub(crate) fn finish(mut self) -> Left {
        let until = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status.exit_code();
            }
            if Instant::now() > until {
                let _ = self.child.kill();
                panic!("the program does not end; the screen is\n{}", self.text());
            }
            std::thread::sleep(Duration::from_millis(4));
        };
        self.reader.join().expect("the reader did not panic");
        let seen = self.seen.lock().expect("the reader did not panic");
        let now = settings(&*self.master);
        Left {
            code,
            raw: seen.raw.clone(),
            screen: seen.parser.screen().clone(),
            settings: (self.before, now),
        }
    }
}

/// Returns the parameters of every colour and style sequence.
pub(crate) fn styles(raw: &[u8]) -> Vec<Vec<u16>> {
    sequences(raw)
        .filter_map(|sequence| sequence.strip_suffix(b"m"))
        .filter(|params| params.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')))
        .map(|params| {
            let numbers = params.split(|byte| matches!(byte, b';' | b':'));
            numbers.map(|number| String::from_utf8_lossy(number).parse().unwrap_or(0)).collect()
        })
        .collect()
}

/// Returns every control sequence without its `ESC [`, final byte included.
pub(crate) fn sequences(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        let start = rest.windows(2).position(|pair| pair == b"\x1b[")? + 2;
        let end = start + rest[start..].iter().position(|byte| (0x40..=0x7e).contains(byte))? + 1;
        let found = &rest[start..end];
        rest = &rest[end..];
        Some(found)
    })
}

/// Returns what was written between synchronized updates: outside of all frames.
pub(crate) fn outside_frames(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = raw;
    let place = |rest: &[u8], mark: &[u8]| rest.windows(mark.len()).position(|window| window == mark);
    while let Some(begin) = place(rest, b"\x1b[?2026h") {
        out.extend_from_slice(&rest[..begin]);
        let Some(end) = place(&rest[begin..], b"\x1b[?2026l") else { return out };
        rest = &rest[begin + end + b"\x1b[?2026l".len()..];
    }
    out.extend_from_slice(rest);
    out
}
