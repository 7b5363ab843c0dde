//! A table of text, counts and exact dollars as an Apache Parquet file: one row group, one page a column, packed with Zstandard.
//!
//! Invariants: amounts are decimals of twelve places, to the pico-dollar; what is unknown is null; the same table gives the same
//! bytes.

use std::io;

use crate::units::Pico;

const MAGIC: &[u8; 4] = b"PAR1";
/// As Parquet numbers it.
const ZSTD: i32 = 6;
const PLAIN: i32 = 0;
const RLE: i32 = 3;
/// Bytes of an amount, and its digits: all that fit.
const AMOUNT_BYTES: i32 = 16;
const AMOUNT_DIGITS: i32 = 38;
const AMOUNT_PLACES: i32 = 12;

/// A column: its values, null where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// UTF-8.
    Text(Vec<Option<String>>),
    /// Whole numbers.
    Count(Vec<Option<u64>>),
    /// Dollars.
    Usd(Vec<Option<Pico>>),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Count(values) => values.len(),
            Self::Usd(values) => values.len(),
        }
    }

    /// Returns its physical type, as Parquet numbers it.
    fn physical(&self) -> i32 {
        match self {
            Self::Text(_) => 6,
            Self::Count(_) => 2,
            Self::Usd(_) => 7,
        }
    }

    /// Returns its page before it is packed: which values are there, and those.
    fn page(&self) -> Vec<u8> {
        let mut values = Vec::new();
        let mut there = Vec::with_capacity(self.len());
        match self {
            Self::Text(all) => all.iter().for_each(|text| {
                there.push(text.is_some());
                if let Some(text) = text {
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                    values.extend_from_slice(&length.to_le_bytes());
                    values.extend_from_slice(text.as_bytes());
                }
            }),
            Self::Count(all) => all.iter().for_each(|count| {
                there.push(count.is_some());
                let count = count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
                values.extend(count.into_iter().flat_map(i64::to_le_bytes));
            }),
            Self::Usd(all) => all.iter().for_each(|amount| {
                there.push(amount.is_some());
                values.extend(amount.iter().flat_map(|amount| amount.0.to_be_bytes()));
            }),
        }
        let mut page = Vec::with_capacity(values.len() + 8);
        let levels = runs(&there);
        page.extend_from_slice(&u32::try_from(levels.len()).unwrap_or(u32::MAX).to_le_bytes());
        page.extend_from_slice(&levels);
        page.extend_from_slice(&values);
        page
    }

    fn schema(&self, name: &str) -> Record {
        let mut one = Record::default();
        one.int(1, self.physical());
        if matches!(self, Self::Usd(_)) {
            one.int(2, AMOUNT_BYTES);
        }
        // Optional: it may be null.
        one.int(3, 1);
        one.text(4, name);
        match self {
            Self::Text(_) => one.int(6, 0),
            Self::Count(_) => {}
            Self::Usd(_) => {
                one.int(6, 5);
                one.int(7, AMOUNT_PLACES);
                one.int(8, AMOUNT_DIGITS);
            }
        }
        one
    }
}

/// Writes which values are there as runs of equal bits.
fn runs(there: &[bool]) -> Vec<u8> {
    let mut out = Vec::new();
    for run in there.chunk_by(|one, other| one == other) {
        varint(&mut out, (run.len() as u64) << 1);
        out.push(u8::from(run.first() == Some(&true)));
    }
    out
}

/// Makes the file of columns of one length.
///
/// # Errors
/// Where a page cannot be packed.
pub(super) fn parquet(columns: &[(String, Column)]) -> io::Result<Vec<u8>> {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let mut file = MAGIC.to_vec();
    let mut chunks = Vec::new();
    let mut all = 0;
    for (name, column) in columns {
        let page = column.page();
        let packed = zstd::stream::encode_all(page.as_slice(), 3)?;
        let mut values = Record::default();
        values.int(1, size(rows));
        values.int(2, PLAIN);
        values.int(3, RLE);
        values.int(4, RLE);
        let mut header = Record::default();
        header.int(1, 0);
        header.int(2, size(page.len()));
        header.int(3, size(packed.len()));
        header.record(5, values);
        let header = header.end();
        let at = long(file.len());
        let (whole, stored) = (long(header.len() + page.len()), long(header.len() + packed.len()));
        file.extend_from_slice(&header);
        file.extend_from_slice(&packed);
        let mut meta = Record::default();
        meta.int(1, column.physical());
        meta.list(2, Kind::I32, [PLAIN, RLE].map(integer));
        meta.list(3, Kind::Binary, [text(name)]);
        meta.int(4, ZSTD);
        meta.long(5, long(rows));
        meta.long(6, whole);
        meta.long(7, stored);
        meta.long(9, at);
        let mut chunk = Record::default();
        chunk.long(2, at);
        chunk.record(3, meta);
        chunks.push(chunk.end());
        all += whole;
    }
    let mut root = Record::default();
    root.text(4, "report");
    root.int(5, size(columns.len()));
    let schema = columns.iter().map(|(name, column)| column.schema(name));
    let schema = std::iter::once(root).chain(schema).map(Record::end);
    let mut group = Record::default();
    group.list(1, Kind::Struct, chunks);
    group.long(2, all);
    group.long(3, long(rows));
    let mut footer = Record::default();
    footer.int(1, 1);
    footer.list(2, Kind::Struct, schema);
    footer.long(3, long(rows));
    footer.list(4, Kind::Struct, [group.end()]);
    footer.text(6, concat!("pointsman version ", env!("CARGO_PKG_VERSION")));
    let footer = footer.end();
    file.extend_from_slice(&footer);
    file.extend_from_slice(&u32::try_from(footer.len()).unwrap_or(u32::MAX).to_le_bytes());
    file.extend_from_slice(MAGIC);
    Ok(file)
}

fn size(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

fn long(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Kinds of values, as Thrift's compact protocol numbers them.
#[derive(Clone, Copy)]
enum Kind {
    I32 = 5,
    I64 = 6,
    Binary = 8,
    List = 9,
    Struct = 12,
}

/// A structure in Thrift's compact protocol, which is what Parquet describes itself in.
#[derive(Default)]
struct Record {
    out: Vec<u8>,
    last: u8,
}

impl Record {
    fn field(&mut self, id: u8, kind: Kind) {
        self.out.push((id.saturating_sub(self.last) << 4) | kind as u8);
        self.last = id;
    }

    fn int(&mut self, id: u8, value: i32) {
        self.field(id, Kind::I32);
        self.out.extend(integer(value));
    }

    fn long(&mut self, id: u8, value: i64) {
        self.field(id, Kind::I64);
        varint(&mut self.out, zigzag(value));
    }

    fn text(&mut self, id: u8, value: &str) {
        self.field(id, Kind::Binary);
        self.out.extend(text(value));
    }

    fn record(&mut self, id: u8, value: Self) {
        self.field(id, Kind::Struct);
        self.out.extend(value.end());
    }

    fn list(&mut self, id: u8, kind: Kind, items: impl IntoIterator<Item = Vec<u8>>) {
        self.field(id, Kind::List);
        let items: Vec<Vec<u8>> = items.into_iter().collect();
        if let Ok(few @ 0..15) = u8::try_from(items.len()) {
            self.out.push((few << 4) | kind as u8);
        } else {
            self.out.push(0xf0 | kind as u8);
            varint(&mut self.out, items.len() as u64);
        }
        self.out.extend(items.into_iter().flatten());
    }

    fn end(mut self) -> Vec<u8> {
        self.out.push(0);
        self.out
    }
}

fn integer(value: i32) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, zigzag(value.into()));
    out
}

fn text(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
    out
}

/// Puts the sign last, so that small numbers of either are short.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads the packed page of a column whose values follow each other in the file, as its header says.
    fn pages(file: &[u8], columns: usize) -> Vec<Vec<u8>> {
        let mut rest = &file[4..];
        let read = |rest: &mut &[u8]| {
            let (mut value, mut shift) = (0u64, 0);
            loop {
                let (byte, behind) = rest.split_first().unwrap();
                *rest = behind;
                value |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    return (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
                }
            }
        };
        let mut all = Vec::new();
        for _ in 0..columns {
            let mut sizes = Vec::new();
            for _ in 0..3 {
                rest = &rest[1..];
                sizes.push(usize::try_from(read(&mut rest)).unwrap());
            }
            // The structure of five fields within, and both ends.
            rest = &rest[1..];
            for _ in 0..4 {
                rest = &rest[1..];
                read(&mut rest);
            }
            rest = &rest[2..];
            let (packed, behind) = rest.split_at(sizes[2]);
            all.push(zstd::stream::decode_all(packed).unwrap());
            rest = behind;
        }
        all
    }

    proptest! {
        /// A data scientist's sums would else be others than the report's.
        #[test]
        fn what_is_written_is_there_again(rows in proptest::collection::vec(
            (proptest::option::of("[a-zé=,\"\n]{0,9}"), proptest::option::of(0..u64::MAX / 2), proptest::option::of(any::<i128>())), 0..200,
        )) {
            let text = rows.iter().map(|(text, ..)| text.clone()).collect();
            let counts = rows.iter().map(|(_, count, _)| *count).collect();
            let amounts = rows.iter().map(|(.., amount)| amount.map(Pico)).collect();
            let columns = [
                ("text".to_owned(), Column::Text(text)),
                ("count".to_owned(), Column::Count(counts)),
                ("usd".to_owned(), Column::Usd(amounts)),
            ];
            let file = parquet(&columns).unwrap();
            prop_assert_eq!((&file[..4], &file[file.len() - 4..]), (&MAGIC[..], &MAGIC[..]));
            let pages = pages(&file, columns.len());
            let own: Vec<Vec<u8>> = columns.iter().map(|(_, column)| column.page()).collect();
            prop_assert_eq!(&pages, &own);
            let levels = u32::from_le_bytes(pages[2][..4].try_into().unwrap()) as usize;
            let found: Vec<i128> =
                pages[2][4 + levels..].chunks(16).map(|bytes| i128::from_be_bytes(bytes.try_into().unwrap())).collect();
            let told: Vec<i128> = rows.iter().filter_map(|(.., amount)| *amount).collect();
            prop_assert_eq!(found, told);
        }
    }
}
