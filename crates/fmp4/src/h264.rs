//! What an H.264 track says of itself: `avcC` (ISO/IEC 14496-15 §5.3.3) and the codec string (RFC 6381 §3.3).

use crate::sets::{Bits, plain};

/// Profiles whose configuration record also tells chroma and bit depth.
const HIGH: [u8; 4] = [100, 110, 122, 144];

/// Profile, compatibility and level of a sequence parameter set.
pub(crate) fn profile(sps: &[u8]) -> Option<[u8; 3]> {
    sps.get(1..4)?.try_into().ok()
}

pub(crate) fn codec(profile: [u8; 3]) -> String {
    format!("avc1.{:02x}{:02x}{:02x}", profile[0], profile[1], profile[2])
}

/// The decoder configuration record.
pub(crate) fn record(out: &mut Vec<u8>, profile: [u8; 3], sps: &[Vec<u8>], pps: &[Vec<u8>]) {
    out.push(1);
    out.extend_from_slice(&profile);
    out.push(0xff); // lengths of four bytes
    // At most 31 and 255 fit their fields; the track has checked.
    out.push(0xe0 | sps.len() as u8);
    sets(out, sps);
    out.push(pps.len() as u8);
    sets(out, pps);
    if HIGH.contains(&profile[0])
        && let Some((chroma, luma_depth, chroma_depth)) = sps.first().and_then(|nal| format(nal))
    {
        out.extend_from_slice(&[0xfc | chroma, 0xf8 | luma_depth, 0xf8 | chroma_depth, 0]);
    }
}

fn sets(out: &mut Vec<u8>, sets: &[Vec<u8>]) {
    for set in sets {
        out.extend_from_slice(&(set.len() as u16).to_be_bytes());
        out.extend_from_slice(set);
    }
}

/// Chroma format and the two bit depths, less 8.
fn format(sps: &[u8]) -> Option<(u8, u8, u8)> {
    let plain = plain(sps.get(4..)?);
    let mut bits = Bits::new(&plain);
    bits.ue()?; // seq_parameter_set_id
    let chroma = bits.ue().filter(|c| *c <= 3)?;
    if chroma == 3 {
        bits.flag()?;
    }
    let (luma, chroma_depth) = (bits.ue().filter(|d| *d <= 6)?, bits.ue().filter(|d| *d <= 6)?);
    Some((chroma as u8, luma as u8, chroma_depth as u8))
}
