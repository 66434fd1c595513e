//! The dashboard's files, embedded in the program. No path of the file system is ever built from a request.

use crate::{problem::Problem, validator};
use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `npm run build` made; empty in a build without Node.
#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Files;

/// Served instead of the dashboard when it was not built.
const UNBUILT: &str = "<!doctype html>
<html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>SharpEyes</title>
<meta name=\"viewport\" content=\"width=device-width\"></head><body>
<h1>SharpEyes</h1>
<p>服务已在运行，但本程序未包含网页界面。请在源码目录执行 <code>./task demo</code>（会构建界面），或在
<code>crates/web/ui</code> 执行 <code>npm ci &amp;&amp; npm run build</code> 后重新编译。</p>
<p lang=\"en\">The service runs, but this program was built without the dashboard. Run <code>./task demo</code> in the
source folder (it builds the dashboard), or <code>npm ci &amp;&amp; npm run build</code> in
<code>crates/web/ui</code>, and compile again.</p>
<p>API: <code>/api/v1/openapi.json</code></p>
</body></html>
";

/// Answers everything that is not the API.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this method does not exist here")
            .into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if path != "index.html"
        && let Some(file) = Files::get(path)
    {
        return answer(path, &file, &headers);
    }
    // Pages of the dashboard have addresses of their own without a file behind them; files have an extension.
    if path.rsplit('/').next().is_some_and(|name| name.contains('.') && name != "index.html") {
        return Problem::not_found().into_response();
    }
    match Files::get("index.html") {
        Some(file) => answer("index.html", &file, &headers),
        None => ([(header::CACHE_CONTROL, "no-store")], Html(UNBUILT)).into_response(),
    }
}

fn answer(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    // Files of the build carry the hash of their content in their name.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if validator::known(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.metadata.mimetype())], file.data.clone().into_owned()).into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, value);
    }
    response
}
