//! Instances: one process each, from its start to its end, owned by one task.
//!
//! [`start`] waits for memory and a core, boots the process, lets it initialise, and hands over to
//! the [driver](driver). What cannot start fails the invocations that wait for it.

mod alarm;
mod boot;
mod driver;
mod extensions;
mod journal;
mod lines;
mod output;
mod platform;
mod preparation;
mod report;
mod stem;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tradewind_observe::Home;

use crate::error::InitFailure;
use crate::failure::Failure;
use crate::pool::{JOBS, Job, MemoryClaim, MemoryMeter, Pool, Purpose, Starting};
use boot::Booted;
use driver::Instance;
use journal::Journal;
use platform::{InitStatus, PlatformEvent, RuntimeVersion};
use report::Report;

pub(crate) use crate::pool::YOUNG;
pub(crate) use boot::interpreter_version;
pub(crate) use preparation::prepare;
pub(crate) use stem::Stem;

/// Who wants to know whether the function initialises.
pub(crate) type Proof = oneshot::Sender<Result<(), InitFailure>>;

/// Starts an instance in a task of its own, which lives as long as the instance.
pub(crate) fn start(starting: Starting, proof: Option<Proof>) {
    let host = Arc::clone(&starting.pool().host);
    host.tasks.spawn(life(starting, proof));
}

async fn life(mut starting: Starting, proof: Option<Proof>) {
    let pool = Arc::clone(starting.pool());
    let admitted = tokio::select! {
        admitted = starting.admit() => admitted,
        () = pool.host.kill.cancelled() => None,
    };
    let Some(claim) = admitted else { return };
    let mut journal = new_journal(&pool);
    say_init_start(&mut journal, &pool, starting.purpose());
    match initialised(&mut starting, journal, claim).await {
        Ok((mut instance, sender)) => {
            instance.say_initialised(starting.purpose());
            let next = pool.joined(
                instance.id(),
                sender,
                instance.init_duration(),
                starting.purpose(),
            );
            drop(starting);
            prove(proof, Ok(()));
            instance.run(Some(next)).await;
        }
        Err((mut journal, Failure::TimedOut(limit))) => {
            say_init_report(&mut journal, starting.purpose(), limit, InitStatus::Timeout);
            match starting.purpose() {
                Purpose::Asked | Purpose::Floor => second_try(starting, journal).await,
                Purpose::Proof | Purpose::Provisioned => {
                    start_failed(starting, journal, Failure::TimedOut(limit), proof).await;
                }
            }
        }
        Err((journal, failure)) => start_failed(starting, journal, failure, proof).await,
    }
}

/// An instance that waits for its first invocation, and the way to it; or what is to be told of why there
/// is none.
type Initialised = Result<(Instance, mpsc::Sender<Box<Job>>), (Journal, Failure)>;

/// Starts the pool's function. What dies from a stem is started from nothing before it is believed: the
/// function may not be to blame.
async fn initialised(starting: &mut Starting, journal: Journal, claim: MemoryClaim) -> Initialised {
    let pool = Arc::clone(starting.pool());
    let Some(booted) = stem::claim(&pool, &journal.stream(), starting.purpose()).await else {
        return from_nothing(starting, journal, claim).await;
    };
    match initialise(starting, booted, journal, claim).await {
        Err((journal, failure @ (Failure::Exited(_) | Failure::BrokenChannel(_)))) => {
            tracing::debug!(function = %pool.spec.arn, ?failure, "a start from a stem failed");
            match pool.host.memory.claim(None) {
                Some(claim) => from_nothing(starting, journal, claim).await,
                None => Err((journal, failure)),
            }
        }
        other => other,
    }
}

async fn from_nothing(starting: &mut Starting, journal: Journal, claim: MemoryClaim) -> Initialised {
    let pool = Arc::clone(starting.pool());
    match boot::boot(&pool, journal.stream(), starting.purpose()).await {
        Ok(booted) => initialise(starting, booted, journal, claim).await,
        Err(failure) => Err((journal, failure)),
    }
}

async fn initialise(
    starting: &mut Starting,
    booted: Booted,
    journal: Journal,
    claim: MemoryClaim,
) -> Initialised {
    let pool = Arc::clone(starting.pool());
    let (sender, jobs) = mpsc::channel(JOBS);
    let id = pool.host.instance_number();
    let mut instance = Instance::new(id, pool, booted, journal, MemoryMeter::new(claim), jobs);
    let limit = instance.begun() + starting.init_limit();
    match instance.initialise(limit, starting).await {
        Ok(()) => Ok((instance, sender)),
        Err(failure) => {
            let took = instance.begun().elapsed();
            let mut journal = instance.end().await;
            if !matches!(failure, Failure::TimedOut(_)) {
                let error_type = failure.to_error_type();
                let status = InitStatus::Error(&error_type);
                say_init_report(&mut journal, starting.purpose(), took, status);
            }
            Err((journal, failure))
        }
    }
}

/// Lambda gives up on an initialisation after ten seconds and repeats it as part of the first
/// invocation, under the function's own timeout.
async fn second_try(mut starting: Starting, mut journal: Journal) {
    let pool = Arc::clone(starting.pool());
    let claim = pool.host.memory.claim(None);
    let (Some(claim), Some(job)) = (claim, pool.take_job()) else {
        return journal.settle().await;
    };
    let (id, started) = (pool.host.instance_number(), Instant::now());
    let timeout = pool.spec.timeout.as_duration();
    driver::begin(&mut journal, &pool, &job);
    let booted = match boot::boot(&pool, journal.stream(), Purpose::Asked).await {
        Ok(booted) => booted,
        Err(failure) => return fail_job(&pool, &mut journal, *job, &failure, started.elapsed()),
    };
    let (sender, jobs) = mpsc::channel(JOBS);
    let memory = MemoryMeter::new(claim);
    let mut instance = Instance::new(id, Arc::clone(&pool), booted, journal, memory, jobs);
    let initialised = instance.initialise(started + timeout, &mut starting).await;
    instance.forget_init();
    drop(starting);
    match initialised {
        Ok(()) => {
            pool.joined_busy(id, sender);
            let next = instance.invoke(job, started).await;
            instance.run(next).await;
        }
        Err(failure) => {
            let failure = match failure {
                Failure::TimedOut(_) => Failure::TimedOut(timeout),
                other => other,
            };
            instance.failed(job, started, failure).await;
            drop(instance.end().await);
        }
    }
}

/// Tells those who waited for this start.
async fn start_failed(starting: Starting, mut journal: Journal, failure: Failure, proof: Option<Proof>) {
    let pool = Arc::clone(starting.pool());
    match proof {
        Some(proof) => {
            let log = journal.take_init_lines();
            prove(Some(proof), Err(failure.into_init_failure(log)));
        }
        None => fail_waiting(&pool, &mut journal, &failure),
    }
    drop(starting);
    journal.settle().await;
}

fn fail_waiting(pool: &Pool, journal: &mut Journal, failure: &Failure) {
    let failed = pool.start_failed(failure);
    if let Failure::Node(error) = failure {
        // it never came to the function: its log has no invocation of it
        journal.complain(error.to_string());
        failed.into_iter().for_each(|job| job.answer(Err(error.clone())));
        return;
    }
    for job in failed {
        driver::begin(journal, pool, &job);
        fail_job(pool, journal, *job, failure, Duration::ZERO);
    }
}

/// The lines and the answer of an invocation that found no instance to run in.
fn fail_job(pool: &Pool, journal: &mut Journal, job: Job, failure: &Failure, duration: Duration) {
    if let Some(line) = failure.log_line(&job.id, &journal.now()) {
        journal.complain(line);
    }
    let report = Report {
        request_id: &job.id,
        duration,
        memory_mib: pool.spec.memory.get(),
        peak_bytes: 0,
        cpu: Duration::ZERO,
        init: None,
        status: failure.report_status(),
        traffic: driver::traffic(&job, &Err(failure.clone())),
    };
    driver::conclude(journal, pool, &report);
    let tail = journal.take_tail();
    driver::reply(pool, job, Err(failure.clone()), tail);
    journal.end();
}

fn prove(proof: Option<Proof>, result: Result<(), InitFailure>) {
    if let Some(proof) = proof {
        // whoever asked may have gone away; the instance is there for a deploy all the same
        drop(proof.send(result));
    }
}

fn new_journal(pool: &Pool) -> Journal {
    let host = &pool.host;
    let date = host
        .clock
        .now()
        .to_rfc3339()
        .chars()
        .take(10)
        .collect::<String>()
        .replace('-', "/");
    let stream = format!("{date}/[{}]{}", pool.version, uuid::Uuid::new_v4().simple());
    let home = Home {
        account: host.account.clone(),
        region: host.region.clone(),
    };
    let arn = &pool.spec.arn;
    let group = home.key(&arn.account, &arn.region, &pool.spec.log_group);
    Journal::new(
        host.logs.clone(),
        host.clock.clone(),
        pool.spec.logging,
        group.into(),
        stream.into(),
    )
}

fn say_init_start(journal: &mut Journal, pool: &Pool, purpose: Purpose) {
    journal.platform(&PlatformEvent::InitStart {
        initialization_type: boot::initialization_type(purpose),
        runtime: &RuntimeVersion::of(&pool.spec.runtime, &pool.host.region),
    });
}

fn say_init_report(journal: &mut Journal, purpose: Purpose, duration: Duration, status: InitStatus<'_>) {
    let initialization_type = boot::initialization_type(purpose);
    journal.platform(&PlatformEvent::InitRuntimeDone {
        initialization_type,
        status,
    });
    journal.platform(&PlatformEvent::InitReport {
        initialization_type,
        duration,
        status,
    });
}
