//! Measures the durable queue on SQLite, without a wire: `cargo xtask bench queue` runs it.
//!
//! `queue_throughput <folder> <waiting> <seconds>`: fills a queue with `waiting` messages, then for some
//! seconds each sends, and receives and acks, in batches of ten from 64 tasks. Prints one JSON object: messages a
//! second, and processor time of a message in microseconds, which says more where others use the machine. A node can
//! be started on the folder.

#![expect(clippy::print_stdout, reason = "the result is the output")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tradewind_model::Clock;
use tradewind_store::Database;
use tradewind_store::queue::{MIGRATIONS, NewMessage, QueueId, QueueSettings, Queues};

const TASKS: usize = 64;
const BATCH: usize = 10;
const LEASE: Duration = Duration::from_secs(600);

#[derive(Clone, Copy)]
enum Work {
    Send,
    Drain,
    Both,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = || {
        args.next()
            .expect("queue_throughput <folder> <waiting> <seconds>")
    };
    let folder = PathBuf::from(next());
    let waiting: usize = next().parse().expect("a count");
    let seconds: u64 = next().parse().expect("seconds");
    let database = Database::open(&folder.join("node.db"), &[MIGRATIONS]).expect("a database");
    let queues = Queues::new(database, Clock::system());
    let id = QueueId::new("arn:aws:sqs:us-east-1:000000000000:bench");
    queues
        .create(&id, &QueueSettings::standard())
        .await
        .expect("a new queue");
    fill(&queues, &id, waiting).await;
    let time = Duration::from_secs(seconds);
    let both = measure(&queues, &id, Work::Both, time).await;
    let send = measure(&queues, &id, Work::Send, time).await;
    let drain = measure(&queues, &id, Work::Drain, time).await;
    let figures = [("cycle", both), ("send", send), ("receive_ack", drain)];
    let figures = figures.map(|(name, of)| {
        format!(
            r#""{name}_per_s": {}, "{name}_cpu_us": {:.2}"#,
            of.per_second, of.cpu_us
        )
    });
    println!(r#"{{"waiting": {waiting}, {}}}"#, figures.join(", "));
}

fn batch() -> Vec<NewMessage> {
    let message = NewMessage {
        body: vec![b'x'; 200],
        ..NewMessage::default()
    };
    vec![message; BATCH]
}

async fn fill(queues: &Queues, id: &QueueId, waiting: usize) {
    for _ in 0..waiting.div_ceil(1000) {
        let many = batch().into_iter().cycle().take(1000).collect();
        queues.send(id, many).await.expect("sent");
    }
}

struct Figures {
    per_second: u64,
    cpu_us: f64,
}

/// Processor time of this process so far, in hundredths of a second.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // the second field, the name, ends with the last parenthesis; user and system time are the 14th and 15th
    let fields = stat
        .rsplit(')')
        .next()
        .into_iter()
        .flat_map(str::split_whitespace);
    let times = fields.skip(11).take(2);
    times.filter_map(|time| time.parse::<u64>().ok()).sum()
}

/// Of both, messages that went all the way.
async fn measure(queues: &Queues, id: &QueueId, work: Work, time: Duration) -> Figures {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = JoinSet::new();
    let (begun, ticks_before) = (Instant::now(), ticks());
    for _ in 0..TASKS {
        let (queues, id) = (queues.clone(), id.clone());
        let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let done = once(&queues, &id, work).await;
                count.fetch_add(done, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    let nanos = begun.elapsed().as_nanos();
    let count = count.load(Ordering::Relaxed);
    let per_second = u64::try_from(u128::from(count) * 1_000_000_000 / nanos).expect("a rate");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let cpu_us = (ticks() - ticks_before) as f64 * 10_000.0 / count.max(1) as f64;
    Figures { per_second, cpu_us }
}

async fn once(queues: &Queues, id: &QueueId, work: Work) -> u64 {
    if matches!(work, Work::Send | Work::Both) {
        queues.send(id, batch()).await.expect("sent");
    }
    if matches!(work, Work::Send) {
        return BATCH as u64;
    }
    let got = queues
        .receive(id, BATCH, LEASE, Duration::ZERO)
        .await
        .expect("received");
    let receipts: Vec<_> = got.iter().map(|message| message.receipt).collect();
    queues.ack(id, &receipts).await.expect("acked");
    receipts.len() as u64
}
