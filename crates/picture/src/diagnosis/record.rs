//! Baselines as stored: figures only, never a picture. A version, the baseline of each light, a checksum.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 3 |
//! | 1 + (0, 4,074 or 8,148) | day: 0 if there is none; else 1 and a baseline, or 2, a baseline and its anchor |
//! | 1 + (0, 4,074 or 8,148) | dark: the same |
//! | 1 + (0, 4,074 or 8,148) | infrared: the same |
//! | 4 | CRC-32 of all before |
//!
//! A baseline: pictures, width, height (u16), nine figures (f32), then cell by cell, row by row: edges (u16), luma, detail, blocks (u8),
//! Cb and Cr (i8). All little endian. Hostile until read: what does not fit in every byte is refused, and the camera
//! learns anew.

use super::{
    Light,
    baseline::{Baseline, Baselines},
};
use crate::GRID_CELLS;

const VERSION: u8 = 3;
const FIGURES: usize = 9;
const BASELINE_BYTES: usize = 6 + FIGURES * 4 + GRID_CELLS * 7;

/// Why a stored baseline cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// Written by another version of ours.
    #[error("the stored baseline has version {0}, this program knows {VERSION}")]
    Version(u8),
    /// Not what was written.
    #[error("the stored baseline is damaged")]
    Damaged,
}

pub(super) fn write(baselines: &Baselines) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + 6 * BASELINE_BYTES);
    out.push(VERSION);
    for light in Light::ALL {
        let Some(baseline) = baselines.of(light) else {
            out.push(0);
            continue;
        };
        out.push(if baseline.anchor.is_some() { 2 } else { 1 });
        write_one(baseline, &mut out);
        if let Some(anchor) = &baseline.anchor {
            write_one(anchor, &mut out);
        }
    }
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out
}

fn write_one(b: &Baseline, out: &mut Vec<u8>) {
    for number in [b.count, b.size.0, b.size.1] {
        out.extend(number.to_le_bytes());
    }
    let figures: [f32; FIGURES] = [
        b.acuity,
        b.noise,
        b.flat,
        b.deviation,
        b.agreement,
        b.chroma[0],
        b.chroma[1],
        b.row_stripes,
        b.column_stripes,
    ];
    figures.iter().for_each(|f| out.extend(f.to_le_bytes()));
    for cell in 0..GRID_CELLS {
        out.extend(b.edges.get(cell).copied().unwrap_or(0).to_le_bytes());
    }
    for cells in [&b.luma, &b.detail, &b.blocks] {
        out.extend((0..GRID_CELLS).map(|cell| cells.get(cell).copied().unwrap_or(0.0).round() as u8));
    }
    for cell in 0..GRID_CELLS {
        let tint = b.tint.get(cell).copied().unwrap_or_default();
        out.extend(tint.map(|t| (t.round() as i8).cast_unsigned()));
    }
}

pub(super) fn read(record: &[u8]) -> Result<Baselines, RecordError> {
    let (all, sum) = record.split_last_chunk::<4>().ok_or(RecordError::Damaged)?;
    if crc32fast::hash(all) != u32::from_le_bytes(*sum) {
        return Err(RecordError::Damaged);
    }
    // The checksum is in every version's last bytes: an intact record of another version is told apart from damage.
    let (&version, mut rest) = all.split_first().ok_or(RecordError::Damaged)?;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let mut baselines = Baselines::default();
    for light in Light::ALL {
        *baselines.entry(light) = match rest.split_off_first() {
            Some(0) => None,
            Some(1) => Some(one(&mut rest)?),
            Some(2) => {
                let (baseline, anchor) = (one(&mut rest)?, one(&mut rest)?);
                let anchor = Baseline { blocks: Vec::new(), tint: Vec::new(), ..*anchor };
                Some(Box::new(Baseline { anchor: Some(Box::new(anchor)), ..*baseline }))
            }
            _ => return Err(RecordError::Damaged),
        };
    }
    if rest.is_empty() { Ok(baselines) } else { Err(RecordError::Damaged) }
}

fn one(rest: &mut &[u8]) -> Result<Box<Baseline>, RecordError> {
    let bytes = rest.split_off(..BASELINE_BYTES).ok_or(RecordError::Damaged)?;
    let (numbers, bytes) = bytes.split_first_chunk::<6>().ok_or(RecordError::Damaged)?;
    let (figures, cells) = bytes.split_at(FIGURES * 4);
    let (edges, cells) = cells.split_at(GRID_CELLS * 2);
    let (luma, cells) = cells.split_at(GRID_CELLS);
    let (detail, cells) = cells.split_at(GRID_CELLS);
    let (blocks, tint) = cells.split_at(GRID_CELLS);
    let floats = |cells: &[u8]| cells.iter().map(|c| f32::from(*c)).collect::<Vec<_>>();
    let mut values = [0.0f32; FIGURES];
    for (value, bytes) in values.iter_mut().zip(figures.as_chunks::<4>().0) {
        *value = f32::from_le_bytes(*bytes);
    }
    let [count, width, height] = [0, 2, 4].map(|at| u16::from_le_bytes([numbers[at], numbers[at + 1]]));
    if count == 0 || values.iter().any(|v| !v.is_finite()) {
        return Err(RecordError::Damaged);
    }
    let [acuity, noise, flat, deviation, agreement, cb, cr, row_stripes, column_stripes] = values;
    let edges = edges.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
    let chroma = [cb, cr];
    Ok(Box::new(Baseline {
        count,
        size: (width, height),
        acuity,
        noise,
        flat,
        deviation,
        agreement,
        chroma,
        row_stripes,
        column_stripes,
        edges,
        luma: floats(luma),
        detail: floats(detail),
        blocks: floats(blocks),
        tint: tint.as_chunks::<2>().0.iter().map(|t| t.map(|c| f32::from(c.cast_signed()))).collect(),
        ..Baseline::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn baselines() -> Baselines {
        let edges: Vec<u16> = (0..GRID_CELLS as u16).map(|c| c * 100).collect();
        let anchor = Baseline { count: 5, acuity: 0.5, edges: edges.clone(), ..Baseline::default() };
        let day = Baseline {
            count: 9,
            size: (640, 360),
            acuity: 0.25,
            chroma: [-3.5, 4.0],
            agreement: 0.8,
            edges,
            anchor: Some(Box::new(anchor)),
            ..Baseline::default()
        };
        let dark = Baseline { count: 3, ..Baseline::default() };
        let mut all = Baselines::default();
        *all.entry(Light::Day) = Some(Box::new(day));
        *all.entry(Light::Dark) = Some(Box::new(dark));
        all
    }

    #[test]
    fn what_was_written_is_read() {
        let record = write(&baselines());
        assert_eq!(record.len(), 1 + 1 + 2 * BASELINE_BYTES + 1 + BASELINE_BYTES + 1 + 4);
        let read = read(&record).unwrap();
        assert!(read.of(Light::Infrared).is_none());
        assert_eq!(write(&read), record);
        let day = read.of(Light::Day).unwrap();
        assert_eq!((day.edges[5], day.size, day.count), (500, (640, 360), 9));
        assert_eq!(day.anchor.as_ref().unwrap().acuity, 0.5);
        assert_eq!(read.of(Light::Dark).unwrap().count, 3);
    }

    #[test]
    fn another_version_is_told_apart_from_damage() {
        let mut record = write(&baselines());
        record.truncate(record.len() - 4);
        record[0] = 2;
        record.extend(crc32fast::hash(&record).to_le_bytes());
        assert_eq!(read(&record).unwrap_err(), RecordError::Version(2));
        record[40] ^= 1;
        assert_eq!(read(&record).unwrap_err(), RecordError::Damaged);
    }

    #[test]
    fn figures_that_no_picture_has_are_damage() {
        let mut bad = baselines();
        bad.entry(Light::Day).as_mut().unwrap().noise = f32::NAN;
        assert_eq!(read(&write(&bad)).unwrap_err(), RecordError::Damaged);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..9000), cut in 0usize..12300) {
            prop_assert!(read(&bytes).is_err());
            // With a right checksum, too.
            bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
            let _ = read(&bytes);
            let mut record = write(&baselines());
            record.truncate(cut.min(record.len() - 1));
            prop_assert!(read(&record).is_err());
        }
    }
}
