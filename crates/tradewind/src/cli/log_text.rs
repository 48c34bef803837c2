//! What functions write, made readable: the runtimes' own prefixes, error documents and package paths
//! say in many words what a reader of a terminal wants in few.

use serde::Deserialize;

use super::output::{ERROR, FAINT, WARNING};

const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
/// Length of a package's name: a SHA-256 in hexadecimal.
const PACKAGE_ID: usize = 64;
const PACKAGES: &str = "/packages/";

/// The error document that the Node runtime logs.
#[derive(Deserialize)]
struct ErrorDocument {
    stack: Vec<String>,
}

/// A message as it is shown. Of `<time>⇥<request id>⇥ERROR⇥text` (Node) and
/// `[ERROR]⇥<time>⇥<request id>⇥text` (Python) only level and text are left.
pub(crate) fn tidy(message: &str) -> String {
    let (level, text) = split_level(message);
    let text = shorten_paths(&expand_error(text));
    match level {
        Some("ERROR" | "FATAL") => format!("{ERROR}error{ERROR:#} {text}"),
        Some("WARN" | "WARNING") => format!("{WARNING}warning{WARNING:#} {text}"),
        Some("DEBUG" | "TRACE") => format!("{FAINT}{text}{FAINT:#}"),
        Some(_) | None => text,
    }
}

fn split_level(message: &str) -> (Option<&str>, &str) {
    let mut parts = message.splitn(4, '\t');
    let fields = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(first), Some(second), Some(third), Some(text)) = fields else {
        return (None, message);
    };
    if is_time(first) && LEVELS.contains(&third) {
        return (Some(third), text);
    }
    let bracketed = first.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bracketed {
        Some(level) if is_time(second) => (Some(level), text),
        Some(_) | None => (None, message),
    }
}

/// `2026-11-21T00:32:29.158Z`
fn is_time(text: &str) -> bool {
    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

/// `Invoke Error ⇥{"stack":[…]}` as the stack's own lines, without those of the runtime.
fn expand_error(text: &str) -> String {
    let document = text.split_once("\t{").map(|(_, rest)| format!("{{{rest}"));
    let Some(ErrorDocument { stack }) = document.and_then(|json| serde_json::from_str(&json).ok()) else {
        return text.trim_end().to_owned();
    };
    let mut lines: Vec<&str> = Vec::new();
    for line in stack.iter().map(String::as_str) {
        let of_the_runtime = line.contains("node:internal") || line.contains("/bootstraps/");
        // The first line names the runtime's error and the second repeats the user's.
        let repeated = lines.last().is_some_and(|last| last.contains(line.trim()));
        if !of_the_runtime && !repeated {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// `file:///…/packages/<id>/cart/handler.mjs:21` as `cart/handler.mjs:21`: the file as the project
/// has it.
pub(crate) fn shorten_paths(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(PACKAGES) {
        let id: &str = after.split('/').next().unwrap_or_default();
        let in_package = id.len() == PACKAGE_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        match after.get(PACKAGE_ID + 1..) {
            Some(path) if in_package => {
                let start = before
                    .rfind([' ', '(', '"', '\'', '[', '\n', '\t'])
                    .map_or(0, |at| at + 1);
                shown += before.get(..start).unwrap_or_default();
                rest = path;
            }
            Some(_) | None => {
                shown += before;
                shown += PACKAGES;
                rest = after;
            }
        }
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    const ID: &str = "db40d0d101c540e8d92d3ad7e52aa3869021117be0ec320f01fabb65f6da08c7";

    fn shown(message: &str) -> String {
        strip_str(&tidy(message)).to_string()
    }

    #[test]
    fn the_runtimes_prefixes_are_left_out() {
        let time = "2026-11-21T00:32:29.158Z";
        assert_eq!(
            shown(&format!("{time}\t9d1f2604\tINFO\thello\tyou")),
            "hello\tyou"
        );
        assert_eq!(
            shown(&format!("{time}\tundefined\tWARN\tcareful")),
            "warning careful"
        );
        assert_eq!(shown(&format!("[ERROR]\t{time}\t9d1f2604\tno")), "error no");
        for plain in ["hello", "a\tb\tc\td", "[x]\ty\tz\tw", "2026\tb\tINFO\td", ""] {
            assert_eq!(shown(plain), plain);
        }
    }

    #[test]
    fn an_error_document_is_its_stack_without_the_runtime_s_lines() {
        let message = format!(
            "2026-11-21T00:32:36.773Z\t9d1f\tERROR\tInvoke Error \t{{\"errorType\":\"TypeError\",\"errorMessage\":\"no\",\"stack\":[\
             \"TypeError: no\",\"    at handler (file:///x/.tradewind{PACKAGES}{ID}/cart/handler.mjs:21:11)\",\
             \"    at runBuffered (/x/.tradewind/bootstraps/node/bootstrap.cjs:587:20)\",\
             \"    at process.processImmediate (node:internal/timers:483:21)\"]}}"
        );
        assert_eq!(
            shown(&message),
            "error TypeError: no\n    at handler (cart/handler.mjs:21:11)"
        );
    }

    #[test]
    fn a_repeated_first_line_is_said_once() {
        let stack = r#"{"stack":["Runtime.UserCodeSyntaxError: SyntaxError: end","SyntaxError: end"]}"#;
        let message = format!("2026-11-21T00:32:29.158Z\tundefined\tERROR\tUncaught Exception \t{stack}");
        assert_eq!(
            shown(&message),
            "error Runtime.UserCodeSyntaxError: SyntaxError: end"
        );
    }

    #[test]
    fn only_paths_of_packages_are_shortened() {
        let text = format!("  File \"/d/packages/{ID}/a/b.py\", line 3\nin /d/packages/{ID}/c.py");
        assert_eq!(shorten_paths(&text), "  File \"a/b.py\", line 3\nin c.py");
        assert_eq!(shorten_paths("/usr/lib/packages/x/y"), "/usr/lib/packages/x/y");
        assert_eq!(shorten_paths("ends with /packages/"), "ends with /packages/");
        assert_eq!(shorten_paths("/packages/é"), "/packages/é");
    }
}
