//! Series: rows of a moment and a value, as monitoring exports them; no requests, so no log format.
//!
//! Invariant: a value that is not there stays unknown, and a row that is none is told with its line.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::beginning::bare;
use super::csv::{Columns, Row};
use super::{Error, Input};
use crate::units::Instant;

/// What columns of moments are called.
const TIMES: [&str; 9] = ["timestamp", "time", "date", "datetime", "ts", "at", "ds", "_time", "t"];
/// What columns of values are called, where there are more than two columns.
const VALUES: [&str; 4] = ["value", "_value", "val", "y"];
/// The longest first line.
const HEAD: usize = 4096;
/// How no value is written.
const MISSING: [&str; 6] = ["", "nan", "null", "none", "na", "n/a"];

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub at: Instant,
    /// The same as it was written.
    pub stamp: Box<str>,
    /// What was measured, where anything was.
    pub value: Option<f64>,
}

/// A series in order of time, however its rows stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its file, for messages.
    pub name: String,
    /// Its points.
    pub points: Vec<Point>,
}

impl Series {
    /// Reads the first part of an input, plain or packed; `None` where it is no series, but perhaps a log.
    ///
    /// # Errors
    /// Where it cannot be read, or a row is neither a moment with a value nor one without.
    pub fn open(input: &Input) -> Result<Option<Self>, Error> {
        let Some(stream) = input.open(0, &Arc::new(AtomicU64::new(0))) else { return Ok(None) };
        let mut stream = stream?;
        stream.packed = None;
        let (name, mut shape) = (stream.name.clone(), None);
        let read = stream.all(("a series larger than", "cut it into files"), &mut |bytes, is_all| {
            // The first bytes may come in small pieces.
            let has_line = is_all || bytes.len() > HEAD || bytes.contains(&b'\n');
            has_line.then(|| shape.insert(Shape::of(bytes)).is_some())
        });
        let (Some(bytes), Some(Some(shape))) = (read?, shape) else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let mut points = Vec::new();
        for (line, row) in (1u64..).zip(text.trim_start_matches('\u{feff}').lines()) {
            if row.trim().is_empty() || (line == 1 && shape.has_head) {
                continue;
            }
            match shape.point(&shape.columns.row(row)) {
                Ok(point) => points.push(point),
                Err(reason) => return Err(Error::Bad { file: name, line, reason }),
            }
        }
        points.sort_by_key(|point| point.at);
        Ok(Some(Self { name, points }))
    }
}

/// Which columns hold moment and value.
struct Shape {
    columns: Columns,
    time: String,
    value: String,
    has_head: bool,
}

impl Shape {
    /// Looks at the beginning; `None` where it is no series.
    fn of(bytes: &[u8]) -> Option<Self> {
        let bytes = bare(bytes);
        let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len()).min(HEAD);
        let first = std::str::from_utf8(bytes.get(..end)?).ok()?.trim();
        let delimiter = [b',', b';', b'\t'].into_iter().find(|byte| first.as_bytes().contains(byte))?;
        let columns = Columns::read(first, delimiter);
        let own = columns.names.clone();
        let find =
            |names: &[&str]| names.iter().find(|name| columns.has(name)).map(|name| (*name).to_owned());
        if let (Some(time), Some(value)) = (find(&TIMES), find(&VALUES)) {
            return Some(Self { columns, time, value, has_head: true });
        }
        let [one, other] = own.as_slice() else { return None };
        if find(&TIMES).is_some_and(|time| time == *one) {
            let (time, value) = (one.clone(), other.clone());
            return Some(Self { columns, time, value, has_head: true });
        }
        moment(one)?;
        number(other, delimiter).ok()?;
        let columns = Columns::read(&format!("time{0}value", char::from(delimiter)), delimiter);
        Some(Self { columns, time: "time".to_owned(), value: "value".to_owned(), has_head: false })
    }

    fn point(&self, row: &Row<'_>) -> Result<Point, String> {
        let stamp = row.get(&self.time);
        let at = moment(stamp).ok_or_else(|| {
            format!(
                "`{stamp}` in column `{}` is no moment; write 2026-05-23T10:00:00Z, 2026-05-23 10:00:00 or seconds since 1970",
                self.time
            )
        })?;
        let value = number(row.get(&self.value), self.columns.delimiter)
            .map_err(|text| format!("`{text}` in column `{}` is no number", self.value))?;
        Ok(Point { at, stamp: stamp.into(), value })
    }
}

/// Reads a value; one that is not there is `None`.
fn number(text: &str, delimiter: u8) -> Result<Option<f64>, String> {
    if MISSING.contains(&text.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    // Where semicolons part the fields, commas part whole from fraction.
    let point = if delimiter == b';' { text.replace(',', ".") } else { text.to_owned() };
    match point.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Some(value)),
        _ => Err(text.to_owned()),
    }
}

/// Reads a moment: as text, or as a number since 1970, whose size tells its unit.
fn moment(text: &str) -> Option<Instant> {
    if text.len() == 10 && text.contains(['-', '/']) {
        return moment(&format!("{text} 00:00:00"));
    }
    if let Ok(number) = text.parse::<f64>() {
        let micros = match number.abs() {
            0.0..1e11 => number * 1e6,
            1e11..1e14 => number * 1e3,
            1e14..1e17 => number,
            _ => number / 1e3,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float stops at the ends")]
        return micros.is_finite().then_some(Instant(micros.round() as i64));
    }
    Instant::parse(text).or_else(|_| Instant::parse(&text.replace('/', "-"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Series>, Error> {
        Series::open(&Input::bytes("a.csv", text.to_owned().into_bytes()))
    }

    fn values(text: &str) -> Vec<Option<f64>> {
        read(text).unwrap().unwrap().points.iter().map(|point| point.value).collect()
    }

    #[test]
    fn series_are_known_by_their_columns() {
        let same = [
            "timestamp,value\n2014-04-01 00:00:00,1.5\n2014-04-01 00:05:00,\n",
            "2014-04-01T00:00:00Z,1.5\n2014-04-01T00:05:00Z,NaN\n",
            "host;_time;_value\na;1396310400;1,5\r\n\r\na;1396310700;null\r\n",
            "\u{feff}Date\tcpu\n2014-04-01 00:00\t1.5\n2014-04-01 00:05\t\"\"",
            "\"time\",\"y\",\"label\"\n1396310400000,\"1.5\",0\n1396310700000,\"\",1\n",
        ];
        for text in same {
            let series = read(text).unwrap().unwrap();
            let points: Vec<_> = series.points.iter().map(|point| (point.at, point.value)).collect();
            assert_eq!(
                points,
                [(Instant::from_secs(1_396_310_400), Some(1.5)), (Instant::from_secs(1_396_310_700), None)],
                "{text}"
            );
        }
        let first = &read(same[0]).unwrap().unwrap().points[0];
        assert_eq!(&*first.stamp, "2014-04-01 00:00:00", "a moment stays as it was written");
        assert_eq!(values("2014/04/01,1\n2014/04/02,-2e3\n"), [Some(1.0), Some(-2000.0)]);
    }

    #[test]
    fn logs_are_no_series() {
        for text in [
            "",
            "{\"id\":1}\n",
            "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,1,2,3,a\n",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n",
            "model,tokens\ngpt,5\n",
            "just text\n",
        ] {
            assert_eq!(read(text).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn a_bad_row_is_told_with_its_line() {
        let bad = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(
            bad("timestamp,value\n2014-04-01 00:00:00,1\n\n2014-04-01 00:05:00,one\n"),
            "a.csv:4: `one` in column `value` is no number"
        );
        assert!(
            bad("timestamp,value\nyesterday,1\n").starts_with("a.csv:2: `yesterday` in column `timestamp`")
        );
        assert!(bad("timestamp,value\n2014-04-01 00:00:00,inf\n").contains("`inf`"));
    }
}
