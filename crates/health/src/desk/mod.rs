//! What people agree on around incidents: planned maintenance, work orders, and who is to be told.
//!
//! Pure like the rest of this crate: states, clocks and rules, with time handed in. Never a database, a network or an
//! account: who somebody is is decided by the caller, what he may do in which state is decided here.

mod act;
mod dispatch;
mod excuse;
mod figures;
mod notice;
mod order;
mod window;

pub use act::{Act, Actor, Desk, OrderFault, Terms};
pub use dispatch::{Dispatch, dispatches};
pub use excuse::{ExcuseDecision, ExcuseFault, ExcuseId, ExcuseRequest, NewExcuseRequest};
pub use figures::{OrderFigures, Share, figures};
pub use notice::{
    ChannelId, Happening, LONGEST_DIGEST, LONGEST_PAUSE, LONGEST_PAUSE_OF_REFUSED, Learnt, Mark, Message, News, Plan,
    Route, Teller, pause, pause_of_refused,
};
pub use order::{
    Assignee, Assignment, Confirmed, Hold, HoldReason, NewOrder, Order, OrderId, OrderState, Outcome, Standstill, Step,
    Verification,
};
pub use window::{NewWindow, Window, WindowFault, WindowId};
