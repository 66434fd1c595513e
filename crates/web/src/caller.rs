//! Who asks: put into the request by the access check, taken out by handlers.

use crate::{
    app::App,
    problem::{Problem, Result},
    scope::Scope,
    session::TokenHash,
};
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, request::Parts},
};
use fleet::{Camera, CameraId, Registry};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use store::User;

/// A signed-in caller whose role allows the route.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) user: Arc<User>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) token: TokenHash,
    /// A program with a token, not a person.
    pub(crate) machine: bool,
    /// He signed in with a second factor, or has one by now.
    pub(crate) enrolled: bool,
    pub(crate) address: IpAddr,
}

impl Caller {
    /// The camera, if the caller may know of it.
    pub(crate) fn camera<'r>(&self, registry: &'r Registry, id: u32) -> Result<&'r Camera> {
        registry.camera(CameraId(id)).filter(|c| self.scope.sees_camera(registry, c.id)).ok_or_else(Problem::not_found)
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Caller> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(Problem::unauthenticated)
    }
}

/// The peer's address; present on every request that came through a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Peer {
    pub(crate) fn of(extensions: &Extensions) -> Peer {
        let address = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        Peer(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }
}

/// Where a request comes from that `peer` brought: what the trusted proxies say, each of the one before it, from the last to
/// the first who is not one of them. What others wrote into the header counts for nothing.
pub(crate) fn brought_by(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let said = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    let address = |hop: &str| {
        hop.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|a| a.ip())).ok().map(|a| a.to_canonical())
    };
    let mut from = peer.to_canonical();
    let mut hops = hops.iter().rev();
    while trusted.contains(&from)
        && let Some(before) = hops.next().and_then(|hop| address(hop))
    {
        from = before;
    }
    from
}

impl FromRequestParts<App> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Peer> {
        Ok(Peer::of(&parts.extensions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed_and_only_of_the_one_before_them() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let trusted = [ip("10.0.0.2"), ip("127.0.0.1")];
        let from = |peer: &str, said: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in said {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            brought_by(ip(peer), &headers, &trusted)
        };
        assert_eq!(from("10.9.9.9", &["1.2.3.4"]), ip("10.9.9.9"), "a stranger says what he likes");
        assert_eq!(from("10.0.0.2", &["10.7.7.7"]), ip("10.7.7.7"));
        assert_eq!(
            from("10.0.0.2", &["6.6.6.6, 10.7.7.7"]),
            ip("10.7.7.7"),
            "what the client wrote itself is not believed"
        );
        assert_eq!(from("127.0.0.1", &["6.6.6.6, 10.7.7.7", "10.0.0.2"]), ip("10.7.7.7"), "a chain of two");
        assert_eq!(from("::ffff:10.0.0.2", &["10.7.7.7:4711"]), ip("10.7.7.7"));
        assert_eq!(from("10.0.0.2", &["nonsense"]), ip("10.0.0.2"));
        assert_eq!(from("10.0.0.2", &[]), ip("10.0.0.2"));
    }
}
