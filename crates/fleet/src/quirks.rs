//! How a camera is treated that does not keep to the letter of the RFCs: a few small policies, each `auto` unless the
//! register says otherwise.
//!
//! `auto` is what is right for every maker that is known to us: it goes by what the camera does, not by its name, since
//! firmware differs more than makers do. Set one only where a camera is known to need it. Written as
//! `session_id=latest keepalive=none`; what is not named is `auto`.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! policy {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
        pub enum $name {
            /// By what the camera does; see the policy.
            #[default]
            Auto,
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            fn code(self) -> &'static str {
                match self { $name::Auto => "auto", $($name::$variant => $code,)* }
            }

            fn from_code(code: &str) -> Option<$name> {
                match code { "auto" => Some($name::Auto), $($code => Some($name::$variant),)* _ => None }
            }
        }
    };
}

policy! {
    /// Whether the times of a camera's sender reports are its clock. `auto` believes them if they are a date at all: many
    /// cameras count from power-on or from 1970, which is recognised.
    Timestamps {
        /// They are not looked at: for cameras whose reports tell a wrong time although the clock in the picture is right.
        Ignore = "ignore",
    }
}

policy! {
    /// Which name a session goes by if the camera changes it after SETUP (RFC 2326 §12.37 has it never do so). `auto` stays
    /// with the first, and takes the other once the camera no longer knows the first (454).
    SessionId {
        /// Always the one that SETUP gave.
        First = "first",
        /// Always the one that the camera named last.
        Latest = "latest",
    }
}

policy! {
    /// Packets on interleaved channels that nobody set up. `auto` passes them over: Reolink sends audio that was not asked
    /// for, old live555 servers what belongs to an older session.
    Channels {
        /// The session ends with them: for servers on which they show that an older session still runs.
        Refuse = "refuse",
    }
}

policy! {
    /// The sign of life that keeps a session from ending. `auto` asks for OPTIONS, and for GET_PARAMETER once the camera
    /// said that it knows it.
    Keepalive {
        /// OPTIONS always: for cameras that name GET_PARAMETER and stumble over it.
        Options = "options",
        /// GET_PARAMETER always: for cameras that do not count OPTIONS as a sign of life.
        GetParameter = "get_parameter",
        /// None: for cameras that hang up when they are asked while they play.
        None = "none",
    }
}

/// The policies of one camera.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quirks {
    /// Whether its sender reports tell its clock.
    pub timestamps: Timestamps,
    /// Which session name counts.
    pub session_id: SessionId,
    /// Packets that nobody asked for.
    pub channels: Channels,
    /// How its session is kept alive.
    pub keepalive: Keepalive,
}

/// What is no list of policies.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no policy; expected, separated by blanks: {EXPECTED}")]
pub struct QuirksError(String);

/// What can be written.
pub(crate) const EXPECTED: &str =
    "timestamps=ignore, session_id=first|latest, channels=refuse, keepalive=options|get_parameter|none";

impl FromStr for Quirks {
    type Err = QuirksError;
    fn from_str(text: &str) -> Result<Quirks, QuirksError> {
        let mut quirks = Quirks::default();
        for word in text.split([' ', ',', ';', '\u{3000}', '，', '；']).filter(|word| !word.is_empty()) {
            let wrong = || QuirksError(word.chars().take(40).collect());
            let (name, code) = word.split_once('=').ok_or_else(wrong)?;
            match name {
                "timestamps" => quirks.timestamps = Timestamps::from_code(code).ok_or_else(wrong)?,
                "session_id" => quirks.session_id = SessionId::from_code(code).ok_or_else(wrong)?,
                "channels" => quirks.channels = Channels::from_code(code).ok_or_else(wrong)?,
                "keepalive" => quirks.keepalive = Keepalive::from_code(code).ok_or_else(wrong)?,
                _ => return Err(wrong()),
            }
        }
        Ok(quirks)
    }
}

impl fmt::Display for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            ("timestamps", self.timestamps.code()),
            ("session_id", self.session_id.code()),
            ("channels", self.channels.code()),
            ("keepalive", self.keepalive.code()),
        ];
        let mut blank = "";
        for (name, code) in all.into_iter().filter(|(_, code)| *code != "auto") {
            write!(f, "{blank}{name}={code}")?;
            blank = " ";
        }
        Ok(())
    }
}

impl TryFrom<String> for Quirks {
    type Error = QuirksError;
    fn try_from(text: String) -> Result<Quirks, QuirksError> {
        text.parse()
    }
}

impl From<Quirks> for String {
    fn from(quirks: Quirks) -> String {
        quirks.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_written_and_read() {
        let quirks = Quirks { session_id: SessionId::Latest, keepalive: Keepalive::GetParameter, ..Quirks::default() };
        assert_eq!(quirks.to_string(), "session_id=latest keepalive=get_parameter");
        assert_eq!(quirks.to_string().parse(), Ok(quirks));
        assert_eq!("keepalive=get_parameter，session_id=latest timestamps=auto".parse(), Ok(quirks));
        assert_eq!("".parse(), Ok(Quirks::default()));
        assert_eq!(Quirks::default().to_string(), "");
    }

    #[test]
    fn what_is_no_policy_is_named_with_what_would_be() {
        for wrong in ["keepalive", "keepalive=sometimes", "speed=high", "=", "channels=ignored"] {
            let error = wrong.parse::<Quirks>().unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("session_id=first|latest"), "{error}");
        }
    }
}
