//! SHA-256 (FIPS 180-4), as the cryptography that speaks TLS for us has it.

use ring::digest::{Context, SHA256};

/// A digest under way.
#[derive(Clone)]
pub struct Sha256(Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Sha256 {
    /// Returns the digest of what is at hand.
    pub fn digest(bytes: impl AsRef<[u8]>) -> [u8; 32] {
        Self::default().with(bytes).finalize()
    }

    /// Takes more in.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes.as_ref());
    }

    /// Takes more in and goes on.
    #[must_use]
    pub fn with(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.update(bytes);
        self
    }

    /// Returns the digest of all that was taken in.
    pub fn finalize(self) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::hex;

    /// The example of the standard: keys that were issued and ledgers that were written stay valid.
    #[test]
    fn the_digest_is_the_standards() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&Sha256::digest("abc")), abc);
        assert_eq!(hex(&Sha256::default().with("a").with([b'b', b'c']).finalize()), abc);
    }
}
