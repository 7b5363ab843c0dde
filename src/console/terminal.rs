//! The one place that touches the terminal: taking it, drawing on it, giving it back whatever happens.
//!
//! Invariant: every way out (drop, panic, suspend, signal) goes through [`leave`], which undoes all of [`enter`] in the
//! reverse order; and every frame is wrapped in a synchronized update, which is ended also when drawing fails.

use std::io::{self, Stdout, Write};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::engine::{Engine, general_purpose::STANDARD};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

/// Says whether an error means that the terminal is gone.
pub fn is_gone(error: &io::Error) -> bool {
    // What the system says of a terminal that was hung up (EIO), which has no kind of its own.
    const HUNG_UP: i32 = 5;
    error.kind() == io::ErrorKind::BrokenPipe || (cfg!(unix) && error.raw_os_error() == Some(HUNG_UP))
}

/// Whether the process's own terminal is taken; the panic hook and a signal must know without asking anyone.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the terminal: alternate screen, no cursor, paste and focus reports, the mouse where wanted.
pub fn enter(out: &mut impl Write, mouse: bool) -> io::Result<()> {
    queue!(out, EnterAlternateScreen, cursor::Hide, EnableFocusChange, EnableBracketedPaste)?;
    if mouse {
        queue!(out, EnableMouseCapture)?;
    }
    out.flush()
}

/// Restores the terminal, in the one order that leaves nothing behind. No keyboard flags are ever pushed, so none are
/// popped; what was never turned on is turned off without harm.
pub fn leave(out: &mut impl Write) -> io::Result<()> {
    queue!(
        out,
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        DisableFocusChange,
        cursor::Show,
        LeaveAlternateScreen
    )?;
    out.flush()
}

/// Restores the process's own terminal where it is taken; safe to call at any time, from anywhere, twice.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // On the way out nothing can be done about an error.
        let _ = leave(&mut io::stdout());
        let _ = disable_raw_mode();
    }
}

/// Makes every panic, of any thread, give the terminal back before its message is written, and end the program where the
/// terminal was taken: a console whose engine died must not go on looking alive.
pub fn install_panic_hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let taken = TAKEN.load(Ordering::SeqCst);
        restore();
        before(info);
        if taken {
            std::process::exit(101);
        }
    }));
}

/// Makes styles reach the terminal as the theme says. The library would turn colours into resets under `NO_COLOR`, which
/// also wipes out bold and reversed and makes a selection invisible; the theme `mono` has no colours to begin with.
pub fn trust_the_theme() {
    crossterm::style::force_color_output(true);
}

/// What comes of copying text to the clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It was sent; whether the terminal takes it cannot be known.
    Sent,
    /// It is longer than terminals take.
    TooLong,
}

/// Copies a text to the terminal's clipboard (OSC 52) where it is no longer than `limit` bytes once encoded.
pub fn copy(out: &mut impl Write, text: &str, limit: usize) -> io::Result<Copied> {
    let encoded = STANDARD.encode(text);
    if encoded.len() > limit {
        return Ok(Copied::TooLong);
    }
    write!(out, "\x1b]52;c;{encoded}\x1b\\")?;
    out.flush()?;
    Ok(Copied::Sent)
}

/// Tells of something new beyond the screen: a notification (OSC 9) with these words, else the bell.
pub fn notify(out: &mut impl Write, words: Option<&str>) -> io::Result<()> {
    match words {
        Some(words) => write!(out, "\x1b]9;{}\x1b\\", crate::units::clean(words))?,
        None => out.write_all(b"\x07")?,
    }
    out.flush()
}

/// The taken terminal; dropping it gives it back.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts of the terminal, free of one another")]
pub struct Session<W: Write> {
    /// Never dropped: the library would show the cursor once more, and panic where neither the terminal nor stderr is left.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<W>>>,
    mouse: bool,
    own: bool,
    entered: bool,
    /// Whether a synchronized update has begun that the next frame will end.
    begun: bool,
    /// Whether nothing was drawn yet on a terminal of ours.
    is_fresh: bool,
}

impl Session<io::BufWriter<Stdout>> {
    /// Takes the process's own terminal.
    pub fn open(mouse: bool) -> io::Result<Self> {
        install_panic_hook();
        trust_the_theme();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // One write a frame: a terminal that draws half a frame flickers.
        let out = io::BufWriter::with_capacity(1 << 16, io::stdout());
        Self::start(out, Viewport::Fullscreen, mouse, true).inspect_err(|_| restore())
    }
}

impl<W: Write> Session<W> {
    /// Draws on any writer, of a fixed size; raw mode and the process's terminal are left alone.
    pub fn on(out: W, area: Rect, mouse: bool) -> io::Result<Self> {
        Self::start(out, Viewport::Fixed(area), mouse, false)
    }

    fn start(mut out: W, viewport: Viewport, mouse: bool, own: bool) -> io::Result<Self> {
        enter(&mut out, mouse)?;
        let terminal = Terminal::with_options(CrosstermBackend::new(out), TerminalOptions { viewport })?;
        let terminal = ManuallyDrop::new(terminal);
        Ok(Self { terminal, mouse, own, entered: true, begun: false, is_fresh: own })
    }

    /// Draws one frame inside a synchronized update. It is always asked for: terminals without it ignore it.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        // Where there is no alternate screen, what stood there would show between the words.
        if std::mem::take(&mut self.is_fresh) {
            self.repaint()?;
        }
        self.begin()?;
        self.begun = false;
        let drawn = self.terminal.draw(render).map(drop);
        let ended = queue!(self.terminal.backend_mut(), EndSynchronizedUpdate);
        let flushed = self.terminal.backend_mut().flush();
        drawn.and(ended).and(flushed)
    }

    fn begin(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        }
        Ok(())
    }

    /// Makes the next frame draw every cell. (`Terminal::clear` would ask the terminal where its cursor is and wait.)
    /// The screen is wiped at once, so the update begins here and not with the frame.
    pub fn repaint(&mut self) -> io::Result<()> {
        self.begin()?;
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Takes the mouse, or gives it back to the terminal so that text can be selected.
    pub fn set_mouse(&mut self, mouse: bool) -> io::Result<()> {
        if mouse != self.mouse {
            self.mouse = mouse;
            let out = self.terminal.backend_mut();
            if mouse {
                queue!(out, EnableMouseCapture)?;
            } else {
                queue!(out, DisableMouseCapture)?;
            }
            out.flush()?;
        }
        Ok(())
    }

    /// Asks the terminal something; the answer comes among the events.
    pub fn ask(&mut self, question: &str) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(question.as_bytes())?;
        Write::flush(out)
    }

    /// Copies a text to the clipboard.
    pub fn copy(&mut self, text: &str, limit: usize) -> io::Result<Copied> {
        copy(self.terminal.backend_mut(), text, limit)
    }

    /// Tells of something new beyond the screen, by a notification with these words or the bell.
    pub fn notify(&mut self, words: Option<&str>) -> io::Result<()> {
        notify(self.terminal.backend_mut(), words)
    }

    /// Gives the terminal to the shell and stops the process until it is called back; then draws everything afresh.
    #[cfg(unix)]
    pub fn suspend(&mut self) -> io::Result<()> {
        self.close();
        // SIGSTOP, as a SIGTSTP that a process sends itself is lost where its shell has gone.
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        if self.own {
            enable_raw_mode()?;
            TAKEN.store(true, Ordering::SeqCst);
        }
        enter(self.terminal.backend_mut(), self.mouse)?;
        self.entered = true;
        self.repaint()
    }

    /// Restores the terminal now.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.entered) {
            self.begun = false;
            let out = self.terminal.backend_mut();
            if self.own {
                let _ = out.flush();
                restore();
            } else {
                let _ = leave(out);
            }
        }
    }
}

impl<W: Write> Drop for Session<W> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_taken_is_given_back_in_order() {
        let mut bytes = Vec::new();
        leave(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let places: Vec<_> =
            ["\x1b[?2026l", "\x1b[?1000l", "\x1b[?2004l", "\x1b[?1004l", "\x1b[?25h", "\x1b[?1049l"]
                .iter()
                .map(|off| text.find(off).unwrap_or_else(|| panic!("{off:?} is missing in {text:?}")))
                .collect();
        assert!(places.is_sorted(), "{text:?}");
        let mut bytes = Vec::new();
        enter(&mut bytes, true).unwrap();
        let entered = String::from_utf8(bytes).unwrap();
        for on in entered.split("\x1b[?").filter_map(|mode| mode.strip_suffix('h')) {
            assert!(text.contains(&format!("\x1b[?{on}l")), "mode {on} is never turned off");
        }
    }

    #[test]
    fn the_clipboard_gets_what_it_can_hold() {
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(STANDARD.encode(plain), encoded);
        }
        let mut out = Vec::new();
        notify(&mut out, None).unwrap();
        notify(&mut out, Some("a\u{1b}b")).unwrap();
        assert!(out.starts_with(b"\x07\x1b]9;a"));
        assert_eq!(out.split(|byte| *byte == 0x1b).count(), 3, "words cannot end it");
        out.clear();
        assert_eq!(copy(&mut out, "foobar", 8).unwrap(), Copied::Sent);
        assert_eq!(out, b"\x1b]52;c;Zm9vYmFy\x1b\\");
        out.clear();
        assert_eq!(copy(&mut out, "foobarx", 8).unwrap(), Copied::TooLong);
        assert!(out.is_empty());
    }
}
