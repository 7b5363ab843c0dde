//! A gateway that nobody has asked anything yet: where to send requests, and a first one to copy.
//!
//! ```text
//! ╭ No requests yet ─────────────────────────────── live · http://127.0.0.1:4141 ╮
//! │ Base URL          http://127.0.0.1:4141/v1                                   │
//! │ A first request (y copies it)                                                │
//! │   curl http://127.0.0.1:4141/v1/chat/completions \                           │
//! ╰──────────────────────────────────────────────────────────────────────────────╯
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::screen::Scene;
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::session::{LiveView, Snapshot};

const BODY: &str = r#"{"model":"auto","messages":[{"role":"user","content":"Hello"}]}"#;

/// Returns the live session where it is one that no request has reached.
fn waiting(snapshot: &Snapshot) -> Option<&LiveView> {
    snapshot.live.as_ref().filter(|live| snapshot.log.is_empty() && live.closed.is_none())
}

/// Returns the address that clients on this machine would use.
fn address(snapshot: &Snapshot, live: &LiveView) -> String {
    // An attached console knows the address that reached the gateway; the gateway may know another one.
    let shown = if snapshot.log.title.contains("://") { &snapshot.log.title } else { &live.status.address };
    let shown = if shown.contains("://") { shown.clone() } else { format!("http://{shown}") };
    text::clean(&shown).replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
}

fn curl(snapshot: &Snapshot, live: &LiveView) -> [String; 4] {
    let key = if live.status.keys > 0 { "-H 'authorization: Bearer YOUR-KEY' " } else { "" };
    [
        format!("curl {}/v1/chat/completions ", address(snapshot, live)),
        key.to_owned(),
        "-H 'content-type: application/json' ".to_owned(),
        format!("-d '{BODY}'"),
    ]
}

/// Returns the first request as one line for a shell.
pub fn command(snapshot: &Snapshot) -> Option<String> {
    waiting(snapshot).filter(|live| !live.is_log).map(|live| curl(snapshot, live).concat())
}

/// Says the same where logs are followed: no gateway listens, and a request comes when somebody writes it.
fn followed(snapshot: &Snapshot, title: &str) -> Vec<(String, Role)> {
    let told = "What is written into it shows here within a second, as soon as its line ends.";
    let mut lines = vec![(format!("Followed   {title}"), Role::Accent), (told.to_owned(), Role::Text)];
    lines.extend(
        snapshot.log.skipped.nothing_of_it().map(|why| (text::clean(&why).into_owned(), Role::Muted)),
    );
    lines
}

fn lines(snapshot: &Snapshot, live: &LiveView, base: &str) -> Vec<(String, Role)> {
    let key = if live.status.keys > 0 { "YOUR-KEY" } else { "none" };
    let mut lines: Vec<(String, Role)> = vec![
        (format!("Base URL   {base}/v1"), Role::Accent),
        (String::new(), Role::Text),
        ("A first request (y copies it)".to_owned(), Role::Title),
    ];
    let parts: Vec<String> = curl(snapshot, live).into_iter().filter(|part| !part.is_empty()).collect();
    for (at, part) in parts.iter().enumerate() {
        let indent = if at == 0 { "  " } else { "    " };
        let more = if at + 1 < parts.len() { "\\" } else { "" };
        lines.push((format!("{indent}{part}{more}"), Role::Text));
    }
    for (who, set) in [
        ("OpenAI's SDK", format!("OPENAI_BASE_URL={base}/v1 OPENAI_API_KEY={key}")),
        ("Anthropic's SDK and agents", format!("ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={key}")),
    ] {
        lines.push((String::new(), Role::Text));
        lines.push((format!("{who}: in the environment"), Role::Title));
        lines.push((format!("  {set}"), Role::Text));
    }
    if live.status.refused() > 0 {
        let reasons: Vec<String> =
            live.status.reasons().map(|reason| text::clean(&reason).into_owned()).collect();
        lines.push((String::new(), Role::Text));
        lines.push((format!("Refused at the gate so far: {}", reasons.join(", ")), Role::Warn));
    }
    lines.push((String::new(), Role::Text));
    let mut note = |words: String| lines.push((words, Role::Muted));
    note("Model `auto` leaves the choice to the policy; a name pins that model.".to_owned());
    if live.status.keys > 0 {
        note("Every request needs a key: `pointsman keys add NAME` makes one.".to_owned());
    }
    if live.status.simulated {
        note(format!("SIMULATED, for want of a key: {}.", live.status.simulated_providers.join(", ")));
    }
    lines
}

/// Draws the page in place of a screen that has nothing to show yet; says whether it did.
pub fn draw(scene: Scene<'_>, area: Rect, buf: &mut Buffer) -> bool {
    let (snapshot, look) = (scene.snapshot, scene.look);
    let Some(live) = waiting(snapshot) else { return false };
    let place =
        if live.is_log { text::clean(&snapshot.log.title).into_owned() } else { address(snapshot, live) };
    let scope = format!("live {} {place}", look.glyphs.dot);
    let inside = Panel { title: "No requests yet", scope: &scope, focus: true }.page(area, buf, look);
    let mut lines = if live.is_log { followed(snapshot, &place) } else { lines(snapshot, live, &place) };
    // Where there is no room for air, the words stand close.
    if lines.len() > usize::from(inside.height) {
        lines.retain(|(words, _)| !words.is_empty());
    }
    look.lines(buf, inside, lines.iter().map(|(words, role)| (words.as_str(), *role)));
    true
}
