//! The document of the API is a valid OpenAPI 3.1 document and says what is served.

use crate::support::County;
use serde_json::Value;
use std::collections::BTreeSet;
use store::Role;

#[tokio::test]
async fn the_document_is_served_and_complete() {
    let county = County::start().await;
    let document = county.signed_in(Role::Technician).await.json("/api/v1/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["info"]["title"], "SharpEyes");
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{id} says nothing");
            assert!(operation["responses"].as_object().unwrap().contains_key("default"), "{id} has no error");
            assert!(
                operation["responses"].as_object().unwrap().keys().any(|s| s.starts_with('2') || s == "101"),
                "{id}"
            );
            let named = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(named.clone()), "{named} twice");
            let declared: BTreeSet<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|p| p["in"] == "path")
                .map(|p| p["name"].as_str().unwrap())
                .collect();
            let used: BTreeSet<&str> = path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(declared, used, "{id}");
        }
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in references(&document) {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas.contains_key(name), "{reference} leads nowhere");
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(text)) => vec![text.clone()],
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// A light check of a value against a schema of the document: required fields, no unknown ones, types, words.
fn conforms(value: &Value, schema: &Value, document: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return conforms(value, &document["components"]["schemas"][name], document, at);
    }
    for many in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[many].as_array() {
            let fits =
                choices.iter().any(|choice| std::panic::catch_unwind(|| conforms(value, choice, document, at)).is_ok());
            assert!(fits, "{at}: {value} fits none of {schema}");
            return;
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = kinds.contains(&kind) || (kind == "integer" && kinds.contains(&"number"));
    assert!(fits, "{at}: {value} is no {kinds:?}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value) || value.is_null(), "{at}: {value} is none of {words:?}");
    }
    if let (Value::Object(fields), Some(properties)) = (value, schema["properties"].as_object()) {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(fields.contains_key(required), "{at}: {required} is missing");
        }
        for (name, field) in fields {
            let property = properties.get(name).unwrap_or_else(|| panic!("{at}: {name} is not documented"));
            conforms(field, property, document, &format!("{at}.{name}"));
        }
    }
    if let Value::Array(items) = value {
        for (i, item) in items.iter().enumerate() {
            conforms(item, &schema["items"], document, &format!("{at}[{i}]"));
        }
    }
}

#[tokio::test]
async fn answers_are_what_the_document_says() {
    let county = County::start().await;
    county.publish_with(&[(1, fleet::Cause::NoAnswer)], vec![crate::incidents::outage(1, &[1, 2])]);
    let admin = county.signed_in(Role::Administrator).await;
    let document = admin.json("/api/v1/openapi.json").await;
    assert_eq!(admin.post("/api/v1/orders", &serde_json::json!({ "incident": 1 })).await.status(), 200);
    for (path, documented) in [
        ("/api/v1/session", "/api/v1/session"),
        ("/api/v1/vocabulary", "/api/v1/vocabulary"),
        ("/api/v1/fleet", "/api/v1/fleet"),
        ("/api/v1/states", "/api/v1/states"),
        ("/api/v1/overview", "/api/v1/overview"),
        ("/api/v1/cameras/1", "/api/v1/cameras/{id}"),
        ("/api/v1/cameras/1/ladder", "/api/v1/cameras/{id}/ladder"),
        ("/api/v1/cameras/1/history", "/api/v1/cameras/{id}/history"),
        ("/api/v1/incidents?open=true", "/api/v1/incidents"),
        ("/api/v1/incidents/1", "/api/v1/incidents/{id}"),
        ("/api/v1/channels", "/api/v1/channels"),
        ("/api/v1/channels/deliveries", "/api/v1/channels/deliveries"),
        ("/api/v1/windows", "/api/v1/windows"),
        ("/api/v1/excuses", "/api/v1/excuses"),
        ("/api/v1/orders", "/api/v1/orders"),
        ("/api/v1/orders/1", "/api/v1/orders/{id}"),
        ("/api/v1/orders/figures", "/api/v1/orders/figures"),
        ("/api/v1/orders/assignees", "/api/v1/orders/assignees"),
        ("/api/v1/incidents/1/orders", "/api/v1/incidents/{id}/orders"),
        ("/api/v1/reports?period=day&date=2026-01-05", "/api/v1/reports"),
        ("/api/v1/users", "/api/v1/users"),
        ("/api/v1/audit", "/api/v1/audit"),
        ("/api/v1/self", "/api/v1/self"),
        ("/api/v1/retention", "/api/v1/retention"),
    ] {
        let schema = &document["paths"][documented]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{documented} has no schema");
        conforms(&admin.json(path).await, schema, &document, path);
    }
    let refused = admin.get("/api/v1/cameras/4242").await.json::<Value>().await.unwrap();
    conforms(&refused, &document["components"]["schemas"]["Problem"], &document, "problem");
}
