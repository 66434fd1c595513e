//! Reports by mail: when each is due, and one task that sends what is.
//!
//! What is due is noted in the store before it is sent, once for each period, and tried again until it arrives: a
//! restart neither loses nor doubles a report. A crash within a try is the one case in which a mail may come twice; its
//! number is the same both times.

use crate::{
    api::reports::{Question, Written, write},
    app::{App, Shared},
    problem::Problem,
    reports::Period,
};
use fleet::Wall;
use health::{
    desk::pause,
    ledger::{Calendar, DAY_MS, HOUR_MS},
};
use notify::{Envelope, File, Mail, Unreached};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::Weak,
    time::{Duration, Instant},
};
use store::{Every, Mailing, MailingId, MailingPlan, Sending, StoreError, Tried};
use tokio_util::sync::CancellationToken;

/// What did not arrive within this time is given up, and Self-health says so.
const GIVE_UP_MS: i64 = 72 * HOUR_MS;
/// A period that is not counted to its end is waited for so long; then the report says how far it is.
const UNCOUNTED_MS: i64 = 6 * HOUR_MS;
/// How long the log is kept.
const LOG_MS: i64 = 400 * DAY_MS;
const PRUNE_EVERY: Duration = Duration::from_secs(6 * 3600);

/// A report that is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Due {
    /// When it became due.
    pub(crate) at: Wall,
    /// What it tells of.
    pub(crate) range: Range<Wall>,
}

/// The last time up to now that a report of this plan was due.
pub(crate) fn newest(plan: &MailingPlan, now: Wall) -> Due {
    let minute = i64::from(plan.minute) * 60_000;
    let week = |at: Wall| {
        let day = Calendar::day(at);
        Wall(day.0 - DAY_MS * i64::from(Calendar::date(day).weekday().to_monday_zero_offset()))
    };
    // The period that now is in; if its report is not due yet, the one before it.
    let (begin, before, at): (_, fn(Wall) -> Wall, _) = match plan.every {
        Every::Day => (Calendar::day(now), |day| Wall(day.0 - DAY_MS), minute),
        Every::Week => {
            let later = DAY_MS * (i64::from(plan.weekday.clamp(1, 7)) - 1) + minute;
            (week(now), |week| Wall(week.0 - 7 * DAY_MS), later)
        }
        Every::Month => {
            let later = DAY_MS * (i64::from(plan.day.clamp(1, 28)) - 1) + minute;
            (Calendar::month(now), Calendar::month_before, later)
        }
    };
    let begin = if begin.0 + at <= now.0 { begin } else { before(begin) };
    Due { at: Wall(begin.0 + at), range: before(begin)..begin }
}

/// Sends what is due until stopped.
pub(crate) async fn run(app: Weak<Shared>, every: Duration, stop: CancellationToken) {
    let mut begun = BTreeMap::new();
    let mut pruned: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let Some(app) = app.upgrade().map(App) else { return };
        let looked = async {
            look(&app, &mut begun).await?;
            if pruned.is_none_or(|at| at.elapsed() > PRUNE_EVERY) {
                app.services.store.prune_sendings(Wall(Wall::read().0 - LOG_MS)).await?;
                pruned = Some(Instant::now());
            }
            Ok::<_, StoreError>(())
        };
        tokio::select! {
            () = stop.cancelled() => return,
            looked = looked => if let Err(error) = looked {
                tracing::warn!(%error, "reports cannot be mailed; trying again");
            },
        }
    }
}

/// `begun`: what is known to be noted, so that the store is asked once.
async fn look(app: &App, begun: &mut BTreeMap<MailingId, Range<Wall>>) -> Result<(), StoreError> {
    let store = &app.services.store;
    let now = Wall::read();
    let mailings = store.mailings().await?;
    for mailing in mailings.iter().filter(|m| m.enabled) {
        let due = newest(&mailing.plan, now);
        if due.at < mailing.changed || begun.get(&mailing.id) == Some(&due.range) {
            continue;
        }
        store.begin_sending(mailing.id, due.range.clone(), due.at).await?;
        begun.insert(mailing.id, due.range);
    }
    for sending in store.due_sendings(now).await? {
        let Some(mailing) = mailings.iter().find(|m| m.id == sending.mailing) else { continue };
        let counted = store.ledger(sending.range.clone()).await?.upto.is_some_and(|upto| upto >= sending.range.end);
        if counted || now.0 - sending.at.0 >= UNCOUNTED_MS {
            attempt(app, mailing, &sending).await?;
        }
    }
    Ok(())
}

async fn attempt(app: &App, mailing: &Mailing, sending: &Sending) -> Result<(), StoreError> {
    let store = &app.services.store;
    store.begin_sending_try(sending.id).await?;
    let node = app.services.courier.node();
    let key = format!("{node}-{}-{}-{}", mailing.id, sending.range.start.0, sending.range.end.0);
    let done = send(app, &mailing.plan, &sending.left_out, &sending.range, key, false).await;
    let now = Wall::read();
    let again = now + pause(sending.attempts + 1, rand::random());
    let again = (again.0 - sending.at.0 < GIVE_UP_MS).then_some(again);
    let (tried, left_out) = match done {
        Ok(unreached) if unreached.is_empty() => (Tried::Delivered, Vec::new()),
        Ok(unreached) => {
            let who = Unreached::told(&unreached);
            tracing::warn!(mailing = %mailing.id, attempts = sending.attempts + 1, %who, "a report did not reach everybody");
            // The others have it: it goes once more only to those who may yet take it.
            match again.filter(|_| unreached.iter().any(|one| !one.for_good)) {
                Some(again) => {
                    let left_out = unreached.into_iter().map(|one| one.reader).collect();
                    (Tried::Failed(who, Some(again)), left_out)
                }
                None => (Tried::Partly(who), Vec::new()),
            }
        }
        Err(why) => {
            tracing::warn!(mailing = %mailing.id, attempts = sending.attempts + 1, %why, "a report was not mailed");
            (Tried::Failed(why, again), sending.left_out.clone())
        }
    };
    store.end_sending_try(sending.id, now, &tried, &left_out).await
}

/// Sends the report of a range, or says why not; to `only` these readers, to all if there is none. Gives those whom it does
/// not reach while it reaches others.
pub(crate) async fn send(
    app: &App,
    plan: &MailingPlan,
    only: &[String],
    range: &Range<Wall>,
    key: String,
    trial: bool,
) -> Result<Vec<Unreached>, String> {
    let told = |problem: Problem| problem.detail().to_owned();
    let channels = app.services.store.channels().await.map_err(|e| told(e.into()))?;
    let channel = channels.iter().find(|c| c.id == plan.channel && c.kind == "email");
    let envelope = channel
        .and_then(|c| Envelope::open(c.target.expose()))
        .ok_or("the channel whose mail server sends it is gone; choose another")?;
    let period = match plan.every {
        Every::Day => Period::Day,
        Every::Week => Period::Week,
        Every::Month => Period::Month,
    };
    let question = Question::of_mailing(period, Calendar::date(range.start).to_string(), plan);
    let Written { letter, files } = write(app, &question).await.map_err(told)?;
    let mark = match plan.language.as_str() {
        _ if !trial => "",
        "en" => "[test] ",
        _ => "【试发】",
    };
    let mail = Mail {
        // Names of nodes are people's; a number of a mail is not.
        key: key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect(),
        subject: format!("{mark}{}", letter.subject),
        text: letter.text,
        html: letter.html,
        files: files.into_iter().map(|(name, kind, bytes)| File { name, kind, bytes }).collect(),
        to: if only.is_empty() { plan.to.clone() } else { only.to_vec() },
    };
    app.services.courier.mail(&envelope.target, mail).await.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use health::desk::ChannelId;

    fn plan(every: Every, weekday: u8, day: u8, minute: u16) -> MailingPlan {
        MailingPlan {
            every,
            weekday,
            day,
            minute,
            group: "town".into(),
            town: None,
            site: None,
            contractor: None,
            channel: ChannelId(1),
            to: Vec::new(),
            language: "zh-CN".into(),
        }
    }

    fn at(date: &str, minute: i64) -> Wall {
        Wall(Calendar::begins(date.parse().unwrap()).0 + minute * 60_000)
    }

    #[test]
    fn a_report_is_due_at_its_minute_and_tells_of_the_time_that_is_over() {
        let cases = [
            (plan(Every::Day, 1, 1, 450), ("2026-03-01", 450), ("2026-03-01", 450), ("2026-02-28", "2026-03-01")),
            (plan(Every::Day, 1, 1, 450), ("2026-03-01", 449), ("2026-02-28", 450), ("2026-02-27", "2026-02-28")),
            // 2026-03-02 is a Monday.
            (plan(Every::Week, 1, 1, 0), ("2026-03-02", 0), ("2026-03-02", 0), ("2026-02-23", "2026-03-02")),
            (plan(Every::Week, 3, 1, 60), ("2026-03-04", 59), ("2026-02-25", 60), ("2026-02-16", "2026-02-23")),
            (plan(Every::Week, 7, 1, 60), ("2026-03-08", 60), ("2026-03-08", 60), ("2026-02-23", "2026-03-02")),
            (plan(Every::Month, 1, 28, 1439), ("2026-02-28", 1439), ("2026-02-28", 1439), ("2026-01-01", "2026-02-01")),
            (plan(Every::Month, 1, 2, 0), ("2026-01-01", 800), ("2025-12-02", 0), ("2025-11-01", "2025-12-01")),
        ];
        for (plan, (day, minute), (due_day, due_minute), (from, until)) in cases {
            let due = newest(&plan, at(day, minute));
            let expected = Due { at: at(due_day, due_minute), range: at(from, 0)..at(until, 0) };
            assert_eq!(due, expected, "{plan:?} at {day} {minute}");
        }
    }
}
