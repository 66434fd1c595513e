//! How quickly orders are answered and repaired, by contractor and town.

use super::order::{Assignee, Order, Outcome};
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
    /// By contractor or technician; those that nobody has are under `None`.
    pub by_assignee: BTreeMap<Option<Assignee>, Share>,
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
    fn add(&mut self, order: &Order, now: Wall) {
        let share = &mut self.share;
        share.orders += 1;
        share.accepted += u32::from(order.outcome == Some(Outcome::Accepted));
        share.open += u32::from(order.is_open());
        share.overdue += u32::from(order.is_overdue(now));
        if order.accepted.is_some()
            && let Some(took) = order.response_time(now)
        {
            self.response = (self.response.0 + took, self.response.1 + 1);
        }
        if order.recovered.is_some()
            && let Some(took) = order.repair_time(now)
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

/// The figures of these orders as of `now`.
#[must_use]
pub fn figures<'a>(orders: impl IntoIterator<Item = &'a Order>, now: Wall) -> OrderFigures {
    let mut all = Sum::default();
    let mut by_assignee: BTreeMap<Option<Assignee>, Sum> = BTreeMap::new();
    let mut by_town: BTreeMap<Option<TownId>, Sum> = BTreeMap::new();
    let counted = |o: &&Order| !matches!(o.outcome, Some(Outcome::Merged | Outcome::FalseAlarm));
    for order in orders.into_iter().filter(counted) {
        all.add(order, now);
        by_assignee.entry(order.assignee.clone()).or_default().add(order, now);
        by_town.entry(order.town).or_default().add(order, now);
    }
    OrderFigures {
        all: all.share(),
        by_assignee: by_assignee.into_iter().map(|(k, s)| (k, s.share())).collect(),
        by_town: by_town.into_iter().map(|(k, s)| (k, s.share())).collect(),
    }
}
