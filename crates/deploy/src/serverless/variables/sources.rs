//! The sources of variables, by name.

use serde_json::Value;

use super::file;
use super::grammar::Variable;
use super::resolver::Resolver;
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::yaml::{Content, Node};

/// The sources that work.
pub(in crate::serverless) const SOURCES: [&str; 8] =
    ["self", "opt", "env", "file", "sls", "aws", "param", "strToBool"];

/// Sources that need a service which is not there yet, and what it is.
pub(in crate::serverless) const UNAVAILABLE: [(&str, &str); 9] = [
    ("ssm", "the parameter store"),
    ("cf", "outputs of other stacks"),
    ("s3", "the object store"),
    ("output", "outputs of other services"),
    ("git", "the project's git history"),
    ("vault", "HashiCorp Vault"),
    ("terraform", "Terraform state"),
    ("doppler", "Doppler"),
    ("construct", "the lift plugin"),
];

/// How every message ends that names something real which does not work yet.
pub(in crate::serverless) const NOT_SUPPORTED: &str = "is not supported yet";

/// One use of a source, its arguments resolved.
#[derive(Debug)]
pub(super) struct Call<'c> {
    pub(super) name: &'c str,
    pub(super) params: Vec<String>,
    pub(super) address: Option<String>,
    pub(super) variable: &'c Variable,
    pub(super) place: &'c Span,
}

impl Call<'_> {
    /// The keys of the address; none of an empty one.
    pub(super) fn keys(&self) -> Vec<String> {
        match self.address.as_deref() {
            None | Some("") => Vec::new(),
            Some(address) => address.split('.').map(str::to_owned).collect(),
        }
    }

    pub(super) fn error(&self, message: String) -> Diagnostic {
        Diagnostic::error(message).at(self.place)
    }

    fn address(&self) -> Result<&str, Diagnostic> {
        self.address
            .as_deref()
            .filter(|address| !address.is_empty())
            .ok_or_else(|| {
                self.error(format!("`{}` does not say what to read", self.variable.written))
                    .hint(format!("write `${{{}:name}}`", self.name))
            })
    }

    fn text(&self, text: &str) -> Node {
        Node::text(self.place, text)
    }
}

/// The value of a source; none when it has none.
pub(super) fn value(resolver: &mut Resolver<'_>, call: &Call<'_>) -> Result<Option<Node>, Diagnostic> {
    match call.name {
        "self" => own(resolver, call),
        "opt" => option(resolver, call),
        "env" => environment(resolver, call),
        "file" => file::value(resolver, call),
        "sls" => framework(resolver, call),
        "aws" => cloud(resolver, call),
        "param" => parameter(resolver, call),
        "strToBool" => boolean(call).map(Some),
        _ => Err(refused(call)),
    }
}

/// Whether a problem is that a source needs a service which is not there.
pub(super) fn is_unavailable(problem: &Diagnostic) -> bool {
    problem.message.ends_with(NOT_SUPPORTED)
}

/// A variable without a value, nothing else being known.
pub(super) fn no_value(variable: &Variable, place: &Span) -> Diagnostic {
    Diagnostic::error(format!("`{}` has no value", variable.written)).at(place)
}

/// What to say when a source has no value.
pub(super) fn absent(resolver: &Resolver<'_>, call: &Call<'_>) -> Diagnostic {
    let address = call.address.as_deref().unwrap_or_default();
    let param = call.params.first().map(String::as_str).unwrap_or_default();
    let hint = match call.name {
        "opt" => format!("pass `--{address}`, or add a fallback: `${{opt:{address}, 'value'}}`"),
        "env" => {
            format!("set {address} in the environment, or add a fallback: `${{env:{address}, 'value'}}`")
        }
        "param" => format!("pass `--param {address}=value`, or set it under `params.default`"),
        "file" if address.is_empty() => format!("there is no file `{param}` in the service directory"),
        "file" => format!("`{param}` is missing or has no `{address}`"),
        "self" => missing_key(resolver, address),
        _ => "add a fallback: `${…, 'value'}`".to_owned(),
    };
    no_value(call.variable, call.place).hint(hint)
}

fn missing_key(resolver: &Resolver<'_>, address: &str) -> String {
    let keys: Vec<String> = address.split('.').map(str::to_owned).collect();
    let siblings = resolver.siblings(&keys);
    let last = keys.last().map(String::as_str).unwrap_or_default();
    match nearest(last, siblings.iter().map(String::as_str)).filter(|near| *near != last) {
        Some(near) => {
            let parent = keys
                .split_last()
                .map(|(_, rest)| rest.join("."))
                .unwrap_or_default();
            let dot = if parent.is_empty() { "" } else { "." };
            format!("did you mean `{parent}{dot}{near}`?")
        }
        None => format!("set `{address}`, or add a fallback: `${{self:{address}, 'value'}}`"),
    }
}

fn refused(call: &Call<'_>) -> Diagnostic {
    let name = call.name;
    if let Some((_, service)) = UNAVAILABLE.iter().find(|(source, _)| *source == name) {
        let written = &call.variable.written;
        return call
            .error(format!(
                "`{written}`: source `{name}` ({service}) {NOT_SUPPORTED}"
            ))
            .hint("add a fallback for local use: `${…, 'value'}`");
    }
    let error = call.error(format!("unknown variable source `{name}`"));
    match nearest(name, SOURCES) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("the sources are {}", SOURCES.join(", "))),
    }
}

/// `self`: the configuration. Stage and region have a value even if it names none, as they had in
/// versions 1 and 2 of the framework.
fn own(resolver: &mut Resolver<'_>, call: &Call<'_>) -> Result<Option<Node>, Diagnostic> {
    let keys = call.keys();
    let value = resolver.property(&keys)?;
    if value.is_some() {
        return Ok(value);
    }
    let default = match keys.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["provider", "stage"] => Some(given_stage(resolver).unwrap_or("dev")),
        ["provider", "region"] => Some(given_region(resolver).unwrap_or("us-east-1")),
        ["service", "name"] => {
            return Ok(resolver
                .property(&["service".into()])?
                .filter(|n| n.as_text().is_some()));
        }
        _ => None,
    };
    Ok(default.map(|text| call.text(text)))
}

fn option(resolver: &mut Resolver<'_>, call: &Call<'_>) -> Result<Option<Node>, Diagnostic> {
    let context = resolver.context;
    let name = match call.address.as_deref() {
        None | Some("") => return Ok(Some(Node::from_json(context.options_json(), call.place))),
        Some(name) => name,
    };
    let given = match name {
        "stage" | "s" => context.stage_option,
        "region" | "r" => context.region_option,
        _ => None,
    };
    let given = given.or_else(|| context.options.get(name).map(String::as_str));
    outside(resolver, given, call)
}

fn environment(resolver: &mut Resolver<'_>, call: &Call<'_>) -> Result<Option<Node>, Diagnostic> {
    let value = resolver.context.environment.get(call.address()?);
    outside(resolver, value.map(String::as_str), call)
}

fn outside(
    resolver: &mut Resolver<'_>,
    text: Option<&str>,
    call: &Call<'_>,
) -> Result<Option<Node>, Diagnostic> {
    text.map(|text| resolver.outside(&call.text(text), call.place))
        .transpose()
}

fn framework(resolver: &mut Resolver<'_>, call: &Call<'_>) -> Result<Option<Node>, Diagnostic> {
    match call.address()? {
        "stage" => Ok(Some(call.text(&effective_stage(resolver)?))),
        "instanceId" => Ok(Some(call.text(&resolver.context.instance_id))),
        other => Err(call
            .error(format!("`sls` has no `{other}`"))
            .hint("it has `${sls:stage}` and `${sls:instanceId}`")),
    }
}

fn cloud(resolver: &mut Resolver<'_>, call: &Call<'_>) -> Result<Option<Node>, Diagnostic> {
    match call.address()? {
        "accountId" => Ok(Some(call.text(resolver.context.account))),
        "partition" => Ok(Some(call.text("aws"))),
        "region" => Ok(Some(call.text(&effective_region(resolver)?))),
        other => Err(call
            .error(format!("`aws` has no `{other}`"))
            .hint("it has `${aws:accountId}`, `${aws:region}` and `${aws:partition}`")),
    }
}

fn parameter(resolver: &mut Resolver<'_>, call: &Call<'_>) -> Result<Option<Node>, Diagnostic> {
    let key = call.address()?;
    if let Some(given) = resolver.context.params.get(key) {
        return outside(resolver, Some(given), call);
    }
    let stage = effective_stage(resolver)?;
    for path in [
        ["params", &stage, key].as_slice(),
        &["stages", &stage, "params", key],
        &["params", "default", key],
        &["stages", "default", "params", key],
    ] {
        let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
        if let Some(node) = resolver.property(&path)? {
            return Ok(Some(node));
        }
    }
    Ok(None)
}

fn boolean(call: &Call<'_>) -> Result<Node, Diagnostic> {
    let text = call.params.first().map(String::as_str).unwrap_or_default();
    let truth = match text.to_ascii_lowercase().as_str() {
        "true" | "1" => true,
        "false" | "0" => false,
        _ => {
            return Err(call
                .error(format!("`strToBool` cannot read `{text}`"))
                .hint("it takes true, false, 1 or 0"));
        }
    };
    Ok(Node::new(call.place, Content::Bool(truth)))
}

fn given_stage<'a>(resolver: &Resolver<'a>) -> Option<&'a str> {
    resolver
        .context
        .stage
        .as_deref()
        .or(resolver.context.stage_option)
}

fn given_region<'a>(resolver: &Resolver<'a>) -> Option<&'a str> {
    resolver
        .context
        .region
        .as_deref()
        .or(resolver.context.region_option)
}

/// The stage: given, configured or `dev`.
fn effective_stage(resolver: &mut Resolver<'_>) -> Result<String, Diagnostic> {
    match given_stage(resolver) {
        Some(stage) => Ok(stage.to_owned()),
        None => configured(resolver, "stage", "dev"),
    }
}

fn effective_region(resolver: &mut Resolver<'_>) -> Result<String, Diagnostic> {
    match given_region(resolver) {
        Some(region) => Ok(region.to_owned()),
        None => configured(resolver, "region", "us-east-1"),
    }
}

fn configured(resolver: &mut Resolver<'_>, key: &str, default: &str) -> Result<String, Diagnostic> {
    let node = resolver.property(&["provider".into(), key.into()])?;
    let text = node.and_then(|node| node.scalar_text());
    Ok(text
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| default.to_owned()))
}

/// A value that was read already, as JavaScript wants it.
pub(super) fn to_json(node: Option<Node>) -> Value {
    node.map_or(Value::Null, |node| node.to_json())
}
