//! Prints the OpenAPI document: `cargo run -p sharpeyes-web --example openapi > openapi.json`.
#![allow(clippy::print_stdout)]

fn main() -> Result<(), serde_json::Error> {
    println!("{}", web::openapi().to_json()?);
    Ok(())
}
