//! The two UDP ports on which a stream arrives, for cameras whose transport is UDP by choice.

use crate::failure::{Step, failure, io_failure};
use fleet::Cause;
use health::Failure;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll, ready},
};
use tokio::{io::ReadBuf, net::UdpSocket};

/// How often a pair of neighbouring ports is looked for.
const TRIES: usize = 32;
/// Room for bursts, in bytes: a keyframe arrives at line speed.
const RECEIVE_BYTES: usize = 512 << 10;

/// RTP on the even port, RTCP on the one above (RFC 3550 §11).
pub(crate) struct Ports {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    peer: IpAddr,
}

impl Ports {
    /// Binds a pair at our address; only what comes from `peer` is taken.
    pub(crate) fn bind(local: IpAddr, peer: IpAddr) -> Result<Ports, Failure> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            match pair(local) {
                Ok(Some((rtp, rtcp))) => return Ok(Ports { rtp, rtcp, peer: peer.to_canonical() }),
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        Err(failure(Cause::OwnNetwork, format!("no pair of UDP ports: {last}")))
    }

    /// The even port.
    pub(crate) fn first(&self) -> Result<u16, Failure> {
        self.rtp.local_addr().map(|a| a.port()).map_err(|e| io_failure(Step::Setup, &e))
    }

    /// Opens the way for the camera's packets through firewalls between: an empty RTP packet and an empty receiver
    /// report, as far as the camera said where it listens.
    pub(crate) fn punch(&self, server: Option<u16>) {
        let Some(port) = server.filter(|p| *p < u16::MAX) else { return };
        // Nothing depends on their arrival.
        let _ = self.rtp.try_send_to(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (self.peer, port).into());
        let _ = self.rtcp.try_send_to(&[0x80, 201, 0, 1, 0, 0, 0, 0], (self.peer, port + 1).into());
    }

    /// The next packet: whether it is RTCP, and how long it is.
    pub(crate) fn poll_packet(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(bool, usize)>> {
        if let Poll::Ready(got) = self.poll_one(&self.rtp, cx, buffer) {
            return Poll::Ready(got.map(|n| (false, n)));
        }
        let got = ready!(self.poll_one(&self.rtcp, cx, buffer));
        Poll::Ready(got.map(|n| (true, n)))
    }

    fn poll_one(&self, socket: &UdpSocket, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut packet = ReadBuf::new(buffer);
            let from = ready!(socket.poll_recv_from(cx, &mut packet))?;
            if from.ip().to_canonical() == self.peer {
                return Poll::Ready(Ok(packet.filled().len()));
            }
        }
    }
}

fn pair(local: IpAddr) -> io::Result<Option<(UdpSocket, UdpSocket)>> {
    let first = bind(local, 0)?;
    let port = first.local_addr()?.port();
    if port % 2 == 0 && port < u16::MAX {
        return Ok(bind(local, port + 1).ok().map(|second| (first, second)));
    }
    Ok(bind(local, port - 1).ok().map(|second| (second, first)))
}

fn bind(local: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(local, port);
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::DGRAM, None)?;
    // The kernel may grant less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
