//! One clear message for everything that is wrong.

use crate::{SMALL, lines, loaded, problems};

#[tokio::test]
async fn unknown_keys_warn_with_a_suggestion_or_refuse_when_asked_to() {
    let text = "\
service: s
provider: {name: aws, memorysize: 1}
custm: {}
functions: {a: {handler: a.b, timout: 3, zzzz: 1}}
";
    let expected = [
        "2:23: unknown key `memorysize` in `provider` | did you mean `memorySize`?",
        "3:1: unknown key `custm` | did you mean `custom`?",
        "4:31: unknown key `timout` in `functions.a` | did you mean `timeout`?",
        "4:42: unknown key `zzzz` in `functions.a` | ",
    ];
    assert_eq!(lines(&loaded(text).await.warnings), expected);
    assert_eq!(
        problems(&format!("{text}configValidationMode: error\n")).await,
        expected
    );
    let off = loaded(&format!("{text}configValidationMode: off\n")).await;
    assert_eq!(lines(&off.warnings), Vec::<String>::new());
}

/// Taken for nothing, it would remove all that runs.
#[tokio::test]
async fn a_misspelt_functions_is_an_error() {
    let text = "service: s\nprovider: aws\nfunctons: {a: {handler: a.b}}\n";
    assert_eq!(
        problems(text).await,
        ["3:1: unknown key `functons` | did you mean `functions`?"]
    );
}

#[tokio::test]
async fn what_will_be_missing_is_warned_of() {
    let text = "\
service: s
provider: {name: aws}
plugins: [serverless-webpack, serverless-made-up]
frameworkVersion: '!!'
functions:
  a: {handler: a.b, package: {patterns: [x]}, iamRoleStatements: [{}]}
";
    let warnings = lines(&loaded(text).await.warnings);
    for words in [
        "3:31: plugin `serverless-made-up` is not run",
        "4:19: `frameworkVersion: !!` is not a range",
        "patterns of function `a` have no effect",
        "runs under the service's role",
    ] {
        assert!(
            warnings.iter().any(|w| w.contains(words)),
            "{words}: {warnings:?}"
        );
    }
    assert_eq!(warnings.len(), 4);
}

/// What stands below the events of a function, and what is said of it.
const BAD_EVENTS: [(&str, &str); 19] = [
    (
        "- stream: arn:x",
        "7:9: event `stream` is not supported yet | remove the event to run the rest",
    ),
    ("- alexaSkill", "7:9: event `alexaSkill` is not supported yet"),
    (
        "- htpt: GET /",
        "7:9: unknown event `htpt` | did you mean `http`?",
    ),
    (
        "- http",
        "7:9: event `http` says nothing of its source | write `- http: GET /path`",
    ),
    ("- http:", "7:9: `functions.a.events.0.http` is empty"),
    ("- http: users", "7:15: `http: users` is not a method and a path"),
    ("- http: FETCH users", "7:15: `FETCH` is not an HTTP method"),
    (
        "- http: {path: users}",
        "7:15: `functions.a.events.0.http.method` is missing",
    ),
    (
        "- http:\n        path: x\n        method: get",
        "8:9: one event has two names, `http` and `path` | indent what belongs to `http`",
    ),
    (
        "- http: 'GET a/{b+}/c'",
        "path `/a/{b+}/c`: `{b+}` takes the rest of the path",
    ),
    ("- http: GET a//c", "path `/a//c`: two slashes stand together"),
    (
        "- http: 'GET a/x{b}'",
        "`x{b}` contains `{`; a variable is a whole part",
    ),
    (
        "- http: {path: a, method: get, authorizer: x}",
        "7:38: `functions.a.events.0.http.authorizer` is not supported yet",
    ),
    (
        "- http: {path: a, method: get, private: true}",
        "7:38: `functions.a.events.0.http.private` is not supported yet",
    ),
    (
        "- http: {path: a, method: get, integration: lambda}",
        "7:51: integration `lambda` is not supported yet",
    ),
    (
        "- http: {path: a, method: get, request: {parameters: {headers: {X: true}}}}",
        "7:71: checking requests for `X` is not supported yet",
    ),
    (
        "- httpApi: GET users",
        "7:18: path `users` does not start with `/` | write `/users`",
    ),
    (
        "- httpApi: {path: /a}",
        "7:18: `functions.a.events.0.httpApi.method` is missing",
    ),
    ("- 7", "7:9: `functions.a.events.0` is a number, not an event"),
];

#[tokio::test]
async fn every_bad_event_gets_one_clear_message() {
    for (event, expected) in BAD_EVENTS {
        let found = problems(&format!("{SMALL}      {event}\n")).await;
        assert_eq!(found.len(), 1, "{event}: {found:?}");
        assert!(
            found[0].contains(expected),
            "{event}: {} instead of {expected}",
            found[0]
        );
    }
}

#[tokio::test]
async fn routes_are_checked_together() {
    let cases = [
        (
            "- http: GET a/\n      - http: {path: /a, method: get}",
            "8:9: http route `GET /a` is given twice | the first is at",
        ),
        (
            "- httpApi: '*'\n      - httpApi: {method: '*', path: '*'}",
            "8:9: httpApi route `*` is given twice",
        ),
        (
            "- http: GET a/{x}\n      - http: GET a/{y}/z",
            "8:9: below `/a` stand two variables, `{x}` and `{y}`",
        ),
        (
            "- http: GET ab\n      - http: GET a.b",
            "get the same logical id, `ApiGatewayResourceAb`",
        ),
    ];
    for (events, expected) in cases {
        let found = problems(&format!("{SMALL}      {events}\n")).await;
        assert!(found[0].contains(expected), "{events}: {found:?}");
    }
}

/// What follows a service and its provider, and what is said of it.
const BAD_CONFIGURATIONS: [(&str, &str); 22] = [
    (
        "functions: {a: {}}",
        "3:13: function `a` has no handler | add `handler: file.function`",
    ),
    (
        "functions: {a.b: {handler: x.y}}",
        "3:13: `a.b` cannot name a function",
    ),
    (
        "functions: {a: {handler: x.y, runtime: nodejs20.y}}",
        "`nodejs20.y` is not a Lambda runtime | did you mean `nodejs20.x`?",
    ),
    (
        "functions: {a: {handler: x.y, runtime: dotnet8}}",
        "3:40: runtime `dotnet8` is not supported yet",
    ),
    (
        "functions: {a: {handler: x.y, memorySize: 64}}",
        "3:43: memory size 64 is outside 128 to 10240",
    ),
    (
        "functions: {a: {handler: x.y, timeout: soon}}",
        "3:40: `functions.a.timeout` is `soon`, not a whole number",
    ),
    (
        "functions: {a: {handler: x.y, logRetentionInDays: 8}}",
        "3:51: logs cannot be kept for `8` days",
    ),
    (
        "functions: {a: {handler: x.y, name: 'a b'}}",
        "3:37: `a b` is not a function name",
    ),
    (
        "functions: {a: {handler: x.y, image: repo}}",
        "3:31: `functions.a.image` is not supported yet | package the function as a zip",
    ),
    (
        "functions: {a: {handler: x.y, layers: [[x]]}}",
        "3:40: `functions.a.layers` is a list, not the ARN of a layer version",
    ),
    (
        "functions: {a: {handler: x.y, vpc: {subnetIds: [x]}}}",
        "3:31: `functions.a.vpc` is not supported yet",
    ),
    (
        "functions: {a: {handler: x.y, environment: {1a: b}}}",
        "3:45: `1a` is not a name of an environment variable",
    ),
    (
        "functions: {a: {handler: x.y, environment: {A: [b]}}}",
        "3:48: environment variable `A` is a list, not text",
    ),
    ("functions: [a]", "`functions` lists text, not a mapping"),
    (
        "functions: {a: {handler: x.y, events: {http: GET a}}}",
        "`functions.a.events` is a mapping, not a list | start each event with `- `",
    ),
    (
        "layers: {l: {name: x}}",
        "3:10: layer `l` has no content | add `path: folder`",
    ),
    ("layers: {'a b': {path: x}}", "3:10: `a b` cannot name a layer"),
    (
        "functions: {a: {handler: x.y, role: not-a-role}}",
        "3:37: a role is an ARN",
    ),
    (
        "package: {artifact: 's3://b/k.zip'}",
        "3:21: artifact `s3://b/k.zip` is not supported yet",
    ),
    (
        "resources: {Table: {Type: X}}",
        "3:13: `resources` has no section `Table` | put `Table` below `resources.Resources`",
    ),
    (
        "resources: {extensions: {Nope: {DependsOn: x}}}",
        "3:26: `extensions` names `Nope`, which is not in the template",
    ),
    (
        "functions: {a: {handler: '${env:NOPE}'}}",
        "3:26: `${env:NOPE}` has no value | set NOPE in the environment",
    ),
];

#[tokio::test]
async fn every_bad_configuration_gets_one_clear_message() {
    let head = "service: s\nprovider: {name: aws, runtime: nodejs20.x}\n";
    for (text, expected) in BAD_CONFIGURATIONS {
        let found = problems(&format!("{head}{text}\n")).await;
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(
            found[0].contains(expected),
            "{text}: {} instead of {expected}",
            found[0]
        );
    }
}

#[tokio::test]
async fn a_broken_frame_is_named() {
    let cases = [
        ("", "1:1: the configuration is empty"),
        ("- a\n", "1:1: the configuration is a list, not a mapping"),
        ("service: [\n", "not valid YAML"),
        ("provider: aws\n", "1:1: `service` is missing"),
        ("service: s\n", "1:1: `provider` is missing"),
        (
            "service: s\nprovider: {runtime: nodejs20.x}\n",
            "2:11: `provider.name` is missing | add `name: aws`",
        ),
        (
            "service: s\nprovider: google\nfunctions: {a: {}}\n",
            "2:11: provider `google` is not supported",
        ),
        ("service: 1s\nprovider: aws\n", "1:10: `1s` cannot name a service"),
        (
            "service: s\nprovider: {name: aws, stage: a_b}\n",
            "2:30: `a_b` cannot name a stage",
        ),
        (
            "service: s\nprovider: {name: aws, region: Mars!}\n",
            "2:31: `Mars!` is not a region",
        ),
        (
            "service: s\nprovider: {name: aws, vpc: {a: 1}}\n",
            "2:23: `provider.vpc` is not supported yet",
        ),
        (
            "service: s\nservice: t\nprovider: aws\n",
            "2:1: key `service` is given twice",
        ),
        (
            "service: s\nprovider: aws\ncustom: {x: '${self:custom.x}'}\n",
            "variables go in a circle: `custom.x` → `custom.x`",
        ),
    ];
    for (text, expected) in cases {
        let found = problems(text).await;
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains(expected), "{text}: {found:?}");
    }
}

#[tokio::test]
async fn all_problems_are_reported_together() {
    let text = "\
service: s
provider: {name: aws, runtime: nodejs20.x}
functions:
  a: {handler: x.y, timeout: 0}
  b: {events: [{rabbitmq: t}]}
";
    let found = problems(text).await;
    assert_eq!(found.len(), 3, "{found:?}");
    let unresolved = text.replace("x.y", "'${env:NOPE}'");
    let found = problems(&unresolved).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`${env:NOPE}` has no value") && found[1].contains("event `rabbitmq`"));
}

/// What is wrong with the settings of events of queues, buckets and topics, and what is said of it.
const BAD_SOURCES: [(&str, &str); 28] = [
    (
        "- kafka: {topic: t}",
        "7:16: `functions.a.events.0.kafka.bootstrapServers` is missing | write `bootstrapServers: [",
    ),
    (
        "- kafka: {topic: t, bootstrapServers: [b], accessConfigurations: {vpcSubnet: [subnet-1]}}",
        "7:72: `functions.a.events.0.kafka.accessConfigurations.vpcSecurityGroup` is missing | give both, or neither",
    ),
    (
        "- kafka: {topic: t, bootstrapServers: [b], accessConfigurations: {saslPlainAuth: login}}",
        "7:88: `functions.a.events.0.kafka.accessConfigurations.saslPlainAuth` is `login`, not the ARN of a secret",
    ),
    (
        "- msk: {topic: t, arn: 'arn:aws:kafka:us-east-1:0:cluster/c/u', startingPosition: AT_TIMESTAMP}",
        "7:14: `functions.a.events.0.msk.startingPositionTimestamp` is missing | give it in seconds since 1970",
    ),
    (
        "- msk: {topic: t, arn: main}",
        "7:30: `functions.a.events.0.msk.arn` is `main`, not the ARN of a cluster | for example `arn:aws:kafka:",
    ),
    (
        "- sqs",
        "7:9: event `sqs` says nothing of its source | write `- sqs: arn:aws:sqs:us-east-1:000000000000:queue`",
    ),
    (
        "- sqs:",
        "7:9: `functions.a.events.0.sqs` is empty | write `- sqs: arn:aws:sqs",
    ),
    (
        "- sqs: orders",
        "7:14: `functions.a.events.0.sqs` is `orders`, not the ARN of a queue | for example `arn:aws:sqs:",
    ),
    (
        "- sqs: arn:aws:sns:us-east-1:000000000000:t",
        "7:14: `functions.a.events.0.sqs` is an ARN of the service `sns`, not of a queue",
    ),
    (
        "- sqs: arn:aws:sqs:us-east-1:${AWS::AccountId}:q",
        "7:14: `functions.a.events.0.sqs` contains `${`, which is not resolved in plain text | write `!Sub arn:aws",
    ),
    (
        "- sqs: {batchSize: 1}",
        "7:14: `functions.a.events.0.sqs.arn` is missing",
    ),
    (
        "- sqs: [a]",
        "7:14: `functions.a.events.0.sqs` is a list, not a mapping",
    ),
    (
        "- sqs: {arn: 'arn:aws:sqs:r:1:q', batchSize: 0}",
        "7:52: `functions.a.events.0.sqs.batchSize` is `0`, not a whole number from 1 to 10000",
    ),
    (
        "- sqs: {arn: 'arn:aws:sqs:r:1:q', maximumConcurrency: 1}",
        "`functions.a.events.0.sqs.maximumConcurrency` is `1`, not a whole number from 2 to 1000",
    ),
    (
        "- sqs: {arn: 'arn:aws:sqs:r:1:q', functionResponseType: All}",
        "`functions.a.events.0.sqs.functionResponseType` is `All`, not `ReportBatchItemFailures`",
    ),
    (
        "- sqs: {arn: 'arn:aws:sqs:r:1:q', filterPatterns: {body: [1]}}",
        "`functions.a.events.0.sqs.filterPatterns` is a mapping, not a list of event patterns",
    ),
    (
        "- sqs: {arn: 'arn:aws:sqs:r:1:q', filterPatterns: [&p {body: [1]},*p,*p,*p,*p,*p,*p,*p,*p,*p,*p]}",
        "`functions.a.events.0.sqs.filterPatterns` has 11 patterns | a mapping has at most 10",
    ),
    (
        "- sqs: {arn: 'arn:aws:sqs:r:1:q'}\n      - sqs: 'arn:aws:sqs:r:2:q'",
        "8:9: this and ",
    ),
    (
        "- s3: {event: 's3:ObjectCreated:*'}",
        "7:13: `functions.a.events.0.s3.bucket` is missing",
    ),
    (
        "- s3: {bucket: b, event: ObjectCreated}",
        "7:32: `functions.a.events.0.s3.event` is `ObjectCreated`, not an event of a bucket | for example `s3:",
    ),
    (
        "- s3: {bucket: b, rules: {prefix: x}}",
        "7:32: `functions.a.events.0.s3.rules` is not a list of prefixes and suffixes | write `rules: [",
    ),
    (
        "- s3: {bucket: b, rules: [{prefix: x, suffix: y}]}",
        "`functions.a.events.0.s3.rules` is not a list of prefixes and suffixes",
    ),
    (
        "- s3: {bucket: {Ref: B}}",
        "7:22: `functions.a.events.0.s3.bucket` is an expression, not the name of a new bucket",
    ),
    (
        "- sns: 'a b'",
        "7:14: `functions.a.events.0.sns`: `a b` cannot name a topic",
    ),
    (
        "- sns: {displayName: x}",
        "7:14: `functions.a.events.0.sns.topicName` is missing",
    ),
    (
        "- sns: {arn: {Ref: T}}",
        "`functions.a.events.0.sns.topicName` is missing | `arn` is an expression; say how",
    ),
    (
        "- sns: {topicName: t, redrivePolicy: {}}",
        "7:44: `functions.a.events.0.sns.redrivePolicy` names no queue, or several",
    ),
    (
        "- sns: {topicName: t, filterPolicy: [a]}",
        "7:43: `functions.a.events.0.sns.filterPolicy` is a list, not a mapping",
    ),
];

/// The same of schedules, rules and filters of logs.
const BAD_RULES: [(&str, &str); 24] = [
    (
        "- schedule: hourly",
        "7:19: `functions.a.events.0.schedule` is `hourly`, not a schedule | for example `rate(5 minutes)`",
    ),
    (
        "- schedule: rate(1 hours)",
        "is `rate(1 hours)`, not a schedule | write `rate(1 hour)`",
    ),
    ("- schedule: rate(5 minute)", "| write `rate(5 minutes)`"),
    (
        "- schedule: rate(0 days)",
        "| a rate is a number of minutes, hours or days",
    ),
    (
        "- schedule: rate(2 weeks)",
        "| a rate is a number of minutes, hours or days",
    ),
    (
        "- schedule: cron(0 12 * * *)",
        "| `cron` has six fields, minutes to year, here are 5",
    ),
    (
        "- schedule: at(2030-01-01T00:00:00)",
        "| `at` is for schedules of the scheduler: add `method",
    ),
    (
        "- schedule: {enabled: true}",
        "7:19: `functions.a.events.0.schedule.rate` is missing",
    ),
    (
        "- schedule: {rate: [rate(1 hour), rate(1 day)], name: x}",
        "several rates cannot have one name | remove `name`",
    ),
    (
        "- schedule: {rate: rate(1 hour), timezone: UTC}",
        "7:40: `functions.a.events.0.schedule.timezone` is for schedules of the scheduler | add `method: scheduler`",
    ),
    (
        "- schedule: {rate: rate(1 hour), method: scheduler, inputPath: $.a}",
        "`functions.a.events.0.schedule.inputPath` is for rules",
    ),
    (
        "- schedule: {rate: rate(1 hour), method: cron}",
        "`functions.a.events.0.schedule.method` is `cron`, not `eventBus` or `scheduler`",
    ),
    (
        "- schedule: {rate: rate(1 hour), input: {}, inputPath: $.a}",
        "7:51: `input` and `inputPath` cannot stand together",
    ),
    (
        "- schedule: {rate: rate(1 hour), name: a b}",
        "`functions.a.events.0.schedule.name`: `a b` cannot name a rule or a schedule",
    ),
    (
        "- schedule: {rate: rate(1 hour), inputTransformer: {}}",
        "`functions.a.events.0.schedule.inputTransformer.inputTemplate` is missing",
    ),
    (
        "- eventBridge: shop",
        "7:22: `functions.a.events.0.eventBridge` is text, not a mapping",
    ),
    (
        "- eventBridge: {eventBus: orders}",
        "7:22: `functions.a.events.0.eventBridge.pattern` is missing | say which events: `pattern:",
    ),
    (
        "- eventBridge: {pattern: {sorce: [x]}}",
        "7:33: `functions.a.events.0.eventBridge.pattern` names `sorce`, which no event has | did you mean `source`?",
    ),
    (
        "- eventBridge: {pattern: [x]}",
        "`functions.a.events.0.eventBridge.pattern` is a list, not a mapping of fields",
    ),
    (
        "- eventBridge: {eventBus: orders, schedule: rate(1 hour)}",
        "only rules of the default bus can have a schedule | remove `eventBus`",
    ),
    (
        "- eventBridge: {pattern: {id: [a]}, retryPolicy: {maximumRetryAttempts: 186}}",
        "`functions.a.events.0.eventBridge.retryPolicy.maximumRetryAttempts` is `186`, not a whole number from 0 to 185",
    ),
    (
        "- cloudwatchEvent: {name: x}",
        "7:26: `functions.a.events.0.cloudwatchEvent.event` is missing",
    ),
    (
        "- cloudwatchLog: 'a b'",
        "7:24: `functions.a.events.0.cloudwatchLog`: `a b` cannot name a log group",
    ),
    (
        "- cloudwatchLog: a\n      - cloudwatchLog: a\n      - cloudwatchLog: a",
        "9:9: log group `a` gets more than 2 filters",
    ),
];

#[tokio::test]
async fn every_bad_source_gets_one_clear_message() {
    for (event, expected) in BAD_SOURCES.into_iter().chain(BAD_RULES) {
        let found = problems(&format!("{SMALL}      {event}\n")).await;
        assert_eq!(found.len(), 1, "{event}: {found:?}");
        assert!(
            found[0].contains(expected),
            "{event}: {} instead of {expected}",
            found[0]
        );
    }
}

#[tokio::test]
async fn where_records_go_must_be_clear() {
    let cases = [
        (
            "destinations: {onSuccess: nobody}",
            "6:31: there is no function `nobody` to send records to | name a function of this file",
        ),
        (
            "destinations: {onSuccess: {Ref: Q}}",
            "6:31: `functions.f.destinations.onSuccess` does not say what it is | write `{type: sqs, arn: …}`",
        ),
        (
            "destinations: {onSuccess: {type: queue, arn: 'arn:aws:sqs:r:1:q'}}",
            "6:38: `functions.f.destinations.onSuccess.type` is `queue`, not `sns` or `sqs` or `eventBus`",
        ),
        (
            "destinations: {onFailure: {type: sqs}}",
            "6:31: `functions.f.destinations.onFailure.arn` is missing",
        ),
        (
            "destinations: {onFailure: 'arn:aws:kinesis:r:1:s'}",
            "6:31: `functions.f.destinations.onFailure` is an ARN of the service `kinesis`, not of a function",
        ),
        (
            "onError: q",
            "6:14: `functions.f.onError` is `q`, not the ARN of a queue or a topic",
        ),
        (
            "maximumRetryAttempts: 3",
            "6:27: `functions.f.maximumRetryAttempts` is `3`, not a whole number from 0 to 2",
        ),
        (
            "maximumEventAge: 59",
            "6:22: `functions.f.maximumEventAge` is `59`, not a whole number from 60 to 21600",
        ),
    ];
    let head = "service: s\nprovider: {name: aws}\nfunctions:\n  f:\n    handler: a.b\n";
    for (setting, expected) in cases {
        let found = problems(&format!("{head}    {setting}\n")).await;
        assert_eq!(found.len(), 1, "{setting}: {found:?}");
        assert!(found[0].contains(expected), "{setting}: {found:?}");
    }
}

#[tokio::test]
async fn settings_of_a_bucket_that_no_event_makes_are_warned_of() {
    let text = "service: s\nprovider: {name: aws, s3: {b: {name: c}, d: {}}}\nfunctions:\n  f: {handler: a.b, events: [s3: b]}\n";
    assert_eq!(
        lines(&loaded(text).await.warnings),
        ["2:42: no `s3` event makes the bucket `d`, so its settings change nothing | "]
    );
}
