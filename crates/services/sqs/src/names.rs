//! Names, ARNs and URLs of queues.

use std::fmt;
use std::str::FromStr;

use tradewind_model::{AccountId, Arn, Region};

use crate::error::SqsError;

const SUFFIX: &str = ".fifo";
const MAX_CHARACTERS: usize = 80;

/// A queue's name: 1–80 of `A-Z a-z 0-9 - _`; a FIFO queue's name ends in `.fifo`, which counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Box<str>);

impl QueueName {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the name of a FIFO queue.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(SUFFIX)
    }
}

/// Text that is no name of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")]
pub struct InvalidQueueName;

impl FromStr for QueueName {
    type Err = InvalidQueueName;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if stem.is_empty() || name.len() > MAX_CHARACTERS || !stem.bytes().all(plain) {
            return Err(InvalidQueueName);
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<InvalidQueueName> for SqsError {
    fn from(error: InvalidQueueName) -> Self {
        Self::InvalidParameterValue(error.to_string())
    }
}

/// Which queue: its ARN, as its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueArn {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// Its name.
    pub name: QueueName,
}

impl fmt::Display for QueueArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:sqs:{}:{}:{}", self.region, self.account, self.name)
    }
}

impl FromStr for QueueArn {
    type Err = SqsError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || SqsError::InvalidParameterValue(format!("`{text}` is not the ARN of a queue"));
        let arn: Arn = text.parse().map_err(|_not_an_arn| invalid())?;
        if &*arn.service != "sqs" {
            return Err(invalid());
        }
        Ok(Self {
            account: arn.account.parse().map_err(|_not_an_account| invalid())?,
            region: arn.region.parse().map_err(|_not_a_region| invalid())?,
            name: arn.resource.parse().map_err(|_not_a_name| invalid())?,
        })
    }
}

impl QueueArn {
    /// The URL of the queue on the node that clients reach at `base`, for example `http://127.0.0.1:4566`.
    #[must_use]
    pub fn url(&self, base: &str) -> String {
        format!("{base}/{}/{}", self.account, self.name)
    }

    /// The queue of a URL: its last two segments are account and name. A host `sqs.{region}.…` or
    /// `{region}.queue.…` tells the region; else it is the caller's, as the account of a bare name is.
    ///
    /// # Errors
    /// When the text is neither a URL nor a name.
    pub fn of_url(url: &str, account: &AccountId, region: &Region) -> Result<Self, SqsError> {
        let invalid = || SqsError::InvalidAddress(url.to_owned());
        let (host, path) = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/').ok_or_else(invalid)?,
            None => ("", url),
        };
        let mut segments = path.trim_matches('/').rsplit('/');
        let name = segments.next().unwrap_or_default();
        let given_account = segments.next();
        let name = name.parse().map_err(|_not_a_name| SqsError::QueueDoesNotExist);
        Ok(Self {
            account: match given_account {
                Some(account) => account.parse().map_err(|_not_an_account| invalid())?,
                None if host.is_empty() => account.clone(),
                None => return Err(invalid()),
            },
            region: region_of_host(host).unwrap_or_else(|| region.clone()),
            name: name?,
        })
    }
}

fn region_of_host(host: &str) -> Option<Region> {
    let mut labels = host.split(['.', ':']);
    let (first, second) = (labels.next()?, labels.next()?);
    match (first, second) {
        ("sqs", region) | (region, "queue") if region.contains('-') => region.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_url(url: &str) -> Result<String, SqsError> {
        QueueArn::of_url(url, &AccountId::default_account(), &Region::default_region())
            .map(|arn| arn.to_string())
    }

    #[test]
    fn names_have_the_documented_characters() {
        let longest = "a".repeat(80);
        for name in ["q", "My_queue-1", "q.fifo", &longest] {
            assert_eq!(name.parse::<QueueName>().unwrap().to_string(), name);
        }
        let too_long = "a".repeat(81);
        for name in ["", ".fifo", "a.b", "a b", "ä", "q.fifo.fifo", "q/", &too_long] {
            assert!(name.parse::<QueueName>().is_err(), "{name}");
        }
    }

    #[test]
    fn arns_read_back() {
        let arn: QueueArn = "arn:aws:sqs:eu-west-1:123456789012:q.fifo".parse().unwrap();
        assert_eq!(arn.to_string(), "arn:aws:sqs:eu-west-1:123456789012:q.fifo");
        for text in [
            "dummy",
            "arn:aws:sns:eu-west-1:123456789012:q",
            "arn:aws:sqs:eu-west-1:1:q",
        ] {
            assert!(text.parse::<QueueArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn urls_of_every_form_name_their_queue() {
        let here = "arn:aws:sqs:us-east-1:123456789012:q";
        let there = "arn:aws:sqs:eu-west-1:123456789012:q";
        for (url, arn) in [
            ("http://127.0.0.1:4566/123456789012/q", here),
            ("http://localhost:4566/123456789012/q/", here),
            ("http://sqs.eu-west-1.localhost:4566/123456789012/q", there),
            (
                "http://sqs.eu-west-1.localhost.localstack.cloud:4566/123456789012/q",
                there,
            ),
            ("https://eu-west-1.queue.amazonaws.com/123456789012/q", there),
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", there),
            ("123456789012/q", here),
            ("q", "arn:aws:sqs:us-east-1:000000000000:q"),
        ] {
            assert_eq!(of_url(url).unwrap(), arn, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["http://localhost", "http://localhost/q", "http://localhost/me/q"] {
            assert!(matches!(of_url(url), Err(SqsError::InvalidAddress(_))), "{url}");
        }
        for url in ["", "http://localhost/123456789012/a.b"] {
            assert!(of_url(url).is_err(), "{url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_it_takes_reads_back(url in "(https?://)?[a-z.:0-9-]{0,20}(/[0-9]{0,13}){0,2}(/.{0,8})?") {
            let (account, region) = (AccountId::default_account(), Region::default_region());
            if let Ok(arn) = QueueArn::of_url(&url, &account, &region) {
                let again = QueueArn::of_url(&arn.url("http://localhost:4566"), &account, &arn.region).unwrap();
                proptest::prop_assert_eq!(&again, &arn);
                proptest::prop_assert_eq!(arn.to_string().parse::<QueueArn>().unwrap(), arn);
            }
        }
    }
}
