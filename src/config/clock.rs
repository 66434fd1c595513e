//! Times of day as people write them: `"08:00"`.

use jiff::civil::Time;
use serde::{Deserialize, Deserializer, de::Error};

/// A time of day in the config file, by the county's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockTime(pub(crate) Time);

impl<'de> Deserialize<'de> for ClockTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClockTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        Time::strptime("%H:%M", &text)
            .map(ClockTime)
            .map_err(|_| D::Error::custom(format!("{text:?} is no time of day; write one such as \"08:00\"")))
    }
}
