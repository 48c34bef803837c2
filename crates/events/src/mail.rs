//! Mail, through a relay: what topics with subscribers by mail and SES share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tradewind_model::Arn;

use crate::delivery::{Backoff, LaneSettings, Outcome, RetryPolicy};

/// Mails to one address that are sent at the same time.
const CONCURRENCY: usize = 2;

/// Where mail is handed in, and who it is from.
#[derive(Clone)]
pub struct MailRelay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Mailbox,
}

/// What names no relay or sender. It does not quote the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMailRelay {
    /// The URL is none.
    #[error("the mail relay is not smtp://[user:password@]host[:port] or smtps://…: {0}")]
    Url(String),
    /// The address is none.
    #[error("`{0}` is not a mail address")]
    Sender(String),
}

impl MailRelay {
    /// The relay at `smtp://…`, `smtps://…`, or `smtp://…?tls=required`, and the sender of its mail.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn new(url: &str, sender: &str) -> Result<Self, InvalidMailRelay> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let transport = transport.map_err(|error| InvalidMailRelay::Url(error.to_string()))?;
        let invalid = |_rule| InvalidMailRelay::Sender(sender.to_owned());
        Ok(Self {
            transport: transport.build(),
            sender: sender.parse().map_err(invalid)?,
        })
    }

    /// Who mail of the node itself is from.
    #[must_use]
    pub fn sender(&self) -> &str {
        self.sender.email.as_ref()
    }

    /// Hands in a mail of the node itself. Its id is the same at every attempt, so that a mailbox can tell
    /// duplicates.
    pub async fn send(&self, (id, to): (&str, &str), subject: &str, body: &str) -> Outcome {
        match self.mail((id, to), subject, body) {
            Ok(mail) => self.hand_in(mail.envelope(), &mail.formatted()).await,
            Err(reason) => give_up(reason),
        }
    }

    /// Hands in a mail that is written already, headers and all, to one address.
    pub async fn send_written(&self, (from, to): (&str, &str), content: &[u8]) -> Outcome {
        let address = |text: &str| {
            let parsed = text.parse::<Address>();
            parsed.map_err(|_rule| format!("`{text}` is not a mail address"))
        };
        let envelope = address(from).and_then(|from| {
            let to = vec![address(to)?];
            Envelope::new(Some(from), to).map_err(|error| error.to_string())
        });
        match envelope {
            Ok(envelope) => self.hand_in(&envelope, content).await,
            Err(reason) => give_up(reason),
        }
    }

    async fn hand_in(&self, envelope: &Envelope, content: &[u8]) -> Outcome {
        // the transport ends the last line
        let content = content.strip_suffix(b"\r\n").unwrap_or(content);
        let Err(error) = self.transport.send_raw(envelope, content).await else {
            return Outcome::Done;
        };
        let code = error.status().map_or("Relay".to_owned(), |code| code.to_string());
        let reason = error.to_string();
        match error.is_permanent() {
            true => Outcome::GiveUp { code, reason },
            false => Outcome::Retry {
                code,
                reason,
                after: None,
            },
        }
    }

    fn mail(&self, (id, to): (&str, &str), subject: &str, body: &str) -> Result<Message, String> {
        let to: Address = to
            .parse()
            .map_err(|_rule| format!("`{to}` is not a mail address"))?;
        let domain = self.sender.email.domain();
        Message::builder()
            .from(self.sender.clone())
            .to(to.into())
            .subject(subject)
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(ContentType::TEXT_PLAIN)
            .body(body.to_owned())
            .map_err(|error| error.to_string())
    }
}

fn give_up(reason: String) -> Outcome {
    let code = "Mail".to_owned();
    Outcome::GiveUp { code, reason }
}

impl fmt::Debug for MailRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sender = self.sender.to_string();
        f.debug_struct("MailRelay")
            .field("sender", &sender)
            .finish_non_exhaustive()
    }
}

/// Whether the text is a mail address, without a name.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.parse::<Address>().is_ok()
}

/// How mail is tried: fifty attempts within about six hours. SNS developer guide, "Message delivery retries".
#[must_use]
pub fn lane_settings(dead_letter: Option<&Arn>) -> LaneSettings {
    let doubled = (0..10).map(|retry| (10_u64 << retry).min(600));
    let seconds = [10, 10].into_iter().chain(doubled).chain([600; 37]);
    let waits: Vec<_> = seconds.map(Duration::from_secs).collect();
    LaneSettings {
        retry: RetryPolicy {
            attempts: 50,
            age: None,
            backoff: Backoff::Listed(Arc::from(waits)),
        },
        dead_letter: dead_letter.cloned(),
        concurrency: CONCURRENCY,
        rate: None,
        in_order: None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// A relay that says `end` to a mail; what it was told.
    async fn relay(listener: TcpListener, end: &str) -> Vec<String> {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 relay\r\n").await.unwrap();
        let (mut told, mut in_data) = (Vec::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap() == 0 {
                return told;
            }
            told.push(line.trim_end().to_owned());
            let answer = match (&*line, in_data) {
                (".\r\n", true) => end,
                (_, true) => continue,
                ("DATA\r\n", false) => "354 go on",
                ("QUIT\r\n", false) => "221 bye",
                _ => "250 ok",
            };
            in_data = line == "DATA\r\n";
            stream
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .unwrap();
        }
    }

    async fn send(end: &str) -> (Outcome, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let mail = MailRelay::new(&url, "Shop <shop@example.com>").unwrap();
        let sending = async {
            let outcome = mail.send(("id-1", "a@example.org"), "Order 5", "paid").await;
            drop(mail);
            outcome
        };
        tokio::join!(sending, relay(listener, end))
    }

    #[tokio::test]
    async fn a_mail_is_handed_in() {
        let (outcome, told) = send("250 taken").await;
        assert_eq!(outcome, Outcome::Done);
        for line in [
            "MAIL FROM:<shop@example.com>",
            "RCPT TO:<a@example.org>",
            "From: Shop <shop@example.com>",
            "Subject: Order 5",
            "Message-ID: <id-1@example.com>",
            "paid",
        ] {
            assert!(told.iter().any(|told| told == line), "{line} {told:?}");
        }
    }

    #[tokio::test]
    async fn what_the_relay_refuses_for_good_is_given_up() {
        let (outcome, _) = send("550 no such mailbox").await;
        assert!(
            matches!(&outcome, Outcome::GiveUp { code, .. } if code == "550"),
            "{outcome:?}"
        );
        let (outcome, _) = send("451 later").await;
        assert!(
            matches!(&outcome, Outcome::Retry { code, .. } if code == "451"),
            "{outcome:?}"
        );
    }

    #[test]
    fn there_are_fifty_attempts_within_six_hours() {
        let retry = lane_settings(None).retry;
        let Backoff::Listed(waits) = retry.backoff else {
            panic!("waits are listed")
        };
        assert_eq!((retry.attempts, waits.len()), (50, 49));
        let hours = waits.iter().sum::<Duration>().as_secs_f64() / 3600.0;
        assert!((6.0..7.5).contains(&hours), "{hours}");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let error = MailRelay::new("ftp://u:secret@h", "a@example.com")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(MailRelay::new("smtp://h", "nobody").is_err());
        let relay = MailRelay::new("smtp://u:secret@h", "a@example.com").unwrap();
        assert!(!format!("{relay:?}").contains("secret"));
    }
}
