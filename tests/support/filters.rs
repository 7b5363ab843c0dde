//! The language of filters: what it is told to be, what it completes, what it says of a wrong one.

use pointsman::console::glyphs::{GlyphSet, Glyphs};
use pointsman::console::help::explained_markdown;
use pointsman::console::screen::ScreenId;
use pointsman::console::screens::traffic::{self, State};
use pointsman::console::ui::Ui;
use pointsman::session::Reading;
use pointsman::session::listing::{Filter, completions};

use super::{finish, player, screen};

#[test]
fn the_page_on_filters_and_signs_is_what_the_help_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/console.md");
    let page = format!(
        "# Filters, signs and words of the console\n\n`?` shows this beside the keys that work where it is asked; `/` on Traffic takes a \
         filter, whose names Tab\ncompletes. The page is made from the same tables, and a test holds the two equal.\n\n{}",
        explained_markdown(Glyphs::of(GlyphSet::Braille)).trim_end().to_owned() + "\n"
    );
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let held = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        held == page,
        "docs/console.md is out of date: WRITE_DOCS=1 cargo test --test screens_traffic the_page"
    );
}

#[test]
fn names_are_completed_and_an_exact_name_is_exact() {
    let snapshot = player(Reading::Recorded).snapshot();
    let complete = |line: &str| completions(line, &snapshot);
    assert_eq!(complete("escalated mod").first().map(String::as_str), Some("escalated model:"));
    assert!(complete("model:gpt").contains(&"model:gpt-4.1".to_owned()), "{:?}", complete("model:gpt"));
    assert!(complete("!team:ads,se").contains(&"!team:ads,search".to_owned()));
    assert!(complete("team:data").contains(&"team:\"data lab\"".to_owned()), "{:?}", complete("team:data"));
    assert!(complete("status:ti") == ["status:timeout"] && complete("cost>0.0").is_empty());
    for line in ["", " ", "!", "\"", "foo:", "team:,", "\u{1f600}:", "cost=u", "-", "~", "a~\"b"] {
        for whole in complete(line) {
            assert!(Filter::parse(&whole).wrong.is_empty() || whole.ends_with(':'), "{line}: {whole}");
        }
    }
    let count = |text: &str| {
        let mut state = State::default();
        traffic::set_filter(&mut state, text);
        finish(&mut state, &snapshot);
        traffic::rows(&state, &snapshot)
    };
    assert!(count("model:gpt-4.1") > 0 && count("model:gpt-4.1") < count("model~4"));
    assert_eq!(count("model:gpt-4"), 0);
}

#[test]
fn a_wrong_filter_says_what_would_be_right_in_the_width_there_is() {
    let snapshot = player(Reading::Recorded).snapshot();
    for (filter, parts) in [
        ("foo:bar", &["names are", "asked", "figures", "in quotes"][..]),
        ("status:sad", &["status:error", "rate_limited", "unavailable"]),
        ("model:gpt", &["no model is called", "model~gpt finds"]),
        ("team:serch", &["did you mean team:search?"]),
    ] {
        for (width, height) in [(80, 24), (100, 30), (200, 60)] {
            let mut ui = Ui::on(ScreenId::Traffic);
            traffic::set_filter(&mut ui.traffic, filter);
            finish(&mut ui.traffic, &snapshot);
            let text = screen(&ui, &snapshot, width, height);
            // Lines are wrapped between words; frames stand between them.
            let flat: Vec<&str> = text.split_whitespace().filter(|word| *word != "│").collect();
            let flat = flat.join(" ");
            for part in parts {
                assert!(flat.contains(part), "{filter} at {width}: {part} is not in\n{text}");
            }
        }
    }
}
