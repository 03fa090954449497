//! Lists what the binary carries: the components that `make plugins` left in `target/plugins`,
//! and the files of new projects for `plugin new`. Builds the host anew when a migration is added.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// For each language what a new project is made of: a file or folder of this repository,
/// and its place in the project.
const PROJECTS: [(&str, &[(&str, &str)]); 3] = [
    (
        "rust",
        &[
            ("plugins/templates/rust", ""),
            ("plugins/templates/cassettes", "cassettes"),
            ("plugins/sdk/Cargo.toml", "sdk/Cargo.toml"),
            ("plugins/sdk/src", "sdk/src"),
            ("wit", "sdk/wit"),
        ],
    ),
    (
        "js",
        &[
            ("plugins/templates/js", ""),
            ("plugins/templates/cassettes", "cassettes"),
            ("plugins/sdk-js/src", "sdk"),
            ("wit", "sdk/wit"),
        ],
    ),
    (
        "python",
        &[
            ("plugins/templates/python", ""),
            ("plugins/templates/cassettes", "cassettes"),
            ("plugins/sdk-python/pixcrawler", "pixcrawler"),
            ("wit", "pixcrawler/wit"),
        ],
    ),
];

#[expect(clippy::disallowed_methods, reason = "the environment is how cargo talks to a build script")]
fn main() -> io::Result<()> {
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    let out = Path::new(&out);
    // `sqlx::migrate!` notices changed migrations but not new ones.
    println!("cargo:rerun-if-changed=../migrations");
    fs::write(out.join("bundled.rs"), bundled()?)?;
    fs::write(out.join("projects.rs"), projects()?)
}

fn bundled() -> io::Result<String> {
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
    Ok(list)
}

fn projects() -> io::Result<String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let mut list = String::from("&[\n");
    for (language, parts) in PROJECTS {
        list.push_str(&format!("    ({language:?}, &[\n"));
        for (from, to) in parts {
            let from = repository.join(from);
            println!("cargo:rerun-if-changed={}", from.display());
            for file in files(&from)? {
                let place = match file.strip_prefix(&from) {
                    Ok(below) if file != from => Path::new(to).join(below),
                    _ => PathBuf::from(to),
                };
                list.push_str(&format!("        ({place:?}, include_str!({file:?})),\n"));
            }
        }
        list.push_str("    ]),\n");
    }
    list.push(']');
    Ok(list)
}

/// The file itself, or all files below a folder, sorted; but for what Python leaves behind.
fn files(from: &Path) -> io::Result<Vec<PathBuf>> {
    if from.is_file() {
        return Ok(vec![from.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if !path.ends_with("__pycache__") {
            found.extend(files(&path)?);
        }
    }
    found.sort();
    Ok(found)
}
