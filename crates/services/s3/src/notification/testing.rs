//! A receiver that stands for the other services.

use std::sync::{Arc, Mutex};

use tradewind_events::{Message, Receiver, Router, Routing, Undeliverable};
use tradewind_model::Arn;

/// Takes what is sent to any resource but those called `gone`, and those called `full`, which are there.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Vec<(String, Message)>>);

impl Mailbox {
    /// One for functions, queues, topics and buses.
    pub(crate) fn connect(router: &Router) -> Arc<Self> {
        let mailbox = Arc::new(Self::default());
        for service in ["lambda", "sqs", "sns", "events"] {
            router.connect(service, mailbox.clone());
        }
        mailbox
    }

    /// What came since the last call: ARN and message.
    pub(crate) fn take(&self) -> Vec<(String, Message)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Receiver for Mailbox {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        let target = target.to_string();
        if target.ends_with("gone") {
            return Err(Undeliverable::NotFound { target });
        }
        Ok(())
    }

    fn accept(&self, _routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        self.find(target)?;
        if target.resource.ends_with("full") {
            let target = target.to_string();
            return Err(Undeliverable::Full { target });
        }
        self.0.lock().unwrap().push((target.to_string(), message));
        Ok(())
    }
}
