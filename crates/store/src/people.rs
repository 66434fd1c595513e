//! Users, sessions and the audit log.

use fleet::{Secret, SiteId, TownId, Wall};
use serde::{Deserialize, Serialize};

/// Number of a user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub u32);

/// What a user may do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 值班员: state, incidents, pictures.
    Operator,
    /// 维护员: his cameras, checks, repairs.
    Technician,
    /// 审计员: archived snapshots, verification, audit log.
    Auditor,
    /// 管理员: register, users, settings.
    Administrator,
    /// 安全管理员: accounts, tokens and sessions, nothing of the register and the archive.
    Security,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [Role::Operator, Role::Technician, Role::Auditor, Role::Administrator, Role::Security];

    /// The word used in the API and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Technician => "technician",
            Role::Auditor => "auditor",
            Role::Administrator => "administrator",
            Role::Security => "security",
        }
    }

    /// The role with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|r| r.code() == code)
    }
}

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// Number.
    pub id: UserId,
    /// Name to sign in with.
    pub name: String,
    /// Full name, for the audit log.
    pub full_name: String,
    /// Unit 单位, for the audit log.
    pub unit: String,
    /// What he may do.
    pub role: Role,
    /// Only cameras of these towns; all if both lists are empty.
    pub towns: Vec<TownId>,
    /// Only cameras of these sites.
    pub sites: Vec<SiteId>,
    /// argon2id, PHC string.
    pub password_hash: Secret,
    /// Must choose a new password at the next sign-in.
    pub must_change_password: bool,
    /// May sign in.
    pub active: bool,
    /// The account ends then (contractors).
    pub expires: Option<Wall>,
    /// When it was made.
    pub created: Wall,
}

/// A user to be added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewUser {
    /// Name to sign in with.
    pub name: String,
    /// Full name.
    pub full_name: String,
    /// Unit.
    pub unit: String,
    /// What he may do.
    pub role: Role,
    /// Only cameras of these towns.
    pub towns: Vec<TownId>,
    /// Only cameras of these sites.
    pub sites: Vec<SiteId>,
    /// argon2id, PHC string.
    pub password_hash: Secret,
    /// Must choose a new password at the next sign-in.
    pub must_change_password: bool,
    /// The account ends then.
    pub expires: Option<Wall>,
    /// When it is made.
    pub created: Wall,
}

/// A signed-in browser. The token itself is never stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRecord {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Whose.
    pub user: UserId,
    /// When it began.
    pub created: Wall,
    /// When it was last used.
    pub used: Wall,
    /// When it ends whatever happens.
    pub expires: Wall,
    /// From which address.
    pub address: String,
    /// With which browser (cut to 200 characters).
    pub agent: String,
}

/// What somebody did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Wall,
    /// Who: name to sign in with; `system` for ourselves.
    pub who: String,
    /// Full name and unit at that time.
    pub who_detail: String,
    /// From which address.
    pub address: String,
    /// What: a stable word such as `sign_in`, `snapshot_viewed`, `user_added`.
    pub action: String,
    /// On what.
    pub object: String,
    /// Why 事由, if asked.
    pub reason: String,
    /// Whether it was allowed and done.
    pub success: bool,
    /// More, never a secret.
    pub detail: String,
}

impl AuditEntry {
    /// The bytes that the chain's hashes cover: the same for every store, and for two entries only if they are equal.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let AuditEntry { at, who, who_detail, address, action, object, reason, success, detail } = self;
        let mut bytes = at.0.to_be_bytes().to_vec();
        bytes.push(u8::from(*success));
        for text in [who, who_detail, address, action, object, reason, detail] {
            // A length before each text, so that moving a character from one to the next shows.
            bytes.extend((text.len() as u64).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }
}

/// An entry in its place in the chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Number, from 1 without holes.
    pub seq: u64,
    /// The entry.
    pub entry: AuditEntry,
    /// SHA-256 over the hash before, the number and the entry.
    pub hash: [u8; 32],
}

/// Which records; newest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AuditQuery {
    /// Only by this user.
    pub who: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only with this text in object, reason, detail or address. Reads every record of the range.
    pub about: Option<String>,
    /// Only at or after.
    pub from: Option<Wall>,
    /// Only before.
    pub until: Option<Wall>,
    /// At most this many (1–1,000).
    pub limit: u32,
    /// Continue after an earlier page.
    pub cursor: Option<String>,
}
