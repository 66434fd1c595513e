//! Every closed list with its words in Chinese and English, so that pages need no copy of them.

use crate::words::{self, CauseWord, LayerWord, LikelyWord, StatusWord};
use axum::{Json, http::header, response::IntoResponse};
use fleet::{Cause, Layer, Status};
use health::{About, Joining, Rule};
use serde::Serialize;
use store::Role;
use utoipa::ToSchema;

/// A code word and what it is called.
#[derive(Serialize, ToSchema)]
pub(crate) struct Word {
    pub(crate) code: String,
    pub(crate) zh: String,
    pub(crate) en: String,
}

impl Word {
    fn new(code: impl Into<String>, (zh, en): (&str, &str)) -> Word {
        Word { code: code.into(), zh: zh.to_owned(), en: en.to_owned() }
    }
}

/// A cause: where it shows, what it makes of a camera, what to do.
#[derive(Serialize, ToSchema)]
struct CauseText {
    code: CauseWord,
    layer: LayerWord,
    status: StatusWord,
    zh: &'static str,
    en: &'static str,
    next_zh: &'static str,
    next_en: &'static str,
}

/// A rule that infers a cause: when it speaks, and its sentence, with names in braces where figures are filled in.
#[derive(Serialize, ToSchema)]
struct RuleText {
    code: &'static str,
    /// Which incidents it is about: one of `rule_scopes`.
    scope: String,
    /// In which situation it speaks: one of `situations`.
    situation: String,
    /// Only for causes of this rung.
    layer: Option<LayerWord>,
    /// Only for this cause.
    cause: Option<CauseWord>,
    likely: LikelyWord,
    confidence: u8,
    zh: &'static str,
    en: &'static str,
}

impl RuleText {
    fn of(rule: &Rule) -> RuleText {
        let (layer, cause) = match rule.about {
            About::Everything => (None, None),
            About::Layer(layer) => (Some(layer.into()), None),
            About::Cause(cause) => (None, Some(cause.into())),
        };
        RuleText {
            code: rule.name,
            scope: words::code(&rule.scope),
            situation: words::code(&rule.situation),
            layer,
            cause,
            likely: rule.likely.into(),
            confidence: rule.confidence,
            zh: rule.zh,
            en: rule.en,
        }
    }
}

/// A rule that makes one incident of many cameras: when it does, and its sentence.
#[derive(Serialize, ToSchema)]
struct JoiningText {
    code: &'static str,
    /// What its members share: one of `shared`.
    shared: String,
    /// At least so many of its parts are silent: cameras of a link, links of anything wider.
    parts: u32,
    /// At least this share, in percent, of all cameras that can testify fell silent.
    share: u32,
    /// The first and the last fell silent within so many seconds; the window of correlation if null.
    within_s: Option<u32>,
    zh: &'static str,
    en: &'static str,
}

impl JoiningText {
    fn of(rule: &Joining) -> JoiningText {
        let Joining { name: code, shared, parts, share, within_s, zh, en } = *rule;
        JoiningText { code, shared: words::code(&shared), parts, share, within_s, zh, en }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Vocabulary {
    statuses: Vec<Word>,
    layers: Vec<Word>,
    causes: Vec<CauseText>,
    likely: Vec<Word>,
    severities: Vec<Word>,
    classes: Vec<Word>,
    roles: Vec<Word>,
    parts: Vec<Word>,
    order_states: Vec<Word>,
    order_outcomes: Vec<Word>,
    hold_reasons: Vec<Word>,
    rule_scopes: Vec<Word>,
    situations: Vec<Word>,
    rules: Vec<RuleText>,
    shared: Vec<Word>,
    joinings: Vec<JoiningText>,
}

fn list<T: Serialize>(words: &[(T, &str, &str)]) -> Vec<Word> {
    words.iter().map(|(value, zh, en)| Word::new(words::code(value), (zh, en))).collect()
}

/// Code words and their names
#[utoipa::path(get, path = "/api/v1/vocabulary", tag = "about", responses((status = 200, body = Vocabulary)))]
pub(crate) async fn vocabulary() -> impl IntoResponse {
    let vocabulary = Vocabulary {
        statuses: Status::ALL.iter().map(|s| Word::new(s.code(), s.text())).collect(),
        layers: Layer::ALL.iter().map(|l| Word::new(l.code(), l.text())).collect(),
        causes: Cause::ALL
            .iter()
            .map(|&cause| {
                let ((zh, en), (next_zh, next_en)) = (cause.text(), cause.next_step());
                CauseText {
                    code: cause.into(),
                    layer: cause.layer().into(),
                    status: cause.status().into(),
                    zh,
                    en,
                    next_zh,
                    next_en,
                }
            })
            .collect(),
        likely: list(&words::LIKELY),
        severities: list(&words::SEVERITIES),
        classes: list(&words::CLASSES),
        roles: Role::ALL.iter().map(|r| Word::new(r.code(), words::role_text(*r))).collect(),
        parts: list(&words::PARTS),
        order_states: list(&words::ORDER_STATES),
        order_outcomes: list(&words::OUTCOMES),
        hold_reasons: list(&words::HOLD_REASONS),
        rule_scopes: list(&words::RULE_SCOPES),
        situations: list(&words::SITUATIONS),
        rules: health::rules().iter().map(RuleText::of).collect(),
        shared: list(&words::SHARED),
        joinings: health::joinings().iter().map(JoiningText::of).collect(),
    };
    ([(header::CACHE_CONTROL, "private, max-age=300")], Json(vocabulary))
}
