//! Tokens of machines and second factors.

use super::samples::user;
use crate::{NewToken, Proof, Role, SecondFactor, Store, StoreError, TokenId, UserId};
use fleet::{Secret, TownId, Wall};

fn token(name: &str, hash: u8) -> NewToken {
    NewToken {
        hash: [hash; 32],
        name: name.into(),
        role: Role::Operator,
        towns: vec![TownId(3)],
        sites: vec![],
        maker: "admin".into(),
        created: Wall(1_000),
        expires: Wall(9_000),
    }
}

pub(super) async fn tokens_are_found_by_hash_and_stay_when_revoked(store: &dyn Store) {
    let one = store.add_token(token("对账", 1)).await.expect("adds");
    let two = store.add_token(token("大屏", 2)).await.expect("adds");
    assert_eq!((one.token.clone(), one.used, one.revoked), (token("对账", 1), None, None));
    let taken = store.add_token(token("对账", 3)).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    assert_eq!(store.token(&[1; 32]).await.expect("reads"), Some(one.clone()));
    assert_eq!(store.token(&[3; 32]).await.expect("reads"), None);
    store.touch_token(one.id, Wall(2_000)).await.expect("touches");
    store.revoke_token(one.id, Wall(3_000)).await.expect("revokes");
    store.revoke_token(one.id, Wall(4_000)).await.expect("revoking twice is no error");
    let kept = store.token(&[1; 32]).await.expect("reads").expect("is there");
    assert_eq!((kept.used, kept.revoked), (Some(Wall(2_000)), Some(Wall(3_000))));
    assert_eq!(store.tokens().await.expect("reads"), [two, kept], "newest first");
    let none = store.revoke_token(TokenId(4_000_000_000), Wall(1)).await;
    assert!(matches!(none, Err(StoreError::Missing(_))), "{none:?}");
}

pub(super) async fn a_second_factor_is_used_up_step_by_step(store: &dyn Store) {
    let zhang = store.add_user(user("zhang")).await.expect("adds").id;
    assert_eq!(store.second_factor(zhang).await.expect("reads"), None);
    assert!(!store.spend(zhang, Proof::Step(1)).await.expect("answers"), "nobody without one has a proof");
    let factor = SecondFactor {
        secret: Secret::new("JBSWY3DPEHPK3PXP"),
        since: Wall(5_000),
        used_step: 40,
        recovery: vec![[7; 32], [8; 32]],
    };
    store.set_second_factor(zhang, Some(&factor)).await.expect("sets");
    assert_eq!(store.second_factor(zhang).await.expect("reads"), Some(factor.clone()));
    assert_eq!(store.second_factors().await.expect("reads"), [zhang]);
    for (proof, good) in [
        (Proof::Step(40), false),
        (Proof::Step(42), true),
        (Proof::Step(42), false),
        (Proof::Step(41), false),
        (Proof::Recovery([8; 32]), true),
        (Proof::Recovery([8; 32]), false),
        (Proof::Recovery([9; 32]), false),
    ] {
        assert_eq!(store.spend(zhang, proof).await.expect("answers"), good, "{proof:?}");
    }
    let left = store.second_factor(zhang).await.expect("reads").expect("is there");
    assert_eq!((left.used_step, left.recovery), (42, vec![[7; 32]]));
    store.set_second_factor(zhang, None).await.expect("takes away");
    assert_eq!(store.second_factor(zhang).await.expect("reads"), None);
    assert!(store.second_factors().await.expect("reads").is_empty());
    let stranger = store.set_second_factor(UserId(77), Some(&factor)).await;
    assert!(matches!(stranger, Err(StoreError::Missing(_))), "{stranger:?}");
}
