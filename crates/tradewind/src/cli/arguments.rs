//! What can be typed. One struct a command; their doc comments are the help.

mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use tradewind_compute::SandboxChoice;
use tradewind_store::PostgresUrl;

use super::content::ContentArguments;
use super::cost::Cost;
use super::kafka::KafkaArguments;
use super::mail::MailArguments;
pub(super) use values::parse_age;
pub(crate) use values::{Assignment, Endpoint};
use values::{DEFAULT_ENDPOINT, listen_address};

const STYLES: Styles = Styles::styled()
    .header(super::output::STRONG)
    .usage(super::output::STRONG)
    .error(super::output::ERROR)
    .literal(anstyle::AnsiColor::Cyan.on_default())
    .valid(anstyle::AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  tradewind init node-http hello    make a project
  tradewind up hello                run it; saves are live at once
  tradewind invoke hello -d '{}'    call a function
  tradewind doctor                  what this machine can run

Every command explains itself: tradewind up --help";

/// A serverless platform of your own: functions behind HTTP APIs, from one binary.
#[derive(Debug, Parser)]
#[command(name = "tradewind", version, about, styles = STYLES, after_help = EXAMPLES, max_term_width = 100,
          propagate_version = false)]
pub(crate) struct Cli {
    /// Say more about what happens, on standard error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands; their help is that of their arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(Up),
    Serve(Serve),
    Deploy(Deploy),
    Remove(Remove),
    Package(Package),
    Invoke(Invoke),
    Logs(Logs),
    Trace(Trace),
    Cost(Cost),
    List(List),
    Scrub(Scrub),
    Doctor(Doctor),
    Init(Init),
    Completions(Completions),
}

/// Where a project is and what it is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProjectArguments {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// The configuration file, if it is not serverless.yml; relative to DIR
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// The stage [default: the project's, else dev]
    #[arg(short, long)]
    pub(crate) stage: Option<String>,
    /// The region [default: the project's, else us-east-1]
    #[arg(short, long)]
    pub(crate) region: Option<String>,
    /// A value for ${param:KEY}; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE")]
    pub(crate) params: Vec<Assignment>,
    /// A value for ${opt:KEY}; may be repeated
    #[arg(long = "option", value_name = "KEY=VALUE")]
    pub(crate) options: Vec<Assignment>,
}

/// Where a running node is.
#[derive(Clone, Debug, Args)]
pub(crate) struct EndpointArguments {
    /// The node to talk to
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL", hide_env_values = true,
          default_value = DEFAULT_ENDPOINT, value_hint = ValueHint::Url)]
    pub(crate) endpoint: Endpoint,
}

/// Where a node of this process listens and keeps its state.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeArguments {
    /// The address to listen on, or only its port; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4566", value_parser = listen_address)]
    pub(crate) listen: SocketAddr,
    /// The folder that keeps all state [default: .tradewind, in the project for `up`]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: Option<PathBuf>,
    /// A PostgreSQL database for the rows, instead of a file in the data folder
    ///
    /// Code, logs and large contents stay in the data folder: the two belong together. In the
    /// environment other users of this machine do not see its password.
    #[arg(long, value_name = "URL", env = "TRADEWIND_DATABASE", hide_env_values = true,
          value_hint = ValueHint::Url, value_parser = database_url)]
    pub(crate) database: Option<PostgresUrl>,
    #[command(flatten)]
    pub(crate) content: ContentArguments,
    #[command(flatten)]
    pub(crate) mail: MailArguments,
    #[command(flatten)]
    pub(crate) kafka: KafkaArguments,
    /// What functions run in; jail refuses to start where it cannot be made
    #[arg(long, value_name = "KIND", default_value = "auto")]
    pub(crate) sandbox: Sandbox,
}

/// What functions run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sandbox {
    /// The strongest that works here
    Auto,
    /// Namespaces, limits and filtered system calls: for code that nobody trusts
    Jail,
    /// Plain processes: for trusted code
    Process,
}

/// What a node does in advance for cold starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColdStarts {
    /// Runtimes are booted and packages compiled in advance
    Prepared,
    /// Runtimes are booted in advance
    Stems,
    /// Nothing is done in advance
    Plain,
}

impl From<Sandbox> for SandboxChoice {
    fn from(sandbox: Sandbox) -> Self {
        match sandbox {
            Sandbox::Auto => Self::Auto,
            Sandbox::Jail => Self::Jail,
            Sandbox::Process => Self::Process,
        }
    }
}

/// Takes any text: what is wrong with it is told at the start, without quoting the password.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a value parser")]
fn database_url(text: &str) -> Result<PostgresUrl, std::convert::Infallible> {
    Ok(PostgresUrl::new(text))
}

/// Run a project here: deploy it, follow its logs, reload on save
///
/// Starts a node in this process, deploys the project to it, prints its URLs and
/// follows its logs. Saving a file changes what the next request runs; a save
/// that does not work keeps the last version that did. State is kept in
/// .tradewind in the project. Ctrl-C finishes running requests and ends.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  tradewind up                                the project in this folder
  tradewind up examples/storefront            another one
  tradewind up --stage test --param size=2    with ${param:size}
  tradewind up --listen 127.0.0.1:0           on any free port"
)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) project: ProjectArguments,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// Run a node that others deploy to
///
/// The node answers on one address for everything: the AWS APIs, the deployed
/// HTTP APIs, and its own management API. It accepts any signature, so it listens
/// on loopback only. Ctrl-C finishes running requests and ends.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  tradewind serve
  tradewind serve --listen 127.0.0.1:4600 --data /tmp/tradewind
  aws --endpoint-url http://127.0.0.1:4566 lambda list-functions"
)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// The region of unsigned requests and of stacks
    #[arg(short, long, default_value = "us-east-1")]
    pub(crate) region: String,
    /// What the node does in advance, so that first calls are quick
    #[arg(long, value_name = "KIND", default_value = "prepared")]
    pub(crate) cold_starts: ColdStarts,
}

/// Deploy a project to a running node
///
/// Builds and uploads what changed, applies the template, and prints outputs and
/// URLs. Only what differs from the last deployment is changed; if something
/// fails, everything is as it was before.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  tradewind deploy
  tradewind deploy examples/storefront --stage prod
  tradewind deploy --endpoint http://127.0.0.1:4600 --json"
)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) project: ProjectArguments,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArguments,
    /// Print one JSON object a line: the stack's events, and at last its status and outputs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove a deployed project and everything that came of it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tradewind remove
  tradewind remove examples/storefront --yes
  tradewind remove --stack storefront-dev --yes")]
pub(crate) struct Remove {
    #[command(flatten)]
    pub(crate) project: ProjectArguments,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArguments,
    /// The stack to remove, instead of the project's
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Only show what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON object a line: the stack's events, and at last its status
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the CloudFormation template of a project
///
/// Builds the packages, since the template names them by content, and prints the
/// template as JSON.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  tradewind package examples/storefront
  tradewind package examples/storefront -o /tmp/storefront    the template and the zips"
)]
pub(crate) struct Package {
    #[command(flatten)]
    pub(crate) project: ProjectArguments,
    /// Write the template and the zips to this folder instead
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) output: Option<PathBuf>,
}

/// Call a function and print what it returns
///
/// FUNCTION is a function's name or ARN, or its key in serverless.yml. Without -d
/// and -p the payload is read from standard input unless that is a terminal.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  tradewind invoke hello -d '{\"name\": \"Ada\"}'
  tradewind invoke storefront-dev-catalogue -p event.json
  echo '{}' | tradewind invoke catalogue -l     also the last of its log
  tradewind invoke hello -t Event               do not wait for it

Exit code 1 when the function failed; what it said is printed all the same."
)]
pub(crate) struct Invoke {
    /// The function
    pub(crate) function: String,
    /// The payload
    #[arg(short, long, value_name = "JSON", conflicts_with = "path")]
    pub(crate) data: Option<String>,
    /// A file with the payload; - is standard input
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) path: Option<PathBuf>,
    /// Whether to wait for the result
    #[arg(
        short = 't',
        long = "type",
        value_name = "TYPE",
        default_value = "RequestResponse"
    )]
    pub(crate) invocation_type: InvocationType,
    /// Print the end of the function's log to standard error
    #[arg(short, long)]
    pub(crate) log: bool,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArguments,
}

/// How a function is called; the names are Lambda's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InvocationType {
    /// Wait for the result
    #[value(name = "RequestResponse")]
    RequestResponse,
    /// Queue it; failures are tried again twice
    #[value(name = "Event")]
    Event,
    /// Only check that it could be called
    #[value(name = "DryRun")]
    DryRun,
}

/// Print what functions wrote
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tradewind logs
  tradewind logs cart -f                 and what comes next
  tradewind logs cart --since 15m --contains error
  tradewind logs --group /shop/audit -f --filter ERROR
  tradewind logs --json | jq .message")]
pub(crate) struct Logs {
    /// The function; all of them if there is none
    pub(crate) function: Option<String>,
    /// A log group instead of a function's, for example one that `aws logs create-log-group` made
    #[arg(short, long, value_name = "NAME", conflicts_with = "function")]
    pub(crate) group: Option<String>,
    /// Go on with what is written from now on, until Ctrl-C
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only what is younger: 90s, 15m, 2h, 3d
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub(crate) since: Option<i64>,
    /// Only lines with this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) contains: Option<String>,
    /// Only lines that match a filter pattern of CloudWatch Logs
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) filter: Option<String>,
    /// At most so many lines of the past
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1000)]
    pub(crate) limit: u32,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArguments,
}

/// Show the journey of an event: what it set going, step by step
///
/// ID is the Root of an answer's X-Amzn-Trace-Id, or the request id of an invocation, or its first
/// 8 characters as `tradewind logs` shows them.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  tradewind trace 1-6740c1d2-0123456789abcdef01234567
  tradewind trace 5243243e
  tradewind trace 5243243e --json | jq .steps"
)]
pub(crate) struct Trace {
    /// The journey
    pub(crate) id: String,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArguments,
}

/// Wait until nothing of what was deleted is left on disk
///
/// Without it that takes a minute. Downloads of deleted objects that have begun go on; packages that were
/// uploaded within the last half minute stay.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tradewind scrub
  tradewind scrub --json | jq .rows")]
pub(crate) struct Scrub {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArguments,
}

/// List functions and their URLs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tradewind list
  tradewind list --json | jq -r '.urls[].url'")]
pub(crate) struct List {
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArguments,
}

/// Show what this machine can run and what is missing
///
/// Exit code 1 when something is missing that nothing runs without.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  tradewind doctor
  tradewind doctor --json | jq 'select(.status != \"ok\")'"
)]
pub(crate) struct Doctor {
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// The address a node would listen on
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4566", value_parser = listen_address)]
    pub(crate) listen: SocketAddr,
}

/// Make a new project from a template
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tradewind init node-http hello
  tradewind init python-http hello && tradewind up hello")]
pub(crate) struct Init {
    /// What to start from
    pub(crate) template: TemplateName,
    /// The folder to make [default: the template's name]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
    /// Write into a folder that is not empty, over files of the same name
    #[arg(long)]
    pub(crate) force: bool,
}

/// What a project can start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TemplateName {
    /// An HTTP API in JavaScript
    #[value(name = "node-http")]
    Node,
    /// An HTTP API in Python
    #[value(name = "python-http")]
    Python,
    /// An HTTP API in Rust, built with cargo
    #[value(name = "rust-http")]
    Rust,
}

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tradewind completions bash > ~/.local/share/bash-completion/completions/tradewind
  tradewind completions fish > ~/.config/fish/completions/tradewind.fish
  tradewind completions zsh > \"${fpath[1]}/_tradewind\"")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definitions_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn up_takes_a_project_and_a_node() {
        let cli =
            parse("tradewind up shop --stage test --param a=1 --param b=x=y --listen 127.0.0.1:0").unwrap();
        let Command::Up(up) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(up.project.dir, PathBuf::from("shop"));
        assert_eq!(up.project.stage.as_deref(), Some("test"));
        assert_eq!(
            up.project.params[1],
            Assignment {
                key: "b".into(),
                value: "x=y".into()
            }
        );
        assert_eq!(up.node.listen.port(), 0);
        assert_eq!(up.node.data, None);
    }

    #[test]
    fn invoke_takes_its_payload_from_one_place() {
        let cli = parse("tradewind invoke cart -d {} -t Event").unwrap();
        let Command::Invoke(invoke) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(invoke.invocation_type, InvocationType::Event);
        assert!(parse("tradewind invoke cart -d {} -p x.json").is_err());
        assert!(parse("tradewind invoke").is_err());
    }

    /// Every command's help as it was last agreed on. When it changes on purpose, write it anew
    /// with `UPDATE_DOCS=1 cargo test -p tradewind help` and read the diff.
    #[test]
    fn the_help_is_as_agreed() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/help.txt");
        let help = all_help();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, &help).unwrap();
        }
        let agreed = std::fs::read_to_string(file).unwrap();
        assert_eq!(help, agreed);
    }

    fn all_help() -> String {
        let mut cli = Cli::command().term_width(100);
        cli.build();
        let mut text = format!("$ tradewind --help\n{}", cli.render_long_help());
        for command in cli.get_subcommands_mut() {
            text += &format!("\n$ tradewind {} --help\n", command.get_name());
            text += &command.render_long_help().to_string();
        }
        text
    }

    #[test]
    fn examples_in_the_help_can_be_parsed() {
        let mut tried = 0;
        for line in all_help()
            .lines()
            .filter_map(|line| line.strip_prefix("  tradewind "))
        {
            let command = line.split(['|', '&', '>']).next().unwrap_or_default();
            let command = command
                .split("    ")
                .next()
                .unwrap_or_default()
                .split("     ")
                .next()
                .unwrap_or_default();
            let words = command.split_whitespace().map(|word| word.trim_matches('\''));
            let parsed = Cli::try_parse_from(std::iter::once("tradewind").chain(words));
            // The payload of `invoke -d '{"name": "Ada"}'` is two words here; all else must parse.
            assert!(parsed.is_ok() || command.contains("Ada"), "{command}: {parsed:?}");
            tried += 1;
        }
        assert!(tried > 15, "only {tried} examples were found");
    }
}
