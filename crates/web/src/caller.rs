//! Who asks: put into the request by the access check, taken out by handlers.

use crate::{
    app::App,
    problem::{Problem, Result},
    scope::Scope,
    session::TokenHash,
};
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, request::Parts},
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
        registry.camera(CameraId(id)).filter(|c| self.scope.sees_site(registry, c.site)).ok_or_else(Problem::not_found)
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

impl FromRequestParts<App> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Peer> {
        Ok(Peer::of(&parts.extensions))
    }
}
