//! The check of the whole file: it takes as long as reading it, so it runs beside the node's work.

use std::path::PathBuf;
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode, InterruptHandle};

use super::open::check_all;

/// A check under way. It is broken off when this is dropped.
pub(super) struct Checker {
    interrupt: InterruptHandle,
    thread: Option<JoinHandle<()>>,
}

impl Checker {
    pub(super) fn start(connection: Connection, path: PathBuf) -> Self {
        let interrupt = connection.get_interrupt_handle();
        let thread = std::thread::Builder::new()
            .name("database-check".into())
            .spawn(move || check(&connection, &path))
            .expect("a thread can be started while the node starts");
        Self {
            interrupt,
            thread: Some(thread),
        }
    }
}

fn check(connection: &Connection, path: &std::path::Path) {
    let database = path.display();
    match check_all(connection) {
        Ok(None) => tracing::debug!(%database, "the database is sound"),
        Ok(Some(damage)) => tracing::error!(
            %database, %damage,
            "the database is damaged: stop the node and restore its data folder from a backup"
        ),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {}
        Err(error) => tracing::error!(%database, %error, "the database could not be checked"),
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // An interrupt is lost on a statement that has not begun.
            while !thread.is_finished() {
                self.interrupt.interrupt();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            if thread.join().is_err() {
                tracing::error!("the check of the database panicked");
            }
        }
    }
}
