//! What the signs and words on the screens mean: a page of the help and of the documents.
//!
//! Invariant: signs are taken from the set that is drawn with, so the legend shows what is on the screen.

use super::glyphs::Glyphs;

/// A sign or word, and what it means.
pub type Entry = (String, &'static str);

/// Signs at figures, rows and thresholds, as this set draws them.
pub fn signs(glyphs: &Glyphs) -> Vec<Entry> {
    let (wrong, look, well) = glyphs.state;
    let one = |sign: char| sign.to_string();
    let plus_minus = glyphs.plus_minus();
    let per_mille = if glyphs.is_ascii() { "540" } else { "540 ‰" };
    vec![
        ("~$3.20".into(), "an estimate: the log does not hold it, so it is worked out"),
        (format!("{plus_minus}$0.10"), "how far off the estimate may be (95 %); with ? nobody can say"),
        ("$1.20 +?".into(), "besides, there are calls whose cost nobody knows; they are not counted as zero"),
        ("+35?".into(), "in the header: so many requests of unknown cost besides"),
        (one(glyphs.absent), "the log does not tell"),
        (
            per_mille.into(),
            "confidence and thresholds: per mille, 0 to 1000; a request goes to the first rung it reaches",
        ),
        ("527r".into(), "confidence 527, recorded in the log"),
        ("527c".into(), "confidence 527, by the built-in classifier"),
        (one(glyphs.threshold.0), "at a request: it went up the ladder; at a threshold: in force"),
        (one(glyphs.threshold.1), "a threshold that is staged: tried, not in force"),
        ("540*".into(), "staged; behind the policy's number: something is staged"),
        (
            format!("{} {}", glyphs.point.0, glyphs.point.1),
            "on a curve: where the policy in force stands, where the staged one would",
        ),
        ("S".into(), "synthetic: by the simulator, or by the rule that wrote the sample"),
        (format!("{well} {look} {wrong}"), "all well; something to look at; something failed"),
        (format!("{} $", glyphs.mark), "among events: a note or your mark; a change of prices"),
        (
            format!("time{} {}", glyphs.change.1, glyphs.change.0),
            "the table is sorted by this column, the most first; the least first",
        ),
        (one(glyphs.chosen), "the chosen row or part"),
        (
            format!("{}{}", glyphs.right[8], glyphs.held),
            "in the bar of a budget: spent, and held for calls under way",
        ),
        (one(glyphs.dashed), "in charts over time: something happened here"),
        (
            one(glyphs.line.1),
            "in the strip at the bottom: where the playback stands; red where one in twelve failed",
        ),
        (one(glyphs.ellipsis), "cut here: zoom with z, or widen the window"),
    ]
}

/// Words that mean one thing on every screen.
pub const WORDS: &[(&str, &str)] = &[
    ("failed", "requests that ended without an answer"),
    ("failed calls", "calls that failed, also those that another call made good"),
    ("faults", "requests with at least one failed call, answered in the end or not; e goes to the next"),
    ("escalated", "requests that went up the ladder after a call"),
    ("recorded", "the reading that accounts for what the log says happened; v switches"),
    ("routed", "the reading in which the policy decides; what it lacks is estimated"),
    ("observed", "none of the figure is an estimate"),
    ("applied, staged", "the policies in force, each in its time; the one being tried"),
    ("all at 560", "on a curve: that threshold over the whole window, though it changed within it"),
    ("last 1h", "the window that figures are of, by the traffic's own clock; w and W change it"),
    ("so far", "all that was played, from the start of the log"),
    (
        "saved",
        "what the same tokens on the baseline model would have cost, less what was paid: an estimate; failures save nothing",
    ),
    (
        "within error, unclear",
        "in the place of a difference: its error is as large, so it is neither better nor worse",
    ),
    ("saved, net", "on Spend: less also what routing itself cost, lost caches and shadow calls among it"),
    ("flip", "to be sent elsewhere by the staged policy"),
];
