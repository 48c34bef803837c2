//! Every word of a serverless.yml that is known, and what becomes of it: what
//! `docs/compatibility/serverless-yml.md` is made of.
//!
//! The keys are not listed here. A project that has every mapping is read, and the reader itself tells
//! which keys it asked for, let pass or refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tradewind_model::{AccountId, Timestamp};

use super::read::{self, KnownKeys, Meaning};
use super::{LoadOptions, variables};
use crate::yaml::parse_yaml;

/// A project with each mapping that is read key by key.
const EVERY_MAPPING: &str = "\
service: every
provider:
  name: aws
  deploymentBucket: {}
  iam: {role: {}}
  logs: {lambda: {}}
  apiGateway: {}
  httpApi: {cors: {}}
  eventBridge: {}
package: {}
layers:
  NAME: {path: folder, package: {}}
functions:
  NAME:
    handler: file.handler
    package: {}
    httpApi: {}
    url: {cors: {}}
    destinations: {onSuccess: {type: sqs, arn: 'arn:aws:sqs:us-east-1:000000000000:queue'}}
    logs: {}
    events:
      - http: {method: get, path: /, cors: {}, request: {parameters: {}}}
      - httpApi: {method: get, path: /}
      - sqs: {arn: 'arn:aws:sqs:us-east-1:000000000000:queue'}
      - kafka: {topic: t, bootstrapServers: [b], accessConfigurations: {}, provisionedPollerConfig: {}, destinations: {}}
      - msk: {topic: t, arn: 'arn:aws:kafka:us-east-1:000000000000:cluster/c/u', provisionedPollerConfig: {}, destinations: {}}
      - s3: {bucket: bucket}
      - sns: {topicName: topic, redrivePolicy: {deadLetterTargetImport: {arn: a, url: b}}}
      - schedule: {rate: rate(1 hour), method: scheduler, inputTransformer: {inputTemplate: text}}
      - eventBridge: {pattern: {}, retryPolicy: {}, inputTransformer: {inputTemplate: text}}
      - cloudwatchEvent: {event: {}, inputTransformer: {inputTemplate: text}}
      - cloudwatchLog: {logGroup: group}
";

/// The words of the format.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// The keys of each mapping; `*` in a path stands for a name or an index.
    pub mappings: Vec<KnownKeys>,
    /// Events that are served, and how each is written at its shortest.
    pub served_events: &'static [(&'static str, &'static str)],
    /// Events that are refused by name.
    pub refused_events: &'static [&'static str],
    /// Sources of variables.
    pub sources: &'static [&'static str],
    /// Sources of variables that are refused by name, and what each would read.
    pub refused_sources: &'static [(&'static str, &'static str)],
    /// Plugins whose work the builds do.
    pub built_plugins: &'static [&'static str],
    /// Plugins whose settings are read here, or that nothing is needed from.
    pub needless_plugins: &'static [&'static str],
}

/// The words that are known.
///
/// # Panics
/// Never: the project that is read is part of this file.
#[must_use]
pub fn vocabulary() -> Vocabulary {
    let root =
        parse_yaml(EVERY_MAPPING, Path::new("serverless.yml")).expect("the project of this file is YAML");
    let known = read::known_keys(&root, &options());
    Vocabulary {
        mappings: merged(known),
        served_events: &read::SERVED,
        refused_events: &read::NOT_YET,
        sources: &variables::SOURCES,
        refused_sources: &variables::UNAVAILABLE,
        built_plugins: &read::BUILT,
        needless_plugins: &read::NOT_NEEDED,
    }
}

fn options() -> LoadOptions {
    LoadOptions {
        dir: PathBuf::from("."),
        config: None,
        stage: None,
        region: None,
        params: BTreeMap::new(),
        options: BTreeMap::new(),
        environment: BTreeMap::new(),
        account: AccountId::default_account(),
        node: None,
        publish_versions: false,
        now: Timestamp::from_millis(0),
    }
}

/// Sorted by path and key, each key once: refusing weighs more than reading, reading more than neither.
fn merged(known: Vec<KnownKeys>) -> Vec<KnownKeys> {
    let mut mappings: BTreeMap<String, BTreeMap<&'static str, Meaning>> = BTreeMap::new();
    for mapping in known {
        let keys = mappings.entry(general(&mapping.path)).or_default();
        for (key, meaning) in mapping.keys {
            let kept = keys.entry(key).or_insert(meaning);
            if weight(meaning) > weight(*kept) {
                *kept = meaning;
            }
        }
    }
    let sorted = mappings.into_iter();
    sorted
        .map(|(path, keys)| KnownKeys {
            path,
            keys: keys.into_iter().collect(),
        })
        .collect()
}

fn weight(meaning: Meaning) -> u8 {
    match meaning {
        Meaning::NoEffect => 0,
        Meaning::Honoured => 1,
        Meaning::Refused(_) => 2,
    }
}

/// `functions.NAME.events.0.http` as `functions.*.events.*.http`.
fn general(path: &str) -> String {
    let part = |part: &str| match part {
        "NAME" => "*".to_owned(),
        index if index.bytes().all(|byte| byte.is_ascii_digit()) && !index.is_empty() => "*".to_owned(),
        name => name.to_owned(),
    };
    path.split('.').map(part).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(path: &str, key: &str) -> Option<Meaning> {
        let mappings = vocabulary().mappings;
        let mapping = mappings.iter().find(|mapping| mapping.path == path).unwrap();
        let found = mapping.keys.iter().find(|(known, _)| *known == key);
        found.map(|(_, meaning)| *meaning)
    }

    #[test]
    fn the_reader_tells_what_it_does_with_a_key() {
        assert_eq!(meaning("", "functions"), Some(Meaning::Honoured));
        assert_eq!(meaning("", "useDotenv"), Some(Meaning::Honoured));
        assert_eq!(meaning("", "dashboard"), Some(Meaning::NoEffect));
        assert!(matches!(meaning("provider", "vpc"), Some(Meaning::Refused(_))));
        assert_eq!(
            meaning("functions.*", "iamRoleStatements"),
            Some(Meaning::NoEffect)
        );
        assert!(matches!(
            meaning("functions.*", "image"),
            Some(Meaning::Refused(_))
        ));
        assert_eq!(
            meaning("package", "excludeDevDependencies"),
            Some(Meaning::Honoured)
        );
        assert_eq!(meaning("functions.*", "handlr"), None);
    }

    #[test]
    fn every_mapping_is_met() {
        let paths: Vec<String> = vocabulary().mappings.into_iter().map(|m| m.path).collect();
        let expected = [
            "",
            "functions.*",
            "functions.*.destinations",
            "functions.*.destinations.onSuccess",
            "functions.*.events.*.cloudwatchEvent",
            "functions.*.events.*.cloudwatchEvent.inputTransformer",
            "functions.*.events.*.cloudwatchLog",
            "functions.*.events.*.eventBridge",
            "functions.*.events.*.eventBridge.inputTransformer",
            "functions.*.events.*.eventBridge.retryPolicy",
            "functions.*.events.*.http",
            "functions.*.events.*.http.cors",
            "functions.*.events.*.http.request",
            "functions.*.events.*.http.request.parameters",
            "functions.*.events.*.httpApi",
            "functions.*.events.*.kafka",
            "functions.*.events.*.kafka.accessConfigurations",
            "functions.*.events.*.kafka.destinations",
            "functions.*.events.*.kafka.provisionedPollerConfig",
            "functions.*.events.*.msk",
            "functions.*.events.*.msk.destinations",
            "functions.*.events.*.msk.provisionedPollerConfig",
            "functions.*.events.*.s3",
            "functions.*.events.*.schedule",
            "functions.*.events.*.schedule.inputTransformer",
            "functions.*.events.*.sns",
            "functions.*.events.*.sns.redrivePolicy",
            "functions.*.events.*.sns.redrivePolicy.deadLetterTargetImport",
            "functions.*.events.*.sqs",
            "functions.*.httpApi",
            "functions.*.logs",
            "functions.*.package",
            "functions.*.url",
            "functions.*.url.cors",
            "layers.*",
            "layers.*.package",
            "package",
            "provider",
            "provider.apiGateway",
            "provider.deploymentBucket",
            "provider.eventBridge",
            "provider.httpApi",
            "provider.httpApi.cors",
            "provider.iam",
            "provider.iam.role",
            "provider.logs",
            "provider.logs.lambda",
        ];
        assert_eq!(paths, expected);
    }
}
