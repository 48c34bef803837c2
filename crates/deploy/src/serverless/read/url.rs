//! `url` of a function: true, or what it asks of its callers.

use super::section::{Problems, Section};
use crate::serverless::model::{FunctionUrl, UrlCors};

/// Reads `url`; none when there is none, or with `false`.
pub(super) fn read(section: &mut Section<'_>, problems: &mut Problems) -> Option<FunctionUrl> {
    match section.get("url")?.scalar_text().as_deref() {
        Some("true") => return Some(FunctionUrl::default()),
        Some("false") => return None,
        Some(_) | None => {}
    }
    let mut url = section.section("url", problems)?;
    let read = FunctionUrl {
        signed: is_signed(&mut url, problems),
        cors: cors(&mut url, problems),
        invoke_mode: invoke_mode(&mut url, problems),
    };
    url.finish(problems);
    Some(read)
}

fn is_signed(url: &mut Section<'_>, problems: &mut Problems) -> bool {
    let Some(node) = url.get("authorizer") else {
        return false;
    };
    let signed = node
        .scalar_text()
        .is_some_and(|text| text.eq_ignore_ascii_case("aws_iam"));
    if !signed {
        url.wrong("authorizer", node, "`aws_iam`", problems);
    }
    signed
}

fn invoke_mode(url: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let node = url.get("invokeMode")?;
    let mode = node
        .scalar_text()
        .filter(|mode| matches!(mode.as_str(), "BUFFERED" | "RESPONSE_STREAM"));
    if mode.is_none() {
        url.wrong("invokeMode", node, "`BUFFERED` or `RESPONSE_STREAM`", problems);
    }
    mode
}

fn cors(url: &mut Section<'_>, problems: &mut Problems) -> Option<UrlCors> {
    match url.get("cors")?.scalar_text().as_deref() {
        Some("true") => return Some(UrlCors::default()),
        Some("false") => return None,
        Some(_) | None => {}
    }
    let mut cors = url.section("cors", problems)?;
    let read = UrlCors {
        origins: cors.texts("allowedOrigins", problems),
        headers: cors.texts("allowedHeaders", problems),
        methods: cors.texts("allowedMethods", problems),
        credentials: cors.boolean("allowCredentials", problems),
        exposed: cors.texts("exposedResponseHeaders", problems),
        max_age: cors.integer("maxAge", problems),
    };
    cors.finish(problems);
    Some(read)
}
