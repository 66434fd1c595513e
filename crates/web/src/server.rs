//! The listening sockets: TLS or not, bounded connections, header and idle limits, graceful end.

use crate::{Services, Tls, app::App, redirect};
use axum::{body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use socket2::SockRef;
use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// A request's headers must have arrived after this long; also the longest idle time of a connection.
const HEADER_LIMIT: Duration = Duration::from_secs(30);
/// A TLS handshake must be done after this long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// First byte of every TLS connection: a record of the kind "handshake" (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// Connections held at once on each of the small doors: metrics, and the way from http to https.
const COLLECTORS: usize = 16;
/// Whoever takes nothing of an answer for so long is cut off (`TCP_USER_TIMEOUT`, which counts a closed window too).
const UNREAD: Duration = Duration::from_secs(60);
/// What is under way at the end may take this long.
const LAST_ANSWERS: Duration = Duration::from_millis(1500);

/// The sockets that are served.
#[derive(Debug)]
pub struct Doors {
    /// Dashboard and API.
    pub pages: TcpListener,
    /// With this certificate; without one it is plain HTTP.
    pub tls: Option<Tls>,
    /// Leads browsers that ask here, in plain HTTP, to the pages' door.
    pub redirect: Option<TcpListener>,
    /// `/metrics`, `/livez` and `/readyz` alone; without it they are served beside the pages.
    pub metrics: Option<TcpListener>,
}

impl From<TcpListener> for Doors {
    fn from(pages: TcpListener) -> Doors {
        Doors { pages, tls: None, redirect: None, metrics: None }
    }
}

/// Serves until `shutdown` completes, then ends event streams, lets short requests finish and returns.
///
/// # Errors
/// The pages' socket is none; sockets that fail later are waited for.
pub async fn serve(
    doors: impl Into<Doors>,
    services: Services,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let Doors { pages, tls, redirect: plain, metrics } = doors.into();
    let limits = Limits {
        all: services.config.connections,
        each: services.config.connections_per_address,
        unbounded: services.config.trusted_proxies.clone(),
    };
    let few = || Limits { all: COLLECTORS, each: COLLECTORS, unbounded: Vec::new() };
    let every = services.config.certificate_every;
    let app = App::start(services);
    if let Some(tls) = &tls {
        app.certificate.get_or_init(|| tls.clone());
        tokio::spawn(renew(tls.clone(), every, app.stopping()));
    }
    let stop = app.stopping();
    let router = app.router();
    // Whoever collects metrics reads them through a door of their own, and through no other.
    let router = if metrics.is_some() { router } else { router.merge(app.signs_of_life()) };
    let observed = async {
        if let Some(listener) = metrics {
            accept(listener, Door::Plain(app.signs_of_life()), few(), &stop).await;
        }
    };
    let to_https = redirect::router(pages.local_addr()?.port());
    let led = async {
        if let Some(listener) = plain {
            accept(listener, Door::Plain(to_https.clone()), few(), &stop).await;
        }
    };
    let door = match tls {
        None => Door::Plain(router),
        Some(tls) => Door::Tls { acceptor: tls.config.into(), router, to_https: to_https.clone() },
    };
    let ended = async {
        shutdown.await;
        stop.cancel();
    };
    tokio::join!(accept(pages, door, limits, &stop), observed, led, ended);
    Ok(())
}

/// Serves a renewed certificate soon after it is there.
async fn renew(tls: Tls, every: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let tls = tls.clone();
        let _ = tokio::task::spawn_blocking(move || tls.look()).await;
    }
}

/// What is behind a socket.
#[derive(Clone)]
enum Door {
    Plain(axum::Router),
    /// Who speaks plain HTTP here meant https: he is told so.
    Tls {
        acceptor: TlsAcceptor,
        router: axum::Router,
        to_https: axum::Router,
    },
}

/// How many connections a door holds.
struct Limits {
    all: usize,
    /// Of one address.
    each: usize,
    /// Addresses for which only `all` counts.
    unbounded: Vec<IpAddr>,
}

/// The connections of each address.
#[derive(Default)]
struct Crowd(Mutex<HashMap<IpAddr, usize>>);

/// One of them; leaves when it is dropped.
struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    /// A place for one more of this address, if it has not `most` already.
    fn enter(self: &Arc<Crowd>, address: IpAddr, most: usize) -> Option<Place> {
        let mut all = self.0.lock();
        let here = all.entry(address).or_default();
        if *here >= most {
            return None;
        }
        *here += 1;
        Some(Place { crowd: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut here) = self.crowd.0.lock().entry(self.address) {
            *here.get_mut() -= 1;
            if *here.get() == 0 {
                here.remove();
            }
        }
    }
}

/// Takes connections, as many as `limits` allow, until stopped; then lets what is under way finish.
async fn accept(listener: TcpListener, door: Door, limits: Limits, stop: &CancellationToken) {
    let slots = Arc::new(Semaphore::new(limits.all));
    let crowd = Arc::new(Crowd::default());
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            // Beyond the limit, further connections wait in the kernel's queue.
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let address = peer.ip().to_canonical();
                let most = if limits.unbounded.contains(&address) { limits.all } else { limits.each };
                let Some(place) = crowd.enter(address, most) else {
                    tracing::debug!(%address, "an address with too many connections was turned away");
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD));
                let connection = enter(stream, peer, door.clone(), stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop((slot, place));
                });
            }
            Err(error) => {
                // Out of files, or the peer gave up already: either passes.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await;
    connections.shutdown().await;
}

async fn enter(stream: TcpStream, peer: SocketAddr, door: Door, stop: CancellationToken) {
    let (acceptor, router, to_https) = match door {
        Door::Plain(router) => return answer(stream, peer, router, stop).await,
        Door::Tls { acceptor, router, to_https } => (acceptor, router, to_https),
    };
    // Whatever goes wrong before the first request is the peer's affair.
    let handshake = async {
        let mut first = [0; 1];
        if stream.peek(&mut first).await.ok()? > 0 && first[0] != TLS_HANDSHAKE {
            return Some(Err(stream));
        }
        acceptor.accept(stream).await.ok().map(Ok)
    };
    let met = tokio::select! {
        () = stop.cancelled() => return,
        met = timeout(HANDSHAKE, handshake) => met,
    };
    match met {
        Ok(Some(Ok(secured))) => answer(secured, peer, router, stop).await,
        Ok(Some(Err(plain))) => answer(plain, peer, to_https, stop).await,
        Ok(None) | Err(_) => {}
    }
}

async fn answer<S>(stream: S, peer: SocketAddr, router: axum::Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    // Errors here are the peer's: half a request, a reset. They concern nobody else.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
