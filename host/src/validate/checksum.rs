//! Whether the bytes are those that the source declared.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::Rejection;
use crate::model::{Checksum, Digest, Refusal};

/// Compares `bytes` with what the source says about them.
///
/// # Errors
/// `checksum-mismatch`.
pub fn check(bytes: &[u8], declared: &Checksum) -> Result<(), Rejection> {
    let (name, found) = match declared.digest {
        Digest::Md5 => ("MD5", hex::encode(Md5::digest(bytes))),
        Digest::Sha1 => ("SHA-1", hex::encode(Sha1::digest(bytes))),
        Digest::Sha256 => ("SHA-256", hex::encode(Sha256::digest(bytes))),
    };
    if found.eq_ignore_ascii_case(&declared.hex) {
        return Ok(());
    }
    let detail = format!("{name} is {found}, the source declares {}", declared.hex);
    Err(Rejection::new(Refusal::ChecksumMismatch, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests() {
        let check = |digest, hex: &str| {
            super::check(b"abc", &Checksum { digest, hex: hex.to_owned() }).map_err(|no| no.reason)
        };
        assert_eq!(check(Digest::Md5, "900150983cd24fb0d6963f7d28e17f72"), Ok(()));
        assert_eq!(check(Digest::Sha1, "A9993E364706816ABA3E25717850C26C9CD0D89D"), Ok(()));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(check(Digest::Sha256, sha256), Ok(()));
        for digest in [Digest::Md5, Digest::Sha1, Digest::Sha256] {
            assert_eq!(check(digest, ""), Err(Refusal::ChecksumMismatch));
            assert_eq!(check(digest, &sha256[1..]), Err(Refusal::ChecksumMismatch));
        }
    }
}
