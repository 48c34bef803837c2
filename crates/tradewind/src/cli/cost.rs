//! `tradewind cost`: what was used costs by a price list.

mod report;
mod table;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tradewind_model::Timestamp;
use tradewind_observe::cost::{
    Architecture, Bill, Month, MonthPart, PriceList, Projection, UsedBy, month_of, months_of,
};
use tradewind_observe::usage::{DROPPED, Owner, UsageTotals, Used};

use super::arguments::{EndpointArguments, parse_age};
use super::client::NodeClient;
use super::failure::Failure;
use super::output;
use super::surroundings::Surroundings;

/// Show what it would cost in a cloud, by function and by what is charged for
///
/// The usage is what the node kept, by minutes for three days, by hours for two months, by days for
/// a year. Free tiers are those of calendar months (UTC): of a part of a month they take off what
/// the month before it left over.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  tradewind cost                          this month, on AWS
  tradewind cost --since 7d --by stack
  tradewind cost --project month          a month at the rate so far
  tradewind cost --prices alibaba
  tradewind cost --prices prices.json --json | jq .total"
)]
pub(crate) struct Cost {
    /// From when: an age (90s, 15m, 2h, 3d), a date or a time [default: this month]
    #[arg(long, value_name = "AGE|DATE", value_parser = parse_since)]
    since: Option<Since>,
    /// Whom to show
    #[arg(long, value_enum, default_value_t = By::Function)]
    by: By,
    /// The price list: `aws`, `alibaba` or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "aws")]
    prices: String,
    /// Scale what was used to a whole month
    #[arg(long, value_enum, value_name = "TIME")]
    project: Option<Project>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

/// Who costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// Each function, API, queue, …
    Function,
    /// Each stack
    Stack,
}

/// What is projected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Project {
    /// This calendar month
    Month,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Age(i64),
    Time(Timestamp),
}

/// `7d`, `2026-11-01` or `2026-11-01T12:00:00Z`.
fn parse_since(text: &str) -> Result<Since, String> {
    if let Ok(age) = parse_age(text) {
        return Ok(Since::Age(age));
    }
    let time = match text.parse::<Date>() {
        Ok(date) if !text.contains('T') => date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp()),
        _ => text.parse::<jiff::Timestamp>().ok(),
    };
    let time = time.map(|time| Since::Time(Timestamp::from_millis(time.as_millisecond())));
    time.ok_or_else(|| format!("`{text}` is neither an age such as 7d nor a date such as 2026-11-01"))
}

/// The answer of `GET /_tradewind/usage?since=`.
#[derive(Debug, Default, Deserialize)]
struct Kept {
    begins: Option<i64>,
    functions: Vec<KeptFunction>,
    counts: Vec<KeptCount>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptFunction {
    function: String,
    version: String,
    stack: Option<String>,
    memory_mib: u32,
    architecture: String,
    invocations: u64,
    billed_ms: u64,
    billed_mib_ms: u64,
}

#[derive(Debug, Deserialize)]
struct KeptCount {
    item: String,
    resource: String,
    stack: Option<String>,
    quantity: u64,
}

/// What is told of usage and its price.
#[derive(Debug)]
struct Report {
    prices: PriceList,
    since: Timestamp,
    until: Timestamp,
    /// Where the usage that is kept begins, if that is later than `since`.
    begins: Option<Timestamp>,
    /// The month it is scaled to.
    projected: Option<Timestamp>,
    by: By,
    bill: Bill,
    /// Invocations that were not counted.
    dropped: u64,
}

/// Runs the command.
pub(crate) async fn run(arguments: &Cost, surroundings: &Surroundings) -> Result<(), Failure> {
    let prices = price_list(&arguments.prices)?;
    let client = NodeClient::new(&arguments.endpoint.endpoint);
    let report = report(arguments, &client, prices, surroundings.clock.now()).await?;
    if arguments.json {
        return output::line(&report::document(&report).to_string());
    }
    table::lines(&report)
        .iter()
        .try_for_each(|line| output::line(line))?;
    table::notes(&report).iter().for_each(|note| output::note(note));
    Ok(())
}

fn price_list(name: &str) -> Result<PriceList, Failure> {
    if let Some(list) = PriceList::built_in(name) {
        return Ok(list);
    }
    let file = PathBuf::from(name);
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Failure::new(format!("cannot read the price list `{name}`"))
            .because(&error)
            .hint("the lists of this program are `aws` and `alibaba`")
    })?;
    PriceList::parse(&text)
        .map_err(|error| Failure::new(format!("cannot use the price list `{name}`")).because(&error))
}

async fn report(
    arguments: &Cost,
    client: &NodeClient,
    prices: PriceList,
    now: Timestamp,
) -> Result<Report, Failure> {
    let since = match arguments.since {
        Some(Since::Age(age)) => now.plus_millis(-age),
        Some(Since::Time(time)) => time,
        None => month_of(now).0,
    };
    if since >= now {
        return Err(Failure::usage("`--since` is a time to come"));
    }
    let mut months = Vec::new();
    let mut gathered = Gathered::default();
    for part in months_of(since, now) {
        months.push(month(client, part, now, &mut gathered).await?);
    }
    let begins = gathered.begins.filter(|begins| *begins > since);
    let mut projected = None;
    if arguments.project == Some(Project::Month) {
        let (month, end) = month_of(now);
        projected = Some(month);
        months = vec![project(months, (begins.unwrap_or(since), now), (month, end))];
    }
    Ok(Report {
        bill: Bill::of(&prices, &months),
        prices,
        since,
        until: now,
        begins,
        projected,
        by: arguments.by,
        dropped: gathered.dropped,
    })
}

/// What is gathered besides the months.
#[derive(Debug, Default)]
struct Gathered {
    begins: Option<Timestamp>,
    dropped: u64,
}

async fn month(
    client: &NodeClient,
    part: MonthPart,
    now: Timestamp,
    gathered: &mut Gathered,
) -> Result<Month, Failure> {
    let mut month = Month::default();
    if part.month < part.from {
        month.before = charged(&usage(client, part.month, Some(part.from)).await?);
    }
    // to the end of the minute that has begun
    let until = (part.until < now).then_some(part.until);
    let kept = usage(client, part.from, until).await?;
    gathered.begins = kept.begins.map(Timestamp::from_millis);
    let dropped = kept.counts.iter().filter(|count| count.item == DROPPED);
    gathered.dropped += dropped.map(|count| count.quantity).sum::<u64>();
    month.during = charged(&kept);
    Ok(month)
}

async fn usage(client: &NodeClient, since: Timestamp, until: Option<Timestamp>) -> Result<Kept, Failure> {
    let mut path = format!("/_tradewind/usage?since={}", since.as_millis());
    if let Some(until) = until {
        path += &format!("&until={}", until.as_millis());
    }
    client.json(&path).await
}

/// All that was used, at its rate for a whole month.
fn project(
    months: Vec<Month>,
    (from, until): (Timestamp, Timestamp),
    (month, end): (Timestamp, Timestamp),
) -> Month {
    let between = |a: Timestamp, b: Timestamp| u64::try_from(b.as_millis() - a.as_millis()).unwrap_or(0);
    let projection = Projection {
        observed_ms: between(from, until).max(1),
        whole_ms: between(month, end),
    };
    projection.project(months.into_iter().flat_map(|month| month.during).collect())
}

fn charged(kept: &Kept) -> Vec<UsedBy> {
    let functions = kept.functions.iter().flat_map(|function| {
        let architecture = match function.architecture.as_str() {
            "arm64" => Architecture::Arm,
            _ => Architecture::X86,
        };
        UsedBy::of(&function.used(), architecture)
    });
    let counts = kept
        .counts
        .iter()
        .flat_map(|count| UsedBy::of(&count.used(), Architecture::X86));
    functions.chain(counts).collect()
}

impl KeptFunction {
    fn used(&self) -> Used {
        Used {
            owner: owner(&self.function, self.stack.as_ref()),
            item: "lambda".into(),
            version: self.version.clone(),
            memory_mib: self.memory_mib,
            totals: UsageTotals {
                invocations: self.invocations,
                billed_ms: self.billed_ms,
                billed_mib_ms: self.billed_mib_ms,
                ..UsageTotals::default()
            },
            quantity: 0,
        }
    }
}

impl KeptCount {
    fn used(&self) -> Used {
        Used {
            owner: owner(&self.resource, self.stack.as_ref()),
            item: self.item.clone(),
            version: String::new(),
            memory_mib: 0,
            totals: UsageTotals::default(),
            quantity: self.quantity,
        }
    }
}

fn owner(resource: &str, stack: Option<&String>) -> Owner {
    Owner {
        resource: resource.to_owned(),
        stack: stack.cloned(),
    }
}

#[cfg(test)]
mod tests;
