//! Where connections come in, and the ways in which they do not.

use super::{camera::Camera, connection, worker::Local};
use crate::{Fault, fault::FaultSet};
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr, rc::Rc, time::Duration};
use tokio::net::TcpListener;

/// Between two tries to get an address back.
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Nobody listens: the system refuses connections.
    Closed,
    /// Nothing answers at all.
    Hole,
}

fn door(faults: FaultSet) -> Door {
    if faults.silent() {
        Door::Hole
    } else if faults.has(Fault::PortClosed) {
        Door::Closed
    } else {
        Door::Open
    }
}

/// A socket that listens for connections, not yet given to a runtime.
pub(crate) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = bound(address)?;
    socket.listen(128)?;
    Ok(socket.into())
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Bounds what a slow reader can make us keep; inherited by accepted connections.
    socket.set_send_buffer_size(512 * 1024)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A socket whose queue of connections is full, so that the system drops requests for more: for whoever connects,
/// nothing answers. (Linux accepts one connection more than the queue holds.)
struct Hole {
    _listener: Socket,
    _fill: Vec<Socket>,
}

impl Hole {
    fn dig(address: SocketAddr) -> io::Result<Hole> {
        let listener = bound(address)?;
        listener.listen(0)?;
        let mut fill = Vec::new();
        for _ in 0..2 {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_nonblocking(true)?;
            // The second never gets through, which is the point.
            let _ = socket.connect(&address.into());
            fill.push(socket);
        }
        Ok(Hole { _listener: listener, _fill: fill })
    }
}

/// Serves a camera's address until the worker ends.
pub(super) async fn keep(local: Rc<Local>, camera: Rc<Camera>, first: std::net::TcpListener) {
    let mut faults = camera.faults.subscribe();
    let mut listener = TcpListener::from_std(first).ok();
    loop {
        let state = door(*faults.borrow_and_update());
        let mut hole = None;
        if state != Door::Open {
            listener = None;
        }
        match state {
            Door::Open if listener.is_none() => {
                listener = listen(camera.spec.addr).and_then(TcpListener::from_std).ok();
            }
            Door::Hole => hole = Hole::dig(camera.spec.addr).ok(),
            _ => {}
        }
        let settled = match state {
            Door::Open => listener.is_some(),
            Door::Closed => true,
            Door::Hole => hole.is_some(),
        };
        if !settled {
            tracing::warn!(camera = camera.spec.id, address = %camera.spec.addr, "the address is taken; trying again");
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        loop {
            tokio::select! {
                biased;
                changed = faults.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if door(*faults.borrow()) != state {
                        break;
                    }
                }
                accepted = accept(listener.as_ref()) => match accepted {
                    Ok((socket, peer)) => {
                        tokio::task::spawn_local(connection::serve(Rc::clone(&local), Rc::clone(&camera), socket, peer));
                    }
                    // Out of file descriptors, or the peer is gone already.
                    Err(_) => tokio::time::sleep(AGAIN).await,
                },
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}
