//! The object lock of a bucket: whether it has one, and the default retention of new versions.

use s3s::dto::{
    DefaultRetention, GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput,
    ObjectLockConfiguration, ObjectLockEnabled, PutObjectLockConfigurationInput,
    PutObjectLockConfigurationOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Result};
use tradewind_model::Timestamp;

use super::{Lock, Mode, NewLock};
use crate::configuration::{Configurations, malformed, refused};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const YEAR_DAYS: i64 = 365;
/// 100 years, the longest default retention (S3 API reference, `DefaultRetention`).
const MOST_DAYS: i32 = 36_500;
const MOST_YEARS: i32 = 100;

impl Configurations {
    /// Puts the object lock of a bucket; `versioned` says whether its versioning is enabled.
    pub(crate) async fn put_object_lock_configuration(
        &self,
        input: PutObjectLockConfigurationInput,
        versioned: bool,
    ) -> S3Result<PutObjectLockConfigurationOutput> {
        let configuration = input.object_lock_configuration.ok_or_else(malformed)?;
        check(&configuration)?;
        if !versioned {
            return Err(refused(
                S3ErrorCode::InvalidBucketState,
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            ));
        }
        self.put(&input.bucket, &configuration).await?;
        Ok(PutObjectLockConfigurationOutput::default())
    }

    pub(crate) async fn get_object_lock_configuration(
        &self,
        input: GetObjectLockConfigurationInput,
    ) -> S3Result<GetObjectLockConfigurationOutput> {
        Ok(GetObjectLockConfigurationOutput {
            object_lock_configuration: Some(self.find(&input.bucket).await?),
        })
    }

    /// Whether versions of the bucket can be locked.
    pub(crate) async fn has_object_lock(&self, bucket: &str) -> S3Result<bool> {
        Ok(self
            .stored::<ObjectLockConfiguration>(bucket)
            .await?
            .put()
            .is_some())
    }

    /// Refuses a lock operation in a bucket without object lock.
    pub(crate) async fn require_object_lock(&self, bucket: &str) -> S3Result<()> {
        match self.has_object_lock(bucket).await? {
            true => Ok(()),
            false => Err(missing()),
        }
    }
}

/// The lock of a version that is being made now, in a bucket with this object lock or none.
///
/// # Errors
/// `InvalidRequest` for a lock in a bucket without object lock, `InvalidArgument` for a wrong one.
pub(crate) fn of_new(
    configuration: Option<&ObjectLockConfiguration>,
    asked: NewLock,
    now: Timestamp,
) -> S3Result<Lock> {
    let Some(configuration) = configuration else {
        return match asked.is_given() {
            true => Err(missing()),
            false => Ok(Lock::default()),
        };
    };
    let default = configuration
        .rule
        .as_ref()
        .and_then(|rule| rule.default_retention.as_ref());
    asked.resolve(default.and_then(|default| until(default, now)), now)
}

/// Object lock without a default retention.
pub(crate) fn enabled() -> ObjectLockConfiguration {
    ObjectLockConfiguration {
        object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
        rule: None,
    }
}

/// Checks a configuration as S3 does.
pub(crate) fn check(configuration: &ObjectLockConfiguration) -> S3Result<()> {
    let enabled = configuration
        .object_lock_enabled
        .as_ref()
        .map(ObjectLockEnabled::as_str);
    if enabled != Some(ObjectLockEnabled::ENABLED) {
        return Err(malformed());
    }
    let Some(rule) = &configuration.rule else {
        return Ok(());
    };
    let default = rule.default_retention.as_ref().ok_or_else(malformed)?;
    let mode = default.mode.as_ref().map_or("", |mode| mode.as_str());
    if Mode::parse(mode).is_none() || default.days.is_some() == default.years.is_some() {
        return Err(malformed());
    }
    let period = [(default.days, MOST_DAYS), (default.years, MOST_YEARS)];
    for (given, most) in period
        .into_iter()
        .filter_map(|(given, most)| Some((given?, most)))
    {
        if given <= 0 {
            return Err(argument(
                "Default retention period must be a positive integer value.",
            ));
        }
        if given > most {
            return Err(argument("Default retention period too large"));
        }
    }
    Ok(())
}

/// What a default retention means for a version made now.
fn until(default: &DefaultRetention, now: Timestamp) -> Option<(Mode, Timestamp)> {
    let mode = Mode::parse(default.mode.as_ref()?.as_str())?;
    let days = match (default.days, default.years) {
        (Some(days), _) => i64::from(days),
        (None, Some(years)) => i64::from(years).saturating_mul(YEAR_DAYS),
        (None, None) => return None,
    };
    Some((mode, now.plus_millis(days.saturating_mul(DAY_MS))))
}

fn missing() -> S3Error {
    refused(
        S3ErrorCode::InvalidRequest,
        "Bucket is missing Object Lock Configuration",
    )
}

fn argument(message: &'static str) -> S3Error {
    refused(S3ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::xml::{Deserialize as _, Deserializer};

    fn parse(inside: &str) -> ObjectLockConfiguration {
        let text = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{inside}</ObjectLockConfiguration>"
        );
        ObjectLockConfiguration::deserialize(&mut Deserializer::new(text.as_bytes())).unwrap()
    }

    fn rule(inside: &str) -> ObjectLockConfiguration {
        parse(&format!(
            "<Rule><DefaultRetention>{inside}</DefaultRetention></Rule>"
        ))
    }

    #[test]
    fn a_default_retention_is_a_mode_and_one_period() {
        check(&parse("")).unwrap();
        check(&rule("<Mode>GOVERNANCE</Mode><Days>1</Days>")).unwrap();
        for (wrong, code) in [
            ("<Mode>GOVERNANCE</Mode>", "MalformedXML"),
            ("<Mode>OTHER</Mode><Days>1</Days>", "MalformedXML"),
            (
                "<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>",
                "MalformedXML",
            ),
            ("<Mode>GOVERNANCE</Mode><Days>0</Days>", "InvalidArgument"),
            ("<Mode>COMPLIANCE</Mode><Years>101</Years>", "InvalidArgument"),
        ] {
            assert_eq!(check(&rule(wrong)).unwrap_err().code().as_str(), code, "{wrong}");
        }
        assert!(check(&ObjectLockConfiguration::default()).is_err());
    }

    #[test]
    fn years_are_365_days() {
        let configuration = rule("<Mode>COMPLIANCE</Mode><Years>2</Years>");
        let default = configuration.rule.unwrap().default_retention.unwrap();
        let (mode, at) = until(&default, Timestamp::from_millis(5)).unwrap();
        assert_eq!((mode, at.as_millis()), (Mode::Compliance, 5 + 730 * DAY_MS));
    }
}
