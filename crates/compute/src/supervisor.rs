//! The engine's one background task: looks after backlogs, lets idle instances go, makes room.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cores::CoreWatch;
use crate::host::Host;
use crate::pool::Pool;
use crate::registry::Registry;

/// How often pools with a backlog are looked at.
const BACKLOG_TICK: Duration = Duration::from_millis(10);
/// Idle instances are looked for so often within their keep-alive, at most.
const REAPS_PER_KEEP_ALIVE: u32 = 10;
const SHORTEST_REAP: Duration = Duration::from_millis(50);
const LONGEST_REAP: Duration = Duration::from_secs(30);

/// Runs until the engine stops. It fails in no way; a panic ends only this upkeep and is logged by its owner.
pub(crate) async fn run(host: Arc<Host>, registry: Arc<Registry>) {
    let reap_every = (host.keep_alive.least / REAPS_PER_KEEP_ALIVE).clamp(SHORTEST_REAP, LONGEST_REAP);
    let mut reap = tokio::time::interval(reap_every);
    let mut cores = CoreWatch::default();
    let mut backlog = false;
    loop {
        tokio::select! {
            () = host.stop.cancelled() => return,
            _ = reap.tick() => reap_idle(&host, reap_every, &registry),
            () = host.memory_wanted.notified() => make_room(&host, reap_every, &registry),
            () = host.backlogs.arrived(), if !backlog => {
                host.core_verdict.outdate();
                backlog = true;
            }
            () = tokio::time::sleep(BACKLOG_TICK), if backlog => {
                host.core_verdict.renew(&mut cores);
                backlog = host.backlogs.tick(Instant::now());
            }
        }
    }
}

fn reap_idle(host: &Arc<Host>, period: Duration, registry: &Registry) {
    let now = Instant::now();
    let pools = registry.all();
    for pool in &pools {
        pool.reap(now, period);
    }
    host.stems.tidy(host, |kind| {
        pools.iter().any(|pool| pool.stem_kind.as_deref() == Some(kind))
    });
}

/// Lets go of a stem or, when there is none, of the idle instance, of whatever function, that is worth least; of equals the one that has
/// been idle longest.
fn make_room(host: &Arc<Host>, period: Duration, registry: &Registry) {
    if host.stems.shed(host) {
        return;
    }
    let value = |pool: Arc<Pool>| Some((pool.eviction_cost(period)?, pool));
    let cheapest = registry
        .all()
        .into_iter()
        .filter_map(value)
        .min_by(|((one, since), _), ((other, after), _)| one.total_cmp(other).then(since.cmp(after)));
    if let Some((_value, pool)) = cheapest {
        pool.evict();
    }
}
