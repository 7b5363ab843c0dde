//! Gzip as files of it are: members one behind another, and zeros behind the last.
//!
//! Invariant: what a member holds is given out whole before anything behind it is looked at, so a damaged rest costs nothing.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Unpacks all members. Zeros behind the last one, as tapes and block devices leave them, are no damage.
pub(super) struct Members<R> {
    /// None once all is read.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    /// Begins with the first member.
    pub(super) fn new(source: R) -> Self {
        Self { member: Some(GzDecoder::new(source)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
            let Some(mut rest) = self.member.take().map(GzDecoder::into_inner) else { break };
            // Another member, or anything that is none, begins with the first byte that is not zero.
            loop {
                let next = rest.fill_buf()?;
                let zeros = next.iter().take_while(|byte| **byte == 0).count();
                let (is_over, is_next) = (next.is_empty(), zeros < next.len());
                rest.consume(zeros);
                if is_over {
                    return Ok(0);
                }
                if is_next {
                    break;
                }
            }
            self.member = Some(GzDecoder::new(rest));
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> (String, bool) {
        let mut text = Vec::new();
        let sound = Members::new(io::BufReader::with_capacity(7, bytes)).read_to_end(&mut text).is_ok();
        (String::from_utf8(text).unwrap(), sound)
    }

    /// The last line would else be lost with what stands behind it.
    #[test]
    fn zeros_behind_gzip_are_no_damage_and_anything_else_is() {
        let one = packed("first\n");
        let both = [&one[..], &packed("last")].concat();
        assert_eq!(read(&both), ("first\nlast".to_owned(), true));
        let padded = [&both[..], &[0; 100]].concat();
        assert_eq!(read(&padded), ("first\nlast".to_owned(), true));
        let apart = [&one[..], &[0; 9], &packed("last")[..]].concat();
        assert_eq!(read(&apart), ("first\nlast".to_owned(), true));
        let junk = [&both[..], b"junk behind it"].concat();
        assert_eq!(read(&junk), ("first\nlast".to_owned(), false));
        let cut = &both[..both.len() - 3];
        assert_eq!(read(cut), ("first\nlast".to_owned(), false));
    }
}
