//! One-time passwords by time: RFC 6238 with the values every authenticator app knows (SHA-1, 6 digits, 30 s), and
//! the recovery codes beside them. Pure: no clock, no store.

use data_encoding::BASE32_NOPAD;
use fleet::{Secret, Wall};
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::{Rng, TryRngCore, rngs::OsRng};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Length of a time step, in milliseconds.
const STEP_MS: i64 = 30_000;
/// Steps before and after the present one whose password is taken: phones' clocks are a little off.
const TOLERANCE: u64 = 1;
/// Recovery codes that are given out.
pub(crate) const RECOVERY_CODES: usize = 10;
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A new shared secret of 160 bits, base32; `None` if the system gives no randomness.
pub(crate) fn new_secret() -> Option<Secret> {
    let mut bytes = [0_u8; 20];
    OsRng.try_fill_bytes(&mut bytes).ok()?;
    Some(Secret::new(BASE32_NOPAD.encode(&bytes)))
}

/// The time step at an instant.
pub(crate) fn step(at: Wall) -> u64 {
    u64::try_from(at.0.max(0) / STEP_MS).unwrap_or(0)
}

/// The step near `at` whose password this is.
pub(crate) fn matching_step(secret: &Secret, code: &str, at: Wall) -> Option<u64> {
    let key = BASE32_NOPAD.decode(secret.expose().as_bytes()).ok()?;
    let now = step(at);
    // All are worked out, so that the time taken does not tell which one fits.
    (now.saturating_sub(TOLERANCE)..=now + TOLERANCE).fold(None, |found, step| {
        if same(code.as_bytes(), password(&key, step).as_bytes()) { Some(step) } else { found }
    })
}

/// RFC 4226 §5.3 with the time step as counter.
fn password(key: &[u8], step: u64) -> String {
    let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 0x0f);
    let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

/// Equal, in a time that depends on the length only.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// What an authenticator app reads from the QR code.
pub(crate) fn address(secret: &Secret, user: &str) -> String {
    let user = utf8_percent_encode(user, UNRESERVED);
    format!("otpauth://totp/SharpEyes:{user}?secret={}&issuer=SharpEyes&digits=6&period=30", secret.expose())
}

/// New recovery codes, each of ten letters and digits that cannot be mistaken for one another (49 bits).
pub(crate) fn recovery_codes() -> Vec<Secret> {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut rng = rand::rng();
    (0..RECOVERY_CODES)
        .map(|_| {
            let mut code: String = (0..10).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect();
            code.insert(5, '-');
            Secret::new(code)
        })
        .collect()
}

/// What is stored of a recovery code; `None` if it cannot be one.
pub(crate) fn recovery_hash(code: &str) -> Option<[u8; 32]> {
    let plain: String =
        code.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    (plain.len() == 10 && plain.bytes().all(|b| b.is_ascii_alphanumeric()))
        .then(|| Sha256::digest(plain.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the last six digits for SHA-1.
    #[test]
    fn the_standards_own_examples_fit() {
        let secret = Secret::new(BASE32_NOPAD.encode(b"12345678901234567890"));
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let at = Wall(seconds * 1000);
            assert_eq!(matching_step(&secret, code, at), Some(step(at)), "{seconds}");
        }
    }

    #[test]
    fn a_clock_may_be_off_by_one_step_and_no_more() {
        let secret = Secret::new(BASE32_NOPAD.encode(b"12345678901234567890"));
        let at = |seconds: i64| matching_step(&secret, "287082", Wall(seconds * 1000));
        assert_eq!([at(20), at(59), at(89), at(119), at(149)], [Some(1), Some(1), Some(1), None, None]);
        for odd in ["", "28708", "2870821", "２８７０８２", "abcdef"] {
            assert_eq!(matching_step(&secret, odd, Wall(59_000)), None);
        }
    }

    #[test]
    fn recovery_codes_are_read_however_they_are_typed() {
        let codes = recovery_codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let code = codes[0].expose();
        let hash = recovery_hash(code).unwrap();
        assert_eq!(recovery_hash(&code.to_uppercase().replace('-', " ")), Some(hash));
        assert_ne!(recovery_hash(codes[1].expose()), Some(hash));
        assert_eq!(recovery_hash("123456"), None, "that is a one-time password");
    }

    #[test]
    fn the_address_names_the_user() {
        let secret = new_secret().unwrap();
        assert_eq!(secret.expose().len(), 32);
        let address = address(&secret, "张伟 a&b");
        assert!(address.starts_with("otpauth://totp/SharpEyes:%E5%BC%A0"), "{address}");
        assert!(!address.contains("a&b"));
    }
}
