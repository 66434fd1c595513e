//! How quickly work orders are answered and repaired, and how often the suggested cause was right.

use super::orders::{AssigneeView, PAGES, assignee_view, sees};
use crate::{
    app::App,
    caller::Caller,
    problem::{Problem, Query, Result},
    words::LikelyWord,
};
use axum::{Json, extract::State};
use fleet::{TownId, Wall};
use health::{
    IncidentId, LikelyCause,
    desk::{self, Assignee, Confirmed, Share},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use store::OrderQuery;
use utoipa::{IntoParams, ToSchema};

/// Longest time that figures may be asked for.
const LONGEST_MS: i64 = 400 * 24 * 3600 * 1000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// Opened at or after; 30 days ago if absent.
    from: Option<i64>,
    /// Opened before; now if absent.
    until: Option<i64>,
}

/// OrderFiguresView of some orders; times are means in milliseconds.
#[derive(Serialize, ToSchema)]
struct OrderShareView {
    /// Whose; null for those that nobody has, and for the sum of all.
    who: Option<AssigneeView>,
    town: Option<u32>,
    orders: u32,
    accepted: u32,
    open: u32,
    overdue: u32,
    response_ms: Option<u64>,
    repair_ms: Option<u64>,
    repaired: u32,
    in_time: u32,
}

fn share_view(who: Option<AssigneeView>, town: Option<TownId>, share: &Share) -> OrderShareView {
    let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    OrderShareView {
        who,
        town: town.map(|t| t.0),
        orders: share.orders,
        accepted: share.accepted,
        open: share.open,
        overdue: share.overdue,
        response_ms: share.response.map(millis),
        repair_ms: share.repair.map(millis),
        repaired: share.repaired,
        in_time: share.in_time,
    }
}

/// How often a suggested cause was found to be this one.
#[derive(Serialize, ToSchema)]
struct AgreementView {
    suggested: LikelyWord,
    found: LikelyWord,
    /// What was found is what had been suggested.
    agrees: bool,
    count: u32,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OrderFiguresView {
    from: i64,
    until: i64,
    all: OrderShareView,
    /// Each for the time in which an order was his.
    by_assignee: Vec<OrderShareView>,
    /// Contractors, with the orders given to their technicians.
    by_contractor: Vec<OrderShareView>,
    by_town: Vec<OrderShareView>,
    agreement: Vec<AgreementView>,
    /// Share of the findings on these orders that agree with what the rules had said; null if there are none.
    agreement_rate: Option<f64>,
}

/// How quickly orders are answered and repaired, by contractor and town, and how often the suggested cause was right
#[utoipa::path(get, path = "/api/v1/orders/figures", tag = "orders", params(Range),
    responses((status = 200, body = OrderFiguresView), (status = 400)))]
pub(crate) async fn figures(
    State(app): State<App>,
    caller: Caller,
    Query(range): Query<Range>,
) -> Result<Json<OrderFiguresView>> {
    let now = Wall::read();
    let until = range.until.unwrap_or(now.0);
    let from = range.from.unwrap_or_else(|| until.saturating_sub(30 * 24 * 3600 * 1000));
    if from >= until || until.saturating_sub(from) > LONGEST_MS {
        return Err(Problem::invalid("from, until: expected a range of at most 400 days"));
    }
    let registry = app.services.registry.load_full();
    let mut query =
        OrderQuery { from: Some(Wall(from)), until: Some(Wall(until)), limit: 1000, ..OrderQuery::default() };
    let mut orders = Vec::new();
    for _ in 0..PAGES {
        let page = app.services.store.orders(&query).await?;
        orders.extend(page.items.into_iter().filter(|o| sees(&caller, &registry, o)));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    let users = app.services.store.users().await?;
    let units: BTreeMap<u32, String> = users.into_iter().map(|u| (u.id.0, u.unit.trim().to_owned())).collect();
    let told = desk::figures(&orders, |user| units.get(&user).cloned(), now);
    // Of an incident with several orders the newest finding counts.
    let mut found: BTreeMap<IncidentId, &Confirmed> = BTreeMap::new();
    for confirmed in orders.iter().filter_map(|o| o.confirmed.as_ref()) {
        let newest = found.entry(confirmed.incident).or_insert(confirmed);
        if newest.at < confirmed.at {
            *newest = confirmed;
        }
    }
    let right = found.values().filter(|c| c.suggested.is_met_by(c.found)).count();
    let mut agreement: BTreeMap<(LikelyCause, LikelyCause), u32> = BTreeMap::new();
    for confirmed in found.values() {
        *agreement.entry((confirmed.suggested, confirmed.found)).or_default() += 1;
    }
    let names = app.names().await?;
    Ok(Json(OrderFiguresView {
        from,
        until,
        all: share_view(None, None, &told.all),
        by_assignee: told
            .by_assignee
            .iter()
            .map(|(who, share)| share_view(who.as_ref().map(|w| assignee_view(w, &names)), None, share))
            .collect(),
        by_contractor: told
            .by_contractor
            .iter()
            .filter_map(|(unit, share)| Some((Assignee::Contractor(unit.clone()?), share)))
            .map(|(who, share)| share_view(Some(assignee_view(&who, &names)), None, share))
            .collect(),
        by_town: told
            .by_town
            .iter()
            .filter(|(town, _)| town.is_none_or(|t| caller.scope.sees_town(&registry, t)))
            .map(|(town, share)| share_view(None, *town, share))
            .collect(),
        agreement: agreement
            .iter()
            .map(|((suggested, found), count)| AgreementView {
                suggested: (*suggested).into(),
                found: (*found).into(),
                agrees: suggested.is_met_by(*found),
                count: *count,
            })
            .collect(),
        agreement_rate: (!found.is_empty()).then(|| right as f64 / found.len() as f64),
    }))
}
