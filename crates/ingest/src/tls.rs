//! RTSP over TLS (`rtsps`): the line is encrypted, and a camera is held to the certificate it first showed.
//!
//! Cameras sign their certificates themselves and carry no name that means anything, so there is nobody to vouch for
//! them. What can be known is that it is still the same camera: the first certificate is believed and told, so that it
//! can be kept over a restart; another one is refused until an administrator has it forgotten, as after a replacement
//! of the camera. That the camera owns the certificate's key is always verified.

use crate::failure::failure;
use fleet::Cause;
use health::Failure;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to be compared by eye.
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

/// The certificate a camera is held to.
#[derive(Clone, Default)]
pub(crate) struct Pin(Arc<Mutex<Option<Fingerprint>>>);

impl Pin {
    /// Holds the camera to this certificate, whatever it showed before; to none if `None`.
    pub(crate) fn set(&self, to: Option<Fingerprint>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// What it is held to.
    pub(crate) fn get(&self) -> Option<Fingerprint> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the camera to this certificate, or says that it is another one.
    fn hold(&self, shown: Fingerprint) -> Result<(), Failure> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some(former) if former != shown => Err(failure(
                Cause::TlsFailed,
                format!(
                    "the camera shows another certificate ({shown}) than before ({former}); \
                     if it was replaced, let an administrator forget the former one"
                ),
            )),
            _ => {
                *known = Some(shown);
                Ok(())
            }
        }
    }
}

/// Encrypts a connection within the limit; the certificate's fingerprint is told to `note`.
pub(crate) async fn secure(
    stream: TcpStream,
    peer: IpAddr,
    limit: Duration,
    pin: &Pin,
) -> Result<(Box<TlsStream<TcpStream>>, Fingerprint), Failure> {
    let shake = TlsConnector::from(CLIENT.clone()).connect(ServerName::IpAddress(peer.into()), stream);
    let stream = match timeout(limit, shake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(failure(Cause::TlsFailed, format!("TLS: {error}"))),
        Err(_) => {
            let seconds = limit.as_secs_f32();
            return Err(failure(Cause::TlsFailed, format!("the TLS handshake did not end within {seconds} s")));
        }
    };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let shown = certificates.first().ok_or_else(|| failure(Cause::TlsFailed, "the camera shows no certificate"))?;
    let shown = Fingerprint(Sha256::digest(shown).into());
    pin.hold(shown)?;
    Ok((Box::new(stream), shown))
}

static CLIENT: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyOwner(provider)))
        .with_no_client_auth();
    // Sessions are not resumed: each handshake shows the certificate.
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
});

/// Believes any certificate whose key the peer owns.
#[derive(Debug)]
struct AnyOwner(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyOwner {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
