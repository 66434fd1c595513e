//! Session descriptions (RFC 8866), as cameras write them.

use crate::{SimCodec, clip::Kit, rtp};
use base64::Engine as _;
use std::{fmt::Write as _, net::IpAddr};

/// The name of the one track.
pub(crate) const TRACK: &str = "trackID=1";

/// A description of the video.
pub(crate) fn video(kit: &Kit, address: IpAddr) -> String {
    let base64 = |unit: &Vec<u8>| base64::engine::general_purpose::STANDARD.encode(unit);
    let mut text = head(address);
    let (payload, clock) = (rtp::VIDEO, rtp::CLOCK);
    let _ = write!(text, "m=video 0 RTP/AVP {payload}\r\nb=AS:{}\r\na=control:{TRACK}\r\n", kit.layout.bitrate / 1000);
    match (kit.codec, kit.sets.as_slice()) {
        (SimCodec::H264, [sps, pps]) => {
            let profile = hex::encode(sps.get(1..4).unwrap_or_default());
            let _ = write!(
                text,
                "a=rtpmap:{payload} H264/{clock}\r\na=fmtp:{payload} packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={},{}\r\n",
                base64(sps),
                base64(pps)
            );
        }
        (SimCodec::H265, [vps, sps, pps]) => {
            let _ = write!(
                text,
                "a=rtpmap:{payload} H265/{clock}\r\na=fmtp:{payload} sprop-vps={};sprop-sps={};sprop-pps={}\r\n",
                base64(vps),
                base64(sps),
                base64(pps)
            );
        }
        // Parameter sets are sent before each keyframe too.
        (codec, _) => {
            let _ = write!(text, "a=rtpmap:{payload} {codec:?}/{clock}\r\n");
        }
    }
    let _ = write!(text, "a=framesize:{payload} {}-{}\r\na=recvonly\r\n", kit.layout.width, kit.layout.height);
    text
}

/// A description without video: only the camera's microphone.
pub(crate) fn audio_only(address: IpAddr) -> String {
    format!("{}m=audio 0 RTP/AVP 8\r\na=control:trackID=2\r\na=rtpmap:8 PCMA/8000\r\na=recvonly\r\n", head(address))
}

fn head(address: IpAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=Media Presentation\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\na=range:npt=0-\r\n"
    )
}
