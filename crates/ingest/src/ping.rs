//! ICMP echo, where this process may send it. Never more than one request.

use rand::Rng;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, Read},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// What became of one echo request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ping {
    Answered(Duration),
    Silent,
    /// The system allows this process no ICMP, or has none for this address.
    NotPermitted(String),
}

/// Sends one echo request and waits for its answer.
pub(crate) async fn ping(address: IpAddr, limit: Duration) -> Ping {
    match tokio::task::spawn_blocking(move || echo(address, limit)).await {
        Ok(Ok(Some(took))) => Ping::Answered(took),
        Ok(Ok(None)) => Ping::Silent,
        Ok(Err(error)) => match error.kind() {
            // The path said no; that is an answer about the path, which the TCP rung words better.
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Ping::Silent,
            _ => Ping::NotPermitted(error.to_string()),
        },
        Err(_) => Ping::NotPermitted("the attempt was broken off".to_owned()),
    }
}

fn echo(address: IpAddr, limit: Duration) -> io::Result<Option<Duration>> {
    let (domain, protocol, kind) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128),
    };
    // Unprivileged ICMP sockets need net.ipv4.ping_group_range; raw ones need CAP_NET_RAW.
    let socket =
        Socket::new(domain, Type::DGRAM, Some(protocol)).or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))?;
    let token: [u8; 16] = rand::rng().random();
    let began = Instant::now();
    socket.connect(&SocketAddr::new(address, 0).into())?;
    socket.send(&request(kind, token))?;
    let mut buffer = [0; 1500];
    loop {
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        match (&socket).read(&mut buffer) {
            // The request itself comes back from one's own address; only the reply has another type.
            Ok(n) if is_reply(&buffer[..n], address, token) => return Ok(Some(began.elapsed())),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Type, code, checksum, identifier, sequence, then a token of our own: identifiers are rewritten by the system.
fn request(kind: u8, token: [u8; 16]) -> [u8; 24] {
    let mut packet = [0; 24];
    packet[0] = kind;
    packet[4..6].copy_from_slice(&token[..2]);
    packet[7] = 1;
    packet[8..].copy_from_slice(&token);
    // RFC 1071; for ICMPv6 the system fills it in.
    let sum = packet.chunks(2).fold(0_u32, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn is_reply(packet: &[u8], address: IpAddr, token: [u8; 16]) -> bool {
    // Raw IPv4 sockets deliver the IP header too.
    let icmp = match (address, packet.first()) {
        (IpAddr::V4(_), Some(first)) if first >> 4 == 4 => packet.get(usize::from(first & 0x0f) * 4..),
        _ => Some(packet),
    };
    let reply = if address.is_ipv4() { 0 } else { 129 };
    icmp.is_some_and(|p| p.first() == Some(&reply) && p.get(8..24) == Some(&token[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_makes_the_sum_all_ones() {
        let packet = request(8, [0xa7; 16]);
        let sum: u32 = packet.chunks(2).map(|p| u32::from(u16::from_be_bytes([p[0], p[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[tokio::test]
    async fn this_machine_answers_or_may_not_be_asked() {
        match ping(IpAddr::from([127, 0, 0, 1]), Duration::from_secs(1)).await {
            Ping::Answered(took) => assert!(took < Duration::from_secs(1)),
            Ping::NotPermitted(why) => assert!(!why.is_empty()),
            Ping::Silent => panic!("loopback was silent"),
        }
    }
}
