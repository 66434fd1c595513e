//! One try of one message: what became of it, and when it is tried again.

use super::RETRY;
use fleet::Wall;
use health::desk::{pause, pause_of_refused};
use notify::{Courier, Envelope, Letter, Unreached};
use store::{Delivery, Store, Tried};

/// What did not arrive in so many tries, which take about three days, is given up, and the log says so. Tries, not time:
/// somebody may set the clock.
const MOST_TRIES: u32 = 250;
/// The same for what its target refuses for good.
const MOST_REFUSALS: u32 = 11;

/// Tries a message, and does not return before it is noted how that went.
pub(super) async fn attempt(store: &dyn Store, courier: &Courier, envelope: Option<Envelope>, delivery: &Delivery) {
    match store.begin_try(delivery.id).await {
        Ok(true) => {}
        // Its end was noted meanwhile.
        Ok(false) => return,
        Err(error) => return tracing::warn!(%error, "cannot note that a message is tried"),
    }
    let letter: Option<Letter> = serde_json::from_str(&delivery.body).ok();
    let done = match envelope.zip(letter) {
        Some((envelope, letter)) => {
            courier.deliver(&envelope.target, &letter).await.map_err(|e| (e.is_lasting(), e.to_string()))
        }
        None => Err((true, "the message or its channel cannot be read".to_owned())),
    };
    let now = Wall::read();
    let (attempts, refusals) = (delivery.attempts + 1, delivery.refusals + 1);
    let tried = match done {
        Ok(unreached) if unreached.is_empty() => Tried::Delivered,
        Ok(unreached) => {
            let who = Unreached::told(&unreached);
            tracing::warn!(channel = %delivery.channel, %who, "a message did not reach everybody");
            Tried::Partly(who)
        }
        Err((lasting, why)) => {
            tracing::warn!(channel = %delivery.channel, attempts, lasting, %why, "a message did not arrive");
            let chance = rand::random();
            if lasting {
                Tried::Refused(why, (refusals < MOST_REFUSALS).then(|| now + pause_of_refused(refusals, chance)))
            } else {
                Tried::Failed(why, (attempts < MOST_TRIES).then(|| now + pause(attempts, chance)))
            }
        }
    };
    // Nothing else is tried meanwhile: what arrived is not to be sent again because the disk is slow or full.
    while let Err(error) = store.end_try(delivery.id, now, &tried).await {
        tracing::warn!(%error, "cannot note how a message fared; trying again");
        tokio::time::sleep(RETRY).await;
    }
}
