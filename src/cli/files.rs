//! Reading what was named and writing results: beside their place first, then renamed, all or none.

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
    let mut beside = Vec::new();
    for (path, bytes) in outputs {
        if fs::read(path).is_ok_and(|old| old == *bytes) {
            continue;
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|e| CliError::output(path, e))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| CliError::output(path, e))?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|e| CliError::output(path, e))?;
        keep_mode(path, &file).map_err(|e| CliError::output(path, e))?;
        beside.push((path, file));
    }
    let mut changed = Vec::new();
    for (path, file) in beside {
        file.persist(path).map_err(|e| CliError::output(path, e.error))?;
        changed.push(path.clone());
    }
    Ok(changed)
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
