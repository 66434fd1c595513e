//! Addresses of our own network that always answer, such as the gateway or the core switch: if none of them does, our
//! network is at fault, and no silent camera can be blamed.
//!
//! They are asked by opening a TCP connection. Whatever comes back, a refusal too, was sent by somebody out there.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::watch, task::JoinSet};

const ASK_EVERY: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
/// Without an answer for so long it is told: before a session that was just cut is missed, which takes five seconds.
const SILENT_FOR: Duration = Duration::from_secs(3);

/// Asks the addresses for as long as somebody wants to know; without any, nothing is ever wrong.
pub(super) fn watch(addresses: Vec<SocketAddr>) -> watch::Receiver<Option<String>> {
    let (tell, told) = watch::channel(None);
    if addresses.is_empty() {
        return told;
    }
    tokio::spawn(async move {
        let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let fault = format!("none of the reference addresses answers: {}", names.join(", "));
        let mut answered = Instant::now();
        let mut ticks = tokio::time::interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !tell.is_closed() {
            ticks.tick().await;
            if any_answers(&addresses).await {
                answered = Instant::now();
            }
            let silent = answered.elapsed() >= SILENT_FOR;
            tell.send_if_modified(|known| {
                let now = silent.then(|| fault.clone());
                let changed = *known != now;
                *known = now;
                changed
            });
        }
    });
    told
}

async fn any_answers(addresses: &[SocketAddr]) -> bool {
    let mut asked: JoinSet<bool> = addresses.iter().map(|&address| answers(address)).collect();
    while let Some(answer) = asked.join_next().await {
        if answer.unwrap_or(false) {
            return true;
        }
    }
    false
}

async fn answers(address: SocketAddr) -> bool {
    match tokio::time::timeout(ANSWER_WITHIN, TcpStream::connect(address)).await {
        Ok(Ok(_)) => true,
        // It is there, and nobody listens on that port.
        Ok(Err(error)) => matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A host that swallows every connection: its queue of one is full.
    fn silent() -> (tokio::net::TcpListener, Vec<std::net::TcpStream>, SocketAddr) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let within = Duration::from_millis(200);
        let filled = (0..8).map_while(|_| std::net::TcpStream::connect_timeout(&address, within).ok()).collect();
        (listener, filled, address)
    }

    #[tokio::test]
    async fn whoever_answers_even_by_a_refusal_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        assert!(answers(there).await);
        drop(listener);
        assert!(answers(there).await, "a refusal is an answer");
        let (_listener, _filled, swallowed) = silent();
        assert!(!answers(swallowed).await);
        assert!(any_answers(&[swallowed, there]).await, "one is enough");
    }

    #[tokio::test]
    async fn a_network_without_any_answer_is_told_before_a_camera_would_be_offline_and_taken_back() {
        let (listener, filled, address) = silent();
        let mut told = watch(vec![address]);
        let began = Instant::now();
        let fault = told.wait_for(Option::is_some).await.unwrap().clone();
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
        assert!(fault.unwrap().contains(&address.to_string()));
        drop((listener, filled));
        tokio::time::timeout(Duration::from_secs(5), told.wait_for(Option::is_none)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn without_addresses_nothing_is_ever_wrong() {
        assert_eq!(*watch(Vec::new()).borrow(), None);
    }
}
