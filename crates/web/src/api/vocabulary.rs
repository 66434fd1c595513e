//! Every closed list with its words in Chinese and English, so that pages need no copy of them.

use crate::words::{self, CauseWord, LayerWord, LikelyWord, StatusWord};
use axum::{Json, http::header, response::IntoResponse};
use fleet::{Cause, Layer, Status};
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

/// A rule that infers a cause: its sentence, with names in braces where figures are filled in.
#[derive(Serialize, ToSchema)]
struct RuleText {
    code: &'static str,
    likely: LikelyWord,
    confidence: u8,
    zh: &'static str,
    en: &'static str,
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
    rules: Vec<RuleText>,
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
        rules: health::rules()
            .iter()
            .map(|rule| RuleText {
                code: rule.name,
                likely: rule.likely.into(),
                confidence: rule.confidence,
                zh: rule.zh,
                en: rule.en,
            })
            .collect(),
    };
    ([(header::CACHE_CONTROL, "private, max-age=300")], Json(vocabulary))
}
