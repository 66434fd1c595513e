//! The order of a stream's packets: what is missing, late or twice, and when a stream begins anew.
//!
//! Follows RFC 3550 appendix A.1: small gaps are loss, small steps back are late or doubled packets, and a large
//! jump counts only if a second packet continues it. A packet of another source is passed over, for instance one
//! that a camera still sends for an older session; a source that alone goes on takes the stream over, as cameras
//! do that restart their encoder.

/// Largest gap that is taken for loss.
const MAX_DROPOUT: u16 = 3000;
/// How far back a packet is taken for a late one.
const MAX_MISORDER: u16 = 100;
/// Packets in a row by which another source takes over.
const TAKEOVER: u8 = 3;

/// Where one stream's order stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    source: Option<u32>,
    next: u16,
    /// Which of the 64 packets before `next` came; bit 0 is the latest.
    seen: u64,
    /// Continues a jump, if it comes next.
    jump: Option<u16>,
    /// Another source: which, its next packet, how many came in a row.
    other: Option<(u32, u16, u8)>,
}

/// What a packet is in its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// In order, so many being missing before it.
    Next(u16),
    /// The stream begins anew with it: another source or a jump.
    Anew,
    /// After its time; it had been counted as missing.
    Late,
    /// It came before.
    Twice,
    /// Of another source, or far out of order.
    Stray,
}

impl Sequence {
    /// Places a packet.
    pub(crate) fn place(&mut self, source: u32, number: u16) -> Order {
        match self.source {
            Some(own) if own == source => self.other = None,
            None => {
                self.begin(source, number);
                return Order::Next(0);
            }
            Some(_) => return self.stray(source, number),
        }
        let ahead = number.wrapping_sub(self.next);
        if ahead < MAX_DROPOUT {
            self.jump = None;
            self.next = number.wrapping_add(1);
            self.seen = self.seen.checked_shl(u32::from(ahead) + 1).unwrap_or(0) | 1;
            return Order::Next(ahead);
        }
        let behind = self.next.wrapping_sub(number);
        if behind <= MAX_MISORDER {
            let bit = u32::from(behind - 1);
            if bit < 64 && self.seen & (1 << bit) == 0 {
                self.seen |= 1 << bit;
                return Order::Late;
            }
            return if bit < 64 { Order::Twice } else { Order::Late };
        }
        if self.jump == Some(number) {
            self.begin(source, number);
            return Order::Anew;
        }
        self.jump = Some(number.wrapping_add(1));
        Order::Stray
    }

    /// Whether this is the stream's source, as far as known.
    pub(crate) fn is_source(&self, source: u32) -> bool {
        self.source.is_none_or(|own| own == source)
    }

    fn begin(&mut self, source: u32, number: u16) {
        *self = Sequence { source: Some(source), next: number.wrapping_add(1), seen: 1, jump: None, other: None };
    }

    fn stray(&mut self, source: u32, number: u16) -> Order {
        let run = match self.other {
            Some((other, next, run)) if other == source && next == number => run + 1,
            _ => 1,
        };
        if run >= TAKEOVER {
            self.begin(source, number);
            return Order::Anew;
        }
        self.other = Some((source, number.wrapping_add(1), run));
        Order::Stray
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Order::{Anew, Late, Next, Stray, Twice};
    use proptest::prelude::*;

    fn run(packets: &[(u32, u16)]) -> Vec<Order> {
        let mut sequence = Sequence::default();
        packets.iter().map(|&(source, number)| sequence.place(source, number)).collect()
    }

    #[test]
    fn loss_late_and_doubled_packets_are_told_apart() {
        assert_eq!(
            run(&[(7, 65_534), (7, 65_535), (7, 2), (7, 0), (7, 0), (7, 2), (7, 3)]),
            [Next(0), Next(0), Next(2), Late, Twice, Twice, Next(0)]
        );
    }

    #[test]
    fn a_jump_counts_when_it_is_continued() {
        assert_eq!(
            run(&[(7, 10), (7, 30_000), (7, 11), (7, 40_000), (7, 40_001), (7, 40_002)]),
            [Next(0), Stray, Next(0), Stray, Anew, Next(0)]
        );
    }

    #[test]
    fn a_stray_source_is_passed_over_and_one_that_goes_on_takes_over() {
        assert_eq!(
            run(&[(7, 1), (8, 100), (7, 2), (8, 101), (7, 3), (8, 102), (8, 103), (8, 104), (8, 105)]),
            [Next(0), Stray, Next(0), Stray, Next(0), Stray, Stray, Anew, Next(0)]
        );
    }

    proptest! {
        #[test]
        fn whatever_is_lost_or_shuffled_a_bit_no_packet_counts_twice(
            kept in proptest::collection::vec(any::<bool>(), 50..300),
            swaps in proptest::collection::vec((0..300_usize, 1..4_usize), 0..10),
            first in any::<u16>(),
        ) {
            let mut numbers: Vec<u16> = (0..).zip(&kept).filter(|(_, k)| **k).map(|(n, _)| first.wrapping_add(n)).collect();
            for (at, by) in swaps {
                if at + by < numbers.len() {
                    numbers.swap(at, at + by);
                }
            }
            let mut sequence = Sequence::default();
            let (mut came, mut lost) = (0_i64, 0_i64);
            for number in &numbers {
                match sequence.place(7, *number) {
                    Next(missing) => { came += 1; lost += i64::from(missing); }
                    Late => { came += 1; lost -= 1; }
                    Twice | Anew | Stray => prop_assert!(false, "nothing came twice or from elsewhere"),
                }
            }
            prop_assert_eq!(came, numbers.len() as i64);
            // Those before the first and the ones still missing.
            prop_assert!(lost <= kept.len() as i64 - came + 20);
        }
    }
}
