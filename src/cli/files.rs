//! Reading what was named and writing results: beside their place first, then renamed, all or none.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::CliError;

/// The files below the given paths, in order: folders are walked, `-` is standard input and stays as it is.
pub(super) fn gather(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            files.push(path.clone());
        } else {
            walk(path, &mut files)?;
        }
    }
    if files.is_empty() {
        return Err(CliError::usage("no file was found below the given paths; check `--trail`"));
    }
    Ok(files)
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let kind = fs::metadata(path).map_err(|e| CliError::input(path, e))?;
    if !kind.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|e| CliError::input(path, e))?;
    let mut below: Vec<PathBuf> = entries.into_iter().map(|e| e.path()).collect();
    below.sort();
    for entry in below {
        if is_record_file(&entry) {
            walk(&entry, files)?;
        }
    }
    Ok(())
}

/// In a folder, hidden files and texts about the records are passed over.
fn is_record_file(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let end = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    !name.starts_with('.') && (path.is_dir() || matches!(end.as_str(), "json" | "gz" | "jsonl" | "ndjson" | "ledger"))
}

/// The name of a file without the folders that lead to it.
pub(super) fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Hands out the Handlebars templates of a folder by name, in order, each to take the place of policyc's own.
pub(super) fn templates<E: Display>(
    folder: &Path,
    mut replace: impl FnMut(&str, String) -> Result<(), E>,
) -> Result<(), CliError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> = entries.map_err(|e| CliError::configuration(folder, e))?.iter().map(|e| e.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_file() && !name(path).starts_with('.')) {
        let text = fs::read_to_string(path).map_err(|e| CliError::configuration(path, e))?;
        replace(&name(path), text).map_err(|e| CliError::configuration(path, e))?;
    }
    Ok(())
}

/// The bytes of a file, or of standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).map_err(|e| CliError::input(path, e))?;
        return Ok(bytes);
    }
    fs::read(path).map_err(|e| CliError::input(path, e))
}

/// Writes all of the files or none: each is written beside its place, then all are renamed. Files whose bytes are the
/// same already are left alone. Gives the paths that changed.
pub(super) fn write_all(outputs: &[(PathBuf, Vec<u8>)]) -> Result<Vec<PathBuf>, CliError> {
    write_over(outputs, &BTreeMap::new())
}

/// As [`write_all`], and refuses when one of the files is no longer what it was read as: somebody edited it meanwhile.
pub(super) fn write_over(outputs: &[(PathBuf, Vec<u8>)], read_as: &BTreeMap<PathBuf, Vec<u8>>) -> Result<Vec<PathBuf>, CliError> {
    let (mut beside, mut streams) = (Vec::new(), Vec::new());
    for (n, (path, bytes)) in outputs.iter().enumerate() {
        if outputs.iter().take(n).any(|(other, _)| other == path) {
            return Err(CliError::usage(format!("`{}` is named for two results", path.display())));
        }
        if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            streams.push((path, bytes)); // a device or pipe: nothing of it can be read back or renamed
            continue;
        }
        let old = fs::read(path).ok();
        if old.as_ref() == Some(bytes) {
            continue;
        }
        beside.push(Beside::write(path, bytes, old)?);
    }
    for file in &beside {
        let expected = read_as.get(&file.path).or(file.old.as_ref());
        if fs::read(&file.path).ok().as_ref() != expected {
            return Err(CliError::output(&file.path, "it was changed meanwhile; run the command again"));
        }
    }
    let mut done: Vec<(PathBuf, PathBuf, Option<Vec<u8>>)> = Vec::new();
    for Beside { path, target, file, old } in beside {
        if let Err(e) = file.persist(&target) {
            done.into_iter().for_each(|(_, target, old)| put_back(&target, old));
            return Err(CliError::output(&path, e.error));
        }
        done.push((path, target, old));
    }
    for (path, bytes) in streams {
        let opened = fs::OpenOptions::new().write(true).open(path);
        opened.and_then(|mut stream| stream.write_all(bytes)).map_err(|e| CliError::output(path, e))?;
    }
    Ok(done.into_iter().map(|(path, ..)| path).collect())
}

/// A file that is written and waits beside its place.
struct Beside {
    path: PathBuf,
    /// What a link leads to, so that the link stays one.
    target: PathBuf,
    file: tempfile::NamedTempFile,
    old: Option<Vec<u8>>,
}

impl Beside {
    fn write(path: &Path, bytes: &[u8], old: Option<Vec<u8>>) -> Result<Self, CliError> {
        let failed = |e: std::io::Error| CliError::output(path, e);
        // Renaming would replace a file that nobody may write to.
        if fs::metadata(path).is_ok_and(|m| m.permissions().readonly()) {
            return Err(CliError::output(path, "it is read-only"));
        }
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        keep_mode(path, &file).map_err(failed)?;
        Ok(Self { path: path.to_owned(), target, file, old })
    }
}

/// Undoes a rename where a later one failed. If that fails too, there is nothing left to try: the error of the later one
/// is told.
fn put_back(target: &Path, old: Option<Vec<u8>>) {
    let _ = match old {
        Some(bytes) => fs::write(target, bytes),
        None => fs::remove_file(target),
    };
}

/// A replaced file keeps its permissions; a new one gets the usual ones instead of a temporary file's.
#[cfg(unix)]
fn keep_mode(path: &Path, file: &tempfile::NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0o644, |m| m.permissions().mode());
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_mode(_: &Path, _: &tempfile::NamedTempFile) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test says what is wrong by panicking

    use super::*;

    #[test]
    fn what_was_edited_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&first, "old").unwrap();
        fs::write(&second, "edited").unwrap();
        let outputs = [(first.clone(), b"new".to_vec()), (second.clone(), b"new".to_vec())];
        let read_as = BTreeMap::from([(first.clone(), b"old".to_vec()), (second.clone(), b"old".to_vec())]);
        let error = write_over(&outputs, &read_as).unwrap_err().to_string();
        assert!(error.ends_with("was not written: it was changed meanwhile; run the command again"), "{error}");
        assert_eq!((fs::read(&first).unwrap(), fs::read(&second).unwrap()), (b"old".to_vec(), b"edited".to_vec()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_written_to_and_stay_devices() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let (null, full) = (folder.path().join("null"), folder.path().join("full"));
        // By links, so that a mistake here replaces a link.
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        assert!(write_all(&[(null.clone(), b"text".to_vec())]).unwrap().is_empty());
        assert!(fs::metadata(&null).unwrap().file_type().is_char_device());
        let error = write_all(&[(full, b"text".to_vec())]).unwrap_err().to_string();
        assert!(error.contains("was not written: No space left on device"), "{error}");
    }

    #[test]
    fn one_file_takes_one_result() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let error = write_all(&[(path.clone(), b"1".to_vec()), (path.clone(), b"2".to_vec())]).unwrap_err().to_string();
        assert!(error.ends_with("is named for two results"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn a_rename_that_fails_undoes_the_ones_before() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&first, "old").unwrap();
        // A file cannot be renamed over a folder.
        fs::create_dir(&second).unwrap();
        let outputs = [(first.clone(), b"new".to_vec()), (second, b"new".to_vec())];
        write_all(&outputs).unwrap_err();
        assert_eq!(fs::read(&first).unwrap(), b"old");
    }
}
