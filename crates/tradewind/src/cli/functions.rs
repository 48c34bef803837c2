//! Functions as a node lists them, and how they are shown.

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::output::{FAINT, STRONG};

/// The answer of `GET /_tradewind/functions`.
#[derive(Debug, Deserialize)]
pub(crate) struct FunctionList {
    /// In the order of their names.
    pub(crate) functions: Vec<serde_json::Value>,
}

/// What the command line needs to know of a function.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Function {
    /// Its name.
    pub(crate) function: String,
    /// What runs it.
    pub(crate) runtime: String,
    /// Its memory.
    pub(crate) memory_mib: u32,
    /// The stack that made it.
    pub(crate) stack: Option<String>,
    /// Where it can be called.
    pub(crate) urls: Vec<FunctionUrl>,
    /// What else invokes it.
    #[serde(default)]
    pub(crate) sources: Vec<EventSource>,
}

/// An event source of a function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct EventSource {
    /// `sqs`, `s3`, … as serverless.yml calls it.
    pub(crate) kind: String,
    /// Which one.
    pub(crate) source: String,
    /// False for what is switched off.
    pub(crate) enabled: bool,
}

/// A route that leads to a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(crate) struct FunctionUrl {
    /// With the route's parameters in braces.
    pub(crate) url: String,
    /// `ANY`, `GET`, …
    pub(crate) method: String,
}

impl Function {
    /// Its key in the project that deployed it, as far as the name tells: `cart` of
    /// `shop-dev-cart` in the stack `shop-dev`; else its name.
    pub(crate) fn key(&self) -> &str {
        let stack = self.stack.as_deref().unwrap_or_default();
        let key = self
            .function
            .strip_prefix(stack)
            .and_then(|rest| rest.strip_prefix('-'));
        key.filter(|key| !stack.is_empty() && !key.is_empty())
            .unwrap_or(&self.function)
    }
}

impl FunctionList {
    /// The functions, as far as the command line needs to know them.
    pub(crate) fn read(&self) -> Result<Vec<Function>, Failure> {
        let functions: Result<Vec<Function>, serde_json::Error> =
            self.functions.iter().map(Function::deserialize).collect();
        let mut functions = functions
            .map_err(|error| Failure::new("the node's functions were not understood").because(&error))?;
        for function in &mut functions {
            function.urls.sort();
        }
        Ok(functions)
    }
}

/// A block for each function: its name, then its URLs and event sources, with columns that stand under each other.
pub(crate) fn table(functions: &[Function], name: impl Fn(&Function) -> &str) -> String {
    let width = |text: &dyn Fn(&Function) -> usize| functions.iter().map(text).max().unwrap_or(0);
    let name_width = width(&|function| name(function).chars().count());
    let runtime_width = width(&|function| function.runtime.len());
    let methods = functions.iter().flat_map(|f| &f.urls).map(|url| &url.method);
    let kinds = functions
        .iter()
        .flat_map(|f| &f.sources)
        .map(|source| &source.kind);
    let first_width = methods.chain(kinds).map(String::len).max().unwrap_or(0);
    let mut lines = Vec::new();
    for function in functions {
        let shown = name(function);
        let pad = name_width - shown.chars().count();
        lines.push(format!(
            "  {STRONG}{shown}{STRONG:#}{:pad$}  {FAINT}{:runtime_width$}  {} MB{FAINT:#}",
            "", function.runtime, function.memory_mib
        ));
        for url in &function.urls {
            lines.push(format!("    {:first_width$}  {}", url.method, url.url));
        }
        for source in &function.sources {
            let state = if source.enabled { "" } else { " (disabled)" };
            lines.push(format!(
                "    {:first_width$}  {}{state}",
                source.kind,
                shortened(&source.source)
            ));
        }
    }
    lines.join("\n")
}

/// A source in what is left of a line; patterns may be long.
fn shortened(source: &str) -> String {
    const MOST: usize = 60;
    if source.chars().count() <= MOST {
        return source.to_owned();
    }
    let kept: String = source.chars().take(MOST - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
pub(crate) mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    pub(crate) fn function(name: &str, stack: Option<&str>, urls: &[(&str, &str)]) -> Function {
        let url = |(method, url): &(&str, &str)| FunctionUrl {
            method: (*method).into(),
            url: (*url).into(),
        };
        Function {
            function: name.into(),
            runtime: "nodejs20.x".into(),
            memory_mib: 256,
            stack: stack.map(str::to_owned),
            urls: urls.iter().map(url).collect(),
            sources: Vec::new(),
        }
    }

    #[test]
    fn the_key_is_what_the_stack_s_name_leaves() {
        assert_eq!(function("shop-dev-cart", Some("shop-dev"), &[]).key(), "cart");
        assert_eq!(function("custom", Some("shop-dev"), &[]).key(), "custom");
        assert_eq!(function("cart", None, &[]).key(), "cart");
        assert_eq!(function("shop-dev-", Some("shop-dev"), &[]).key(), "shop-dev-");
    }

    #[test]
    fn columns_stand_under_each_other_in_eighty_characters() {
        let base = "http://127.0.0.1:4566/_api/x7k2p9q1z3";
        let functions = [
            function("shop-dev-page", Some("shop-dev"), &[("GET", &format!("{base}/"))]),
            function(
                "shop-dev-catalogue",
                Some("shop-dev"),
                &[
                    ("GET", &format!("{base}/products")),
                    ("DELETE", &format!("{base}/products/{{id}}")),
                ],
            ),
        ];
        let text = strip_str(&table(&functions, Function::key)).to_string();
        assert_eq!(
            text,
            "  page       nodejs20.x  256 MB
    GET     http://127.0.0.1:4566/_api/x7k2p9q1z3/
  catalogue  nodejs20.x  256 MB
    GET     http://127.0.0.1:4566/_api/x7k2p9q1z3/products
    DELETE  http://127.0.0.1:4566/_api/x7k2p9q1z3/products/{id}"
        );
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn what_else_invokes_a_function_has_a_line_each() {
        let source = |kind: &str, source: &str, enabled| EventSource {
            kind: kind.into(),
            source: source.into(),
            enabled,
        };
        let mut stock = function("shop-dev-stock", Some("shop-dev"), &[("GET", "http://x/stock")]);
        stock.sources = vec![
            source("eventBridge", &format!("orders {}", "x".repeat(80)), true),
            source("schedule", "rate(1 day)", false),
        ];
        let text = strip_str(&table(&[stock], Function::key)).to_string();
        assert_eq!(
            text,
            format!(
                "  stock  nodejs20.x  256 MB
    GET          http://x/stock
    eventBridge  orders {}…
    schedule     rate(1 day) (disabled)",
                "x".repeat(52)
            )
        );
    }

    #[test]
    fn what_we_do_not_know_is_ignored() {
        let list: FunctionList = serde_json::from_str(
            r#"{"functions":[{"function":"f","runtime":"python3.12","memoryMib":128,"stack":null,
               "urls":[{"kind":"http","method":"ANY","url":"http://x"}],"new":1}]}"#,
        )
        .unwrap();
        assert_eq!(list.read().unwrap()[0].urls[0].method, "ANY");
    }
}
