//! SETUP and PLAY: from a description to a stream that flows.
//!
//! Only the video is set up; audio and metadata stay at the camera. `RTP-Info` is not read: one stream needs neither
//! its time nor its sequence number, which cameras get wrong (Hikvision DS-2CD2032-I, Tapo C320WS, as retina's
//! changelog has it). A camera that refuses the registered transport is asked for the other one, which is recorded.

use crate::{
    Config, Target,
    description::Video,
    exchange::{Exchange, session_name},
    failure::{Step, failure},
    flow::{Flow, Media},
    message::Answer,
    ports::Ports,
    transcript::Transcript,
};
use fleet::{Cause, Transport};
use health::{Carriage, Failure};
use std::{net::IpAddr, time::Duration};

/// How long a session lasts without a sign of life from us, unless the camera says otherwise (RFC 2326 §12.37).
const SESSION: Duration = Duration::from_secs(60);

/// Sets up the video and lets it play. `carriage` is how its packets shall travel, and then how they do.
pub(crate) async fn play(
    mut exchange: Exchange,
    video: &Video,
    target: &Target,
    carriage: &mut Carriage,
    peer: IpAddr,
    config: &Config,
    transcript: &mut Transcript,
) -> Result<Flow, Failure> {
    let quirks = target.quirks;
    let mut setting = Setting { exchange: &mut exchange, video, target, peer, transcript };
    let (media, lasts) = match setting.up(carriage.transport).await {
        Ok(up) => up,
        Err(Refused::Altogether(failure)) => return Err(failure),
        Err(Refused::Transport(failure)) if !config.transport_fallback => return Err(failure),
        Err(Refused::Transport(failed)) => {
            let other = carriage.transport.other();
            setting.exchange.leave(setting.transcript).await;
            let up = setting.up(other).await.map_err(|refused| match refused {
                Refused::Transport(failure) | Refused::Altogether(failure) => {
                    self::failure(failure.cause, format!("{}; before: {}", failure.detail, failed.detail))
                }
            })?;
            *carriage = Carriage { transport: other, fallback: Some(failed.detail) };
            up
        }
    };
    let range = "Range: npt=0.000-\r\n";
    if let Err(failed) = exchange.ask(Step::Play, &video.aggregate, range, transcript).await {
        // It may know the session by another name only, which its refusal tells.
        if exchange.status() != 454 || !exchange.rename() {
            return Err(failed);
        }
        exchange.ask(Step::Play, &video.aggregate, range, transcript).await?;
    }
    Ok(Flow::new(exchange, media, video, lasts, quirks, config))
}

/// Why SETUP came to nothing.
enum Refused {
    /// Not by this transport.
    Transport(Failure),
    /// For another reason.
    Altogether(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::Altogether(failure)
    }
}

/// What SETUP needs.
struct Setting<'a> {
    exchange: &'a mut Exchange,
    video: &'a Video,
    target: &'a Target,
    peer: IpAddr,
    transcript: &'a mut Transcript,
}

impl Setting<'_> {
    /// Sets the video up by one transport: how packets come, and how long the session lasts without a sign of life.
    async fn up(&mut self, transport: Transport) -> Result<(Media, Duration), Refused> {
        let Setting { exchange, video, target, peer, transcript } = self;
        let ports = match transport {
            Transport::Tcp => None,
            Transport::Udp => {
                let local = exchange.line().local().map_err(|e| failure(Cause::OwnNetwork, e.to_string()))?.ip();
                Some(Box::new(Ports::bind(local, *peer)?))
            }
        };
        let header = match &ports {
            None => "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n".to_owned(),
            Some(ports) => {
                let first = ports.first()?;
                format!("Transport: RTP/AVP;unicast;client_port={first}-{}\r\n", first.saturating_add(1))
            }
        };
        let answer = match exchange.ask(Step::Setup, &video.control, &header, transcript).await {
            Ok(answer) => answer,
            // RFC 2326 §11.3.14: Unsupported Transport.
            Err(failed) if exchange.status() == 461 => return Err(Refused::Transport(failed)),
            Err(failed) => return Err(failed.into()),
        };
        let refused = |why: &str| failure(Cause::SetupRefused, format!("SETUP: {why}"));
        let (id, lasts) = session(&answer).ok_or_else(|| refused("the camera names no session"))?;
        exchange.begin_session(id, video.aggregate.clone(), target.quirks.session_id);
        let offered = answer.header("Transport").next().ok_or_else(|| refused("the camera names no transport"))?;
        let media = match ports {
            None => {
                if parameter(offered, "interleaved").is_none() && parameter(offered, "client_port").is_some() {
                    return Err(Refused::Transport(refused("the camera wants UDP, TCP was asked for")));
                }
                Media::Interleaved { channel: channel(offered).map_err(|why| refused(&why))? }
            }
            Some(ports) => {
                if parameter(offered, "interleaved").is_some() {
                    return Err(Refused::Transport(refused("the camera wants TCP, UDP was asked for")));
                }
                ports.punch(parameter(offered, "server_port").and_then(|p| p.split('-').next()?.trim().parse().ok()));
                Media::Udp(ports)
            }
        };
        Ok((media, lasts))
    }
}

/// The session's name and how long it lasts.
fn session(answer: &Answer) -> Option<(String, Duration)> {
    let id = session_name(answer)?;
    let rest = answer.header("Session").next()?.split_once(';').map_or("", |(_, rest)| rest);
    let lasts = rest.split(';').find_map(|p| p.trim().strip_prefix("timeout=")?.trim().parse::<u64>().ok());
    // Zero would have us ask without end.
    let lasts = lasts.filter(|s| (1..=86_400).contains(s)).map_or(SESSION, Duration::from_secs);
    Some((id.to_owned(), lasts))
}

/// The channel on which RTP comes; RTCP comes on the one above.
fn channel(transport: &str) -> Result<u8, String> {
    let Some(value) = parameter(transport, "interleaved") else {
        return Err("the camera names no channels, interleaved ones were asked for".to_owned());
    };
    let wrong = || format!("interleaved={value} names no channels");
    let (first, second) = value.split_once('-').unwrap_or((value, ""));
    let first: u8 = first.trim().parse().map_err(|_| wrong())?;
    let neighbour = || second.trim().parse::<u8>().is_ok_and(|second| Some(second) == first.checked_add(1));
    if !second.is_empty() && !neighbour() {
        return Err(wrong());
    }
    Ok(first)
}

fn parameter<'a>(transport: &'a str, name: &str) -> Option<&'a str> {
    transport.split(';').find_map(|p| p.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse_head;

    #[test]
    fn sessions_are_read_as_cameras_write_them() {
        let read = |value: &str| {
            session(&parse_head(format!("RTSP/1.0 200 OK\r\nSession: {value}\r\n\r\n").as_bytes()).unwrap())
        };
        assert_eq!(read("42"), Some(("42".into(), SESSION)));
        assert_eq!(read("42; timeout=30"), Some(("42".into(), Duration::from_secs(30))));
        assert_eq!(read("42;x=1;timeout=10"), Some(("42".into(), Duration::from_secs(10))));
        assert_eq!(read("42;timeout=0"), Some(("42".into(), SESSION)), "no keepalives without end");
        assert_eq!(read("42;timeout=never"), Some(("42".into(), SESSION)));
        assert_eq!(read("a b"), None);
        assert_eq!(read(";timeout=5"), None);
    }

    #[test]
    fn channels_are_read_as_cameras_write_them() {
        assert_eq!(channel("RTP/AVP/TCP;unicast;interleaved=0-1"), Ok(0));
        assert_eq!(channel("RTP/AVP/TCP; interleaved=4-5; ssrc= d6d6627"), Ok(4));
        assert_eq!(channel("RTP/AVP/TCP;interleaved=2"), Ok(2));
        assert!(channel("RTP/AVP/TCP;interleaved=255-256").is_err());
        assert!(channel("RTP/AVP/TCP;interleaved=0-7").is_err());
        assert!(channel("RTP/AVP;unicast").unwrap_err().contains("no channels"));
    }
}
