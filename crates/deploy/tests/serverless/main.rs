//! `serverless.yml` → project → template, through the public API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod loading;
mod meanings;
mod refusals;
mod templates;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tradewind_deploy::diagnostic::{Diagnostic, Diagnostics};
use tradewind_deploy::serverless::{LoadOptions, Project, Template, load};
use tradewind_model::{AccountId, Timestamp};

/// A service whose only function waits for its events.
const SMALL: &str = "service: s\nprovider: {name: aws, runtime: nodejs20.x}\nfunctions:\n  a:\n    handler: a.b\n    events:\n";

fn options(dir: &Path) -> LoadOptions {
    LoadOptions {
        dir: dir.to_owned(),
        config: None,
        stage: None,
        region: None,
        params: BTreeMap::new(),
        options: BTreeMap::new(),
        environment: BTreeMap::new(),
        account: AccountId::default_account(),
        node: None,
        publish_versions: true,
        now: Timestamp::from_millis(1_700_000_000_120),
    }
}

/// Loads `text` as the serverless.yml of a folder of its own.
async fn load_text(text: &str) -> (tempfile::TempDir, Result<Project, Diagnostics>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("serverless.yml"), text).unwrap();
    let loaded = load(&options(dir.path())).await;
    (dir, loaded)
}

async fn loaded(text: &str) -> Project {
    load_text(text).await.1.unwrap()
}

fn compiled(project: &Project) -> Template {
    let digests = project.packages.iter();
    let digests = digests.map(|p| (p.artifact_key.clone(), "ZGlnZXN0".to_owned()));
    project.compile(&digests.collect()).unwrap()
}

async fn template(text: &str) -> Value {
    compiled(&loaded(text).await).body
}

/// Every diagnostic as `line:column: message | hint`.
fn lines(diagnostics: &[Diagnostic]) -> Vec<String> {
    let line = |diagnostic: &Diagnostic| {
        let span = diagnostic.span.as_ref();
        let place = span.map_or("-".to_owned(), |span| format!("{}:{}", span.line, span.column));
        let hint = diagnostic.hint.as_deref().unwrap_or_default();
        format!("{place}: {} | {hint}", diagnostic.message)
    };
    diagnostics.iter().map(line).collect()
}

/// Everything that keeps `text` from being compiled.
async fn problems(text: &str) -> Vec<String> {
    let compiled = match load_text(text).await.1 {
        Err(diagnostics) => return lines(&diagnostics.0),
        Ok(project) => project.compile(&BTreeMap::new()),
    };
    match compiled {
        Err(diagnostics) => lines(&diagnostics.0),
        Ok(_) => panic!("nothing is wrong with:\n{text}"),
    }
}
