//! Bills as tables: columns found by their names, or named by whoever has the table.

use super::line::{Bill, BillLine, BillSource, day_of, model_of, not_dollars};
use crate::record::csv::{Columns, Row};
use crate::record::cut::MAX_ENTRY;
use crate::record::mapped::{civil, wants_order};
use crate::record::rows::Rows;
use crate::record::skip::Refusal;
use crate::units::{Instant, Pico, Span};

/// Fields, and what columns of them are called, in lower case.
const FIELDS: [(&str, &[&str]); 8] = [
    (
        "day",
        &[
            "day",
            "date",
            "usage_date",
            "start_time",
            "start_time_iso",
            "starting_at",
            "chargeperiodstart",
            "usage_date_utc",
            "timestamp",
            "time",
        ],
    ),
    ("end", &["end", "end_time", "end_time_iso", "ending_at", "chargeperiodend"]),
    (
        "model",
        &["model", "model_version", "model_name", "x_model", "line_item", "sku", "meter", "description"],
    ),
    (
        "usd",
        &[
            "usd",
            "cost_usd",
            "cost (usd)",
            "amount_value",
            "billedcost",
            "cost",
            "amount",
            "total_cost",
            "amount_usd",
            "spend",
            "total",
        ],
    ),
    ("currency", &["currency", "amount_currency", "billingcurrency"]),
    ("input", &["input_tokens", "prompt_tokens", "input", "context_tokens"]),
    ("output", &["output_tokens", "completion_tokens", "output", "generated_tokens"]),
    ("requests", &["requests", "num_model_requests", "request_count", "num_requests"]),
];

/// Names the fields that columns can be named for.
pub(super) fn fields() -> String {
    FIELDS.map(|(field, _)| field).join(", ")
}

pub(super) fn read(text: &str, named: &[(String, String)]) -> Result<Bill, (usize, String)> {
    let mut lines = text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty());
    let Some((above, head)) = lines.next() else { return Err((1, "the bill is empty".to_owned())) };
    let delimiter =
        [b'\t', b';', b','].into_iter().find(|byte| head.as_bytes().contains(byte)).unwrap_or(b',');
    let columns = Columns::read(head, delimiter);
    if let Some((field, _)) = named.iter().find(|(field, _)| !FIELDS.iter().any(|(known, _)| known == field))
    {
        return Err((1, format!("--columns: `{field}` is no field; there are {}", fields())));
    }
    let find = |field: &str, names: &[&str]| -> Result<Option<String>, (usize, String)> {
        if let Some((_, column)) = named.iter().find(|(own, _)| own == field) {
            let column = column.to_lowercase();
            if !columns.has(&column) {
                return Err((1, format!("--columns: there is no column `{column}`")));
            }
            return Ok(Some(column));
        }
        Ok(names.iter().find(|name| columns.has(name)).map(|name| (*name).to_owned()))
    };
    let mut places: [Option<String>; 8] = [const { None }; 8];
    for (place, (field, names)) in places.iter_mut().zip(FIELDS) {
        *place = find(field, names)?;
    }
    let [day, _, _, usd, _, input, ..] = &places;
    if day.is_none() || (usd.is_none() && input.is_none()) {
        let missing = if day.is_none() { "day" } else { "amount" };
        return Err((
            1,
            format!(
                "no column for the {missing} in `{}`; name it with --columns day=NAME,usd=NAME (there are {})",
                columns.names.join(","),
                fields()
            ),
        ));
    }
    let mut bill = Bill::new(BillSource::Table);
    // A quoted cell may hold line ends.
    let (mut data, mut pieces) = (Vec::new(), Vec::new());
    let below: usize = text.split_inclusive('\n').take(above + 1).map(str::len).sum();
    let mut cut = Rows::new(delimiter, MAX_ENTRY, above as u64 + 2);
    cut.feed(text.get(below..).unwrap_or_default().as_bytes(), &mut data, &mut pieces);
    cut.end(&mut data, &mut pieces);
    let rows: Vec<(u64, &str)> = pieces
        .iter()
        .filter_map(|piece| Some((piece.line, std::str::from_utf8(data.get(piece.start..piece.end)?).ok()?)))
        .filter(|(_, row)| !row.trim().is_empty())
        .collect();
    // Where commas are no delimiters they may be decimal points: the column tells.
    let point = if delimiter == b';' {
        let column = places[3].as_deref().unwrap_or_default();
        rows.iter().find_map(|(_, row)| point_of(bare(columns.row(row).get(column))))
    } else {
        Some('.')
    };
    for (at, row) in rows {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let line = line(&columns.row(row), &places, point).map_err(|reason| (at, reason))?;
        if let Some(line) = line {
            bill.covers(line.day, line.day + Span::days(1));
            bill.lines.push(line);
        }
    }
    Ok(bill)
}

fn line(
    row: &Row<'_>,
    places: &[Option<String>; 8],
    point: Option<char>,
) -> Result<Option<BillLine>, String> {
    let [day, end, model, usd, currency, input, output, requests] =
        places.each_ref().map(|place| place.as_deref().map_or("", |column| row.get(column)));
    let amount = amount(usd, point)?;
    let count = |place: usize| {
        let column = places.get(place).and_then(Option::as_deref);
        column.map_or(Ok(None), |column| row.count(column)).map_err(|refusal| match refusal {
            Refusal::Bad(reason) | Refusal::NoLog(reason) => reason,
            Refusal::NotACall(reason) | Refusal::Repeated(reason) => reason.to_owned(),
        })
    };
    if amount.is_none() && input.is_empty() && output.is_empty() && requests.is_empty() {
        // A day on which nothing is owed.
        return Ok(None);
    }
    if !currency.is_empty() && !currency.eq_ignore_ascii_case("usd") {
        return Err(not_dollars(currency));
    }
    let start = moment(day).ok_or_else(|| {
        let why = if wants_order(day) { "may be one of two days" } else { "is no day" };
        format!("`{day}` {why}; write 2026-11-02")
    })?;
    let end = if end.is_empty() { None } else { moment(end) };
    Ok(Some(BillLine {
        day: day_of(start, end)?,
        model: model_of(model),
        amount,
        input: count(5)?,
        output: count(6)?,
        requests: count(7)?,
    }))
}

fn moment(text: &str) -> Option<Instant> {
    if let Ok(number) = text.parse::<i64>() {
        return match number {
            1_000_000_000..100_000_000_000 => Some(Instant::from_secs(number)),
            100_000_000_000.. => Some(Instant::from_millis(number)),
            _ => None,
        };
    }
    let dashed = text.replace('/', "-");
    let whole = if dashed.len() == 10 { format!("{dashed}T00:00:00Z") } else { dashed };
    let written = || civil(text, None).map(|at| Instant(at.and_utc().timestamp_micros()));
    Instant::parse(&whole).ok().or_else(written)
}

/// Returns an amount without signs of its currency.
fn bare(text: &str) -> &str {
    text.trim().trim_start_matches('$').trim_end_matches("USD").trim()
}

/// Says what is the decimal point of an amount, a point or a comma: the last of both, or the only one, where it cannot part
/// thousands. `None` where it may be either or there is none.
pub(in crate::record) fn point_of(amount: &str) -> Option<char> {
    let last = amount.chars().rfind(|c| matches!(c, '.' | ','))?;
    let other = if last == '.' { ',' } else { '.' };
    let whole = amount.trim_start_matches(['-', '+', '$']);
    if amount.contains(other) || !parts_thousands(whole, last) {
        return Some(last);
    }
    (amount.matches(last).count() > 1).then_some(other)
}

/// Reads an amount: `1234.5`, `$1,234.50`, and `1.234,50` where a comma is the decimal point. A mark that cannot stand for
/// thousands is refused: whoever writes `0,017` writes `12,345` for twelve, too.
fn amount(text: &str, point: Option<char>) -> Result<Option<Pico>, String> {
    let plain = bare(text);
    if plain.is_empty() || matches!(plain, "-" | "null" | "NULL") {
        return Ok(None);
    }
    let point = match point {
        None if plain.contains(['.', ',']) => {
            return Err(format!(
                "`{text}` may be either: nothing in its column shows whether points or commas part thousands"
            ));
        }
        known => known.unwrap_or('.'),
    };
    let mark = if point == '.' { ',' } else { '.' };
    let (whole, rest) = plain.split_once(point).unwrap_or((plain, ""));
    if rest.contains(mark) || !parts_thousands(whole.trim_start_matches(['-', '+', '$']), mark) {
        return Err(format!(
            "`{text}` has a `{mark}` that parts no thousands; write amounts as 1234.56, or part the fields by semicolons where \
             commas are decimal points"
        ));
    }
    let plain = plain.replace(mark, "").replace(',', ".");
    Pico::from_others(&plain, 12).map(Some).map_err(|_| format!("`{text}` is no amount in dollars"))
}

/// Says whether marks in a whole number stand where thousands are parted, if there are any.
fn parts_thousands(whole: &str, mark: char) -> bool {
    let mut groups = whole.split(mark);
    let first = groups.next().unwrap_or_default();
    let mut behind = groups.peekable();
    behind.peek().is_none()
        || ((1..=3).contains(&first.len()) && !first.starts_with('0') && behind.all(|group| group.len() == 3))
}
