//! `customer-view`: writes what a retailer's systems would, and tells whether the view of it is right.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's answer is its output"
)]

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use customer_view_generator::poison::Poison;
use customer_view_generator::score::score;
use customer_view_generator::sink::{self, Sealer, Sink};
use customer_view_generator::{Random, Record, Retailer};
use customer_view_identity::normal::{Normal, normal};
use customer_view_identity::{Event, People, Person};
use customer_view_steps::{Bucket, Endpoint, Pepper};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

/// A believable retailer of made-up people.
#[derive(Debug, Parser)]
#[command(name = "customer-view")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the topics that are missing
    Topics(Topics),
    /// Write what the five systems would, and the truth
    Write(Write),
    /// Compare the view with the truth: pairwise precision and recall, and the confusions
    Score(ScoreView),
    /// Resolve everyone in memory: how right, and how fast on one core
    Resolve(Population),
}

#[derive(Debug, Args)]
struct Topics {
    /// The cluster: bootstrap servers
    #[arg(long)]
    kafka: String,
    /// Partitions of each
    #[arg(long, default_value_t = 3)]
    partitions: i32,
}

#[derive(Debug, Args)]
struct Population {
    /// How many people
    #[arg(long, default_value_t = 1_000)]
    people: usize,
    /// The same seed, the same people
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Deployed {
    /// The node
    #[arg(long, default_value = "http://127.0.0.1:4566", env = "AWS_ENDPOINT_URL")]
    endpoint: String,
    /// The stage the app is deployed to
    #[arg(long, default_value = "dev")]
    stage: String,
    /// The account of the buckets
    #[arg(long, default_value = "000000000000")]
    account: String,
}

#[derive(Debug, Args)]
struct Write {
    #[command(flatten)]
    population: Population,
    #[command(flatten)]
    deployed: Deployed,
    /// Where the truth is written: one JSON object a line
    #[arg(long)]
    truth: PathBuf,
    /// To the topics of this cluster: bootstrap servers
    #[arg(long, required_unless_present = "file", conflicts_with = "file")]
    kafka: Option<String>,
    /// To a file: one JSON object with `topic`, `key` and `value` a line
    #[arg(long)]
    file: Option<PathBuf>,
    /// Records a second, at most
    #[arg(long)]
    rate: Option<u32>,
    /// So many broken records besides, of a thousand
    #[arg(long, default_value_t = 0)]
    poison: u32,
    /// So many people carry a word of their own in every text
    #[arg(long, default_value_t = 0)]
    canaries: usize,
    /// Only what these of the people say, `200..1000`: the others are for another time
    #[arg(long, value_parser = range)]
    only: Option<Range<usize>>,
    /// What makes the tokens
    #[arg(
        long,
        default_value = "only-good-on-your-own-machine",
        env = "CUSTOMER_VIEW_PEPPER"
    )]
    pepper: String,
}

#[derive(Debug, Args)]
struct ScoreView {
    #[command(flatten)]
    deployed: Deployed,
    /// What `write` wrote
    #[arg(long)]
    truth: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Topics(options) => sink::make_topics(&options.kafka, options.partitions).await,
        Command::Write(options) => write(&options).await,
        Command::Score(options) => compare(&options).await,
        Command::Resolve(population) => resolve(&population),
    }
}

impl Deployed {
    fn bucket(&self, name: &str) -> Result<Bucket> {
        let endpoint = Endpoint {
            url: self.endpoint.clone(),
            region: "us-east-1".to_owned(),
            key_id: "test".to_owned(),
            secret_key: "test".to_owned(),
        };
        let bucket = format!("customer-view-{}-{name}-{}", self.stage, self.account);
        Ok(Bucket::new(&endpoint, &bucket)?)
    }
}

async fn write(options: &Write) -> Result<()> {
    let population = &options.population;
    let everyone = 0..population.people;
    let only = options.only.clone().unwrap_or(everyone);
    let retailer =
        Retailer::with_canaries(population.seed, population.people, options.canaries).only(only.clone());
    let mut truth =
        BufWriter::new(File::create(&options.truth).with_context(|| options.truth.display().to_string())?);
    for (source, account, person) in retailer.truth() {
        writeln!(
            truth,
            "{}",
            json!({"source": source, "account": account, "person": person})
        )?;
    }
    for (number, person) in retailer.people().iter().enumerate().take(options.canaries) {
        if only.contains(&number) {
            let (emails, mobile, given, family) =
                (&person.emails, &person.mobile, &person.given, &person.family);
            let line = json!({"canary": person.word, "emails": emails, "mobile": mobile, "given": given, "family": family});
            writeln!(truth, "{line}")?;
        }
    }
    let mut sealer = Sealer::new(options.deployed.bucket("keys")?, Pepper::new(&options.pepper));
    let mut sink = match (&options.kafka, &options.file) {
        (Some(servers), _) => Sink::kafka(servers)?,
        (None, Some(path)) => Sink::file(path)?,
        (None, None) => unreachable!("clap requires one of them"),
    };
    let mut pace = Pace::new(options.rate);
    let mut chance = Random::of(population.seed, 4, 0);
    let mut written = 0_u64;
    for record in retailer.records() {
        let poison = chance.chance(options.poison).then(|| Poison::any(&mut chance));
        if let Some(poison) = poison {
            let mut broken: Record = record.clone();
            broken.event = format!("dead{}", broken.event.split_at(4).1);
            let line = json!({"poison": poison.code(), "event": broken.event, "source": broken.source});
            writeln!(truth, "{line}")?;
            pace.wait().await;
            sink.write(&sealer.message(broken, Some(poison)).await?).await?;
        }
        let line = json!({"event": record.event, "source": record.source, "of": record.account});
        writeln!(truth, "{line}")?;
        pace.wait().await;
        sink.write(&sealer.message(record, None).await?).await?;
        written += 1;
    }
    sink.finish()?;
    truth.flush()?;
    println!(
        "{}",
        json!({"people": population.people, "accounts": retailer.truth().len(), "events": written})
    );
    Ok(())
}

fn range(text: &str) -> Result<Range<usize>> {
    let (from, to) = text.split_once("..").context("a range is written `0..100`")?;
    Ok(from.parse()?..to.parse()?)
}

/// Not faster than wanted.
struct Pace {
    began: Instant,
    each: Option<Duration>,
    count: u32,
}

impl Pace {
    fn new(rate: Option<u32>) -> Self {
        Self {
            began: Instant::now(),
            each: rate.map(|rate| Duration::from_secs(1) / rate.max(1)),
            count: 0,
        }
    }

    async fn wait(&mut self) {
        let Some(each) = self.each else { return };
        let due = self.began + each * self.count;
        self.count += 1;
        tokio::time::sleep_until(due.into()).await;
    }
}

async fn compare(options: &ScoreView) -> Result<()> {
    let truth = File::open(&options.truth).with_context(|| options.truth.display().to_string())?;
    let mut accounts: Vec<(String, u64)> = Vec::new();
    for line in BufReader::new(truth).lines() {
        let line: Value = serde_json::from_str(&line?)?;
        if let (Some(account), Some(person)) = (line["account"].as_str(), line["person"].as_u64()) {
            accounts.push((account.to_owned(), person));
        }
    }
    let view = view(&options.deployed.bucket("data")?).await?;
    println!("{}", serde_json::to_string(&score(&accounts, &view))?);
    Ok(())
}

/// Account → person, of all persons there are.
async fn view(data: &Bucket) -> Result<HashMap<String, String>> {
    let paths = data.list("persons").await?;
    let read = stream::iter(paths.iter().map(|path| data.get::<Person>(path)));
    let persons: Vec<_> = read.buffer_unordered(16).try_collect().await?;
    let persons = persons.into_iter().flatten().map(|found| found.value);
    let known = persons.filter(|person| person.merged.is_none());
    let accounts = known.flat_map(|person| {
        person
            .accounts
            .into_iter()
            .map(move |one| (one.account, person.id.clone()))
    });
    Ok(accounts.collect())
}

fn resolve(population: &Population) -> Result<()> {
    let retailer = Retailer::new(population.seed, population.people);
    let mut people = People::new();
    let (mut events, mut spent) = (0_u32, Duration::ZERO);
    let mut records = retailer.records().peekable();
    while records.peek().is_some() {
        let some: Vec<_> = records.by_ref().take(10_000).filter_map(said).collect();
        let began = processor_time()?;
        for (source, account, event, normal) in some {
            people.hear(source, &account, &event, &normal);
            events += 1;
        }
        spent += processor_time()?.saturating_sub(began);
    }
    let truth: Vec<(String, usize)> = retailer
        .truth()
        .into_iter()
        .map(|(_, account, person)| (account, person))
        .collect();
    let view: HashMap<String, usize> = people
        .view()
        .map(|(_, account, person)| (account.to_owned(), person))
        .collect();
    let score = score(&truth, &view);
    eprintln!(
        "{} accounts of {} people as {} persons",
        score.accounts, score.people, score.persons
    );
    tell("persons that are several people", &score.confused, &people);
    tell("people that are several persons", &score.split, &people);
    println!(
        "{}",
        json!({"events": events, "events_per_second": (f64::from(events) / spent.as_secs_f64()).round(),
            "precision": score.precision, "recall": score.recall, "persons": score.persons, "people": score.people})
    );
    Ok(())
}

/// A record as `resolve` gets it.
fn said(record: Record) -> Option<(&'static str, String, Event, Normal)> {
    let normal = normal(record.schema, &record.part)?;
    let event = Event {
        at: record.at,
        id: record.event,
    };
    Some((record.source, record.account, event, normal))
}

/// What this process had of the processors: others on the machine do not count.
fn processor_time() -> Result<Duration> {
    let statistics =
        std::fs::read_to_string("/proc/self/schedstat").context("processor time is read on Linux")?;
    let nanoseconds = statistics.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// The confusions, with what is known of each account.
fn tell(what: &str, confusions: &[Vec<String>], people: &People) {
    const SOURCES: [(&str, &str); 5] = [
        ("S", "shop"),
        ("O", "orders"),
        ("D", "delivery"),
        ("M", "marketing"),
        ("C", "calls"),
    ];
    for parts in confusions {
        eprintln!("{what}:");
        for (at, part) in parts.iter().enumerate() {
            for account in part.split(' ') {
                let source = SOURCES
                    .iter()
                    .find(|(letter, _)| account.starts_with(letter))
                    .map_or("", |(_, source)| source);
                let said = people.account(source, account).map(|account| {
                    let said = account
                        .said
                        .iter()
                        .map(|(field, word)| (field.clone(), word.value.clone()));
                    Value::Object(said.collect())
                });
                eprintln!("  {at} {account} {}", said.unwrap_or_default());
            }
        }
    }
}
