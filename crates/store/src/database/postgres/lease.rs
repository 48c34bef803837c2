//! One node at a time: a row that says who has the database, and since which turn.
//!
//! The lease is alive while its holder's connection is, or until it was not renewed in time if the server
//! cannot know. Who takes it raises the fencing number, and every transaction of the writer holds the row
//! with its own number: a node that lost the lease without knowing cannot commit.

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio_util::sync::CancellationToken;

use super::connect::{Server, checkout};
use crate::database::DatabaseError;

/// A lease that was not renewed for so long is over, in milliseconds.
const TERM_MS: i64 = 15_000;
const RENEW: Duration = Duration::from_secs(5);
/// How long a start waits for a predecessor that has just died.
const WAITS: u32 = 20;
const WAIT: Duration = Duration::from_millis(100);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS tradewind_lease (\
    name TEXT PRIMARY KEY, fence BIGINT NOT NULL UNIQUE, holder TEXT NOT NULL, \
    backend BIGINT NOT NULL, backend_start BIGINT NOT NULL, expires_at BIGINT NOT NULL)";

/// The number is part of a key: a change of it waits for the transactions that hold the row, a renewal
/// does not.
const TAKE: &str = "INSERT INTO tradewind_lease (name, fence, holder, backend, backend_start, expires_at) \
    SELECT 'node', 1, $1, a.pid, (extract(epoch FROM a.backend_start) * 1000000)::BIGINT, \
        (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2 \
    FROM pg_stat_activity a WHERE a.pid = pg_backend_pid() \
    ON CONFLICT (name) DO UPDATE SET fence = tradewind_lease.fence + 1, holder = excluded.holder, \
        backend = excluded.backend, backend_start = excluded.backend_start, expires_at = excluded.expires_at \
    WHERE tradewind_lease.expires_at < excluded.expires_at - $2 OR NOT EXISTS (\
        SELECT 1 FROM pg_stat_activity a WHERE a.pid = tradewind_lease.backend \
        AND COALESCE((extract(epoch FROM a.backend_start) * 1000000)::BIGINT = tradewind_lease.backend_start, TRUE)) \
    RETURNING fence";

const RENEWAL: &str = "UPDATE tradewind_lease SET \
    backend = pg_backend_pid(), backend_start = (\
        SELECT (extract(epoch FROM a.backend_start) * 1000000)::BIGINT \
        FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()), \
    expires_at = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2 \
    WHERE name = 'node' AND fence = $1";

/// The lease of this node, tied to one connection.
pub(super) struct Lease {
    client: Object,
    fence: i64,
}

impl Lease {
    /// Takes the lease, or says who has it.
    pub(super) async fn take(server: &Server, pool: &Pool) -> Result<Self, DatabaseError> {
        let client = checkout(pool).await?;
        client.batch_execute(TABLE).await?;
        let holder = holder();
        for _ in 0..WAITS {
            if let Some(row) = client.query_opt(TAKE, &[&holder, &TERM_MS]).await? {
                let fence = row.try_get(0)?;
                return Ok(Self { client, fence });
            }
            tokio::time::sleep(WAIT).await;
        }
        let found = "SELECT holder FROM tradewind_lease WHERE name = 'node'";
        let row = client.query_opt(found, &[]).await?;
        let holder = row.map(|row| row.try_get(0)).transpose()?;
        Err(DatabaseError::InUse {
            server: server.name(),
            holder: holder.unwrap_or_else(|| "unknown".into()),
        })
    }

    pub(super) fn fence(&self) -> i64 {
        self.fence
    }

    /// Renews the lease until told to stop, and ends it by closing its connection.
    pub(super) async fn keep(self, pool: Pool, stop: CancellationToken) {
        let Self { client, fence } = self;
        let mut client = Some(client);
        while stop
            .run_until_cancelled(tokio::time::sleep(RENEW))
            .await
            .is_some()
        {
            client = match renew(client, &pool, fence).await {
                Ok(client) => Some(client),
                Err(DatabaseError::Superseded) => {
                    tracing::error!("another tradewind has taken the database over; this node must stop");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the lease of the database could not be renewed; trying again");
                    None
                }
            };
        }
        if let Some(client) = client {
            drop(Object::take(client));
        }
    }
}

/// Renews on the connection that holds the lease, or on a new one if that broke.
async fn renew(client: Option<Object>, pool: &Pool, fence: i64) -> Result<Object, DatabaseError> {
    let client = match client {
        Some(client) if !client.is_closed() => client,
        _ => checkout(pool).await?,
    };
    match client.execute(RENEWAL, &[&fence, &TERM_MS]).await? {
        0 => Err(DatabaseError::Superseded),
        _ => Ok(client),
    }
}

/// This node as the other one's operator would look for it.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => format!("process {}", std::process::id()),
        host => format!("process {} on {host}", std::process::id()),
    }
}
