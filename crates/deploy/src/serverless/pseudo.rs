//! What two old plugins add to the format itself, done when the configuration names them:
//! `#{AWS::Region}` for `Fn::Sub` (serverless-pseudo-parameters), `.env` files (serverless-dotenv-plugin).

use crate::diagnostic::Span;
use crate::yaml::{Content, Map, Node};

/// Whether the configuration lists the plugin `name`.
pub(super) fn lists_plugin(root: &Node, name: &str) -> bool {
    let plugins = root.child("plugins");
    let list = plugins.and_then(|node| node.child("modules")).or(plugins);
    let items = list.and_then(Node::as_list).unwrap_or_default();
    items.iter().any(|item| item.as_text() == Some(name))
}

/// Rewrites `#{AWS::…}` below `provider`, `functions` and `resources` to `Fn::Sub`.
pub(super) fn rewrite(root: Node) -> Node {
    let Content::Map(sections) = &root.content else {
        return root;
    };
    let mut rewritten = Map::default();
    for entry in sections {
        let node = match entry.key.as_str() {
            "provider" | "functions" | "resources" => rewritten_node(&entry.node),
            _ => entry.node.clone(),
        };
        rewritten.append(entry, node);
    }
    Node::new(&root.span, Content::Map(rewritten))
}

fn rewritten_node(node: &Node) -> Node {
    let content = match &node.content {
        Content::Text(text) if text.contains("#{AWS::") => {
            return substitution(&text.replace("#{AWS::", "${AWS::"), &node.span);
        }
        Content::List(items) => Content::List(items.iter().map(rewritten_node).collect()),
        Content::Map(map) => {
            let mut rewritten = Map::default();
            for entry in map {
                rewritten.append(entry, within(&entry.key, &entry.node));
            }
            Content::Map(rewritten)
        }
        other => other.clone(),
    };
    Node::new(&node.span, content)
}

/// Inside `Fn::Sub` the text is replaced in place.
fn within(key: &str, node: &Node) -> Node {
    match node.as_text() {
        Some(text) if key == "Fn::Sub" => Node::text(&node.span, text.replace("#{AWS::", "${AWS::")),
        _ => rewritten_node(node),
    }
}

fn substitution(text: &str, span: &Span) -> Node {
    let mut map = Map::default();
    map.set("Fn::Sub".into(), span.clone(), Node::text(span, text));
    Node::new(span, Content::Map(map))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::yaml::parse_yaml;
    use serde_json::json;

    #[test]
    fn pseudo_parameters_become_substitutions() {
        let text = "plugins: [serverless-pseudo-parameters]\ncustom: {x: '#{AWS::Region}'}\n\
                    provider: {environment: {A: 'arn:#{AWS::Region}:x', B: !Sub '#{AWS::AccountId}'}}\n";
        let root = parse_yaml(text, Path::new("s.yml")).unwrap();
        assert!(lists_plugin(&root, "serverless-pseudo-parameters"));
        assert!(!lists_plugin(&root, "serverless-offline"));
        let expected = json!({"plugins": ["serverless-pseudo-parameters"], "custom": {"x": "#{AWS::Region}"},
            "provider": {"environment": {"A": {"Fn::Sub": "arn:${AWS::Region}:x"}, "B": {"Fn::Sub": "${AWS::AccountId}"}}}});
        assert_eq!(rewrite(root).to_json(), expected);
    }
}
