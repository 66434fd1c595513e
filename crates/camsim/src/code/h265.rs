//! Slice headers of H.265 (ITU-T H.265 §7.3.6), for what x265 writes with one slice a picture, CTUs of 16 pixels, no
//! B pictures and no temporal motion vectors.

use super::{
    Class, Fault,
    bits::{BitReader, BitWriter, escape, unescape},
    expect,
};

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
/// Bytes of a NAL unit header.
const HEAD: usize = 2;

fn kind_of(unit: &[u8]) -> u8 {
    unit.first().map_or(63, |b| b >> 1 & 0x3f)
}

fn is_idr(kind: u8) -> bool {
    kind == 19 || kind == 20
}

pub(super) fn class(unit: &[u8]) -> Class {
    match kind_of(unit) {
        0..=21 => Class::Slice,
        VPS..=PPS => Class::Params,
        _ => Class::Other,
    }
}

/// What all slices of one coded picture have in common.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PictureHead {
    unit: [u8; HEAD],
    /// Picture order count and short-term reference set as coded; empty for IDR pictures.
    order: Vec<bool>,
}

/// One slice apart from its place.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// 1 for P, 2 for I.
    kind: u32,
    sao: [bool; 2],
    /// num_ref_idx_l0_active_minus1, where it overrides the parameter set.
    references: Option<u32>,
    cabac_init: bool,
    five_minus_max_merge: u32,
    qp_delta: i32,
    /// deblocking_filter_override_flag and what follows.
    deblock: Deblock,
    /// CABAC data without emulation prevention.
    data: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Deblock {
    AsParameterSet,
    Off,
    Offsets(i32, i32),
}

/// What a slice header needs to know of the parameter sets.
#[derive(Clone, Debug)]
pub(crate) struct Placer {
    width_ctbs: u32,
    address_bits: u32,
    order_bits: u32,
    sao: bool,
    dependent_slices: bool,
    cabac_init_present: bool,
    chroma_offsets: bool,
    across_slices: bool,
    deblock_override: bool,
    deblock_off: bool,
}

impl Placer {
    pub(super) fn new(params: &[Vec<u8>]) -> Result<Placer, Fault> {
        let find = |kind| params.iter().find(|p| kind_of(p) == kind && p.len() > HEAD);
        let sps = unescape(&find(SPS).ok_or(Fault::Unexpected("a missing SPS"))?[HEAD..]);
        let pps = unescape(&find(PPS).ok_or(Fault::Unexpected("a missing PPS"))?[HEAD..]);

        let mut r = BitReader::new(&sps);
        r.skip(4)?;
        expect(r.bits(3)? == 0, "temporal layers")?;
        r.skip(1 + 88 + 8)?;
        r.ue()?;
        expect(r.ue()? == 1, "chroma other than 4:2:0")?;
        let (width, height) = (r.ue()?, r.ue()?);
        if r.bit()? {
            for _ in 0..4 {
                r.ue()?;
            }
        }
        r.ue()?;
        r.ue()?;
        let order_bits = r.ue()? + 4;
        r.skip(1)?;
        for _ in 0..3 {
            r.ue()?;
        }
        let ctb = 1u32.checked_shl(r.ue()? + 3 + r.ue()?).unwrap_or(0);
        expect(ctb == 16, "a coding tree block other than 16 pixels")?;
        for _ in 0..4 {
            r.ue()?;
        }
        expect(!r.bit()?, "scaling lists")?;
        r.skip(1)?;
        let sao = r.bit()?;
        expect(!r.bit()?, "PCM")?;
        expect(r.ue()? == 0, "reference sets in the SPS")?;
        expect(!r.bit()?, "long-term references")?;
        expect(!r.bit()?, "temporal motion vectors")?;

        let mut r = BitReader::new(&pps);
        r.ue()?;
        r.ue()?;
        let dependent_slices = r.bit()?;
        expect(!r.bit()?, "output flags")?;
        expect(r.bits(3)? == 0, "extra slice header bits")?;
        r.skip(1)?;
        let cabac_init_present = r.bit()?;
        r.ue()?;
        r.ue()?;
        r.se()?;
        r.skip(2)?;
        if r.bit()? {
            r.ue()?;
        }
        r.se()?;
        r.se()?;
        let chroma_offsets = r.bit()?;
        expect(!r.bit()? && !r.bit()?, "weighted prediction")?;
        r.skip(1)?;
        expect(!r.bit()? && !r.bit()?, "tiles or wavefronts")?;
        let across_slices = r.bit()?;
        let (mut deblock_override, mut deblock_off) = (false, false);
        if r.bit()? {
            deblock_override = r.bit()?;
            deblock_off = r.bit()?;
            if !deblock_off {
                r.se()?;
                r.se()?;
            }
        }
        expect(!r.bit()?, "scaling lists")?;
        expect(!r.bit()?, "reordered references")?;
        r.ue()?;
        expect(!r.bit()?, "a slice header extension")?;
        let (width_ctbs, height_ctbs) = (width.div_ceil(ctb), height.div_ceil(ctb));
        let address_bits = 32 - (width_ctbs * height_ctbs - 1).leading_zeros();
        Ok(Placer {
            width_ctbs,
            address_bits,
            order_bits,
            sao,
            dependent_slices,
            cabac_init_present,
            chroma_offsets,
            across_slices,
            deblock_override,
            deblock_off,
        })
    }

    pub(super) fn take(&self, unit: &[u8]) -> Result<(PictureHead, Slice), Fault> {
        let (&head, payload) = unit.split_first_chunk::<HEAD>().ok_or(Fault::Unexpected("an empty unit"))?;
        let payload = unescape(payload);
        let mut r = BitReader::new(&payload);
        expect(r.bit()?, "several slices")?;
        if kind_of(&head) >= 16 {
            r.skip(1)?; // no_output_of_prior_pics_flag
        }
        expect(r.ue()? == 0, "a second PPS")?;
        let kind = r.ue()?;
        expect(kind == 1 || kind == 2, "a B slice")?;
        let mut order = Vec::new();
        if !is_idr(kind_of(&head)) {
            order = self.take_order(&mut r)?;
        }
        let sao = if self.sao { [r.bit()?, r.bit()?] } else { [false; 2] };
        let (mut references, mut cabac_init, mut five_minus_max_merge) = (None, false, 0);
        if kind == 1 {
            if r.bit()? {
                references = Some(r.ue()?);
            }
            if self.cabac_init_present {
                cabac_init = r.bit()?;
            }
            five_minus_max_merge = r.ue()?;
        }
        let qp_delta = r.se()?;
        if self.chroma_offsets {
            expect(r.se()? == 0 && r.se()? == 0, "chroma QP offsets")?;
        }
        let mut deblock = Deblock::AsParameterSet;
        if self.deblock_override && r.bit()? {
            deblock = if r.bit()? { Deblock::Off } else { Deblock::Offsets(r.se()?, r.se()?) };
        }
        if self.across_slices && self.filters(sao, deblock) {
            r.skip(1)?;
        }
        // byte_alignment(): a one and zeros, always at least one bit.
        r.skip(1)?;
        r.skip(r.to_boundary())?;
        let data = r.aligned_rest().to_vec();
        let slice = Slice { kind, sao, references, cabac_init, five_minus_max_merge, qp_delta, deblock, data };
        Ok((PictureHead { unit: head, order }, slice))
    }

    /// slice_pic_order_cnt_lsb and st_ref_pic_set(0), bit for bit.
    fn take_order(&self, r: &mut BitReader<'_>) -> Result<Vec<bool>, Fault> {
        let mut copy = BitWriter::default();
        let mut bits = 0;
        copy.bits(r.bits(self.order_bits)?, self.order_bits);
        bits += self.order_bits;
        expect(!r.bit()?, "reference sets in the SPS")?;
        copy.bit(false);
        bits += 1;
        let (negative, positive) = (r.ue()?, r.ue()?);
        expect(negative <= 4 && positive == 0, "a reference set with later pictures")?;
        for value in [negative, positive] {
            copy.ue(value);
            bits += ue_length(value);
        }
        for _ in 0..negative {
            let delta = r.ue()?;
            copy.ue(delta);
            copy.bit(r.bit()?);
            bits += ue_length(delta) + 1;
        }
        let bytes = copy.into_bytes();
        let mut read = BitReader::new(&bytes);
        (0..bits).map(|_| Ok(read.bit()?)).collect()
    }

    fn filters(&self, sao: [bool; 2], deblock: Deblock) -> bool {
        let off = match deblock {
            Deblock::AsParameterSet => self.deblock_off,
            Deblock::Off => true,
            Deblock::Offsets(..) => false,
        };
        sao != [false; 2] || !off
    }

    pub(super) fn place(&self, slice: &Slice, head: &PictureHead, row: u32) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.bit(row == 0);
        if kind_of(&head.unit) >= 16 {
            w.bit(false);
        }
        w.ue(0);
        if row > 0 {
            if self.dependent_slices {
                w.bit(false);
            }
            w.bits(row * self.width_ctbs, self.address_bits);
        }
        w.ue(slice.kind);
        for &bit in &head.order {
            w.bit(bit);
        }
        if self.sao {
            w.bit(slice.sao[0]);
            w.bit(slice.sao[1]);
        }
        if slice.kind == 1 {
            w.bit(slice.references.is_some());
            if let Some(references) = slice.references {
                w.ue(references);
            }
            if self.cabac_init_present {
                w.bit(slice.cabac_init);
            }
            w.ue(slice.five_minus_max_merge);
        }
        w.se(slice.qp_delta);
        if self.chroma_offsets {
            w.se(0);
            w.se(0);
        }
        if self.deblock_override {
            match slice.deblock {
                Deblock::AsParameterSet => w.bit(false),
                Deblock::Off => w.bits(0b11, 2),
                Deblock::Offsets(beta, tc) => {
                    w.bits(0b10, 2);
                    w.se(beta);
                    w.se(tc);
                }
            }
        }
        if self.across_slices && self.filters(slice.sao, slice.deblock) {
            // Filters stop at the edges of the slice: there it was coded as the edge of a picture.
            w.bit(false);
        }
        w.bit(true);
        while !w.is_aligned() {
            w.bit(false);
        }
        let mut payload = w.into_bytes();
        payload.extend_from_slice(&slice.data);
        escape(&head.unit, &payload)
    }
}

fn ue_length(value: u32) -> u32 {
    2 * (64 - (u64::from(value) + 1).leading_zeros()) - 1
}
