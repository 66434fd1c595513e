//! Slows down guessing: counts failed sign-ins by account and by address, in bounded tables.
//!
//! An attempt counts as failed from its start and is forgiven when it succeeds, so that attempts made at the
//! same time gain nothing. Time is handed in.

use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Keys remembered per table; the one idle for longest gives way.
const KEYS: usize = 10_000;
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Failures older than this are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);

/// Failed sign-ins.
pub(crate) struct Throttle {
    tables: Mutex<Tables>,
    per_account: u32,
    per_address: u32,
    first_wait: Duration,
}

#[derive(Default)]
struct Tables {
    accounts: HashMap<String, Failures>,
    addresses: HashMap<IpAddr, Failures>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    blocked_until: Instant,
}

impl Throttle {
    pub(crate) fn new(per_account: u32, per_address: u32, first_wait: Duration) -> Throttle {
        Throttle { tables: Mutex::default(), per_account, per_address, first_wait }
    }

    /// Begins an attempt, or says how long to wait.
    pub(crate) fn begin(&self, account: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let account = account.to_lowercase();
        let address = network(address);
        let mut tables = self.tables.lock();
        let wait = wait(tables.accounts.get(&account), now).max(wait(tables.addresses.get(&address), now));
        if !wait.is_zero() {
            return Err(wait);
        }
        count(&mut tables.accounts, account, self.per_account, self.first_wait, now);
        count(&mut tables.addresses, address, self.per_address, self.first_wait, now);
        Ok(())
    }

    /// The password was right and the second factor is still to come: that is no failure of the address. It stays one
    /// of the account until the sign-in is done, so that whoever knows the password cannot ask for ever.
    pub(crate) fn half_way(&self, address: IpAddr) {
        give_back(&mut self.tables.lock(), address);
    }

    /// The attempt succeeded: the account is forgiven; the address gets back this one attempt only, or whoever
    /// owns one account could guess at others for ever.
    pub(crate) fn succeeded(&self, account: &str, address: IpAddr) {
        let mut tables = self.tables.lock();
        tables.accounts.remove(&account.to_lowercase());
        give_back(&mut tables, address);
    }
}

fn give_back(tables: &mut Tables, address: IpAddr) {
    let address = network(address);
    if let Some(failures) = tables.addresses.get_mut(&address) {
        failures.count = failures.count.saturating_sub(1);
        failures.blocked_until = failures.last;
        if failures.count == 0 {
            tables.addresses.remove(&address);
        }
    }
}

/// One IPv6 subscriber has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        },
    }
}

fn wait(failures: Option<&Failures>, now: Instant) -> Duration {
    failures.map_or(Duration::ZERO, |f| f.blocked_until.saturating_duration_since(now))
}

fn count<K: std::hash::Hash + Eq + Clone>(
    table: &mut HashMap<K, Failures>,
    key: K,
    allowed: u32,
    first: Duration,
    now: Instant,
) {
    if table.len() >= KEYS && !table.contains_key(&key) {
        table.retain(|_, f| now.saturating_duration_since(f.last) < FORGOTTEN);
        if table.len() >= KEYS
            && let Some(oldest) = table.iter().min_by_key(|(_, f)| f.last).map(|(k, _)| k.clone())
        {
            table.remove(&oldest);
        }
    }
    let failures = table.entry(key).or_insert(Failures { count: 0, last: now, blocked_until: now });
    if now.saturating_duration_since(failures.last) >= FORGOTTEN {
        failures.count = 0;
    }
    failures.count += 1;
    failures.last = now;
    if failures.count >= allowed {
        let doublings = (failures.count - allowed).min(16);
        failures.blocked_until = now + (first * (1 << doublings)).min(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const WAIT: Duration = Duration::from_secs(30);

    fn other(n: u32) -> IpAddr {
        IpAddr::V4((0x0b00_0000 + n).into())
    }

    #[test]
    fn an_account_waits_after_its_failures_and_longer_each_time() {
        let throttle = Throttle::new(3, 100, WAIT);
        let t = Instant::now();
        for _ in 0..3 {
            throttle.begin("Li", HERE, t).unwrap();
        }
        assert_eq!(throttle.begin("li", other(1), t), Err(WAIT), "another address and case help nothing");
        let later = t + WAIT;
        throttle.begin("li", HERE, later).unwrap();
        assert_eq!(throttle.begin("li", HERE, later), Err(WAIT * 2));
        let much_later = later + LONGEST_WAIT + FORGOTTEN;
        for _ in 0..3 {
            throttle.begin("li", HERE, much_later).unwrap();
        }
    }

    #[test]
    fn success_forgives_the_account_but_not_the_guesses_from_its_address() {
        let throttle = Throttle::new(3, 4, WAIT);
        let t = Instant::now();
        for _ in 0..2 {
            throttle.begin("li", HERE, t).unwrap();
        }
        throttle.begin("li", HERE, t).unwrap();
        throttle.succeeded("li", HERE);
        throttle.begin("li", HERE, t).unwrap();
        throttle.begin("wang", HERE, t).unwrap();
        assert_eq!(throttle.begin("zhao", HERE, t), Err(WAIT));
    }

    #[test]
    fn an_office_that_signs_in_with_second_factors_is_not_shut_out() {
        let throttle = Throttle::new(3, 4, WAIT);
        let t = Instant::now();
        for n in 0..50 {
            let name = format!("user{n}");
            throttle.begin(&name, HERE, t).unwrap();
            throttle.half_way(HERE);
            throttle.begin(&name, HERE, t).unwrap();
            throttle.succeeded(&name, HERE);
        }
        for _ in 0..3 {
            throttle.begin("li", HERE, t).unwrap();
            throttle.half_way(HERE);
        }
        assert_eq!(throttle.begin("li", HERE, t), Err(WAIT), "the account is, when the code never comes");
    }

    #[test]
    fn the_tables_stay_bounded() {
        let throttle = Throttle::new(3, 4, WAIT);
        let t = Instant::now();
        for n in 0..KEYS as u32 + 50 {
            throttle.begin(&format!("user{n}"), other(n), t + Duration::from_millis(u64::from(n))).unwrap();
        }
        let tables = throttle.tables.lock();
        assert_eq!((tables.accounts.len(), tables.addresses.len()), (KEYS, KEYS));
        assert!(!tables.accounts.contains_key("user0"));
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one() {
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::ffff".parse().unwrap()));
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), HERE);
    }
}
