//! Applies the migrations to a fresh database, against which sqlx checks every `query!` at compile time. So queries are
//! checked on every build, without a database server and without a prepared cache in the tree.

use sqlx::{ConnectOptions, Connection, migrate::Migrator, sqlite::SqliteConnectOptions};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=migrations");
    let file = Path::new(&std::env::var("OUT_DIR")?).join("schema.db");
    if file.exists() {
        std::fs::remove_file(&file)?;
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await?;
        Migrator::new(Path::new("migrations")).await?.run(&mut connection).await?;
        connection.close().await?;
        Ok::<(), Box<dyn std::error::Error>>(())
    })?;
    println!("cargo:rustc-env=DATABASE_URL=sqlite://{}", file.display());
    Ok(())
}
