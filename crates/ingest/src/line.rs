//! The connection to a camera.

use crate::{
    Config, Target,
    tls::{Pin as Certificate, secure},
    transcript::Transcript,
};
use health::Failure;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// An open connection.
pub(crate) enum Line {
    /// RTSP in the clear.
    Tcp(TcpStream),
    /// RTSP over TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Line {
    /// Encrypts a connection if the target asks for it.
    pub(crate) async fn of(
        stream: TcpStream,
        target: &Target,
        address: SocketAddr,
        config: &Config,
        pin: &Certificate,
        transcript: &mut Transcript,
    ) -> Result<Line, Failure> {
        if !target.url.is_tls() {
            return Ok(Line::Tcp(stream));
        }
        let (stream, shown) = secure(stream, address.ip(), config.limits.connect, pin)
            .await
            .inspect_err(|failure| transcript.note(&format!("({})", failure.detail)))?;
        transcript.note(&format!("TLS: the camera's certificate is {shown}\n"));
        Ok(Line::Tls(stream))
    }

    /// Our end.
    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Line::Tcp(stream) => stream.local_addr(),
            Line::Tls(stream) => stream.get_ref().0.local_addr(),
        }
    }

    /// Reads into `buffer`: how many bytes came, 0 at the end of the stream.
    pub(crate) fn poll_bytes(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(self).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(buffer.filled().len())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Line::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Line::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Line::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Line::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Line::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
