//! Whether this machine has a network at all: a network card with a route and a link.

use std::{collections::BTreeSet, fs, path::Path};

/// What is wrong with our own network; `None` if a card with a route has a link, or if the kernel does not tell.
pub(super) fn fault() -> Option<String> {
    let v4 = fs::read_to_string("/proc/net/route").ok()?;
    let v6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    judge(&cards(&v4, &v6), |card| {
        // Reading it fails while the card is switched off.
        let carrier = fs::read_to_string(Path::new("/sys/class/net").join(card).join("carrier"));
        carrier.is_ok_and(|c| c.trim() == "1")
    })
}

fn judge(cards: &BTreeSet<&str>, has_link: impl Fn(&str) -> bool) -> Option<String> {
    if cards.is_empty() {
        return Some("no network card has a route".to_owned());
    }
    if cards.iter().any(|card| has_link(card)) {
        return None;
    }
    let names: Vec<&str> = cards.iter().copied().collect();
    Some(format!("no link on {}", names.join(", ")))
}

/// Cards with a route, other than loopback: first column of the IPv4 table, last of the IPv6 one.
fn cards<'a>(v4: &'a str, v6: &'a str) -> BTreeSet<&'a str> {
    let first = v4.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().next());
    let last = v6.lines().filter_map(|line| line.split_ascii_whitespace().last());
    first.chain(last).filter(|card| *card != "lo" && !card.contains('/')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &str =
        "Iface\tDestination\tGateway \tFlags\neth0\t00000000\t0100000A\t0003\neth1\t0000000A\t00000000\t0001\n";
    const V6: &str = "00000000000000000000000000000001 80 00000000000000000000000000000000 00 \
                      00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo\n";

    #[test]
    fn one_card_with_a_link_is_enough() {
        let cards = cards(V4, V6);
        assert_eq!(cards, BTreeSet::from(["eth0", "eth1"]));
        assert_eq!(judge(&cards, |card| card == "eth1"), None);
        assert_eq!(judge(&cards, |_| false).as_deref(), Some("no link on eth0, eth1"));
    }

    #[test]
    fn without_a_route_there_is_no_network() {
        assert_eq!(judge(&cards("Iface\tDestination\n", V6), |_| true).as_deref(), Some("no network card has a route"));
    }
}
