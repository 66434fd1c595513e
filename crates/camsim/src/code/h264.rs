//! Slice headers of H.264 (ITU-T H.264 §7.3.3), for what x264 writes with CABAC, one reference and no B pictures.

use super::{
    Class, Fault,
    bits::{BitReader, BitWriter, escape, unescape},
    expect,
};

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

pub(super) fn class(unit: &[u8]) -> Class {
    match unit.first().map(|b| b & 0x1f) {
        Some(1 | IDR) => Class::Slice,
        Some(SPS | PPS) => Class::Params,
        _ => Class::Other,
    }
}

/// What all slices of one coded picture have in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PictureHead {
    /// nal_ref_idc and nal_unit_type.
    unit: u8,
    frame_num: u32,
}

impl PictureHead {
    fn is_idr(&self) -> bool {
        self.unit & 0x1f == IDR
    }
}

/// One slice apart from its place.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// 0 for P, 2 for I.
    kind: u32,
    /// num_ref_idx_l0_active_minus1, where it overrides the parameter set.
    references: Option<u32>,
    cabac_init_idc: u32,
    qp_delta: i32,
    /// slice_alpha_c0_offset_div2 and slice_beta_offset_div2; `None`: no deblocking.
    deblock: Option<(i32, i32)>,
    /// CABAC data without emulation prevention.
    data: Vec<u8>,
}

/// What a slice header needs to know of the parameter sets.
#[derive(Clone, Debug)]
pub(crate) struct Placer {
    width_mbs: u32,
    frame_num_bits: u32,
}

impl Placer {
    pub(super) fn new(params: &[Vec<u8>]) -> Result<Placer, Fault> {
        let find = |kind| params.iter().find(|p| p.first().is_some_and(|b| b & 0x1f == kind));
        let sps = unescape(&find(SPS).ok_or(Fault::Unexpected("a missing SPS"))?[1..]);
        let pps = unescape(&find(PPS).ok_or(Fault::Unexpected("a missing PPS"))?[1..]);
        check_pps(&pps)?;
        let mut r = BitReader::new(&sps);
        let profile = r.bits(8)?;
        r.skip(16)?;
        r.ue()?; // seq_parameter_set_id
        if profile >= 100 {
            expect(r.ue()? == 1, "chroma other than 4:2:0")?;
            r.ue()?;
            r.ue()?;
            r.skip(1)?;
            expect(!r.bit()?, "a scaling matrix")?;
        }
        let frame_num_bits = r.ue()? + 4;
        expect(r.ue()? == 2, "a picture order count type other than 2")?;
        r.ue()?; // max_num_ref_frames
        r.skip(1)?;
        let width_mbs = r.ue()? + 1;
        r.ue()?; // pic_height_in_map_units_minus1
        expect(r.bit()?, "interlaced coding")?;
        Ok(Placer { width_mbs, frame_num_bits })
    }

    pub(super) fn take(&self, unit: &[u8]) -> Result<(PictureHead, Slice), Fault> {
        let (&first, payload) = unit.split_first().ok_or(Fault::Unexpected("an empty unit"))?;
        let payload = unescape(payload);
        let mut r = BitReader::new(&payload);
        expect(r.ue()? == 0, "several slices")?;
        let kind = r.ue()? % 5;
        expect(kind == 0 || kind == 2, "a B slice")?;
        expect(r.ue()? == 0, "a second PPS")?;
        let head = PictureHead { unit: first, frame_num: r.bits(self.frame_num_bits)? };
        if head.is_idr() {
            r.ue()?; // idr_pic_id
        }
        let mut references = None;
        if kind == 0 {
            if r.bit()? {
                references = Some(r.ue()?);
            }
            expect(!r.bit()?, "reordered references")?;
        }
        if first & 0x60 != 0 {
            if head.is_idr() {
                r.skip(2)?;
            } else {
                expect(!r.bit()?, "adaptive reference marking")?;
            }
        }
        let cabac_init_idc = if kind == 0 { r.ue()? } else { 0 };
        let qp_delta = r.se()?;
        let deblock = if r.ue()? == 1 { None } else { Some((r.se()?, r.se()?)) };
        let slice = Slice { kind, references, cabac_init_idc, qp_delta, deblock, data: r.aligned_rest().to_vec() };
        Ok((head, slice))
    }

    pub(super) fn place(&self, slice: &Slice, head: &PictureHead, row: u32) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.ue(row * self.width_mbs);
        // Not 5 + kind: the other slices of the picture may be of another kind.
        w.ue(slice.kind);
        w.ue(0);
        w.bits(head.frame_num, self.frame_num_bits);
        if head.is_idr() {
            // Two keyframes never follow each other directly, so their numbers need not differ.
            w.ue(0);
        }
        if slice.kind == 0 {
            w.bit(slice.references.is_some());
            if let Some(references) = slice.references {
                w.ue(references);
            }
            w.bit(false);
        }
        if head.unit & 0x60 != 0 {
            if head.is_idr() {
                w.bits(0, 2);
            } else {
                w.bit(false);
            }
        }
        if slice.kind == 0 {
            w.ue(slice.cabac_init_idc);
        }
        w.se(slice.qp_delta);
        match slice.deblock {
            None => w.ue(1),
            Some((alpha, beta)) => {
                // Deblock inside the slice, not across its edges: there it was coded as the edge of a picture.
                w.ue(2);
                w.se(alpha);
                w.se(beta);
            }
        }
        while !w.is_aligned() {
            w.bit(true);
        }
        let mut payload = w.into_bytes();
        payload.extend_from_slice(&slice.data);
        escape(&[head.unit], &payload)
    }
}

/// Refuses parameter sets whose slice headers hold more than we write.
fn check_pps(pps: &[u8]) -> Result<(), Fault> {
    let mut r = BitReader::new(pps);
    r.ue()?;
    r.ue()?;
    expect(r.bit()?, "CAVLC")?;
    expect(!r.bit()?, "picture order in slice headers")?;
    expect(r.ue()? == 0, "slice groups")?;
    r.ue()?;
    r.ue()?;
    expect(!r.bit()?, "weighted prediction")?;
    r.skip(2)?;
    r.se()?;
    r.se()?;
    r.se()?;
    expect(r.bit()?, "missing deblocking control")?;
    r.skip(1)?;
    expect(!r.bit()?, "redundant pictures")?;
    Ok(())
}
