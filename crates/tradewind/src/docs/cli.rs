//! The reference of the command line, from the definitions that parse it.

use clap::{Arg, Command, CommandFactory as _};

use super::{check, table};
use crate::cli::Cli;

const INTRODUCTION: &str = "\
# Command line

Data goes to standard output, everything else to standard error, so output can be piped. Exit codes:
0 done, 1 failed, 2 wrong usage, 130 interrupted. An error says what, then its causes, then a hint.

Variables: `AWS_ENDPOINT_URL` is the node to talk to, `NO_COLOR` turns colours off, `TRADEWIND_LOG`
filters the program's own trace (the syntax of `RUST_LOG`; `--verbose` is `warn,tradewind=debug`).

";

#[test]
fn cli() {
    let mut cli = Cli::command();
    cli.build();
    // `help` is clap's own.
    let commands = || {
        cli.get_subcommands()
            .filter(|command| command.get_name() != "help")
    };
    let list = commands().map(|command| {
        let name = command.get_name();
        vec![format!("[`tradewind {name}`](#tradewind-{name})"), about(command)]
    });
    let list = table(&["command", "what it does"], list);
    let sections: Vec<String> = commands().map(|command| section(command.clone())).collect();
    check(
        "cli.md",
        &format!("{INTRODUCTION}{list}\n{}", sections.join("\n")),
    );
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn section(mut command: Command) -> String {
    let long = command.get_long_about().map(ToString::to_string);
    let text = paragraphs(&long.unwrap_or_else(|| about(&command)));
    let usage = command.render_usage().to_string();
    let mut page = format!(
        "## tradewind {}\n\n{}\n\n```\n{}\n```\n",
        command.get_name(),
        text,
        usage.trim_start_matches("Usage: ")
    );
    let shown = |arg: &&Arg| !arg.is_hide_set() && arg.get_id() != "help";
    let rows: Vec<Vec<String>> = command.get_arguments().filter(shown).map(row).collect();
    page += &format!("\n{}", table(&["argument", "meaning"], rows));
    if let Some(after) = command.get_after_help() {
        let after = after.to_string();
        let (examples, rest) = after.split_once("\n\n").unwrap_or((&after, ""));
        page += &format!(
            "\n```\n{}\n```\n",
            unindented(examples.trim_start_matches("Examples:\n"))
        );
        if !rest.is_empty() {
            page += &format!("\n{rest}\n");
        }
    }
    page
}

/// Sentences end in a full stop, and lines of a paragraph are one.
fn paragraphs(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let joined = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{}.", joined.trim_end_matches('.'))
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn unindented(examples: &str) -> String {
    let lines = examples
        .lines()
        .map(|line| line.strip_prefix("  ").unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn row(arg: &Arg) -> Vec<String> {
    let values: String = if arg.get_action().takes_values() {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().map(|name| format!(" {name}")).collect()
    } else {
        String::new()
    };
    let names: Vec<String> = [
        arg.get_short().map(|c| format!("-{c}")),
        arg.get_long().map(|name| format!("--{name}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let spelled = if names.is_empty() {
        values.trim_start().to_owned()
    } else {
        names.join(", ") + &values
    };
    vec![format!("`{spelled}`"), meaning(arg)]
}

/// The help, then what may be given, what is taken otherwise, and which variable stands for it.
fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible = arg.get_possible_values();
    if arg.get_action().takes_values() && !possible.is_empty() {
        let values: Vec<String> = possible
            .iter()
            .map(|value| match value.get_help() {
                Some(help) => format!("`{}` ({help})", value.get_name()),
                None => format!("`{}`", value.get_name()),
            })
            .collect();
        text += &format!(": {}", values.join(", "));
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        text += &format!(" [default: {}]", defaults.join(", "));
    }
    if let Some(variable) = arg.get_env() {
        text += &format!(" [variable: `{}`]", variable.to_string_lossy());
    }
    text
}
