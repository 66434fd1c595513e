//! Where a camera may be: names resolved under a limit, every address held against the permitted networks.
//!
//! A session connects to exactly the address that was checked here, never to the name again, so a name that
//! changes its address in between gains nothing.

use crate::{Config, Limits};
use fleet::{Cause, StreamUrl};
use health::Failure;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// A network in which cameras may be, as `10.20.0.0/16` or `fd12::/64`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Not a network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not a network; expected ADDRESS/PREFIX, such as 10.20.0.0/16")]
pub struct NetworkError(String);

impl Network {
    /// Whether `address` lies in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(a)) => {
                mask(u128::from(net.to_bits()) << 96, self.prefix) == mask(u128::from(a.to_bits()) << 96, self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(a)) => mask(net.to_bits(), self.prefix) == mask(a.to_bits(), self.prefix),
            _ => false,
        }
    }
}

fn mask(bits: u128, prefix: u8) -> u128 {
    if prefix == 0 { 0 } else { bits & (u128::MAX << (128 - u32::from(prefix))) }
}

impl FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let wrong = || NetworkError(text.chars().take(60).collect());
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |p| p.parse().map_err(|_| wrong()))?;
        if prefix > longest {
            return Err(wrong());
        }
        Ok(Network { address, prefix })
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Network, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Resolves the address of a stream and holds it against the rules.
///
/// A name with several addresses is as good as its first permitted one.
pub(crate) async fn locate(url: &StreamUrl, config: &Config) -> Result<SocketAddr, Failure> {
    let port = url.port();
    if port == 0 {
        return Err(Failure { cause: Cause::AddressInvalid, detail: "port 0 cannot be used".to_owned() });
    }
    let found = match url.url().host() {
        Some(url::Host::Ipv4(ip)) => vec![IpAddr::V4(ip)],
        Some(url::Host::Ipv6(ip)) => vec![IpAddr::V6(ip)],
        Some(url::Host::Domain(name)) => resolve(name, port, &config.limits).await?,
        None => return Err(Failure { cause: Cause::AddressInvalid, detail: "the address names no host".to_owned() }),
    };
    match found.iter().find(|ip| permitted(**ip, config)) {
        Some(ip) => Ok(SocketAddr::new(*ip, port)),
        None => Err(Failure {
            cause: Cause::AddressForbidden,
            detail: format!(
                "{} is not in a permitted network",
                found.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
            ),
        }),
    }
}

async fn resolve(name: &str, port: u16, limits: &Limits) -> Result<Vec<IpAddr>, Failure> {
    let failed = |why: String| Failure { cause: Cause::NameUnresolved, detail: format!("{name}: {why}") };
    match tokio::time::timeout(limits.resolve, tokio::net::lookup_host((name, port))).await {
        Err(_) => Err(failed(format!("no answer from DNS in {} s", limits.resolve.as_secs_f32()))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Ok(Ok(found)) => {
            let found: Vec<IpAddr> = found.take(16).map(|a| a.ip()).collect();
            if found.is_empty() { Err(failed("no address".to_owned())) } else { Ok(found) }
        }
    }
}

impl Config {
    /// Whether anything of ours may connect to this address: cameras, and the targets of notifications by the same rule.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        permitted(address, self)
    }
}

/// Whether a camera may be at this address.
fn permitted(ip: IpAddr, config: &Config) -> bool {
    let ip = ip.to_canonical();
    if ip.is_loopback() {
        return config.allow_loopback;
    }
    // A network named in the configuration is meant, even a link-local one; nobody can mean these.
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return false;
    }
    if !config.allow_networks.is_empty() {
        return config.allow_networks.iter().any(|n| n.contains(ip));
    }
    match ip {
        // Link-local holds the metadata service of clouds; 0/8 and 240/4 are no hosts.
        IpAddr::V4(v4) => !v4.is_link_local() && v4.octets()[0] != 0 && v4.octets()[0] < 240,
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && v6 != METADATA_V6,
    }
}

/// The metadata service of a large cloud over IPv6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_contain_what_they_say() {
        let net: Network = "10.20.0.0/15".parse().unwrap();
        assert!(net.contains(ip("10.21.255.255")));
        assert!(net.contains(ip("::ffff:10.20.0.1")), "an IPv4 address in IPv6 clothes is the same address");
        assert!(!net.contains(ip("10.22.0.0")));
        assert!("::/0".parse::<Network>().unwrap().contains(ip("fd00::1")));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "a/8", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn addresses_that_are_no_cameras_are_refused() {
        let open = Config::default();
        for refused in [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!permitted(ip(refused), &open), "{refused}");
        }
        for fine in ["10.1.2.3", "192.168.1.1", "172.16.0.1", "8.8.8.8", "fd12::1"] {
            assert!(permitted(ip(fine), &open), "{fine}");
        }
        let closed = Config { allow_networks: vec!["10.0.0.0/8".parse().unwrap()], ..Config::default() };
        assert!(permitted(ip("10.1.2.3"), &closed));
        assert!(!permitted(ip("192.168.1.1"), &closed));
        let simulation = Config { allow_loopback: true, ..closed };
        assert!(permitted(ip("127.9.9.9"), &simulation));
    }
}
