//! What a command finds around itself, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tradewind_model::Clock;

/// The process's environment, working directory and clock.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// The environment variables that are text.
    pub(crate) variables: BTreeMap<String, String>,
    /// `$PATH` and `$JAVA_HOME/bin`, where interpreters and tools are looked for.
    pub(crate) path: OsString,
    /// Where relative paths begin.
    pub(crate) directory: PathBuf,
    /// The time.
    pub(crate) clock: Clock,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn read() -> Self {
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            path: search_path(
                std::env::var_os("PATH").unwrap_or_default(),
                std::env::var_os("JAVA_HOME"),
            ),
            directory: std::env::current_dir().unwrap_or_else(|_gone| PathBuf::from(".")),
            clock: Clock::system(),
        }
    }

    /// Where tools that have to be fetched are kept: `$XDG_CACHE_HOME/tradewind`, else
    /// `~/.cache/tradewind`, else below `fallback`.
    pub(crate) fn cache_dir(&self, fallback: &Path) -> PathBuf {
        let variable = |name: &str| self.variables.get(name).filter(|value| !value.is_empty());
        if let Some(caches) = variable("XDG_CACHE_HOME") {
            return Path::new(caches).join("tradewind");
        }
        match variable("HOME") {
            Some(home) => Path::new(home).join(".cache/tradewind"),
            None => fallback.join("cache"),
        }
    }
}

/// The folders of `path`, and that of the Java that the user has chosen.
fn search_path(path: OsString, java_home: Option<OsString>) -> OsString {
    let java = java_home
        .filter(|home| !home.is_empty())
        .map(|home| Path::new(&home).join("bin"));
    let Some(java) = java else { return path };
    let folders = std::env::split_paths(&path).chain([java]);
    // a folder whose name cannot stand in a path is not looked into
    std::env::join_paths(folders).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_system_wants_caches() {
        let mut surroundings = Surroundings {
            variables: BTreeMap::new(),
            path: OsString::new(),
            directory: "/".into(),
            clock: Clock::system(),
        };
        let fallback = Path::new("/p/.tradewind");
        assert_eq!(surroundings.cache_dir(fallback), Path::new("/p/.tradewind/cache"));
        surroundings.variables.insert("HOME".into(), "/home/ada".into());
        assert_eq!(
            surroundings.cache_dir(fallback),
            Path::new("/home/ada/.cache/tradewind")
        );
        surroundings
            .variables
            .insert("XDG_CACHE_HOME".into(), "/caches".into());
        assert_eq!(surroundings.cache_dir(fallback), Path::new("/caches/tradewind"));
    }
}
