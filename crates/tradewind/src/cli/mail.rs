//! Where a node of this process hands in mail.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueHint};
use tradewind_events::mail::MailRelay;

use super::failure::Failure;

/// The relay that takes mail, and who it is from.
#[derive(Clone, Debug, Args)]
pub(crate) struct MailArguments {
    /// A mail relay, for SES and for topics with subscribers by e-mail
    ///
    /// `smtp://[user:password@]host[:port]`, with `?tls=required` for STARTTLS, or `smtps://…`. In the
    /// environment other users of this machine do not see its password.
    #[arg(long, value_name = "URL", env = "TRADEWIND_SMTP_RELAY", hide_env_values = true,
          value_hint = ValueHint::Url, requires = "smtp_sender")]
    smtp_relay: Option<RelayUrl>,
    /// Who mail is from, for example `Shop <shop@example.com>`
    #[arg(long, value_name = "ADDRESS", env = "TRADEWIND_SMTP_SENDER", hide_env_values = true, value_hint = ValueHint::EmailAddress,
          requires = "smtp_relay")]
    smtp_sender: Option<String>,
}

/// It may hold a password and is never printed.
#[derive(Clone)]
struct RelayUrl(String);

impl FromStr for RelayUrl {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayUrl(..)")
    }
}

impl MailArguments {
    /// What the node is told.
    pub(crate) fn config(&self) -> Result<Option<MailRelay>, Failure> {
        let (Some(RelayUrl(url)), Some(sender)) = (&self.smtp_relay, &self.smtp_sender) else {
            return Ok(None);
        };
        let relay = MailRelay::new(url, sender);
        relay
            .map(Some)
            .map_err(|invalid| Failure::usage(invalid.to_string()))
    }
}
