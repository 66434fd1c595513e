//! Pages of lists that are at hand all at once. A cursor holds the sort key of the last row told, so that rows that come
//! or go meanwhile are neither told twice nor left out.

use crate::{
    api::limit,
    problem::{Problem, Result},
    views::Paged,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::IntoParams;

/// Longest cursor, in characters.
const LONGEST: usize = 512;

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Rows {
    /// At most so many rows, 1 to 1,000; 100 if absent.
    pub(crate) limit: Option<u32>,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

/// The page of `rows` that begins after the cursor. `key` tells rows apart and orders them.
pub(crate) fn page<T, K: Ord + Serialize + DeserializeOwned>(
    mut rows: Vec<T>,
    asked: &Rows,
    key: impl Fn(&T) -> K,
) -> Result<Paged<T>> {
    let most = limit(asked.limit)? as usize;
    if let Some(text) = &asked.cursor {
        let after: K = read(text).ok_or_else(|| Problem::invalid("cursor: not one of ours"))?;
        rows.retain(|row| key(row) > after);
    }
    rows.sort_by_cached_key(&key);
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| more).map(|last| written(&key(last)));
    Ok(Paged { items: rows, next })
}

fn written(key: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("numbers and names always serialize"))
}

fn read<K: DeserializeOwned>(text: &str) -> Option<K> {
    let text = Some(text).filter(|t| t.len() <= LONGEST)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Reverse;

    fn asked(limit: u32, cursor: Option<String>) -> Rows {
        Rows { limit: Some(limit), cursor }
    }

    #[test]
    fn pages_follow_each_other_though_rows_come_and_go() {
        let first = page(vec![5, 1, 9, 7], &asked(2, None), |n| Reverse(*n)).unwrap();
        assert_eq!(first.items, [9, 7]);
        // The last row told is gone, another came before it, one after it.
        let second = page(vec![5, 1, 9, 8, 6], &asked(2, first.next), |n| Reverse(*n)).unwrap();
        assert_eq!(second.items, [6, 5]);
        let third = page(vec![5, 1, 9, 8, 6], &asked(2, second.next), |n| Reverse(*n)).unwrap();
        assert_eq!((third.items, third.next), (vec![1], None));
    }

    #[test]
    fn forged_cursors_are_refused() {
        for text in ["", "x", "eyJh", &"A".repeat(2000), &written(&"名")] {
            let got = page(vec![1, 2], &asked(2, Some(text.to_owned())), |n| *n);
            assert!(got.is_err(), "{text}");
        }
        assert!(page(vec![1], &asked(0, None), |n| *n).is_err());
    }
}
