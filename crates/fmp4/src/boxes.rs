//! Writing boxes: a size, four letters, and what is inside.

/// Appends a box; its size is filled in when the inside is written.
pub(crate) fn boxed(out: &mut Vec<u8>, kind: &[u8; 4], inside: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    inside(out);
    let size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends a box with version and flags.
pub(crate) fn full(out: &mut Vec<u8>, kind: &[u8; 4], version: u8, flags: u32, inside: impl FnOnce(&mut Vec<u8>)) {
    boxed(out, kind, |out| {
        out.push(version);
        out.extend_from_slice(&flags.to_be_bytes()[1..]);
        inside(out);
    });
}

/// Appends numbers, big endian.
pub(crate) fn u16s(out: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
}

/// Appends numbers, big endian.
pub(crate) fn u32s(out: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()));
}
