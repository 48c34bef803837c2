//! What a pool does over hours, in simulated time.

use tokio::sync::mpsc;

use super::*;
use crate::config::KeepAlive;

const BOUNDS: KeepAlive = KeepAlive {
    least: minutes(5),
    most: minutes(240),
};

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// A pool's state with instances that only their numbers are known of.
#[derive(Default)]
struct Simulated {
    state: State,
    mailboxes: Vec<mpsc::Receiver<Box<Job>>>,
}

impl Simulated {
    fn join(&mut self, id: u64) {
        let (jobs, mailbox) = mpsc::channel(1);
        self.mailboxes.push(mailbox);
        let member = Member {
            jobs,
            busy_since: None,
            ahead: 0,
            provisioned: false,
        };
        self.state.instances.insert(id, member);
        self.state.next_for(id);
    }

    /// An invocation that takes no time, on the instance used last.
    fn call(&mut self) {
        self.state.idle_times.woken(Instant::now());
        match self.state.idle.pop() {
            Some((id, _since)) => drop(self.state.next_for(id)),
            None => self.join(99),
        }
    }

    /// Lets time pass as the supervisor sees it.
    async fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            tokio::time::advance(Duration::from_secs(30)).await;
            self.state.reap(Instant::now(), BOUNDS);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_idle_instance_waits_for_the_next_usual_call_and_the_others_do_not() {
    let mut pool = Simulated::default();
    for _ in 0..20 {
        pool.call();
        pool.pass(minutes(30)).await;
    }
    pool.call();
    [1, 2, 3].into_iter().for_each(|id| pool.join(id));
    pool.pass(minutes(4)).await;
    assert_eq!(pool.state.instances.len(), 4);
    pool.pass(minutes(2)).await;
    assert_eq!(pool.state.instances.len(), 1);
    pool.pass(minutes(26)).await;
    assert_eq!(pool.state.instances.len(), 1);
    pool.pass(minutes(4)).await;
    assert_eq!(pool.state.instances.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_function_without_habits_keeps_nothing_longer_than_the_least() {
    let mut pool = Simulated::default();
    for _ in 0..3 {
        pool.call();
        pool.pass(minutes(4)).await;
        assert_eq!(pool.state.instances.len(), 1);
    }
    pool.pass(minutes(2)).await;
    assert_eq!(pool.state.instances.len(), 0);
}
