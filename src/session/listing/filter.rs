//! What an operator types to narrow the request table, read into terms.
//!
//! Invariant: a term that cannot be read is reported with what is allowed, and narrows nothing; nothing typed panics.

use crate::classifier::TaskClass;
use crate::routing::{ConfidenceSource, Status};
use crate::units::Pico;

/// The most terms of one filter.
const MOST_TERMS: usize = 32;

/// The names that texts are looked for in.
pub(super) const NAMES: [(&str, Name); 8] = [
    ("team", Name::Team),
    ("project", Name::Project),
    ("session", Name::Session),
    ("task", Name::Task),
    ("route", Name::Route),
    ("model", Name::Model),
    ("asked", Name::Asked),
    ("id", Name::Id),
];

/// The figures that are compared.
pub(super) const FIGURES: [(&str, Figure); 4] = [
    ("conf", Figure::Confidence),
    ("cost", Figure::Cost),
    ("latency", Figure::Latency),
    ("tokens", Figure::Tokens),
];

/// Where confidences are from, by the words for it.
pub(super) const SOURCES: [(&str, &[ConfidenceSource]); 5] = [
    ("recorded", &[ConfidenceSource::Recorded]),
    ("classified", &[ConfidenceSource::Judged, ConfidenceSource::Text, ConfidenceSource::Measures]),
    ("text", &[ConfidenceSource::Text]),
    ("measures", &[ConfidenceSource::Measures]),
    ("none", &[ConfidenceSource::None]),
];

/// Stands for a comma inside quotes, which parts nothing.
const HELD_COMMA: char = '\u{1f}';

/// A name that a text is looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// The request's id.
    Id,
    /// The team.
    Team,
    /// The project.
    Project,
    /// The session.
    Session,
    /// The kind of work.
    Task,
    /// The route.
    Route,
    /// The model that answered.
    Model,
    /// The model asked for.
    Asked,
}

/// A figure that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Figure {
    /// The confidence in per mille.
    Confidence,
    /// The cost in pico-dollars.
    Cost,
    /// The latency in milliseconds.
    Latency,
    /// Prompt and answer tokens of the call that answered.
    Tokens,
}

/// How a figure is compared. A figure nobody knows is neither less nor more than anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Below.
    Less(i128),
    /// At most.
    AtMost(i128),
    /// Above.
    More(i128),
    /// At least.
    AtLeast(i128),
    /// Exactly.
    Equal(i128),
    /// Nobody knows it.
    Unknown,
}

impl Compare {
    /// Says whether a figure, if known, compares so.
    pub fn holds(self, figure: Option<i128>) -> bool {
        match (self, figure) {
            (Self::Unknown, figure) => figure.is_none(),
            (_, None) => false,
            (Self::Less(than), Some(n)) => n < than,
            (Self::AtMost(than), Some(n)) => n <= than,
            (Self::More(than), Some(n)) => n > than,
            (Self::AtLeast(than), Some(n)) => n >= than,
            (Self::Equal(to), Some(n)) => n == to,
        }
    }
}

/// What one term asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Any name holds this text.
    Word(String),
    /// One name is one of these texts; those without `=` before them it need only hold.
    Named(Name, Vec<String>),
    /// It ended in one of these ways.
    Status(Vec<Status>),
    /// Its confidence comes from one of these.
    Source(Vec<ConfidenceSource>),
    /// A figure compares so.
    Figure(Figure, Compare),
    /// It went up the ladder.
    Escalated,
    /// Something about it was synthetic.
    Simulated,
    /// Something about its outcome is an estimate.
    Estimated,
    /// The staged policy starts it on another rung.
    Flips,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Whether it must not hold.
    pub not: bool,
    /// What it asks.
    pub test: Test,
}

/// A filter as read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// What was typed.
    pub text: String,
    /// The terms, all of which must hold.
    pub terms: Vec<Term>,
    /// Whether only the window counts.
    pub window: bool,
    /// What could not be read, and what is allowed there.
    pub wrong: Vec<String>,
}

impl Filter {
    /// Reads what was typed.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self { text: text.trim().to_owned(), ..Self::default() };
        for piece in pieces(text) {
            let not = piece.not;
            match read(&piece) {
                Ok(Some(test)) if filter.terms.len() < MOST_TERMS => filter.terms.push(Term { not, test }),
                Ok(Some(_)) => {
                    filter.wrong.push(format!("more than {MOST_TERMS} terms"));
                    break;
                }
                Ok(None) if not => filter.wrong.push("window cannot be negated".to_owned()),
                Ok(None) => filter.window = true,
                Err(problem) => filter.wrong.push(problem),
            }
        }
        filter
    }

    /// Says whether every request passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty() && !self.window
    }

    /// Says whether the staged policy matters.
    pub fn asks_flips(&self) -> bool {
        self.terms.iter().any(|term| term.test == Test::Flips)
    }
}

/// One blank-separated piece; quotes hold blanks together.
struct Piece {
    not: bool,
    /// Whether it started with a quote, so that it is a plain word whatever it holds.
    quoted: bool,
    /// Whether a quote in it has no end.
    open: bool,
    text: String,
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut all = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return all;
        }
        let not = chars.next_if(|&c| c == '!' || c == '-').is_some();
        let quoted = chars.peek() == Some(&'"');
        let mut word = String::new();
        let mut inside = false;
        while let Some(c) = chars.next_if(|&c| inside || !c.is_whitespace()) {
            match c {
                '"' => inside = !inside,
                ',' if inside && !quoted => word.push(HELD_COMMA),
                c => word.push(c),
            }
        }
        all.push(Piece { not, quoted, open: inside, text: word });
    }
}

/// Reads one piece; nothing for `window`, which is no test of a request.
fn read(piece: &Piece) -> Result<Option<Test>, String> {
    let text = piece.text.as_str();
    if piece.open {
        return Err(format!("`{}`: the quote has no end", brief(text)));
    }
    if piece.quoted {
        let word = text.to_lowercase();
        return if word.is_empty() {
            Err("\"\": an empty word".to_owned())
        } else {
            Ok(Some(Test::Word(word)))
        };
    }
    if piece.not && text.starts_with(['!', '-']) {
        return Err(format!(
            "`{}`: a term is negated once; put a word that begins so in quotes",
            brief(text)
        ));
    }
    let Some(at) = text.find([':', '~', '<', '>', '=']) else {
        let lower = text.to_lowercase();
        return match lower.as_str() {
            "" => Err("! or - wants a term right after it".to_owned()),
            "escalated" => Ok(Some(Test::Escalated)),
            "simulated" => Ok(Some(Test::Simulated)),
            "estimated" => Ok(Some(Test::Estimated)),
            "flips" => Ok(Some(Test::Flips)),
            "window" => Ok(None),
            _ => Ok(Some(Test::Word(lower))),
        };
    };
    let (key, rest) = text.split_at(at);
    let key = key.to_ascii_lowercase();
    let key = if key == "confidence" { "conf" } else { key.as_str() };
    if let Some(&(_, figure)) = FIGURES.iter().find(|(name, _)| *name == key) {
        return compare(figure, rest)
            .map(|how| Some(Test::Figure(figure, how)))
            .map_err(|()| wants(figure, text));
    }
    if matches!(key, "status" | "source") {
        return listed(key, rest, text).map(Some);
    }
    let Some(&(_, name)) = NAMES.iter().find(|(name, _)| *name == key) else {
        return Err(unnamed(key, text));
    };
    match values(rest) {
        Some(values) if name == Name::Task => tasks(values).map(|tasks| Some(Test::Named(name, tasks))),
        Some(values) => Ok(Some(Test::Named(name, values))),
        None => Err(format!("`{}`: write {key}:NAME, {key}:ONE,OTHER or {key}~PART", brief(text))),
    }
}

/// As much of what was typed as a message repeats.
pub(super) fn brief(text: &str) -> String {
    const MOST: usize = 24;
    let text = text.replace(HELD_COMMA, ",");
    match text.char_indices().nth(MOST) {
        None => text,
        Some(_) => text.chars().take(MOST - 1).chain(['…']).collect(),
    }
}

/// Says that nothing is called so, and what there is; the nearest name where one is near.
fn unnamed(key: &str, text: &str) -> String {
    let names = || NAMES.iter().map(|(name, _)| *name).chain(["status", "source"]);
    let figures = || FIGURES.iter().map(|(name, _)| *name);
    let near = names().chain(figures()).map(|name| (strsim::jaro_winkler(key, name), name));
    let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.8);
    let text = brief(text);
    if let Some((_, name)) = near {
        return format!("`{text}`: nothing is called `{key}`; did you mean `{name}`?");
    }
    let (names, figures): (Vec<_>, Vec<_>) = (names().collect(), figures().collect());
    format!(
        "`{text}`: names are {} with : or ~, figures {} with < > =; put anything else in quotes",
        names.join(" "),
        figures.join(" ")
    )
}

/// Returns the texts after `:`, `=` or `~`, separated by commas. `=` before one says that it is the whole name, as it is
/// written: names that differ in case are others to every sum. Parts of names are in lower case.
fn values(rest: &str) -> Option<Vec<String>> {
    let list = rest.strip_prefix([':', '=', '~'])?;
    let whole = if rest.starts_with('~') { "" } else { "=" };
    let values: Vec<String> = list
        .split(',')
        .map(|value| if whole.is_empty() { value.to_lowercase() } else { value.to_owned() })
        .map(|value| value.replace(HELD_COMMA, ","))
        .filter(|value| !value.is_empty())
        .map(|value| format!("{whole}{value}"))
        .collect();
    (!values.is_empty()).then_some(values)
}

/// Turns texts into names of kinds of work: the one of that name, or for which it is another word; after `~` any that hold it.
fn tasks(values: Vec<String>) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for value in values {
        let word = value.strip_prefix('=');
        let before = found.len();
        match word {
            Some(word) => found.extend(word.to_lowercase().parse::<TaskClass>().ok()),
            None => found.extend(TaskClass::ALL.into_iter().filter(|class| holds(class.name(), &value))),
        }
        if found.len() == before {
            let known: Vec<&str> = TaskClass::ALL.iter().map(|class| class.name()).collect();
            let word = word.unwrap_or(&value);
            return Err(format!("`task:{}`: tasks are {}", brief(word), known.join(" ")));
        }
    }
    Ok(found.into_iter().map(|class| class.name().to_owned()).collect())
}

fn listed(key: &str, rest: &str, text: &str) -> Result<Test, String> {
    if key == "status" {
        let hint = || {
            let names: Vec<&str> = Status::ALL.iter().map(|status| status.name()).collect();
            format!("`{}`: write status:error, an HTTP code, or one of {}", brief(text), names.join(" "))
        };
        let mut all = Vec::new();
        for value in values(rest).ok_or_else(hint)? {
            let value = value.trim_start_matches('=').to_lowercase();
            match (value.as_str(), Status::from_name(&value)) {
                (_, Some(status)) => all.push(status),
                ("limited", _) => all.push(Status::RateLimited),
                ("server", _) => all.push(Status::ServerError),
                ("error", _) => all.extend(Status::ALL.into_iter().filter(|status| !status.is_ok())),
                (code, _) => match code.parse::<u16>() {
                    Ok(code @ 100..600) => all.push(Status::from_http(code)),
                    _ => return Err(hint()),
                },
            }
        }
        return Ok(Test::Status(all));
    }
    let hint =
        || format!("`{}`: write source: with recorded, classified, text, measures or none", brief(text));
    let mut all = Vec::new();
    for value in values(rest).ok_or_else(hint)? {
        let word = value.trim_start_matches('=').to_lowercase();
        let (_, sources) = SOURCES.iter().find(|(known, _)| *known == word).ok_or_else(hint)?;
        all.extend_from_slice(sources);
    }
    Ok(Test::Source(all))
}

fn wants(figure: Figure, text: &str) -> String {
    let how = match figure {
        Figure::Confidence => "conf<600, conf>=300 (per mille, 0 to 1000) or conf=none",
        Figure::Cost => "cost>0.05 (dollars) or cost=unknown",
        Figure::Latency => "latency>5s, latency<200ms, latency>2m or latency=unknown",
        Figure::Tokens => "tokens>10000, tokens>10k or tokens=unknown",
    };
    format!("`{}`: write {how}", brief(text))
}

fn compare(figure: Figure, rest: &str) -> Result<Compare, ()> {
    type How = fn(i128) -> Compare;
    let signs: [(&str, How); 6] = [
        ("<=", Compare::AtMost),
        (">=", Compare::AtLeast),
        ("<", Compare::Less),
        (">", Compare::More),
        ("=", Compare::Equal),
        (":", Compare::Equal),
    ];
    let (number, how) =
        signs.iter().find_map(|(sign, how)| Some((rest.strip_prefix(sign)?, *how))).ok_or(())?;
    let number = number.to_ascii_lowercase();
    if matches!(number.as_str(), "unknown" | "none") {
        return if how(0) == Compare::Equal(0) { Ok(Compare::Unknown) } else { Err(()) };
    }
    amount(figure, &number).map(how)
}

/// Reads a number in the figure's own unit.
fn amount(figure: Figure, number: &str) -> Result<i128, ()> {
    match figure {
        Figure::Confidence => {
            let value = number.trim_end_matches('‰').parse::<u16>().map_err(|_| ())?;
            if value <= 1000 { Ok(i128::from(value)) } else { Err(()) }
        }
        Figure::Cost => {
            let usd = number.trim_start_matches('$');
            Pico::from_usd(usd).map(|amount| amount.0).map_err(|_| ())
        }
        Figure::Latency => scaled(number, &[("ms", 1), ("s", 1_000), ("m", 60_000)], ""),
        Figure::Tokens => scaled(number, &[("k", 1_000), ("m", 1_000_000)], "_"),
    }
}

/// Reads a decimal number in the first unit that it ends in, exactly; what is finer than one is refused. Digits may be `grouped`.
fn scaled(number: &str, units: &[(&str, i128)], grouped: &str) -> Result<i128, ()> {
    let unit = units.iter().find(|(unit, _)| number.ends_with(unit));
    let (number, by) = unit.map_or((number, 1), |(unit, by)| (number.trim_end_matches(unit), *by));
    let pico = Pico::from_usd(&number.replace(grouped, "")).map_err(|_| ())?.0.checked_mul(by).ok_or(())?;
    if pico % Pico::USD.0 == 0 { Ok(pico / Pico::USD.0) } else { Err(()) }
}

/// Says whether a text holds another (given in lower case), in any case; after `=` it must be the other to the letter.
pub(super) fn holds(text: &str, lower: &str) -> bool {
    if let Some(whole) = lower.strip_prefix('=') {
        return text == whole;
    }
    if !text.is_ascii() {
        return text.to_lowercase().contains(lower);
    }
    let (hay, needle) = (text.as_bytes(), lower.as_bytes());
    let Some((&first, _)) = needle.split_first() else { return true };
    let Some(last) = hay.len().checked_sub(needle.len()) else { return false };
    let starts = hay.get(..=last).unwrap_or_default();
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), starts)
        .any(|at| hay.get(at..at + needle.len()).is_some_and(|part| part.eq_ignore_ascii_case(needle)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_read_is_said_with_what_is_allowed() {
        for (text, part) in [
            ("foo:bar", "names are team"),
            ("a<b", "anything else in quotes"),
            ("modle:gpt-4.1", "did you mean `model`?"),
            ("latncy>3", "did you mean `latency`?"),
            ("conf<banana", "conf<600"),
            ("conf>1001", "0 to 1000"),
            ("cost>", "cost>0.05"),
            ("cost>unknown", "cost=unknown"),
            ("latency>5h", "latency>5s"),
            ("latency>0.0001s", "latency>5s"),
            ("tokens>x", "tokens>10k"),
            ("status:sad", "rate_limited"),
            ("source:guess", "measures or none"),
            ("task:cooking", "classification"),
            ("team:", "team:NAME"),
            ("team<3", "team:NAME"),
            ("!", "right after"),
            ("-window", "cannot be negated"),
            ("!!escalated", "negated once"),
            ("--escalated", "negated once"),
            ("\"\"", "empty"),
            ("team:\"two words", "the quote has no end"),
            ("\"two words", "the quote has no end"),
        ] {
            let filter = Filter::parse(text);
            assert!(filter.terms.is_empty(), "{text}: {:?}", filter.terms);
            assert!(filter.wrong.iter().any(|wrong| wrong.contains(part)), "{text}: {:?}", filter.wrong);
        }
        let many = "x ".repeat(MOST_TERMS + 9);
        assert_eq!(Filter::parse(&many).wrong.len(), 1);
        assert_eq!(Filter::parse("Escalated").terms, Filter::parse("escalated").terms, "as names are");
        assert!(Filter::parse("  ").is_empty() && Filter::parse("  ").wrong.is_empty());
    }

    #[test]
    fn terms_are_read_with_their_units() {
        let one = |text: &str| {
            let mut filter = Filter::parse(text);
            assert_eq!(filter.wrong, Vec::<String>::new(), "{text}");
            filter.terms.pop().unwrap()
        };
        let figure = |text: &str| match one(text).test {
            Test::Figure(figure, how) => (figure, how),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(figure("latency>5s"), (Figure::Latency, Compare::More(5_000)));
        assert_eq!(figure("latency<=1.5m"), (Figure::Latency, Compare::AtMost(90_000)));
        assert_eq!(figure("tokens>10k"), (Figure::Tokens, Compare::More(10_000)));
        assert_eq!(figure("cost>=$0.05"), (Figure::Cost, Compare::AtLeast(50_000_000_000)));
        assert_eq!(figure("conf:none"), (Figure::Confidence, Compare::Unknown));
        let teams = |texts: &[&str]| Test::Named(Name::Team, texts.iter().map(|&text| text.into()).collect());
        assert_eq!(one("!team:\"data lab\",Ads"), Term { not: true, test: teams(&["=data lab", "=Ads"]) });
        assert_eq!(one("team~ads,\"x,y\"").test, teams(&["ads", "x,y"]), "a comma in quotes parts nothing");
        assert_eq!(one("team:\" ads \"").test, teams(&["= ads "]), "blanks in quotes are the name's");
        assert_eq!(one("status:OK").test, one("status:ok").test);
        assert_eq!(one("team=-").test, teams(&["=-"]), "no name at all");
        assert_eq!(one("team~-").test, teams(&["-"]), "names that hold a hyphen");
        assert_eq!(
            one("task~s").test,
            Test::Named(
                Name::Task,
                TaskClass::ALL
                    .iter()
                    .map(|class| class.name().to_owned())
                    .filter(|name| name.contains('s'))
                    .collect()
            )
        );
        assert_eq!(one("-\"-x:y\"").test, Test::Word("-x:y".into()));
        assert_eq!(one("task:summary").test, Test::Named(Name::Task, vec!["summarisation".into()]));
        assert_eq!(one("status:429").test, Test::Status(vec![Status::RateLimited]));
    }

    proptest! {
        #[test]
        fn looking_for_a_text_ignores_case_everywhere(text in "[a-cA-C\u{e9}\u{c9}]{0,12}", part in "[a-cA-C\u{e9}\u{c9}]{0,3}") {
            let lower = part.to_lowercase();
            prop_assert_eq!(holds(&text, &lower), text.to_lowercase().contains(&lower));
            prop_assert_eq!(holds(&text, &format!("={part}")), text == part);
        }

        #[test]
        fn anything_can_be_typed(text in "\\PC{0,60}") {
            let filter = Filter::parse(&text);
            prop_assert!(filter.terms.len() <= MOST_TERMS);
        }
    }
}
