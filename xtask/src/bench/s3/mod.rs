//! S3: puts and gets of three sizes by 1, 16 and 64 clients, ours on disk beside MinIO on the same disk (goals
//! S1 and S2), and moto and MiniStack, which keep everything in memory.
//!
//! Requests a second say who was faster on this machine while it did what else it did; the processor time of a
//! request says it on any.

mod load;
mod minio;
mod sign;

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::report::{Goal, Report};
use super::{Options, median, peers};
use crate::node::{Node, Setup};
use crate::process;
use crate::server::Server;
use load::{Load, Measured, Method, Subject};

const KB: usize = 1024;
const SIZES: [(&str, usize); 3] = [("1 KB", KB), ("64 KB", 64 * KB), ("8 MB", 8 * KB * KB)];
const CLIENTS: [usize; 3] = [1, 16, 64];
/// The clients that peers in memory are measured with, once: they are far off.
const CLIENTS_OF_EMULATORS: usize = 16;
/// What 64 clients with 8 MB each may add to what the node takes with 64 clients of 1 KB: 4 MB a client, half of what
/// it sends. Pieces of 256 KB both ways, the connection's buffers, and what the allocator keeps for each thread.
const MOST_GROWTH_MB: f64 = 256.0;

pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary()?;
    let mut report = Report::start("s3", options);
    let node = Node::start(&binary, &Setup::default())?;
    let us = Subject::new("tradewind", &node.server);
    us.make_bucket()?;
    let minio = minio::start(sign::KEY_ID, sign::SECRET);
    let peer = minio.as_ref().map(|minio| Subject::new("MinIO", &minio.server));
    let peer = match peer.map_err(|error| format!("{error:#}")) {
        Ok(peer) => peer
            .make_bucket()
            .map(|()| peer)
            .map_err(|error| format!("{error:#}")),
        Err(error) => Err(error),
    };
    if let Err(error) = &peer {
        report.pending("S1", "MinIO", error);
    }
    // half as long as other loads: there are eighteen of them
    let time = Duration::from_millis(u64::from(options.seconds()) * 500);
    let mut resident = Vec::new();
    for (name, size) in SIZES {
        for clients in CLIENTS {
            for method in [Method::Put, Method::Get] {
                let load = Load {
                    method,
                    size,
                    clients,
                    time,
                };
                compare(&us, peer.as_ref().ok(), load, name, options, &mut report)?;
            }
        }
        resident.push(process::peak_resident_mb(node.server.pid())?);
        let what = format!("tradewind: most resident memory up to {name}");
        report.figure(&what, resident.last().copied().unwrap_or(f64::NAN), "MB");
    }
    let growth = resident
        .last()
        .zip(resident.first())
        .map_or(f64::NAN, |(last, first)| last - first);
    report.goal(
        "S3",
        "MB more for 64 clients × 8 MB than for 64 × 1 KB",
        growth,
        Goal::AtMost(MOST_GROWTH_MB),
    );
    emulators(&us, time, &mut report)?;
    report.finish()
}

/// Us and MinIO in turns.
fn compare(
    us: &Subject,
    peer: Option<&Subject>,
    load: Load,
    size: &str,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for _round in 0..options.rounds() {
        own.push(us.measure(load)?);
        if let Some(peer) = peer {
            others.push(peer.measure(load)?);
        }
    }
    let what = format!("{} {size}, {} clients", load.method.name(), load.clients);
    let own = show(&what, "tradewind", &own, report);
    if others.is_empty() {
        return Ok(());
    }
    let others = show(&what, "MinIO", &others, report);
    let ratio = own.rate / others.rate;
    match (load.method, size) {
        (Method::Put, "1 KB" | "64 KB") => {
            report.goal("S1", &format!("{what} × MinIO"), ratio, Goal::AtLeast(2.0));
        }
        (_, "8 MB") => report.goal("S2", &format!("{what} × MinIO"), ratio, Goal::AtLeast(1.0)),
        (_, _) => report.figure(&format!("{what} × MinIO"), ratio, "×"),
    }
    let ratio = own.cpu_us / others.cpu_us;
    report.figure(&format!("{what}: processor time × MinIO's"), ratio, "×");
    Ok(())
}

/// Prints and keeps the medians of rounds.
fn show(what: &str, subject: &str, rounds: &[Measured], report: &mut Report) -> Measured {
    let of = |figure: fn(&Measured) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
    let medians = Measured {
        rate: of(|measured| measured.rate),
        cpu_us: of(|measured| measured.cpu_us),
    };
    println!(
        "  {:<66}{:>11.2} requests/s {:>9.0} µs of processor time each",
        format!("{what}: {subject}"),
        medians.rate,
        medians.cpu_us
    );
    report.figures(json!({
        "load": what, "subject": subject, "requestsPerSecond": medians.rate, "processorUs": medians.cpu_us,
    }));
    medians
}

/// Us beside those who keep everything in memory.
fn emulators(us: &Subject, time: Duration, report: &mut Report) -> Result<()> {
    for (name, server) in [("moto", peers::moto()), ("MiniStack", peers::bare_ministack())] {
        let measured = server.and_then(|server| beside(us, &server, name, time, report));
        if let Err(error) = measured {
            report.pending("S1", name, &format!("{error:#}"));
        }
    }
    Ok(())
}

fn beside(
    us: &Subject,
    server: &Server,
    name: &'static str,
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    let peer = Subject::new(name, server);
    peer.make_bucket()?;
    for (size_name, size) in SIZES {
        for method in [Method::Put, Method::Get] {
            let clients = CLIENTS_OF_EMULATORS;
            let load = Load {
                method,
                size,
                clients,
                time,
            };
            let what = format!("{} {size_name}, {clients} clients, beside {name}", method.name());
            let own = show(&what, "tradewind", &[us.measure(load)?], report);
            let other = show(&what, name, &[peer.measure(load)?], report);
            report.figure(&format!("{what}: ratio"), own.rate / other.rate, "×");
        }
    }
    Ok(())
}
