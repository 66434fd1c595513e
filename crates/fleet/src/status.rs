//! What a camera is, in one word.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a camera as everyone sees it. Rests on decoded video, never on bytes or a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// 在线: video arrives and its pictures decode.
    Online,
    /// 异常: video arrives, but with a fault.
    Impaired,
    /// 离线: no usable video, confirmed by a second try.
    Offline,
    /// 未知: we could not check (our own fault), or have not yet.
    Unknown,
    /// 停用/检修: out of use or under planned maintenance; not judged.
    Paused,
}

impl Status {
    /// Every status, in the order screens show them.
    pub const ALL: [Status; 5] = [Status::Online, Status::Impaired, Status::Offline, Status::Unknown, Status::Paused];

    /// The word used in the API, the database and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Status::Online => "online",
            Status::Impaired => "impaired",
            Status::Offline => "offline",
            Status::Unknown => "unknown",
            Status::Paused => "paused",
        }
    }

    /// The status with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|s| s.code() == code)
    }

    /// The word on screen: Simplified Chinese, English.
    #[must_use]
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Status::Online => ("在线", "online"),
            Status::Impaired => ("异常", "impaired"),
            Status::Offline => ("离线", "offline"),
            Status::Unknown => ("未知", "unknown"),
            Status::Paused => ("停用", "paused"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
