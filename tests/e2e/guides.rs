//! The guides, typed: every file and command of the page, against the real binary.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tradewind_tests::{Node, Project, root, stderr, stdout, tradewind};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a fence of a page is for, from what stands behind its backticks.
#[derive(Debug)]
enum Block {
    /// `sh`: commands to type.
    Commands(String),
    /// A language and a path: a file to write.
    File(String, String),
    /// A language alone: what the last commands print.
    Printed(String),
}

impl Block {
    /// How many keys there are to press; an editor indents by itself.
    fn keys(&self) -> usize {
        let (Self::Commands(text) | Self::File(_, text)) = self else {
            return 0;
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| line.chars().count() + 1).sum()
    }
}

fn blocks(page: &str) -> Vec<Block> {
    let mut parts = page.split("```");
    parts.next();
    let mut found = Vec::new();
    while let (Some(fence), _text) = (parts.next(), parts.next()) {
        let (info, body) = fence.split_once('\n').unwrap();
        found.push(match info.split_once(' ') {
            Some((_, path)) => Block::File(path.to_owned(), body.to_owned()),
            None if info == "sh" => Block::Commands(body.to_owned()),
            None => Block::Printed(body.trim().to_owned()),
        });
    }
    found
}

/// A shell as the reader has it: where it is, what it knows, and what its last commands printed.
struct Shell {
    project: Project,
    folder: String,
    node: Option<Node>,
    typed: String,
    printed: String,
}

impl Shell {
    fn folder(&self) -> std::path::PathBuf {
        self.project.path().join(&self.folder)
    }

    fn take(&mut self, block: &Block) {
        match block {
            Block::File(path, text) => self.project.write(&format!("{}/{path}", self.folder), text),
            Block::Commands(text) if text.trim() == "tradewind up" => {
                self.node = Some(Node::up(&self.folder()))
            }
            Block::Commands(text) => {
                self.typed.clone_from(text);
                self.type_in(text);
            }
            Block::Printed(expected) => self.expect(expected),
        }
    }

    /// What follows an event is there a moment later: a reader would type the same again.
    fn expect(&mut self, expected: &str) {
        let typed = self.typed.clone();
        let end = Instant::now() + PATIENCE;
        while alike(&self.printed) != alike(expected) {
            assert!(Instant::now() < end, "{typed}{}\n≠ {expected}", self.printed);
            self.type_in(&typed);
        }
    }

    /// Variables and the folder of one block are there in the next, as in a terminal.
    fn type_in(&mut self, commands: &str) {
        let state = self.project.join(".shell");
        let script = format!(
            "set -eu\n[ -f {state:?} ] && . {state:?}\n{commands}\n\
             {{ set | grep -E '^(API|LINK)=' || true; echo cd \"$PWD\"; }} > {state:?}\n"
        );
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(script).current_dir(self.folder());
        let binaries = tradewind().parent().unwrap().display().to_string();
        shell.env("PATH", format!("{binaries}:{}", std::env::var("PATH").unwrap()));
        shell.env("NO_COLOR", "1");
        if let Some(node) = &self.node {
            shell.env("AWS_ENDPOINT_URL", node.url(""));
        }
        let output = shell.output().unwrap();
        let log = self.node.as_ref().map(Node::output).unwrap_or_default();
        assert!(output.status.success(), "{commands}{}\n{log}", stderr(&output));
        self.printed = stdout(&output).trim().to_owned();
        if let Some((_, folder)) = commands.split_once("\ncd ") {
            folder.lines().next().unwrap().clone_into(&mut self.folder);
        }
    }
}

/// What is printed without what differs from run to run: ids and dates.
fn alike(printed: &str) -> Value {
    let mut text = String::new();
    for word in printed.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let digits = bare.chars().all(|c| c.is_ascii_hexdigit());
        let date = bare.len() == 10 && bare.chars().filter(|c| *c == '-').count() == 2;
        let name = if bare.len() == 16 && digits {
            "an id"
        } else if date {
            "a date"
        } else {
            bare
        };
        text.push_str(name);
        text.push_str(word.strip_prefix(bare).unwrap_or_default());
    }
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn an_access_endpoint_is_typed_in_ten_minutes() {
    /// Fifty words a minute.
    const TEN_MINUTES: usize = 2_500;
    let page = std::fs::read_to_string(root().join("docs/guides/gdpr-in-a-day.md")).unwrap();
    let blocks = blocks(&page);
    let keys: usize = blocks.iter().map(Block::keys).sum();
    assert!(keys <= TEN_MINUTES, "{keys} keys take longer than ten minutes");
    let mut shell = Shell {
        project: Project::new(&[]),
        folder: ".".to_owned(),
        node: None,
        typed: String::new(),
        printed: String::new(),
    };
    for block in &blocks {
        shell.take(block);
    }
    assert!(shell.node.is_some(), "the page has to run what it makes");
}
