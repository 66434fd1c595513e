//! Reports by mail: which goes to whom and when, tried out, and what became of each.

use crate::{
    api::{channels::Trial, limit},
    app::{App, done},
    audit::{Action, Deed},
    caller::Caller,
    mailings,
    paging::{Rows, page},
    problem::{Body, Path, Problem, Query, Result},
    reports::{Group, Language},
    validator,
    views::Paged,
    words::{EveryWord, code},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use fleet::{SiteId, TownId, Wall};
use health::desk::ChannelId;
use serde::{Deserialize, Serialize};
use store::{Mailing, MailingId, MailingPlan, Sending};
use utoipa::{IntoParams, ToSchema};

/// A report that goes out by mail again and again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MailingView {
    id: u32,
    name: String,
    enabled: bool,
    every: EveryWord,
    weekday: u8,
    day: u8,
    minute: u16,
    group: Group,
    town: Option<u32>,
    site: Option<u32>,
    contractor: Option<String>,
    channel: u32,
    to: Vec<String>,
    language: Language,
}

impl From<&Mailing> for MailingView {
    fn from(m: &Mailing) -> MailingView {
        let plan = &m.plan;
        MailingView {
            id: m.id.0,
            name: m.name.clone(),
            enabled: m.enabled,
            every: plan.every.into(),
            weekday: plan.weekday,
            day: plan.day,
            minute: plan.minute,
            group: crate::words::from_code(&plan.group).unwrap_or(Group::Town),
            town: plan.town,
            site: plan.site,
            contractor: plan.contractor.clone(),
            channel: plan.channel.0,
            to: plan.to.clone(),
            language: crate::words::from_code(&plan.language).unwrap_or_default(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailingInput {
    name: String,
    enabled: bool,
    /// The report tells of the day, week or month that is over.
    every: EveryWord,
    /// On which day of the week a weekly report goes out: 1 (Monday) to 7.
    #[schema(minimum = 1, maximum = 7)]
    weekday: u8,
    /// On which day of the month a monthly one does: 1 to 28.
    #[schema(minimum = 1, maximum = 28)]
    day: u8,
    /// At which minute of the county's day.
    #[schema(minimum = 0, maximum = 1439)]
    minute: u16,
    group: Group,
    /// Only of this town.
    town: Option<u32>,
    /// Only of this site.
    site: Option<u32>,
    /// Only of this contractor; empty for cameras without one.
    contractor: Option<String>,
    /// The channel whose mail server sends it.
    channel: u32,
    /// Readers, at most 50; the channel's own if there is none.
    to: Vec<String>,
    language: Language,
}

impl MailingInput {
    async fn mailing(self, app: &App, before: Option<&Mailing>) -> Result<Mailing> {
        let name = self.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return Err(Problem::invalid("name: expected 1 to 60 characters on one line"));
        }
        if !(1..=7).contains(&self.weekday) || !(1..=28).contains(&self.day) || self.minute >= 24 * 60 {
            return Err(Problem::invalid("weekday, day, minute: expected 1 to 7, 1 to 28, 0 to 1439"));
        }
        let to: Vec<String> = self.to.iter().map(|reader| reader.trim().to_owned()).collect();
        if to.len() > 50 || !to.iter().all(|reader| notify::is_reader(reader)) {
            return Err(Problem::invalid("to: expected at most 50 mail addresses such as chief@example.org"));
        }
        let registry = app.services.registry.load_full();
        let known = self.town.is_none_or(|t| registry.town(TownId(t)).is_some())
            && self.site.is_none_or(|s| registry.site(SiteId(s)).is_some());
        if !known {
            return Err(Problem::invalid("town, site: expected those of the register"));
        }
        if self.contractor.as_ref().is_some_and(|c| c.chars().count() > 200 || c.chars().any(char::is_control)) {
            return Err(Problem::invalid("contractor: expected at most 200 characters on one line"));
        }
        let channels = app.services.store.channels().await?;
        if !channels.iter().any(|c| c.id.0 == self.channel && c.kind == "email") {
            return Err(Problem::invalid("channel: expected one of e-mail"));
        }
        let plan = MailingPlan {
            every: self.every.0,
            weekday: self.weekday,
            day: self.day,
            minute: self.minute,
            group: code(&self.group),
            town: self.town,
            site: self.site,
            contractor: self.contractor,
            channel: ChannelId(self.channel),
            to,
            language: code(&self.language),
        };
        // Another name makes no report due again.
        let since = before.filter(|b| (b.enabled, &b.plan) == (self.enabled, &plan)).map(|b| b.changed);
        Ok(Mailing {
            id: before.map_or(MailingId(0), |b| b.id),
            name,
            enabled: self.enabled,
            plan,
            changed: since.unwrap_or_else(Wall::read),
        })
    }
}

/// Every report that goes out by mail
#[utoipa::path(get, path = "/api/v1/mailings", tag = "mailings", params(Rows),
    responses((status = 200, body = Paged<MailingView>), (status = 400)))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Caller,
    Query(rows): Query<Rows>,
) -> Result<Json<Paged<MailingView>>> {
    let mailings = app.services.store.mailings().await?;
    Ok(Json(page(mailings.iter().map(MailingView::from).collect(), &rows, |m| m.id)?))
}

async fn find(app: &App, id: u32) -> Result<Mailing> {
    let mailings = app.services.store.mailings().await?;
    mailings.into_iter().find(|m| m.id == MailingId(id)).ok_or_else(Problem::not_found)
}

/// One of them, to be changed
#[utoipa::path(get, path = "/api/v1/mailings/{id}", tag = "mailings", params(("id" = u32, Path)),
    responses((status = 200, body = MailingView), (status = 404)))]
pub(crate) async fn one(State(app): State<App>, _: Caller, Path(id): Path<u32>) -> Result<Json<MailingView>> {
    Ok(Json(MailingView::from(&find(&app, id).await?)))
}

/// Have a report sent by mail from now on
#[utoipa::path(post, path = "/api/v1/mailings", tag = "mailings", request_body = MailingInput,
    responses((status = 200, body = MailingView), (status = 400)))]
pub(crate) async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(input): Body<MailingInput>,
) -> Result<Json<MailingView>> {
    let _order = app.administration.lock().await;
    let mailing = input.mailing(&app, None).await?;
    app.audit(Deed::of(&caller, Action::MailingAdded).detail(told(&mailing))).await?;
    let made = app.services.store.add_mailing(mailing).await?;
    Ok(Json(MailingView::from(&made)))
}

/// Change what is sent, to whom and when
///
/// What was due before is not sent again.
#[utoipa::path(put, path = "/api/v1/mailings/{id}", tag = "mailings",
    params(("id" = u32, Path), ("If-Match" = Option<String>, Header, description = "ETag of the record as it was looked at; with another the change is refused")),
    request_body = MailingInput, responses((status = 200, body = MailingView), (status = 400), (status = 404),
        (status = 412, description = "code changed_meanwhile")))]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    headers: HeaderMap,
    Body(input): Body<MailingInput>,
) -> Result<Json<MailingView>> {
    let _order = app.administration.lock().await;
    let before = find(&app, id).await?;
    let after = input.mailing(&app, Some(&before)).await?;
    validator::unchanged(&headers, &MailingView::from(&before))?;
    app.audit(Deed::of(&caller, Action::MailingChanged).on(after.id).detail(told(&after))).await?;
    app.services.store.update_mailing(&after, &before).await?;
    Ok(Json(MailingView::from(&after)))
}

fn told(mailing: &Mailing) -> String {
    let plan = &mailing.plan;
    let readers = if plan.to.is_empty() { format!("readers of {}", plan.channel) } else { plan.to.join(", ") };
    format!("{}, {} report, enabled {}, to {readers}", mailing.name, code(&plan.every), mailing.enabled)
}

/// Send it no more
#[utoipa::path(delete, path = "/api/v1/mailings/{id}", tag = "mailings", params(("id" = u32, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<impl IntoResponse> {
    let _order = app.administration.lock().await;
    let mailing = find(&app, id).await?;
    app.audit(Deed::of(&caller, Action::MailingRemoved).on(mailing.id).detail(mailing.name)).await?;
    app.services.store.remove_mailing(mailing.id).await?;
    Ok(done())
}

/// Send the newest report now, as a try-out
///
/// It is marked as one, and what is due is sent all the same.
#[utoipa::path(post, path = "/api/v1/mailings/{id}/test", tag = "mailings", params(("id" = u32, Path)),
    responses((status = 200, body = Trial), (status = 404), (status = 503)))]
pub(crate) async fn test(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Json<Trial>> {
    let mailing = find(&app, id).await?;
    let Ok(_turn) = app.trial_mails.try_acquire() else {
        return Err(Problem::busy("another report is being sent as a try-out"));
    };
    let now = Wall::read();
    let range = mailings::newest(&mailing.plan, now).range;
    let key = format!("{}-{}-test-{}", app.services.courier.node(), mailing.id, now.0);
    // A server that takes its time must not hold the page.
    let sending = mailings::send(&app, &mailing.plan, &[], &range, key, true);
    let limit = app.services.config.request_limit.mul_f64(0.8);
    let tried = tokio::time::timeout(limit, sending).await;
    let tried = tried.unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs())));
    let deed = Deed::of(&caller, Action::MailingTested).on(mailing.id).detail(mailing.name);
    app.audit(if tried.is_ok() { deed } else { deed.failed() }).await?;
    Ok(Json(Trial::of(tried)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this mailing.
    mailing: Option<u32>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A report that was due.
#[derive(Serialize, ToSchema)]
pub(crate) struct SendingView {
    id: u64,
    mailing: u32,
    from: i64,
    until: i64,
    /// When it was due.
    at: i64,
    /// waiting, trying, delivered or failed.
    state: String,
    attempts: u32,
    /// When it is tried next, if it waits.
    next: Option<i64>,
    error: String,
    ended: Option<i64>,
}

impl From<Sending> for SendingView {
    fn from(s: Sending) -> SendingView {
        SendingView {
            id: s.id,
            mailing: s.mailing.0,
            from: s.range.start.0,
            until: s.range.end.0,
            at: s.at.0,
            state: s.state.code().to_owned(),
            attempts: s.attempts,
            next: s.ended.is_none().then_some(s.next.0),
            error: s.error,
            ended: s.ended.map(|t| t.0),
        }
    }
}

/// What was sent, and what was not, newest first
#[utoipa::path(get, path = "/api/v1/mailings/sendings", tag = "mailings", params(Filter),
    responses((status = 200, body = Paged<SendingView>)))]
pub(crate) async fn sendings(
    State(app): State<App>,
    _: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Paged<SendingView>>> {
    let mailing = filter.mailing.map(MailingId);
    let page = app.services.store.sendings(mailing, limit(filter.limit)?, filter.cursor.as_deref()).await?;
    Ok(Json(Paged::from(page).map(Into::into)))
}

/// A channel whose server sends reports stays.
///
/// # Errors
/// 409 with the code `mails_reports`.
pub(crate) async fn not_needed(app: &App, channel: ChannelId) -> Result<()> {
    if app.services.store.mailings().await?.iter().any(|m| m.plan.channel == channel) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "mails_reports",
            "reports go out through this channel; give them another first",
        ));
    }
    Ok(())
}
