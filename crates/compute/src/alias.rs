//! Aliases: names that send invocations to a version, or to one of two by weight.

use tradewind_model::Qualifier;

/// Where an alias sends its invocations (`FunctionVersion` and `RoutingConfig`).
#[derive(Clone, Debug, PartialEq)]
pub struct AliasRoute {
    /// Where all go that do not go elsewhere.
    pub version: Qualifier,
    /// A second version, and the share of invocations that go there, 0 to 1.
    pub additional: Option<(Qualifier, f64)>,
}

impl AliasRoute {
    /// Where the next invocation goes.
    pub(crate) fn next(&self) -> &Qualifier {
        match &self.additional {
            None => &self.version,
            Some(_) => self.at(roll()),
        }
    }

    /// Where an invocation goes that rolled `share`, 0 to below 1.
    fn at(&self, share: f64) -> &Qualifier {
        match &self.additional {
            Some((additional, weight)) if share < *weight => additional,
            _ => &self.version,
        }
    }
}

/// Evenly from 0 to below 1.
fn roll() -> f64 {
    let [a, b, c, d, ..] = uuid::Uuid::new_v4().into_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(weight: f64) -> AliasRoute {
        AliasRoute {
            version: Qualifier::Version(1),
            additional: Some((Qualifier::Version(2), weight)),
        }
    }

    #[test]
    fn the_weight_is_the_share_of_the_additional_version() {
        assert_eq!(route(0.25).at(0.2499), &Qualifier::Version(2));
        assert_eq!(route(0.25).at(0.25), &Qualifier::Version(1));
        assert_eq!(route(0.0).at(0.0), &Qualifier::Version(1));
        assert_eq!(route(1.0).at(0.999_999), &Qualifier::Version(2));
    }

    #[test]
    fn rolls_are_shares() {
        let rolls: Vec<f64> = std::iter::repeat_with(roll).take(100).collect();
        assert!(rolls.iter().all(|roll| (0.0..1.0).contains(roll)), "{rolls:?}");
        assert!(rolls.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
