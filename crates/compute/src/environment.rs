//! What a function sees in its environment: Lambda's variables, the user's, and nothing else.
//!
//! Three layers, the later one wins: defaults that Lambda lets users change, the user's own, and
//! the reserved ones ("Using Lambda environment variables", "Defined runtime environment variables").

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use tradewind_model::{AccountId, Language, Region, Runtime};

use crate::dialect;
use crate::package::PREPARED_FILE;
use crate::sandbox::Folders;
use crate::spec::{FunctionSpec, LogFormat};

/// Where the things are that variables name.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    /// The node's address, for SDKs inside functions.
    pub(crate) endpoint_url: &'a str,
    /// The instance's folders, as it sees them.
    pub(crate) folders: &'a Folders,
    /// The folder of the interpreter, which Lambda has first in `PATH`.
    pub(crate) interpreter_dir: Option<&'a Path>,
    pub(crate) log_stream: &'a str,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub(crate) initialization_type: &'a str,
}

/// The whole environment of an instance of `spec`, without what belongs to its channel.
pub(crate) fn environment(spec: &FunctionSpec, places: &Places<'_>) -> Vec<(OsString, OsString)> {
    let mut all = BTreeMap::<OsString, OsString>::new();
    let mut set = |name: &str, value: OsString| drop(all.insert(name.into(), value));
    for (name, value) in defaults(spec, places) {
        set(name, value);
    }
    for (name, value) in &spec.environment {
        set(name, value.into());
    }
    for (name, value) in reserved(spec, places) {
        set(name, value);
    }
    // Lambda's own runtime looks there whatever the user's variable says
    if let Some(further) = layers_python_path(&spec.runtime, places.folders) {
        set("PYTHONPATH", behind(spec.environment.get("PYTHONPATH"), further));
    }
    if let Some(prepared) = &places.folders.prepared {
        set("_TRADEWIND_CACHE", prepared.join(PREPARED_FILE).into());
    }
    for (name, value) in dialect::variables(spec, places) {
        set(name, value);
    }
    all.into_iter().collect()
}

/// What a runtime is started with that does not know its function yet: what it reads only once.
pub(crate) fn stem_environment(
    runtime: &Runtime,
    folders: &Folders,
    interpreter_dir: Option<&Path>,
) -> Vec<(OsString, OsString)> {
    let mut all = vec![
        ("TZ", ":UTC".into()),
        ("LANG", "en_US.UTF-8".into()),
        ("PATH", path(interpreter_dir, folders)),
        ("LD_LIBRARY_PATH", library_path(folders)),
        ("TMPDIR", folders.tmp.clone().into()),
    ];
    if runtime.language() == Language::Node {
        all.push(("NODE_PATH", node_path(runtime, folders)));
    }
    let owned = |(name, value): (&str, OsString)| (name.into(), value);
    all.into_iter().map(owned).collect()
}

fn defaults(spec: &FunctionSpec, places: &Places<'_>) -> Vec<(&'static str, OsString)> {
    let mut all = vec![
        ("TZ", ":UTC".into()),
        ("LANG", "en_US.UTF-8".into()),
        ("PATH", path(places.interpreter_dir, places.folders)),
        ("LD_LIBRARY_PATH", library_path(places.folders)),
        ("TMPDIR", places.folders.tmp.clone().into()),
        ("AWS_ENDPOINT_URL", places.endpoint_url.into()),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into()),
    ];
    if spec.runtime.language() == Language::Node {
        all.push(("NODE_PATH", node_path(&spec.runtime, places.folders)));
    }
    all.extend(layers_ruby_paths(&spec.runtime, places.folders));
    all
}

fn reserved(spec: &FunctionSpec, places: &Places<'_>) -> Vec<(&'static str, OsString)> {
    let region = || places.region.as_str().into();
    let mut all = vec![
        ("_HANDLER", spec.handler.clone().into()),
        ("AWS_REGION", region()),
        ("AWS_DEFAULT_REGION", region()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.arn.name.as_str().into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", spec.memory.to_string().into()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.version().to_string().into()),
        (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            places.initialization_type.into(),
        ),
        ("AWS_LAMBDA_LOG_GROUP_NAME", spec.log_group.as_ref().into()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", places.log_stream.into()),
        ("AWS_LAMBDA_LOG_FORMAT", spec.logging.format.as_str().into()),
        // an access key of twelve digits selects the account; the rest is only there to be signed with
        ("AWS_ACCESS_KEY_ID", places.account.as_str().into()),
        ("AWS_SECRET_ACCESS_KEY", "tradewind".into()),
        ("AWS_SESSION_TOKEN", "tradewind".into()),
        ("LAMBDA_TASK_ROOT", places.folders.task_root.clone().into()),
        ("LAMBDA_RUNTIME_DIR", places.folders.runtime.clone().into()),
    ];
    if spec.logging.format == LogFormat::Json {
        let level = spec.logging.application_level.as_str();
        all.push(("AWS_LAMBDA_LOG_LEVEL", level.into()));
    }
    // Lambda does not set it for runtimes that are the user's own
    if spec.runtime.language() != Language::Provided {
        all.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", spec.runtime).into()));
    }
    all
}

fn path(interpreter_dir: Option<&Path>, folders: &Folders) -> OsString {
    let mut path = OsString::new();
    if let Some(dir) = interpreter_dir {
        path.push(dir);
        path.push(":");
    }
    path.push("/usr/local/bin:/usr/bin:/bin:");
    path.push(folders.layers.as_deref().unwrap_or(Path::new("/opt")).join("bin"));
    path
}

fn library_path(folders: &Folders) -> OsString {
    let mut path = OsString::from(&folders.task_root);
    path.push(":");
    path.push(folders.task_root.join("lib"));
    if let Some(layers) = &folders.layers {
        path.push(":");
        path.push(layers.join("lib"));
    }
    path
}

fn node_path(runtime: &Runtime, folders: &Folders) -> OsString {
    let mut path = OsString::new();
    if let Some(layers) = &folders.layers {
        // `nodejs20.x` has a folder `node20`
        let version = version_of(runtime, "nodejs").trim_end_matches(".x");
        let of_version = format!("nodejs/node{version}/node_modules");
        for place in [of_version.as_str(), "nodejs/node_modules"] {
            path.push(layers.join(place));
            path.push(":");
        }
    }
    path.push(folders.runtime.join("node_modules"));
    path.push(":");
    path.push(&folders.task_root);
    path
}

/// Where layers have Python modules; none for other languages and functions without layers.
fn layers_python_path(runtime: &Runtime, folders: &Folders) -> Option<OsString> {
    let layers = folders.layers.as_ref()?;
    if runtime.language() != Language::Python {
        return None;
    }
    let mut path = OsString::from(layers.join("python"));
    path.push(":");
    path.push(layers.join(format!("python/lib/{}/site-packages", runtime.as_str())));
    Some(path)
}

/// Where layers have Ruby files and gems.
fn layers_ruby_paths(runtime: &Runtime, folders: &Folders) -> Vec<(&'static str, OsString)> {
    let Some(layers) = &folders.layers else {
        return Vec::new();
    };
    if runtime.language() != Language::Ruby {
        return Vec::new();
    }
    let version = version_of(runtime, "ruby");
    let mut gems = OsString::from(layers.join(format!("ruby/gems/{version}.0")));
    // the empty last place stands for the places Ruby has by itself
    gems.push(":");
    vec![("RUBYLIB", layers.join("ruby/lib").into()), ("GEM_PATH", gems)]
}

fn version_of<'a>(runtime: &'a Runtime, language: &str) -> &'a str {
    let name = runtime.as_str();
    name.strip_prefix(language).unwrap_or(name)
}

/// `further` behind the user's own search path.
fn behind(users: Option<&String>, further: OsString) -> OsString {
    let Some(users) = users.filter(|path| !path.is_empty()) else {
        return further;
    };
    let mut path = OsString::from(users);
    path.push(":");
    path.push(further);
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::package::PackageId;

    fn spec(runtime: &str, user: &[(&str, &str)]) -> FunctionSpec {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop:7";
        let package = PackageId::from_digest(&[7; 32]);
        FunctionSpec {
            environment: user
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            ..FunctionSpec::new(
                arn.parse().unwrap(),
                runtime.parse().unwrap(),
                "src/index.handler",
                package,
            )
        }
    }

    fn seen(spec: &FunctionSpec) -> BTreeMap<String, String> {
        seen_with(spec, None)
    }

    fn seen_with(spec: &FunctionSpec, layers: Option<&str>) -> BTreeMap<String, String> {
        let (account, region) = (&"123456789012".parse().unwrap(), &"eu-west-1".parse().unwrap());
        let places = Places {
            account,
            region,
            endpoint_url: "http://127.0.0.1:4566",
            folders: &Folders {
                task_root: "/p/code".into(),
                layers: layers.map(Into::into),
                runtime: "/r/node".into(),
                prepared: None,
                tmp: "/t/1".into(),
            },
            interpreter_dir: Some(Path::new("/usr/bin")),
            log_stream: "2026/11/20/[7]ab",
            initialization_type: "on-demand",
        };
        let text = |text: OsString| text.into_string().unwrap();
        environment(spec, &places)
            .into_iter()
            .map(|(k, v)| (text(k), text(v)))
            .collect()
    }

    #[test]
    fn lambdas_variables_are_all_there() {
        let seen = seen(&spec("nodejs20.x", &[]));
        for (name, value) in [
            ("_HANDLER", "src/index.handler"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs20.x"),
            ("AWS_LAMBDA_FUNCTION_NAME", "shop"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/shop"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/20/[7]ab"),
            ("AWS_LAMBDA_LOG_FORMAT", "Text"),
            ("AWS_ACCESS_KEY_ID", "123456789012"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("LAMBDA_TASK_ROOT", "/p/code"),
            ("LAMBDA_RUNTIME_DIR", "/r/node"),
            ("TZ", ":UTC"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/usr/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin"),
            ("LD_LIBRARY_PATH", "/p/code:/p/code/lib"),
            ("TMPDIR", "/t/1"),
        ] {
            assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(seen.contains_key("AWS_SECRET_ACCESS_KEY") && seen.contains_key("AWS_SESSION_TOKEN"));
    }

    #[test]
    fn each_language_looks_into_the_layers() {
        for (runtime, name, value) in [
            (
                "nodejs20.x",
                "NODE_PATH",
                "/l/nodejs/node20/node_modules:/l/nodejs/node_modules:/r/node/node_modules:/p/code",
            ),
            (
                "python3.12",
                "PYTHONPATH",
                "/mine:/l/python:/l/python/lib/python3.12/site-packages",
            ),
            ("ruby3.3", "RUBYLIB", "/l/ruby/lib"),
            ("ruby3.3", "GEM_PATH", "/l/ruby/gems/3.3.0:"),
            ("provided.al2023", "LD_LIBRARY_PATH", "/p/code:/p/code/lib:/l/lib"),
            (
                "provided.al2023",
                "PATH",
                "/usr/bin:/usr/local/bin:/usr/bin:/bin:/l/bin",
            ),
        ] {
            let seen = seen_with(&spec(runtime, &[("PYTHONPATH", "/mine")]), Some("/l"));
            assert_eq!(seen.get(name).map(String::as_str), Some(value), "{runtime}");
        }
        let without = seen(&spec("ruby3.3", &[]));
        assert!(
            ["RUBYLIB", "GEM_PATH", "PYTHONPATH"]
                .iter()
                .all(|name| !without.contains_key(*name))
        );
    }

    #[test]
    fn users_may_change_what_lambda_lets_them() {
        let user = [
            ("TZ", "Europe/Berlin"),
            ("PATH", "/mine"),
            ("AWS_REGION", "mars"),
            ("STAGE", "dev"),
        ];
        let seen = seen(&spec("python3.12", &user));
        assert_eq!(seen["TZ"], "Europe/Berlin");
        assert_eq!(seen["PATH"], "/mine");
        assert_eq!(seen["STAGE"], "dev");
        assert_eq!(seen["AWS_REGION"], "eu-west-1");
    }

    #[test]
    fn custom_runtimes_have_no_execution_environment_name() {
        assert!(!seen(&spec("provided.al2023", &[])).contains_key("AWS_EXECUTION_ENV"));
        assert_eq!(seen(&spec("go1.x", &[]))["AWS_EXECUTION_ENV"], "AWS_Lambda_go1.x");
    }

    #[test]
    fn debug_output_names_variables_but_keeps_their_values() {
        let text = format!("{:?}", spec("nodejs20.x", &[("API_TOKEN", "s3cret")]));
        assert!(text.contains("API_TOKEN") && !text.contains("s3cret"), "{text}");
    }
}
