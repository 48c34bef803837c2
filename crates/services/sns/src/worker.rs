//! What the service does in the background: it forgets deduplication ids and confirmations whose time is
//! over.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tradewind_store::Batch;

use crate::error::SnsError;
use crate::model::Confirmation;
use crate::service::SnsService;
use crate::tables;

const ROUND: Duration = Duration::from_secs(60);

impl SnsService {
    /// Works until cancelled. The service is correct without it, but fills up.
    ///
    /// # Cancel safety
    /// Every step is a transaction of its own: dropped, it goes on from there.
    pub async fn run(&self, cancelled: CancellationToken) {
        loop {
            if let Err(error) = self.forget().await {
                tracing::error!(%error, "what is over cannot be forgotten; trying again");
            }
            tokio::select! {
                () = cancelled.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    pub(crate) async fn forget(&self) -> Result<(), SnsError> {
        let now = self.now();
        self.fifos().iter().for_each(|fifo| fifo.forget(now));
        self.database()
            .write(tables::forget_taken(Batch::new(), now))
            .await?;
        let is_over = |confirmation: &Confirmation| match confirmation {
            Confirmation::Pending { until, .. } => *until <= now,
            Confirmation::Confirmed { .. } => false,
        };
        let over: Vec<_> = self.registry(|registry| {
            let over = registry
                .subscriptions()
                .filter(|subscription| is_over(&subscription.confirmation));
            over.map(|subscription| subscription.arn.clone()).collect()
        });
        for arn in over {
            self.delete_subscription(&arn, |subscription| is_over(&subscription.confirmation))
                .await?;
        }
        Ok(())
    }
}
