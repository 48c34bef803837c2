//! A letter of the API's parts: subject, text, HTML.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use tradewind_model::Timestamp;

use crate::error::SesError;

/// A mail that can be handed in.
#[derive(Debug)]
pub(crate) struct Letter {
    /// The addresses that say who wrote it, who sent it and where bounces go; each has to be allowed to.
    pub(crate) senders: Vec<String>,
    /// The address that the envelope is from.
    pub(crate) from: String,
    /// The addresses of all recipients, also those that only the envelope names.
    pub(crate) to: Vec<String>,
    /// Headers and body, lines ended by CR LF.
    pub(crate) content: Vec<u8>,
}

/// What a letter is written from. Addresses may have names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) reply_to: Vec<String>,
    /// Where bounces go.
    pub(crate) bounces: Option<String>,
    pub(crate) subject: String,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

/// Headers that are the letter's own.
const RESERVED: &[&str] = &[
    "bcc",
    "cc",
    "content-disposition",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "message-id",
    "mime-version",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
];
const MAX_HEADERS: usize = 15;
const MAX_HEADER_NAME: usize = 76;

/// An address, perhaps with a name.
pub(crate) fn mailbox(text: &str) -> Result<Mailbox, SesError> {
    let invalid = |_rule| SesError::BadRequest(format!("Illegal address: `{text}`"));
    text.trim().parse().map_err(invalid)
}

/// The id in the `Message-ID` header.
pub(crate) fn message_id(id: &str, from: &Mailbox) -> String {
    format!("<{id}@{}>", from.email.domain())
}

impl Draft {
    /// The letter with this id.
    pub(crate) fn write(&self, id: &str, now: Timestamp) -> Result<Letter, SesError> {
        let from = mailbox(&self.from)?;
        let bounces = self.bounces.as_deref().map(mailbox).transpose()?;
        let sender = bounces.as_ref().unwrap_or(&from).email.clone();
        let mut recipients = Vec::new();
        let since_epoch = Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or_default());
        let mut letter = Message::builder()
            .message_id(Some(message_id(id, &from)))
            .date(SystemTime::UNIX_EPOCH + since_epoch)
            .subject(self.subject.clone())
            .from(from.clone());
        for address in &self.to {
            let to = mailbox(address)?;
            recipients.push(to.email.clone());
            letter = letter.to(to);
        }
        for address in &self.cc {
            let cc = mailbox(address)?;
            recipients.push(cc.email.clone());
            letter = letter.cc(cc);
        }
        for address in &self.bcc {
            recipients.push(mailbox(address)?.email);
        }
        for address in &self.reply_to {
            letter = letter.reply_to(mailbox(address)?);
        }
        self.check_headers()?;
        for (name, value) in &self.headers {
            let invalid = |_rule| SesError::BadRequest(format!("Illegal header name: `{name}`"));
            let name = HeaderName::new_from_ascii(name.clone()).map_err(invalid)?;
            letter = letter.raw_header(HeaderValue::new(name, value.clone()));
        }
        let wrong = |error: &dyn std::fmt::Display| SesError::BadRequest(error.to_string());
        let envelope = Envelope::new(Some(sender.clone()), recipients.clone())
            .map_err(|_nobody| SesError::BadRequest("Destination is required.".into()))?;
        let letter = letter.envelope(envelope);
        let letter = match (&self.text, &self.html) {
            (Some(text), Some(html)) => {
                letter.multipart(MultiPart::alternative_plain_html(text.clone(), html.clone()))
            }
            (None, Some(html)) => letter.singlepart(SinglePart::html(html.clone())),
            (Some(text), None) => letter.singlepart(SinglePart::plain(text.clone())),
            (None, None) => return Err(SesError::BadRequest("The body has neither Text nor Html.".into())),
        };
        let letter = letter.map_err(|error| wrong(&error))?;
        Ok(Letter {
            senders: vec![from.email.to_string(), sender.to_string()],
            from: sender.to_string(),
            to: recipients.iter().map(ToString::to_string).collect(),
            content: letter.formatted(),
        })
    }

    fn check_headers(&self) -> Result<(), SesError> {
        let bad = |text: String| Err(SesError::BadRequest(text));
        if self.headers.len() > MAX_HEADERS {
            return bad(format!("A message has at most {MAX_HEADERS} headers of its own."));
        }
        for (name, value) in &self.headers {
            let is_name = |b: u8| (b'!'..=b'~').contains(&b) && b != b':';
            if !(1..=MAX_HEADER_NAME).contains(&name.len()) || !name.bytes().all(is_name) {
                return bad(format!("Illegal header name: `{name}`"));
            }
            if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
                return bad(format!("Header `{name}` is made by SES and cannot be given."));
            }
            if value.is_empty() || value.len() > 995 || !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                return bad(format!("Illegal value of header `{name}`"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            from: "Shop <shop@example.com>".into(),
            to: vec!["Ann <ann@example.org>".into()],
            bcc: vec!["hidden@example.org".into()],
            subject: "Order 5".into(),
            text: Some("paid".into()),
            ..Draft::default()
        }
    }

    fn content(draft: &Draft) -> String {
        let letter = draft
            .write("id-1", Timestamp::from_millis(1_700_000_000_000))
            .unwrap();
        String::from_utf8(letter.content).unwrap()
    }

    #[test]
    fn a_letter_names_everybody_but_the_hidden() {
        let letter = draft()
            .write("id-1", Timestamp::from_millis(1_700_000_000_000))
            .unwrap();
        assert_eq!(letter.from, "shop@example.com");
        assert_eq!(letter.to, ["ann@example.org", "hidden@example.org"]);
        let content = String::from_utf8(letter.content).unwrap();
        for line in [
            "Message-ID: <id-1@example.com>",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
            "From: Shop <shop@example.com>",
            "To: Ann <ann@example.org>",
            "Subject: Order 5",
            "paid",
        ] {
            assert!(content.lines().any(|found| found == line), "{line}: {content}");
        }
        assert!(!content.contains("hidden"));
    }

    #[test]
    fn text_and_html_are_alternatives_in_any_script() {
        let both = content(&Draft {
            html: Some("<p>p\u{e4}id</p>".into()),
            subject: "\u{8ba2}\u{5355}".into(),
            ..draft()
        });
        assert!(
            both.contains("multipart/alternative") && both.contains("text/html; charset=utf-8"),
            "{both}"
        );
        assert!(both.contains("Subject: =?utf-8?b?"), "{both}");
        assert!(both.is_ascii());
    }

    #[test]
    fn nothing_adds_a_header_that_is_not_its_own() {
        let sneaky = content(&Draft {
            subject: "x\r\nBcc: b@example.org\r\n\r\nbody".into(),
            ..draft()
        });
        assert!(
            !sneaky
                .lines()
                .any(|line| line.starts_with("Bcc:") || line == "body"),
            "{sneaky}"
        );
        let own = |name: &str, value: &str| Draft {
            headers: vec![(name.into(), value.into())],
            ..draft()
        };
        assert!(content(&own("List-Unsubscribe", "<https://x>")).contains("List-Unsubscribe: <https://x>"));
        for (name, value) in [
            ("To", "x"),
            ("X-A", "a\r\nBcc: b"),
            ("X:", "a"),
            ("X A", "a"),
            ("X-A", ""),
        ] {
            let refused = own(name, value).write("i", Timestamp::default());
            assert!(matches!(refused, Err(SesError::BadRequest(_))), "{name}");
        }
        for from in ["nobody", "a@b.example\r\nBcc: c@d.example", ""] {
            let refused = Draft {
                from: from.into(),
                ..draft()
            }
            .write("i", Timestamp::default());
            assert!(matches!(refused, Err(SesError::BadRequest(_))), "{from}");
        }
    }
}
