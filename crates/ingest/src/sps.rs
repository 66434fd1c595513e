//! Picture size from a sequence parameter set: H.264 §7.3.2.1.1, H.265 §7.3.2.2.
//!
//! Reads only as far as the size; anything absurd is `None`. Bounded and total on any bytes.

use crate::nal::Syntax;
use health::Profile;

/// Width and height in pixels after cropping, from an SPS with its NAL header.
pub(crate) fn dimensions(syntax: Syntax, nal: &[u8]) -> Option<(u32, u32)> {
    let found = match syntax {
        Syntax::H264 => h264(&mut Bits::new(nal.get(1..)?)),
        Syntax::H265 => h265(&mut Bits::new(nal.get(2..)?)),
    };
    // Level limits end at 8192×4320 and 16888 on a side; what is beyond is damage or an attack.
    found.filter(|(w, h)| (1..=16_888).contains(w) && (1..=16_888).contains(h))
}

/// Profile and level, from an SPS with its NAL header.
pub(crate) fn profile(syntax: Syntax, nal: &[u8]) -> Option<Profile> {
    let (idc, level) = match syntax {
        // profile_idc, constraint flags, level_idc.
        Syntax::H264 => (*nal.get(1)?, *nal.get(3)?),
        Syntax::H265 => {
            let mut bits = Bits::new(nal.get(2..)?);
            bits.skip(8)?; // ids, sub-layers, nesting
            bits.skip(3)?; // general_profile_space, general_tier_flag
            let idc = bits.read(5)?;
            bits.skip(80)?; // compatibility and constraint flags
            (u8::try_from(idc).ok()?, u8::try_from(bits.read(8)?).ok()?)
        }
    };
    Some(Profile { idc, level })
}

fn h264(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    let profile = bits.read(8)?;
    bits.read(16)?; // constraint flags, level
    bits.ue()?; // seq_parameter_set_id
    let mut chroma = 1;
    let mut separate_planes = false;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        chroma = bits.ue()?;
        if chroma == 3 {
            separate_planes = bits.flag()?;
        }
        bits.ue()?; // bit_depth_luma_minus8
        bits.ue()?; // bit_depth_chroma_minus8
        bits.flag()?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.ue()?; // log2_max_frame_num_minus4
    match bits.ue()? {
        0 => {
            bits.ue()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            for _ in 0..bits.ue().filter(|n| *n <= 255)? {
                bits.se()?;
            }
        }
        _ => {}
    }
    bits.ue()?; // max_num_ref_frames
    bits.flag()?; // gaps_in_frame_num_value_allowed_flag
    let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.ue()?.checked_add(1)?;
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    let fields = if frames_only { 1 } else { 2 };
    let height = map_units.checked_mul(16 * fields)?;
    if !bits.flag()? {
        return Some((width, height));
    }
    let chroma = if separate_planes { 0 } else { chroma };
    let (unit_x, unit_y) = (if matches!(chroma, 1 | 2) { 2 } else { 1 }, if chroma == 1 { 2 } else { 1 });
    crop(bits, width, height, unit_x, unit_y * fields)
}

fn scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

fn h265(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    bits.read(4)?; // sps_video_parameter_set_id
    let sub_layers = bits.read(3)?; // sps_max_sub_layers_minus1
    bits.flag()?; // sps_temporal_id_nesting_flag
    // profile_tier_level( 1, sps_max_sub_layers_minus1 ), §7.3.3
    bits.skip(88)?;
    bits.read(8)?; // general_level_idc
    let mut present = Vec::with_capacity(8);
    for _ in 0..sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    bits.ue()?; // sps_seq_parameter_set_id
    let chroma = bits.ue()?;
    let separate_planes = chroma == 3 && bits.flag()?;
    let width = bits.ue()?;
    let height = bits.ue()?;
    if !bits.flag()? {
        return Some((width, height));
    }
    let chroma = if separate_planes { 0 } else { chroma };
    let (unit_x, unit_y) = (if matches!(chroma, 1 | 2) { 2 } else { 1 }, if chroma == 1 { 2 } else { 1 });
    crop(bits, width, height, unit_x, unit_y)
}

/// Left, right, top, bottom: the same four in both codecs.
fn crop(bits: &mut Bits<'_>, width: u32, height: u32, unit_x: u32, unit_y: u32) -> Option<(u32, u32)> {
    let x = bits.ue()?.checked_add(bits.ue()?)?.checked_mul(unit_x)?;
    let y = bits.ue()?.checked_add(bits.ue()?)?.checked_mul(unit_y)?;
    Some((width.checked_sub(x)?, height.checked_sub(y)?))
}

/// The id in a parameter set, so that several of a kind are told apart; 0 where it is not worth reading.
pub(crate) fn id(syntax: Syntax, nal: &[u8]) -> u32 {
    let read = || match (syntax, syntax.kind(*nal.first()?)) {
        (Syntax::H264, crate::nal::Kind::Sps) => Bits::new(nal.get(4..)?).ue(),
        (Syntax::H264, crate::nal::Kind::Pps) => Bits::new(nal.get(1..)?).ue(),
        (Syntax::H265, crate::nal::Kind::Vps) => Bits::new(nal.get(2..)?).read(4),
        (Syntax::H265, crate::nal::Kind::Pps) => Bits::new(nal.get(2..)?).ue(),
        _ => None,
    };
    read().unwrap_or(0)
}

/// Reads bits of a NAL unit, leaving out emulation prevention bytes (00 00 03).
struct Bits<'a> {
    data: &'a [u8],
    zeros: u8,
    byte: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { data, zeros: 0, byte: 0, left: 0 }
    }

    fn flag(&mut self) -> Option<bool> {
        if self.left == 0 {
            let (&first, mut rest) = self.data.split_first()?;
            let mut byte = first;
            if self.zeros >= 2 && byte == 3 {
                (byte, rest) = rest.split_first().map(|(b, r)| (*b, r))?;
                self.zeros = 0;
            }
            self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
            self.data = rest;
            self.byte = byte;
            self.left = 8;
        }
        self.left -= 1;
        Some((self.byte >> self.left) & 1 == 1)
    }

    /// Up to 32 bits.
    fn read(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0_u32, |value, _| Some((value << 1) | u32::from(self.flag()?)))
    }

    fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.flag().map(|_| ()))
    }

    /// Unsigned Exp-Golomb.
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1_u32 << zeros) - 1) + self.read(zeros)?)
    }

    /// Signed Exp-Golomb.
    fn se(&mut self) -> Option<i32> {
        let value = i64::from(self.ue()?);
        i32::try_from(if value % 2 == 0 { -(value / 2) } else { (value + 1) / 2 }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes bits, as an encoder would.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn u(mut self, count: u32, value: u64) -> Writer {
            self.0.extend((0..count).rev().map(|i| (value >> i) & 1 == 1));
            self
        }

        fn ue(self, value: u32) -> Writer {
            let value = u64::from(value) + 1;
            let bits = 64 - value.leading_zeros();
            self.u(bits - 1, 0).u(bits, value)
        }

        fn nal(self, header: &[u8]) -> Vec<u8> {
            let mut out = header.to_vec();
            let mut zeros = 0;
            for chunk in self.u(1, 1).0.chunks(8) {
                let byte = chunk.iter().enumerate().fold(0_u8, |b, (i, bit)| b | (u8::from(*bit) << (7 - i)));
                if zeros >= 2 && byte <= 3 {
                    out.push(3);
                    zeros = 0;
                }
                zeros = if byte == 0 { zeros + 1 } else { 0 };
                out.push(byte);
            }
            out
        }
    }

    fn h264_sps(mbs_wide: u32, mbs_high: u32, crop_bottom: u32) -> Vec<u8> {
        Writer::default()
            .u(8, 66)
            .u(8, 0)
            .u(8, 31)
            .ue(0)
            .ue(0)
            .ue(2)
            .ue(1)
            .u(1, 0)
            .ue(mbs_wide - 1)
            .ue(mbs_high - 1)
            .u(1, 1)
            .u(1, 1)
            .u(1, 1)
            .ue(0)
            .ue(0)
            .ue(0)
            .ue(crop_bottom)
            .nal(&[0x67])
    }

    fn h265_sps(width: u32, height: u32, crop_bottom: u32) -> Vec<u8> {
        Writer::default()
            .u(4, 0)
            .u(3, 0)
            .u(1, 1)
            .u(8, 1)
            .u(32, 0x6000_0000)
            .u(48, 0)
            .u(8, 93)
            .ue(0)
            .ue(1)
            .ue(width)
            .ue(height)
            .u(1, 1)
            .ue(0)
            .ue(0)
            .ue(0)
            .ue(crop_bottom)
            .nal(&[0x42, 0x01])
    }

    #[test]
    fn full_hd_is_cropped_from_1088_lines() {
        assert_eq!(dimensions(Syntax::H264, &h264_sps(120, 68, 4)), Some((1920, 1080)));
        assert_eq!(dimensions(Syntax::H265, &h265_sps(1920, 1088, 4)), Some((1920, 1080)));
    }

    #[test]
    fn a_real_high_profile_set_is_read() {
        // x264, 640×480, High: as sent by a GStreamer test server.
        let nal = [
            0x67, 0x64, 0x00, 0x1e, 0xac, 0xd9, 0x40, 0xa0, 0x3d, 0xa1, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03,
            0x00, 0x32, 0x0f, 0x16, 0x2d, 0x96,
        ];
        assert_eq!(dimensions(Syntax::H264, &nal), Some((640, 480)));
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert_eq!(dimensions(Syntax::H264, &h264_sps(4096, 4096, 0)), None, "65536 on a side");
        assert_eq!(dimensions(Syntax::H265, &h265_sps(65_535, 65_535, 0)), None);
        assert_eq!(dimensions(Syntax::H264, &h264_sps(1, 1, 9)), None, "cropped below nothing");
        assert_eq!(dimensions(Syntax::H265, &h265_sps(0, 0, 0)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(nal in proptest::collection::vec(any::<u8>(), 0..200)) {
            for syntax in [Syntax::H264, Syntax::H265] {
                if let Some((w, h)) = dimensions(syntax, &nal) {
                    prop_assert!(w <= 16_888 && h <= 16_888);
                }
                id(syntax, &nal);
            }
        }

        #[test]
        fn every_size_is_read_back(w in 1_u32..500, h in 1_u32..500) {
            prop_assert_eq!(dimensions(Syntax::H264, &h264_sps(w, h, 0)), Some((w * 16, h * 16)));
            prop_assert_eq!(dimensions(Syntax::H265, &h265_sps(w * 8, h * 8, 0)), Some((w * 8, h * 8)));
        }
    }
}
