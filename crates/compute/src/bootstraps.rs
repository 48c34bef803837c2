//! The bootstraps of managed runtimes: embedded in the binary, written where interpreters can read them.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
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
    Whole(&'static [u8]),
    /// The entry, and the modules it and they may `require`, by file name. Written as one file: each
    /// further one costs Node a fifth of a millisecond a start.
    Joined {
        entry: &'static str,
        modules: &'static [(&'static str, &'static str)],
    },
}

/// Modules that most processes never load.
const LAZY_NODE_MODULES: [&str; 4] = [
    "code-cache.cjs",
    "function-compute.cjs",
    "response-stream.cjs",
    "stem.cjs",
];

/// A file of `runtimes/node` with its name.
macro_rules! node_module {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../runtimes/node/", $name)))
    };
}

/// What bootstraps load besides themselves, below the folder of all bootstraps.
const MODULES: [(&str, &str); 4] = [
    (
        "python/_tradewind_cache.py",
        include_str!("../../../runtimes/python/_tradewind_cache.py"),
    ),
    (
        "python/_tradewind_fc.py",
        include_str!("../../../runtimes/python/_tradewind_fc.py"),
    ),
    (
        "python/_tradewind_logging.py",
        include_str!("../../../runtimes/python/_tradewind_logging.py"),
    ),
    (
        "python/_tradewind_stem.py",
        include_str!("../../../runtimes/python/_tradewind_stem.py"),
    ),
];

const BOOTSTRAPS: [Bootstrap; 4] = [
    Bootstrap {
        language: Language::Node,
        file: "node/bootstrap.cjs",
        source: Source::Joined {
            entry: include_str!("../../../runtimes/node/bootstrap.cjs"),
            modules: &[
                node_module!("channel.cjs"),
                node_module!("code-cache.cjs"),
                node_module!("errors.cjs"),
                node_module!("function-compute.cjs"),
                node_module!("invocation.cjs"),
                node_module!("loader.cjs"),
                node_module!("log.cjs"),
                node_module!("response-stream.cjs"),
                node_module!("stem.cjs"),
                node_module!("streaming.cjs"),
                node_module!("trace.cjs"),
            ],
        },
    },
    // made by `cargo xtask java`, ADR 7; the tests of the bootstraps compare it with its sources
    Bootstrap {
        language: Language::Java,
        file: "java/bootstrap.jar",
        source: Source::Whole(include_bytes!("../../../runtimes/java/bootstrap.jar")),
    },
    Bootstrap {
        language: Language::Python,
        file: "python/bootstrap.py",
        source: Source::Whole(include_bytes!("../../../runtimes/python/bootstrap.py")),
    },
    Bootstrap {
        language: Language::Ruby,
        file: "ruby/bootstrap.rb",
        source: Source::Whole(include_bytes!("../../../runtimes/ruby/bootstrap.rb")),
    },
];

impl Source {
    fn content(&self) -> Cow<'static, [u8]> {
        match self {
            Self::Whole(content) => Cow::Borrowed(content),
            Self::Joined { entry, modules } => Cow::Owned(join_modules(entry, modules).into_bytes()),
        }
    }
}

/// One CommonJS file in which `require('./name')` finds each of `modules` and runs it once.
/// The tests of the bootstraps join them in the same way (`runtimes/tests/host.py`).
fn join_modules(entry: &str, modules: &[(&str, &str)]) -> String {
    let mut joined = String::from("'use strict';\nconst modules = {\n");
    for (name, text) in modules {
        // parentheses tell V8 to compile it at once: else it would be parsed now, and again when it is called
        let (open, close) = if LAZY_NODE_MODULES.contains(name) {
            ("", "")
        } else {
            ("(", ")")
        };
        joined += &format!("'./{name}': {open}function (module, require) {{\n{text}}}{close},\n");
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
            write_if_changed(&dir.join(file), &source.content())?;
        }
        for (file, text) in MODULES {
            write_if_changed(&dir.join(file), text.as_bytes())?;
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

/// Whether a stem of `language`, started with `stem`'s variables, can take over `wanted` instead: none
/// may differ that the interpreter or the dynamic linker reads only when it starts. (Python checks its
/// own, and starts itself anew where it must: see `_tradewind_stem.py`.)
pub(crate) fn stem_can_become(
    language: Language,
    stem: &[(OsString, OsString)],
    wanted: &[(OsString, OsString)],
) -> bool {
    if !matches!(language, Language::Node | Language::Python) {
        return false;
    }
    let value = |all: &[(OsString, OsString)], name: &OsStr| {
        let found = all.iter().find(|(other, _value)| other == name);
        found.map(|(_name, value)| value.clone())
    };
    let mut names = stem.iter().chain(wanted).map(|(name, _value)| name);
    names.all(|name| !is_read_at_start(language, name) || value(stem, name) == value(wanted, name))
}

fn is_read_at_start(language: Language, name: &OsStr) -> bool {
    const OF_NODE: [&str; 6] = ["NODE_", "UV_", "OPENSSL_", "SSL_", "ICU_", "LC_ALL"];
    let Some(name) = name.to_str() else { return true };
    match language {
        Language::Node if name == "NODE_PATH" => false,
        Language::Node => name.starts_with("LD_") || OF_NODE.iter().any(|start| name.starts_with(start)),
        _ => name.starts_with("LD_"),
    }
}

fn write_if_changed(path: &Path, content: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|current| current == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&fresh, content)?;
    fs::rename(&fresh, path)
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

    #[test]
    fn a_stem_takes_over_what_is_not_read_at_the_start() {
        let variables = |all: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            all.iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        let stem = variables(&[("LD_LIBRARY_PATH", "/var/task/lib"), ("TZ", ":UTC")]);
        let can = |language, more: &[(&str, &str)]| {
            let mut wanted = variables(&[("LD_LIBRARY_PATH", "/var/task/lib"), ("TZ", "Asia/Tokyo")]);
            wanted.extend(variables(more));
            stem_can_become(language, &stem, &wanted)
        };
        assert!(can(Language::Node, &[("NODE_PATH", "/opt"), ("STAGE", "dev")]));
        assert!(!can(Language::Node, &[("NODE_OPTIONS", "--inspect")]));
        assert!(can(Language::Python, &[("NODE_OPTIONS", "--inspect")]));
        assert!(!can(Language::Python, &[("LD_PRELOAD", "x.so")]));
        assert!(!can(Language::Ruby, &[]));
        assert!(!stem_can_become(Language::Node, &stem, &[]));
    }
}
