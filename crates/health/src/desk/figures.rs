//! How quickly orders are answered and repaired, by contractor and town.

use super::order::{Assignee, Assignment, Order, Outcome};
use fleet::{TownId, Wall};
use std::{collections::BTreeMap, time::Duration};

/// Figures of a set of orders. Times are means over those that have one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Share {
    /// Orders in all; merged ones and false alarms are not counted.
    pub orders: u32,
    /// Closed after a verified repair.
    pub accepted: u32,
    /// Still open.
    pub open: u32,
    /// Overdue now.
    pub overdue: u32,
    /// Mean time until somebody took it.
    pub response: Option<Duration>,
    /// Mean time of repair, without time for which a third party was to blame.
    pub repair: Option<Duration>,
    /// Repaired, whether in time or not.
    pub repaired: u32,
    /// Repaired in time.
    pub in_time: u32,
}

/// Figures by who and where.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OrderFigures {
    /// Of all.
    pub all: Share,
    /// By contractor or technician; those that nobody has are under `None`. Each for the time in which it was his: who
    /// handed an order on answers for how quickly he took it, who had it last for the repair.
    pub by_assignee: BTreeMap<Option<Assignee>, Share>,
    /// By contractor, with the orders given to his technicians; those of technicians without a unit are under `None`.
    pub by_contractor: BTreeMap<Option<String>, Share>,
    /// By town.
    pub by_town: BTreeMap<Option<TownId>, Share>,
}

#[derive(Default)]
struct Sum {
    share: Share,
    response: (Duration, u32),
    repair: (Duration, u32),
}

impl Sum {
    /// An order as a whole.
    fn add(&mut self, order: &Order, now: Wall) {
        let response = order.accepted.and_then(|_| order.response_time(now));
        self.count(order, now, response, order.repair_time(now));
    }

    /// An order in the hands of who has it now, or had it when it was closed.
    fn add_last(&mut self, order: &Order, his: &Assignment, now: Wall) {
        let end = order.recovered.or(order.closed).unwrap_or(now);
        self.count(order, now, his.response(), Some(his.repair(order, end)));
    }

    /// An order that somebody handed on: how quickly he had taken it is his, the repair is another's.
    fn add_handed_on(&mut self, his: &Assignment) {
        if let Some(took) = his.response() {
            self.response = (self.response.0 + took, self.response.1 + 1);
        }
    }

    fn count(&mut self, order: &Order, now: Wall, response: Option<Duration>, repair: Option<Duration>) {
        let share = &mut self.share;
        share.orders += 1;
        share.accepted += u32::from(order.outcome == Some(Outcome::Accepted));
        share.open += u32::from(order.is_open());
        share.overdue += u32::from(order.is_overdue(now));
        if let Some(took) = response {
            self.response = (self.response.0 + took, self.response.1 + 1);
        }
        if order.recovered.is_some()
            && let Some(took) = repair
        {
            self.repair = (self.repair.0 + took, self.repair.1 + 1);
            share.repaired += 1;
            share.in_time += u32::from(order.within_time(now) == Some(true));
        }
    }

    fn share(self) -> Share {
        let mean = |(sum, n): (Duration, u32)| (n > 0).then(|| sum / n);
        Share { response: mean(self.response), repair: mean(self.repair), ..self.share }
    }
}

/// The figures of these orders as of `now`. `unit_of` says for which contractor a technician works.
#[must_use]
pub fn figures<'a>(
    orders: impl IntoIterator<Item = &'a Order>,
    unit_of: impl Fn(u32) -> Option<String>,
    now: Wall,
) -> OrderFigures {
    let mut all = Sum::default();
    let mut by_assignee: BTreeMap<Option<Assignee>, Sum> = BTreeMap::new();
    let mut by_contractor: BTreeMap<Option<String>, Sum> = BTreeMap::new();
    let mut by_town: BTreeMap<Option<TownId>, Sum> = BTreeMap::new();
    let unit = |who: &Assignee| match who {
        Assignee::Contractor(unit) => Some(unit.clone()),
        Assignee::Technician(user) => unit_of(*user).filter(|unit| !unit.is_empty()),
    };
    let counted = |o: &&Order| !matches!(o.outcome, Some(Outcome::Merged | Outcome::FalseAlarm));
    for order in orders.into_iter().filter(counted) {
        all.add(order, now);
        by_town.entry(order.town).or_default().add(order, now);
        let mut his = order.assignments.iter().rev();
        match (&order.assignee, his.next()) {
            (Some(who), Some(last)) if last.to == *who => {
                by_assignee.entry(Some(who.clone())).or_default().add_last(order, last, now);
                by_contractor.entry(unit(who)).or_default().add_last(order, last, now);
            }
            // Nobody has it now, or it is from before assignments were kept.
            (who, last) => {
                by_assignee.entry(who.clone()).or_default().add(order, now);
                if let Some(who) = who {
                    by_contractor.entry(unit(who)).or_default().add(order, now);
                }
                last.into_iter().for_each(|l| {
                    by_assignee.entry(Some(l.to.clone())).or_default().add_handed_on(l);
                    by_contractor.entry(unit(&l.to)).or_default().add_handed_on(l);
                });
            }
        }
        for before in his {
            by_assignee.entry(Some(before.to.clone())).or_default().add_handed_on(before);
            by_contractor.entry(unit(&before.to)).or_default().add_handed_on(before);
        }
    }
    let shares = |sums: BTreeMap<_, Sum>| sums.into_iter().map(|(k, s)| (k, s.share())).collect();
    OrderFigures {
        all: all.share(),
        by_assignee: shares(by_assignee),
        by_contractor: by_contractor.into_iter().map(|(k, s)| (k, s.share())).collect(),
        by_town: by_town.into_iter().map(|(k, s)| (k, s.share())).collect(),
    }
}
