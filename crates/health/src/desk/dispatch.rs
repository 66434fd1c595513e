//! Which channels are told of work orders that were given to somebody.
//!
//! Level-triggered like [`Teller`](super::Teller): it compares when each order was last given to somebody with what a
//! channel was told, so a restart or a missed change costs nothing and nothing is told twice.

use super::{
    notice::{ChannelId, Route},
    order::{Order, OrderId},
};
use fleet::Wall;

/// An order that was given away longer ago is told no more: to a channel that is new, it is no news.
const NEWS_MS: i64 = 72 * 3_600_000;

/// What one channel is to be told: orders, and when each was given to whom it is given to now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispatch {
    /// To whom.
    pub channel: ChannelId,
    /// Of what. To be kept together with the message as what the channel was told.
    pub orders: Vec<(OrderId, Wall)>,
}

impl Order {
    /// When it was given to whom it is given to now.
    #[must_use]
    pub fn given(&self) -> Option<Wall> {
        self.assignee.as_ref()?;
        self.history.iter().rev().find(|step| step.act == "assign").map(|step| step.at)
    }
}

impl Route {
    fn is_for(&self, order: &Order) -> bool {
        let whom = order.assignee.as_ref();
        self.orders && (self.assignees.is_empty() || whom.is_some_and(|a| self.assignees.contains(a)))
    }
}

/// What each channel must be told now, one message each. `told` is when an order had been given to somebody as far as
/// the channel knows.
#[must_use]
pub fn dispatches<'a>(
    channels: impl IntoIterator<Item = (ChannelId, &'a Route)>,
    open: &[Order],
    told: impl Fn(ChannelId, OrderId) -> Option<Wall>,
    now: Wall,
) -> Vec<Dispatch> {
    let mut all = Vec::new();
    for (channel, route) in channels {
        let news = open.iter().filter(|order| order.is_open() && route.is_for(order)).filter_map(|order| {
            let given = order.given()?;
            // Not whether it is later: somebody may have set the clock back in between.
            let known = told(channel, order.id) == Some(given);
            (!known && now.millis_since(given) < NEWS_MS).then_some((order.id, given))
        });
        let orders: Vec<(OrderId, Wall)> = news.take(super::LONGEST_DIGEST).collect();
        if !orders.is_empty() {
            all.push(Dispatch { channel, orders });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        IncidentId, Severity,
        desk::{Act, Actor, Assignee, Desk, NewOrder, OrderState},
    };
    use std::collections::BTreeMap;

    fn order(id: u64) -> Order {
        let new = NewOrder {
            incident: IncidentId(id),
            cameras: Vec::new(),
            town: None,
            severity: Severity::Major,
            by: "op".into(),
            at: Wall(0),
            state: OrderState::Confirmed,
            note: String::new(),
        };
        Order::new(OrderId(id), new)
    }

    fn give(order: &Order, to: Assignee, at: i64) -> Order {
        Desk::default().act(order, Actor::Desk, "op", Act::Assign(to, None), Wall(at)).unwrap()
    }

    #[test]
    fn each_giving_is_told_once_to_whom_it_concerns() {
        let (one, unit) = (Assignee::Technician(4), Assignee::Contractor("电信".into()));
        let all = Route { orders: true, ..Route::default() };
        let his = Route { assignees: [one.clone()].into(), ..all.clone() };
        let none = Route::default();
        let routes = [(ChannelId(1), &all), (ChannelId(2), &his), (ChannelId(3), &none)];
        let mut told: BTreeMap<(ChannelId, OrderId), Wall> = BTreeMap::new();
        let mut look = |orders: &[Order], now: i64| {
            let found = dispatches(routes, orders, |c, o| told.get(&(c, o)).copied(), Wall(now));
            for one in &found {
                told.extend(one.orders.iter().map(|(order, at)| ((one.channel, *order), *at)));
            }
            found.into_iter().map(|d| (d.channel.0, d.orders.iter().map(|o| o.0.0).collect())).collect::<Vec<_>>()
        };
        let waiting = order(1);
        assert_eq!(look(std::slice::from_ref(&waiting), 5), []);
        let first = give(&waiting, one.clone(), 10);
        let second = give(&order(2), unit.clone(), 12);
        assert_eq!(look(&[first.clone(), second.clone()], 20), [(1, vec![1, 2]), (2, vec![1])]);
        assert_eq!(look(&[first.clone(), second.clone()], 30), [], "once");
        // Handed on, and back again.
        let on = give(&first, unit, 40);
        assert_eq!(look(std::slice::from_ref(&on), 50), [(1, vec![1])]);
        let back = give(&on, one.clone(), 60);
        assert_eq!(look(std::slice::from_ref(&back), 70), [(1, vec![1]), (2, vec![1])]);
        // Given again after the clock was set back.
        let earlier = give(&give(&back, Assignee::Technician(5), 4), one.clone(), 5);
        assert_eq!(look(std::slice::from_ref(&earlier), 6), [(1, vec![1]), (2, vec![1])]);
        let closed = Desk::default()
            .act(&give(&order(3), one.clone(), 80), Actor::Desk, "op", Act::FalseAlarm("误报".into()), Wall(81))
            .unwrap();
        assert_eq!(look(&[closed], 90), []);
        assert_eq!(look(&[give(&order(4), one, 100)], 100 + NEWS_MS), [], "no news any more");
    }
}
