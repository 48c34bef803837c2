//! `tradewind invoke`: call a function over Lambda's own API.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Deserialize;
use tradewind_model::AccountId;

use super::arguments::{InvocationType, Invoke, ProjectArguments};
use super::client::{NodeClient, encode};
use super::failure::Failure;
use super::functions::{Function, FunctionList};
use super::nearest::nearest;
use super::output::{self, FAINT};
use super::project::Workspace;
use super::surroundings::Surroundings;

/// More than any payload may have; the node tells what is too much.
const MOST_INPUT_BYTES: u64 = 16 * 1024 * 1024;

/// What a function that failed returns.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionError {
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    error_message: Option<String>,
}

/// What Lambda says when it does not invoke.
#[derive(Deserialize)]
struct LambdaError {
    message: Option<String>,
    #[serde(rename = "Message")]
    capital_message: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(arguments: &Invoke, surroundings: &Surroundings) -> Result<(), Failure> {
    let payload = payload(arguments)?;
    let client = NodeClient::new(&arguments.endpoint.endpoint);
    let function = resolve(&client, &arguments.function, surroundings).await?;
    let path = format!("/2015-03-31/functions/{}/invocations", encode(&function));
    let mut request = client
        .request(Method::POST, &path)
        .header("content-type", "application/json")
        .header("x-amz-invocation-type", type_name(arguments.invocation_type));
    if arguments.log {
        request = request.header("x-amz-log-type", "Tail");
    }
    let response = client.send(request, payload).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = client.read(response).await?;
    if !status.is_success() {
        return Err(not_invoked(&function, status, &body));
    }
    print_log(&headers);
    print_payload(&body)?;
    match headers
        .get("x-amz-function-error")
        .and_then(|kind| kind.to_str().ok())
    {
        Some(kind) => Err(failed(&function, kind, &body)),
        None => Ok(()),
    }
}

fn type_name(invocation_type: InvocationType) -> &'static str {
    match invocation_type {
        InvocationType::RequestResponse => "RequestResponse",
        InvocationType::Event => "Event",
        InvocationType::DryRun => "DryRun",
    }
}

fn payload(arguments: &Invoke) -> Result<Bytes, Failure> {
    if let Some(data) = &arguments.data {
        return Ok(Bytes::from(data.clone()));
    }
    match &arguments.path {
        Some(path) if path != Path::new("-") => {
            let read = std::fs::read(path);
            read.map(Bytes::from)
                .map_err(|error| Failure::new(format!("cannot read `{}`", path.display())).because(&error))
        }
        None if std::io::stdin().is_terminal() => Ok(Bytes::from_static(b"{}")),
        Some(_) | None => {
            let mut data = Vec::new();
            let read = std::io::stdin()
                .lock()
                .take(MOST_INPUT_BYTES)
                .read_to_end(&mut data);
            read.map_err(|error| Failure::new("cannot read standard input").because(&error))?;
            Ok(if data.trim_ascii().is_empty() {
                Bytes::from_static(b"{}")
            } else {
                data.into()
            })
        }
    }
}

/// The name to invoke: as it was typed if a function has it, else the function whose key it is.
async fn resolve(client: &NodeClient, typed: &str, surroundings: &Surroundings) -> Result<String, Failure> {
    let list: FunctionList = client.json("/_tradewind/functions").await?;
    let functions = list.read()?;
    // ARNs and qualified names are Lambda's to understand.
    if typed.contains(':') || functions.iter().any(|function| function.function == typed) {
        return Ok(typed.to_owned());
    }
    let with_key: Vec<&Function> = functions
        .iter()
        .filter(|function| function.key() == typed)
        .collect();
    if let [only] = with_key.as_slice() {
        return Ok(only.function.clone());
    }
    if let Some(name) = name_in_project(typed, surroundings).await
        && functions.iter().any(|function| function.function == name)
    {
        return Ok(name);
    }
    Err(unknown(typed, &functions, &with_key))
}

/// The name of the function with this key, if there is a project in the working directory.
async fn name_in_project(key: &str, surroundings: &Surroundings) -> Option<String> {
    let here = ProjectArguments {
        dir: ".".into(),
        config: None,
        stage: None,
        region: None,
        params: vec![],
        options: vec![],
    };
    let workspace = Workspace::new(&here, surroundings, AccountId::default_account(), true);
    let project = workspace.load().await.ok()?;
    project
        .functions
        .into_iter()
        .find(|function| function.key == key)
        .map(|function| function.name)
}

fn unknown(typed: &str, functions: &[Function], with_key: &[&Function]) -> Failure {
    if !with_key.is_empty() {
        let names: Vec<String> = with_key
            .iter()
            .map(|function| format!("`{}`", function.function))
            .collect();
        return Failure::new(format!("`{typed}` could be {}", names.join(" or "))).hint("use the whole name");
    }
    let failure = Failure::new(format!("function `{typed}` does not exist"));
    let names = functions
        .iter()
        .flat_map(|function| [function.key(), &function.function]);
    match nearest(typed, names) {
        Some(name) => failure.hint(format!("did you mean `{name}`?")),
        None if functions.is_empty() => failure.hint("nothing is deployed yet: `tradewind deploy`"),
        None => failure.hint("see which there are with `tradewind list`"),
    }
}

fn print_log(headers: &HeaderMap) {
    let log = headers
        .get("x-amz-log-result")
        .and_then(|value| value.to_str().ok());
    let log = log.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    if let Some(log) = log {
        output::note(&format!(
            "{FAINT}{}{FAINT:#}",
            String::from_utf8_lossy(&log).trim_end()
        ));
    }
}

fn print_payload(body: &Bytes) -> Result<(), Failure> {
    if body.is_empty() {
        return Ok(());
    }
    output::bytes(body)?;
    if body.ends_with(b"\n") {
        Ok(())
    } else {
        output::bytes(b"\n")
    }
}

fn failed(function: &str, kind: &str, body: &[u8]) -> Failure {
    let said: Option<FunctionError> = serde_json::from_slice(body).ok();
    let message = match said {
        Some(FunctionError {
            error_type: Some(name),
            error_message: Some(text),
        }) => format!("{name}: {text}"),
        Some(FunctionError {
            error_type: None,
            error_message: Some(text),
        }) => text,
        _ => kind.to_ascii_lowercase(),
    };
    Failure::new(format!("function `{function}` failed: {message}"))
        .hint(format!("see its log with `tradewind logs {function}`"))
}

fn not_invoked(function: &str, status: http::StatusCode, body: &[u8]) -> Failure {
    let said = serde_json::from_slice::<LambdaError>(body).ok();
    let said = said.and_then(|error| error.message.or(error.capital_message));
    let reason = said.unwrap_or_else(|| format!("the node answered {status}"));
    Failure::new(format!("function `{function}` was not invoked: {reason}"))
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::super::functions::tests::function;
    use super::*;

    #[test]
    fn a_failed_function_is_told_in_its_own_words() {
        let body = br#"{"errorType":"TypeError","errorMessage":"x is undefined","trace":[]}"#;
        let failure = failed("cart", "Unhandled", body);
        let text = strip_str(&failure.render()).to_string();
        assert!(
            text.starts_with("error: function `cart` failed: TypeError: x is undefined"),
            "{text}"
        );
        assert_eq!(failure.exit_code(), 1);
        assert!(failed("cart", "Handled", b"null").render().contains("handled"));
    }

    #[test]
    fn a_name_that_nobody_has_gets_the_nearest() {
        let functions = [
            function("shop-dev-cart", Some("shop-dev"), &[]),
            function("b-dev-cart", Some("b-dev"), &[]),
        ];
        let text = unknown("carts", &functions, &[]).render();
        assert!(text.contains("did you mean `cart`?"), "{text}");
        let both: Vec<&Function> = functions.iter().collect();
        let text = unknown("cart", &functions, &both).render();
        assert!(text.contains("`shop-dev-cart` or `b-dev-cart`"), "{text}");
    }

    #[test]
    fn lambda_s_refusals_are_passed_on() {
        let text = not_invoked(
            "f",
            http::StatusCode::TOO_MANY_REQUESTS,
            br#"{"Type":"User","message":"Rate Exceeded."}"#,
        );
        assert!(text.render().contains("Rate Exceeded."), "{}", text.render());
    }

    #[test]
    fn a_node_that_says_it_twice_is_understood() {
        let body = br#"{"Type":"User","message":"not JSON","Message":"not JSON"}"#;
        let text = not_invoked("f", http::StatusCode::BAD_REQUEST, body).render();
        assert!(text.contains("not JSON"), "{text}");
    }
}
