//! Golden bytes: the input of a tenant's digest.
//!
//! The store keeps the digest of every tenant. If a build computes another digest for the same manifests,
//! every tenant counts as changed in git at once: the run guard then holds the whole fleet, and tenants
//! wait for waves and change windows although no manifest changed. A field in another position, with
//! another name, or written with its default is enough for that. If one of these tests fails, change the
//! code and not the test: docs/decisions/0014-what-a-golden-byte-protects.md.

use std::path::Path;

use super::*;

/// Organizations of the `webchat` dialect: a layer, windows, replicas, ignore rules, a field that must be
/// absent.
const HARBOUR: &[&str] = &[
    r#"[{"name":"harbour","#,
    r#""primary":{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour"},"#,
    r#""replicas":[{"organization":"00000000-0000-4000-8000-000000000002","region":"eu-central-1","credentials":"harbour-de"},"#,
    r#"{"organization":"00000000-0000-4000-8000-000000000003","region":"us-east-1","credentials":"harbour"}],"#,
    r#""mode":"enforce","wave":2,"#,
    r#""windows":[{"days":[1,5],"start_min":540,"end_min":1050,"time_zone":"Europe/Dublin"},"#,
    r#"{"days":[1,2,3,4,5,6,7],"start_min":1320,"end_min":120,"time_zone":"Europe/Berlin"}],"#,
    r#""ignore":[{"field":"greetings.delayMs","until":"2026-12-24"},{"field":"features","until":"2026-01-31"}],"#,
    r#""protected":true,"owners":["web@harbour.example","help@harbour.example"]},true]"#,
    r##"{"widget":{"theme":{"colors":{"primary":"#0B3D91","background":"#FFFFFF"},"##,
    r#""typography":{"fontSize":"16px","fontFamily":"Inter, sans-serif"}},"#,
    r#""accessibility":{"wcagLevel":"AA","ariaLiveRegion":"polite","contrastRatio":10.04}},"#,
    r#""greetings":{"enabled":true,"messages":["Welcome to Harbour – how can we help?","Fáilte"],"delayMs":1500},"#,
    r#""availability":{"schedule":"custom","rules":[{"dayOfWeek":"FRIDAY","startTime":"09:00","endTime":"17:30"}]},"#,
    r#""features":{"flags":{"enableEmoji":false,"enableFileUpload":true},"audiences":["guests"],"dynamicRouting":null}}"#,
];

/// The settings of a tenant of the `cloud` dialect; the text of each object begins with them.
const ACME: &str = concat!(
    r#"[{"name":"acme","dialect":"cloud","#,
    r#""primary":{"organization":"00000000-0000-4000-8000-000000000101","region":"eu-central-1","credentials":"acme"},"#,
    r#""replicas":[{"organization":"00000000-0000-4000-8000-000000000102","region":"us-east-1","credentials":"acme-us"}],"#,
    r#""mode":"watch","wave":0,"windows":[],"ignore":[],"protected":false,"owners":[]},"#,
);

/// Its objects in order of dependency, one with a secret.
const ACME_OBJECTS: &[&str] = &[
    ACME,
    r#"false,{"kind":"OpenMessagingIntegration","name":"Acme app"},"acme-webhook"]"#,
    r#"{"outboundNotificationWebhookUrl":"https://hooks.acme.example/genesys","#,
    r#""webhookHeaders":{"X-Team":"chat"},"supportedContent":{"name":"Default"}}"#,
    ACME,
    r#"false,{"kind":"MessengerConfiguration","name":"Acme web"},null]"#,
    r#"{"description":"The messenger of acme.example.","languages":["en-us","de-de"],"defaultLanguage":"en-us","#,
    r##""messenger":{"enabled":true,"styles":{"primaryColor":"#0B3D91"},"##,
    r#""apps":{"conversations":{"enabled":true,"conversationDisconnect":{"enabled":true,"type":"Send"}},"#,
    r#""knowledge":{"enabled":true,"knowledgeBase":{"name":"Help center"}}}},"#,
    r#""position":{"alignment":"Auto","sideSpace":20,"bottomSpace":12}}"#,
    ACME,
    r#"false,{"kind":"MessengerDeployment","name":"Acme shop"},null]"#,
    r#"{"configuration":{"name":"Acme web"},"flow":{"name":"Inbound messages"},"#,
    r#""allowAllDomains":false,"allowedDomains":["shop.acme.example"],"status":"Active"}"#,
];

#[test]
fn the_digest_of_a_tenant_stays_as_stores_have_it() {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    let source = Source::folder(&manifests);
    let snapshot = source.snapshot("folder").unwrap();
    let (_, tenants) = read(&source, snapshot, Date::constant(2026, 11, 20)).unwrap();
    let golden = [
        ("acme", ACME_OBJECTS, "sha256:278810f779d439650ccc6fb55a2bc46fda003243ed1563ad4660170d9f6a639b"),
        ("harbour", HARBOUR, "sha256:6854388499dd80eca4d8f18a6a0483e66c60be4693893040808fa4ca94cd2e96"),
    ];
    assert_eq!(tenants.count(), golden.len());
    for (name, text, digest) in golden {
        assert_eq!(
            json::digest_bytes(text.concat().as_bytes()),
            digest,
            "{name}: the text that is pinned here"
        );
        let known = tenants.get(&TenantName::new(name)).unwrap();
        assert_eq!((known.invalid.as_deref(), known.digest.as_deref()), (None, Some(digest)), "{name}");
    }
}

/// The day decides only which fields are ignored and which findings there are.
#[test]
fn the_digest_of_a_tenant_is_the_same_on_every_day() {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    let source = Source::folder(&manifests);
    let digests = |today: Date| {
        let (_, tenants) = read(&source, source.snapshot("folder").unwrap(), today).unwrap();
        tenants.iter().map(|known| known.digest.clone()).collect::<Vec<_>>()
    };
    assert_eq!(digests(Date::constant(2026, 1, 1)), digests(Date::constant(2027, 1, 1)));
}
