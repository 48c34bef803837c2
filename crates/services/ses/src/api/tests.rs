//! Both APIs, as a client and as the relay see them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tradewind_model::resource::{Properties, ResourceContext, ResourceError};

use crate::testing::World;

const IDENTITIES: &str = "/v2/email/identities";

fn simple(from: &str, to: &[&str]) -> Value {
    json!({
        "FromEmailAddress": from, "Destination": {"ToAddresses": to},
        "Content": {"Simple": {"Subject": {"Data": "Order 5"}, "Body": {"Text": {"Data": "paid"}}}},
    })
}

async fn with_identity(name: &str) -> World {
    let world = World::new().await;
    let (status, answer) = world
        .call("POST", IDENTITIES, json!({"EmailIdentity": name}))
        .await;
    assert_eq!(
        (status, &answer["VerifiedForSendingStatus"]),
        (200, &json!(true)),
        "{answer}"
    );
    world
}

#[tokio::test]
async fn each_recipient_gets_the_mail_and_a_refused_one_keeps_nobody_from_it() {
    let mut world = with_identity("example.com").await;
    let mut mail = simple(
        "Shop <shop@example.com>",
        &["ann@example.org", "refused@example.org"],
    );
    mail["Destination"]["BccAddresses"] = json!(["hidden@example.org"]);
    let id = world.send(mail).await;
    assert_eq!(world.relay.count(), 0, "it is owed");
    world.restart().await;
    world.deliver();
    let mails = world.relay.wait_for(2).await;
    let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["ann@example.org", "hidden@example.org"]);
    for mail in &mails {
        assert_eq!(mail.from, "shop@example.com");
        assert!(
            mail.content.contains(&format!("Message-ID: <{id}@example.com>")),
            "{}",
            mail.content
        );
        assert!(
            mail.content.contains("To: ann@example.org, refused@example.org"),
            "{}",
            mail.content
        );
        assert!(!mail.content.contains("hidden"), "{}", mail.content);
    }
}

#[tokio::test]
async fn a_raw_mail_goes_as_it_is() {
    let mut world = with_identity("shop@example.com").await;
    let raw = "From: Shop <shop@example.com>\nTo: ann@example.org\nSubject: x\nContent-Type: text/x-own\n\n.dot\nend\n";
    let content = json!({"Content": {"Raw": {"Data": STANDARD.encode(raw)}}});
    world.send(content).await;
    world.deliver();
    let mails = world.relay.wait_for(1).await;
    assert_eq!(mails[0].to, "ann@example.org");
    let tail = "Subject: x\r\nContent-Type: text/x-own\r\n\r\n..dot\r\nend\r\n";
    assert!(mails[0].content.ends_with(tail), "{}", mails[0].content);
}

#[tokio::test]
async fn who_is_no_identity_does_not_send() {
    let world = with_identity("example.com").await;
    world
        .send(simple("anyone@mail.example.com", &["a@example.org"]))
        .await;
    world
        .send(simple("Node <node@example.com>", &["a@example.org"]))
        .await;
    let refused = world
        .refused(simple("evil@example.net", &["a@example.org"]))
        .await;
    assert_eq!(
        refused,
        "Email address is not verified. The following identities failed the check in region US-EAST-1: evil@example.net"
    );
    let raw = STANDARD.encode("From: evil@example.net\nTo: a@example.org\n\nx");
    let disguised = json!({"FromEmailAddress": "a@example.com", "Content": {"Raw": {"Data": raw}}});
    assert!(world.refused(disguised).await.contains("evil@example.net"));
    let mut elsewhere = simple("a@example.com", &["a@example.org"]);
    elsewhere["FeedbackForwardingEmailAddress"] = json!("victim@example.net");
    assert!(
        world
            .refused(elsewhere.clone())
            .await
            .contains("victim@example.net")
    );
    elsewhere["FeedbackForwardingEmailAddress"] = json!("bounces@example.com");
    world.send(elsewhere).await;
    let raw = STANDARD.encode("From: a@example.com\nSender: evil@example.net\nTo: a@example.org\n\nx");
    let sent_by = json!({"Content": {"Raw": {"Data": raw}}});
    assert!(world.refused(sent_by).await.contains("evil@example.net"));
    let query = "Action=SendEmail&Source=a%40example.com&ReturnPath=victim%40example.net\
                 &Destination.ToAddresses.member.1=b%40example.org&Message.Subject.Data=x&Message.Body.Text.Data=y";
    let (status, answer) = world.query(query).await;
    assert!(status == 400 && answer.contains("MessageRejected"), "{answer}");
    let (status, _) = world
        .call("DELETE", "/v2/email/identities/example.com", json!({}))
        .await;
    assert_eq!(status, 200);
    world
        .refused(simple("anyone@mail.example.com", &["a@example.org"]))
        .await;
    world.send(simple("node@example.com", &["a@example.org"])).await;
}

#[tokio::test]
async fn without_a_relay_nothing_is_taken() {
    let world = World::mute().await;
    world
        .call("POST", IDENTITIES, json!({"EmailIdentity": "example.com"}))
        .await;
    let mail = simple("a@example.com", &["a@example.org"]);
    let (status, answer) = world.call("POST", "/v2/email/outbound-emails", mail).await;
    assert_eq!(
        (status, &answer["message"]),
        (
            400,
            &json!("this node has no mail relay; start it with --smtp-relay and --smtp-sender")
        )
    );
    let query = "Action=SendEmail&Version=2010-12-01&Source=a%40example.com&Destination.ToAddresses.member.1=b%40example.org\
                 &Message.Subject.Data=x&Message.Body.Text.Data=y";
    let (status, answer) = world.query(query).await;
    assert!(
        status == 400 && answer.contains("AccountSendingPausedException"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_not_honoured_is_refused_by_name() {
    let world = with_identity("example.com").await;
    let with = |member: &str, value: Value| {
        let mut mail = simple("a@example.com", &["b@example.org"]);
        mail[member] = value;
        mail
    };
    for (mail, text) in [
        (with("ConfigurationSetName", json!("c")), "ConfigurationSetName"),
        (
            with("EmailTags", json!([{"Name": "a", "Value": "b"}])),
            "EmailTags",
        ),
        (
            with("ListManagementOptions", json!({"ContactListName": "x"})),
            "ListManagementOptions",
        ),
        (
            with("Content", json!({"Template": {"TemplateName": "t"}})),
            "Template",
        ),
        (
            with(
                "Content",
                json!({"Simple": {"Subject": {"Data": "x"}, "Body": {}}}),
            ),
            "neither Text nor Html",
        ),
        (with("Content", Value::Null), "Content is required"),
        (with("Destination", json!({})), "Destination is required"),
        (
            with("Destination", json!({"ToAddresses": ["nobody"]})),
            "Illegal address: `nobody`",
        ),
        (
            with("Destination", json!({"CcAddresses": vec!["a@b.example"; 51]})),
            "Recipient count exceeds 50.",
        ),
        (
            with("ReplyToAddresses", json!(["x\r\nBcc: a@b.example"])),
            "Illegal address",
        ),
    ] {
        let refused = world.refused(mail).await;
        assert!(refused.contains(text), "{text}: {refused}");
    }
    world.send(with("EmailTags", json!([]))).await;
    let (status, answer) = world
        .call("POST", "/v2/email/outbound-bulk-emails", json!({}))
        .await;
    assert!(
        status == 501 && answer["message"].as_str().unwrap().contains("SendBulkEmail"),
        "{answer}"
    );
    assert_eq!(world.call("GET", "/v2/email/nothing", json!({})).await.0, 404);
}

#[tokio::test]
async fn identities_are_recorded_listed_and_removed() {
    let mut world = with_identity("b@example.com").await;
    let tagged = json!({"EmailIdentity": "Example.ORG", "Tags": [{"Key": "k", "Value": "v"}]});
    world.call("POST", IDENTITIES, tagged.clone()).await;
    let (status, answer) = world.call("POST", IDENTITIES, tagged).await;
    assert_eq!(
        (status, &answer["message"]),
        (400, &json!("Email identity example.org already exist."))
    );
    world.restart().await;
    let (_, found) = world
        .call("GET", "/v2/email/identities/example.org", json!({}))
        .await;
    assert_eq!(
        (&found["IdentityType"], &found["Tags"][0]["Value"]),
        (&json!("DOMAIN"), &json!("v"))
    );
    let (_, page) = world
        .call("POST", "/v2/email/list-identities", json!({"PageSize": 1}))
        .await;
    assert_eq!(page["EmailIdentities"][0]["IdentityName"], "b@example.com");
    let next = json!({"PageSize": 1, "NextToken": page["NextToken"]});
    let (_, page) = world.call("POST", "/v2/email/list-identities", next).await;
    assert_eq!(page["EmailIdentities"][0]["IdentityName"], "example.org");
    assert!(page.get("NextToken").is_none());
    let path = "/v2/email/identities/b%40example.com";
    assert_eq!(world.call("DELETE", path, json!({})).await.0, 200);
    let (status, answer) = world.call("GET", path, json!({})).await;
    assert_eq!(
        (status, &answer["message"]),
        (404, &json!("Email identity b@example.com does not exist."))
    );
    for name in ["nobody", ""] {
        assert_eq!(
            world
                .call("POST", IDENTITIES, json!({"EmailIdentity": name}))
                .await
                .0,
            400
        );
    }
}

#[tokio::test]
async fn the_query_api_does_the_same() {
    let mut world = World::new().await;
    let (status, answer) = world
        .query("Action=VerifyEmailIdentity&EmailAddress=shop%40example.com")
        .await;
    assert!(
        status == 200 && answer.contains("<VerifyEmailIdentityResult>"),
        "{answer}"
    );
    let (_, answer) = world
        .query("Action=ListIdentities&IdentityType=EmailAddress")
        .await;
    assert!(
        answer.contains("<Identities><member>shop@example.com</member></Identities>"),
        "{answer}"
    );
    let send = "Action=SendEmail&Source=shop%40example.com&Destination.ToAddresses.member.1=one%40example.org\
                &Message.Subject.Data=Hello&Message.Body.Html.Data=%3Cb%3Ehi%3C%2Fb%3E";
    let (status, answer) = world.query(send).await;
    assert!(status == 200 && answer.contains("<MessageId>"), "{answer}");
    let raw = STANDARD
        .encode("From: shop@example.com\nSubject: raw\n\nx")
        .replace('=', "%3D")
        .replace('+', "%2B");
    let send = format!("Action=SendRawEmail&Destinations.member.1=two%40example.org&RawMessage.Data={raw}");
    let (status, answer) = world.query(&send).await;
    assert_eq!(status, 200, "{answer}");
    world.deliver();
    let mails = world.relay.wait_for(2).await;
    assert!(
        mails[0].content.contains("text/html") && mails[0].content.contains("<b>hi</b>"),
        "{mails:?}"
    );
    assert!(
        mails[1].to == "two@example.org" && mails[1].content.contains("Subject: raw"),
        "{mails:?}"
    );
    let (status, answer) = world.query("Action=SendTemplatedEmail").await;
    assert!(status == 501 && answer.contains("SendTemplatedEmail"), "{answer}");
    assert!(world.query("Action=Nothing").await.1.contains("InvalidAction"));
    let (status, answer) = world.query("Action=SendEmail&ConfigurationSetName=c").await;
    assert!(
        status == 400 && answer.contains("ConfigurationSetName"),
        "{answer}"
    );
    assert_eq!(
        world
            .query("Action=DeleteIdentity&Identity=shop%40example.com")
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn a_stack_has_its_identity() {
    let world = World::new().await;
    let identities = world.service.resource_types().remove(0);
    let context = ResourceContext::for_tests("Sender");
    let given: Properties = json!({"EmailIdentity": "Example.com"})
        .as_object()
        .unwrap()
        .clone();
    let made = identities.create(&context, &given).await.unwrap();
    assert_eq!(made.physical_id, "example.com");
    assert_eq!(
        identities.create(&context, &given).await.unwrap(),
        made,
        "as after a crash"
    );
    let other = ResourceContext::for_tests("Other");
    let taken = identities.create(&other, &given).await;
    assert!(
        matches!(taken, Err(ResourceError::AlreadyExists { .. })),
        "{taken:?}"
    );
    identities.delete(&other, &made).await.unwrap();
    world.send(simple("a@example.com", &["b@example.org"])).await;
    for _ in 0..2 {
        identities.delete(&context, &made).await.unwrap();
    }
    world.refused(simple("a@example.com", &["b@example.org"])).await;
    let refused: Properties = json!({"EmailIdentity": "a.example", "DkimAttributes": {}})
        .as_object()
        .unwrap()
        .clone();
    assert_eq!(identities.check(&refused).len(), 1);
}

#[tokio::test]
async fn mails_wait_for_room_to_be_stored_in() {
    let world = with_identity("example.com").await;
    let storing = world.service.storing();
    let all = u32::try_from(storing.available_permits()).unwrap();
    let room = storing.acquire_many(all).await.unwrap();
    let mut sending = Box::pin(world.send(simple("a@example.com", &["b@example.org"])));
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut sending).await;
    assert!(early.is_err(), "there is no room");
    drop(room);
    sending.await;
    assert_eq!(storing.available_permits(), all as usize);
}
