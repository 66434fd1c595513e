//! What arrives, against real HTTP servers and a real database: over crashes, refusals, a slow disk.

use super::*;
use crate::node::samples::{incident, shared};
use fleet::{CameraId, Secret};
use health::{Severity, desk::Route};
use notify::{Language, Target};
use std::{net::TcpListener, path::Path};
use store::DeliveryState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One request a connection: headers, then as many bytes as they say.
async fn request(peer: &mut tokio::net::TcpStream) -> String {
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let n = peer.read(&mut part).await.unwrap_or(0);
        request.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            body.len() >= length.unwrap_or(0usize)
        });
        if whole || n == 0 {
            return text;
        }
    }
}

async fn answer(peer: &mut tokio::net::TcpStream, status: u16) {
    let answer = format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = peer.write_all(answer.as_bytes()).await;
}

/// Takes requests until told to end; tells the text of each. `decide` says which status answers it, or that none does.
async fn serve(
    listener: TcpListener,
    tell: tokio::sync::mpsc::UnboundedSender<String>,
    decide: impl Fn(&str) -> Option<u16>,
) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut unanswered = Vec::new();
    while let Ok((mut peer, _)) = listener.accept().await {
        let text = request(&mut peer).await;
        match decide(&text) {
            Some(status) => answer(&mut peer, status).await,
            None => unanswered.push(peer),
        }
        let _ = tell.send(text);
    }
}

fn webhook(address: std::net::SocketAddr, secret: &str) -> Secret {
    let target = Target::Webhook { url: format!("http://{address}/"), secret: secret.into() };
    Secret::new(Envelope { language: Language::Chinese, target }.seal())
}

async fn add_channel(store: &Arc<dyn Store>, address: std::net::SocketAddr) -> Channel {
    let channel = Channel {
        id: ChannelId(0),
        name: "值班".into(),
        kind: "webhook".into(),
        enabled: true,
        route: Route::default(),
        shown: String::new(),
        target: webhook(address, "a long enough secret"),
    };
    store.add_channel(channel).await.unwrap()
}

async fn next(heard: &mut tokio::sync::mpsc::UnboundedReceiver<String>) -> String {
    tokio::time::timeout(Duration::from_secs(40), heard.recv()).await.unwrap().unwrap()
}

/// Which message it is.
fn key(text: &str) -> String {
    text.lines().find_map(|l| l.strip_prefix("x-sharpeyes-delivery: ")).unwrap().to_owned()
}

async fn store(folder: &Path) -> Arc<dyn Store> {
    Arc::new(store_sqlite::SqliteStore::open(folder).await.unwrap())
}

fn start(store: &Arc<dyn Store>, incidents: Vec<Incident>) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    let notifier = Notifier {
        store: Arc::clone(store),
        shared: shared(incidents),
        courier: Courier::new("node-1".into(), |ip| ip.is_loopback()),
    };
    (stop, tokio::spawn(notifier.run(stopped)))
}

async fn until(what: &str, store: &Arc<dyn Store>, good: impl Fn(&[Delivery]) -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(40);
    loop {
        let log = store.deliveries(None, 100, None).await.unwrap().items;
        if good(&log) {
            return;
        }
        assert!(tokio::time::Instant::now() < end, "{what} did not come true: {log:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_server_is_away_nor_over_a_crash_and_nothing_is_told_twice() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let first = store(folder.path()).await;
    add_channel(&first, address).await;
    // Nobody listens: the message waits.
    let (stop, running) = start(&first, vec![incident(false)]);
    until("a failed try", &first, |log| log.iter().any(|d| d.attempts > 0 && !d.error.is_empty())).await;
    // Gone at once, as after kill -9: no goodbye to anybody.
    running.abort();
    let _ = running.await;
    drop(stop);
    first.close().await;
    drop(first);
    // Back again, with somebody who listens: it arrives, once.
    let second = store(folder.path()).await;
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn(serve(TcpListener::bind(address).unwrap(), tell, |_| Some(200)));
    let (_stop, running) = start(&second, vec![incident(false)]);
    until("arrival", &second, |log| log.iter().any(|d| d.ended.is_some())).await;
    let text = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
    assert!(text.contains("石桥镇 · 上村 · 村口") && text.contains("x-sharpeyes-signature"), "{text}");
    running.abort();
    let _ = running.await;
    // A third start finds nothing more to say until the incident is over.
    second.record(&[store::Fact::Incident(incident(true))]).await.unwrap();
    let (_stop, running) = start(&second, Vec::new());
    until("the end told", &second, |log| log.len() == 2 && log.iter().all(|d| d.ended.is_some())).await;
    let text = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
    assert!(text.contains("已恢复"), "{text}");
    assert!(heard.try_recv().is_err(), "each was told once");
    running.abort();
    listening.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_good_holds_up_nobody_and_arrives_when_the_channel_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let channel = add_channel(&store, address).await;
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let mended = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let listening = tokio::spawn(serve(listener, tell, move |text| {
        let poison = text.contains("\"incident\":7,") && !is_mended.load(std::sync::atomic::Ordering::SeqCst);
        Some(if poison { 400 } else { 200 })
    }));
    let later = Incident { id: IncidentId(8), ..incident(false) };
    let (_stop, running) = start(&store, vec![incident(false), later]);
    let state = |log: &[Delivery], n: u64| log.iter().find(|d| d.id == n).map(|d| d.state);
    until("the later one's arrival", &store, |log| {
        state(log, 1) == Some(DeliveryState::Refused) && state(log, 2) == Some(DeliveryState::Delivered)
    })
    .await;
    let log = store.deliveries(None, 10, None).await.unwrap().items;
    let refused = &log[1];
    assert_eq!((refused.error.as_str(), refused.ended, refused.attempts), ("the server refused: status 400", None, 1));
    assert!(next(&mut heard).await.contains("E7") && next(&mut heard).await.contains("E8"));
    mended.store(true, std::sync::atomic::Ordering::SeqCst);
    let again = Channel { target: webhook(address, "another long enough secret"), ..channel.clone() };
    store.update_channel(&again, &channel).await.unwrap();
    until("all arrived", &store, |log| log.iter().all(|d| d.state == DeliveryState::Delivered)).await;
    assert!(next(&mut heard).await.contains("E7"));
    running.abort();
    listening.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_arrived_is_not_sent_again_because_the_database_is_slow() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    add_channel(&store, listener.local_addr().unwrap()).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("sharpeyes.db"));
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            let text = request(&mut peer).await;
            // Longer than anybody waits for the database.
            let mut lock = sqlx::ConnectOptions::connect(&options).await.unwrap();
            sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
            answer(&mut peer, 200).await;
            tell.send(text).unwrap();
            tokio::time::sleep(Duration::from_secs(8)).await;
            sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
        }
    });
    let (_stop, running) = start(&store, vec![incident(false)]);
    until("its end on record", &store, |log| log.iter().any(|d| d.state == DeliveryState::Delivered)).await;
    next(&mut heard).await;
    // Two looks later.
    let more = tokio::time::timeout(2 * LOOK_EVERY + Duration::from_secs(1), heard.recv()).await;
    assert!(more.is_err(), "sent again: {more:?}");
    assert_eq!(store.deliveries(None, 10, None).await.unwrap().items.len(), 1);
    running.abort();
    listening.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_the_service_dies_over_twice_arrives_twice_and_what_lasts_is_told_anew() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let taken = std::sync::atomic::AtomicUsize::new(0);
    let listening = tokio::spawn(serve(listener, tell, move |_| {
        (taken.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 2).then_some(200)
    }));
    let mut keys = Vec::new();
    for round in 0..2 {
        let store = store(folder.path()).await;
        if round == 0 {
            add_channel(&store, address).await;
        }
        let (_stop, running) = start(&store, vec![incident(false)]);
        let text = next(&mut heard).await;
        assert!(text.contains("【紧急】石桥镇"), "{text}");
        keys.push(key(&text));
        // Gone at once, between the receiver's taking it and the note of its end.
        running.abort();
        let _ = running.await;
        store.close().await;
    }
    assert_eq!(keys[0], keys[1], "the same message");
    let store = store(folder.path()).await;
    let (_stop, running) = start(&store, vec![incident(false)]);
    let text = next(&mut heard).await;
    assert!(text.contains("仍未恢复") && key(&text) != keys[0], "{text}");
    until("both at their end", &store, |log| log.len() == 2 && log.iter().all(|d| d.ended.is_some())).await;
    let log = store.deliveries(None, 10, None).await.unwrap().items;
    assert_eq!((log[1].state, log[0].state), (DeliveryState::Failed, DeliveryState::Delivered));
    assert!(log[1].error.contains("it may have arrived"));
    assert!(heard.try_recv().is_err(), "nothing else");
    running.abort();
    listening.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_stopped_in_good_order_knows_what_it_was_trying() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    add_channel(&store, listener.local_addr().unwrap()).await;
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn(serve(listener, tell, |_| None));
    for tries in 1..4 {
        let (stop, running) = start(&store, vec![incident(false)]);
        next(&mut heard).await;
        stop.send(true).unwrap();
        running.await.unwrap();
        let log = store.deliveries(None, 10, None).await.unwrap().items;
        assert_eq!((log.len(), log[0].state, log[0].attempts), (1, DeliveryState::Waiting, tries));
    }
    listening.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_an_order_is_given_to_is_told_once_also_over_a_crash() {
    use health::desk::{Act, Actor, Desk, NewOrder, OrderState};
    let folder = tempfile::tempdir().unwrap();
    let first = store(folder.path()).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let unit = Assignee::Contractor("电信".into());
    // Told of nothing but the orders of one unit.
    let route = Route {
        least: Severity::Critical,
        own: false,
        orders: true,
        assignees: [unit.clone()].into(),
        ..Route::default()
    };
    let channel = Channel {
        id: ChannelId(0),
        name: "电信维护群".into(),
        kind: "webhook".into(),
        enabled: true,
        route,
        shown: String::new(),
        target: webhook(address, "a long enough secret"),
    };
    first.add_channel(channel).await.unwrap();
    let minor = || Incident { severity: Severity::Minor, ..incident(false) };
    let new = NewOrder {
        incident: IncidentId(7),
        cameras: vec![CameraId(1)],
        town: None,
        severity: Severity::Minor,
        by: "op".into(),
        at: Wall::read(),
        state: OrderState::Confirmed,
        note: String::new(),
    };
    let order = first.add_order(new).await.unwrap();
    let give = |order: &health::desk::Order, to: Assignee| {
        Desk::default().act(order, Actor::Desk, "op", Act::Assign(to, None), Wall::read()).unwrap()
    };
    let given = give(&order, unit.clone());
    first.update_order(&given).await.unwrap();
    // Nobody listens yet; then the node is gone at once, as after kill -9.
    let (stop, running) = start(&first, vec![minor()]);
    until("a failed try", &first, |log| log.iter().any(|d| d.attempts > 0 && !d.error.is_empty())).await;
    running.abort();
    let _ = running.await;
    drop(stop);
    first.close().await;
    drop(first);
    let second = store(folder.path()).await;
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn(serve(TcpListener::bind(address).unwrap(), tell, |_| Some(200)));
    let (_stop, running) = start(&second, vec![minor()]);
    until("arrival", &second, |log| log.len() == 1 && log[0].ended.is_some()).await;
    let text = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
    assert!(text.contains("【工单 G1】派给 电信：石桥镇 · 上村 · 村口，设备无应答，1 路"), "{text}");
    // To somebody else, and back: told again, once.
    let other = give(&given, Assignee::Contractor("广电".into()));
    second.update_order(&other).await.unwrap();
    second.update_order(&give(&other, unit)).await.unwrap();
    until("the second giving", &second, |log| log.len() == 2 && log.iter().all(|d| d.ended.is_some())).await;
    assert!(heard.recv().await.unwrap().contains("G1"));
    assert!(heard.try_recv().is_err(), "each was told once");
    running.abort();
    listening.abort();
}
