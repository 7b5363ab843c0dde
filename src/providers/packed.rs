//! Answers that come packed though nobody asked for that, unpacked piece by piece.
//!
//! Invariants: no step unpacks more than about [`MOST`] bytes, whatever a few packed ones stand for; an answer that ends
//! within its packing is told as broken, never as whole.

use std::io;

use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use zstd::stream::{raw, zio};

use super::error::safe;

/// The most that a step unpacks, but for what one slice of packed bytes stands for.
const MOST: usize = 256 * 1024;
/// How many packed bytes are taken at once: of deflate a byte stands for a thousand at most, of Zstandard four for a block.
const DEFLATED: usize = 1024;
const BLOCKS: usize = 32;
/// The largest window in Zstandard, as a power of two: what the coding's standard lets a sender use.
const WINDOW: u32 = 23;

/// How an answer comes.
pub(super) enum Packing {
    /// What its headers call it, and the bytes that came so far, too few to tell by.
    Unseen { said: Option<String>, head: Vec<u8> },
    /// As it is.
    Plain,
    /// Packed.
    Packed(Box<Unpacker>),
}

/// Unpacks what comes.
pub(super) struct Unpacker {
    decoder: Decoder,
    /// What is still to be unpacked.
    waiting: Bytes,
}

enum Decoder {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Deflate(DeflateDecoder<Vec<u8>>),
    Zstd(Box<zio::Writer<Vec<u8>, raw::Decoder<'static>>>),
}

impl Packing {
    /// Reads what the headers say of it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(CONTENT_ENCODING).iter();
        let said = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
        let said: Vec<String> = said
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
            .filter(|name| !name.is_empty() && name != "identity")
            .collect();
        Self::Unseen { said: (!said.is_empty()).then(|| said.join(", ")), head: Vec::new() }
    }

    /// Takes a piece that came, and returns it where it is not packed.
    pub(super) fn take(&mut self, piece: Bytes) -> Result<Option<Bytes>, String> {
        let piece = match self {
            Self::Plain => return Ok(Some(piece)),
            Self::Packed(unpacker) => {
                unpacker.waiting = piece;
                return Ok(None);
            }
            Self::Unseen { head, .. } if head.is_empty() => piece,
            Self::Unseen { head, .. } => {
                head.extend_from_slice(&piece);
                std::mem::take(head).into()
            }
        };
        if let Self::Unseen { said, head } = self
            && is_too_little(said.as_deref(), &piece)
        {
            *head = piece.into();
            return Ok(None);
        }
        self.begin(piece)
    }

    /// Looks at the first bytes: gzip and Zstandard are known by them, whatever was said, and so is what is not packed at all.
    fn begin(&mut self, first: Bytes) -> Result<Option<Bytes>, String> {
        let said = match self {
            Self::Unseen { said, .. } => said.take(),
            Self::Plain | Self::Packed(_) => None,
        };
        let decoder = match (said.as_deref(), &*first) {
            (_, [0x1f, 0x8b, ..]) => Decoder::Gzip(MultiGzDecoder::new(Vec::new())),
            (_, [0x28, 0xb5, 0x2f, 0xfd, ..]) => Decoder::zstd().map_err(|error| broken(&error))?,
            (None | Some("gzip" | "x-gzip" | "zstd"), _) | (_, []) => {
                *self = Self::Plain;
                return Ok(Some(first));
            }
            // The standard means zlib; some senders leave its two bytes and its checksum out.
            (Some("deflate"), [method, flags, ..]) if is_zlib(*method, *flags) => {
                Decoder::Zlib(ZlibDecoder::new(Vec::new()))
            }
            (Some("deflate"), _) => Decoder::Deflate(DeflateDecoder::new(Vec::new())),
            (Some(other), _) => {
                return Err(format!(
                    "it is packed ({}), which is not read: have it sent plain, or as gzip, deflate or zstd",
                    safe(other)
                ));
            }
        };
        *self = Self::Packed(Box::new(Unpacker { decoder, waiting: first }));
        Ok(None)
    }

    /// Returns what more can be unpacked of what came; none where more has to come first.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Packed(unpacker) => unpacker.next().map_err(|error| broken(&error)),
            Self::Unseen { .. } | Self::Plain => Ok(None),
        }
    }

    /// Takes the end, with what is left, and says what is wrong where it comes too early.
    pub(super) fn end(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Packed(unpacker) => {
                let last = unpacker.end().map_err(|error| broken(&error))?;
                *self = Self::Plain;
                Ok(last)
            }
            Self::Unseen { head, .. } if !head.is_empty() => Ok(Some(std::mem::take(head).into())),
            Self::Unseen { .. } | Self::Plain => Ok(None),
        }
    }
}

/// Says whether more has to come before it can be told how an answer is packed.
fn is_too_little(said: Option<&str>, first: &[u8]) -> bool {
    match first {
        [] | [0x1f] => true,
        [0x28, rest @ ..] => rest.len() < 3,
        [_] => said == Some("deflate"),
        _ => false,
    }
}

fn is_zlib(method: u8, flags: u8) -> bool {
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

fn broken(error: &io::Error) -> String {
    format!("it is packed, and cannot be unpacked: {}", safe(&error.to_string()))
}

impl Unpacker {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.waiting.is_empty() {
            let most = if matches!(self.decoder, Decoder::Zstd(_)) { BLOCKS } else { DEFLATED };
            let slice = self.waiting.split_to(most.min(self.waiting.len()));
            self.decoder.write().write_all(&slice)?;
            if self.decoder.out().len() >= MOST {
                break;
            }
        }
        if self.waiting.is_empty() {
            self.decoder.write().flush()?;
        }
        let out = std::mem::take(self.decoder.out());
        Ok((!out.is_empty()).then(|| out.into()))
    }

    fn end(&mut self) -> io::Result<Option<Bytes>> {
        self.decoder.finish()?;
        let out = std::mem::take(self.decoder.out());
        Ok((!out.is_empty()).then(|| out.into()))
    }
}

impl Decoder {
    fn zstd() -> io::Result<Self> {
        let mut decoder = raw::Decoder::new()?;
        decoder.set_parameter(raw::DParameter::WindowLogMax(WINDOW))?;
        Ok(Self::Zstd(Box::new(zio::Writer::new(Vec::new(), decoder))))
    }

    fn write(&mut self) -> &mut dyn io::Write {
        match self {
            Self::Gzip(decoder) => decoder,
            Self::Zlib(decoder) => decoder,
            Self::Deflate(decoder) => decoder,
            Self::Zstd(decoder) => decoder,
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zlib(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.writer_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn headers(said: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !said.is_empty() {
            headers.insert(CONTENT_ENCODING, http::HeaderValue::from_str(said).unwrap());
        }
        headers
    }

    /// Takes an answer in pieces of a size, and returns it as it is read, and the longest piece of that.
    fn read(said: &str, packed: &[u8], size: usize) -> Result<(Vec<u8>, usize), String> {
        let mut packing = Packing::of(&headers(said));
        let (mut out, mut longest) = (Vec::new(), 0);
        let mut take = |piece: Bytes| {
            longest = longest.max(piece.len());
            out.extend_from_slice(&piece);
        };
        for piece in packed.chunks(size) {
            packing.take(Bytes::copy_from_slice(piece))?.into_iter().for_each(&mut take);
            while let Some(piece) = packing.next()? {
                take(piece);
            }
        }
        packing.end()?.into_iter().for_each(&mut take);
        Ok((out, longest))
    }

    fn packed(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let fast = Compression::fast();
        let mut gzip = GzEncoder::new(Vec::new(), fast);
        let mut zlib = ZlibEncoder::new(Vec::new(), fast);
        let mut deflate = DeflateEncoder::new(Vec::new(), fast);
        gzip.write_all(text).unwrap();
        zlib.write_all(text).unwrap();
        deflate.write_all(text).unwrap();
        let (gzip, zstd) = (gzip.finish().unwrap(), zstd::encode_all(text, 1).unwrap());
        vec![
            ("gzip", gzip.clone()),
            // Known by their first bytes, whatever the headers say.
            ("", gzip.clone()),
            ("br", gzip),
            ("", zstd.clone()),
            ("zstd", zstd),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", deflate.finish().unwrap()),
            ("gzip", text.to_vec()),
            ("identity", text.to_vec()),
        ]
    }

    #[test]
    fn an_answer_is_read_however_it_is_packed_and_cut() {
        let text = r#"{"choices":[{"index":0,"message":{"content":"due on Friday"}}]}"#.repeat(40);
        for (said, packed) in packed(text.as_bytes()) {
            for size in [1, 2, 3, 7, 4096] {
                let (out, _) = read(said, &packed, size).unwrap();
                assert!(out == text.as_bytes(), "{said:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn one_that_breaks_off_is_never_whole() {
        for (said, packed) in packed(b"{\"a\":1234567890,\"b\":\"cdefghijk\"}").into_iter().take(7) {
            let cut = packed.get(..packed.len() - 1).unwrap();
            assert!(read(said, cut, 4).is_err(), "{said:?}");
        }
        let told = read("br", b"\x0b\x02\x80", 3).unwrap_err();
        assert!(told.contains("packed (br)"), "{told}");
        assert!(read("gzip, gzip", b"\x00\x01", 2).is_err());
    }

    #[test]
    fn a_few_bytes_never_become_many_at_once() {
        let zeros = vec![0; 32 * 1024 * 1024];
        for (said, packed) in packed(&zeros).into_iter().take(7) {
            let (out, longest) = read(said, &packed, packed.len()).unwrap();
            assert_eq!(out.len(), zeros.len(), "{said:?}");
            assert!(longest < 3 * 1024 * 1024, "{said:?}: {longest}");
        }
    }
}
