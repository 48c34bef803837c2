//! `tradewind logs`: what functions wrote, and with `--follow` what they write.

use bytes::Bytes;
use http::Method;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::arguments::Logs;
use super::client::{Lines, NodeClient, encode};
use super::failure::Failure;
use super::functions::{Function, FunctionList};
use super::interrupts::Interrupts;
use super::log_lines::{LogFormat, LogLine};
use super::nearest::nearest;
use super::output::{self, FAINT};
use super::surroundings::Surroundings;

/// A line that stands for those the node had to leave out.
#[derive(Deserialize)]
struct Skipped {
    count: u64,
}

/// Runs the command.
pub(crate) async fn run(arguments: &Logs, surroundings: &Surroundings) -> Result<(), Failure> {
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        ended = print(arguments, surroundings) => ended,
        // Ctrl-C is how following ends.
        () = interrupts.next() => Ok(()),
    }
}

async fn print(arguments: &Logs, surroundings: &Surroundings) -> Result<(), Failure> {
    let client = NodeClient::new(&arguments.endpoint.endpoint);
    let list: FunctionList = client.json("/_tradewind/functions").await?;
    let functions = list.read()?;
    let function = match &arguments.function {
        Some(typed) => Some(resolve(&functions, typed)?),
        None => None,
    };
    let since = arguments
        .since
        .map(|age| surroundings.clock.now().plus_millis(-age).as_millis());
    let path = format!("/_tradewind/logs?{}", query(arguments, function, since));
    let lines = client.stream(Method::GET, &path, Bytes::new()).await?;
    print_lines(lines, format_for(&functions, function), arguments.json).await
}

/// Functions are shown by their keys, where those are not ambiguous; `only` is the one asked for.
fn format_for(functions: &[Function], only: Option<&str>) -> LogFormat {
    let mut format = LogFormat::new(TimeZone::system());
    let wanted = functions
        .iter()
        .filter(|function| only.is_none_or(|name| function.function == name));
    for function in wanted {
        let unique = functions
            .iter()
            .filter(|other| other.key() == function.key())
            .count()
            == 1;
        format.label(
            &function.function,
            if unique {
                function.key()
            } else {
                &function.function
            },
        );
    }
    format
}

fn query(arguments: &Logs, function: Option<&str>, since: Option<i64>) -> String {
    let mut query = format!("limit={}", arguments.limit);
    if let Some(function) = function {
        query += &format!("&function={}", encode(function));
    }
    if let Some(since) = since {
        query += &format!("&since={since}");
    }
    if let Some(group) = &arguments.group {
        query += &format!("&group={}", encode(group));
    }
    if let Some(pattern) = &arguments.filter {
        query += &format!("&filter={}", encode(pattern));
    }
    if let Some(text) = &arguments.contains {
        query += &format!("&contains={}", encode(text));
    }
    if arguments.follow {
        query += "&follow=true";
    }
    query
}

/// The name of a function that was typed as its name or its key.
fn resolve<'f>(functions: &'f [Function], typed: &str) -> Result<&'f str, Failure> {
    let exact = functions.iter().find(|function| function.function == typed);
    if let Some(function) = exact.or_else(|| functions.iter().find(|function| function.key() == typed)) {
        return Ok(&function.function);
    }
    let failure = Failure::new(format!("function `{typed}` does not exist"));
    let names = functions
        .iter()
        .flat_map(|function| [function.key(), &function.function]);
    Err(match nearest(typed, names) {
        Some(name) => failure.hint(format!("did you mean `{name}`?")),
        None => failure.hint("see which there are with `tradewind list`"),
    })
}

async fn print_lines(mut lines: Lines, mut format: LogFormat, json: bool) -> Result<(), Failure> {
    while let Some(line) = lines.next().await? {
        if json {
            output::line(&String::from_utf8_lossy(&line))?;
        } else if let Ok(event) = serde_json::from_slice::<LogLine>(&line) {
            format.render(&event).map_or(Ok(()), |text| output::line(&text))?;
        } else if let Ok(Skipped { count }) = serde_json::from_slice(&line) {
            output::note(&format!(
                "{FAINT}{count} lines came too fast to be shown{FAINT:#}"
            ));
        } else {
            return Err(Failure::new("the node's answer was not understood"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::arguments::{Cli, Command};
    use super::*;

    #[test]
    fn what_was_typed_becomes_a_query() {
        let line = "tradewind logs cart -f --since 1m --contains a&b -n 5";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Logs(logs) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(logs.since, Some(60_000));
        let query = query(&logs, Some("shop-dev-cart"), Some(42));
        assert_eq!(
            query,
            "limit=5&function=shop-dev-cart&since=42&contains=a%26b&follow=true"
        );
        let line = ["tradewind", "logs", "--group", "/shop/audit", "--filter", "-x ?y"];
        let cli = Cli::try_parse_from(line).unwrap();
        let Command::Logs(logs) = cli.command else {
            panic!("{cli:?}")
        };
        let query = self::query(&logs, None, None);
        assert_eq!(query, "limit=1000&group=%2Fshop%2Faudit&filter=-x%20%3Fy");
    }
}
