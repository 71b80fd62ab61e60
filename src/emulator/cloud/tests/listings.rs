//! Tests of listings: three styles of paging, filters, and objects that the API only lists.

use super::{BASE, created, delete, rig, settings};
use crate::emulator::fixture::{Rig, body};
use serde_json::{Value, json};

/// Follows `nextUri` to the end and returns the names.
fn names(rig: &mut Rig, target: &str) -> Vec<String> {
    let (mut found, mut next) = (Vec::new(), Some(target.to_owned()));
    while let Some(target) = next {
        let page = body(&rig.get(&target));
        let entities = page["entities"].as_array().unwrap();
        found.extend(entities.iter().map(|entity| entity["name"].as_str().unwrap().to_owned()));
        next = page["nextUri"].as_str().map(str::to_owned);
        assert!(found.len() < 50);
    }
    found
}

#[test]
fn pages_are_followed_to_the_end() {
    let mut rig = rig();
    for name in ["A", "B", "C"] {
        created(&mut rig, name);
    }
    settings(&mut rig, &json!({"pageSizeMax": 2}));
    assert_eq!(names(&mut rig, &format!("{BASE}/configurations")), ["Website", "A", "B", "C"]);
    assert_eq!(names(&mut rig, &format!("{BASE}/configurations?showOnlyPublished=true")), ["Website"]);
    assert_eq!(names(&mut rig, "/api/v2/flows?pageSize=100"), ["Inbound", "Unpublished", "Voice"]);
    assert_eq!(names(&mut rig, &format!("{BASE}/configurations/conf/versions")), ["Website"; 3]);
}

#[test]
fn a_listing_tolerates_changes_between_its_pages() {
    let mut rig = rig();
    let first = created(&mut rig, "A");
    created(&mut rig, "B");
    let page = body(&rig.get(&format!("{BASE}/configurations?pageSize=2")));
    delete(&mut rig, &format!("{BASE}/configurations/{first}"));
    created(&mut rig, "C");
    assert_eq!(names(&mut rig, page["nextUri"].as_str().unwrap()), ["B", "C"]);
}

#[test]
fn listings_are_filtered() {
    let mut rig = rig();
    for (target, expected) in [
        ("/api/v2/flows?name=inbound", vec!["Inbound"]),
        ("/api/v2/flows?name=*o*", vec!["Inbound", "Voice"]),
        ("/api/v2/flows?type=inboundshortmessage", vec!["Inbound", "Unpublished"]),
        ("/api/v2/flows?type=inboundcall,bot", vec!["Voice"]),
        ("/api/v2/flows?name=unknown", vec![]),
        ("/api/v2/knowledge/knowledgebases?name=help", vec!["Help"]),
        ("/api/v2/knowledge/knowledgebases?published=false", vec![]),
        ("/api/v2/integrations?integrationType=push-fcm", vec!["Phones"]),
        ("/api/v2/integrations?ids=i1,x", vec!["Login"]),
        ("/api/v2/messaging/supportedcontent", vec!["Pictures"]),
        ("/api/v2/conversations/messaging/settings", vec!["Typing"]),
    ] {
        assert_eq!(names(&mut rig, target), expected, "{target}");
    }
    for (target, name) in [
        ("/api/v2/flows/f2", "Unpublished"),
        ("/api/v2/knowledge/knowledgebases/k1", "Help"),
        ("/api/v2/conversations/messaging/supportedcontent/s1", "Pictures"),
        ("/api/v2/integrations/p1", "Phones"),
    ] {
        assert_eq!(body(&rig.get(target))["name"], json!(name));
    }
    assert_eq!(body(&rig.get("/api/v2/flows/f2"))["publishedVersion"], Value::Null);
}

#[test]
fn deployments_are_listed_with_the_requested_fields() {
    let mut rig = rig();
    let plain = body(&rig.get(&format!("{BASE}/deployments")));
    assert_eq!(plain["entities"][0]["configuration"]["description"], Value::Null);
    let expanded = body(&rig.get(&format!("{BASE}/deployments?expand=Configuration,SupportedContent")));
    assert_eq!(expanded["entities"][0]["configuration"]["description"], json!("one"));
    let detailed = body(&rig.get(&format!("{BASE}/deployments/dep?expand=flowDetails")));
    assert_eq!(detailed["flow"]["publishVersion"]["id"], json!("1.0"));
}

#[test]
fn clients_create_and_delete_knowledge_bases() {
    const KNOWLEDGE: &str = "/api/v2/knowledge/knowledgebases";
    let mut rig = rig();
    for (sent, field) in [(json!({"name": "n"}), "coreLanguage"), (json!({"coreLanguage": "en-US"}), "name")]
    {
        let refused = rig.post(KNOWLEDGE, &sent);
        assert_eq!((refused.status, &body(&refused)["details"][0]["fieldName"]), (400, &json!(field)));
    }
    let made = body(&rig.post(KNOWLEDGE, &json!({"name": "New", "coreLanguage": "de-DE", "id": "mine"})));
    let target = format!("{KNOWLEDGE}/{}", made["id"].as_str().unwrap());
    assert_eq!((&made["published"], &made["dateCreated"]), (&json!(false), &json!("2026-03-01T00:00:00Z")));
    assert_eq!(
        (body(&rig.get(&target)), names(&mut rig, KNOWLEDGE)),
        (made.clone(), vec!["Help".to_owned(), "New".to_owned()])
    );
    let deleted = rig.call("DELETE", &target, &[], &serde_json::Value::Null);
    assert_eq!((deleted.status, body(&deleted)), (200, made));
    assert_eq!(rig.get(&target).status, 404);
    assert_eq!(rig.call("DELETE", &target, &[], &serde_json::Value::Null).status, 404);
}

#[test]
fn products_are_counted() {
    let listed = body(&rig().get("/api/v2/authorization/products"));
    assert_eq!(listed["total"].as_u64(), listed["entities"].as_array().map(|entities| entities.len() as u64));
    assert!(listed["entities"].as_array().unwrap().contains(&json!({"id": "messagingPlatform"})));
}
