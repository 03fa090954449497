//! Lists the components that the binary carries: what `make plugins` left in `target/plugins`.
//! Builds the host anew when a migration is added.

use std::{env, fs, io, path::Path};

#[expect(clippy::disallowed_methods, reason = "the environment is how cargo talks to a build script")]
fn main() -> io::Result<()> {
    // `sqlx::migrate!` notices changed migrations but not new ones.
    println!("cargo:rerun-if-changed=../migrations");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/plugins");
    // Cargo runs this script at every build while a path it watches is missing.
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            println!("cargo:rerun-if-changed={}", path.display());
            files.push(path);
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for path in &files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        list.push_str(&format!("    ({name:?}, include_bytes!({path:?}) as &[u8]),\n"));
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("bundled.rs"), list)
}
