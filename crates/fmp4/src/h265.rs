//! What an H.265 track says of itself: `hvcC` (ISO/IEC 14496-15 §8.3.3) and the codec string (there, annex E.3).

use crate::sets::{Bits, plain};

/// What the configuration record repeats of the sequence parameter set (ITU-T H.265 §7.3.2.2, §7.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Profile {
    /// profile space, tier and profile; 32 compatibility flags; 48 constraint flags; level.
    general: [u8; 12],
    sub_layers: u8,
    nested: bool,
    chroma: u8,
    luma_depth: u8,
    chroma_depth: u8,
}

pub(crate) fn profile(sps: &[u8]) -> Option<Profile> {
    let plain = plain(sps.get(2..)?);
    let general: [u8; 12] = plain.get(1..13)?.try_into().ok()?;
    let mut bits = Bits::new(&plain);
    bits.skip(4)?; // sps_video_parameter_set_id
    let more_layers = bits.read(3)?;
    let nested = bits.flag()?;
    bits.skip(96)?;
    let mut present = Vec::with_capacity(8);
    for _ in 0..more_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if more_layers > 0 {
        bits.skip(2 * (8 - more_layers as usize))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    bits.ue()?; // sps_seq_parameter_set_id
    let chroma = bits.ue().filter(|c| *c <= 3)?;
    if chroma == 3 {
        bits.flag()?;
    }
    bits.ue()?; // width
    bits.ue()?; // height
    if bits.flag()? {
        for _ in 0..4 {
            bits.ue()?;
        }
    }
    let (luma, chroma_depth) = (bits.ue().filter(|d| *d <= 8)?, bits.ue().filter(|d| *d <= 8)?);
    Some(Profile {
        general,
        sub_layers: more_layers as u8 + 1,
        nested,
        chroma: chroma as u8,
        luma_depth: luma as u8,
        chroma_depth: chroma_depth as u8,
    })
}

pub(crate) fn codec(profile: &Profile) -> String {
    let [first, compatibility @ .., level] = profile.general;
    let space = ["", "A", "B", "C"][usize::from(first >> 6)];
    let tier = if first & 0x20 == 0 { 'L' } else { 'H' };
    let flags = u32::from_be_bytes([compatibility[0], compatibility[1], compatibility[2], compatibility[3]]);
    let mut text = format!("hvc1.{space}{}.{:X}.{tier}{level}", first & 0x1f, flags.reverse_bits());
    let constraints = &compatibility[4..];
    let used = constraints.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    for byte in &constraints[..used] {
        text.push_str(&format!(".{byte:X}"));
    }
    text
}

/// The decoder configuration record. Each list holds at most 65,535 sets of at most 65,535 bytes.
pub(crate) fn record(out: &mut Vec<u8>, profile: &Profile, lists: [(u8, &[Vec<u8>]); 3]) {
    out.push(1);
    out.extend_from_slice(&profile.general);
    out.extend_from_slice(&[0xf0, 0]); // min_spatial_segmentation_idc: unknown
    out.push(0xfc); // parallelismType: unknown
    out.extend_from_slice(&[0xfc | profile.chroma, 0xf8 | profile.luma_depth, 0xf8 | profile.chroma_depth]);
    out.extend_from_slice(&[0, 0]); // average frame rate: unknown
    out.push(((profile.sub_layers & 7) << 3) | (u8::from(profile.nested) << 2) | 3);
    out.push(lists.len() as u8);
    for (kind, sets) in lists {
        out.push(0x80 | kind); // all sets of this kind are here
        out.extend_from_slice(&(sets.len() as u16).to_be_bytes());
        for set in sets {
            out.extend_from_slice(&(set.len() as u16).to_be_bytes());
            out.extend_from_slice(set);
        }
    }
}
