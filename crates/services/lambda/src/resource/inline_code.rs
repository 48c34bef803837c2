//! `Code: {ZipFile: source}`: the source itself, in a file called `index`.

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use tradewind_model::resource::ResourceError;
use tradewind_model::{Language, Runtime};
use zip::write::SimpleFileOptions;

/// Longest inline source: 4 MB.
const LONGEST_SOURCE_BYTES: usize = 4 * 1024 * 1024;

/// A package of one file with `source` in it. Equal sources make equal packages.
pub(super) fn package(runtime: &Runtime, source: &str) -> Result<Bytes, ResourceError> {
    if source.len() > LONGEST_SOURCE_BYTES {
        let message = format!("`Code.ZipFile` is longer than {LONGEST_SOURCE_BYTES} bytes; deploy a package");
        return Err(ResourceError::Invalid { message });
    }
    let name = match runtime.language() {
        Language::Node => "index.js",
        Language::Python => "index.py",
        Language::Ruby | Language::Java | Language::Dotnet | Language::Provided | Language::Go => {
            let message = format!("`Code.ZipFile` is for nodejs and python functions, not `{runtime}`");
            return Err(ResourceError::Invalid { message });
        }
    };
    zip_of(name, source).map_err(|error| ResourceError::Internal {
        message: format!("the inline code could not be packed: {error}"),
    })
}

fn zip_of(name: &str, source: &str) -> zip::result::ZipResult<Bytes> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(name, SimpleFileOptions::default().unix_permissions(0o644))?;
    archive.write_all(source.as_bytes())?;
    Ok(archive.finish()?.into_inner().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sources_make_equal_packages() {
        let python: Runtime = "python3.12".parse().unwrap();
        let source = "def handler(event, context): return event";
        let package = package(&python, source).unwrap();
        assert_eq!(package, super::package(&python, source).unwrap());
        let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut archive.by_name("index.py").unwrap(), &mut text).unwrap();
        assert_eq!(text, source);
    }

    #[test]
    fn only_scripts_can_be_inline() {
        let error = package(&"provided.al2".parse().unwrap(), "x").unwrap_err();
        assert!(error.to_string().contains("`provided.al2`"), "{error}");
        let long = "x".repeat(LONGEST_SOURCE_BYTES + 1);
        assert!(package(&"nodejs20.x".parse().unwrap(), &long).is_err());
    }
}
