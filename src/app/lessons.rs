//! What a classifier learns from or is judged by: questions with what several models' answers were worth, from sets or from logs.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{Progress, input};
use crate::checks::Says;
use crate::classifier::{Measures, Tags, TaskClass};
use crate::outcome::LabelSource;
use crate::pricing::{Cost, PriceBook, Usage, charge};
use crate::record::{self, Attempt, Check, Entry, Label, Outcomes, ReadOptions, Record};
use crate::units::{Count, Instant, Pico, counted};

/// One question, with what is known of answers to it.
#[derive(Debug)]
pub struct Lesson<'a> {
    /// What was asked, where known.
    pub prompt: Option<&'a str>,
    /// What else is known of it.
    pub measures: Measures,
    /// The question's hash; the same question has the same one in every set.
    pub question: u64,
    /// What groups it for a fixed split: 0 to 9.
    pub tenth: u64,
    /// By model: quality 0 to 1 where known, and cost.
    pub outcomes: Vec<(Cow<'a, str>, Option<f64>, Option<Pico>)>,
}

impl Lesson<'_> {
    /// Returns the quality of a model's answer.
    pub fn quality(&self, model: &str) -> Option<f64> {
        self.outcome(model)?.1
    }

    /// Returns the cost of a model's answer.
    pub fn cost(&self, model: &str) -> Option<Pico> {
        self.outcome(model)?.2
    }

    fn outcome(&self, model: &str) -> Option<&(Cow<'_, str>, Option<f64>, Option<Pico>)> {
        self.outcomes.iter().find(|(name, ..)| name == model)
    }
}

/// A model of which a file tells something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taught {
    /// Its name.
    pub name: String,
    /// Questions whose answer's quality is known.
    pub rows: u64,
    /// The mean of it.
    pub quality: f64,
}

/// What of a file could not be used.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// Lines that could not be read.
    pub bad: u64,
    /// What is wrong with the first of them.
    pub first_bad: Option<String>,
    /// Qualities outside 0 to 1.
    pub outside: u64,
    /// The first of them.
    pub first_outside: Option<String>,
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Models, the one with most rows first.
    pub models: Vec<Taught>,
    /// Questions.
    pub rows: u64,
    /// Those without a text.
    pub without_text: u64,
    /// Questions that an earlier row asked, too.
    pub again: u64,
    /// Lines that could not be read, and qualities that are none.
    pub passed: Passed,
    /// Whether it is a log of requests.
    pub is_log: bool,
}

/// A file of lessons.
#[derive(Debug)]
pub struct Lessons<'a> {
    path: &'a Path,
    read: &'a ReadOptions,
    book: &'a PriceBook,
    is_log: bool,
    /// Of a log: judgements told after their request.
    late: HashMap<String, Vec<(String, f64)>>,
    /// Files with more of them.
    beside: &'a [PathBuf],
}

impl<'a> Lessons<'a> {
    /// Opens a file and says what is in it.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(
        path: &'a Path,
        beside: &'a [PathBuf],
        read: &'a ReadOptions,
        book: &'a PriceBook,
    ) -> anyhow::Result<(Self, Contents)> {
        if path == Path::new("-") {
            anyhow::bail!(
                "standard input can be read only once and this is read twice; write it to a file first"
            );
        }
        let is_log = Outcomes::open(&input(&[path.to_owned()]))?.is_none();
        let mut lessons = Self { path, read, book, is_log, late: HashMap::new(), beside };
        if is_log || !beside.is_empty() {
            lessons.late = lessons.late_labels()?;
        }
        let mut sums: BTreeMap<String, (u64, f64)> = BTreeMap::new();
        let mut contents = Contents { is_log, ..Contents::default() };
        let mut questions = HashSet::new();
        let passed = lessons.each("looking through", |lesson| {
            contents.rows += 1;
            contents.again += u64::from(!questions.insert(lesson.question) && lesson.prompt.is_some());
            contents.without_text += u64::from(lesson.prompt.is_none());
            for (model, quality, _) in &lesson.outcomes {
                if let Some(quality) = quality {
                    let sum = if let Some(sum) = sums.get_mut(model.as_ref()) {
                        sum
                    } else {
                        sums.entry(model.clone().into_owned()).or_default()
                    };
                    *sum = (sum.0 + 1, sum.1 + quality);
                }
            }
        })?;
        let known: u64 = sums.values().map(|(rows, _)| rows).sum();
        if let Some(first) = passed.first_outside.as_ref().filter(|_| passed.outside * 20 > known) {
            anyhow::bail!(
                "{}: {} of {} qualities lie outside 0 to 1; {first}\nhint: write qualities as shares of the best: 0 is worthless, 1 as good as can be",
                path.display(),
                passed.outside,
                passed.outside + known
            );
        }
        contents.passed = passed;
        contents.models = (sums.into_iter())
            .map(|(name, (rows, sum))| Taught { name, rows, quality: sum / rows as f64 })
            .collect();
        crate::units::sort_by_key(&mut contents.models, |model| std::cmp::Reverse(model.rows));
        Ok((lessons, contents))
    }

    /// Passes every question on; returns what could not be used.
    ///
    /// # Errors
    /// Where reading fails.
    pub fn each(&self, doing: &str, mut each: impl FnMut(&Lesson<'_>)) -> anyhow::Result<Passed> {
        if self.is_log { self.each_request(doing, &mut each) } else { self.each_outcome(doing, &mut each) }
    }

    fn each_outcome(&self, doing: &str, each: &mut dyn FnMut(&Lesson<'_>)) -> anyhow::Result<Passed> {
        let Some(outcomes) = Outcomes::open(&input(&[self.path.to_owned()]))? else {
            anyhow::bail!("{}: changed while it was read", self.path.display());
        };
        let mut progress = Progress::new(doing, outcomes.progress().1);
        let (mut rows, mut passed) = (0, Passed::default());
        outcomes.each(|number, line, reader| {
            rows += 1;
            progress.update(reader.progress().0, rows);
            let line = match line {
                Ok(line) => line,
                Err(problem) => {
                    passed.bad += 1;
                    passed.first_bad.get_or_insert_with(|| format!("line {number}: {problem}"));
                    return true;
                }
            };
            for (model, outcome) in &line.outcomes {
                let quality = outcome.as_ref().and_then(|outcome| outcome.quality);
                if let Some(quality) = quality.filter(|quality| !(0.0..=1.0).contains(quality)) {
                    passed.outside += 1;
                    let told = || format!("line {number}, outcomes.{model}.quality: {quality}");
                    passed.first_outside.get_or_insert_with(told);
                }
            }
            let key = line.split_key.as_deref().filter(|key| !key.is_empty());
            let text = || line.prompt.as_deref().map_or_else(|| line.id.to_string(), str::to_owned);
            let question = key.map_or_else(
                || mixed(0, &text()),
                |key| u64::from_str_radix(key, 16).unwrap_or_else(|_| mixed(0, key)),
            );
            let text_of = |tag: &Option<Cow<'_, str>>| tag.as_deref().unwrap_or("").to_owned();
            each(&Lesson {
                prompt: line.prompt.as_deref().filter(|prompt| !prompt.is_empty()),
                measures: Measures {
                    tools: line.n_tools,
                    tags: Tags::of(&text_of(&line.task), &text_of(&line.project)),
                    ..Measures::default()
                },
                question: spread(question),
                tenth: (question & 0xFFFF) % 10,
                outcomes: (line.outcomes.iter())
                    .filter_map(|(model, outcome)| {
                        let outcome = outcome.as_ref()?;
                        let priced = || self.priced(model, outcome.input_tokens?, outcome.output_tokens?);
                        let said = line.name().and_then(|id| self.said(&id, model));
                        Some((model.clone(), said.or(outcome.worth()), outcome.cost().or_else(priced)))
                    })
                    .collect(),
            });
            true
        })?;
        progress.finish();
        Ok(passed)
    }

    /// Returns what was said of a model's answer beside the file.
    fn said(&self, id: &str, model: &str) -> Option<f64> {
        let all = (!self.late.is_empty()).then(|| self.late.get(id)).flatten()?;
        all.iter().rev().find(|(name, _)| name == model).map(|(_, quality)| *quality)
    }

    /// Prices tokens by the book, as it is now.
    fn priced(&self, model: &str, input: u64, output: u64) -> Option<Pico> {
        let rates = &self.book.find(model)?.dated(Instant(i64::MAX))?.standard;
        let usage = Usage { input: Count::new(input)?, output: Count::new(output)?, ..Usage::NONE };
        match charge(&usage, Some(rates)) {
            Cost::Known(cost) | Cost::Estimated(cost) => Some(cost),
            Cost::Unknown(_) => None,
        }
    }

    fn each_request(&self, doing: &str, each: &mut dyn FnMut(&Lesson<'_>)) -> anyhow::Result<Passed> {
        let mut rows = 0;
        self.each_entry(doing, &[self.path.to_owned()], |entry| {
            let Entry::Request(record) = entry else { return };
            if record.is_beside() {
                return;
            }
            rows += 1;
            let question = match record.prompt.as_deref() {
                Some(prompt) if !prompt.is_empty() => mixed(0, prompt),
                _ => mixed(0, &record.id),
            };
            let prompt = record.prompt.as_deref().filter(|prompt| !prompt.is_empty());
            let served = record.attempts.last();
            each(&Lesson {
                prompt,
                measures: Measures {
                    prompt_tokens: served.and_then(|attempt| attempt.usage.prompt()),
                    turn: record.turn,
                    tools: record.tools,
                    history: record.history,
                    after: 0,
                    task: record.task,
                    tags: Tags::of(record.task.map_or("", TaskClass::name), &record.project),
                },
                question: spread(question),
                tenth: (question & 0xFFFF) % 10,
                outcomes: self.outcomes(&record),
            });
        })
    }

    /// Gathers what a request's log says of answers: labels first, then whether an answer passed its check.
    fn outcomes<'r>(&self, record: &'r Record<'_>) -> Vec<(Cow<'r, str>, Option<f64>, Option<Pico>)> {
        let mut outcomes: Vec<(Cow<'r, str>, Option<f64>, Option<Pico>)> = Vec::new();
        let mut add = |model: &'r str, quality: Option<f64>, cost: Option<Pico>| match outcomes
            .iter_mut()
            .find(|(name, ..)| name == model)
        {
            Some(outcome) => (outcome.1, outcome.2) = (outcome.1.or(quality), outcome.2.or(cost)),
            None => outcomes.push((Cow::Borrowed(model), quality, cost)),
        };
        for label in &record.labels {
            add(&label.model, worth(label), None);
        }
        for attempt in record.attempts.iter().filter(|attempt| !attempt.model.is_empty()) {
            add(&attempt.model, checked(attempt), self.cost_of(attempt));
        }
        for (model, quality) in self.late.get(record.id.as_ref()).into_iter().flatten() {
            match outcomes.iter_mut().find(|(name, ..)| name == model) {
                Some(outcome) => outcome.1 = Some(*quality),
                None => outcomes.push((Cow::Owned(model.clone()), Some(*quality), None)),
            }
        }
        outcomes
    }

    fn cost_of(&self, attempt: &Attempt<'_>) -> Option<Pico> {
        self.priced(&attempt.model, attempt.usage.prompt()?, attempt.usage.output.get()?)
    }

    fn late_labels(&self) -> anyhow::Result<HashMap<String, Vec<(String, f64)>>> {
        let mut late: HashMap<String, Vec<(String, f64)>> = HashMap::new();
        // The last word counts, and a judge's comes before everybody else's.
        let mut judged: HashMap<String, Vec<(String, f64)>> = HashMap::new();
        let own = self.is_log.then(|| self.path.to_owned());
        let paths: Vec<PathBuf> = own.into_iter().chain(self.beside.iter().cloned()).collect();
        self.each_entry("looking for labels", &paths, |entry| {
            if let Entry::Label(label) = entry
                && let Some(quality) = worth(&label.label)
            {
                let source = LabelSource::of(&label.label.source);
                if source == LabelSource::Simulated {
                    return;
                }
                let list = if source == LabelSource::Judge { &mut judged } else { &mut late };
                let said = (label.label.model.into_owned(), quality);
                list.entry(label.id.into_owned()).or_default().push(said);
            }
        })?;
        for (id, mut said) in judged {
            let known = late.entry(id).or_default();
            said.append(known);
            *known = said;
        }
        Ok(late)
    }

    fn each_entry(
        &self,
        doing: &str,
        paths: &[PathBuf],
        mut each: impl FnMut(Entry<'_>),
    ) -> anyhow::Result<Passed> {
        let mut source = record::open(&input(paths), self.read)?;
        let watch = source.progress();
        let mut progress = Progress::new(doing, watch.total);
        let (mut rows, mut passed) = (0, Passed::default());
        while let Some(block) = source.next_block() {
            let block = block?;
            let _ = block.for_each_new(source.known(), |_, entry| {
                rows += 1;
                match entry {
                    Ok(entry) => each(entry),
                    Err(skip) => {
                        passed.bad += 1;
                        passed.first_bad.get_or_insert_with(|| skip.to_string());
                    }
                }
                ControlFlow::Continue(())
            });
            progress.update(watch.read(), rows);
        }
        progress.finish();
        Ok(passed)
    }
}

fn worth(label: &Label<'_>) -> Option<f64> {
    label.quality.map(|quality| f64::from(quality.get()) / 1000.0)
}

fn checked(attempt: &Attempt<'_>) -> Option<f64> {
    match attempt.check {
        Check::Passed => Some(1.0),
        Check::Failed => Some(0.0),
        // A failure that its route only records is one all the same.
        Check::None => attempt.verdicts.iter().any(|verdict| verdict.says == Says::Failed).then_some(0.0),
    }
}

/// Draws a number for a text by a seed, the same on every machine.
pub(super) fn mixed(seed: u64, text: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    spread(text.bytes().fold(0xCBF2_9CE4_8422_2325 ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), fold))
}

/// Spreads a key over all bits.
const fn spread(key: u64) -> u64 {
    let mixed = (key ^ (key >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// Finds the one model that is meant: by its name, or by a part that no other has.
///
/// # Errors
/// Where none or several are meant; the message lists what there is.
pub fn meant(wanted: &str, contents: &Contents, path: &Path) -> anyhow::Result<String> {
    let lower = wanted.to_lowercase();
    let by = |is: &dyn Fn(&str) -> bool| -> Vec<&Taught> {
        contents.models.iter().filter(|model| is(&model.name)).collect()
    };
    for found in [
        by(&|name| name == wanted),
        by(&|name| name.to_lowercase() == lower),
        by(&|name| name.to_lowercase().contains(&lower)),
    ] {
        match found.as_slice() {
            [one] => return Ok(one.name.clone()),
            [] => {}
            several => {
                let names: Vec<&str> = several.iter().map(|model| model.name.as_str()).collect();
                anyhow::bail!("{wanted} may mean {}; write one of them", names.join(", "));
            }
        }
    }
    anyhow::bail!("{}: nothing is known of answers of {wanted}\n{}", path.display(), list(contents))
}

/// Lists the models that a file teaches of.
pub fn list(contents: &Contents) -> String {
    let Passed { bad, first_bad, .. } = &contents.passed;
    if let Some(first) = first_bad.as_ref().filter(|_| contents.models.is_empty()) {
        return format!("hint: {} could not be read; {first}", counted(*bad, "line"));
    }
    if contents.models.is_empty() {
        return if contents.rows == 0 {
            "hint: it holds no questions and no requests".to_owned()
        } else if contents.is_log {
            "hint: no request of the log says how good an answer was; label some (`labels` of its entries, label events, or checks)".to_owned()
        } else {
            "hint: no line says in outcomes.MODEL.quality, from 0 to 1, how good an answer was".to_owned()
        };
    }
    let mut lines = vec!["models in it, with labelled answers and their mean quality:".to_owned()];
    for model in contents.models.iter().take(60) {
        lines.push(format!("  {}  {}  {:.3}", model.name, counted(model.rows, "answer"), model.quality));
    }
    lines.join("\n")
}

/// Names the file of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| path.display().to_string(), |name| PathBuf::from(name).display().to_string())
}
