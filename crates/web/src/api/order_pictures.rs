//! Pictures of a work order: the last one before the repair, those from after it, photographs of the place; and the
//! fresh climb that a repair is accepted on.
//!
//! What a browser hands in is decoded and coded anew: nothing of the file it sent is kept or served, neither what a
//! hostile one may carry nor the place and the owner that a telephone writes into its pictures.

use crate::{
    api::{
        note,
        orders::{OrderPictureView, OrderView, actor, sees_camera},
    },
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    ladder::Ladder,
    problem::{Body, Path, Problem, Query, Result},
    validator,
};
use archive::{Entry, Kind, SnapshotQuery};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use fleet::{CameraId, Status, Wall};
use health::{
    Incident,
    desk::{Act, Actor, Order, Verification},
};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, codecs::jpeg::JpegEncoder, metadata::Orientation};
use serde::{Deserialize, Serialize};
use std::io::Cursor;
use store::{NewOrderPicture, PictureKind, Role};
use utoipa::{IntoParams, ToSchema};

/// Largest photograph taken in, in bytes.
pub(crate) const LARGEST: usize = 16 << 20;
/// Longest side of a kept picture, in pixels.
const LONGEST_SIDE: u32 = 1600;
/// Largest side of a photograph taken in, in pixels; more memory than for that is not given.
const LARGEST_SIDE: u32 = 16_000;
const DECODE_BYTES: u64 = 256 << 20;
const QUALITY: u8 = 82;
/// Pictures of cameras are kept this wide.
const WIDTH: u32 = 1280;
/// A snapshot older than this says nothing about how the picture was before the fault.
const BEFORE_MS: i64 = 7 * 24 * 3600 * 1000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyOrder {
    camera: u32,
}

/// How a verification went.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerifiedOrder {
    ladder: Ladder,
    order: OrderView,
}

/// Climb the ladder of one of its cameras now and keep the outcome and the picture with the order
#[utoipa::path(post, path = "/api/v1/orders/{id}/verify", tag = "orders", params(("id" = u64, Path)),
    request_body = VerifyOrder, responses((status = 200, body = VerifiedOrder), (status = 400), (status = 404), (status = 409)))]
pub(crate) async fn verify(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u64>,
    Body(VerifyOrder { camera }): Body<VerifyOrder>,
) -> Result<Json<VerifiedOrder>> {
    let order = app.order(&caller, id).await?;
    let camera = CameraId(camera);
    if !order.cameras.contains(&camera) {
        return Err(Problem::invalid("camera: expected one of the order's cameras"));
    }
    if !order.is_open() {
        return Err(Problem::new(StatusCode::CONFLICT, "wrong_state", "this order is closed"));
    }
    let registry = app.services.registry.load_full();
    if !sees_camera(&caller, &registry, &order, camera) {
        return Err(Problem::not_found());
    }
    let record = registry.camera(camera).ok_or_else(Problem::not_found)?;
    let hiding = app.hiding(&caller).await?;
    let deed = Deed::of(&caller, Action::OrderVerified).on(order.id).detail(camera.to_string());
    app.audit(deed).await?;
    let (ladder, keyframe) = app.probe_telling(record, &mut |_| ()).await?;
    let (layer, cause) = ladder.verdict();
    let mut picture = None;
    if let Some(keyframe) = keyframe {
        let at = keyframe.received.wall;
        if let Ok(jpeg) = app.services.pool.render(camera, keyframe.codec, keyframe.data.clone(), Some(WIDTH)).await {
            picture = Some(
                app.services
                    .store
                    .add_order_picture(NewOrderPicture {
                        order: order.id,
                        kind: PictureKind::After,
                        camera: Some(camera),
                        at,
                        by: caller.user.name.clone(),
                        note: String::new(),
                        jpeg: jpeg.to_vec(),
                    })
                    .await?
                    .id,
            );
        }
    }
    let verification = Verification { camera, at: Wall::read(), by: caller.user.name.clone(), layer, cause, picture };
    // The climb took a while; somebody may have written on the order meanwhile.
    let order = app.order(&caller, id).await?;
    let order = app.act(&caller, &order, Act::Verify(verification)).await?;
    let names = app.names().await?;
    let ladder = ladder.without(|cause| hiding.hides(camera, cause));
    Ok(Json(VerifiedOrder { ladder, order: OrderView::of(&app, &caller, &names, &order) }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct About {
    /// Which of the order's cameras it shows, if one.
    camera: Option<u32>,
    /// In words.
    note: Option<String>,
}

/// Hand in a photograph of the place
#[utoipa::path(post, path = "/api/v1/orders/{id}/pictures", tag = "orders", params(("id" = u64, Path), About),
    request_body(content = Vec<u8>, content_type = "image/jpeg", description = "JPEG or PNG, at most 16 MiB"),
    responses((status = 200, body = OrderPictureView), (status = 400), (status = 404), (status = 413), (status = 415)))]
pub(crate) async fn add(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u64>,
    Query(about): Query<About>,
    file: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<OrderPictureView>> {
    let order = app.order(&caller, id).await?;
    if actor(&caller, &order) == Actor::Technician {
        return Err(Problem::not_found());
    }
    if !order.is_open() {
        return Err(Problem::new(StatusCode::CONFLICT, "wrong_state", "this order is closed"));
    }
    let camera = about.camera.map(CameraId);
    if camera.is_some_and(|c| !order.cameras.contains(&c)) {
        return Err(Problem::invalid("camera: expected one of the order's cameras"));
    }
    let note = note(about.note.as_deref())?;
    let file = file.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "the picture did not arrive whole or is larger than 16 MiB",
        )
    })?;
    let _one_at_a_time = app.photographs.acquire().await;
    let jpeg = tokio::task::spawn_blocking(move || recode(&file))
        .await
        .map_err(|e| Problem::internal("a photograph could not be read", e))??;
    let deed = Deed::of(&caller, Action::OrderPictureAdded).on(order.id).because(note.as_str());
    app.audit(deed).await?;
    let kept = app.services.store.add_order_picture(NewOrderPicture {
        order: order.id,
        kind: PictureKind::Photo,
        camera,
        at: Wall::read(),
        by: caller.user.name.clone(),
        note,
        jpeg,
    });
    Ok(Json(kept.await?.into()))
}

/// A picture of an order, as JPEG
#[utoipa::path(get, path = "/api/v1/orders/{id}/pictures/{picture}", tag = "orders",
    params(("id" = u64, Path), ("picture" = u64, Path)),
    responses((status = 200, content_type = "image/jpeg", body = Vec<u8>), (status = 404)))]
pub(crate) async fn picture(
    State(app): State<App>,
    caller: Caller,
    Path((id, picture)): Path<(u64, u64)>,
    headers: HeaderMap,
) -> Result<Response> {
    let order = app.order(&caller, id).await?;
    let etag = format!("\"{id}-{picture}\"");
    let common = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "private, max-age=3600, immutable".to_owned())];
    let kept = app.services.store.order_pictures(order.id).await?;
    let camera = kept.iter().find(|p| p.id == picture).ok_or_else(Problem::not_found)?.camera;
    if camera.is_some_and(|c| !sees_camera(&caller, &app.services.registry.load_full(), &order, c)) {
        return Err(Problem::not_found());
    }
    let jpeg = app.services.store.order_picture(order.id, picture).await?.ok_or_else(Problem::not_found)?;
    if validator::known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    // What a technician sees outside the archive is written down as well.
    if caller.user.role == Role::Technician {
        let deed = Deed::of(&caller, Action::OrderPictureViewed).on(order.id).detail(picture.to_string());
        app.audit(deed).await?;
    }
    Ok((common, [(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

impl App {
    /// Keeps, once, how each camera looked before the repair, however late the order is opened. An order without such
    /// pictures is still an order, so nothing here fails.
    pub(crate) async fn keep_before(&self, order: &Order) {
        match self.services.store.order_pictures(order.id).await {
            Ok(kept) if kept.iter().any(|p| p.kind == PictureKind::Before) => return,
            Ok(_) => {}
            Err(error) => return tracing::warn!(%error, order = %order.id, "cannot look for pictures of an order"),
        }
        let Ok(Some(incident)) = self.any_incident(order.incident.0).await else {
            return tracing::warn!(order = %order.id, "cannot find the incident of an order");
        };
        for camera in order.to_verify() {
            let Some((jpeg, at)) = self.before(*camera, &incident).await else { continue };
            let picture = NewOrderPicture {
                order: order.id,
                kind: PictureKind::Before,
                camera: Some(*camera),
                at,
                by: "system".to_owned(),
                note: String::new(),
                jpeg,
            };
            if let Err(error) = self.services.store.add_order_picture(picture).await {
                tracing::warn!(%error, order = %order.id, "cannot keep a picture of an order");
            }
        }
    }

    /// How a camera looked before the repair of what began then: at best a picture that shows the fault, else the last
    /// one from before it began. Nothing later: that may be from after the repair.
    async fn before(&self, camera: CameraId, incident: &Incident) -> Option<(Vec<u8>, Wall)> {
        let around = SnapshotQuery {
            cameras: Some(vec![camera]),
            from: Some(Wall(incident.opened.0 - BEFORE_MS)),
            kind: Kind::Snapshot,
            limit: 1,
            ..SnapshotQuery::default()
        };
        let cause = incident.members.iter().find(|m| m.camera == camera).map_or(incident.cause, |m| m.cause);
        if cause.status() == Status::Impaired {
            let failing = SnapshotQuery {
                from: Some(incident.opened),
                until: incident.resolved,
                cause: Some(cause),
                ..around.clone()
            };
            if let Some(found) = self.newest_picture(camera, &failing).await {
                return Some(found);
            }
        }
        if let Some(found) =
            self.newest_picture(camera, &SnapshotQuery { until: Some(incident.opened), ..around }).await
        {
            return Some(found);
        }
        let seen = self.services.gallery.get(camera).filter(|t| t.received < incident.opened)?;
        Some((seen.jpeg.to_vec(), seen.received))
    }

    async fn newest_picture(&self, camera: CameraId, query: &SnapshotQuery) -> Option<(Vec<u8>, Wall)> {
        let services = &self.services;
        let page = services.archive.search(query).await.ok()?;
        let Some(Entry::Snapshot(found)) = page.entries.first() else { return None };
        let snapshot = services.archive.read(&found.id).await.ok()?;
        let jpeg = services.pool.render(camera, found.codec, snapshot.data, Some(WIDTH)).await.ok()?;
        Some((jpeg.to_vec(), found.captured))
    }
}

/// Decodes what was handed in and codes it anew, upright and no larger than is of use.
fn recode(file: &[u8]) -> Result<Vec<u8>> {
    let unreadable = |_| Problem::invalid("the picture cannot be read; expected an intact JPEG or PNG");
    let format = image::guess_format(file).ok().filter(|f| matches!(f, ImageFormat::Jpeg | ImageFormat::Png));
    let Some(format) = format else {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "picture_expected",
            "expected a JPEG or PNG picture",
        ));
    };
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(DECODE_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    if picture.width().max(picture.height()) > LONGEST_SIDE {
        picture = picture.resize(LONGEST_SIDE, LONGEST_SIDE, image::imageops::FilterType::Triangle);
    }
    let mut jpeg = Vec::new();
    picture
        .to_rgb8()
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
        .map_err(|e| Problem::internal("a photograph could not be coded", e))?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn coded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, y| Rgb([(x % 256) as u8, (y % 256) as u8, 90]));
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    /// An EXIF segment that says how the telephone was held, where it was and whose it is.
    fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x02".to_vec();
        tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
        tiff.extend([0x01, 0x3b, 0, 2, 0, 0, 0, 12, 0, 0, 0, 38]);
        tiff.extend(b"\0\0\0\0Zhang Secret");
        let mut segment = vec![0xff, 0xe1];
        segment.extend(u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
        segment.extend(b"Exif\0\0");
        segment.extend(tiff);
        [&jpeg[..2], &segment, &jpeg[2..]].concat()
    }

    fn size(jpeg: &[u8]) -> (u32, u32) {
        let picture = image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap();
        (picture.width(), picture.height())
    }

    #[test]
    fn photographs_are_coded_anew_upright_small_and_without_what_the_telephone_wrote() {
        let jpeg = coded(400, 200, ImageFormat::Jpeg);
        assert_eq!(size(&recode(&jpeg).unwrap()), (400, 200));
        assert_eq!(size(&recode(&coded(3200, 1000, ImageFormat::Png)).unwrap()), (1600, 500));
        let turned = with_exif(&jpeg, 6);
        assert!(turned.windows(6).any(|w| w == b"Secret"));
        let kept = recode(&turned).unwrap();
        assert_eq!(size(&kept), (200, 400), "held upright");
        assert!(!kept.windows(6).any(|w| w == b"Secret"));
    }

    #[test]
    fn whatever_else_is_handed_in_is_refused() {
        let jpeg = coded(100, 100, ImageFormat::Jpeg);
        for (file, status) in [
            (&b""[..], 415),
            (b"GIF89a\x01\0\x01\0", 415),
            (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", 415),
            (b"\xff\xd8\xff\xe0 not really", 400),
            (&jpeg[..20], 400),
        ] {
            assert_eq!(recode(file).unwrap_err().status().as_u16(), status, "{file:?}");
        }
        // A PNG that claims to be larger than any memory.
        let mut bomb = coded(10, 10, ImageFormat::Png);
        bomb[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        assert!(recode(&bomb).is_err());
        let tail = [&jpeg[..], b"<script>alert(1)</script>"].concat();
        assert!(!recode(&tail).unwrap().windows(8).any(|w| w == b"<script>"));
    }
}
