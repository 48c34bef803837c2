//! `tradewind doctor`: what this machine can run, how well it keeps functions apart, what is missing.

mod limits;

use std::net::{SocketAddr, TcpListener};

use serde::Serialize;
use tradewind_compute::{FoundInterpreter, Interpreters, SandboxChoice};
use tradewind_deploy::package::Tools;
use tradewind_model::Language;

use super::arguments::Doctor;
use super::failure::Failure;
use super::output::{self, ERROR, FAINT, GOOD, HINT, STRONG, WARNING};
use super::project::aside;
use super::surroundings::Surroundings;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    group: Group,
    name: String,
    status: Status,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Group {
    Runtimes,
    Tools,
    Isolation,
    Limits,
    Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// It is there.
    Ok,
    /// It is not; some things do without.
    Missing,
    /// It is not, and nothing runs without.
    Failed,
}

impl Check {
    fn new(group: Group, name: impl Into<String>, status: Status, detail: impl Into<String>) -> Self {
        Self {
            group,
            name: name.into(),
            status,
            detail: detail.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Runs the command.
pub(crate) async fn run(arguments: &Doctor, surroundings: &Surroundings) -> Result<(), Failure> {
    let (path, listen) = (surroundings.path.clone(), arguments.listen);
    // Looking runs programs and reads files.
    let checks = aside(move || {
        let found = Interpreters::discover(&path).all();
        let mut checks = runtimes(&found);
        checks.extend(tools(&Tools::new(&path, "")));
        checks.extend(isolation());
        checks.extend(limits::checks());
        checks.push(port(listen));
        checks
    })
    .await;
    print(&checks, arguments.json)?;
    match checks
        .iter()
        .filter(|check| check.status == Status::Failed)
        .count()
    {
        0 => Ok(()),
        1 => Err(Failure::new("one thing is missing that nothing runs without")),
        many => Err(Failure::new(format!(
            "{many} things are missing that nothing runs without"
        ))),
    }
}

fn runtimes(found: &[FoundInterpreter]) -> Vec<Check> {
    let languages = [
        (
            Language::Node,
            "nodejs*",
            "install Node.js 20 or newer: `apt install nodejs` or https://nodejs.org",
        ),
        (
            Language::Python,
            "python3*",
            "install Python 3: `apt install python3 python3-pip`",
        ),
        (
            Language::Ruby,
            "ruby*",
            "install Ruby for ruby functions: `apt install ruby`",
        ),
        (
            Language::Java,
            "java*",
            "install Java for java functions: `apt install default-jre-headless`",
        ),
    ];
    let mut checks: Vec<Check> = Vec::new();
    for (language, name, hint) in languages {
        let of_language = versions(found, language);
        if of_language.is_empty() {
            checks.push(
                Check::new(Group::Runtimes, name, Status::Missing, "no interpreter in PATH").hint(hint),
            );
        }
        for one in of_language {
            let detail = format!("{} ({})", one.version, one.program.display());
            checks.push(Check::new(Group::Runtimes, name, Status::Ok, detail));
        }
    }
    let custom = "executables and official runtime clients";
    checks.push(Check::new(
        Group::Runtimes,
        "provided*, go1.x",
        Status::Ok,
        custom,
    ));
    checks
}

/// The interpreters of a language, newest first, each version where it is found first.
fn versions(found: &[FoundInterpreter], language: Language) -> Vec<&FoundInterpreter> {
    let mut all: Vec<&FoundInterpreter> = Vec::new();
    for one in found.iter().filter(|one| one.language == language) {
        if all.iter().all(|known| known.version != one.version) {
            all.push(one);
        }
    }
    let number = |one: &FoundInterpreter| -> Vec<u32> {
        one.version
            .split('.')
            .map(|part| part.parse().unwrap_or(0))
            .collect()
    };
    all.sort_by_key(|one| std::cmp::Reverse(number(one)));
    all
}

fn tools(tools: &Tools) -> Vec<Check> {
    let wanted = [
        (
            "npm",
            "installs and builds Node projects",
            "it comes with Node.js; on Debian `apt install npm`",
        ),
        (
            "pip3",
            "installs what Python projects require",
            "`apt install python3-pip`",
        ),
        ("cargo", "builds Rust functions", "https://rustup.rs"),
    ];
    let check = |(name, purpose, hint): (&str, &str, &str)| match tools.find(name) {
        Some(path) => Check::new(
            Group::Tools,
            name,
            Status::Ok,
            format!("{purpose} ({})", path.display()),
        ),
        None => Check::new(Group::Tools, name, Status::Missing, purpose).hint(hint),
    };
    wanted.into_iter().map(check).collect()
}

fn isolation() -> Vec<Check> {
    let check = |guard: tradewind_compute::Guard| {
        let status = if guard.active { Status::Ok } else { Status::Missing };
        Check::new(Group::Isolation, guard.name, status, guard.detail)
    };
    let spawner = crate::node::spawner();
    tradewind_compute::guards(SandboxChoice::Auto, Some(&spawner))
        .into_iter()
        .map(check)
        .collect()
}

fn port(listen: SocketAddr) -> Check {
    let name = format!("listen on {listen}");
    match TcpListener::bind(listen) {
        Ok(_) => Check::new(Group::Node, name, Status::Ok, "free"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Check::new(
            Group::Node,
            name,
            Status::Missing,
            "something listens there already",
        )
        .hint("if it is not your node, choose another with `--listen 127.0.0.1:PORT`"),
        Err(error) => Check::new(Group::Node, name, Status::Failed, error.to_string())
            .hint("choose another address with `--listen ADDR:PORT`"),
    }
}

fn print(checks: &[Check], json: bool) -> Result<(), Failure> {
    if json {
        return checks.iter().try_for_each(|check| {
            let line = serde_json::to_string(check);
            output::line(&line.map_err(|error| Failure::new("cannot print a check").because(&error))?)
        });
    }
    output::line(&render(checks))
}

fn render(checks: &[Check]) -> String {
    let width = checks
        .iter()
        .map(|check| check.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    let mut group = None;
    for check in checks {
        if group != Some(check.group) {
            if group.is_some() {
                lines.push(String::new());
            }
            lines.push(format!("{STRONG}{}{STRONG:#}", title(check.group)));
            group = Some(check.group);
        }
        lines.push(row(check, width));
        if let Some(hint) = &check.hint {
            lines.push(format!("            {HINT}hint:{HINT:#} {hint}"));
        }
    }
    lines.join("\n")
}

fn row(check: &Check, width: usize) -> String {
    let (style, word) = match check.status {
        Status::Ok => (GOOD, "ok"),
        Status::Missing => (WARNING, "missing"),
        Status::Failed => (ERROR, "failed"),
    };
    let pad = width - check.name.chars().count();
    format!(
        "  {style}{word:7}{style:#}   {}{:pad$}  {FAINT}{}{FAINT:#}",
        check.name, "", check.detail
    )
}

fn title(group: Group) -> &'static str {
    match group {
        Group::Runtimes => "Runtimes",
        Group::Tools => "Tools for building",
        Group::Isolation => "Isolation of functions from each other and from this machine",
        Group::Limits => "Limits of this machine",
        Group::Node => "A node",
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    #[test]
    fn a_missing_language_is_told_with_how_to_get_it() {
        let node = |program: &str, version: &str| FoundInterpreter {
            language: Language::Node,
            program: program.into(),
            version: version.into(),
        };
        let found = [
            node("/opt/node/bin/node", "9.1.0"),
            node("/usr/bin/node", "20.20.2"),
            node("/bin/node", "20.20.2"),
        ];
        let checks = runtimes(&found);
        let text = strip_str(&render(&checks)).to_string();
        assert_eq!(
            text,
            "Runtimes
  ok        nodejs*           20.20.2 (/usr/bin/node)
  ok        nodejs*           9.1.0 (/opt/node/bin/node)
  missing   python3*          no interpreter in PATH
            hint: install Python 3: `apt install python3 python3-pip`
  missing   ruby*             no interpreter in PATH
            hint: install Ruby for ruby functions: `apt install ruby`
  missing   java*             no interpreter in PATH
            hint: install Java for java functions: `apt install default-jre-headless`
  ok        provided*, go1.x  executables and official runtime clients"
        );
    }

    #[test]
    fn a_busy_port_is_seen_and_does_not_fail() {
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let check = port(busy.local_addr().unwrap());
        assert_eq!(check.status, Status::Missing);
        assert!(check.hint.unwrap().contains("--listen"));
    }

    #[test]
    fn checks_are_json_with_stable_names() {
        let check = Check::new(Group::Tools, "npm", Status::Missing, "installs").hint("apt");
        assert_eq!(
            serde_json::to_string(&check).unwrap(),
            r#"{"group":"tools","name":"npm","status":"missing","detail":"installs","hint":"apt"}"#
        );
    }
}
