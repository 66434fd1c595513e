//! Makes sure that the folder of the built dashboard exists, so that the crate compiles without Node.
//! An empty folder is fine: the program then serves a page that says how to build the dashboard.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Read-only sources are no reason to fail: the embedding copes with a missing folder.
    let _ = std::fs::create_dir_all("ui/dist");
    if std::path::Path::new("ui/dist").is_dir() {
        println!("cargo::rerun-if-changed=ui/dist");
    }
}
