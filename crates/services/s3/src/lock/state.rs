//! The lock of one version, and how it may change. No I/O.

use s3s::dto::{
    ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use tradewind_model::Timestamp;
use tradewind_store::SqlValue;

use crate::configuration::{malformed, refused, to_dto, to_model};
use crate::objects;

/// How strongly a retention protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Yields to who bypasses it.
    Governance,
    /// Yields to nobody.
    Compliance,
}

/// What protects a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lock {
    /// Until when it is retained, and how.
    pub(crate) retention: Option<(Mode, Timestamp)>,
    /// Whether it is held.
    pub(crate) hold: bool,
}

/// What a request that makes a version says of its lock.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewLock {
    /// `x-amz-object-lock-mode`.
    pub(crate) mode: Option<String>,
    /// `x-amz-object-lock-retain-until-date`.
    pub(crate) until: Option<Timestamp>,
    /// `x-amz-object-lock-legal-hold`.
    pub(crate) hold: Option<String>,
}

impl Mode {
    /// The mode of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            ObjectLockRetentionMode::GOVERNANCE => Some(Self::Governance),
            ObjectLockRetentionMode::COMPLIANCE => Some(Self::Compliance),
            _ => None,
        }
    }

    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Governance => ObjectLockRetentionMode::GOVERNANCE,
            Self::Compliance => ObjectLockRetentionMode::COMPLIANCE,
        }
    }
}

impl Lock {
    /// Whether the version may not go; `bypass` says that governance is bypassed.
    pub(crate) fn protects(self, now: Timestamp, bypass: bool) -> bool {
        self.hold
            || self.active(now).is_some_and(|(mode, _)| match mode {
                Mode::Compliance => true,
                Mode::Governance => !bypass,
            })
    }

    /// Lets a version be removed that nothing protects.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub(crate) fn refuse_removal(self, now: Timestamp, bypass: bool) -> S3Result<()> {
        if self.protects(now, bypass) {
            return Err(denied());
        }
        Ok(())
    }

    /// This lock with another retention; none takes it off.
    ///
    /// # Errors
    /// `AccessDenied` where the present retention does not admit it, `InvalidArgument` for an instant
    /// that has passed.
    pub(crate) fn with_retention(
        self,
        asked: Option<ObjectLockRetention>,
        now: Timestamp,
        bypass: bool,
    ) -> S3Result<Self> {
        let asked = asked.unwrap_or_default();
        let retention = match (asked.mode, asked.retain_until_date) {
            (Some(mode), Some(until)) => {
                let mode = Mode::parse(mode.as_str()).ok_or_else(malformed)?;
                Some((mode, future(to_model(&until), now)?))
            }
            (None, None) => None,
            _ => return Err(malformed()),
        };
        let admitted = match (self.active(now), retention) {
            (None, _) => true,
            (Some((Mode::Compliance, until)), Some((Mode::Compliance, later))) => later >= until,
            (Some((Mode::Compliance, _)), _) => false,
            (Some((Mode::Governance, until)), Some((_, later))) => bypass || later >= until,
            (Some((Mode::Governance, _)), None) => bypass,
        };
        match admitted {
            true => Ok(Self { retention, ..self }),
            false => Err(denied()),
        }
    }

    /// This lock with or without a legal hold.
    ///
    /// # Errors
    /// `MalformedXML`.
    pub(crate) fn with_hold(self, asked: Option<ObjectLockLegalHold>) -> S3Result<Self> {
        let status = asked.and_then(|hold| hold.status).ok_or_else(malformed)?;
        let hold = held(status.as_str()).ok_or_else(malformed)?;
        Ok(Self { hold, ..self })
    }

    /// The retention as the wire has it.
    ///
    /// # Errors
    /// `NoSuchObjectLockConfiguration` where there is none.
    pub(crate) fn retention(self) -> S3Result<ObjectLockRetention> {
        let (mode, until) = self.retention.ok_or_else(none_of_object)?;
        Ok(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(mode.as_str())),
            retain_until_date: Some(to_dto(until)),
        })
    }

    /// The legal hold as the wire has it.
    pub(crate) fn legal_hold(self) -> ObjectLockLegalHold {
        let status = match self.hold {
            true => ObjectLockLegalHoldStatus::ON,
            false => ObjectLockLegalHoldStatus::OFF,
        };
        ObjectLockLegalHold {
            status: Some(ObjectLockLegalHoldStatus::from_static(status)),
        }
    }

    /// The columns of its row: mode, instant, legal hold.
    pub(crate) fn columns(self) -> [SqlValue; 3] {
        let mode = self.retention.map(|(mode, _)| mode.as_str());
        let until = self.retention.map(|(_, until)| until.as_millis());
        [mode.into(), until.into(), self.hold.into()]
    }

    /// The lock of those columns.
    pub(crate) fn of_columns(mode: Option<&str>, until: Option<i64>, hold: i64) -> Self {
        let retention = mode.and_then(Mode::parse).zip(until.map(Timestamp::from_millis));
        Self {
            retention,
            hold: hold != 0,
        }
    }

    /// The retention that has not ended.
    fn active(self, now: Timestamp) -> Option<(Mode, Timestamp)> {
        self.retention.filter(|(_, until)| *until > now)
    }
}

impl From<&objects::Lock> for Lock {
    fn from(row: &objects::Lock) -> Self {
        Self {
            retention: row.mode.as_deref().and_then(Mode::parse).zip(row.until),
            hold: row.legal_hold,
        }
    }
}

impl From<Lock> for objects::Lock {
    fn from(lock: Lock) -> Self {
        Self {
            mode: lock.retention.map(|(mode, _)| mode.as_str().to_owned()),
            until: lock.retention.map(|(_, until)| until),
            legal_hold: lock.hold,
        }
    }
}

impl NewLock {
    /// Whether the request says anything of a lock.
    pub(crate) fn is_given(&self) -> bool {
        self.mode.is_some() || self.until.is_some() || self.hold.is_some()
    }

    /// The lock of the version to be made; `default` is the bucket's default retention.
    ///
    /// # Errors
    /// `InvalidArgument` for headers that contradict each other, or an instant that has passed.
    pub(crate) fn resolve(self, default: Option<(Mode, Timestamp)>, now: Timestamp) -> S3Result<Lock> {
        let hold = match &self.hold {
            Some(status) => {
                held(status).ok_or_else(|| argument("Legal hold must be either of 'ON' or 'OFF'"))?
            }
            None => false,
        };
        let retention = match (&self.mode, self.until) {
            (Some(mode), Some(until)) => {
                let mode = Mode::parse(mode).ok_or_else(|| argument("Unknown wormMode directive."))?;
                Some((mode, future(until, now)?))
            }
            (None, None) => default,
            _ => {
                return Err(argument(
                    "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
                ));
            }
        };
        Ok(Lock { retention, hold })
    }
}

fn held(status: &str) -> Option<bool> {
    match status {
        ObjectLockLegalHoldStatus::ON => Some(true),
        ObjectLockLegalHoldStatus::OFF => Some(false),
        _ => None,
    }
}

fn future(until: Timestamp, now: Timestamp) -> S3Result<Timestamp> {
    match until > now {
        true => Ok(until),
        false => Err(argument("The retain until date must be in the future!")),
    }
}

fn denied() -> S3Error {
    refused(
        S3ErrorCode::AccessDenied,
        "Access Denied because object protected by object lock.",
    )
}

fn none_of_object() -> S3Error {
    crate::configuration::custom(
        "NoSuchObjectLockConfiguration",
        http::StatusCode::NOT_FOUND,
        "The specified object does not have a ObjectLock configuration",
    )
}

fn argument(message: &'static str) -> S3Error {
    refused(S3ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const LATER: Timestamp = Timestamp::from_millis(2_000_000);
    const LATEST: Timestamp = Timestamp::from_millis(3_000_000);

    fn lock(mode: Mode) -> Lock {
        Lock {
            retention: Some((mode, LATER)),
            hold: false,
        }
    }

    fn asked(mode: Mode, until: Timestamp) -> Option<ObjectLockRetention> {
        Some(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(mode.as_str())),
            retain_until_date: Some(to_dto(until)),
        })
    }

    #[test]
    fn a_lock_protects_until_its_instant_and_a_hold_for_ever() {
        assert!(!Lock::default().protects(NOW, false));
        assert!(lock(Mode::Governance).protects(NOW, false));
        assert!(!lock(Mode::Governance).protects(NOW, true));
        assert!(!lock(Mode::Governance).protects(LATER, false));
        assert!(lock(Mode::Compliance).protects(NOW, true));
        assert!(!lock(Mode::Compliance).protects(LATER, false));
        let held = Lock {
            hold: true,
            ..Lock::default()
        };
        assert!(held.protects(LATEST, true));
    }

    #[test]
    fn compliance_only_grows() {
        let compliance = lock(Mode::Compliance);
        let longer = compliance
            .with_retention(asked(Mode::Compliance, LATEST), NOW, false)
            .unwrap();
        assert_eq!(longer.retention, Some((Mode::Compliance, LATEST)));
        for refused in [
            asked(Mode::Governance, LATEST),
            asked(Mode::Compliance, NOW.plus_millis(1)),
            None,
        ] {
            let error = compliance.with_retention(refused, NOW, true).unwrap_err();
            assert_eq!(error.code(), &S3ErrorCode::AccessDenied);
        }
        assert!(
            compliance.with_retention(None, LATER, false).is_ok(),
            "it has ended"
        );
    }

    #[test]
    fn governance_shrinks_for_who_bypasses_it() {
        let governance = lock(Mode::Governance);
        assert!(
            governance
                .with_retention(asked(Mode::Compliance, LATEST), NOW, false)
                .is_ok()
        );
        for change in [asked(Mode::Governance, NOW.plus_millis(1)), None] {
            assert!(governance.with_retention(change.clone(), NOW, false).is_err());
            assert!(governance.with_retention(change, NOW, true).is_ok());
        }
        let past = governance
            .with_retention(asked(Mode::Governance, NOW), NOW, true)
            .unwrap_err();
        assert_eq!(past.code(), &S3ErrorCode::InvalidArgument);
    }

    #[test]
    fn a_new_version_gets_what_its_request_or_its_bucket_says() {
        let default = Some((Mode::Governance, LATER));
        assert_eq!(
            NewLock::default().resolve(default, NOW).unwrap().retention,
            default
        );
        let given = NewLock {
            mode: Some("COMPLIANCE".into()),
            until: Some(LATEST),
            hold: Some("ON".into()),
        };
        let lock = given.clone().resolve(default, NOW).unwrap();
        assert_eq!(
            lock,
            Lock {
                retention: Some((Mode::Compliance, LATEST)),
                hold: true
            }
        );
        assert!(
            NewLock {
                until: None,
                ..given.clone()
            }
            .resolve(None, NOW)
            .is_err()
        );
        assert!(
            NewLock {
                until: Some(NOW),
                ..given.clone()
            }
            .resolve(None, NOW)
            .is_err()
        );
        assert!(
            NewLock {
                mode: Some("compliance".into()),
                ..given.clone()
            }
            .resolve(None, NOW)
            .is_err()
        );
        assert!(
            NewLock {
                hold: Some("on".into()),
                ..given
            }
            .resolve(None, NOW)
            .is_err()
        );
    }
}
