//! Prints the OpenAPI document of the API, for `npm run schema`.
#![allow(clippy::print_stdout, missing_docs)]

fn main() {
    println!("{}", serde_json::to_string(&web::openapi()).unwrap_or_default());
}
