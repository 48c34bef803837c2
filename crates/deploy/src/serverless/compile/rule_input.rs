//! What rules and schedules give their target.

use serde_json::{Map, Value, json};

use crate::serverless::model::RuleInput;

/// `Input`, `InputPath` or `InputTransformer` of a target.
pub(super) fn insert(target: &mut Map<String, Value>, input: Option<&RuleInput>) {
    let (name, value) = match input {
        None => return,
        Some(RuleInput::Constant(text)) => ("Input", text.as_str().into()),
        Some(RuleInput::Path(path)) => ("InputPath", path.as_str().into()),
        Some(RuleInput::Transformer { paths, template }) => {
            let mut transformer = json!({ "InputTemplate": template });
            if let Some(paths) = paths {
                transformer["InputPathsMap"] = paths.clone();
            }
            ("InputTransformer", transformer)
        }
    };
    target.insert(name.into(), value);
}

/// `ENABLED` or `DISABLED`
pub(super) fn state(enabled: bool) -> &'static str {
    if enabled { "ENABLED" } else { "DISABLED" }
}
