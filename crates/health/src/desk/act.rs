//! The state machine of a work order: who may do what in which state, and what it does to the two clocks.
//!
//! ```text
//! 待确认 ─▶ 待派单 ─▶ 已派单 ─▶ 已接单 ─▶ 处理中 ◀─▶ 挂起
//!                       ▲        退回 ◀┘     │  ▲
//!                       └────────────────────┼──┘ 返工
//!                                            ▼
//!                                          待验收 ─▶ 已关闭
//! ```
//! A recovery alone moves an order to 待验收, never further. A repair is accepted only on fresh evidence: a climb of
//! every camera's ladder after the recovery, with pictures, and a stable time. 误报 and 合并 close from any state.

use super::order::{
    Assignee, Assignment, Confirmed, Hold, HoldReason, Order, OrderId, OrderState, Outcome, Standstill, Step,
    Verification,
};
use crate::{LikelyCause, Severity};
use fleet::{CameraId, Wall};
use std::time::Duration;

/// Things kept of one order; then nothing but closing it can be added.
const MOST_STEPS: usize = 500;
/// Longest note, in characters.
const LONGEST_NOTE: usize = 1000;
/// Longest hold.
const LONGEST_HOLD: Duration = Duration::from_secs(90 * 24 * 3600);
/// A climb older than this proves nothing about now.
const FRESH: Duration = Duration::from_secs(3600);
/// Climbs that an acceptance asks for at most: of an order about a whole town a dozen cameras are tried.
pub(crate) const MOST_CLIMBS: usize = 12;

/// Who acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Actor {
    /// Whoever sits at the desk: operator or administrator.
    Desk,
    /// A technician to whom the order is given, by himself or by his unit.
    Assigned,
    /// Any other technician.
    Technician,
    /// Ourselves.
    System,
}

/// Something done to an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Somebody must go.
    Confirm,
    /// Give it to somebody; with a time of repair other than the usual one.
    Assign(Assignee, Option<Wall>),
    /// Take it.
    Accept,
    /// Give it back, with the reason.
    Decline(String),
    /// Begin to work on it.
    Start,
    /// It waits for something until a stated time.
    Hold(HoldReason, Wall, String),
    /// A third party is to blame for the hold: the repair clock stands still. If it is over: stood still, in the newest
    /// hold that nobody has approved.
    ApproveHold,
    /// It can be worked on again.
    Resume,
    /// Say that it is repaired, and what was done.
    Finish(String),
    /// All its cameras are well again since then.
    Recovered(Wall),
    /// They are not well after all.
    Relapsed,
    /// A ladder was climbed.
    Verify(Verification),
    /// What the cause really was; what the rules had suggested; a note.
    Diagnose(LikelyCause, LikelyCause, String),
    /// The repair is good.
    AcceptRepair,
    /// It is not, and why: back to work 返工.
    Reject(String),
    /// There was nothing to repair, and why.
    FalseAlarm(String),
    /// It is dealt with under another order.
    Merge(OrderId),
    /// Another order is dealt with under this one, with its cameras.
    Absorb(OrderId, Vec<CameraId>),
    /// Something worth knowing.
    Note(String),
}

impl Act {
    /// Every word that a step of an order's history may bear; the first is its beginning.
    pub const WORDS: [&str; 20] = [
        "open",
        "confirm",
        "assign",
        "accept",
        "decline",
        "start",
        "hold",
        "approve_hold",
        "resume",
        "finish",
        "recovered",
        "relapsed",
        "verify",
        "diagnose",
        "accept_repair",
        "reject",
        "false_alarm",
        "merge",
        "absorb",
        "note",
    ];

    /// The stable word for it, one of [`WORDS`](Self::WORDS).
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Act::Confirm => "confirm",
            Act::Assign(..) => "assign",
            Act::Accept => "accept",
            Act::Decline(_) => "decline",
            Act::Start => "start",
            Act::Hold(..) => "hold",
            Act::ApproveHold => "approve_hold",
            Act::Resume => "resume",
            Act::Finish(_) => "finish",
            Act::Recovered(_) => "recovered",
            Act::Relapsed => "relapsed",
            Act::Verify(_) => "verify",
            Act::Diagnose(..) => "diagnose",
            Act::AcceptRepair => "accept_repair",
            Act::Reject(_) => "reject",
            Act::FalseAlarm(_) => "false_alarm",
            Act::Merge(_) => "merge",
            Act::Absorb(..) => "absorb",
            Act::Note(_) => "note",
        }
    }

    /// Whether this actor may do it at all.
    fn is_for(&self, actor: Actor) -> bool {
        match self {
            Act::Confirm
            | Act::Assign(..)
            | Act::ApproveHold
            | Act::AcceptRepair
            | Act::Reject(_)
            | Act::FalseAlarm(_)
            | Act::Merge(_)
            | Act::Absorb(..) => actor == Actor::Desk,
            Act::Accept | Act::Decline(_) | Act::Start | Act::Finish(_) => actor == Actor::Assigned,
            Act::Hold(..) | Act::Verify(_) | Act::Diagnose(..) | Act::Note(_) => {
                matches!(actor, Actor::Desk | Actor::Assigned)
            }
            Act::Resume => actor != Actor::Technician,
            Act::Recovered(_) | Act::Relapsed => actor == Actor::System,
        }
    }

    /// What is said with it.
    fn note(&self) -> Option<&str> {
        match self {
            Act::Decline(text)
            | Act::Hold(_, _, text)
            | Act::Finish(text)
            | Act::Diagnose(_, _, text)
            | Act::Reject(text)
            | Act::FalseAlarm(text)
            | Act::Note(text) => Some(text),
            _ => None,
        }
    }

    fn needs_note(&self) -> bool {
        matches!(self, Act::Decline(_) | Act::Finish(_) | Act::Reject(_) | Act::FalseAlarm(_) | Act::Note(_))
    }
}

/// Why something cannot be done to an order.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OrderFault {
    /// The actor may not do this.
    #[error("this is not yours to do on this order")]
    NotYours,
    /// Not in this state.
    #[error("the order does not stand where this can be done; load it anew and see")]
    WrongState(OrderState),
    /// Too little or too much is said with it.
    #[error("note: expected 1 to 1000 characters that say why or what was done")]
    Note,
    /// A time that cannot be.
    #[error("until: expected a time to come, at most 90 days from now")]
    Time,
    /// Only a reason for which a third party is to blame stops the repair clock.
    #[error("only a power cut, road works, demolition or a carrier's cut fibre stops the repair clock")]
    NotThirdParty,
    /// The cameras are not well, or not for long enough.
    #[error("the cameras have not been well for long enough: wait until {0} minutes after the recovery")]
    NotStable(u64),
    /// A fresh climb is missing or failed.
    #[error(
        "camera {0}: a climb of its ladder after the recovery, passed within the last hour, is missing; verify first"
    )]
    NotVerified(CameraId),
    /// The climb left no picture.
    #[error("camera {0}: there is no picture from after the repair; verify again")]
    NoPicture(CameraId),
    /// An order cannot be merged into itself, a closed one or one that was merged.
    #[error("merge: expected another open order")]
    NoParent,
    /// Nothing more can be kept of this order.
    #[error("so much was written on this order that only closing it is left")]
    Full,
}

/// Times agreed on, by severity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// From giving it to somebody until he takes it.
    pub response: Duration,
    /// From giving it to somebody until everything is well.
    pub repair: Duration,
}

/// What was agreed on with those who repair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Desk {
    /// For critical, major and minor incidents.
    pub critical: Terms,
    /// For major ones.
    pub major: Terms,
    /// For minor ones.
    pub minor: Terms,
    /// How long everything must have been well before a repair is accepted.
    pub stable: Duration,
}

const HOUR: u64 = 3600;

impl Default for Desk {
    fn default() -> Desk {
        let terms =
            |response, repair| Terms { response: Duration::from_secs(response), repair: Duration::from_secs(repair) };
        Desk {
            critical: terms(HOUR / 2, 4 * HOUR),
            major: terms(2 * HOUR, 24 * HOUR),
            minor: terms(8 * HOUR, 72 * HOUR),
            stable: Duration::from_secs(1800),
        }
    }
}

impl Desk {
    /// The times for this severity.
    #[must_use]
    pub fn terms(&self, severity: Severity) -> Terms {
        match severity {
            Severity::Critical => self.critical,
            Severity::Major => self.major,
            Severity::Minor => self.minor,
        }
    }

    /// The order after somebody did something to it.
    ///
    /// # Errors
    /// Why it cannot be done; the order is as before.
    pub fn act(&self, order: &Order, actor: Actor, by: &str, act: Act, now: Wall) -> Result<Order, OrderFault> {
        if !act.is_for(actor) {
            return Err(OrderFault::NotYours);
        }
        let said = act.note().map(str::trim).unwrap_or_default();
        if said.chars().count() > LONGEST_NOTE || (act.needs_note() && said.is_empty()) {
            return Err(OrderFault::Note);
        }
        let closes = matches!(act, Act::AcceptRepair | Act::FalseAlarm(_) | Act::Merge(_) | Act::ApproveHold);
        if order.history.len() >= MOST_STEPS && !closes && actor != Actor::System {
            return Err(OrderFault::Full);
        }
        let mut note = said.to_owned();
        let (word, mut next) = (act.word(), order.clone());
        let to = self.step(&mut next, act, by, &mut note, now)?;
        next.state = to;
        next.version += 1;
        next.history.push(Step { at: now, by: by.to_owned(), act: word.into(), from: order.state, to, note });
        Ok(next)
    }

    fn step(
        &self,
        order: &mut Order,
        act: Act,
        by: &str,
        note: &mut String,
        now: Wall,
    ) -> Result<OrderState, OrderFault> {
        use OrderState::{Accepted, Assigned, Closed, Confirmed as ToAssign, OnHold, Repaired, Reported, Working};
        let state = order.state;
        let wrong = Err(OrderFault::WrongState(state));
        Ok(match act {
            Act::Confirm if state == Reported => ToAssign,
            Act::Assign(to, due) if matches!(state, ToAssign | Assigned | Accepted | Working | OnHold) => {
                self.assign(order, to, due, now)?;
                *note = match &order.assignee {
                    Some(Assignee::Contractor(unit)) => unit.clone(),
                    _ => note.clone(),
                };
                Assigned
            }
            Act::Accept if state == Assigned => {
                order.accepted.get_or_insert(now);
                if let Some(his) = order.assignments.last_mut() {
                    his.accepted = Some(now);
                }
                Accepted
            }
            Act::Decline(_) if matches!(state, Assigned | Accepted) => {
                order.assignee = None;
                hand_on(order, now);
                ToAssign
            }
            Act::Start if state == Accepted => Working,
            Act::Hold(reason, until, _) if state == Working => {
                let longest = i64::try_from(LONGEST_HOLD.as_millis()).unwrap_or(i64::MAX);
                if until <= now || until.millis_since(now) > longest {
                    return Err(OrderFault::Time);
                }
                order.hold = Some(Hold { reason, since: now, until, approved_by: None, approved: None });
                OnHold
            }
            Act::ApproveHold if order.hold.is_some() || !order.waited.is_empty() => {
                match order.hold.as_mut() {
                    Some(hold) if !hold.reason.third_party() => return Err(OrderFault::NotThirdParty),
                    Some(hold) => {
                        hold.approved_by = Some(by.to_owned());
                        hold.approved = Some(now);
                    }
                    None => approve_afterwards(order, by, now),
                }
                state
            }
            Act::Resume if state == OnHold => {
                end_hold(order, now);
                Working
            }
            Act::Finish(_) if state == Working => Repaired,
            Act::Recovered(since) if !matches!(state, Repaired | Closed) => {
                // It waited for nothing any more from then on, however late we learn of it.
                end_hold(order, since.min(now));
                order.recovered = Some(since);
                Repaired
            }
            // He said that it is repaired; now it shows. Or it failed again for a moment: what was shown before that does
            // not count.
            Act::Recovered(since) if state == Repaired && order.recovered.is_none_or(|before| before < since) => {
                order.recovered = Some(since);
                order.verifications.retain(|v| v.at >= since);
                Repaired
            }
            Act::Relapsed if state == Repaired && order.recovered.is_some() => {
                order.recovered = None;
                order.verifications.clear();
                back(order)
            }
            Act::Verify(verification) if state != Closed => {
                order.verifications.retain(|v| v.camera != verification.camera);
                order.verifications.push(verification);
                state
            }
            Act::Diagnose(found, suggested, ref text) if state != Closed => {
                order.confirmed = Some(Confirmed {
                    incident: order.incident,
                    suggested,
                    found,
                    note: text.trim().to_owned(),
                    by: by.to_owned(),
                    at: now,
                });
                state
            }
            Act::AcceptRepair if state == Repaired => {
                self.check_repair(order, now)?;
                close(order, Outcome::Accepted, now)
            }
            // What was shown did not convince: the next repair needs evidence of its own.
            Act::Reject(_) if state == Repaired => {
                order.recovered = None;
                order.verifications.clear();
                back(order)
            }
            Act::FalseAlarm(_) if state != Closed => close(order, Outcome::FalseAlarm, now),
            Act::Merge(parent) if state != Closed => {
                if parent == order.id {
                    return Err(OrderFault::NoParent);
                }
                order.parent = Some(parent);
                *note = parent.to_string();
                close(order, Outcome::Merged, now)
            }
            Act::Absorb(child, cameras) if state != Closed => {
                if child == order.id {
                    return Err(OrderFault::NoParent);
                }
                *note = child.to_string();
                if !order.children.contains(&child) {
                    order.children.push(child);
                }
                let new: Vec<CameraId> = cameras.into_iter().filter(|c| !order.cameras.contains(c)).collect();
                order.cameras.extend(new);
                state
            }
            Act::Note(_) if state != Closed => state,
            _ => return wrong,
        })
    }

    fn assign(&self, order: &mut Order, to: Assignee, due: Option<Wall>, now: Wall) -> Result<(), OrderFault> {
        if due.is_some_and(|due| due <= now) {
            return Err(OrderFault::Time);
        }
        end_hold(order, now);
        let terms = self.terms(order.severity);
        hand_on(order, now);
        order.assignments.push(Assignment { to: to.clone(), from: now, accepted: None, until: None });
        order.assignee = Some(to);
        // Handing it on to somebody else does not wind the clocks back.
        let first = *order.assigned.get_or_insert(now);
        order.response_due.get_or_insert(first + terms.response);
        match due {
            Some(due) => order.repair_due = Some(due),
            None => {
                order.repair_due.get_or_insert(first + terms.repair);
            }
        }
        Ok(())
    }

    /// Whether the evidence is fresh and whole.
    fn check_repair(&self, order: &Order, now: Wall) -> Result<(), OrderFault> {
        let stable = i64::try_from(self.stable.as_millis()).unwrap_or(i64::MAX);
        let minutes = self.stable.as_secs().div_ceil(60);
        let since = order.recovered.ok_or(OrderFault::NotStable(minutes))?;
        if now.millis_since(since) < stable {
            return Err(OrderFault::NotStable(minutes));
        }
        let fresh = i64::try_from(FRESH.as_millis()).unwrap_or(i64::MAX);
        for camera in order.cameras.iter().take(MOST_CLIMBS) {
            let climb = order.verifications.iter().find(|v| v.camera == *camera);
            let good = climb.filter(|v| v.layer.is_none() && v.cause.is_none());
            let good = good.filter(|v| v.at >= since && now.millis_since(v.at) <= fresh);
            let climb = good.ok_or(OrderFault::NotVerified(*camera))?;
            climb.picture.ok_or(OrderFault::NoPicture(*camera))?;
        }
        Ok(())
    }
}

impl Order {
    /// The cameras whose ladders an acceptance asks for.
    #[must_use]
    pub fn to_verify(&self) -> &[CameraId] {
        &self.cameras[..self.cameras.len().min(MOST_CLIMBS)]
    }

    /// What follows by itself, from the time that passes and from whether its incident is over (and since when).
    #[must_use]
    pub fn follow(&self, over: Option<Wall>, now: Wall) -> Option<Act> {
        let last = |word: &str| self.history.iter().rev().find(|s| s.act == word).map(|s| s.at);
        match (self.state, over) {
            (OrderState::Closed, _) => None,
            (OrderState::Repaired, None) => self.recovered.map(|_| Act::Relapsed),
            (OrderState::Repaired, Some(over)) if self.recovered.is_none() => {
                // The work took until somebody said that it was done.
                Some(Act::Recovered(last("finish").map_or(over, |said| said.max(over))))
            }
            (OrderState::Repaired, Some(over)) => {
                self.recovered.filter(|since| *since < over).map(|_| Act::Recovered(over))
            }
            // Sent back to work: what recovered before that does not count again.
            (_, Some(over)) if last("reject").is_none_or(|sent_back| sent_back < over) => Some(Act::Recovered(over)),
            (OrderState::OnHold, _) => self.hold.as_ref().filter(|h| h.until <= now).map(|_| Act::Resume),
            _ => None,
        }
    }
}

/// Back to work, or to be given to somebody if nobody has it; who was given it and has not taken it still has to.
fn back(order: &Order) -> OrderState {
    let taken = match order.assignments.last() {
        Some(his) => his.accepted.is_some(),
        None => order.accepted.is_some(),
    };
    match (&order.assignee, taken) {
        (None, _) => OrderState::Confirmed,
        (Some(_), false) => OrderState::Assigned,
        (Some(_), true) => OrderState::Working,
    }
}

/// Ends the time of whoever has it.
fn hand_on(order: &mut Order, now: Wall) {
    if let Some(his) = order.assignments.last_mut() {
        his.until.get_or_insert(now);
    }
}

/// Ends the hold; time for which a third party was to blame moves the due time on.
fn end_hold(order: &mut Order, now: Wall) {
    let Some(hold) = order.hold.take() else { return };
    let until = hold.until.min(now);
    match hold.approved_by.clone() {
        Some(by) => {
            let approved = hold.approved.unwrap_or(hold.since);
            stand_still(order, Standstill { reason: hold.reason, from: hold.since, until, by, approved });
        }
        None if hold.reason.third_party() && until > hold.since => order.waited.push(Hold { until, ..hold }),
        None => {}
    }
}

/// Of the newest hold that ended unapproved: somebody says now that a third party was to blame.
fn approve_afterwards(order: &mut Order, by: &str, now: Wall) {
    if let Some(hold) = order.waited.pop() {
        let (reason, from, until) = (hold.reason, hold.since, hold.until);
        stand_still(order, Standstill { reason, from, until, by: by.to_owned(), approved: now });
    }
}

/// The repair clock stood still for a time: what was due is due later.
fn stand_still(order: &mut Order, time: Standstill) {
    let stood = time.until.millis_since(time.from);
    if stood > 0 {
        order.held_ms += stood;
        order.repair_due = order.repair_due.map(|due| Wall(due.0.saturating_add(stood)));
        order.stood.push(time);
    }
}

fn close(order: &mut Order, outcome: Outcome, now: Wall) -> OrderState {
    end_hold(order, now);
    order.closed = Some(now);
    order.outcome = Some(outcome);
    OrderState::Closed
}
