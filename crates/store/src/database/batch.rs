//! What a write consists of.

use std::sync::Arc;

use crate::value::SqlValue;

/// What follows a commit.
pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;

/// Statements that happen together or not at all.
#[derive(Clone, Default)]
pub struct Batch {
    pub(super) statements: Vec<Statement>,
    hooks: Vec<Hook>,
    pub(super) grows: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sql: &'static str,
    pub(super) params: Vec<SqlValue>,
    expected_rows: Option<u64>,
}

impl Statement {
    /// Whether this many changed rows are what the statement requires.
    pub(super) fn accepts(&self, rows: u64) -> bool {
        self.expected_rows.is_none_or(|expected| expected == rows)
    }
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a statement.
    #[must_use]
    pub fn run(mut self, sql: &'static str, params: Vec<SqlValue>) -> Self {
        self.statements.push(Statement {
            sql,
            params,
            expected_rows: None,
        });
        self
    }

    /// Adds a statement that must change exactly `rows` rows, else the batch fails whole.
    #[must_use]
    pub fn require(mut self, sql: &'static str, params: Vec<SqlValue>, rows: u64) -> Self {
        self.statements.push(Statement {
            sql,
            params,
            expected_rows: Some(rows),
        });
        self
    }

    /// Marks a batch by which what is stored grows on and on: a message, an object. It is refused while little
    /// is free on the disk, so that there is room left for those that make room.
    #[must_use]
    pub fn growing(mut self) -> Self {
        self.grows = true;
        self
    }

    /// Marks a batch that ends what is stored, whatever it hands on in its stead: it is not refused while little
    /// is free, as otherwise what is to go stays. To be called last: it undoes [`Batch::growing`].
    #[must_use]
    pub fn making_room(mut self) -> Self {
        self.grows = false;
        self
    }

    /// Calls `hook` once the batch is committed, and never when it failed. It runs on the writer and must
    /// be short. A process that dies between the two never calls it: it is a hint for who waits in this
    /// process, nothing more.
    #[must_use]
    pub fn after_commit(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    pub(super) fn take_hooks(&mut self) -> Vec<Hook> {
        std::mem::take(&mut self.hooks)
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.statements).finish()
    }
}
