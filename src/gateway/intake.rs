//! What a client sends, whole: read within the limits of size and time, and unpacked where it comes compressed.
//!
//! Invariant: no more than `limits.body` bytes are held of a body as it comes, nor of what it unpacks to, and no byte that the
//! budget has no room for.

use std::io::Read;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt as _;

use super::Gateway;
use super::budget::Held;
use super::socket::Sending;
use crate::wire::{ApiError, ErrorKind};

/// The codings of a body that are read, as `accept-encoding` says them.
pub(super) const CODINGS: &str = "gzip, deflate, zstd";
/// The largest window of a body in Zstandard, as a power of two: what the coding's standard lets a sender use.
const WINDOW: u32 = 23;
/// From this size on a body is unpacked where that holds nobody else up.
const LARGE: usize = 16 * 1024;
/// A body that is announced as no larger has room made for it at once; larger ones as they come.
const AT_ONCE: usize = 1024 * 1024;
/// How long a body that is slow to come keeps its room from others, by what it announced.
const BEGUN: Duration = Duration::from_secs(3);
/// How long the rest of a body that is refused is read, and half of how long its next piece is waited for.
const SPILL: Duration = Duration::from_secs(10);
const SPILL_PAUSE: Duration = Duration::from_millis(500);

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

/// Why a body cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    TooLarge,
    Malformed,
    Full,
}

/// Reads a body whole, within its limits.
pub(super) async fn collect(
    gateway: &Gateway,
    headers: &HeaderMap,
    body: &mut Sending,
) -> Result<Bytes, ApiError> {
    let coding = coding(headers)?;
    let mut held = gateway.budget.hold();
    let bytes = receive(gateway, headers, body, &mut held).await?;
    let mut bytes = held.tie(bytes);
    if let Some(coding) = coding {
        bytes = unpacked(gateway, coding, bytes).await?;
    }
    // What is sent on is a copy.
    if bytes.len() >= LARGE && !gateway.budget.has_room(bytes.len()) {
        return Err(gateway.budget.full());
    }
    Ok(bytes)
}

/// Unpacks a body.
async fn unpacked(gateway: &Gateway, coding: Coding, bytes: Bytes) -> Result<Bytes, ApiError> {
    let most = gateway.settings.limits.body;
    let mut held = gateway.budget.hold();
    let unpacked = if bytes.len() < LARGE {
        unpack(coding, &bytes, most, &mut |size| held.set(size)).map(|unpacked| (unpacked, held))
    } else {
        let work = tokio::task::spawn_blocking(move || {
            unpack(coding, &bytes, most, &mut |size| held.set(size)).map(|unpacked| (unpacked, held))
        });
        work.await.unwrap_or(Err(Trouble::Malformed))
    };
    let (unpacked, held) = unpacked.map_err(|trouble| match trouble {
        Trouble::Full => gateway.budget.full(),
        Trouble::TooLarge => too_large(most, "unpacks to more"),
        Trouble::Malformed => ApiError::new(
            ErrorKind::InvalidRequest,
            "the body is not whole, or not packed as the header content-encoding says",
        ),
    })?;
    Ok(held.tie(unpacked.into()))
}

fn too_large(most: usize, how: &str) -> ApiError {
    let message = format!("the body {how} than {most} bytes (limits.body in gateway.toml)");
    ApiError::new(ErrorKind::TooLarge, message)
}

/// Reads how a body is packed; an error where it is packed in a way that is not read.
fn coding(headers: &HeaderMap) -> Result<Option<Coding>, ApiError> {
    let mut codings = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    let Some(name) = codings.next() else { return Ok(None) };
    let known: [(&[u8], Coding); 4] = [
        (b"gzip", Coding::Gzip),
        (b"x-gzip", Coding::Gzip),
        (b"deflate", Coding::Deflate),
        (b"zstd", Coding::Zstd),
    ];
    let found = known.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    if let (Some((_, coding)), None) = (found, codings.next()) {
        return Ok(Some(*coding));
    }
    let message = format!(
        "the body's content-encoding is not read here; send it plain or packed once as one of: {CODINGS}"
    );
    Err(ApiError::invalid(message).with_status(415).coded("unsupported_content_encoding"))
}

/// Unpacks bytes; `hold` hears how many are held and says whether they may be.
fn unpack(
    coding: Coding,
    bytes: &[u8],
    most: usize,
    hold: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u8>, Trouble> {
    match coding {
        Coding::Gzip => read(MultiGzDecoder::new(bytes), most, hold),
        // The standard means zlib; some senders leave its two bytes and its checksum out.
        Coding::Deflate if is_zlib(bytes) => read(ZlibDecoder::new(bytes), most, hold),
        Coding::Deflate => read(DeflateDecoder::new(bytes), most, hold),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(bytes).map_err(|_| Trouble::Malformed)?;
            decoder.window_log_max(WINDOW).map_err(|_| Trouble::Malformed)?;
            read(decoder, most, hold)
        }
    }
}

fn is_zlib(bytes: &[u8]) -> bool {
    let [method, flags, ..] = *bytes else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// Reads to the end, and no further than it takes to see that there is too much.
fn read(mut from: impl Read, most: usize, hold: &mut dyn FnMut(usize) -> bool) -> Result<Vec<u8>, Trouble> {
    let mut out = Vec::new();
    loop {
        let before = out.len();
        // In steps, so that the budget is asked before much is there.
        let step = before.max(LARGE).min(most.saturating_sub(before).saturating_add(1)) as u64;
        from.by_ref().take(step).read_to_end(&mut out).map_err(|_| Trouble::Malformed)?;
        if out.len() > most {
            return Err(Trouble::TooLarge);
        }
        if out.capacity() >= LARGE && !hold(out.capacity()) {
            return Err(Trouble::Full);
        }
        if out.len() == before {
            return Ok(out);
        }
    }
}

/// Reads the bytes of a body as they come.
async fn receive(
    gateway: &Gateway,
    headers: &HeaderMap,
    body: &mut Sending,
    held: &mut Held,
) -> Result<Bytes, ApiError> {
    let limits = &gateway.settings.limits;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.body) {
        return Err(too_large(limits.body, "is larger"));
    }
    // One that will not fit is not begun with.
    let begun = match announced {
        Some(length) if length >= LARGE => {
            Some(gateway.budget.begin(length).ok_or_else(|| gateway.budget.full())?)
        }
        _ => None,
    };
    let patience = Duration::from_secs(limits.body_seconds);
    let quick = patience.min(BEGUN);
    let mut read = pin!(whole(gateway, announced, body, held));
    if let Ok(read) = tokio::time::timeout(quick, &mut read).await {
        return read;
    }
    drop(begun);
    tokio::time::timeout(patience.saturating_sub(quick), read).await.unwrap_or_else(|_| {
        let message = format!("the body took longer than {} s (limits.body-seconds)", limits.body_seconds);
        Err(ApiError::new(ErrorKind::Timeout, message).with_status(408))
    })
}

/// Reads what is left of a body that is refused and keeps nothing of it: a client that is still sending hears no answer when
/// its connection breaks under it. One that sends on and on is not waited for.
pub(super) async fn spill(gateway: &Gateway, body: &mut Sending) {
    let most = gateway.settings.limits.body.saturating_mul(2);
    let rest = async {
        let (mut read, mut has_waited) = (0usize, false);
        while read <= most {
            match tokio::time::timeout(SPILL_PAUSE, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    read = read.saturating_add(frame.data_ref().map_or(0, Bytes::len));
                    has_waited = false;
                }
                // A thread that was busy all the time sees that it is over before it sees what has come.
                Err(_) if !has_waited => has_waited = true,
                _ => return,
            }
        }
    };
    let _ = tokio::time::timeout(SPILL, rest).await;
}

async fn whole(
    gateway: &Gateway,
    announced: Option<usize>,
    body: &mut Sending,
    held: &mut Held,
) -> Result<Bytes, ApiError> {
    let most = gateway.settings.limits.body;
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut read = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            ApiError::new(ErrorKind::InvalidRequest, "the body broke off before it was complete")
        })?;
        let Ok(piece) = frame.into_data() else { continue };
        read = read.saturating_add(piece.len());
        if read > most {
            return Err(too_large(most, "is larger"));
        }
        match &first {
            None => first = Some(piece),
            Some(begin) => {
                if rest.is_empty() {
                    let expected = announced.unwrap_or(0).min(AT_ONCE);
                    rest.reserve(expected.max(begin.len() + piece.len()));
                    rest.extend_from_slice(begin);
                }
                rest.extend_from_slice(&piece);
                if rest.capacity() >= LARGE && !held.set(rest.capacity()) {
                    return Err(gateway.budget.full());
                }
            }
        }
    }
    if !rest.is_empty() {
        return Ok(rest.freeze());
    }
    let whole = first.unwrap_or_default();
    if whole.len() >= LARGE && !held.set(whole.len()) {
        return Err(gateway.budget.full());
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn packed(text: &[u8]) -> [(&'static str, Vec<u8>); 4] {
        let fast = Compression::fast();
        let mut gzip = GzEncoder::new(Vec::new(), fast);
        let mut zlib = ZlibEncoder::new(Vec::new(), fast);
        let mut raw = DeflateEncoder::new(Vec::new(), fast);
        gzip.write_all(text).unwrap();
        zlib.write_all(text).unwrap();
        raw.write_all(text).unwrap();
        [
            ("gzip", gzip.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("DEFLATE", raw.finish().unwrap()),
            ("zstd", zstd::encode_all(text, 3).unwrap()),
        ]
    }

    fn named(name: &'static str) -> Result<Option<Coding>, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, http::HeaderValue::from_static(name));
        coding(&headers)
    }

    #[test]
    fn what_is_packed_is_read_up_to_the_limit_and_no_further() {
        let text = "words that repeat ".repeat(1_000);
        for (name, bytes) in packed(text.as_bytes()) {
            let coding = named(name).unwrap().unwrap();
            assert_eq!(unpack(coding, &bytes, text.len(), &mut |_| true).unwrap(), text.as_bytes(), "{name}");
            assert_eq!(
                unpack(coding, &bytes, text.len() - 1, &mut |_| true),
                Err(Trouble::TooLarge),
                "{name}"
            );
            for cut in [0, 1, bytes.len() / 2] {
                let half = unpack(coding, bytes.get(..cut).unwrap(), text.len(), &mut |_| true);
                assert!(half != Ok(text.clone().into_bytes()), "{name} cut at {cut}");
            }
        }
        let bomb = zstd::encode_all(vec![0; 64 << 20].as_slice(), 3).unwrap();
        assert!(bomb.len() < 64 << 10);
        assert_eq!(unpack(Coding::Zstd, &bomb, 1 << 20, &mut |_| true), Err(Trouble::TooLarge));
        let mut largest = 0;
        let mut hold = |size| {
            largest = size;
            size < 1 << 20
        };
        assert_eq!(unpack(Coding::Zstd, &bomb, 64 << 20, &mut hold), Err(Trouble::Full));
        assert!(largest < 4 << 20, "{largest} bytes were there before anybody asked");
    }

    #[test]
    fn other_codings_are_refused_in_words() {
        for plain in ["", "identity", "Identity , "] {
            assert_eq!(named(plain).unwrap(), None, "{plain}");
        }
        for other in ["br", "gzip, gzip", "compress", "gzip, br"] {
            let error = named(other).unwrap_err();
            assert_eq!(error.status, 415, "{other}");
            assert!(error.message.contains(CODINGS));
        }
        assert_eq!(named("x-gzip").unwrap(), Some(Coding::Gzip));
    }

    #[test]
    fn a_window_beyond_the_standard_is_not_allocated() {
        let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        wide.window_log(27).unwrap();
        wide.write_all(&vec![7; 1 << 20]).unwrap();
        assert_eq!(
            unpack(Coding::Zstd, &wide.finish().unwrap(), 8 << 20, &mut |_| true),
            Err(Trouble::Malformed)
        );
    }
}
