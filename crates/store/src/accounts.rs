//! Tokens of machines and second factors of people.

use crate::{Result, Role, UserId};
use fleet::{Secret, SiteId, TownId, Wall};

/// Number of a machine's token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TokenId(pub u32);

/// A program's right to use the API. The token itself is never stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachineToken {
    /// Number.
    pub id: TokenId,
    /// What it is told.
    pub token: NewToken,
    /// When it was last used, to some minutes.
    pub used: Option<Wall>,
    /// When it was revoked.
    pub revoked: Option<Wall>,
}

/// A token to be added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Only cameras of these towns; all if both lists are empty.
    pub towns: Vec<TownId>,
    /// Only cameras of these sites.
    pub sites: Vec<SiteId>,
    /// Who made it: his name to sign in with.
    pub maker: String,
    /// When it was made.
    pub created: Wall,
    /// When it ends.
    pub expires: Wall,
}

/// A user's second factor: one-time passwords by time (RFC 6238), and codes for the day the phone is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecondFactor {
    /// The shared secret, base32.
    pub secret: Secret,
    /// Since when it is asked for.
    pub since: Wall,
    /// The newest time step whose password was used: none is taken twice.
    pub used_step: u64,
    /// SHA-256 of each recovery code that was not used yet.
    pub recovery: Vec<[u8; 32]>,
}

/// What somebody shows as his second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The password of this time step.
    Step(u64),
    /// The recovery code with this SHA-256.
    Recovery([u8; 32]),
}

/// Tokens and second factors, kept.
#[async_trait::async_trait]
pub trait AccountStore: Send + Sync {
    /// Adds a token; [`StoreError::Conflict`](crate::StoreError::Conflict) if a valid or revoked one has its name.
    async fn add_token(&self, token: NewToken) -> Result<MachineToken>;
    /// Every token, ended ones too, newest first.
    async fn tokens(&self) -> Result<Vec<MachineToken>>;
    /// The token with this hash, be it ended.
    async fn token(&self, hash: &[u8; 32]) -> Result<Option<MachineToken>>;
    /// Notes when a token was last used.
    async fn touch_token(&self, id: TokenId, at: Wall) -> Result<()>;
    /// Revokes a token; revoking twice keeps the first time. [`StoreError::Missing`](crate::StoreError::Missing)
    /// if there is none.
    async fn revoke_token(&self, id: TokenId, at: Wall) -> Result<()>;

    /// Who has a second factor.
    async fn second_factors(&self) -> Result<Vec<UserId>>;
    /// A user's second factor.
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>>;
    /// Replaces a user's second factor, or takes it away.
    async fn set_second_factor(&self, user: UserId, factor: Option<&SecondFactor>) -> Result<()>;
    /// Uses a proof up: true once, false ever after. A step also uses up those before it.
    async fn spend(&self, user: UserId, proof: Proof) -> Result<bool>;
}
