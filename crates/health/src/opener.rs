//! Who may open a session now: the ramp, the budgets, the order.
//!
//! Two lines wait. In the *urgent* one stand persons' requests and the re-checks of cameras that just lost
//! their video: they were streaming a second ago, so they have a budget of their own and ignore the uplink's.
//! In the *ordinary* one stand start-up and retries, held to both budgets. All share the rate. A request's
//! rank is its time less the bonus of its class, so that whoever waits long enough comes first: nothing starves.
//!
//! What sessions are expected to bring is charged to their uplink for as long as they last, against its budget in
//! kbit/s. Only a link that carries nothing lets a stream through that is larger than its budget; the re-check of a
//! camera that just lost its video keeps the charge it had, and a person's request is not held up.

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
    /// A picture of a stream that is not pulled continuously.
    Picture,
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
            Class::Routine | Class::Picture => Duration::ZERO,
        }
    }
}

/// A place in line; kept by the camera, handed back to leave.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Ticket {
    rank: u64,
    camera: CameraIx,
    /// A session of its own for a picture, not the camera's continuous one.
    picture: bool,
}

/// Who stands in line: behind which uplink, and what they are expected to bring in kbit/s.
type Place = (Ticket, GroupIx, u32);

/// Who may open now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Admitted {
    pub(crate) camera: CameraIx,
    /// A session of its own for a picture, not the camera's continuous one.
    pub(crate) picture: bool,
    /// What is charged to its uplink, in kbit/s.
    pub(crate) kbps: u32,
}

/// What is in use of one uplink's budgets.
#[derive(Debug, Default)]
struct Link {
    opening: u32,
    kbps: u32,
    budget: Option<u32>,
    /// Those of the ordinary line that find no budget left here.
    waiting: BTreeSet<(Ticket, u32)>,
}

impl Link {
    fn has_room(&self, kbps: u32) -> bool {
        self.kbps == 0 || self.budget.is_none_or(|budget| self.kbps.saturating_add(kbps) <= budget)
    }
}

/// The lines and what is in use of the budgets.
#[derive(Debug)]
pub(crate) struct Opener {
    urgent: BTreeSet<Place>,
    ordinary: BTreeSet<Place>,
    links: Vec<Link>,
    urgent_opening: u32,
    ordinary_opening: u32,
    limits: Limits,
    /// Rate by the generic cell rate algorithm: when the bucket will be empty.
    empty_at: Mono,
    /// Sessions that found no room in their uplink's budget since last asked.
    crowded: Vec<Crowded>,
}

/// Somebody found no room in the budget of its uplink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Crowded {
    pub(crate) camera: CameraIx,
    pub(crate) group: GroupIx,
    /// A session of its own for a picture, not the camera's continuous one.
    pub(crate) picture: bool,
}

/// What the first who waits for room behind an uplink needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) camera: CameraIx,
    pub(crate) picture: bool,
    /// So much of what is charged must go, in kbit/s.
    pub(crate) free: u32,
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
            links: Vec::new(),
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
            crowded: Vec::new(),
        }
    }

    /// Sets what may be asked of an uplink, in kbit/s.
    pub(crate) fn set_budget(&mut self, group: GroupIx, budget: Option<u32>) {
        self.link(group).budget = budget;
        self.promote(group);
    }

    fn link(&mut self, group: GroupIx) -> &mut Link {
        if self.links.len() <= group.at() {
            self.links.resize_with(group.at() + 1, Link::default);
        }
        &mut self.links[group.at()]
    }

    /// Stands in line for what is expected to bring `kbps`. `jitter` shuffles those who come together.
    pub(crate) fn request(
        &mut self,
        camera: CameraIx,
        group: GroupIx,
        class: Class,
        kbps: u32,
        now: Mono,
        jitter: Duration,
    ) -> Ticket {
        let bonus = u64::try_from(class.bonus().as_nanos()).unwrap_or(0);
        let ticket = Ticket { rank: (now + jitter).0.saturating_sub(bonus), camera, picture: class == Class::Picture };
        if class.urgent() {
            self.urgent.insert((ticket, group, kbps));
        } else {
            self.ordinary.insert((ticket, group, kbps));
        }
        ticket
    }

    /// Leaves the line.
    pub(crate) fn cancel(&mut self, ticket: Ticket, group: GroupIx) {
        let of =
            |line: &BTreeSet<Place>| line.range((ticket, GroupIx(0), 0)..).next().copied().filter(|p| p.0 == ticket);
        if let Some(place) = of(&self.urgent) {
            self.urgent.remove(&place);
        }
        if let Some(place) = of(&self.ordinary) {
            self.ordinary.remove(&place);
        }
        let waiting = &mut self.link(group).waiting;
        if let Some(place) = waiting.range((ticket, 0)..).next().copied().filter(|p| p.0 == ticket) {
            waiting.remove(&place);
        }
        self.promote(group);
    }

    /// Somebody of this uplink may come back to the ordinary line; who finds no budget there waits again.
    fn promote(&mut self, group: GroupIx) {
        let per_group = self.limits.per_group;
        let link = self.link(group);
        if link.opening < per_group
            && let Some(&(ticket, kbps)) = link.waiting.first()
        {
            if link.has_room(kbps) {
                link.waiting.pop_first();
                self.ordinary.insert((ticket, group, kbps));
            } else {
                self.crowded.push(Crowded { camera: ticket.camera, group, picture: ticket.picture });
            }
        }
    }

    /// The session was opened, or failed to open: its place among the openings is free again.
    pub(crate) fn release(&mut self, class: Class, group: GroupIx) {
        if class.urgent() {
            self.urgent_opening -= 1;
            return;
        }
        self.ordinary_opening -= 1;
        self.link(group).opening -= 1;
        self.promote(group);
    }

    /// What was charged to the uplink is free again.
    pub(crate) fn uncharge(&mut self, group: GroupIx, kbps: u32) {
        let link = self.link(group);
        link.kbps = link.kbps.saturating_sub(kbps);
        self.promote(group);
    }

    /// A session brings something else than was charged for it.
    pub(crate) fn recharge(&mut self, group: GroupIx, former: u32, kbps: u32) {
        let link = self.link(group);
        link.kbps = link.kbps.saturating_sub(former).saturating_add(kbps);
        self.promote(group);
    }

    /// What is charged to an uplink, in kbit/s.
    pub(crate) fn charged(&self, group: GroupIx) -> u32 {
        self.links.get(group.at()).map_or(0, |link| link.kbps)
    }

    /// Who may open now. From then on it is charged for what it is expected to bring.
    pub(crate) fn admit(&mut self, now: Mono) -> Option<Admitted> {
        if now < self.ready_at() {
            return None;
        }
        let (ticket, group, kbps) = self.take()?;
        self.empty_at = Mono(self.empty_at.0.max(now.0) + self.limits.interval);
        let link = self.link(group);
        link.kbps = link.kbps.saturating_add(kbps);
        Some(Admitted { camera: ticket.camera, picture: ticket.picture, kbps })
    }

    /// Takes those that found no room in their uplink's budget.
    pub(crate) fn take_crowded(&mut self) -> Vec<Crowded> {
        std::mem::take(&mut self.crowded)
    }

    /// What may be asked of an uplink, in kbit/s.
    pub(crate) fn budget(&self, group: GroupIx) -> Option<u32> {
        self.links.get(group.at())?.budget
    }

    /// What the first in line behind an uplink needs, if only the budget keeps it waiting.
    pub(crate) fn wanted(&self, group: GroupIx) -> Option<Wanted> {
        let link = self.links.get(group.at())?;
        let (ticket, kbps) = link.waiting.first()?;
        let budget = link.budget.filter(|_| !link.has_room(*kbps))?;
        // What is larger than the budget passes alone.
        let free = link.kbps.saturating_sub(budget.saturating_sub(*kbps));
        Some(Wanted { camera: ticket.camera, picture: ticket.picture, free })
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

    fn take(&mut self) -> Option<Place> {
        if self.ordinary_opening < self.limits.ordinary {
            while let Some(&(ticket, group, kbps)) = self.ordinary.first() {
                let urgent_first = self.urgent_opening < self.limits.urgent
                    && self.urgent.first().is_some_and(|(u, ..)| u.rank <= ticket.rank);
                if urgent_first {
                    break;
                }
                self.ordinary.pop_first();
                let per_group = self.limits.per_group;
                let link = self.link(group);
                // Nobody overtakes those of the same uplink who have waited longer, however little it asks for.
                let overtakes = link.waiting.first().is_some_and(|(first, _)| *first < ticket);
                if overtakes || link.opening >= per_group || !link.has_room(kbps) {
                    link.waiting.insert((ticket, kbps));
                    if link.waiting.first().is_some_and(|(_, first)| !link.has_room(*first)) {
                        self.crowded.push(Crowded { camera: ticket.camera, group, picture: ticket.picture });
                    }
                    self.promote(group);
                    continue;
                }
                link.opening += 1;
                self.ordinary_opening += 1;
                self.promote(group);
                return Some((ticket, group, kbps));
            }
        }
        if self.urgent_opening < self.limits.urgent {
            let place = self.urgent.pop_first()?;
            self.urgent_opening += 1;
            return Some(place);
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
        std::iter::from_fn(|| o.admit(now)).map(|a| a.camera.0).collect()
    }

    const S: u64 = 1_000_000_000;

    #[test]
    fn the_rate_holds_whatever_the_demand() {
        let mut o = opener(10, 1000, 1000);
        for i in 0..100 {
            o.request(CameraIx(i), GroupIx(i), Class::Routine, 0, Mono(0), Duration::ZERO);
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
            o.request(CameraIx(i), GroupIx(0), Class::Routine, 0, Mono(S), Duration::from_millis(u64::from(i)));
        }
        assert_eq!(drain(&mut o, Mono(S)), [0, 1]);
        o.release(Class::Routine, GroupIx(0));
        assert_eq!(drain(&mut o, Mono(S)), [2]);
    }

    #[test]
    fn a_person_comes_first_and_a_fresh_loss_before_start_up() {
        let mut o = opener(1000, 1000, 10);
        o.request(CameraIx(1), GroupIx(0), Class::Routine, 0, Mono(1000 * S), Duration::ZERO);
        o.request(CameraIx(2), GroupIx(0), Class::Confirm, 0, Mono(1001 * S), Duration::ZERO);
        o.request(CameraIx(3), GroupIx(0), Class::Person, 0, Mono(1002 * S), Duration::ZERO);
        assert_eq!(drain(&mut o, Mono(1002 * S)), [3, 2, 1]);
    }

    #[test]
    fn who_waits_long_enough_overtakes_fresh_losses() {
        let mut o = opener(1000, 1000, 10);
        o.request(CameraIx(1), GroupIx(0), Class::Routine, 0, Mono(1000 * S), Duration::ZERO);
        o.request(CameraIx(2), GroupIx(0), Class::Confirm, 0, Mono(1030 * S), Duration::ZERO);
        assert_eq!(drain(&mut o, Mono(1030 * S)), [1, 2]);
    }

    #[test]
    fn who_leaves_the_line_is_not_admitted() {
        let mut o = opener(1000, 1000, 1);
        let a = o.request(CameraIx(1), GroupIx(0), Class::Routine, 0, Mono(S), Duration::ZERO);
        o.request(CameraIx(2), GroupIx(0), Class::Routine, 0, Mono(S), Duration::ZERO);
        o.cancel(a, GroupIx(0));
        assert_eq!(drain(&mut o, Mono(S)), [2]);
    }

    #[test]
    fn who_leaves_on_being_called_lets_the_next_of_its_uplink_through() {
        let mut o = opener(1000, 1000, 1);
        let tickets: Vec<_> = (0..3)
            .map(|i| {
                let jitter = Duration::from_millis(u64::from(i));
                o.request(CameraIx(i), GroupIx(0), Class::Routine, 0, Mono(S), jitter)
            })
            .collect();
        assert_eq!(drain(&mut o, Mono(S)), [0]);
        o.release(Class::Routine, GroupIx(0));
        o.cancel(tickets[1], GroupIx(0));
        assert_eq!(drain(&mut o, Mono(S)), [2]);
    }

    #[test]
    fn an_uplink_is_asked_for_no_more_than_its_budget_and_in_turn() {
        let mut o = opener(1000, 1000, 10);
        o.set_budget(GroupIx(0), Some(1000));
        for i in 0..4 {
            let jitter = Duration::from_millis(u64::from(i));
            o.request(CameraIx(i), GroupIx(0), Class::Routine, 400, Mono(S), jitter);
        }
        assert_eq!(drain(&mut o, Mono(2 * S)), [0, 1]);
        o.release(Class::Routine, GroupIx(0));
        assert_eq!(drain(&mut o, Mono(2 * S)), [0_u32; 0], "it runs and is still charged");
        o.uncharge(GroupIx(0), 400);
        assert_eq!(drain(&mut o, Mono(2 * S)), [2]);
        assert_eq!(o.charged(GroupIx(0)), 800);
        o.recharge(GroupIx(0), 400, 100);
        assert_eq!(drain(&mut o, Mono(2 * S)), [3], "it brings less than expected");
    }

    #[test]
    fn a_stream_larger_than_the_budget_passes_when_the_link_is_empty() {
        let mut o = opener(1000, 1000, 10);
        o.set_budget(GroupIx(0), Some(1000));
        o.request(CameraIx(0), GroupIx(0), Class::Routine, 4000, Mono(S), Duration::ZERO);
        o.request(CameraIx(1), GroupIx(0), Class::Routine, 100, Mono(S), Duration::ZERO);
        assert_eq!(drain(&mut o, Mono(S)), [0]);
        o.uncharge(GroupIx(0), 4000);
        assert_eq!(drain(&mut o, Mono(S)), [1]);
    }
}
