//! What many cameras say alike is kept once.

use std::sync::Arc;

/// So many different values are remembered.
const REMEMBERED: usize = 16;

/// The values given lately: whoever says one of them again shares it.
#[derive(Debug)]
pub(crate) struct Alike<T: ?Sized> {
    recent: Vec<Arc<T>>,
    /// Which of them makes room for the next.
    oldest: usize,
}

impl<T: ?Sized> Default for Alike<T> {
    fn default() -> Alike<T> {
        Alike { recent: Vec::new(), oldest: 0 }
    }
}

impl<T: ?Sized + PartialEq> Alike<T> {
    /// The value, shared with those who said the same lately.
    pub(crate) fn share<V>(&mut self, value: V) -> Arc<T>
    where
        V: std::borrow::Borrow<T> + Into<Arc<T>>,
    {
        if let Some(same) = self.recent.iter().find(|r| ***r == *value.borrow()) {
            return same.clone();
        }
        let new: Arc<T> = value.into();
        if self.recent.len() < REMEMBERED {
            self.recent.push(new.clone());
        } else {
            self.recent[self.oldest] = new.clone();
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_alike_is_kept_once_and_what_was_said_long_ago_is_forgotten() {
        let mut alike = Alike::<str>::default();
        let first = alike.share("first");
        assert!(Arc::ptr_eq(&first, &alike.share("first")));
        for i in 0..100 {
            alike.share(format!("another {i}"));
        }
        assert_eq!(alike.recent.len(), REMEMBERED);
        let again = alike.share("first");
        assert_eq!(again, first);
        assert!(!Arc::ptr_eq(&first, &again));
    }
}
