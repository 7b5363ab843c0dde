//! What trials leave behind: answers, for people to judge and for the next trial to use, and labels.
//!
//! Invariants: a line is written in one piece and read by whoever wrote it alone; simulated answers never pass for real ones.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Map, json};

use super::{Arms, Question};
use crate::app::input;
use crate::gateway::{Bench, Came};
use crate::record::{self, Entry, Label, LateLabel, ModelOutcome, Outcomes, ReadOptions};
use crate::units::PerMille;

/// The files of a trial, and what they hold of the questions asked.
#[derive(Debug)]
pub struct Kept {
    answers: File,
    labels: File,
    /// By question and model.
    answered: HashMap<(String, String), ModelOutcome>,
    /// By question and model: what each source said.
    said: HashMap<(String, String), HashMap<String, PerMille>>,
    simulates: HashSet<String>,
}

fn opened(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    // They hold what was asked.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    record::open_to_add(path, &mut options)
        .with_context(|| format!("{}: it cannot be written", path.display()))
}

impl Kept {
    /// Opens or makes the files, and reads what they hold of the questions.
    ///
    /// # Errors
    /// Where one cannot be read or written.
    pub fn open(
        answers: &Path,
        labels: &Path,
        questions: &[Question],
        (bench, arms): (&Bench, &Arms),
    ) -> anyhow::Result<Self> {
        let models = questions.iter().map(|question| &*question.served).chain([&*arms.model, &*arms.judge]);
        let simulated =
            models.filter(|model| bench.server(model).is_some_and(|(_, is_simulated)| is_simulated));
        let mut kept = Self {
            simulates: simulated.map(str::to_owned).collect(),
            answers: opened(answers)?,
            labels: opened(labels)?,
            answered: HashMap::new(),
            said: HashMap::new(),
        };
        let asked: HashMap<&str, &str> =
            questions.iter().map(|question| (&*question.id, &*question.prompt)).collect();
        kept.read_answers(answers, &asked)?;
        if kept.labels.seek(io::SeekFrom::End(0))? == 0 {
            let header = record::Header { source: "trials".to_owned(), ..record::Header::default() };
            record::Writer::new(&mut kept.labels, &header).finish()?;
        } else {
            kept.read_labels(labels, &asked)?;
        }
        Ok(kept)
    }

    fn read_answers(&mut self, path: &Path, asked: &HashMap<&str, &str>) -> anyhow::Result<()> {
        let Some(lines) = Outcomes::open(&input(&[path.to_owned()]))? else {
            anyhow::ensure!(
                self.answers.seek(io::SeekFrom::End(0))? == 0,
                "{}: it is there and holds no answers\nhint: name another file with --answers",
                path.display()
            );
            return Ok(());
        };
        lines.each(|_, line, _| {
            if let Ok(line) = line
                && let Some(id) = line.name()
                && asked.get(&*id).is_some_and(|prompt| line.prompt.as_deref() == Some(*prompt))
            {
                let answers = line
                    .outcomes
                    .into_iter()
                    .filter_map(|(model, outcome)| Some((model.into_owned(), outcome?)));
                let answers = answers.filter(|(model, outcome)| {
                    outcome.answer.is_some() && outcome.simulated == self.simulates.contains(model)
                });
                let answers: Vec<_> =
                    answers.map(|(model, outcome)| ((id.clone(), model), outcome)).collect();
                self.answered.extend(answers);
            }
            true
        })?;
        Ok(())
    }

    fn read_labels(&mut self, path: &Path, asked: &HashMap<&str, &str>) -> anyhow::Result<()> {
        let named = || format!("{}: labels of earlier trials cannot be read", path.display());
        let read = record::open(&input(&[path.to_owned()]), &ReadOptions::default())
            .with_context(named)?
            .for_each(|_, _, entry| {
                if let Ok(Entry::Label(late)) = entry
                    && let Some(quality) = late.label.quality
                    && asked.contains_key(&*late.id)
                {
                    let of = (late.id.into_owned(), late.label.model.into_owned());
                    self.said.entry(of).or_default().insert(late.label.source.into_owned(), quality);
                }
                ControlFlow::Continue(())
            });
        read.with_context(named).map(|_| ())
    }

    /// Returns a model's answer, where it is there.
    pub fn answer(&self, question: &Question, model: &str) -> Option<&str> {
        self.outcome(question, model)?.answer.as_deref()
    }

    /// Returns all that is known of a model's answer.
    pub fn outcome(&self, question: &Question, model: &str) -> Option<&ModelOutcome> {
        self.answered.get(&(question.id.clone(), model.to_owned()))
    }

    /// Returns what the judge said of both answers, the served one's first; only where both are there.
    pub fn verdict(&self, question: &Question, arms: &Arms) -> Option<[PerMille; 2]> {
        let source = self.source(question, arms);
        let of = |model: &str| {
            self.outcome(question, model)?;
            self.said.get(&(question.id.clone(), model.to_owned()))?.get(&source).copied()
        };
        Some([of(&question.served)?, of(&arms.model)?])
    }

    /// Names who judged, in the words of a log.
    fn source(&self, question: &Question, arms: &Arms) -> String {
        let all = [&question.served, &arms.model, &arms.judge];
        let is_simulated = all.into_iter().any(|model| self.simulates.contains(&**model));
        format!("judge {}{}", arms.judge, if is_simulated { " (simulated)" } else { "" })
    }

    /// Takes answers that came: into memory and onto the disk.
    pub(super) fn answered(
        &mut self,
        question: &Question,
        models: &[&str],
        came: impl Iterator<Item = (Arc<str>, Came)>,
    ) -> io::Result<()> {
        for (model, came) in came {
            let Ok(text) = came.text else { continue };
            let mut outcome = ModelOutcome::answered(text, (came.prompt, came.output), came.cost.known());
            outcome.simulated = self.simulates.contains(&*model);
            self.answered.insert((question.id.clone(), model.to_string()), outcome);
        }
        let mut outcomes = Map::new();
        for &model in models {
            if let Some(outcome) = self.outcome(question, model) {
                outcomes.insert(model.to_owned(), serde_json::to_value(outcome)?);
            }
        }
        if outcomes.is_empty() {
            return Ok(());
        }
        let line = json!({"id": question.id, "prompt": question.prompt, "outcomes": outcomes});
        self.answers.write_all(format!("{line}\n").as_bytes())
    }

    /// Takes a verdict, likewise.
    pub(super) fn judged(
        &mut self,
        question: &Question,
        arms: &Arms,
        verdict: [PerMille; 2],
    ) -> io::Result<()> {
        let (at, source, mut lines) = (crate::ledger::now(), self.source(question, arms), Vec::new());
        for (model, quality) in [&question.served, &arms.model].into_iter().zip(verdict) {
            // How long the candidate's answer is nobody else knows.
            let output = self.outcome(question, model).and_then(|outcome| outcome.output_tokens);
            let label = Label {
                model: (&**model).into(),
                quality: Some(quality),
                output: output.filter(|_| *model == arms.model),
                source: source.as_str().into(),
            };
            let late = LateLabel { at, id: question.id.as_str().into(), label };
            record::append_line(&mut lines, &Entry::Label(Box::new(late)));
            let of = (question.id.clone(), model.to_string());
            self.said.entry(of).or_default().insert(source.clone(), quality);
        }
        self.labels.write_all(&lines)
    }
}
