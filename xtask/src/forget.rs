//! `cargo xtask forget`: people with canaries in every field ask the customer view to be erased while others' records
//! come in; afterwards everything that there is is searched.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;
use tradewind_tests::customer_view::{Built, Part, Retailer, succeed};

use crate::command::{cache, command, root, run};
use crate::{fixtures, kafka};

/// What `cargo xtask forget` can be told.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How many people are erased
    #[arg(long, default_value_t = 200)]
    canaries: usize,
    /// How many people there are in all
    #[arg(long, default_value_t = 1_000)]
    people: usize,
    /// Records of the others a second, while people are erased
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// A folder with `tradewind`, `customer-view`, `resolve` and `merge` [default: the release build of this
    /// repository]
    #[arg(long)]
    binaries: Option<PathBuf>,
}

/// Runs it; fails unless nothing is left of those who asked, and everything of the others.
pub(crate) fn run_with(options: &Options) -> Result<()> {
    ensure!(
        options.people > options.canaries + options.canaries / 2,
        "there have to be others: at least half as many again as canaries"
    );
    let built = built(options.binaries.as_deref())?;
    let packages = std::env::join_paths(fixtures::requests_packages()?)?;
    let retailer = Retailer::start(built, Part::Whole)?;
    let mut forgetting =
        retailer.forgetting(packages.as_ref(), options.people, options.canaries, options.rate);
    Ok(succeed(&mut forgetting)?)
}

/// The binaries, built when none are given, and what the tests install.
pub(crate) fn built(binaries: Option<&std::path::Path>) -> Result<Built> {
    kafka::install()?;
    fixtures::clients()?;
    let binaries = match binaries {
        Some(folder) => std::fs::canonicalize(folder)?,
        None => {
            let packages = ["tradewind", "customer-view-steps", "customer-view-generator"];
            let named = packages.iter().flat_map(|name| ["--package", name]);
            run(command("cargo")
                .args(["build", "--release", "--locked"])
                .args(named))?;
            root().join("target/release")
        }
    };
    Ok(Built {
        binaries,
        cache: cache(),
    })
}
