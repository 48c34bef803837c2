//! Where a node of this process keeps the content of objects, and what it encrypts it with.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use tradewind_store::blobs::RemoteConfig;

use super::failure::Failure;
use super::surroundings::Surroundings;
use crate::node::ContentConfig;

/// Where content goes, and the keys it is encrypted with.
#[derive(Clone, Debug, Args)]
pub(crate) struct ContentArguments {
    /// An S3-compatible store for the content of objects, instead of the data folder
    ///
    /// For example `s3://bucket/prefix?endpoint=https://host&region=eu-west-1`. Its keys come from
    /// TRADEWIND_BLOBS_ACCESS_KEY_ID and TRADEWIND_BLOBS_SECRET_ACCESS_KEY.
    #[arg(long, value_name = "URL", env = "TRADEWIND_BLOBS", hide_env_values = true, value_hint = ValueHint::Url)]
    blobs: Option<String>,
    /// The keys that open what is encrypted: objects, messages, secrets [default: node.key of the data folder]
    ///
    /// One key a line, 64 hex digits; the first encrypts, all decrypt.
    #[arg(long, value_name = "FILE", env = "TRADEWIND_MASTER_KEY_FILE", hide_env_values = true,
          value_hint = ValueHint::FilePath)]
    master_key_file: Option<PathBuf>,
}

const ACCESS_KEY_ID: &str = "TRADEWIND_BLOBS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "TRADEWIND_BLOBS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "TRADEWIND_BLOBS_SESSION_TOKEN";

impl ContentArguments {
    /// What the node is told, with the keys from the environment.
    pub(crate) fn config(&self, surroundings: &Surroundings) -> Result<ContentConfig, Failure> {
        let remote = self
            .blobs
            .as_deref()
            .map(|url| remote(url, surroundings))
            .transpose()?;
        Ok(ContentConfig {
            remote,
            master_key_file: self.master_key_file.clone(),
        })
    }
}

fn remote(url: &str, surroundings: &Surroundings) -> Result<RemoteConfig, Failure> {
    let mut config =
        RemoteConfig::parse(url).map_err(|invalid| Failure::usage(format!("--blobs: {invalid}")))?;
    let variable = |name: &str| {
        surroundings
            .variables
            .get(name)
            .filter(|value| !value.is_empty())
            .cloned()
    };
    let required = |name: &str| {
        let missing = || Failure::usage(format!("--blobs needs the variable {name}"));
        variable(name).ok_or_else(missing)
    };
    config.access_key_id = required(ACCESS_KEY_ID)?;
    config.secret_access_key = required(SECRET_ACCESS_KEY)?;
    config.session_token = variable(SESSION_TOKEN);
    Ok(config)
}
