//! Tests of requests and answers of the public API, case by case.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::model::ObjectKind;
use crate::model::{CredentialsName, Dialect, Object, OrganizationId, Outcome, Readiness, Region, Stored};
use crate::platform::operation::Response;

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn target(kind: ObjectKind) -> Target {
    Target {
        organization: OrganizationId::new("o-1"),
        region: Region::EuCentral1,
        credentials: CredentialsName::new("c"),
        object: Object { kind, name: "Acme web".into() },
    }
}

fn write_of(kind: ObjectKind) -> Write {
    let (deadline, body) = (jiff::Timestamp::MAX, Arc::default());
    Write { target: target(kind), if_match: None, body, deadline, act: Act::Store, id: None, secret: None }
}

fn response(status: u16, body: &Value) -> Response {
    Response {
        status,
        request_id: None,
        retry_after_ms: None,
        location: None,
        date: None,
        allowed_per_minute: None,
        is_json: true,
        body: body.to_string().into_bytes(),
        subject: "it".into(),
    }
}

#[test]
fn each_step_has_its_request() {
    let of = |kind, act, id: Option<&str>| {
        let write = Write {
            target: target(kind),
            if_match: Some(3),
            body: Arc::new(map(json!({"x": 1}))),
            deadline: jiff::Timestamp::UNIX_EPOCH,
            act,
            id: id.map(Into::into),
            secret: None,
        };
        super::write(&write, Some("s3cret")).unwrap()
    };
    use ObjectKind::{MessengerConfiguration, MessengerDeployment, OpenMessagingIntegration};
    let table = [
        (MessengerConfiguration, Act::Store, None, "POST api/v2/webdeployments/configurations", true),
        (
            MessengerConfiguration,
            Act::Store,
            Some("a/b"),
            "PUT api/v2/webdeployments/configurations/a%2Fb/versions/draft",
            true,
        ),
        (
            MessengerConfiguration,
            Act::Publish,
            Some("c"),
            "POST api/v2/webdeployments/configurations/c/versions/draft/publish",
            false,
        ),
        (MessengerDeployment, Act::Store, None, "POST api/v2/webdeployments/deployments", true),
        (MessengerDeployment, Act::Store, Some("d"), "PUT api/v2/webdeployments/deployments/d", true),
        (
            OpenMessagingIntegration,
            Act::Store,
            None,
            "POST api/v2/conversations/messaging/integrations/open",
            true,
        ),
        (
            OpenMessagingIntegration,
            Act::Store,
            Some("i"),
            "PATCH api/v2/conversations/messaging/integrations/open/i",
            true,
        ),
    ];
    for (kind, act, id, expected, with_body) in table {
        let operation = of(kind, act, id);
        assert_eq!(format!("{} {}", operation.verb.method(), operation.path), expected);
        assert_eq!((operation.if_match, operation.dialect), (None, Dialect::Cloud), "{expected}");
        assert!(operation.verb.mutates(), "{expected}");
        let body: Option<Value> = operation.body.map(|body| serde_json::from_slice(&body).unwrap());
        assert_eq!(body.is_some(), with_body, "{expected}");
        let Some(body) = body else { continue };
        assert_eq!((&body["name"], &body["x"]), (&json!("Acme web"), &json!(1)), "{expected}");
        let secret = body.get("outboundNotificationWebhookSignatureSecretToken");
        assert_eq!(secret.is_some(), kind == OpenMessagingIntegration, "{expected}");
    }
}

#[test]
fn each_answer_has_one_outcome() {
    let draft = json!({"id": "c-1", "name": "Acme web", "version": "DRAFT", "status": "Pending", "dateModified": "2026-11-20T10:00:00Z"});
    let feature = json!({"message": "no", "details": [{"errorCode": "feature is not yet implemented", "fieldName": "video"}]});
    let table: [(u16, Value, &str); 17] = [
        (200, draft.clone(), "Accepted"),
        (201, draft, "Accepted"),
        // Accepted, but unreadable: the same as a lost answer.
        (200, json!([]), "Unknown"),
        (200, json!({"name": "without an id"}), "Unknown"),
        (400, json!({"message": "bad"}), "Rejected"),
        (400, feature.clone(), "Denied"),
        (403, feature, "Denied"),
        (401, json!({}), "Denied"),
        (403, json!({}), "Denied"),
        (404, json!({}), "NotFound"),
        (408, json!({}), "Unknown"),
        (409, json!({}), "Conflict"),
        (410, json!({}), "NotFound"),
        (429, json!({}), "Throttled"),
        (500, json!({}), "Failed"),
        (502, json!({}), "Unknown"),
        (302, json!({}), "Unknown"),
    ];
    for (status, body, expected) in table {
        let outcome = answer(&write_of(ObjectKind::MessengerConfiguration), &response(status, &body));
        assert!(format!("{outcome:?}").starts_with(expected), "{status} {body}: {outcome:?}");
        if let Outcome::Denied(fault) = &outcome {
            // The fault is in the object and not in the client, whatever the status.
            let of_feature = body["details"][0]["fieldName"] == "video";
            assert_eq!(of_feature, fault.kind == FaultKind::Rejected, "{status} {body}");
            let reported =
                fault.message.contains("`video`") && fault.message.contains("does not have this feature");
            assert_eq!(of_feature, reported, "{status} {body}");
        }
    }
}

#[test]
fn a_body_has_manageable_and_unknown_fields() {
    let entity = map(json!({
        "id": "d-1", "name": "site", "selfUri": "/x", "snippet": "<script>", "status": "Active",
        "dateCreated": "2026-01-01T00:00:00Z", "dateModified": "2026-01-02T00:00:00.250Z",
        "lastModifiedUser": {"id": "u-1", "selfUri": "/u"},
        "configuration": {"id": "c-1", "version": "4", "name": "web", "selfUri": "/c", "messenger": {"enabled": true}},
        "flow": {"id": "f-1", "name": "Inbound", "selfUri": "/f"},
        "allowAllDomains": true, "invented": {"later": [1], "selfUri": "/gone"},
    }));
    let stored = wire::unversioned(ObjectKind::MessengerDeployment, &entity, None).unwrap();
    let expected = map(json!({
        "status": "Active", "configuration": {"id": "c-1", "version": "4"}, "flow": {"id": "f-1"},
        "allowAllDomains": true, "invented": {"later": [1]},
    }));
    assert_eq!(*stored.body, expected);
    assert_eq!(stored.version, 1_767_312_000_250, "the moment of the last change");
    assert_eq!(stored.modified_by.unwrap().id, "u-1");
}

#[test]
fn a_configuration_is_its_newest_version_and_a_draft_that_differs() {
    let version = |number: &str, colour: &str, status: &str| {
        map(
            json!({"id": "c-1", "name": "web", "version": number, "status": status, "colour": colour, "dateModified": "2026-01-02T00:00:00Z"}),
        )
    };
    let of = |newest: Option<Map<String, Value>>, draft: Map<String, Value>| -> Stored {
        wire::drafted(ObjectKind::MessengerConfiguration, newest.as_ref(), &draft).unwrap()
    };
    let draft = |colour, status| version("DRAFT", colour, status);
    let known = of(Some(version("7", "red", "Active")), draft("red", "Active"));
    assert_eq!((known.version, known.draft().is_none()), (7, true));
    let unpublished = of(Some(version("7", "red", "Active")), draft("blue", "Active"));
    assert_eq!(unpublished.draft().unwrap().body["colour"], json!("blue"));
    let fresh = of(None, draft("red", "Active"));
    assert_eq!((fresh.version, fresh.body.len(), fresh.draft().is_some()), (0, 0, true));
    for (newest, drafted, expected) in [
        ("Active", "Active", Readiness::Ready),
        ("Pending", "Active", Readiness::Pending),
        ("Active", "Pending", Readiness::Pending),
        ("Active", "Error", Readiness::Failed("Error".into())),
    ] {
        let known = of(Some(version("7", "red", newest)), draft("red", drafted));
        assert_eq!(known.instance.unwrap().readiness, expected, "{newest} {drafted}");
    }
    // An invalid number is no version.
    for odd in ["DRAFT", "0", "-1", "1.5", "", "99999999999999999999999"] {
        assert_eq!(wire::number(&version(odd, "red", "Active")), None, "{odd}");
    }
}
