//! What a step is told by its environment.

use crate::bucket::Bucket;
use crate::bus::Bus;
use crate::failure::Failure;
use crate::rejected::Rejected;
use crate::token::Pepper;

/// Where the platform is, and who asks.
#[derive(Clone)]
pub struct Endpoint {
    /// Base URL.
    pub url: String,
    /// Region of signatures.
    pub region: String,
    /// Access key.
    pub key_id: String,
    /// Secret key.
    pub secret_key: String,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// From the variables every function has.
    ///
    /// # Errors
    /// When one is missing.
    pub fn from_environment() -> Result<Self, Failure> {
        Ok(Self {
            url: variable("AWS_ENDPOINT_URL")?,
            region: variable("AWS_REGION")?,
            key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
        })
    }
}

/// What a step works with.
#[derive(Debug)]
pub struct Settings {
    /// The keys of accounts and persons.
    pub keys: Bucket,
    /// Accounts, index, persons, what is suppressed.
    pub data: Bucket,
    /// To Kafka.
    pub bus: Bus,
    /// Where broken records are told.
    pub rejected: Rejected,
    /// Of tokens.
    pub pepper: Pepper,
}

impl Settings {
    /// From the environment of the function.
    ///
    /// # Errors
    /// When a variable is missing or says nothing that can be reached.
    pub fn from_environment() -> Result<Self, Failure> {
        let endpoint = Endpoint::from_environment()?;
        Ok(Self {
            keys: Bucket::new(&endpoint, &variable("KEYS_BUCKET")?)?,
            data: Bucket::new(&endpoint, &variable("DATA_BUCKET")?)?,
            rejected: Rejected::new(endpoint.clone(), &variable("REJECTED_QUEUE_URL")?)?,
            bus: Bus::new(endpoint, &variable("BUS")?)?,
            pepper: Pepper::new(&secret(
                variable("CUSTOMER_VIEW_PEPPER")?,
                variable("STAGE").ok().as_deref(),
            )?),
        })
    }
}

/// The pepper of who set none: it stands in the app's files, so it keeps nothing secret.
const PUBLIC: &str = "only-good-on-your-own-machine";

/// The pepper, unless it is public, or nothing, and the stage is not `dev`.
fn secret(pepper: String, stage: Option<&str>) -> Result<String, Failure> {
    let is_public = pepper.trim().is_empty() || pepper.contains(PUBLIC);
    if is_public && stage != Some("dev") {
        return Err(Failure::PublicPepper);
    }
    Ok(pepper)
}

fn variable(name: &'static str) -> Result<String, Failure> {
    std::env::var(name).ok().ok_or(Failure::Setting(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_pepper_is_good_in_the_stage_dev_alone() {
        let of = |pepper: &str, stage: Option<&str>| secret(pepper.to_owned(), stage).is_ok();
        assert!(of(PUBLIC, Some("dev")));
        assert!(!of(PUBLIC, Some("prod")));
        assert!(!of(PUBLIC, None));
        assert!(!of(" ", Some("prod")));
        assert!(of("our own", Some("prod")));
    }
}
