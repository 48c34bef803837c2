//! Receipt handles: opaque text around a receipt, good for one queue.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tradewind_model::Timestamp;
use tradewind_store::queue::Receipt;

use crate::error::SqsError;
use crate::names::QueueArn;

const VERSION: u8 = 1;
const QUEUE_BYTES: usize = 8;
const TIME_BYTES: usize = 8;

/// What a receipt handle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    /// Which lease.
    pub(crate) receipt: Receipt,
    /// When it began: no lease is longer than twelve hours from then.
    pub(crate) received_at: Timestamp,
}

impl Handle {
    /// The text that clients get.
    pub(crate) fn encode(&self, queue: &QueueArn) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(fingerprint(queue));
        bytes.extend(self.received_at.as_millis().to_be_bytes());
        bytes.extend(self.receipt.to_bytes());
        STANDARD.encode(bytes)
    }

    /// Reads what [`Handle::encode`] wrote for the same queue.
    pub(crate) fn decode(text: &str, queue: &QueueArn) -> Result<Self, SqsError> {
        let invalid = || SqsError::ReceiptHandleIsInvalid(text.to_owned());
        let bytes = STANDARD.decode(text).map_err(|_not_base64| invalid())?;
        let rest = bytes.strip_prefix(&[VERSION]).ok_or_else(invalid)?;
        let rest = rest.strip_prefix(&fingerprint(queue)).ok_or_else(invalid)?;
        let (time, receipt) = rest.split_at_checked(TIME_BYTES).ok_or_else(invalid)?;
        let time = time.try_into().map_err(|_length| invalid())?;
        Ok(Self {
            receipt: Receipt::from_bytes(receipt).map_err(|_length| invalid())?,
            received_at: Timestamp::from_millis(i64::from_be_bytes(time)),
        })
    }
}

fn fingerprint(queue: &QueueArn) -> [u8; QUEUE_BYTES] {
    let digest = Sha256::digest(queue.to_string());
    std::array::from_fn(|i| digest[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_good_for_their_queue_only() {
        let queue: QueueArn = "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap();
        let other: QueueArn = "arn:aws:sqs:us-east-1:000000000000:p".parse().unwrap();
        let handle = Handle {
            receipt: Receipt::from_bytes(&[7; 12]).unwrap(),
            received_at: Timestamp::from_millis(1_700_000_000_000),
        };
        let text = handle.encode(&queue);
        assert_eq!(Handle::decode(&text, &queue).unwrap(), handle);
        assert!(Handle::decode(&text, &other).is_err());
        for wrong in ["", "x", "AAAA", &format!("{text}AAAA")] {
            assert!(matches!(
                Handle::decode(wrong, &queue),
                Err(SqsError::ReceiptHandleIsInvalid(_))
            ));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[A-Za-z0-9+/=]{0,60}") {
            let queue: QueueArn = "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap();
            proptest::prop_assert!(Handle::decode(&text, &queue).is_err());
        }
    }
}
