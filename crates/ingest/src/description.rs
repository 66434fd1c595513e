//! What a camera offers: the video we can read in its SDP (RFC 8866), and how to ask for it.
//!
//! Forgiving where cameras are known to err: a `Content-Base` without scheme (Anjvision), control addresses joined
//! by appending (live555 and FFmpeg do so too), a blank behind `rtpmap`, an `fmtp` without value (Ubiquiti), start
//! codes and bad padding in `sprop` values. A stream that cannot be read does not spoil the others.

use crate::{failure::failure, message::Answer};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use fleet::{Cause, Codec};
use health::Failure;
use sdp_types::{Attribute, Media, Session};
use url::Url;

/// The stream that is taken.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Video {
    pub(crate) codec: Codec,
    /// Ticks of its RTP timestamps in a second.
    pub(crate) clock_rate: u32,
    /// What SETUP is asked for.
    pub(crate) control: Url,
    /// What PLAY is asked for.
    pub(crate) aggregate: Url,
    /// Parameter sets of the description, NAL headers first.
    pub(crate) parameter_sets: Vec<Vec<u8>>,
}

/// Bad or missing padding and stray bits are common in `sprop` values.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Longest value of an attribute that is looked at.
const VALUE_BYTES: usize = 64 << 10;
/// Most streams that are looked at.
const STREAMS: usize = 64;

/// Reads the answer to DESCRIBE; `asked` is the address that was asked for.
pub(crate) fn video(answer: &Answer, asked: &Url) -> Result<Video, Failure> {
    let session = Session::parse(&answer.body)
        .map_err(|why| failure(Cause::SdpMalformed, format!("the description cannot be read: {why}")))?;
    let base = ["Content-Base", "Content-Location"]
        .into_iter()
        .find_map(|name| answer.header(name).next())
        .and_then(|text| based(text, asked))
        .unwrap_or_else(|| asked.clone());
    let aggregate = value(&session.attributes, "control").map_or_else(|| asked.clone(), |c| join(&base, c, asked));

    let mut other = None;
    let mut offered = Vec::new();
    for media in session.medias.iter().take(STREAMS) {
        offered.push(media.media.as_str());
        if !matches!(media.media.as_str(), "video" | "image") {
            continue;
        }
        let Some((name, clock_rate, payload_type)) = encoding(media) else { continue };
        let codec = match name.to_ascii_lowercase().as_str() {
            "h264" => Codec::H264,
            "h265" | "hevc" => Codec::H265,
            "jpeg" => Codec::Jpeg,
            _ => {
                other = other.or(Some(name));
                continue;
            }
        };
        return Ok(Video {
            codec,
            clock_rate,
            control: value(&media.attributes, "control").map_or_else(|| aggregate.clone(), |c| join(&base, c, asked)),
            aggregate,
            parameter_sets: parameter_sets(media, codec, &payload_type),
        });
    }
    Err(match other {
        Some(name) => failure(Cause::UnsupportedCodec, format!("the camera sends {}", name.to_uppercase())),
        None if offered.is_empty() => failure(Cause::NoVideo, "the description offers nothing"),
        None => {
            offered.truncate(8);
            failure(
                Cause::NoVideo,
                format!("the description offers {}, and no video that can be read", offered.join(", ")),
            )
        }
    })
}

/// The base address a header gives, its scheme put back if it is missing.
fn based(text: &str, asked: &Url) -> Option<Url> {
    let is_rtsp = |url: &Url| matches!(url.scheme(), "rtsp" | "rtsps" | "rtspu");
    Url::parse(text)
        .ok()
        .filter(is_rtsp)
        .or_else(|| Url::parse(&format!("{}://{text}", asked.scheme())).ok().filter(url::Url::has_host))
}

/// An address of the description. Never connected to: it only names the stream to the camera that gave it.
fn join(base: &Url, control: &str, asked: &Url) -> Url {
    if control == "*" {
        return base.clone();
    }
    if let Some(absolute) = Url::parse(control).ok().filter(url::Url::has_host) {
        return absolute;
    }
    let slash = if base.as_str().ends_with('/') { "" } else { "/" };
    Url::parse(&format!("{base}{slash}{control}")).unwrap_or_else(|_| asked.clone())
}

fn value<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|a| a.attribute == name)?;
    found.value.as_deref().map(str::trim).filter(|v| !v.is_empty() && v.len() <= VALUE_BYTES)
}

/// Name, clock rate and payload type of the format a stream is sent in: the first it lists.
fn encoding(media: &Media) -> Option<(String, u32, String)> {
    if !media.proto.split('/').any(|part| part == "RTP") {
        return None;
    }
    let payload_type = media.fmt.split_ascii_whitespace().next()?;
    let number = payload_type.parse::<u8>().ok().filter(|n| *n < 128)?;
    let mapped = media.attributes.iter().filter(|a| a.attribute == "rtpmap").find_map(|a| {
        let (of, rest) = a.value.as_deref()?.trim().split_once(' ')?;
        (of == payload_type).then_some(rest.trim())
    });
    let (name, clock_rate) = match (mapped, number) {
        (Some(mapped), _) => {
            let (name, rest) = mapped.split_once('/')?;
            (name.to_owned(), rest.split('/').next()?.trim().parse().ok()?)
        }
        (None, 26) => ("JPEG".to_owned(), 90_000),
        (None, 31) => ("H261".to_owned(), 90_000),
        (None, 32) => ("MPV".to_owned(), 90_000),
        (None, 33) => ("MP2T".to_owned(), 90_000),
        (None, 34) => ("H263".to_owned(), 90_000),
        _ => return None,
    };
    (clock_rate > 0).then(|| (name, clock_rate, payload_type.to_owned()))
}

fn parameter_sets(media: &Media, codec: Codec, payload_type: &str) -> Vec<Vec<u8>> {
    let names: &[&str] = match codec {
        Codec::H264 => &["sprop-parameter-sets"],
        Codec::H265 => &["sprop-vps", "sprop-sps", "sprop-pps"],
        Codec::Jpeg => return Vec::new(),
    };
    let format = media.attributes.iter().filter(|a| a.attribute == "fmtp").find_map(|a| {
        let (of, rest) = a.value.as_deref().filter(|v| v.len() <= VALUE_BYTES)?.trim().split_once(' ')?;
        (of == payload_type).then_some(rest)
    });
    format
        .unwrap_or_default()
        .split(';')
        .filter_map(|p| p.trim().split_once('='))
        .filter(|(name, _)| names.iter().any(|n| n.eq_ignore_ascii_case(name.trim())))
        .flat_map(|(_, value)| value.split(','))
        .take(16)
        .filter_map(|text| LENIENT.decode(text.trim().trim_matches('"')).ok())
        .map(|nal| match nal.as_slice() {
            [0, 0, 0, 1, rest @ ..] | [0, 0, 1, rest @ ..] => rest.to_vec(),
            _ => nal,
        })
        .filter(|nal| !nal.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse_head;
    use proptest::prelude::*;

    const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=control:*\r\nm=audio 0 RTP/AVP 8\r\na=control:track2\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000 \r\na=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0IAHg==,aM48gA\r\na=control:track1\r\n";

    fn read(headers: &str, sdp: &str) -> Result<Video, Failure> {
        let mut answer = parse_head(format!("RTSP/1.0 200 OK\r\n{headers}\r\n").as_bytes()).unwrap();
        answer.body = sdp.as_bytes().to_vec();
        video(&answer, &Url::parse("rtsp://10.0.0.9/ch1?x=1").unwrap())
    }

    #[test]
    fn the_video_is_found_beside_audio_with_its_parameter_sets() {
        let video = read("Content-Base: rtsp://10.0.0.9/ch1/\r\n", SDP).unwrap();
        assert_eq!((video.codec, video.clock_rate), (Codec::H264, 90_000));
        assert_eq!(video.control.as_str(), "rtsp://10.0.0.9/ch1/track1");
        assert_eq!(video.aggregate.as_str(), "rtsp://10.0.0.9/ch1/");
        assert_eq!(video.parameter_sets, [vec![0x67, 0x42, 0, 0x1e], vec![0x68, 0xce, 0x3c, 0x80]]);
    }

    #[test]
    fn addresses_are_put_right() {
        let control = |headers: &str, control: &str| {
            read(headers, &SDP.replace("a=control:track1", &format!("a=control:{control}")))
                .unwrap()
                .control
                .to_string()
        };
        assert_eq!(control("", "track1"), "rtsp://10.0.0.9/ch1?x=1/track1");
        assert_eq!(control("Content-Base: 10.0.0.9/b/\r\n", "track1"), "rtsp://10.0.0.9/b/track1");
        assert_eq!(control("", "rtsp://192.168.1.5/inner"), "rtsp://192.168.1.5/inner");
        assert_eq!(control("Content-Base: javascript:x\r\n", "*"), "rtsp://10.0.0.9/ch1?x=1");
    }

    #[test]
    fn quirks_of_parameter_sets_do_no_harm() {
        let sets = |value: &str| read("", &SDP.replace("Z0IAHg==,aM48gA", value)).unwrap().parameter_sets;
        assert_eq!(sets("AAAAAWdCAB4=,???"), [vec![0x67, 0x42, 0, 0x1e]]);
        assert!(sets("").is_empty());
        assert!(read("", &SDP.replace("a=fmtp:96 packet", "a=fmtp:96\r\na=x:")).unwrap().parameter_sets.is_empty());
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let cause = |sdp: String| read("", &sdp).unwrap_err();
        assert_eq!(cause(SDP.replace("H264", "VP9")).cause, Cause::UnsupportedCodec);
        assert!(cause(SDP.replace("H264", "MP4V-ES")).detail.contains("MP4V-ES"));
        assert_eq!(cause(SDP.replace("m=video", "m=application")).cause, Cause::NoVideo);
        assert_eq!(cause(SDP.replace("90000", "0")).cause, Cause::NoVideo);
        assert_eq!(cause("hello".into()).cause, Cause::SdpMalformed);
    }

    proptest! {
        #[test]
        fn any_description_ends_in_video_or_a_cause(noise in "[ -~\r\n]{0,80}", at in 0..SDP.len(), cut in 0..40_usize) {
            let mut sdp = SDP.to_owned();
            sdp.replace_range(at..(at + cut).min(SDP.len()), &noise);
            if let Err(failure) = read("", &sdp) {
                prop_assert!(matches!(failure.cause, Cause::SdpMalformed | Cause::NoVideo | Cause::UnsupportedCodec));
            }
        }
    }
}
