//! Ids of our own: small, dense, never reused, and independent of addresses and hardware.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{:05}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(
    /// One camera (one video channel). Survives a new IP address and new hardware.
    CameraId, "C"
);
id!(
    /// One village or central area.
    SiteId, "S"
);
id!(
    /// One town or street office.
    TownId, "T"
);
id!(
    /// One network path that cameras share.
    UplinkId, "U"
);
