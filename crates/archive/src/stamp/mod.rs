//! Time stamps of an authority outside (RFC 3161) over the daily manifests: who has our key still cannot date a manifest
//! back. The token lies beside the manifest, goes into evidence packages, and is checked with the authority's
//! certificate by whoever trusts that.
//!
//! A day's manifest is stamped once the day is over: until then it grows. Each manifest refers to the one before, so a
//! stamp dates everything before it as well.

mod certificate;
mod der;
mod keeper;

pub use certificate::Authority;
pub(crate) use keeper::run;

use crate::merkle::Hash;
use der::{BOOLEAN, INTEGER, NULL, OCTET_STRING, OID, Reader, SEQUENCE, SET, TIME, context};
use fleet::Wall;
use ring::digest;
use serde::Serialize;

/// 2.16.840.1.101.3.4.2.1
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 2.16.840.1.101.3.4.2.2
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// 2.16.840.1.101.3.4.2.3
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// 1.2.840.113549.1.9.3
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.9.16.2.12
const SIGNING_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
/// 1.2.840.113549.1.9.16.2.47
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];

/// The authority that is asked for time stamps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StampConfig {
    /// Where it answers by HTTP, like `http://tsa.county.example/`.
    pub url: String,
    /// Its certificate: then only its stamps are taken. Without, whoever checks must know it.
    pub authority: Option<Authority>,
}

/// How the time stamps fare.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StampStats {
    /// Manifests of days that are over and have their stamp.
    pub stamped: u64,
    /// Manifests that wait for theirs.
    pub waiting: u64,
    /// When the last one came, since start.
    pub last_stored: Option<Wall>,
    /// Why the last try failed; empty if it did not.
    pub detail: String,
}

/// Why a time stamp does not count.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StampFault {
    /// Not the answer of an authority, or not one that this program reads.
    #[error("not a time stamp that this program can read")]
    Malformed,
    /// The authority does not give one.
    #[error("the authority refuses (status {0})")]
    Refused(u64),
    /// It is over other bytes.
    #[error("the time stamp is of something else")]
    OtherImprint,
    /// An answer to another question.
    #[error("the time stamp answers another request")]
    OtherRequest,
    /// The certificate cannot be read.
    #[error("not a certificate (X.509) that this program can read")]
    Certificate,
    /// The certificate is for something else.
    #[error("the certificate is not one for time stamps")]
    Purpose,
    /// It was not valid at that time.
    #[error("the authority's certificate was not valid at the time it states")]
    Validity,
    /// Another authority signed.
    #[error("the time stamp was not made with this certificate")]
    OtherCertificate,
    /// The signature does not hold.
    #[error("the authority's signature does not match")]
    Signature,
    /// A way of signing that is not known here.
    #[error("the authority signs in a way that this program does not know")]
    Algorithm,
}

/// The request for a stamp over a SHA-256 (RFC 3161, 2.4.1); the answer must repeat the number.
pub(crate) fn request(hash: &Hash, nonce: u64) -> Vec<u8> {
    let algorithm = der::value(SEQUENCE, &[der::value(OID, SHA256), der::value(NULL, &[])].concat());
    let imprint = der::value(SEQUENCE, &[algorithm, der::value(OCTET_STRING, hash)].concat());
    // With a zero before it, so that it is no negative number.
    let nonce = [&[1_u8][..], &nonce.to_be_bytes()].concat();
    let parts =
        [der::value(INTEGER, &[1]), imprint, der::value(INTEGER, &nonce), der::value(BOOLEAN, &[0xff])].concat();
    der::value(SEQUENCE, &parts)
}

/// The token in an authority's answer, if it is one over this hash and for this request.
pub(crate) fn token(answer: &[u8], hash: &Hash, nonce: u64) -> Result<Vec<u8>, StampFault> {
    let (status, token) = response(answer).ok_or(StampFault::Malformed)?;
    // 0: granted, 1: granted with modifications.
    let token = match (status, token) {
        (0 | 1, Some(token)) => token,
        (0 | 1, None) => return Err(StampFault::Malformed),
        (refused, _) => return Err(StampFault::Refused(refused)),
    };
    let stamp = Stamp::parse(token).ok_or(StampFault::Malformed)?;
    if stamp.imprint != hash {
        return Err(StampFault::OtherImprint);
    }
    if stamp.nonce.and_then(|n| n.strip_prefix(&[1])) != Some(&nonce.to_be_bytes()[..]) {
        return Err(StampFault::OtherRequest);
    }
    Ok(token.to_vec())
}

fn response(answer: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    let mut outer = Reader(answer);
    let mut response = outer.enter(SEQUENCE).filter(|_| outer.0.is_empty())?;
    let status = response.enter(SEQUENCE)?.take(INTEGER).filter(|n| (1..=8).contains(&n.len()))?;
    let status = status.iter().fold(0, |n, b| n << 8 | u64::from(*b));
    Some((status, response.value(SEQUENCE).map(|token| token.whole)))
}

/// A token, taken apart.
pub(crate) struct Stamp<'a> {
    /// The time that it states.
    pub(crate) at: Wall,
    imprint: &'a [u8],
    nonce: Option<&'a [u8]>,
    info: &'a [u8],
    digest: &'static digest::Algorithm,
    /// What is signed, as it is hashed.
    attributes: Vec<u8>,
    signature: &'a [u8],
    /// The hash that the signer gives of his certificate.
    certificate: (&'static digest::Algorithm, &'a [u8]),
}

impl<'a> Stamp<'a> {
    /// Takes a token apart (RFC 3161, 2.4.2, in RFC 5652 SignedData). Believes nothing of it yet.
    pub(crate) fn parse(token: &'a [u8]) -> Option<Stamp<'a>> {
        let mut outer = Reader(token);
        let mut content = outer.enter(SEQUENCE).filter(|_| outer.0.is_empty())?;
        (content.take(OID)? == SIGNED_DATA).then_some(())?;
        let mut signed = content.enter(context(0))?.enter(SEQUENCE)?;
        signed.take(INTEGER)?;
        signed.take(SET)?;
        let mut inner = signed.enter(SEQUENCE)?;
        (inner.take(OID)? == TST_INFO).then_some(())?;
        let info = inner.enter(context(0))?.take(OCTET_STRING)?;
        // Certificates and revocation lists: what is believed is the certificate that somebody brings.
        signed.take(context(0));
        signed.take(context(1));
        let mut signers = signed.enter(SET)?;
        let mut signer = signers.enter(SEQUENCE).filter(|_| signers.0.is_empty())?;
        signer.take(INTEGER)?;
        signer.any()?;
        let digest = algorithm(signer.enter(SEQUENCE)?.take(OID)?)?;
        let attributes = signer.take(context(0))?;
        signer.take(SEQUENCE)?;
        let signature = signer.take(OCTET_STRING)?;
        let certificate = attribute(attributes, SIGNING_CERTIFICATE_V2)
            .and_then(certificate_v2)
            .or_else(|| attribute(attributes, SIGNING_CERTIFICATE).and_then(certificate_v1))?;

        let mut fields = Reader(info).enter(SEQUENCE)?;
        fields.take(INTEGER)?;
        fields.take(OID)?;
        let mut message = fields.enter(SEQUENCE)?;
        (message.enter(SEQUENCE)?.take(OID)? == SHA256).then_some(())?;
        let imprint = message.take(OCTET_STRING)?;
        fields.take(INTEGER)?;
        let at = certificate::time(std::str::from_utf8(fields.take(TIME)?).ok()?)?;
        fields.take(SEQUENCE);
        fields.take(BOOLEAN);
        let nonce = fields.take(INTEGER);
        Some(Stamp {
            at,
            imprint,
            nonce,
            info,
            digest,
            attributes: der::value(SET, attributes),
            signature,
            certificate,
        })
    }

    /// Whether it is over these bytes' hash.
    pub(crate) fn is_of(&self, hash: &Hash) -> bool {
        self.imprint == hash
    }

    /// Checks that the authority made it.
    pub(crate) fn check(&self, authority: &Authority) -> Result<(), StampFault> {
        let attributes = Reader(&self.attributes).take(SET).ok_or(StampFault::Malformed)?;
        let kind = attribute(attributes, CONTENT_TYPE).and_then(|mut value| value.take(OID));
        let digest = attribute(attributes, MESSAGE_DIGEST).and_then(|mut value| value.take(OCTET_STRING));
        if kind != Some(TST_INFO) || digest != Some(digest::digest(self.digest, self.info).as_ref()) {
            return Err(StampFault::Signature);
        }
        if !authority.is(self.certificate.0, self.certificate.1) {
            return Err(StampFault::OtherCertificate);
        }
        authority.check(self.digest, &self.attributes, self.signature, self.at)
    }
}

fn algorithm(oid: &[u8]) -> Option<&'static digest::Algorithm> {
    match oid {
        SHA256 => Some(&digest::SHA256),
        SHA384 => Some(&digest::SHA384),
        SHA512 => Some(&digest::SHA512),
        _ => None,
    }
}

/// The value of a signed attribute.
fn attribute<'a>(attributes: &'a [u8], wanted: &[u8]) -> Option<Reader<'a>> {
    let mut all = Reader(attributes);
    let mut each = std::iter::from_fn(|| all.enter(SEQUENCE));
    each.find_map(|mut attribute| (attribute.take(OID)? == wanted).then(|| attribute.enter(SET)).flatten())
}

/// `SigningCertificateV2` (RFC 5035): SHA-256 unless it says otherwise.
fn certificate_v2(mut value: Reader<'_>) -> Option<(&'static digest::Algorithm, &[u8])> {
    let mut first = value.enter(SEQUENCE)?.enter(SEQUENCE)?.enter(SEQUENCE)?;
    let algorithm = match first.enter(SEQUENCE) {
        Some(mut named) => algorithm(named.take(OID)?)?,
        None => &digest::SHA256,
    };
    Some((algorithm, first.take(OCTET_STRING)?))
}

/// `SigningCertificate` (RFC 2634): always SHA-1. It only names the certificate; the signature is what is believed.
fn certificate_v1(mut value: Reader<'_>) -> Option<(&'static digest::Algorithm, &[u8])> {
    let mut first = value.enter(SEQUENCE)?.enter(SEQUENCE)?.enter(SEQUENCE)?;
    Some((&digest::SHA1_FOR_LEGACY_USE_ONLY, first.take(OCTET_STRING)?))
}

#[cfg(test)]
mod tests;
