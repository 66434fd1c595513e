//! Fragmented MP4 of one video track, as browsers play it through Media Source Extensions while it is made.
//!
//! A [`Track`] is made of a stream's parameter sets; it gives the initialization segment once, and a media segment
//! (`moof` and `mdat`) for each frame. Box layout after ISO/IEC 14496-12, sample entries after 14496-15. No I/O, no
//! clock, no decoding; parameter sets are hostile and read within bounds.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod boxes;
mod h264;
mod h265;
mod sets;
mod track;

pub use track::{Coding, Sample, Track, TrackError};
