//! What a log that nobody knows might mean: a mapping by the names and values of its keys, and what it would read.

use std::fmt::Write as _;

use super::field::{Field, Unit, words};
use super::names::{CLOUDS, COUNTED, NAMES, PLAIN, PRICING, VAGUE, place};
use super::path::{Found, Path, Told};
use super::shape::Shape;
use super::{Mapping, Place, date, value};
use crate::record::Record;

/// Rows that a proposal shows.
const ROWS: usize = 3;

/// A proposal: the mapping, and what it would read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) mapping: Mapping,
    pub(crate) rows: String,
}

/// Proposes a mapping; `None` where the keys tell neither model nor tokens.
pub(crate) fn propose(shape: &Shape) -> Option<Proposal> {
    let samples = shape.samples();
    let keys: Vec<Key> = shape.keys.iter().map(|key| Key::new(key, &samples)).collect();
    let mut mapping = Mapping::default();
    let mut taken = vec![false; keys.len()];
    for (field, names) in NAMES {
        let fit = |(at, key): (usize, &Key)| Some((key.rank(*field, names)?, at));
        let open = keys.iter().enumerate().filter(|(at, _)| !taken.get(*at).copied().unwrap_or(true));
        let Some((_, at)) = open.filter_map(fit).min() else { continue };
        let (Some(key), Some(slot)) = (keys.get(at), taken.get_mut(at)) else { continue };
        *slot = true;
        let unit = match field {
            Field::At | Field::Ended => key.order(),
            field if field.is_length() => key.unit(),
            field => key.money_unit(*field),
        };
        let field =
            if *field == Field::In && is_fresh(&mapping, key, &samples) { &Field::Fresh } else { field };
        mapping.places.push(Place { field: *field, unit, paths: vec![Path::new(&key.path)] });
    }
    // Who was asked is who answered where nothing else says so.
    if mapping.place(Field::Model).is_none()
        && let Some(asked) = mapping.places.iter_mut().find(|place| place.field == Field::Asked)
    {
        asked.field = Field::Model;
    }
    // Two fields for the answer's fate, or the whole beside its parts, help nobody where one tells all.
    let has = |field| mapping.place(field).is_some();
    let has_prompt = has(Field::In) || has(Field::Fresh);
    let tells = has(Field::Model) || has_prompt || has(Field::Out);
    if !tells || !(has_prompt || has(Field::Out) || has(Field::Cost) || has(Field::At)) {
        return None;
    }
    // Letters alone could be anything's.
    let is_letter = |field| {
        mapping.place(field).is_some_and(|place| place.paths.iter().all(|path| path.as_str().len() == 1))
    };
    if !has(Field::Model) && [Field::In, Field::Out].into_iter().any(is_letter) {
        return None;
    }
    let order = |place: &Place| super::FIELDS.iter().position(|(field, ..)| *field == place.field);
    mapping.places.sort_by_key(order);
    let mut rows = rows(&mapping, shape);
    for place in mapping.places.iter().filter(|place| place.unit.is_some_and(Unit::is_order)) {
        let named = |key: &&Key| place.paths.iter().any(|path| path.as_str() == key.path);
        if let Some(key) =
            keys.iter().find(named).filter(|key| key.values.iter().all(|word| date::wants_order(word)))
        {
            let (name, path) = (place.field.name(), &key.path);
            let _ = writeln!(
                rows,
                "  whether day or month comes first in {path} cannot be seen: {name}_dmy={path} or {name}_mdy={path}"
            );
        }
    }
    for key in keys.iter().filter(|key| key.is_length()) {
        let is_read = mapping.places.iter().any(|place| place.paths.iter().any(|at| at.as_str() == key.path));
        let unit = key.unit().filter(|_| is_read).map_or("not read", |unit| match unit {
            Unit::Seconds => "seconds, by its size",
            Unit::Millis => "milliseconds, by its size",
            Unit::Micros => "microseconds, by its size",
            _ => "nanoseconds, by its size",
        });
        let path = &key.path;
        let _ =
            writeln!(rows, "  {path} does not tell its unit ({unit}): latency_s={path} or latency_ms={path}");
    }
    // What only says again what is read is no loss.
    let is_read =
        |values: &[String]| keys.iter().zip(&taken).any(|(key, taken)| *taken && key.values == values);
    let left = keys.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(key, _)| key);
    let left = left.filter(|key| key.counts_something() && !is_read(&key.values));
    let left: Vec<&str> = left.map(|key| key.path.as_str()).collect();
    if !left.is_empty() {
        let _ = writeln!(rows, "  not read: {} (name them if they are billed apart)", left.join(", "));
    }
    let priced = keys.iter().zip(&taken).filter(|(key, taken)| !**taken && key.may_price());
    let priced: Vec<&str> = priced.map(|(key, _)| key.path.as_str()).collect();
    if !priced.is_empty() {
        let _ = writeln!(rows, "  not read, though prices may go by it: {}", priced.join(", "));
    }
    Some(Proposal { mapping, rows })
}

/// Says whether a prompt count leaves cached tokens out: it is called as Anthropic or Bedrock calls its own, beside cached tokens
/// that are called so, too, or it is smaller than those.
fn is_fresh(mapping: &Mapping, prompt: &Key, samples: &[Told<'_>]) -> bool {
    let cached: Vec<&Path> = [Field::Cached, Field::CacheWrite]
        .into_iter()
        .filter_map(|field| mapping.place(field)?.paths.first())
        .collect();
    let last = |path: &str| words(path.rsplit('.').next().unwrap_or_default()).concat();
    let parts: &[&str] = match &*last(&prompt.path) {
        "inputtokens" => &["cachereadinputtokens", "cachecreationinputtokens"],
        "inputtokencount" => &["cachereadinputtokencount", "cachewriteinputtokencount"],
        _ => &[],
    };
    if cached.iter().any(|path| parts.contains(&&*last(path.as_str()))) {
        return true;
    }
    let whole = Path::new(&prompt.path);
    let count = |path: &Path, sample| match path.look(sample) {
        Found::Word(word) => value::count(&word),
        _ => None,
    };
    samples.iter().any(|sample| {
        let told = cached.iter().filter_map(|path| count(path, sample)).fold(0, u64::saturating_add);
        count(&whole, sample).is_some_and(|prompt| told > prompt)
    })
}

/// A key and what stands at it.
struct Key {
    path: String,
    /// The last word group of it, run together, with and without its unit.
    last: Vec<String>,
    /// The last two keys, run together.
    both: Vec<String>,
    /// Whether the keys around it say nothing of what it is.
    is_plain: bool,
    /// Whether its last word is `model`, whatever stands before it.
    ends_in_model: bool,
    values: Vec<String>,
}

impl Key {
    fn new(path: &str, samples: &[Told<'_>]) -> Self {
        let steps: Vec<&str> = path.split('.').collect();
        let (last, around) = steps.split_last().map_or(("", &[][..]), |(last, around)| (*last, around));
        let parent = around.iter().rev().find(|step| **step != "0").copied().unwrap_or_default();
        let forms = |key: &str| {
            let parts = words(key);
            let mut forms = vec![parts.concat()];
            if let Some((unit, stem)) = parts.split_last()
                && !stem.is_empty()
                && Unit::named(unit).is_some()
            {
                forms.push(stem.concat());
            }
            forms
        };
        let looked = Path::new(path);
        let values = samples
            .iter()
            .filter_map(|sample| if let Found::Word(word) = looked.look(sample) { Some(word) } else { None })
            .collect();
        let is_plain = around.iter().all(|step| words(step).iter().all(|word| place(PLAIN, word).is_some()));
        Self {
            path: path.to_owned(),
            last: forms(last),
            ends_in_model: words(last).pop().is_some_and(|word| word == "model"),
            both: if parent.is_empty() { Vec::new() } else { forms(&format!("{parent}_{last}")) },
            is_plain,
            values,
        }
    }

    /// Says whether it is called like tokens, or what costs apart, and holds more than zero of them.
    fn counts_something(&self) -> bool {
        let last = self.last.first().map(String::as_str).unwrap_or_default();
        let is_limit = ["max", "limit", "rate", "total"].iter().any(|word| last.contains(word));
        // A flag says that the gateway's own cache answered, which costs nothing.
        let is_hit = |word: &str| {
            last.contains("cache") && (word.eq_ignore_ascii_case("hit") || value::flag(word) == Some(true))
        };
        let is_some = |word: &String| value::count(word).is_some_and(|count| count > 0) || is_hit(word);
        !is_limit && COUNTED.iter().any(|word| last.contains(word)) && self.values.iter().any(is_some)
    }

    /// Says whether it tells what prices may go by beside the model.
    fn may_price(&self) -> bool {
        let is_some = |word: &String| !word.is_empty() && value::flag(word) != Some(false);
        self.last.iter().any(|form| place(PRICING, form).is_some()) && self.values.iter().any(is_some)
    }

    /// Says whether it is called like a length of time and does not tell in which unit its numbers are.
    fn is_length(&self) -> bool {
        let names = |field| NAMES.iter().find(|(named, _)| *named == field).map_or("", |(_, names)| names);
        let is_called = |field| self.last.iter().any(|form| place(names(field), form).is_some());
        (is_called(Field::Latency) || is_called(Field::FirstToken))
            && self.named_unit().is_none()
            && self.values.iter().any(|word| word.parse::<f64>().is_ok())
    }

    /// Returns the unit that its name ends in.
    fn named_unit(&self) -> Option<Unit> {
        Unit::named(&words(self.path.rsplit('.').next()?).pop()?)
    }

    /// Says whether it holds 0 and 1 alone, and is not called tokens.
    fn is_flag(&self) -> bool {
        let is_bit = |word: &String| matches!(word.as_str(), "0" | "1");
        !self.last.iter().any(|form| form.contains("tok"))
            && self.values.iter().all(is_bit)
            && self.values.iter().any(|word| word == "1")
    }

    /// Says how well it fits a field; less is better.
    fn rank(&self, field: Field, names: &str) -> Option<usize> {
        let best = |forms: &[String]| forms.iter().filter_map(|form| place(names, form)).min();
        let is_clear = |form: &&String| self.is_plain || place(VAGUE, form).is_none();
        let alone = self.last.iter().filter(is_clear).filter_map(|form| place(names, form)).min();
        let ranks = [best(&self.both).map(|at| at * 2), alone.map(|at| at * 2 + 1)];
        let any = (field == Field::Model && self.ends_in_model).then_some(usize::MAX);
        let best = ranks.into_iter().flatten().chain(any).min()?;
        // Of two names of a model the cloud's own says whose prices are due.
        let is_clouds = |word: &String| CLOUDS.iter().any(|start| word.starts_with(start));
        let best = if field == Field::Model && self.values.iter().any(is_clouds) { 0 } else { best };
        self.holds(field).then_some(best)
    }

    /// Says whether what stands there can be meant for a field.
    fn holds(&self, field: Field) -> bool {
        // A bad line or two does not hide what the others tell.
        let all = |fits: &dyn Fn(&str) -> bool| {
            let fitting = self.values.iter().filter(|word| fits(word)).count();
            fitting > 0 && fitting * 2 >= self.values.len()
        };
        let is_number = |word: &str| word.parse::<f64>().is_ok();
        // What its name ends in is a unit of something else.
        if self.named_unit().is_some_and(|unit| !field.takes(unit)) {
            return false;
        }
        match field {
            Field::Cached | Field::CacheWrite | Field::Reasoning if self.is_flag() => false,
            Field::At | Field::Ended => {
                let order = self.order();
                all(&|word| value::moment(word, order).is_some_and(|at| at.0 > 0))
            }
            Field::In
            | Field::Out
            | Field::Cached
            | Field::CacheWrite
            | Field::Reasoning
            | Field::Total
            | Field::Turn => all(&|word| value::count(word).is_some()),
            Field::Latency | Field::FirstToken => {
                all(&|word| value::millis(word, Some(Unit::Nanos)).is_some())
                    && !(self.is_length() && self.unit().is_none())
            }
            Field::Cost => all(&|word| value::dollars(word, None).is_some()),
            // A key of one letter needs values that look the part.
            Field::Model if self.last.iter().any(|form| form.len() == 1) => all(&|word| {
                !is_number(word) && word.len() <= 200 && word.contains(|c: char| c.is_ascii_digit())
            }),
            Field::Model | Field::Asked | Field::Provider | Field::Task | Field::Tier => {
                all(&|word| !is_number(word) && word.len() <= 200)
            }
            Field::Prompt => all(&|word| !is_number(word)),
            Field::Error | Field::Status => true,
            _ => !self.values.is_empty(),
        }
    }

    /// Returns the unit of a length of time: by its name, by its values' own, else by their size, where that tells.
    fn unit(&self) -> Option<Unit> {
        if let Some(unit) = self.named_unit() {
            return Some(unit);
        }
        let mut numbers: Vec<f64> = self.values.iter().filter_map(|word| word.parse().ok()).collect();
        if numbers.is_empty() {
            return None;
        }
        numbers.sort_by(f64::total_cmp);
        let middle = numbers.get(numbers.len() / 2).copied().unwrap_or_default();
        let is_broken = numbers.iter().any(|number| number.fract() != 0.0);
        Some(match middle {
            small if small < 200.0 && !is_broken => return None,
            small if small < 200.0 => Unit::Seconds,
            large if large >= 1e8 => Unit::Nanos,
            large if large >= 6e5 => Unit::Micros,
            _ => Unit::Millis,
        })
    }

    /// Returns the order of day and month where some value does not tell it: as others do, else day first.
    fn order(&self) -> Option<Unit> {
        if !self.values.iter().any(|word| date::wants_order(word)) {
            return None;
        }
        let reads =
            |order| self.values.iter().filter(|word| date::civil(word, Some(order)).is_some()).count();
        let is_month_first = reads(Unit::MonthFirst) > reads(Unit::DayFirst);
        Some(if is_month_first { Unit::MonthFirst } else { Unit::DayFirst })
    }

    fn money_unit(&self, field: Field) -> Option<Unit> {
        self.named_unit().filter(|unit| field == Field::Cost && *unit == Unit::Cents)
    }
}

/// Writes what a mapping reads of the first entries, as a small table.
fn rows(mapping: &Mapping, shape: &Shape) -> String {
    let read: Vec<Result<Record<'static>, String>> = (1u64..)
        .zip(shape.entries.iter().take(ROWS))
        .map(|(line, text)| {
            let told = super::entry(mapping, &shape.header, text, line);
            told.map(|told| *told.record).map_err(|refusal| refusal.at_line(line).reason)
        })
        .collect();
    let fields: Vec<Field> =
        mapping.places.iter().map(|place| place.field).filter(|field| shown(*field)).collect();
    let mut table = vec![fields.iter().map(|field| field.name().to_owned()).collect::<Vec<_>>()];
    for record in &read {
        table.push(match record {
            Ok(record) => fields.iter().map(|field| cell(*field, record)).collect(),
            Err(reason) => vec![format!("bad: {reason}")],
        });
    }
    let width = |at: usize| {
        table
            .iter()
            .filter(|row| row.len() > 1 || fields.len() == 1)
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
    };
    let mut text = String::new();
    for row in &table {
        text.push(' ');
        for (at, cell) in row.iter().enumerate() {
            let _ = write!(text, " {cell:<width$}", width = width(at).unwrap_or(0));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn shown(field: Field) -> bool {
    !matches!(field, Field::Prompt | Field::Total | Field::Ended | Field::Error)
}

fn cell(field: Field, record: &Record<'_>) -> String {
    let served = record.attempts.last();
    let usage = served.map(|served| served.usage).unwrap_or_default();
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let millis = |millis: Option<u32>| millis.map_or_else(|| "?".to_owned(), |millis| format!("{millis} ms"));
    let word = |word: &str| match word {
        "" => "?".to_owned(),
        word => match word.char_indices().nth(28) {
            Some((end, _)) => format!("{}…", word.get(..end).unwrap_or_default()),
            None => word.to_owned(),
        },
    };
    match field {
        Field::At => record.at.rfc3339(),
        Field::Model => word(served.map_or("", |served| &served.model)),
        Field::Provider => word(served.map_or("", |served| &served.provider)),
        Field::In => count(usage.prompt()),
        Field::Fresh => count(usage.input.get()),
        Field::Cached => count(usage.cache_read.get()),
        Field::CacheWrite => count(usage.write_5m.get()),
        Field::Out => count(usage.output.get()),
        Field::Reasoning => count(usage.reasoning.get()),
        Field::Latency => millis(served.and_then(|served| served.latency_ms)),
        Field::FirstToken => millis(served.and_then(|served| served.ttft_ms)),
        Field::Status => served.map_or("?", |served| served.status.name()).to_owned(),
        Field::Cost => record.claimed_usd.as_deref().map_or_else(|| "?".to_owned(), |usd| format!("${usd}")),
        Field::Id => word(&record.id),
        Field::Team => word(&record.team),
        Field::Project => word(&record.project),
        Field::User => word(&record.user),
        Field::Session => word(&record.session),
        Field::Asked => word(&record.asked),
        Field::Task => record.task.map_or("?", |task| task.name()).to_owned(),
        Field::Tier => {
            word(served.and_then(|served| served.terms.as_deref()).map_or("", |terms| terms.tier()))
        }
        _ => "..".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(text: &str) -> String {
        let proposal = propose(&Shape::of(text.as_bytes(), None).unwrap());
        proposal.map(|proposal| proposal.mapping.text()).unwrap_or_default()
    }

    #[test]
    fn a_date_that_could_be_either_asks_for_its_order() {
        let log = "when,model,in,out\n01/11/2026 10:00,gpt-4.1,5,6\n";
        let proposal = propose(&Shape::of(log.as_bytes(), None).unwrap()).unwrap();
        assert_eq!(proposal.mapping.text(), "at_dmy=when,model=model,in=in,out=out");
        assert!(proposal.rows.contains("at_dmy=when or at_mdy=when"), "{}", proposal.rows);
    }

    #[test]
    fn tokens_that_a_proposal_leaves_out_are_named() {
        let log = "ts,model,prompt_tokens,completion_tokens,image_tokens,audio_tokens\n2026-05-23 10:00:00,m,500,6,7,0\n";
        let rows = propose(&Shape::of(log.as_bytes(), None).unwrap()).unwrap().rows;
        assert!(rows.contains("not read: image_tokens (") && !rows.contains("audio"), "{rows}");
    }

    #[test]
    fn what_is_guessed_or_left_out_is_told() {
        let row = |key: &str, value: &str| {
            format!(
                r#"{{"ts":"2026-05-23T10:00:00Z","model":"gpt-4.1","input_tokens":100,"output_tokens":10,"{key}":{value}}}"#
            )
        };
        for (key, value, mapped, told) in [
            (
                "duration",
                "812",
                ",latency_ms=duration",
                "duration does not tell its unit (milliseconds, by its size)",
            ),
            ("duration", "2", "", "duration does not tell its unit (not read)"),
            (
                "duration",
                "1.5",
                ",latency_s=duration",
                "duration does not tell its unit (seconds, by its size)",
            ),
            ("cached", "1", "", "not read: cached ("),
            ("cache_hit", "true", "", "not read: cache_hit ("),
            ("cf-aig-cache-status", r#""HIT""#, "", "not read: cf-aig-cache-status ("),
            ("cost_micros", "2800", "", ""),
            ("batch", "true", "", "not read, though prices may go by it: batch"),
        ] {
            let log = row(key, value);
            let proposal = propose(&Shape::of(log.as_bytes(), None).unwrap()).unwrap();
            let want = format!("at=ts,model=model,in=input_tokens,out=output_tokens{mapped}");
            assert_eq!(proposal.mapping.text(), want, "{log}");
            assert!(proposal.rows.contains(told), "{told}: {}", proposal.rows);
        }
        // Which of two columns is meant is asked.
        let log = "ts,model,prompt_tokens,prompt_tokens\n2026-05-23 10:00:00,m,5,6\n";
        let rows = propose(&Shape::of(log.as_bytes(), None).unwrap()).unwrap().rows;
        assert!(rows.contains("not read: prompt_tokens#1, prompt_tokens#2"), "{rows}");
    }

    #[test]
    fn common_shapes_are_understood_by_their_names_and_values() {
        for (log, want) in [
            (
                r#"{"ts":"2026-05-23T10:00:00Z","req":{"model":"gpt-4.1","id":"r1"},"usage":{"prompt":120,"completion":30,"cached":20},"dur":812,"user":{"id":"u1"},"team":"search"}"#,
                "at=ts,id=req.id,team=team,user=user.id,model=req.model,in=usage.prompt,cached=usage.cached,out=usage.completion,latency_ms=dur",
            ),
            (
                "when;Model Name;Input Tokens;Output Tokens;Cost cents;Elapsed (s);HTTP Status\n2026-05-23 10:00:00;gpt-4.1;5;6;0,12;1.5;200\n",
                "at=when,model=Model Name,in=Input Tokens,out=Output Tokens,latency_s=Elapsed (s),status=HTTP Status,cost_cents=Cost cents",
            ),
            (
                r#"{"created":1779530412,"llm":"claude-haiku-4-5","tokens":{"in":5,"out":6},"took":"1.2s","prompt":"Which orders lack a sum?","err":null}"#,
                "at=created,model=llm,in=tokens.in,out=tokens.out,latency=took,error=err,prompt=prompt",
            ),
            // As Anthropic has it: the prompt leaves cached tokens out.
            (
                r#"{"ts":"2026-05-23T10:00:00Z","model":"claude-sonnet-4-6","usage":{"input_tokens":120,"output_tokens":30,"cache_read_input_tokens":20,"cache_creation_input_tokens":0}}"#,
                "at=ts,model=model,fresh=usage.input_tokens,cached=usage.cache_read_input_tokens,cache_write=usage.cache_creation_input_tokens,out=usage.output_tokens",
            ),
            (
                "ts,model,inputTokens,outputTokens,cacheReadInputTokens\n2026-05-23 10:00:00,claude-sonnet-4-6,5,6,2\n",
                "at=ts,model=model,fresh=inputTokens,cached=cacheReadInputTokens,out=outputTokens",
            ),
            // More cached than prompt shows it, whatever the keys are called.
            (
                "ts,model,prompt_tokens,completion_tokens,cached\n2026-05-23 10:00:00,m,500,6,2\n2026-05-23 10:00:01,m,5,6,2048\n",
                "at=ts,model=model,fresh=prompt_tokens,cached=cached,out=completion_tokens",
            ),
            // LiteLLM and its like add Anthropic's keys to a whole prompt; spans call the whole so.
            (
                "ts,model,prompt_tokens,completion_tokens,cache_read_input_tokens\n2026-05-23 10:00:00,m,500,6,20\n",
                "at=ts,model=model,in=prompt_tokens,cached=cache_read_input_tokens,out=completion_tokens",
            ),
            (
                r#"{"ts":"2026-05-23T10:00:00Z","model":"m","usage":{"inputTokens":120,"outputTokens":30,"cachedInputTokens":20}}"#,
                "at=ts,model=model,in=usage.inputTokens,cached=usage.cachedInputTokens,out=usage.outputTokens",
            ),
            // As clouds and gateways export them; of two names of a model the cloud's tells whose prices are due.
            (
                r#"{"TimeGenerated":"2026-05-23T10:00:00Z","CorrelationId":"c1","ModelName":"gpt-4.1","PromptTokens":100,"CompletionTokens":10,"TotalTokens":110}"#,
                "at=TimeGenerated,id=CorrelationId,model=ModelName,in=PromptTokens,out=CompletionTokens,total=TotalTokens",
            ),
            (
                r#"{"timestamp":"2026-05-23T10:00:00Z","jsonPayload":{"model":"gemini-2.5-pro"},"full_response":{"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":10,"cachedContentTokenCount":5,"thoughtsTokenCount":2}}}"#,
                "at=timestamp,model=jsonPayload.model,in=full_response.usageMetadata.promptTokenCount,cached=full_response.usageMetadata.cachedContentTokenCount,out=full_response.usageMetadata.candidatesTokenCount,reasoning=full_response.usageMetadata.thoughtsTokenCount",
            ),
            (
                "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,model_permaslug\ngen-1,2026-05-23 10:00:00.000,0.0028,1000,100,4,5,openai/gpt-4.1\n",
                "at=created_at,id=generation_id,model=model_permaslug,in=tokens_prompt,cached=tokens_cached,out=tokens_completion,reasoning=tokens_reasoning,cost=cost_total",
            ),
            (
                r#"{"timestamp":"2026-05-23T10:00:00Z","requestId":"r","modelId":"anthropic.claude-sonnet-4-5-20250929-v1:0","input":{"inputTokenCount":100,"cacheReadInputTokenCount":5},"output":{"outputBodyJson":{"model":"claude-sonnet-4-5-20250929"},"outputTokenCount":10}}"#,
                "at=timestamp,id=requestId,model=modelId,fresh=input.inputTokenCount,cached=input.cacheReadInputTokenCount,out=output.outputTokenCount",
            ),
            // Lengths are of text where no key says tokens; who was asked answered where nothing else says who did.
            (
                r#"{"ts":"2026-05-23T10:00:00Z","gen_ai":{"request":{"model":"gpt-4.1"}},"input_length":400,"output_length":40}"#,
                "at=ts,model=gen_ai.request.model",
            ),
            // The second date shows where the month stands.
            (
                "date,model,tokens_in,tokens_out\n01/11/2026 10:00,gpt-4.1,5,6\n01/13/2026 10:00,gpt-4.1,5,6\n",
                "at_mdy=date,model=model,in=tokens_in,out=tokens_out",
            ),
            ("when,model,in,out\n1 Nov 2026 10:00,gpt-4.1,5,6\n", "at=when,model=model,in=in,out=out"),
            (
                "When,Which Model,Tok In,Tok Out\n2026-05-23 10:00,gpt-4.1,5,6\n",
                "at=When,model=Which Model,in=Tok In,out=Tok Out",
            ),
            // Keys of a letter are understood where what stands there bears it out.
            (r#"{"t":1779530412,"m":"gpt-4.1","i":120,"o":30,"u":"ann"}"#, "at=t,user=u,model=m,in=i,out=o"),
            (r#"{"m":"red","i":120,"o":30}"#, ""),
            (r#"{"colour":"red","size":5}"#, ""),
        ] {
            assert_eq!(proposed(log), want, "{log}");
        }
    }
}
