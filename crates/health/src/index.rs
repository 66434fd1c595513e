//! Positions in the core's tables: small numbers that stay valid while what they name exists.

/// A camera's place in the table of cameras.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct CameraIx(pub(crate) u32);

/// A group's place in the table of groups (cameras that share an uplink, or a site without one).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct GroupIx(pub(crate) u32);

/// A line terminal's place in its table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PlaceIx(pub(crate) u32);

impl CameraIx {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

impl GroupIx {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

impl PlaceIx {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}
