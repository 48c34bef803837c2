//! `tradewind up`: a node in this process, one project on it, reloaded on every save.
//!
//! One task does everything in turn: it prints log events, waits for saves, and drives the one
//! reload that may be running. Saves during a reload are remembered and make one more reload. A
//! reload that fails changes nothing: the stack engine has undone it, the last version goes on.

mod session;
mod watch;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::Instant;
use tradewind_model::{AccountId, Region};
use tradewind_observe::TailItem;

use super::arguments::Up;
use super::failure::Failure;
use super::functions::{self, Function};
use super::interrupts::Interrupts;
use super::log_lines::{LogFormat, LogLine};
use super::output::{self, FAINT, GOOD, STRONG};
use super::project::{self, STATE_DIR, Workspace};
use super::serve;
use super::surroundings::Surroundings;
use crate::node::{Node, NodeConfig};
use session::{Applied, apply, running_functions};
use watch::Watch;

/// Runs the command.
pub(crate) async fn run(arguments: &Up, surroundings: &Surroundings) -> Result<(), Failure> {
    let mut interrupts = Interrupts::listen()?;
    let workspace = Workspace::new(
        &arguments.project,
        surroundings,
        AccountId::default_account(),
        false,
    );
    let workspace = match &arguments.node.data {
        Some(data_dir) => workspace.leaving_out(&surroundings.directory.join(data_dir)),
        None => workspace,
    };
    let mut told = BTreeSet::new();
    let config = tokio::select! {
        config = configure(arguments, surroundings, &workspace, &mut told) => config?,
        () = interrupts.next() => return Err(Failure::Interrupted),
    };
    let data_dir = config.data_dir.clone();
    let node = serve::start(config).await?;
    let mut ready = false;
    let ended = tokio::select! {
        ended = live(&node, &workspace, &data_dir, &mut told, &mut ready) => Some(ended),
        failure = serve::failure(&node) => Some(Err(failure)),
        () = interrupts.next() => None,
    };
    // Stopped by hand is how it ends well, but not before it was up.
    let ended = ended.unwrap_or(if ready { Ok(()) } else { Err(Failure::Interrupted) });
    serve::stop(node, &mut interrupts).await?;
    ended
}

/// Reads the project once, before anything is started: what is wrong with it is told first.
async fn configure(
    arguments: &Up,
    surroundings: &Surroundings,
    workspace: &Workspace,
    told: &mut BTreeSet<String>,
) -> Result<NodeConfig, Failure> {
    let project = workspace.load().await?;
    project::stack_name(&project)?;
    project::warn_once(&project.warnings, told);
    project::warn_once(&workspace.check_interpreters(&project).await?, told);
    let region: Region = project
        .region
        .parse()
        .map_err(|invalid| Failure::new(format!("{invalid}")).hint("name another with `--region`"))?;
    let data_dir = arguments
        .node
        .data
        .clone()
        .unwrap_or_else(|| workspace.dir().join(STATE_DIR));
    Ok(NodeConfig {
        listen: arguments.node.listen,
        data_dir,
        account: AccountId::default_account(),
        region,
        stems: true,
        // the code changes before that pays
        prepare: false,
        path: surroundings.path.clone(),
        sandbox: arguments.node.sandbox.into(),
        database: arguments.node.database.clone(),
        content: arguments.node.content.config(surroundings)?,
        mail: arguments.node.mail.config()?,
        kafka: arguments.node.kafka.config()?,
    })
}

type Reload<'a> = Pin<Box<dyn Future<Output = Result<Applied, Failure>> + 'a>>;

/// Deploys, then prints logs and reloads until somebody stops it.
async fn live(
    node: &Node,
    workspace: &Workspace,
    data_dir: &Path,
    told: &mut BTreeSet<String>,
    ready: &mut bool,
) -> Result<(), Failure> {
    let mut tail = node.logs().subscribe();
    // Watching begins before the first deployment, so that no save falls between the two.
    let mut watch = Watch::start(workspace.dir(), data_dir)?;
    output::progress(&format!("deploying {} ...", workspace.dir().display()));
    let mut applied = apply(node, workspace).await?;
    project::warn_once(&applied.warnings, told);
    watch.refresh(&applied.watched);
    let mut screen = Screen::new(node, &applied).await?;
    screen.greet(node, workspace)?;
    *ready = true;

    let mut reload: Option<Reload<'_>> = None;
    let mut saved_at = Instant::now();
    loop {
        tokio::select! {
            item = tail.next() => screen.log(item)?,
            first = watch.changed(), if reload.is_none() => {
                saved_at = first;
                tracing::debug!("something was saved, looking what it changes");
                watch.refresh(&applied.watched);
                reload = Some(Box::pin(apply(node, workspace)));
            }
            ended = poll(&mut reload), if reload.is_some() => {
                reload = None;
                match ended {
                    Ok(new) => {
                        note_left_behind(&applied.project.stack_name, &new.project.stack_name);
                        project::warn_once(&new.warnings, told);
                        watch.refresh(&new.watched);
                        screen.reloaded(node, &new, saved_at.elapsed()).await?;
                        applied = new;
                    }
                    Err(failure) => screen.broken(&failure),
                }
            }
        }
    }
}

/// A project that was given another name or stage is another stack; the first one stays.
fn note_left_behind(before: &str, now: &str) {
    if before != now {
        output::note(&format!(
            "the project is stack `{now}` now; `{before}` goes on running until `tradewind remove --stack {before}`"
        ));
    }
}

async fn poll(reload: &mut Option<Reload<'_>>) -> Result<Applied, Failure> {
    match reload {
        Some(running) => running.as_mut().await,
        None => std::future::pending().await,
    }
}

/// What is on the screen: the functions as they were last shown, and how log lines look.
struct Screen {
    functions: Vec<Function>,
    format: LogFormat,
    /// The last save did not work.
    broken: bool,
}

impl Screen {
    async fn new(node: &Node, applied: &Applied) -> Result<Self, Failure> {
        let mut screen = Self {
            functions: Vec::new(),
            format: LogFormat::new(TimeZone::system()),
            broken: false,
        };
        screen.update(node, applied).await?;
        Ok(screen)
    }

    /// Looks again what runs; true when names, runtimes or URLs are others than before.
    async fn update(&mut self, node: &Node, applied: &Applied) -> Result<bool, Failure> {
        let functions = running_functions(node, &applied.project).await?;
        for function in &functions {
            self.format.label(&function.function, function.key());
        }
        let shape = |functions: &[Function]| functions::table(functions, Function::key);
        let changed = shape(&self.functions) != shape(&functions);
        self.functions = functions;
        Ok(changed)
    }

    fn greet(&self, node: &Node, workspace: &Workspace) -> Result<(), Failure> {
        self.print_functions()?;
        output::note(&format!("{GOOD}ready{GOOD:#} at http://{}", node.address()));
        output::note(&serve::isolation(node));
        output::note(&format!(
            "{FAINT}watching {}; any credentials are accepted; Ctrl-C stops{FAINT:#}\n",
            workspace.dir().display()
        ));
        Ok(())
    }

    fn print_functions(&self) -> Result<(), Failure> {
        if self.functions.is_empty() {
            output::note("the project has no functions yet; add one below `functions`");
            return Ok(());
        }
        output::line(&format!(
            "\n{}\n",
            functions::table(&self.functions, Function::key)
        ))
    }

    fn log(&mut self, item: Option<TailItem>) -> Result<(), Failure> {
        match item {
            Some(TailItem::Event(event)) => match self.format.render(&LogLine::from(&*event)) {
                Some(text) => output::line(&text),
                None => Ok(()),
            },
            Some(TailItem::Skipped(count)) => {
                output::note(&format!(
                    "{FAINT}{count} log lines came too fast to be shown{FAINT:#}"
                ));
                Ok(())
            }
            None => Err(Failure::new("the logs ended")),
        }
    }

    async fn reloaded(&mut self, node: &Node, applied: &Applied, took: Duration) -> Result<(), Failure> {
        let others = self.update(node, applied).await?;
        let was_broken = std::mem::take(&mut self.broken);
        match applied.summary() {
            Some(summary) => output::note(&format!("{GOOD}{summary}{GOOD:#} in {} ms", took.as_millis())),
            None if was_broken => output::note(&format!("{GOOD}repaired{GOOD:#}: this is what runs")),
            None => {}
        }
        if others { self.print_functions() } else { Ok(()) }
    }

    fn broken(&mut self, failure: &Failure) {
        self.broken = true;
        output::failure(failure);
        output::note(&format!(
            "{STRONG}the last version that worked goes on running{STRONG:#}"
        ));
    }
}
