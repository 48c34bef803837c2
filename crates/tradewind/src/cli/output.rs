//! The only place that prints.
//!
//! Data goes to standard output, everything else to standard error. Texts carry styles; they are
//! taken out again where nobody sees colours: a pipe, a file, `NO_COLOR`, `TERM=dumb`.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::failure::Failure;

/// `error:`
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// `hint:`
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// What is fine.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Headings and names.
pub(crate) const STRONG: Style = Style::new().bold();
/// What may be skipped while reading.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Prints a line of data to standard output.
///
/// # Errors
/// [`Failure::ClosedPipe`] when nobody reads any more, or what the system says.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| cannot_print(&error))
}

/// Writes bytes of data to standard output as they are.
///
/// # Errors
/// As [`line`].
pub(crate) fn bytes(data: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(data)
        .and_then(|()| out.flush())
        .map_err(|error| cannot_print(&error))
}

fn cannot_print(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::ClosedPipe;
    }
    Failure::new("cannot write the output").because(error)
}

/// Prints a line to standard error.
pub(crate) fn note(text: &str) {
    let mut err = anstream::stderr().lock();
    if writeln!(err, "{text}").is_err() {
        // Nobody is left who could be told.
    }
}

/// Prints a line to standard error if a person watches.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        note(&format!("{FAINT}{text}{FAINT:#}"));
    }
}

/// Prints why a command failed.
pub(crate) fn failure(failure: &Failure) {
    let text = failure.render();
    if !text.is_empty() {
        note(&text);
    }
}

/// Prints clap's message or the help that was asked for, and gives its exit code.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    if printed.is_err() {
        return ExitCode::SUCCESS;
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Asks a question that is answered with yes or no; anything else is no.
///
/// Returns `None` when there is no terminal to ask on.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return None;
    }
    let mut err = anstream::stderr().lock();
    write!(err, "{question} [y/N] ").and_then(|()| err.flush()).ok()?;
    drop(err);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Sends the program's own trace to standard error: warnings, with `--verbose` more; `filter`
/// (`TRADEWIND_LOG`, in the syntax of `RUST_LOG`) says exactly what. s3s calls every refusal an error.
pub(crate) fn start_tracing(verbose: bool, filter: Option<&str>) {
    let default = if verbose {
        "warn,s3s=off,tradewind=debug"
    } else {
        "warn,s3s=off"
    };
    let filter = EnvFilter::new(filter.filter(|text| !text.is_empty()).unwrap_or(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never)
        .with_target(false)
        .without_time()
        .with_writer(Trace)
        .compact()
        .init();
}

struct Trace;

impl<'w> MakeWriter<'w> for Trace {
    type Writer = io::StderrLock<'static>;
    fn make_writer(&'w self) -> Self::Writer {
        io::stderr().lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_error() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(matches!(cannot_print(&gone), Failure::ClosedPipe));
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(cannot_print(&full).exit_code(), 1);
    }
}
