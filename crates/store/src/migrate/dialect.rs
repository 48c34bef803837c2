//! One text of a migration for two databases.

/// Whose SQL is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The statements of `sql` that this database runs, in its words.
    pub(super) fn text(self, sql: &str) -> String {
        let mut section = None;
        let mut text = String::with_capacity(sql.len());
        for line in sql.lines() {
            match line.trim() {
                "-- only sqlite" => section = Some(Self::Sqlite),
                "-- only postgres" => section = Some(Self::Postgres),
                "-- both" => section = None,
                _ if section.is_some_and(|only| only != self) => {}
                _ if section.is_none() && self == Self::Postgres => text.push_str(&translated(line)),
                _ => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

/// PostgreSQL has BYTEA for BLOB, and compares text by the database's language unless told otherwise.
fn translated(line: &str) -> String {
    let mut quoted = false;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = line.split_inclusive(|c| !is_word(c)).map(|piece| {
        let end = piece.find(|c| !is_word(c)).unwrap_or(piece.len());
        let (word, rest) = piece.split_at(end);
        let inside = quoted;
        quoted ^= rest == "'";
        let word = match word {
            "BLOB" if !inside => "BYTEA",
            "TEXT" if !inside => "TEXT COLLATE \"C\"",
            other => other,
        };
        format!("{word}{rest}")
    });
    words.by_ref().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_translated_and_literals_are_not() {
        let sql = "CREATE TABLE t (a TEXT NOT NULL DEFAULT 'TEXT BLOB', b BLOB, context TEXT)";
        let postgres = "CREATE TABLE t (a TEXT COLLATE \"C\" NOT NULL DEFAULT 'TEXT BLOB', b BYTEA, \
                        context TEXT COLLATE \"C\")\n";
        assert_eq!(Dialect::Postgres.text(sql), postgres);
        assert_eq!(Dialect::Sqlite.text(sql).trim(), sql);
    }

    #[test]
    fn a_section_is_for_one_database_as_it_stands() {
        let sql = "A;\n  -- only sqlite\nB;\n-- only postgres\nSELECT a::TEXT;\n-- both\nC;";
        let words = |dialect: Dialect| dialect.text(sql).split_whitespace().collect::<String>();
        assert_eq!(words(Dialect::Sqlite), "A;B;C;");
        assert_eq!(words(Dialect::Postgres), "A;SELECTa::TEXT;C;");
    }
}
