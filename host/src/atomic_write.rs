//! Files that are written as a whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Puts `bytes` in place of what is in the file, if it is there. Whoever opens it sees the old
/// file or the new one, also after this process was killed or the disk was full. What is no
/// regular file, such as a pipe, is written to.
///
/// # Errors
/// When it cannot be written; then the old one is there still.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Where a link leads is what is meant, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return fs::write(path, bytes);
    }
    let draft = draft(&path);
    let written = File::create(&draft)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, &path));
    written.inspect_err(|_| {
        // What is left of it is of no use; the error says what matters.
        let _ = fs::remove_file(&draft);
    })
}

/// Checks that a file can be written there, as far as that shows before there is anything to write.
///
/// # Errors
/// Those of [`write()`], for what stands in the way.
pub fn check(path: &Path) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match path.metadata() {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => Ok(()),
        _ => {
            let draft = draft(&path);
            File::create(&draft).and_then(|_| fs::remove_file(&draft))
        }
    }
}

/// Names the file that is written until it is whole.
fn draft(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_and_drafts_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        symlink(&file, &link).unwrap();
        fs::write(&file, "old").unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(link.is_symlink());
        write(&folder.path().join("gone/file"), b"new").unwrap_err();
        write(folder.path(), b"new").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        write(Path::new("/dev/null"), b"new").unwrap();
    }
}
