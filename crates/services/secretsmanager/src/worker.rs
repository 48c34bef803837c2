//! What happens by itself: secrets whose recovery window has ended go, and the days on which values were asked for
//! are written.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::SecretsManagerError;
use crate::service::SecretsManagerService;

/// How often it is looked for them; a window is counted in days.
const INTERVAL: Duration = Duration::from_secs(60);

impl SecretsManagerService {
    /// Deletes what is due and writes what was noted, as long as the node runs.
    ///
    /// # Cancel safety
    /// Each change is a transaction of its own: dropped, it goes on from there.
    pub async fn run(&self, cancelled: CancellationToken) {
        loop {
            if let Err(error) = self.delete_due().await {
                tracing::error!(%error, "secrets whose time has come cannot be deleted; trying again");
            }
            if let Err(error) = self.write_accesses().await {
                tracing::warn!(%error, "when secrets were asked for cannot be written; trying again");
            }
            if cancelled.is_cancelled() {
                return;
            }
            tokio::select! {
                // once more, for what was noted last
                () = cancelled.cancelled() => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Deletes the secrets whose recovery window has ended.
    pub(crate) async fn delete_due(&self) -> Result<(), SecretsManagerError> {
        let now = self.now();
        for key in self.registry(|registry| registry.due(now)) {
            let _changing = self.changing().await;
            let secret = self.registry(|registry| registry.get(&key));
            // it may have been restored meanwhile
            let is_due = |deletion: crate::model::Deletion| deletion.due <= now;
            if let Some(secret) = secret.filter(|secret| secret.deletion.is_some_and(is_due)) {
                self.remove(&secret).await?;
            }
        }
        Ok(())
    }
}
