//! Manners of cameras that do not keep to the letter of the RFCs and yet deliver video, as real ones were reported to.
//!
//! Not faults: they are there from the start and never end, and a client that is worth its name gets its video.

use serde::{Deserialize, Serialize};

/// One such manner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Sends by UDP only; RTP in the RTSP connection is refused with 461.
    TcpRefused,
    /// Sends in the RTSP connection only; UDP is refused with 461.
    UdpRefused,
    /// Whatever transport is asked for: it answers with RTP in the RTSP connection.
    TcpWhateverAsked,
    /// A firewall on the way lets no UDP through: it is granted, and nothing comes.
    UdpSwallowed,
    /// The answer to PLAY names another session, and the first name is known no more.
    SessionRenamed,
    /// PLAY under the name that SETUP gave is refused with a 454 that tells the right one.
    FirstNameRefused,
    /// Sends audio that nobody set up on channel 2 (Reolink, as retina's documentation has it).
    StrayChannel,
    /// Its sender reports count from 1970, where its clock begins with each power-on.
    ClockSincePowerOn,
    /// Hangs up when it is asked anything but TEARDOWN while it plays.
    HangsUpWhenAsked,
    /// OPTIONS is no sign of life to it: without GET_PARAMETER a session ends when its time is over.
    WantsGetParameter,
    /// `RTP-Info` with a wrong sequence number and time (Hikvision DS-2CD2032-I, as retina's documentation has it).
    WrongRtpInfo,
    /// A blank before the SSRC in the answer to SETUP (Hikvision, as retina's changelog has it).
    PaddedSsrc,
    /// `Content-Base` without scheme (Anjvision, as retina's changelog has it).
    BareContentBase,
}
