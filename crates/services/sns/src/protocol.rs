//! The query protocol as SNS speaks it: lists are `Name.member.N`, maps `Name.entry.N.key`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tradewind_events::{AttributeValue, MessageAttribute};
use tradewind_wire::{Params, xml_element};

use crate::error::SnsError;

/// The XML namespace of answers.
pub(crate) const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
/// The most parameters of a form; the largest request has less than a thousand.
pub(crate) const MAX_PARAMETERS: usize = 5000;

/// A parameter that has to be there.
pub(crate) fn required<'p>(params: &'p Params, name: &'static str) -> Result<&'p str, SnsError> {
    params.get(name).ok_or(SnsError::MissingParameter(name))
}

/// A list of texts.
pub(crate) fn list(params: &Params, name: &str) -> Vec<String> {
    let members = params.members(&format!("{name}.member"));
    members
        .iter()
        .filter_map(|member| member.get("").map(str::to_owned))
        .collect()
}

/// A map of texts.
pub(crate) fn map(params: &Params, name: &str) -> BTreeMap<String, String> {
    let entries = params.members(&format!("{name}.entry"));
    let pair = |entry: &Params| {
        let value = entry.get("value").unwrap_or_default();
        Some((entry.get("key")?.to_owned(), value.to_owned()))
    };
    entries.iter().filter_map(pair).collect()
}

/// A list of tags.
pub(crate) fn tags(params: &Params) -> BTreeMap<String, String> {
    let members = params.members("Tags.member");
    let pair = |tag: &Params| {
        let value = tag.get("Value").unwrap_or_default();
        Some((tag.get("Key")?.to_owned(), value.to_owned()))
    };
    members.iter().filter_map(pair).collect()
}

/// Message attributes, in the order given.
pub(crate) fn message_attributes(params: &Params) -> Result<Vec<MessageAttribute>, SnsError> {
    let entries = params.members("MessageAttributes.entry");
    entries.iter().map(message_attribute).collect()
}

fn message_attribute(entry: &Params) -> Result<MessageAttribute, SnsError> {
    let name = entry.get("Name").unwrap_or_default();
    let wrong =
        |what: &str| SnsError::InvalidParameterValue(format!("The message attribute '{name}' {what}"));
    let data_type = entry
        .get("Value.DataType")
        .filter(|data_type| !data_type.is_empty())
        .ok_or_else(|| wrong("must contain non-empty message attribute type."))?;
    let (text, binary) = (entry.get("Value.StringValue"), entry.get("Value.BinaryValue"));
    let is_binary = data_type.split('.').next() == Some("Binary");
    let value = match (text, binary, is_binary) {
        (Some(text), None, false) => AttributeValue::Text(text.to_owned()),
        (None, Some(encoded), true) => {
            let bytes = STANDARD.decode(encoded);
            let bytes = bytes.map_err(|_not_base64| wrong("has a binary value that is not base64."))?;
            AttributeValue::Binary(bytes.into())
        }
        (None, None, _) => {
            return Err(wrong(&format!(
                "must contain non-empty message attribute value for message attribute type '{data_type}'."
            )));
        }
        _ => {
            return Err(wrong(&format!(
                "with type '{data_type}' must use field of that type."
            )));
        }
    };
    Ok(MessageAttribute {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        value,
    })
}

/// `<Name><member>…</member>…</Name>`
pub(crate) fn members(name: &str, members: impl Iterator<Item = String>) -> String {
    let inner: String = members
        .map(|member| format!("<member>{member}</member>"))
        .collect();
    format!("<{name}>{inner}</{name}>")
}

/// `<Attributes><entry><key>…</key><value>…</value></entry>…</Attributes>`
pub(crate) fn attributes<'a>(entries: impl Iterator<Item = (&'a str, String)>) -> String {
    let entry = |(key, value): (&str, String)| {
        let inner = xml_element("key", key) + &xml_element("value", &value);
        format!("<entry>{inner}</entry>")
    };
    let inner: String = entries.map(entry).collect();
    format!("<Attributes>{inner}</Attributes>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tradewind_wire::parse_query;

    fn params(form: &str) -> Params {
        parse_query("", form.as_bytes()).unwrap()
    }

    #[test]
    fn lists_maps_and_tags_are_read() {
        let params = params(
            "ActionName.member.1=Publish&ActionName.member.2=Subscribe&Attributes.entry.1.key=DisplayName\
             &Attributes.entry.1.value=Shop&Tags.member.1.Key=k&Tags.member.1.Value=v",
        );
        assert_eq!(list(&params, "ActionName"), ["Publish", "Subscribe"]);
        assert_eq!(map(&params, "Attributes")["DisplayName"], "Shop");
        assert_eq!(tags(&params)["k"], "v");
    }

    #[test]
    fn message_attributes_are_read() {
        let read = |form: &str| message_attributes(&params(form));
        let got = read(
            "MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=Number\
             &MessageAttributes.entry.1.Value.StringValue=5&MessageAttributes.entry.2.Name=b\
             &MessageAttributes.entry.2.Value.DataType=Binary&MessageAttributes.entry.2.Value.BinaryValue=AP8%3D",
        )
        .unwrap();
        assert_eq!(got[0].value, AttributeValue::Text("5".into()));
        assert_eq!(got[1].value, AttributeValue::Binary(vec![0, 255].into()));
        for wrong in [
            "MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.StringValue=5",
            "MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=String",
            "MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=Binary\
             &MessageAttributes.entry.1.Value.BinaryValue=!",
            "MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=Binary\
             &MessageAttributes.entry.1.Value.StringValue=x",
        ] {
            assert!(
                matches!(read(wrong), Err(SnsError::InvalidParameterValue(_))),
                "{wrong}"
            );
        }
    }
}
