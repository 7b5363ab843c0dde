//! What a panic leaves on stderr: where and why, with anything that looks like a secret masked.
//!
//! Installed before everything else, so that the console's own hook (which gives the terminal back first) ends here too.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic::PanicHookInfo;

use crate::access::redact;
use crate::units::marked_lines;

/// Makes every panic, of any thread, write its message without secrets or control characters.
pub fn install_panic_report() {
    std::panic::set_hook(Box::new(|info| {
        let mut text = message(info);
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            text.push_str(&redact(&trace.to_string()));
        }
        tracing::error!(target: "panic", "{text}");
        // Where stderr is gone there is nobody left to tell.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }));
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let why = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let why = redact(why);
    let why = marked_lines(&why);
    format!("thread '{}' panicked at {place}:\n{why}\n", thread.name().unwrap_or("unnamed"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_shows_its_place_and_no_secret() {
        let seen = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&seen);
        let before = std::panic::take_hook();
        // Other tests may panic meanwhile in threads of their own; only this one's message is kept.
        let me = std::thread::current().id();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == me {
                *kept.lock().unwrap() = message(info);
            } else {
                before(info);
            }
        }));
        let done = std::panic::catch_unwind(|| panic!("refused {}\x1b[2J", "sk-abcdefghijklmnopqrst"));
        let _ = std::panic::take_hook();
        assert!(done.is_err());
        let text = seen.lock().unwrap().clone();
        assert!(text.contains("app/panic.rs") && text.contains("refused sk-[redacted]"), "{text}");
        assert!(!text.contains('\x1b') && !text.contains("abcdefgh"), "{text}");
    }
}
