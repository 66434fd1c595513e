//! The edges that stay from picture to picture: flakes, drops, insects and vehicles are elsewhere in each.

use super::light::is_grey;
use crate::Features;

/// Pictures before the present one that an edge must be in.
const BEFORE: usize = 2;

/// Edge maps of a camera's last pictures, the newest last, all by day or all by infrared.
#[derive(Clone, Debug, Default)]
pub(super) struct Lasting {
    grey: bool,
    edges: Vec<Box<[u8]>>,
}

impl Lasting {
    /// Takes in a picture; the edges that it and the `run` before it have in common, cell by cell the weakest. Of long
    /// runs the last [`BEFORE`] will do.
    pub(super) fn take(&mut self, features: &Features, run: usize) -> Vec<u8> {
        if is_grey(features) != self.grey {
            *self = Lasting { grey: is_grey(features), edges: Vec::new() };
        }
        let mut common = features.edges.clone();
        for before in self.edges.iter().rev().take(run) {
            for (edge, before) in common.iter_mut().zip(before) {
                *edge = (*edge).min(*before);
            }
        }
        if self.edges.len() == BEFORE {
            self.edges.remove(0);
        }
        self.edges.push(features.edges.as_slice().into());
        common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_is_no_edge() {
        let of = |edges: [u8; 3]| Features { edges: edges.into(), saturation: 20.0, ..Features::default() };
        let mut lasting = Lasting::default();
        assert_eq!(lasting.take(&of([9, 0, 200]), 9), [9, 0, 200]);
        assert_eq!(lasting.take(&of([8, 200, 0]), 9), [8, 0, 0]);
        assert_eq!(lasting.take(&of([200, 0, 7]), 9), [8, 0, 0]);
        assert_eq!(lasting.take(&of([7, 0, 7]), 9), [7, 0, 0], "the picture before the last two is forgotten");
        assert_eq!(lasting.take(&of([7, 3, 9]), 1), [7, 0, 7], "the one before it alone");
        assert_eq!(lasting.take(&of([4, 5, 6]), 0), [4, 5, 6]);
        let infrared = Features { saturation: 0.0, ..of([1, 2, 3]) };
        assert_eq!(lasting.take(&infrared, 9), [1, 2, 3], "by night nothing of the day is compared");
    }
}
