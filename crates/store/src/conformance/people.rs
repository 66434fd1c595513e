//! Users and sessions.

use super::samples::user;
use crate::{NewUser, Role, SessionRecord, Store, StoreError, User, UserId};
use fleet::{Secret, SiteId, Wall};

fn session(user: &User, token: u8) -> SessionRecord {
    SessionRecord {
        token_hash: [token; 32],
        user: user.id,
        created: Wall(1_000),
        used: Wall(1_000),
        expires: Wall(9_000),
        address: "10.0.0.9".into(),
        agent: "Browser 1.0".into(),
    }
}

pub(super) async fn names_are_compared_without_case_and_never_taken_twice(store: &dyn Store) {
    assert!(store.users().await.expect("reads").is_empty());
    let zhang = store.add_user(user("Zhang")).await.expect("adds");
    let NewUser { name, full_name, unit, role, towns, sites, password_hash, must_change_password, expires, created } =
        user("Zhang");
    assert_eq!(
        zhang,
        User {
            id: zhang.id,
            name,
            full_name,
            unit,
            role,
            towns,
            sites,
            password_hash,
            must_change_password,
            active: true,
            expires,
            created
        }
    );
    let taken = store.add_user(user("zHANG")).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    let an = store.add_user(NewUser { expires: None, ..user("an") }).await.expect("adds");
    assert_ne!(an.id, zhang.id);
    assert_eq!(store.user_by_name("ZHANG").await.expect("reads"), Some(zhang.clone()));
    assert_eq!(store.user_by_name("zhan").await.expect("reads"), None);
    assert_eq!(store.user_by_name("%").await.expect("reads"), None);
    assert_eq!(store.user(an.id).await.expect("reads"), Some(an.clone()));
    assert_eq!(store.user(UserId(4_000_000_000)).await.expect("reads"), None);
    assert_eq!(store.users().await.expect("reads"), [an, zhang], "by name");
}

/// What changes, whether the user's sessions end, and the change.
type Change = (&'static str, bool, fn(&mut User));

pub(super) async fn users_change_and_lose_their_sessions(store: &dyn Store) {
    let mut zhang = store.add_user(user("zhang")).await.expect("adds");
    let an = store.add_user(user("an")).await.expect("adds");
    store.add_session(&session(&an, 99)).await.expect("adds");
    let changes: [Change; 6] = [
        ("a name", false, |u| u.full_name = "新".into()),
        ("a scope", false, |u| u.sites = vec![SiteId(1), SiteId(2)]),
        ("an expiry", false, |u| u.expires = None),
        ("a role", true, |u| u.role = Role::Administrator),
        ("a password", true, |u| u.password_hash = Secret::new("$other")),
        ("activity", true, |u| u.active = false),
    ];
    for (number, (what, ends, change)) in (0..).zip(changes) {
        store.add_session(&session(&zhang, number)).await.expect("adds");
        let seen = zhang.clone();
        change(&mut zhang);
        store.update_user(&zhang, &seen).await.expect("updates");
        let late = store.update_user(&User { unit: "late".into(), ..seen.clone() }, &seen).await;
        assert!(matches!(late, Err(StoreError::Changed(_))), "whoever saw an older one is refused: {late:?}");
        assert_eq!(store.user(zhang.id).await.expect("reads"), Some(zhang.clone()), "{what}");
        let left = store.session(&[number; 32]).await.expect("reads");
        assert_eq!(left.is_none(), ends, "sessions after a change of {what}");
    }
    assert!(store.session(&[99; 32]).await.expect("reads").is_some(), "nobody else's session ends");
    let taken = store.update_user(&User { name: "AN".into(), ..zhang.clone() }, &zhang).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    let nobody = User { id: UserId(77), name: "nobody".into(), ..zhang };
    let nobody = store.update_user(&nobody, &nobody).await;
    assert!(matches!(nobody, Err(StoreError::Missing(_))), "{nobody:?}");
}

pub(super) async fn sessions_come_and_go(store: &dyn Store) {
    let zhang = store.add_user(user("zhang")).await.expect("adds");
    let (one, two) = (session(&zhang, 1), SessionRecord { created: Wall(2_000), ..session(&zhang, 2) });
    for record in [&one, &two] {
        store.add_session(record).await.expect("adds");
        assert_eq!(store.session(&record.token_hash).await.expect("reads"), Some(record.clone()));
    }
    assert_eq!(store.session(&[3; 32]).await.expect("reads"), None);
    assert_eq!(store.sessions_of(zhang.id).await.expect("reads"), [one.clone(), two.clone()]);
    store.touch_session(&one.token_hash, Wall(5_000)).await.expect("touches");
    assert_eq!(store.session(&one.token_hash).await.expect("reads").map(|s| s.used), Some(Wall(5_000)));
    store.end_session(&one.token_hash).await.expect("ends");
    store.end_session(&one.token_hash).await.expect("ending twice is no error");
    store.touch_session(&one.token_hash, Wall(6_000)).await.expect("touching what ended is no error");
    assert_eq!(store.sessions_of(zhang.id).await.expect("reads"), [two]);
    let stranger = SessionRecord { user: UserId(77), ..session(&zhang, 4) };
    let refused = store.add_session(&stranger).await;
    assert!(matches!(refused, Err(StoreError::Missing(_))), "{refused:?}");
    let long = SessionRecord { agent: "长".repeat(5_000), ..session(&zhang, 5) };
    store.add_session(&long).await.expect("adds");
    let kept = store.session(&[5; 32]).await.expect("reads").expect("is there");
    assert_eq!(kept.agent, "长".repeat(200), "cut to 200 characters");
}
