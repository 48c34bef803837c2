//! What a step is told by its environment.

use crate::bucket::Bucket;
use crate::bus::Bus;
use crate::failure::Failure;
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
            bus: Bus::new(endpoint, &variable("BUS")?)?,
            pepper: Pepper::new(&variable("CUSTOMER_VIEW_PEPPER")?),
        })
    }
}

fn variable(name: &'static str) -> Result<String, Failure> {
    std::env::var(name).ok().ok_or(Failure::Setting(name))
}
