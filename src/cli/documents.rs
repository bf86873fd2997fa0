//! Policies as bytes for the checker: by name, by ARN, or from a file.

use std::path::{Path, PathBuf};

use super::error::CliError;
use super::files;
use crate::prove::certificate::Subject;
use crate::prove::document::Document;

/// A policy as it was named and as it is attached.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Named {
    pub(super) fn subject(&self) -> Subject {
        Subject::of(self.name.clone(), self.version.clone(), &self.bytes)
    }

    /// Reads the document with the checker's own reader of identity policies.
    pub(super) fn document(&self) -> Result<Document, CliError> {
        Document::read(&self.bytes).map_err(|e| CliError::input(&self.path, e))
    }
}

/// Finds policies: files, else AWS-managed policies that are embedded.
pub(super) fn load(texts: &[String]) -> Result<Vec<Named>, CliError> {
    texts.iter().map(|text| one(text)).collect()
}

/// Finds a permissions boundary and makes sure that the checker can read it.
pub(super) fn boundary(text: Option<&str>) -> Result<Option<Named>, CliError> {
    let Some(named) = text.map(one).transpose()? else { return Ok(None) };
    named.document()?;
    Ok(Some(named))
}

fn one(text: &str) -> Result<Named, CliError> {
    let path = PathBuf::from(text);
    if path.is_file() || text == "-" {
        return Ok(Named { name: files::name(&path), version: String::new(), bytes: files::read(&path)?, path });
    }
    let Some(known) = crate::catalog::baselines::find(text) else {
        let names: Vec<&str> = crate::catalog::baselines::all().iter().map(|b| b.name).collect();
        return Err(CliError::usage(format!("`{text}` is neither a file nor one of the policies {}", names.join(", "))));
    };
    let (name, version) = (known.name.to_owned(), known.version.to_owned());
    Ok(Named { path: Path::new(&name).to_owned(), name, version, bytes: known.document.to_vec() })
}

/// All documents, read.
pub(super) fn read(named: &[Named]) -> Result<Vec<Document>, CliError> {
    named.iter().map(Named::document).collect()
}
