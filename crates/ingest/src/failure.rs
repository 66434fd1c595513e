//! From what went wrong on the wire to a cause of the closed list: the step that failed tells the layer, the status
//! code or the kernel's error tells the rest.

use fleet::{Cause, Credentials};
use health::Failure;
use std::io;

/// Longest evidence text, in characters.
const DETAIL: usize = 300;

/// What was being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Connect,
    Options,
    Describe,
    Setup,
    Play,
    Flow,
    Teardown,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::Connect => "connecting",
            Step::Options => "OPTIONS",
            Step::Describe => "DESCRIBE",
            Step::Setup => "SETUP",
            Step::Play => "PLAY",
            Step::Flow => "while playing",
            Step::Teardown => "TEARDOWN",
        }
    }
}

/// A failure with its evidence made fit to show: one line, short, printable.
pub(crate) fn failure(cause: Cause, detail: impl AsRef<str>) -> Failure {
    Failure { cause, detail: printable(detail.as_ref(), DETAIL) }
}

/// Text from a peer without line breaks and control characters, cut to `limit` characters.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut out: String = text.chars().take(limit).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(limit).is_some() {
        out.push('…');
    }
    out
}

/// Takes an account's secrets out of a text, should a peer have echoed them.
pub(crate) fn scrub(text: &str, credentials: Option<&Credentials>) -> String {
    let Some(account) = credentials else { return text.to_owned() };
    let password = account.password.expose();
    // Shorter ones would tear every text to pieces, and cannot be told from it.
    if password.len() < 4 { text.to_owned() } else { text.replace(password, "…") }
}

/// The cause of an I/O error on the way to or from a camera.
pub(crate) fn io_failure(step: Step, error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    // EMFILE and ENFILE: our own limit, no fault of the camera.
    if matches!(error.raw_os_error(), Some(24 | 23)) {
        return failure(Cause::OwnNetwork, format!("{}: this machine has no file descriptor left", step.name()));
    }
    let cause = match (error.kind(), step) {
        (Kind::ConnectionRefused, _) => Cause::PortClosed,
        (Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::PermissionDenied, _) => Cause::HostUnreachable,
        (Kind::AddrNotAvailable | Kind::NetworkDown | Kind::OutOfMemory, _) => Cause::OwnNetwork,
        (Kind::TimedOut, Step::Connect) => Cause::NoAnswer,
        // The kernel gives up on a silent peer.
        (Kind::TimedOut, Step::Flow) => Cause::Stalled,
        (Kind::TimedOut, _) => Cause::RtspNoAnswer,
        _ => Cause::ConnectionLost,
    };
    failure(cause, format!("{}: {error}", step.name()))
}

/// The cause of an error status.
pub(crate) fn status_failure(step: Step, status: u16, line: &str, account: Account) -> Failure {
    let locked = hints_at_lock(line);
    let cause = match (status, step) {
        (401, _) if locked => Cause::AccountLocked,
        (401, _) => Cause::PasswordRefused,
        (403, _) if locked || account == Account::RefusedBefore => Cause::AccountLocked,
        (403, _) => Cause::AccessForbidden,
        (404 | 410, _) => Cause::StreamNotFound,
        (453, _) => Cause::SessionLimit,
        (300..=399, _) => Cause::RedirectRefused,
        (_, Step::Setup) => Cause::SetupRefused,
        (_, Step::Play) => Cause::PlayRefused,
        _ => Cause::RtspError,
    };
    let account = match (status, account) {
        (401 | 403, Account::None) => " (no account was given)",
        (401 | 403, Account::RefusedBefore) => " (refused before)",
        _ => "",
    };
    failure(cause, format!("{}: {line}{account}", step.name()))
}

/// What is known about the account when a status arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Account {
    None,
    Given,
    /// Given, and the camera has refused it before.
    RefusedBefore,
}

/// Whether an answer says that the account is locked. Makers word it freely: "Account Locked", "user is locked",
/// "IP blocked", "illegal login lock".
pub(crate) fn hints_at_lock(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.match_indices("lock").any(|(at, _)| !line[..at].ends_with('c'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_told_from_a_clock() {
        assert!(hints_at_lock("403 Account Locked"));
        assert!(hints_at_lock("401 ip BLOCKED, try later"));
        assert!(!hints_at_lock("401 Unauthorized (clock skew)"));
    }

    #[test]
    fn statuses_have_their_causes() {
        let cause = |step, status, line, account| status_failure(step, status, line, account).cause;
        assert_eq!(cause(Step::Describe, 401, "401 Unauthorized", Account::Given), Cause::PasswordRefused);
        assert_eq!(cause(Step::Describe, 403, "403 Forbidden", Account::Given), Cause::AccessForbidden);
        assert_eq!(cause(Step::Describe, 403, "403 Forbidden", Account::RefusedBefore), Cause::AccountLocked);
        assert_eq!(cause(Step::Setup, 453, "453 Not Enough Bandwidth", Account::Given), Cause::SessionLimit);
        assert_eq!(cause(Step::Setup, 461, "461 Unsupported Transport", Account::Given), Cause::SetupRefused);
        assert_eq!(cause(Step::Play, 455, "455 Method Not Valid", Account::Given), Cause::PlayRefused);
        assert_eq!(cause(Step::Describe, 302, "302 Found", Account::None), Cause::RedirectRefused);
        assert_eq!(cause(Step::Describe, 500, "500 Oops", Account::None), Cause::RtspError);
    }

    #[test]
    fn evidence_is_short_printable_and_without_secrets() {
        let shown = failure(Cause::RtspError, format!("a\r\nb\u{1b}[2J{}", "x".repeat(5000)));
        assert!(shown.detail.chars().count() <= DETAIL + 1 && !shown.detail.contains(['\r', '\n', '\u{1b}']));
        let account = Credentials { username: "u".into(), password: fleet::Secret::new("hunter2") };
        assert_eq!(scrub("you sent hunter2!", Some(&account)), "you sent …!");
    }
}
