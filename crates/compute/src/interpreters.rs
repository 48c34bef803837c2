//! The interpreters of this machine: which programs can run which managed runtime.
//!
//! Discovery only looks at names in the folders of `$PATH`, and where Linux systems install Java, so a
//! node starts at once; a program is run for its version the first time something needs it, and what it
//! said is kept.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tradewind_model::{Language, Runtime};

use crate::sandbox::probe;

/// Where Debian, Fedora and others install Java, each version in a folder of its own.
const JAVA_FOLDERS: &str = "/usr/lib/jvm";

/// All interpreters found in `$PATH`. A cheap handle.
#[derive(Clone, Debug, Default)]
pub struct Interpreters(Arc<[Candidate]>);

/// The interpreter chosen for a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The executable itself, wrappers such as pyenv's resolved.
    pub program: PathBuf,
    /// Its exact version, for example `20.20.2`.
    pub version: String,
    /// True when it is of the version that the runtime names.
    pub exact: bool,
}

impl Interpreter {
    /// The first number of its version.
    pub(crate) fn major(&self) -> u32 {
        number_of(&self.version).map_or(0, |(major, _minor)| major)
    }

    /// The same without a virtual environment of Python around it: that belongs to whoever started the
    /// node, a function brings its own packages.
    pub(crate) fn without_environment(self) -> Self {
        let environment =
            installed_to(&self.program).is_some_and(|folder| folder.join("pyvenv.cfg").exists());
        match std::fs::canonicalize(&self.program) {
            Ok(program) if environment => Self { program, ..self },
            Ok(_) | Err(_) => self,
        }
    }

    /// The folders it was installed to, for example `/root/.pyenv/versions/3.11.7` of the program
    /// `/root/.pyenv/versions/3.11.7/bin/python`; also those of the program it is a link to.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let real = std::fs::canonicalize(&self.program).ok();
        let mut folders: Vec<PathBuf> = [Some(self.program.clone()), real]
            .into_iter()
            .flatten()
            .filter_map(|program| installed_to(&program).map(Path::to_owned))
            .collect();
        folders.dedup();
        folders
    }
}

/// What is above `bin`, or the program's own folder.
fn installed_to(program: &Path) -> Option<&Path> {
    let folder = program.parent()?;
    match folder.file_name() {
        Some(name) if name == "bin" => folder.parent(),
        _ => Some(folder),
    }
}

/// No interpreter for a runtime is installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no interpreter for runtime `{runtime}` was found in PATH; {hint}")]
pub struct MissingInterpreter {
    /// The runtime.
    pub runtime: String,
    /// What to do about it.
    pub hint: String,
}

/// An interpreter that works, for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundInterpreter {
    /// Its language.
    pub language: Language,
    /// The executable.
    pub program: PathBuf,
    /// Its version.
    pub version: String,
}

/// Something in `$PATH` with the name of an interpreter.
struct Candidate {
    language: Language,
    path: PathBuf,
    /// None inside: it does not run, or is too old for our bootstrap.
    found: OnceLock<Option<Found>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    program: PathBuf,
    version: String,
    number: (u32, u32),
}

impl Interpreters {
    /// Looks for `node`, `python3…`, `ruby…` and `java` in the folders of `path` (the value of `$PATH`),
    /// and for `java` below `/usr/lib/jvm`. Runs nothing.
    #[must_use]
    pub fn discover(path: &OsStr) -> Self {
        let mut candidates: Vec<Candidate> = Vec::new();
        let folders = std::env::split_paths(path).flat_map(with_pyenv_versions);
        for folder in folders.chain(java_folders()) {
            for (language, file) in interpreters_in(&folder) {
                let seen = candidates.iter().any(|known| known.path == file);
                if !seen {
                    candidates.push(Candidate {
                        language,
                        path: file,
                        found: OnceLock::new(),
                    });
                }
            }
        }
        Self(candidates.into())
    }

    /// The interpreter for `runtime`: of exactly its version if there is one, else the nearest of
    /// the same language (of two equally near ones the newer). Whether it is exact is in the answer.
    ///
    /// # Blocking
    /// Runs programs for their version the first time.
    ///
    /// # Errors
    /// When the language has no interpreter here.
    pub fn for_runtime(&self, runtime: &Runtime) -> Result<Interpreter, MissingInterpreter> {
        let language = runtime.language();
        let wanted = wanted_version(runtime);
        let mut best: Option<((bool, u32, bool), &Found)> = None;
        for candidate in self.by_promise(language, wanted) {
            let Some(found) = candidate.found() else { continue };
            let rank = rank(language, found.number, wanted);
            if !rank.0 {
                return Ok(found.interpreter(true));
            }
            if best.as_ref().is_none_or(|(other, _found)| rank < *other) {
                best = Some((rank, found));
            }
        }
        match best {
            Some((_rank, found)) => Ok(found.interpreter(false)),
            None => Err(missing(runtime)),
        }
    }

    /// The candidates of a language, those first whose name says the wanted version: running one
    /// for its version takes time.
    fn by_promise(&self, language: Language, wanted: Option<(u32, Option<u32>)>) -> Vec<&Candidate> {
        let promised = wanted.map(|(major, minor)| match minor {
            Some(minor) => format!("{major}.{minor}"),
            None => major.to_string(),
        });
        let promises = |candidate: &Candidate| {
            let name = candidate
                .path
                .file_name()
                .and_then(OsStr::to_str)
                .unwrap_or_default();
            promised.as_deref().is_some_and(|version| name.ends_with(version))
        };
        let mut all: Vec<_> = self
            .0
            .iter()
            .filter(|candidate| candidate.language == language)
            .collect();
        all.sort_by_key(|candidate| !promises(candidate));
        all
    }

    /// Every interpreter that works here.
    ///
    /// # Blocking
    /// Runs every candidate that was not run yet.
    #[must_use]
    pub fn all(&self) -> Vec<FoundInterpreter> {
        let mut all = Vec::new();
        for candidate in self.0.iter() {
            let Some(found) = candidate.found() else { continue };
            let interpreter = FoundInterpreter {
                language: candidate.language,
                program: found.program.clone(),
                version: found.version.clone(),
            };
            if !all.contains(&interpreter) {
                all.push(interpreter);
            }
        }
        all
    }
}

impl Candidate {
    fn found(&self) -> Option<&Found> {
        self.found.get_or_init(|| self.run()).as_ref()
    }

    fn run(&self) -> Option<Found> {
        let (program, version) = match self.language {
            Language::Node => {
                let said = probe(&self.path, &["--version"])?;
                (self.path.clone(), said.trim().trim_start_matches('v').to_owned())
            }
            Language::Python => {
                let script =
                    "import sys; print(sys.executable, '%d.%d.%d' % sys.version_info[:3], sep='\\n')";
                two_lines(&probe(&self.path, &["-I", "-S", "-c", script])?)?
            }
            Language::Ruby => two_lines(&probe(
                &self.path,
                &[
                    "--disable-gems",
                    "-rrbconfig",
                    "-e",
                    "puts RbConfig.ruby, RUBY_VERSION",
                ],
            )?)?,
            Language::Java => java(&self.path)?,
            Language::Dotnet | Language::Provided | Language::Go => return None,
        };
        let number = number_of(&version)?;
        let supported = number >= oldest_supported(self.language);
        supported.then_some(Found {
            program,
            version,
            number,
        })
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.path.display(), self.found.get())
    }
}

impl Found {
    fn interpreter(&self, exact: bool) -> Interpreter {
        Interpreter {
            program: self.program.clone(),
            version: self.version.clone(),
            exact,
        }
    }
}

/// What a runtime name asks for: `nodejs20.x` any 20, `python3.12` a 3.12, `nodejs` anything.
fn wanted_version(runtime: &Runtime) -> Option<(u32, Option<u32>)> {
    let (major, minor) = runtime.version()?;
    match runtime.language() {
        // `nodejs4.3` asks for a 4.3, `nodejs20.x` for a 20: the minor version never mattered
        Language::Node => Some((major, None)),
        _ => Some((major, minor)),
    }
}

/// Smaller is nearer: (not exact, distance, older than wanted).
fn rank(language: Language, has: (u32, u32), wanted: Option<(u32, Option<u32>)>) -> (bool, u32, bool) {
    // a name without a version means the oldest one ever; the newest at hand serves it best
    let Some((major, minor)) = wanted else {
        return (true, u32::MAX - has.0, false);
    };
    let minor = minor.unwrap_or(has.1);
    let wanted = (major, minor);
    let mut distance = has.0.abs_diff(major) * 1_000 + has.1.abs_diff(minor);
    if language == Language::Java && has < wanted {
        // an older Java does not run newer classes; a newer one runs older
        distance += 1_000_000;
    }
    (has != wanted, distance, has < wanted)
}

fn oldest_supported(language: Language) -> (u32, u32) {
    match language {
        Language::Node => (14, 0),
        Language::Python => (3, 8),
        Language::Ruby => (2, 7),
        Language::Java => (8, 0),
        Language::Dotnet | Language::Provided | Language::Go => (0, 0),
    }
}

/// The first two numbers of a version; the second may be missing. Java has `8.0_402`.
fn number_of(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '_', '-', '+']);
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().map_or(Some(0), |minor| minor.parse().ok())?;
    Some((major, minor))
}

/// The program of a Java and its version, which it keeps in a file; a wrapper has none and is asked.
fn java(path: &Path) -> Option<(PathBuf, String)> {
    let program = std::fs::canonicalize(path).ok()?;
    // of a JDK 8, `java` lies in `jre/bin`
    let release = program
        .ancestors()
        .skip(2)
        .take(2)
        .find_map(|home| std::fs::read_to_string(home.join("release")).ok());
    let version = match release.as_deref().and_then(java_version_of_release) {
        Some(version) => version.to_owned(),
        // "openjdk 17.0.15 2025-04-15"
        None => probe(&program, &["--version"])?
            .split_whitespace()
            .nth(1)?
            .to_owned(),
    };
    Some((program, java_version(&version).to_owned()))
}

fn java_version_of_release(release: &str) -> Option<&str> {
    let line = release
        .lines()
        .find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    Some(line.trim().trim_matches('"'))
}

/// Java 8 calls itself 1.8.0_402.
fn java_version(version: &str) -> &str {
    version.strip_prefix("1.").unwrap_or(version)
}

fn java_folders() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(JAVA_FOLDERS) else {
        return Vec::new();
    };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders
}

fn two_lines(text: &str) -> Option<(PathBuf, String)> {
    let mut lines = text.lines();
    Some((PathBuf::from(lines.next()?), lines.next()?.to_owned()))
}

/// `pyenv` puts wrappers in `$PATH` of which only the selected version works; the others are
/// installed all the same.
fn with_pyenv_versions(folder: PathBuf) -> Vec<PathBuf> {
    let mut folders = vec![folder.clone()];
    if folder.ends_with(".pyenv/shims")
        && let Some(versions) = folder.parent().map(|pyenv| pyenv.join("versions"))
        && let Ok(entries) = std::fs::read_dir(versions)
    {
        let mut versions: Vec<_> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
        versions.sort();
        folders.extend(versions);
    }
    folders
}

fn interpreters_in(folder: &Path) -> Vec<(Language, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        if let Some(language) = name.to_str().and_then(language_of) {
            found.push((language, entry.path()));
        }
    }
    // the plain name is the one the user chose
    found.sort_by_key(|(_language, path)| (path.as_os_str().len(), path.clone()));
    found
}

/// The language of an interpreter's file name: `node`, `node20`, `nodejs`, `python3`, `python3.12`, `ruby3.1`.
fn language_of(name: &str) -> Option<Language> {
    let versioned = |prefix: &str| {
        let rest = name.strip_prefix(prefix)?;
        rest.bytes()
            .all(|b| b.is_ascii_digit() || b == b'.')
            .then_some(rest)
    };
    if name == "nodejs" || versioned("node").is_some() {
        return Some(Language::Node);
    }
    if versioned("python").is_some_and(|rest| rest.is_empty() || rest.starts_with('3')) {
        return Some(Language::Python);
    }
    if name == "java" {
        return Some(Language::Java);
    }
    versioned("ruby").map(|_version| Language::Ruby)
}

fn missing(runtime: &Runtime) -> MissingInterpreter {
    let hint = match runtime.language() {
        Language::Node => "install Node.js, for example with `apt-get install nodejs` or nvm",
        Language::Python => "install Python 3, for example with `apt-get install python3` or pyenv",
        Language::Ruby => "install Ruby, for example with `apt-get install ruby`",
        Language::Java => "install Java, for example with `apt-get install default-jre-headless`",
        Language::Dotnet => {
            "managed .NET is not supported; publish the function as an executable for `provided.al2023`"
        }
        Language::Provided | Language::Go => "this runtime needs no interpreter",
    };
    MissingInterpreter {
        runtime: runtime.to_string(),
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder of fake interpreters: scripts that print what real ones would.
    fn fakes(names: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, said) in names {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\nprintf '{said}\\n'\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        dir
    }

    fn chosen(dir: &tempfile::TempDir, runtime: &str) -> Option<(String, bool)> {
        let interpreters = Interpreters::discover(dir.path().as_os_str());
        let interpreter = interpreters.for_runtime(&runtime.parse().unwrap()).ok()?;
        Some((interpreter.version, interpreter.exact))
    }

    #[test]
    fn a_virtual_environment_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("venv/bin");
        std::fs::create_dir_all(&bin).unwrap();
        let real = std::fs::canonicalize("/bin/sh").unwrap();
        std::os::unix::fs::symlink(&real, bin.join("python3")).unwrap();
        let interpreter = Interpreter {
            program: bin.join("python3"),
            version: "3.12.1".to_owned(),
            exact: true,
        };
        assert_eq!(interpreter.clone().without_environment(), interpreter);
        std::fs::write(dir.path().join("venv/pyvenv.cfg"), "").unwrap();
        assert_eq!(interpreter.without_environment().program, real);
    }

    #[test]
    fn the_exact_version_wins_and_else_the_nearest() {
        let dir = fakes(&[
            ("node", "v20.20.2"),
            ("node22", "v22.1.0"),
            ("python3", "/usr/bin/python3\\n3.11.2"),
            ("python3.9", "/usr/bin/python3.9\\n3.9.1"),
        ]);
        let answer = |version: &str, exact| Some((version.to_owned(), exact));
        assert_eq!(chosen(&dir, "nodejs20.x"), answer("20.20.2", true));
        assert_eq!(chosen(&dir, "nodejs22.x"), answer("22.1.0", true));
        assert_eq!(chosen(&dir, "nodejs18.x"), answer("20.20.2", false));
        assert_eq!(chosen(&dir, "nodejs24.x"), answer("22.1.0", false));
        assert_eq!(chosen(&dir, "nodejs21.x"), answer("22.1.0", false));
        assert_eq!(chosen(&dir, "nodejs"), answer("22.1.0", false));
        assert_eq!(chosen(&dir, "python3.9"), answer("3.9.1", true));
        assert_eq!(chosen(&dir, "python3.10"), answer("3.11.2", false));
        assert_eq!(chosen(&dir, "python2.7"), answer("3.9.1", false));
    }

    /// Folders like a JDK's, whose `java` would not even run.
    fn javas(versions: &[&str]) -> Vec<PathBuf> {
        let dir = tempfile::tempdir().unwrap().keep();
        let home = |version: &&str| {
            let home = dir.join(version);
            std::fs::create_dir_all(home.join("bin")).unwrap();
            std::fs::write(home.join("bin/java"), "").unwrap();
            let release = format!("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"{version}\"\n");
            std::fs::write(home.join("release"), release).unwrap();
            home.join("bin")
        };
        versions.iter().map(home).collect()
    }

    #[test]
    fn a_newer_java_is_nearer_than_an_older_one() {
        let number = |version: &str| {
            let folder = javas(&[version]).remove(0);
            let (_program, version) = java(&folder.join("java")).unwrap();
            number_of(&version).unwrap()
        };
        assert_eq!(number("1.8.0_402"), (8, 0));
        assert_eq!(number("21"), (21, 0));
        let nearest = |wanted: u32, has: &[&str]| {
            let numbers = has.iter().map(|version| number(version));
            numbers
                .min_by_key(|has| rank(Language::Java, *has, Some((wanted, None))))
                .unwrap()
                .0
        };
        assert_eq!(nearest(17, &["11.0.2", "17.0.15", "25.0.3"]), 17);
        assert_eq!(nearest(17, &["11.0.2", "16", "25.0.3"]), 25);
        assert_eq!(nearest(25, &["1.8.0_402", "17.0.15"]), 17);
    }

    #[test]
    fn what_does_not_work_is_not_chosen() {
        let dir = fakes(&[
            ("node", "v8.10.0"),
            ("python3", "no version"),
            ("python3.12", "/p\\n3.12.1"),
        ]);
        assert_eq!(chosen(&dir, "nodejs20.x"), None);
        assert_eq!(chosen(&dir, "python3.11"), Some(("3.12.1".to_owned(), false)));
    }

    #[test]
    fn what_is_missing_says_what_to_install() {
        let dir = fakes(&[]);
        let interpreters = Interpreters::discover(dir.path().as_os_str());
        let error = interpreters.for_runtime(&"ruby3.2".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("install Ruby"), "{error}");
    }

    #[test]
    fn names_tell_the_language() {
        for name in ["node", "nodejs", "node20"] {
            assert_eq!(language_of(name), Some(Language::Node), "{name}");
        }
        for name in ["python", "python3", "python3.12"] {
            assert_eq!(language_of(name), Some(Language::Python), "{name}");
        }
        for name in [
            "python2",
            "python2.7",
            "python3-config",
            "node-gyp",
            "nodemon",
            "ruby-lsp",
        ] {
            assert_eq!(language_of(name), None, "{name}");
        }
    }
}
