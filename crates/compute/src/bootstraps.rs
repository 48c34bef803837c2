//! The bootstraps of managed runtimes: embedded in the binary, written where interpreters can read them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tradewind_model::Language;

/// The program that an interpreter is started with.
struct Bootstrap {
    language: Language,
    /// Below the folder of all bootstraps.
    file: &'static str,
    source: Source,
}

enum Source {
    /// As it is.
    Whole(&'static str),
    /// The entry, and the modules it and they may `require`, by file name. Written as one file: each
    /// further one costs Node a fifth of a millisecond a start.
    Joined {
        entry: &'static str,
        modules: &'static [(&'static str, &'static str)],
    },
}

/// A file of `runtimes/node` with its name.
macro_rules! node_module {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../runtimes/node/", $name)))
    };
}

const BOOTSTRAPS: [Bootstrap; 3] = [
    Bootstrap {
        language: Language::Node,
        file: "node/bootstrap.cjs",
        source: Source::Joined {
            entry: include_str!("../../../runtimes/node/bootstrap.cjs"),
            modules: &[
                node_module!("channel.cjs"),
                node_module!("errors.cjs"),
                node_module!("invocation.cjs"),
                node_module!("loader.cjs"),
                node_module!("log.cjs"),
                node_module!("response-stream.cjs"),
                node_module!("streaming.cjs"),
                node_module!("trace.cjs"),
            ],
        },
    },
    Bootstrap {
        language: Language::Python,
        file: "python/bootstrap.py",
        source: Source::Whole(include_str!("../../../runtimes/python/bootstrap.py")),
    },
    Bootstrap {
        language: Language::Ruby,
        file: "ruby/bootstrap.rb",
        source: Source::Whole(include_str!("../../../runtimes/ruby/bootstrap.rb")),
    },
];

impl Source {
    fn text(&self) -> String {
        match self {
            Self::Whole(text) => (*text).to_owned(),
            Self::Joined { entry, modules } => join_modules(entry, modules),
        }
    }
}

/// One CommonJS file in which `require('./name')` finds each of `modules` and runs it once.
/// The tests of the bootstraps join them in the same way (`runtimes/tests/host.py`).
fn join_modules(entry: &str, modules: &[(&str, &str)]) -> String {
    let mut joined = String::from("'use strict';\nconst modules = {\n");
    for (name, text) in modules {
        // the parentheses tell V8 that it will be called: else it would be parsed twice
        joined += &format!("'./{name}': (function (module, require) {{\n{text}}}),\n");
    }
    joined += "};\nrequire = ((real, loaded) => (name) => {\n\
        if (!modules[name]) return real(name);\n\
        if (!loaded[name]) modules[name](loaded[name] = { exports: {} }, require);\n\
        return loaded[name].exports;\n\
        })(require, {});\n";
    joined + entry
}

/// Where the bootstraps are on this node.
#[derive(Debug)]
pub(crate) struct Bootstraps {
    dir: PathBuf,
}

impl Bootstraps {
    /// Writes those that are missing or differ. One that runs keeps the file it opened.
    pub(crate) fn write(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let dir = fs::canonicalize(dir)?;
        for Bootstrap { file, source, .. } in BOOTSTRAPS {
            let (path, content) = (dir.join(file), source.text());
            if fs::read(&path).is_ok_and(|current| current == content.as_bytes()) {
                continue;
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let fresh = path.with_extension(format!("{}.new", std::process::id()));
            fs::write(&fresh, content)?;
            fs::rename(&fresh, &path)?;
        }
        Ok(Self { dir })
    }

    /// The file an interpreter is started with; none for runtimes that bring their own.
    pub(crate) fn entry(&self, language: Language) -> Option<PathBuf> {
        let bootstrap = BOOTSTRAPS.into_iter().find(|one| one.language == language)?;
        Some(self.dir.join(bootstrap.file))
    }

    /// `LAMBDA_RUNTIME_DIR`.
    pub(crate) fn runtime_dir(&self, language: Language) -> PathBuf {
        match self.entry(language).as_deref().and_then(Path::parent) {
            Some(folder) => folder.to_owned(),
            None => self.dir.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_are_replaced_and_others_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let bootstraps = Bootstraps::write(dir.path()).unwrap();
        let entry = bootstraps.entry(Language::Node).unwrap();
        let modified = || fs::metadata(&entry).unwrap().modified().unwrap();
        let first = modified();
        Bootstraps::write(dir.path()).unwrap();
        assert_eq!(modified(), first);
        fs::write(&entry, "stale").unwrap();
        Bootstraps::write(dir.path()).unwrap();
        assert_ne!(fs::read(&entry).unwrap(), b"stale");
        assert_eq!(bootstraps.entry(Language::Provided), None);
    }
}
