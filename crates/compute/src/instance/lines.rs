//! Splits what a function prints into lines, keeping no more of it than one line may have.

use std::borrow::Cow;

use tradewind_observe::LogEvent;

/// The longest line; longer ones are cut.
const MAX_LINE_BYTES: usize = LogEvent::MAX_MESSAGE_BYTES;

/// The end of the output so far, if it is no whole line yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Takes output and gives its whole lines, without their newline.
    pub(crate) fn feed(&mut self, output: &[u8], mut line: impl FnMut(Cow<'_, str>)) {
        let mut rest = output;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = rest.split_at(end);
            rest = tail.split_first().map_or(&[], |(_newline, after)| after);
            if self.partial.is_empty() && head.len() <= MAX_LINE_BYTES {
                line(text(head));
            } else {
                self.extend(head, &mut line);
                self.flush(&mut line);
            }
        }
        self.extend(rest, &mut line);
    }

    /// Gives what is left without a newline.
    pub(crate) fn flush(&mut self, mut line: impl FnMut(Cow<'_, str>)) {
        if !self.partial.is_empty() {
            line(text(&self.partial));
            self.partial.clear();
        }
    }

    fn extend(&mut self, bytes: &[u8], line: &mut impl FnMut(Cow<'_, str>)) {
        self.partial.extend_from_slice(bytes);
        while self.partial.len() > MAX_LINE_BYTES {
            let cut = character_boundary(&self.partial, MAX_LINE_BYTES);
            let rest = self.partial.split_off(cut);
            line(text(&self.partial));
            self.partial = rest;
        }
        if self.partial.is_empty() && self.partial.capacity() > MAX_LINE_BYTES {
            self.partial = Vec::new();
        }
    }
}

/// Output is UTF-8 if it is anything; what is not is shown as such. Bootstraps send the newlines
/// inside one record as carriage returns.
fn text(line: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    if text.contains('\r') {
        Cow::Owned(text.replace('\r', "\n"))
    } else {
        text
    }
}

/// The last position up to `limit` that does not cut a character in two.
fn character_boundary(bytes: &[u8], limit: usize) -> usize {
    let is_continuation = |at: usize| {
        bytes
            .get(at)
            .is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000)
    };
    // a character has at most three bytes after its first
    (limit.saturating_sub(3)..=limit)
        .rev()
        .find(|at| !is_continuation(*at))
        .unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for piece in pieces {
            lines.feed(piece, |line| all.push(line.into_owned()));
        }
        lines.flush(|line| all.push(line.into_owned()));
        all
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        assert_eq!(
            split(&[b"one\ntw", b"o\n", b"\nlast"]),
            ["one", "two", "", "last"]
        );
        assert_eq!(split(&[b"dos\r\n"]), ["dos"]);
        assert_eq!(split(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_record_of_several_lines_stays_one() {
        assert_eq!(split(&[b"Error: x\r    at y\n"]), ["Error: x\n    at y"]);
    }

    #[test]
    fn what_is_not_utf8_is_shown_as_such() {
        assert_eq!(split(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let long = "é".repeat(MAX_LINE_BYTES);
        let lines = split(&[b"x", long.as_bytes(), b"\nshort\n"]);
        assert!(lines.iter().all(|line| line.len() <= MAX_LINE_BYTES));
        assert_eq!(lines.last().unwrap(), "short");
        let joined: String = lines[..lines.len() - 1].concat();
        assert_eq!(joined, format!("x{long}"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_invented(text in "[a-zé\n]{0,200}", cut in 1usize..20) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            let mut expected: Vec<&str> = text.split('\n').collect();
            if expected.last() == Some(&"") {
                expected.pop();
            }
            prop_assert_eq!(split(&pieces), expected);
        }
    }
}
