//! The two protocols: awsJson 1.0 and the older query protocol, read into one JSON shape and
//! written from one.
//!
//! The query protocol flattens what JSON nests: lists and maps are numbered (`AttributeName.1`,
//! `Tag.1.Key`), and each has an element name of its own in XML. Both tables are here.

use serde_json::{Map, Value, json};
use tradewind_wire::{Params, escape_xml};

use crate::error::SqsError;

/// The XML namespace of answers.
pub(crate) const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";
/// The most parameters of a form; the largest request has less than five hundred.
const MAX_PARAMETERS: usize = 5000;

/// How the query protocol writes a member.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Integer,
    /// `Name.1=x`
    Texts,
    /// `Name.1.{key}=x&Name.1.Value=y`
    Map(&'static str),
    /// `Name.1.Name=x&Name.1.Value.DataType=String&…`
    MessageAttributes,
    /// `Name.1.{member}=…`
    Entries,
}

/// Name in forms, name in JSON, form.
#[rustfmt::skip]
const MEMBERS: &[(&str, &str, Form)] = &[
    ("AWSAccountId", "AWSAccountIds", Form::Texts),
    ("ActionName", "Actions", Form::Texts),
    ("Attribute", "Attributes", Form::Map("Name")),
    ("AttributeName", "AttributeNames", Form::Texts),
    ("ChangeMessageVisibilityBatchRequestEntry", "Entries", Form::Entries),
    ("DelaySeconds", "DelaySeconds", Form::Integer),
    ("DeleteMessageBatchRequestEntry", "Entries", Form::Entries),
    ("DestinationArn", "DestinationArn", Form::Text),
    ("Id", "Id", Form::Text),
    ("Label", "Label", Form::Text),
    ("MaxNumberOfMessages", "MaxNumberOfMessages", Form::Integer),
    ("MaxNumberOfMessagesPerSecond", "MaxNumberOfMessagesPerSecond", Form::Integer),
    ("MaxResults", "MaxResults", Form::Integer),
    ("MessageAttribute", "MessageAttributes", Form::MessageAttributes),
    ("MessageAttributeName", "MessageAttributeNames", Form::Texts),
    ("MessageBody", "MessageBody", Form::Text),
    ("MessageDeduplicationId", "MessageDeduplicationId", Form::Text),
    ("MessageGroupId", "MessageGroupId", Form::Text),
    ("MessageSystemAttribute", "MessageSystemAttributes", Form::MessageAttributes),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames", Form::Texts),
    ("NextToken", "NextToken", Form::Text),
    ("QueueName", "QueueName", Form::Text),
    ("QueueNamePrefix", "QueueNamePrefix", Form::Text),
    ("QueueOwnerAWSAccountId", "QueueOwnerAWSAccountId", Form::Text),
    ("QueueUrl", "QueueUrl", Form::Text),
    ("ReceiptHandle", "ReceiptHandle", Form::Text),
    ("ReceiveRequestAttemptId", "ReceiveRequestAttemptId", Form::Text),
    ("SendMessageBatchRequestEntry", "Entries", Form::Entries),
    ("SourceArn", "SourceArn", Form::Text),
    ("Tag", "Tags", Form::Map("Key")),
    ("TagKey", "TagKeys", Form::Texts),
    ("TaskHandle", "TaskHandle", Form::Text),
    ("VisibilityTimeout", "VisibilityTimeout", Form::Integer),
    ("WaitTimeSeconds", "WaitTimeSeconds", Form::Integer),
];

/// A form in the shape that the JSON protocol has.
pub(crate) fn from_form(params: &Params) -> Result<Value, SqsError> {
    if params.iter().nth(MAX_PARAMETERS).is_some() {
        return Err(SqsError::Malformed(format!(
            "a form has at most {MAX_PARAMETERS} parameters"
        )));
    }
    Ok(object(params, Depth::Request))
}

/// Entries have no entries: a name may be as long as a body, and must not lead as deep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Request,
    Entry,
}

fn object(params: &Params, depth: Depth) -> Value {
    let mut object = Map::new();
    let here = |form: &Form| depth == Depth::Request || !matches!(form, Form::Entries);
    for (name, member, form) in MEMBERS.iter().filter(|(_, _, form)| here(form)) {
        if let Some(value) = read(params, name, *form) {
            object.insert((*member).to_owned(), value);
        }
    }
    Value::Object(object)
}

fn read(params: &Params, name: &str, form: Form) -> Option<Value> {
    let text = || params.get(name).map(Value::from);
    let members = || Some(params.members(name)).filter(|members| !members.is_empty());
    match form {
        Form::Text => text(),
        Form::Integer => {
            let number = params.get(name)?.parse::<i64>();
            number.map(Value::from).ok().or_else(text)
        }
        Form::Texts => Some(members()?.iter().filter_map(|member| member.get("")).collect()),
        Form::Map(key) => {
            let pair = |member: &Params| Some((member.get(key)?.to_owned(), json!(member.get("Value")?)));
            Some(Value::Object(members()?.iter().filter_map(pair).collect()))
        }
        Form::MessageAttributes => Some(Value::Object(
            members()?.iter().filter_map(message_attribute).collect(),
        )),
        Form::Entries => Some(
            members()?
                .iter()
                .map(|entry| object(entry, Depth::Entry))
                .collect(),
        ),
    }
}

fn message_attribute(member: &Params) -> Option<(String, Value)> {
    let mut value = Map::new();
    for part in ["DataType", "StringValue", "BinaryValue"] {
        if let Some(text) = member.get(&format!("Value.{part}")) {
            value.insert(part.to_owned(), text.into());
        }
    }
    Some((member.get("Name")?.to_owned(), Value::Object(value)))
}

/// What stands between `<{action}Result>` and its end.
pub(crate) fn to_xml(action: &str, answer: &Value) -> String {
    let mut xml = String::new();
    write_members(&mut xml, action, answer);
    xml
}

fn write_members(xml: &mut String, action: &str, object: &Value) {
    let Value::Object(members) = object else { return };
    for (name, value) in members {
        write_member(xml, action, name, value);
    }
}

fn write_member(xml: &mut String, action: &str, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(list) => {
            let element = element_of(action, name);
            for member in list {
                element_with(xml, &element, |xml| write_value(xml, action, member));
            }
        }
        Value::Object(map) => {
            let (element, key) = match name {
                "Tags" => ("Tag", "Key"),
                "MessageAttributes" => ("MessageAttribute", "Name"),
                _ => ("Attribute", "Name"),
            };
            for (name, value) in map {
                element_with(xml, element, |xml| {
                    element_with(xml, key, |xml| xml.push_str(&escape_xml(name)));
                    element_with(xml, "Value", |xml| write_value(xml, action, value));
                });
            }
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            element_with(xml, name, |xml| write_value(xml, action, value));
        }
    }
}

fn write_value(xml: &mut String, action: &str, value: &Value) {
    match value {
        Value::String(text) => xml.push_str(&escape_xml(text)),
        Value::Object(_) => write_members(xml, action, value),
        Value::Null | Value::Array(_) => {}
        Value::Bool(_) | Value::Number(_) => xml.push_str(&value.to_string()),
    }
}

/// What a member of a list is called.
fn element_of(action: &str, list: &str) -> String {
    match list {
        "Messages" => "Message".into(),
        "QueueUrls" | "queueUrls" => "QueueUrl".into(),
        "Failed" => "BatchResultErrorEntry".into(),
        // `Successful` and `Results`
        _ => format!("{action}ResultEntry"),
    }
}

fn element_with(xml: &mut String, element: &str, content: impl FnOnce(&mut String)) {
    xml.extend(["<", element, ">"]);
    content(xml);
    xml.extend(["</", element, ">"]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tradewind_wire::parse_query;

    fn form(text: &str) -> Value {
        from_form(&parse_query("", text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn forms_take_the_shape_of_json() {
        let value = form(
            "Action=SendMessageBatch&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2F1%2Fq\
             &SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.2.MessageBody=two\
             &SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=one\
             &SendMessageBatchRequestEntry.1.DelaySeconds=5\
             &SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n\
             &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String\
             &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=v",
        );
        let expected = json!({"QueueUrl": "http://h/1/q", "Entries": [
            {"DelaySeconds": 5, "Id": "a", "MessageAttributes": {"n": {"DataType": "String", "StringValue": "v"}},
             "MessageBody": "one"},
            {"Id": "b", "MessageBody": "two"},
        ]});
        assert_eq!(value, expected);
    }

    #[test]
    fn a_long_name_leads_no_deeper_than_an_entry() {
        let deep = "SendMessageBatchRequestEntry.1.".repeat(20_000);
        assert_eq!(form(&format!("{deep}Id=a")), json!({"Entries": [{}]}));
    }

    #[test]
    fn maps_and_lists_are_read() {
        let value = form(
            "Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Tag.1.Key=k&Tag.1.Value=v\
             &AttributeName.1=All&AttributeName.2=Policy&DelaySeconds=x",
        );
        let expected = json!({"Attributes": {"DelaySeconds": "5"}, "AttributeNames": ["All", "Policy"],
                              "Tags": {"k": "v"}, "DelaySeconds": "x"});
        assert_eq!(value, expected);
    }

    #[test]
    fn forms_of_too_many_parameters_are_refused() {
        let params = parse_query("", "a&".repeat(MAX_PARAMETERS + 1).as_bytes()).unwrap();
        assert!(matches!(from_form(&params), Err(SqsError::Malformed(_))));
    }

    #[test]
    fn answers_are_flattened() {
        let answer = json!({"Messages": [{"Body": "a<b\r", "Attributes": {"SenderId": "x"},
            "MessageAttributes": {"n": {"DataType": "String", "StringValue": "v"}}}]});
        let expected = "<Message><Body>a&lt;b&#13;</Body><Attribute><Name>SenderId</Name><Value>x</Value></Attribute>\
            <MessageAttribute><Name>n</Name><Value><DataType>String</DataType><StringValue>v</StringValue></Value>\
            </MessageAttribute></Message>";
        assert_eq!(to_xml("ReceiveMessage", &answer), expected);
        let batch = json!({"Successful": [{"Id": "a"}], "Failed": [{"Id": "b", "SenderFault": true}]});
        let expected = "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>\
            <BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault></BatchResultErrorEntry>";
        assert_eq!(to_xml("DeleteMessageBatch", &batch), expected);
        let urls = json!({"QueueUrls": ["u", "v"], "Tags": {"k": "v"}, "NextToken": null});
        let expected = "<QueueUrl>u</QueueUrl><QueueUrl>v</QueueUrl><Tag><Key>k</Key><Value>v</Value></Tag>";
        assert_eq!(to_xml("ListQueues", &urls), expected);
    }

    proptest::proptest! {
        /// Whatever a form says, it is read or refused, and never larger than it was.
        #[test]
        fn no_form_makes_it_panic(form in "([A-Za-z.]{0,12}[0-9.]{0,6}(Name|Value|Id|Key)?=[a-z%0-9&]{0,8}&){0,12}") {
            if let Ok(params) = parse_query("", form.as_bytes()) {
                let value = from_form(&params).unwrap();
                proptest::prop_assert!(to_xml("SendMessageBatch", &value).is_ascii());
            }
        }
    }
}
