//! Who did what, when, from where and why: entries of the hash-chained audit log.

use crate::{app::App, caller::Caller, problem::Result};
use fleet::Wall;
use std::net::IpAddr;
use store::{AuditEntry, User};

/// What was done; these words are stored and shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    SignIn,
    SignOut,
    PasswordChanged,
    UserAdded,
    UserChanged,
    PasswordReset,
    SessionEnded,
    SecondFactorSet,
    SecondFactorTakenAway,
    TokenMade,
    TokenRevoked,
    SnapshotsSearched,
    SnapshotViewed,
    SnapshotDownloaded,
    SnapshotVerified,
    SnapshotExported,
    ExportAsked,
    ExportDecided,
    ExportMade,
    ExportDownloaded,
    ExportRemoved,
    HoldPlaced,
    HoldReleased,
    IncidentAcknowledged,
    CameraChecked,
    CameraProbed,
    CameraPaused,
    CertificateForgotten,
    LiveOpened,
    LiveClosed,
    ChannelAdded,
    ChannelChanged,
    ChannelRemoved,
    ChannelTested,
    MailingAdded,
    MailingChanged,
    MailingRemoved,
    MailingTested,
    WindowPlanned,
    WindowEnded,
    ExcuseAsked,
    ExcuseDecided,
    OrderOpened,
    OrderChanged,
    OrderVerified,
    OrderPictureAdded,
    OrderPictureViewed,
    VerdictConfirmed,
    VerdictFalseAlarm,
    ExceptionEnded,
    BaselineAccepted,
    BaselineReset,
    DiagnosisSet,
    Imported,
    RegisterChanged,
    RegisterChangeUndone,
    RegisterExported,
    ReportExported,
    AuditExported,
    ShiftHandedOver,
    ShiftTakenOver,
    DemoFault,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Action::SignIn => "sign_in",
            Action::SignOut => "sign_out",
            Action::PasswordChanged => "password_changed",
            Action::UserAdded => "user_added",
            Action::UserChanged => "user_changed",
            Action::PasswordReset => "password_reset",
            Action::SessionEnded => "session_ended",
            Action::SecondFactorSet => "second_factor_set",
            Action::SecondFactorTakenAway => "second_factor_taken_away",
            Action::TokenMade => "token_made",
            Action::TokenRevoked => "token_revoked",
            Action::SnapshotsSearched => "snapshots_searched",
            Action::SnapshotViewed => "snapshot_viewed",
            Action::SnapshotDownloaded => "snapshot_downloaded",
            Action::SnapshotVerified => "snapshot_verified",
            Action::SnapshotExported => "snapshot_exported",
            Action::ExportAsked => "export_asked",
            Action::ExportDecided => "export_decided",
            Action::ExportMade => "export_made",
            Action::ExportDownloaded => "export_downloaded",
            Action::ExportRemoved => "export_removed",
            Action::HoldPlaced => "hold_placed",
            Action::HoldReleased => "hold_released",
            Action::IncidentAcknowledged => "incident_acknowledged",
            Action::CameraChecked => "camera_checked",
            Action::CameraProbed => "camera_probed",
            Action::CameraPaused => "camera_paused",
            Action::CertificateForgotten => "certificate_forgotten",
            Action::LiveOpened => "live_opened",
            Action::LiveClosed => "live_closed",
            Action::ChannelAdded => "channel_added",
            Action::ChannelChanged => "channel_changed",
            Action::ChannelRemoved => "channel_removed",
            Action::ChannelTested => "channel_tested",
            Action::MailingAdded => "mailing_added",
            Action::MailingChanged => "mailing_changed",
            Action::MailingRemoved => "mailing_removed",
            Action::MailingTested => "mailing_tested",
            Action::WindowPlanned => "window_planned",
            Action::WindowEnded => "window_ended",
            Action::ExcuseAsked => "excuse_asked",
            Action::ExcuseDecided => "excuse_decided",
            Action::OrderOpened => "order_opened",
            Action::OrderChanged => "order_changed",
            Action::OrderVerified => "order_verified",
            Action::OrderPictureAdded => "order_picture_added",
            Action::OrderPictureViewed => "order_picture_viewed",
            Action::VerdictConfirmed => "verdict_confirmed",
            Action::VerdictFalseAlarm => "verdict_false_alarm",
            Action::ExceptionEnded => "exception_ended",
            Action::BaselineAccepted => "baseline_accepted",
            Action::BaselineReset => "baseline_reset",
            Action::DiagnosisSet => "diagnosis_set",
            Action::Imported => "imported",
            Action::RegisterChanged => "register_changed",
            Action::RegisterChangeUndone => "register_change_undone",
            Action::RegisterExported => "register_exported",
            Action::ReportExported => "report_exported",
            Action::AuditExported => "audit_exported",
            Action::ShiftHandedOver => "shift_handed_over",
            Action::ShiftTakenOver => "shift_taken_over",
            Action::DemoFault => "demo_fault",
        }
    }
}

/// A user as evidence names him: name to sign in with, full name, unit, as far as they are known.
pub(crate) fn person(user: &User) -> String {
    named(&[&user.name, &user.full_name, &user.unit])
}

/// The parts of a name that are not empty.
pub(crate) fn named(parts: &[&str]) -> String {
    parts.iter().map(|p| p.trim()).filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Something done, before it is written down.
#[derive(Debug)]
pub(crate) struct Deed {
    entry: AuditEntry,
}

impl Deed {
    /// Done by a signed-in caller.
    pub(crate) fn of(caller: &Caller, action: Action) -> Deed {
        Deed::by(Some(&caller.user), caller.address, action)
    }

    /// Done by a user we know, or by somebody unknown. A name that nobody has is not kept: people mistake the
    /// fields and type their password there.
    pub(crate) fn by(user: Option<&User>, address: IpAddr, action: Action) -> Deed {
        let (who, who_detail) = match user {
            Some(user) => (user.name.clone(), format!("{} · {}", user.full_name, user.unit)),
            None => ("?".to_owned(), String::new()),
        };
        Deed {
            entry: AuditEntry {
                at: Wall::read(),
                who,
                who_detail,
                address: address.to_string(),
                action: action.word().to_owned(),
                object: String::new(),
                reason: String::new(),
                success: true,
                detail: String::new(),
            },
        }
    }

    /// Done by the node itself on behalf of somebody who asked for it before.
    pub(crate) fn for_export(export: &store::Export, action: Action) -> Deed {
        let mut deed = Deed::by(None, std::net::Ipv4Addr::UNSPECIFIED.into(), action);
        deed.entry.who.clone_from(&export.who);
        deed.entry.who_detail.clone_from(&export.who_detail);
        deed.entry.address.clone_from(&export.address);
        deed.because(export.reason.as_str())
    }

    pub(crate) fn on(mut self, object: impl ToString) -> Deed {
        self.entry.object = object.to_string();
        self
    }

    pub(crate) fn because(mut self, reason: impl Into<String>) -> Deed {
        self.entry.reason = reason.into();
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Deed {
        self.entry.detail = detail.into();
        self
    }

    pub(crate) fn failed(mut self) -> Deed {
        self.entry.success = false;
        self
    }
}

impl App {
    /// Writes a deed down. What cannot be written down must not happen: callers give up on an error.
    pub(crate) async fn audit(&self, deed: Deed) -> Result<()> {
        self.services.store.audit(deed.entry).await?;
        Ok(())
    }
}
