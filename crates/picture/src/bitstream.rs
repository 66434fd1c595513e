//! Takes from an access unit only what a picture needs: parameter sets and slices.
//!
//! Everything else (SEI, delimiters, filler, private units) is left out: it cannot change the picture, some
//! cameras write it wrongly, and what the decoder does not see cannot hurt it. Also makes sure that the unit
//! brings its own parameter sets: a decoder that is reused for many cameras must never complete one camera's
//! slices with another's sets. Never decodes pixels.

use fleet::Codec;

/// The access unit in Annex B with only parameter sets and slices.
///
/// # Errors
/// In plain words, if no slice or not all parameter sets are there.
pub(crate) fn essentials(codec: Codec, unit: &[u8]) -> Result<Vec<u8>, String> {
    let kind_of = match codec {
        Codec::H264 => h264,
        Codec::H265 => h265,
        Codec::Jpeg => return Ok(unit.to_vec()),
    };
    let mut out = Vec::with_capacity(unit.len() + 64);
    let mut found = Found::default();
    for nal in nal_units(unit) {
        let Some(kind) = kind_of(nal) else { continue };
        match kind {
            Kind::Parameters => {}
            Kind::Sequence => found.sequences += 1,
            Kind::Picture(id) => found.pictures.extend(id),
            Kind::Slice(id) => {
                let known = id.is_some_and(|id| found.pictures.contains(&id));
                if found.sequences == 0 || !known {
                    return Err("its parameter sets are missing".to_owned());
                }
                found.slices += 1;
            }
        }
        out.extend([0, 0, 0, 1]);
        out.extend(nal);
    }
    if found.slices == 0 {
        return Err("there is no picture in it".to_owned());
    }
    Ok(out)
}

#[derive(Default)]
struct Found {
    sequences: u32,
    /// Ids of the picture parameter sets seen so far.
    pictures: Vec<u32>,
    slices: u32,
}

enum Kind {
    /// A set that slices do not name (H.265 video parameter set).
    Parameters,
    /// A sequence parameter set.
    Sequence,
    /// A picture parameter set with its id, if it can be read.
    Picture(Option<u32>),
    /// A slice with the id of its picture parameter set, if it can be read.
    Slice(Option<u32>),
}

/// ITU-T H.264 table 7-1; slice header §7.3.3: first_mb_in_slice, slice_type, pic_parameter_set_id.
fn h264(nal: &[u8]) -> Option<Kind> {
    let mut bits = Bits::new(nal.get(1..)?);
    match nal.first()? & 0x1f {
        1 | 5 => Some(Kind::Slice(bits.ue().and_then(|_| bits.ue()).and_then(|_| bits.ue()))),
        7 => Some(Kind::Sequence),
        8 => Some(Kind::Picture(bits.ue())),
        _ => None,
    }
}

/// ITU-T H.265 table 7-1; slice segment header §7.3.6.1.
fn h265(nal: &[u8]) -> Option<Kind> {
    let mut bits = Bits::new(nal.get(2..)?);
    let kind = (nal.first()? >> 1) & 0x3f;
    match kind {
        0..=9 | 16..=21 => {
            // first_slice_segment_in_pic_flag, then no_output_of_prior_pics_flag for intra random access pictures.
            let id = bits.bits(if kind >= 16 { 2 } else { 1 }).and_then(|_| bits.ue());
            Some(Kind::Slice(id))
        }
        32 => Some(Kind::Parameters),
        33 => Some(Kind::Sequence),
        34 => Some(Kind::Picture(bits.ue())),
        _ => None,
    }
}

/// The units between start codes `00 00 01` (H.264 and H.265 annex B), without trailing zeros.
fn nal_units(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = start_code(unit, 0);
    std::iter::from_fn(move || {
        let begin = next? + 3;
        next = start_code(unit, begin);
        let mut nal = &unit[begin..next.unwrap_or(unit.len())];
        while let [front @ .., 0] = nal {
            nal = front;
        }
        Some(nal)
    })
    .filter(|nal| !nal.is_empty())
}

/// Where the next `00 00 01` begins, at or after `from`.
fn start_code(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at + 2 < data.len() {
        match data[at + 2] {
            0 => at += 1,
            1 if data[at] == 0 && data[at + 1] == 0 => return Some(at),
            _ => at += 3,
        }
    }
    None
}

/// Bits of a unit's payload. Emulation prevention bytes do not occur in the few leading bits read here unless
/// the stream is made to have them; then the ids come out wrong and the unit is refused.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { data, at: 0 }
    }

    fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            let byte = self.data.get(self.at / 8)?;
            value = (value << 1) | u32::from((byte >> (7 - self.at % 8)) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// Exp-Golomb code, H.264 §9.1.
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bits(1)? == 0 {
            zeros += 1;
            if zeros > 16 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.bits(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 1, 2, 3];
    /// `1…`: id 0.
    const PPS: &[u8] = &[0, 0, 1, 0x68, 0x80];
    /// `1 1 1…`: first macroblock 0, type 0, set 0.
    const SLICE: &[u8] = &[0, 0, 1, 0x65, 0xe0, 9, 9];
    /// `1 1 010…`: set 1.
    const FOREIGN_SLICE: &[u8] = &[0, 0, 1, 0x65, 0b1101_0000, 9, 9];
    const SEI: &[u8] = &[0, 0, 1, 0x06, 5, 5, 5];

    #[test]
    fn keeps_sets_and_slices_only() {
        let unit = [SPS, SEI, PPS, SLICE, &[0, 0]].concat();
        let kept = essentials(Codec::H264, &unit).unwrap();
        assert_eq!(kept, [&[0, 0, 0, 1], &SPS[4..], &[0, 0, 0, 1], &PPS[3..], &[0, 0, 0, 1], &SLICE[3..]].concat());
    }

    #[test]
    fn refuses_slices_without_their_own_sets() {
        for unit in [SLICE.to_vec(), [SPS, SLICE].concat(), [PPS, SLICE].concat(), [SPS, PPS, FOREIGN_SLICE].concat()] {
            assert_eq!(essentials(Codec::H264, &unit), Err("its parameter sets are missing".to_owned()));
        }
        assert!(essentials(Codec::H264, &[SPS, PPS].concat()).is_err());
        assert!(essentials(Codec::H265, &[]).is_err());
    }
}
