//! Where a viewer's frames come from: the camera's session as it comes and goes.

use crate::app::App;
use bytes::Bytes;
use fleet::{CameraId, Codec};
use ingest::{Viewing, Watch, Watched};
use std::{future::Future, pin::Pin, time::Duration};
use tokio::time::Instant;

/// Pause before a session is looked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest wait for a keyframe to be shown as a picture.
const KEYFRAME_WITHIN: Duration = Duration::from_secs(15);
/// Shortest time between two pictures: a camera that sends nothing but keyframes must not busy the decoders.
const BETWEEN_PICTURES: Duration = Duration::from_millis(800);
/// Pictures are rendered at most so wide.
const PICTURE_WIDTH: u32 = 1280;

/// What a source gives.
pub(crate) enum Given {
    /// A session runs; its video is about to come.
    Waiting,
    /// It is coded as the viewer cannot play it: pictures come.
    Pictures(Codec),
    Watched(Watched),
    Picture(Bytes),
    /// No session runs, or it just ended. Looked for again by itself.
    NoStream,
}

/// The camera's session as one viewer sees it.
pub(crate) struct Source {
    app: App,
    camera: CameraId,
    h265: bool,
    state: State,
}

enum State {
    /// Look for a session at this time; whether the viewer knows that there is none.
    Looking {
        at: Instant,
        told: bool,
    },
    Opening(Viewing),
    Watching(Watch),
    Pictures(Pin<Box<dyn Future<Output = Option<Bytes>> + Send>>),
}

impl Source {
    pub(crate) fn new(app: App, camera: CameraId, h265: bool) -> Source {
        Source { app, camera, h265, state: State::Looking { at: Instant::now(), told: false } }
    }

    /// The next thing to tell or show. Cancel safe.
    pub(crate) async fn next(&mut self) -> Given {
        loop {
            match &mut self.state {
                State::Looking { at, told } => {
                    tokio::time::sleep_until(*at).await;
                    let told = *told;
                    match self.app.services.ingest.viewing(self.camera) {
                        Ok(viewing) => self.state = State::Opening(viewing),
                        Err(_) => {
                            self.state = State::Looking { at: Instant::now() + AGAIN, told: true };
                            if !told {
                                return Given::NoStream;
                            }
                        }
                    }
                }
                State::Opening(viewing) => match viewing.codec().await {
                    Ok(codec) if codec == Codec::H264 || (codec == Codec::H265 && self.h265) => match viewing.join() {
                        Ok(watch) => {
                            self.state = State::Watching(watch);
                            return Given::Waiting;
                        }
                        Err(_) => return self.lost(),
                    },
                    Ok(codec) => {
                        self.state = State::Pictures(self.picture());
                        return Given::Pictures(codec);
                    }
                    Err(_) => return self.lost(),
                },
                State::Watching(watch) => match watch.next().await {
                    Ok(watched) => return Given::Watched(watched),
                    Err(_) => return self.lost(),
                },
                State::Pictures(next) => match next.as_mut().await {
                    Some(picture) => {
                        self.state = State::Pictures(self.picture());
                        return Given::Picture(picture);
                    }
                    None => return self.lost(),
                },
            }
        }
    }

    fn lost(&mut self) -> Given {
        self.state = State::Looking { at: Instant::now() + AGAIN, told: true };
        Given::NoStream
    }

    /// The next keyframe as a picture; `None` when the session is over. What cannot be decoded or finds the decoders
    /// busy is left out.
    fn picture(&self) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>> {
        let (ingest, pool, camera) = (self.app.services.ingest.clone(), self.app.services.pool.clone(), self.camera);
        let earliest = Instant::now() + BETWEEN_PICTURES;
        Box::pin(async move {
            loop {
                let keyframe = ingest.next_keyframe(camera, KEYFRAME_WITHIN).await.ok()?;
                if let Ok(jpeg) = pool.render(camera, keyframe.codec, keyframe.data.clone(), Some(PICTURE_WIDTH)).await
                {
                    tokio::time::sleep_until(earliest).await;
                    return Some(jpeg);
                }
                tokio::time::sleep(BETWEEN_PICTURES).await;
            }
        })
    }
}
