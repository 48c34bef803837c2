//! A mail that its sender wrote whole, headers and all: who it is from and for, and what is changed about it.
//!
//! As SES does: `Bcc` and `Return-Path` go, `Message-ID` and `Date` are made anew; everything else stays as it is.

use lettre::message::Mailboxes;
use tradewind_model::Timestamp;

use crate::error::SesError;
use crate::letter::{Letter, mailbox, message_id};

/// Headers that are not the sender's to give.
const REPLACED: &[&str] = &["bcc", "date", "message-id", "return-path"];

/// What a request says beside the mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawGiven {
    /// Who it is from; else its `From` says.
    pub(crate) from: Option<String>,
    /// All recipients; else its `To`, `Cc` and `Bcc` say.
    pub(crate) to: Vec<String>,
    /// Where bounces go.
    pub(crate) bounces: Option<String>,
}

/// A header of a mail.
struct Field<'m> {
    name: String,
    /// The value, its lines joined.
    value: String,
    /// As it is written, without its last line's end.
    written: &'m [u8],
}

/// The letter of this mail, with this id.
pub(crate) fn letter(raw: &[u8], given: &RawGiven, id: &str, now: Timestamp) -> Result<Letter, SesError> {
    let (fields, body) = split(raw)?;
    let written = addresses(&fields, &["from"])?;
    if written.is_empty() {
        return Err(SesError::BadRequest("Missing required header 'From'.".into()));
    }
    let from = mailbox(given.from.as_deref().unwrap_or_else(|| &written[0]))?;
    let bounces = given.bounces.as_deref().map(mailbox).transpose()?;
    let to = match given.to.is_empty() {
        true => addresses(&fields, &["to", "cc", "bcc"])?,
        false => given
            .to
            .iter()
            .map(|to| Ok(mailbox(to)?.email.to_string()))
            .collect::<Result<_, SesError>>()?,
    };
    let mut senders = written;
    senders.extend(addresses(&fields, &["sender"])?);
    let envelope = bounces.as_ref().unwrap_or(&from).email.to_string();
    senders.extend([from.email.to_string(), envelope.clone()]);
    let mut content =
        format!("Message-ID: {}\r\nDate: {}\r\n", message_id(id, &from), date(now)).into_bytes();
    for field in fields
        .iter()
        .filter(|field| !REPLACED.contains(&field.name.as_str()))
    {
        push_lines(&mut content, field.written);
        content.extend_from_slice(b"\r\n");
    }
    content.extend_from_slice(b"\r\n");
    push_lines(&mut content, body);
    Ok(Letter {
        senders,
        from: envelope,
        to,
        content,
    })
}

fn date(now: Timestamp) -> String {
    let zoned = now.to_jiff().to_zoned(jiff::tz::TimeZone::UTC);
    zoned.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// The headers, and what follows them.
fn split(raw: &[u8]) -> Result<(Vec<Field<'_>>, &[u8]), SesError> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let mut from = 0;
    while from < raw.len() {
        let rest = &raw[from..];
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |at| at + 1);
        let line = trim_end(&rest[..end]);
        if line.is_empty() {
            return Ok((fields, &rest[end..]));
        }
        match (line[0], fields.last_mut()) {
            (b' ' | b'\t', Some(field)) => {
                let start = from - field.written.len() - line_end(raw, from);
                field.written = &raw[start..from + line.len()];
                field.value.push_str(&String::from_utf8_lossy(line));
            }
            _ => fields.push(field(line)?),
        }
        from += end;
    }
    Ok((fields, b""))
}

/// How long the line end before `at` is.
fn line_end(raw: &[u8], at: usize) -> usize {
    at - trim_end(&raw[..at]).len()
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn field(line: &[u8]) -> Result<Field<'_>, SesError> {
    let text = String::from_utf8_lossy(line);
    let (name, value) = text
        .split_once(':')
        .filter(|(name, _)| !name.is_empty() && name.bytes().all(|b| (b'!'..=b'~').contains(&b)))
        .ok_or_else(|| {
            SesError::BadRequest("The raw message has a line among its headers that is none.".into())
        })?;
    Ok(Field {
        name: name.to_ascii_lowercase(),
        value: value.trim().to_owned(),
        written: line,
    })
}

/// The addresses in all headers of these names.
fn addresses(fields: &[Field<'_>], names: &[&str]) -> Result<Vec<String>, SesError> {
    let mut found = Vec::new();
    let named = fields
        .iter()
        .filter(|field| names.contains(&field.name.as_str()) && !field.value.is_empty());
    for field in named {
        let invalid = |_rule| SesError::BadRequest(format!("Illegal address in header `{}`", field.name));
        let mailboxes: Mailboxes = field.value.parse().map_err(invalid)?;
        found.extend(mailboxes.iter().map(|mailbox| mailbox.email.to_string()));
    }
    Ok(found)
}

/// Adds the text with every line ended by CR LF, as SMTP wants it.
fn push_lines(content: &mut Vec<u8>, text: &[u8]) {
    let mut last = 0;
    for byte in text {
        if *byte == b'\n' && last != b'\r' {
            content.push(b'\r');
        }
        content.push(*byte);
        last = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "From: =?utf-8?q?Sh=C3=B6p?= <shop@example.com>\nTo: Ann <ann@example.org>,\n\t\
                       Ben <ben@example.org>\nBcc: hidden@example.org\nMessage-ID: <old@x>\nSubject: long\n  subject\n\
                       X-Own: yes\n\nfirst\r\nsecond\n";

    fn read(raw: &str, given: &RawGiven) -> Result<Letter, SesError> {
        letter(
            raw.as_bytes(),
            given,
            "id-1",
            Timestamp::from_millis(1_700_000_000_000),
        )
    }

    #[test]
    fn the_headers_say_who_and_whom() {
        let letter = read(RAW, &RawGiven::default()).unwrap();
        assert_eq!(letter.from, "shop@example.com");
        assert_eq!(
            letter.to,
            ["ann@example.org", "ben@example.org", "hidden@example.org"]
        );
        let expected = "Message-ID: <id-1@example.com>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\
                        From: =?utf-8?q?Sh=C3=B6p?= <shop@example.com>\r\n\
                        To: Ann <ann@example.org>,\r\n\tBen <ben@example.org>\r\nSubject: long\r\n  subject\r\n\
                        X-Own: yes\r\n\r\nfirst\r\nsecond\r\n";
        assert_eq!(String::from_utf8(letter.content).unwrap(), expected);
        let crlf = read(
            &RAW.replace("\r\n", "\n").replace('\n', "\r\n"),
            &RawGiven::default(),
        )
        .unwrap();
        assert_eq!(String::from_utf8(crlf.content).unwrap(), expected);
    }

    #[test]
    fn a_request_may_say_otherwise() {
        let given = RawGiven {
            from: Some("Other <other@example.com>".into()),
            to: vec!["one@example.org".into()],
            bounces: Some("bounces@example.com".into()),
        };
        let letter = read(RAW, &given).unwrap();
        assert_eq!(
            (letter.from.as_str(), letter.to),
            ("bounces@example.com", vec!["one@example.org".to_owned()])
        );
        let senders = ["shop@example.com", "other@example.com", "bounces@example.com"];
        assert_eq!(letter.senders, senders);
    }

    #[test]
    fn what_is_no_mail_is_refused() {
        for raw in [
            "",
            "no header\n\nx",
            "Subject: x\n\nbody",
            "From: nobody\n\nx",
            " folded\nFrom: a@b.example\n\n",
        ] {
            assert!(
                matches!(read(raw, &RawGiven::default()), Err(SesError::BadRequest(_))),
                "{raw}"
            );
        }
        assert!(read("From: a@b.example\nTo: c@d.example", &RawGiven::default()).is_ok());
    }
}
