//! Who may open a session now: the ramp, the budgets, the order.
//!
//! Two lines wait. In the *urgent* one stand persons' requests and the re-checks of cameras that just lost
//! their video: they were streaming a second ago, so they have a budget of their own and ignore the uplink's.
//! In the *ordinary* one stand start-up and retries, held to both budgets. All share the rate. A request's
//! rank is its time less the bonus of its class, so that whoever waits long enough comes first: nothing starves.

use crate::{
    Config,
    index::{CameraIx, GroupIx},
};
use fleet::Mono;
use std::{collections::BTreeSet, time::Duration};

/// Why a session is to be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// A person asked.
    Person,
    /// Its video was just lost.
    Confirm,
    /// A sibling came back, or its record changed.
    Return,
    /// Start-up, or the pause after a failure is over.
    Routine,
}

impl Class {
    fn urgent(self) -> bool {
        matches!(self, Class::Person | Class::Confirm)
    }

    fn bonus(self) -> Duration {
        match self {
            Class::Person => Duration::from_secs(600),
            Class::Confirm => Duration::from_secs(20),
            Class::Return => Duration::from_secs(5),
            Class::Routine => Duration::ZERO,
        }
    }
}

/// A place in line; kept by the camera, handed back to leave.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Ticket {
    rank: u64,
    camera: CameraIx,
}

/// The lines and what is in use of the budgets.
#[derive(Debug)]
pub(crate) struct Opener {
    urgent: BTreeSet<Ticket>,
    ordinary: BTreeSet<(Ticket, GroupIx)>,
    /// Those of the ordinary line whose uplink has no budget left, by group.
    waiting: Vec<BTreeSet<Ticket>>,
    per_group: Vec<u32>,
    urgent_opening: u32,
    ordinary_opening: u32,
    limits: Limits,
    /// Rate by the generic cell rate algorithm: when the bucket will be empty.
    empty_at: Mono,
}

#[derive(Debug)]
struct Limits {
    urgent: u32,
    ordinary: u32,
    per_group: u32,
    interval: u64,
    burst: u64,
}

impl Opener {
    pub(crate) fn new(config: &Config) -> Opener {
        let rate = u64::from(config.opens_per_second.max(1));
        let interval = 1_000_000_000 / rate;
        Opener {
            urgent: BTreeSet::new(),
            ordinary: BTreeSet::new(),
            waiting: Vec::new(),
            per_group: Vec::new(),
            urgent_opening: 0,
            ordinary_opening: 0,
            limits: Limits {
                urgent: config.opening_at_once.max(1).saturating_mul(4),
                ordinary: config.opening_at_once.max(1),
                per_group: config.opening_per_uplink.max(1),
                interval,
                burst: interval * (rate / 10).max(1),
            },
            empty_at: Mono(0),
        }
    }

    /// Stands in line. `jitter` shuffles those who come together.
    pub(crate) fn request(
        &mut self,
        camera: CameraIx,
        group: GroupIx,
        class: Class,
        now: Mono,
        jitter: Duration,
    ) -> Ticket {
        let bonus = u64::try_from(class.bonus().as_nanos()).unwrap_or(0);
        let ticket = Ticket { rank: (now + jitter).0.saturating_sub(bonus), camera };
        if class.urgent() {
            self.urgent.insert(ticket);
        } else {
            self.ordinary.insert((ticket, group));
        }
        ticket
    }

    /// Leaves the line.
    pub(crate) fn cancel(&mut self, ticket: Ticket, group: GroupIx) {
        self.urgent.remove(&ticket);
        self.ordinary.remove(&(ticket, group));
        if let Some(waiting) = self.waiting.get_mut(group.at()) {
            waiting.remove(&ticket);
        }
        self.promote(group);
    }

    /// Somebody of this uplink may come back to the ordinary line; who finds no budget there waits again.
    fn promote(&mut self, group: GroupIx) {
        let free = self.per_group.get(group.at()).is_some_and(|&n| n < self.limits.per_group);
        if free && let Some(ticket) = self.waiting[group.at()].pop_first() {
            self.ordinary.insert((ticket, group));
        }
    }

    /// The session was opened, or failed to open: its budget is free again.
    pub(crate) fn release(&mut self, class: Class, group: GroupIx) {
        if class.urgent() {
            self.urgent_opening -= 1;
            return;
        }
        self.ordinary_opening -= 1;
        self.per_group[group.at()] -= 1;
        self.promote(group);
    }

    /// The next camera that may open now, and whether it is charged to the urgent budget.
    pub(crate) fn admit(&mut self, now: Mono) -> Option<CameraIx> {
        if now < self.ready_at() {
            return None;
        }
        let camera = self.take()?;
        self.empty_at = Mono(self.empty_at.0.max(now.0) + self.limits.interval);
        Some(camera)
    }

    /// When to ask again, if only the rate keeps somebody waiting.
    pub(crate) fn next(&self, now: Mono) -> Option<Mono> {
        let urgent = !self.urgent.is_empty() && self.urgent_opening < self.limits.urgent;
        let ordinary = !self.ordinary.is_empty() && self.ordinary_opening < self.limits.ordinary;
        (urgent || ordinary).then(|| self.ready_at().max(now))
    }

    fn ready_at(&self) -> Mono {
        Mono(self.empty_at.0.saturating_sub(self.limits.burst))
    }

    fn take(&mut self) -> Option<CameraIx> {
        if self.ordinary_opening < self.limits.ordinary {
            while let Some(&(ticket, group)) = self.ordinary.first() {
                let urgent_first = self.urgent_opening < self.limits.urgent
                    && self.urgent.first().is_some_and(|u| u.rank <= ticket.rank);
                if urgent_first {
                    break;
                }
                self.ordinary.pop_first();
                if self.per_group.len() <= group.at() {
                    self.per_group.resize(group.at() + 1, 0);
                    self.waiting.resize_with(group.at() + 1, BTreeSet::new);
                }
                if self.per_group[group.at()] >= self.limits.per_group {
                    self.waiting[group.at()].insert(ticket);
                    continue;
                }
                self.per_group[group.at()] += 1;
                self.ordinary_opening += 1;
                return Some(ticket.camera);
            }
        }
        if self.urgent_opening < self.limits.urgent {
            let ticket = self.urgent.pop_first()?;
            self.urgent_opening += 1;
            return Some(ticket.camera);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opener(per_second: u32, at_once: u32, per_uplink: u32) -> Opener {
        Opener::new(&Config {
            opens_per_second: per_second,
            opening_at_once: at_once,
            opening_per_uplink: per_uplink,
            ..Config::default()
        })
    }

    fn drain(o: &mut Opener, now: Mono) -> Vec<u32> {
        std::iter::from_fn(|| o.admit(now)).map(|c| c.0).collect()
    }

    const S: u64 = 1_000_000_000;

    #[test]
    fn the_rate_holds_whatever_the_demand() {
        let mut o = opener(10, 1000, 1000);
        for i in 0..100 {
            o.request(CameraIx(i), GroupIx(i), Class::Routine, Mono(0), Duration::ZERO);
        }
        let mut opened = 0;
        let mut now = Mono(S);
        while now.0 < 4 * S {
            opened += drain(&mut o, now).len();
            match o.next(now) {
                Some(at) if at > now => now = at,
                _ => break,
            }
        }
        assert!((30..=32).contains(&opened), "{opened} opened in 3 s at 10/s");
    }

    #[test]
    fn one_uplink_never_opens_more_than_its_budget_and_goes_on_when_one_is_done() {
        let mut o = opener(1000, 1000, 2);
        for i in 0..5 {
            o.request(CameraIx(i), GroupIx(0), Class::Routine, Mono(S), Duration::from_millis(u64::from(i)));
        }
        assert_eq!(drain(&mut o, Mono(S)), [0, 1]);
        o.release(Class::Routine, GroupIx(0));
        assert_eq!(drain(&mut o, Mono(S)), [2]);
    }

    #[test]
    fn a_person_comes_first_and_a_fresh_loss_before_start_up() {
        let mut o = opener(1000, 1000, 10);
        o.request(CameraIx(1), GroupIx(0), Class::Routine, Mono(1000 * S), Duration::ZERO);
        o.request(CameraIx(2), GroupIx(0), Class::Confirm, Mono(1001 * S), Duration::ZERO);
        o.request(CameraIx(3), GroupIx(0), Class::Person, Mono(1002 * S), Duration::ZERO);
        assert_eq!(drain(&mut o, Mono(1002 * S)), [3, 2, 1]);
    }

    #[test]
    fn who_waits_long_enough_overtakes_fresh_losses() {
        let mut o = opener(1000, 1000, 10);
        o.request(CameraIx(1), GroupIx(0), Class::Routine, Mono(1000 * S), Duration::ZERO);
        o.request(CameraIx(2), GroupIx(0), Class::Confirm, Mono(1030 * S), Duration::ZERO);
        assert_eq!(drain(&mut o, Mono(1030 * S)), [1, 2]);
    }

    #[test]
    fn who_leaves_the_line_is_not_admitted() {
        let mut o = opener(1000, 1000, 1);
        let a = o.request(CameraIx(1), GroupIx(0), Class::Routine, Mono(S), Duration::ZERO);
        o.request(CameraIx(2), GroupIx(0), Class::Routine, Mono(S), Duration::ZERO);
        o.cancel(a, GroupIx(0));
        assert_eq!(drain(&mut o, Mono(S)), [2]);
    }

    #[test]
    fn who_leaves_on_being_called_lets_the_next_of_its_uplink_through() {
        let mut o = opener(1000, 1000, 1);
        let tickets: Vec<_> = (0..3)
            .map(|i| {
                let jitter = Duration::from_millis(u64::from(i));
                o.request(CameraIx(i), GroupIx(0), Class::Routine, Mono(S), jitter)
            })
            .collect();
        assert_eq!(drain(&mut o, Mono(S)), [0]);
        o.release(Class::Routine, GroupIx(0));
        o.cancel(tickets[1], GroupIx(0));
        assert_eq!(drain(&mut o, Mono(S)), [2]);
    }
}
