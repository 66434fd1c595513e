//! The certificate of a time stamping authority, as somebody has it who trusts it.

use super::{
    StampFault,
    der::{BIT_STRING, INTEGER, OID, Reader, SEQUENCE, TIME, UTC_TIME, context},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fleet::Wall;
use ring::{digest, signature};

/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 2.5.29.37
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// 1.3.6.1.5.5.7.3.8
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// Whose time stamps are believed.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    der: Vec<u8>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("sha256", &self.sha256()).finish()
    }
}

/// What is needed of a certificate (RFC 5280).
struct Parts<'a> {
    begins: Wall,
    ends: Wall,
    algorithm: &'a [u8],
    curve: Option<&'a [u8]>,
    key: &'a [u8],
    stamps: bool,
}

impl Authority {
    /// Reads a certificate, PEM or DER: that of the authority itself, not of who vouches for it.
    ///
    /// # Errors
    /// If it is none, or one that is not for time stamps.
    pub fn parse(file: &[u8]) -> Result<Authority, StampFault> {
        let der = match std::str::from_utf8(file).ok().and_then(pem) {
            Some(der) => der,
            None => file.to_vec(),
        };
        match parts(&der) {
            Some(parts) if parts.stamps => Ok(Authority { der }),
            Some(_) => Err(StampFault::Purpose),
            None => Err(StampFault::Certificate),
        }
    }

    /// SHA-256 of the certificate, hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(digest::digest(&digest::SHA256, &self.der))
    }

    /// Whether this is the certificate with this hash.
    pub(super) fn is(&self, algorithm: &'static digest::Algorithm, hash: &[u8]) -> bool {
        digest::digest(algorithm, &self.der).as_ref() == hash
    }

    /// Checks a signature of the authority at an instant.
    pub(super) fn check(
        &self,
        algorithm: &'static digest::Algorithm,
        message: &[u8],
        signed: &[u8],
        at: Wall,
    ) -> Result<(), StampFault> {
        let parts = parts(&self.der).ok_or(StampFault::Certificate)?;
        if !(parts.begins..=parts.ends).contains(&at) {
            return Err(StampFault::Validity);
        }
        let (sha256, sha384) = (algorithm == &digest::SHA256, algorithm == &digest::SHA384);
        let way: &dyn signature::VerificationAlgorithm = match (parts.algorithm, parts.curve) {
            (RSA, _) if sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            (RSA, _) if sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            (RSA, _) if algorithm == &digest::SHA512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            (EC, Some(P256)) if sha256 => &signature::ECDSA_P256_SHA256_ASN1,
            (EC, Some(P256)) if sha384 => &signature::ECDSA_P256_SHA384_ASN1,
            (EC, Some(P384)) if sha256 => &signature::ECDSA_P384_SHA256_ASN1,
            (EC, Some(P384)) if sha384 => &signature::ECDSA_P384_SHA384_ASN1,
            _ => return Err(StampFault::Algorithm),
        };
        let key = signature::UnparsedPublicKey::new(way, parts.key);
        key.verify(message, signed).map_err(|_| StampFault::Signature)
    }
}

fn parts(der: &[u8]) -> Option<Parts<'_>> {
    let mut outer = Reader(der);
    let mut certificate = outer.enter(SEQUENCE).filter(|_| outer.0.is_empty())?;
    let mut body = certificate.enter(SEQUENCE)?;
    body.take(context(0))?;
    body.take(INTEGER)?;
    body.take(SEQUENCE)?;
    body.take(SEQUENCE)?;
    let mut validity = body.enter(SEQUENCE)?;
    let (begins, ends) = (instant(&mut validity)?, instant(&mut validity)?);
    body.take(SEQUENCE)?;
    let mut key = body.enter(SEQUENCE)?;
    let mut algorithm = key.enter(SEQUENCE)?;
    let (oid, curve) = (algorithm.take(OID)?, algorithm.take(OID));
    let bits = key.take(BIT_STRING)?.strip_prefix(&[0])?;
    // Identifiers that nobody uses, then the extensions.
    let mut extensions = loop {
        let value = body.any()?;
        if value.tag == context(3) {
            break Reader(value.content).enter(SEQUENCE)?;
        }
    };
    let mut stamps = false;
    while let Some(mut extension) = extensions.enter(SEQUENCE) {
        if extension.take(OID)? == EXTENDED_KEY_USAGE {
            let value = std::iter::from_fn(|| extension.any()).last()?;
            let mut purposes = Reader(value.content).enter(SEQUENCE)?;
            stamps = std::iter::from_fn(|| purposes.take(OID)).any(|purpose| purpose == TIME_STAMPING);
        }
    }
    Some(Parts { begins, ends, algorithm: oid, curve, key: bits, stamps })
}

fn instant(reader: &mut Reader<'_>) -> Option<Wall> {
    let value = reader.any()?;
    let text = std::str::from_utf8(value.content).ok()?;
    match value.tag {
        // Years of two digits are 1950 to 2049 (RFC 5280, 4.1.2.5.1).
        UTC_TIME if text.as_bytes().first()? < &b'5' => time(&format!("20{text}")),
        UTC_TIME => time(&format!("19{text}")),
        TIME => time(text),
        _ => None,
    }
}

/// `20261130010203Z`, or with a fraction of a second, which is cut to milliseconds.
pub(super) fn time(text: &str) -> Option<Wall> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let good = whole.len() == 14 && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    if !good || fraction.is_empty() {
        return None;
    }
    let n = |at: std::ops::Range<usize>| whole[at].parse::<i8>().ok();
    let year = whole[..4].parse::<i16>().ok()?;
    let day = jiff::civil::DateTime::new(year, n(4..6)?, n(6..8)?, n(8..10)?, n(10..12)?, n(12..14)?, 0).ok()?;
    let at = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    let millis = format!("{:0<3}", &fraction[..fraction.len().min(3)]).parse::<i64>().ok()?;
    Some(Wall(at + millis))
}

/// The first certificate of a PEM text.
fn pem(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}
