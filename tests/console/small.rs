//! Windows in which nothing can be read: whatever is typed in them, the console goes on, and with it the gateway it may have.

use super::*;

/// The first requests of the sample: enough for every screen, and each key is answered sooner.
fn first_requests() -> Arc<Log> {
    let mut text = zstd::decode_all(sample::BUNDLED).unwrap();
    let end = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1_000).unwrap().0;
    text.truncate(end);
    log_of("first.jsonl", text.leak())
}

#[test]
fn no_key_ends_the_console_however_small_its_window_is() {
    let log = first_requests();
    let letters = (' '..='~').map(KeyCode::Char);
    let others = [
        KeyCode::Enter,
        KeyCode::Tab,
        KeyCode::Backspace,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Up,
        KeyCode::Down,
    ];
    let keys: Vec<KeyCode> = letters.chain(others).collect();
    for (screen, size) in ScreenId::ALL.into_iter().zip([(80, 4), (1, 1)].into_iter().cycle()) {
        let mut sandbox = Sandbox::open(&log, screen, size);
        for key in &keys {
            sandbox.key(*key, KeyModifiers::NONE);
            sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
            sandbox.app.ui.view.screen = screen;
        }
    }
}

#[test]
fn a_panel_is_copied_whole_from_a_window_that_cannot_show_it() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Overview, (80, 4));
    let copied = sandbox.app.event(&Event::Key(KeyEvent::new(KeyCode::Char('Y'), KeyModifiers::NONE)));
    let [Do::Copy(text)] = &*copied else { panic!("{copied:?}") };
    assert!(text.starts_with("### Spend") && text.lines().count() > 6, "{text}");
}
