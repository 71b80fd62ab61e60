//! Golden bytes: the texts that the store holds.
//!
//! A build reads what earlier builds wrote, replicas of two versions share one store during an upgrade, and
//! some queries search these texts. If a field that has a default gets another name, its value is lost
//! without an error: an intent that overwrote a draft then says that it overwrote nothing. If an intent
//! cannot be read, every run of its tenant fails. If one of these tests fails, change the code and not the
//! test: docs/decisions/0014-what-a-golden-byte-protects.md.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::{Store, text};
use crate::model::record::{Ending, Intent, IntentAction, Over, Revert};
use crate::model::{
    Act, Actor, ActorKind, Base, CredentialsName, Object, ObjectKind, OrganizationId, Receipt, Receiver,
    Record, Region, Revision, StorePlace, Target, TenantName,
};

fn target(object: Object) -> Target {
    Target {
        organization: OrganizationId::new("00000000-0000-4000-8000-000000000001"),
        region: Region::EuWest1,
        credentials: CredentialsName::new("harbour"),
        object,
    }
}

fn webchat() -> Target {
    target(Object::implied())
}

fn configuration() -> Target {
    target(Object { kind: ObjectKind::MessengerConfiguration, name: "Acme web".into() })
}

fn body(text: &str) -> Arc<Map<String, Value>> {
    Arc::new(serde_json::from_str(text).unwrap())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn intent(id: u64, action: IntentAction, reverts: Vec<Revert>) -> Intent {
    let (sent_at, deadline) = (at("2026-11-29T10:00:00Z"), at("2026-11-29T10:00:12Z"));
    Intent { id, revision: Revision::new("8e7d0a3"), action, sent_at, deadline, reverts, off: false }
}

/// Fields of both dialects, moved by a person, by a client without a name, and by an unknown actor.
fn reverts() -> Vec<Revert> {
    let actor = |kind, name: &str| Some(Actor { id: "u-1".into(), name: name.into(), kind });
    let revert = |object: Target, path: &str, by| {
        let (object, path) = (object.object_ref(), path.into());
        Revert { object, path, by, theirs: None, ours: None, at: at("2026-11-29T09:00:00.25Z") }
    };
    let valued = Revert {
        theirs: Some(serde_json::json!(["Fáilte"])),
        ours: Some(serde_json::json!({"enabled": false})),
        ..revert(webchat(), "greetings", None)
    };
    vec![
        valued,
        revert(webchat(), "greetings.delayMs", actor(ActorKind::User, "Nora")),
        revert(configuration(), "position", actor(ActorKind::Client, "")),
        revert(webchat(), "widget.theme", None),
    ]
}

/// Every form of an intent, with its stored text.
fn intents() -> [(Intent, &'static str); 4] {
    let put = IntentAction::Put {
        target: webchat(),
        if_match: Some(3),
        body: body(r#"{"widget":{"theme":{}},"greetings":{"messages":["Fáilte"],"delayMs":1500}}"#),
        act: Act::Store,
        over: None,
    };
    let publish = IntentAction::Put {
        target: configuration(),
        if_match: None,
        body: body(r#"{"defaultLanguage":"en-us"}"#),
        act: Act::Publish,
        over: Some(Over { body: body(r#"{"position":{"sideSpace":20}}"#), by: Some("Nora".into()) }),
    };
    let store = IntentAction::Put {
        target: configuration(),
        if_match: Some(2),
        body: Arc::default(),
        act: Act::Store,
        over: Some(Over { body: Arc::default(), by: None }),
    };
    let job = IntentAction::Job { targets: vec![(webchat(), Some(3)), (configuration(), None)] };
    [
        (intent(1, put, reverts()), PUT),
        (intent(2, publish, Vec::new()), PUBLISH),
        (intent(3, store, Vec::new()), STORE),
        (intent(4, job, Vec::new()), JOB),
    ]
}

/// Every form of a receipt, with its stored text.
fn receipts() -> [(Receipt, &'static str); 3] {
    let receipt = |target, from_version, version, by, made_at| {
        let sent_at = at("2026-11-29T10:00:00Z");
        Receipt { target, from_version, version, sent_at, by, made_at }
    };
    let made_at = Some(at("2026-11-29T10:00:01.5Z"));
    [
        (receipt(webchat(), None, 1, Receiver::Put, None), RECEIPT_PUT),
        (receipt(webchat(), Some(3), 4, Receiver::Job, None), RECEIPT_JOB),
        (receipt(configuration(), Some(1), 2, Receiver::ReadBack, made_at), RECEIPT_READ_BACK),
    ]
}

const PUT: &str = concat!(
    r#"{"id":1,"revision":"8e7d0a3","action":{"action":"put","#,
    r#""target":{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour"},"#,
    r#""ifMatch":3,"body":{"widget":{"theme":{}},"greetings":{"messages":["Fáilte"],"delayMs":1500}},"act":"store"},"#,
    r#""sentAt":"2026-11-29T10:00:00Z","deadline":"2026-11-29T10:00:12Z","reverts":["#,
    r#"{"organization":"00000000-0000-4000-8000-000000000001","path":"greetings","by":null,"#,
    r#""theirs":["Fáilte"],"ours":{"enabled":false},"at":"2026-11-29T09:00:00.25Z"},"#,
    r#"{"organization":"00000000-0000-4000-8000-000000000001","path":"greetings.delayMs","#,
    r#""by":{"id":"u-1","name":"Nora","type":"user"},"at":"2026-11-29T09:00:00.25Z"},"#,
    r#"{"organization":"00000000-0000-4000-8000-000000000001","#,
    r#""object":{"kind":"MessengerConfiguration","name":"Acme web"},"path":"position","#,
    r#""by":{"id":"u-1","name":"","type":"client"},"at":"2026-11-29T09:00:00.25Z"},"#,
    r#"{"organization":"00000000-0000-4000-8000-000000000001","path":"widget.theme","#,
    r#""by":null,"at":"2026-11-29T09:00:00.25Z"}]}"#,
);

const PUBLISH: &str = concat!(
    r#"{"id":2,"revision":"8e7d0a3","action":{"action":"put","#,
    r#""target":{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour","#,
    r#""object":{"kind":"MessengerConfiguration","name":"Acme web"}},"#,
    r#""ifMatch":null,"body":{"defaultLanguage":"en-us"},"act":"publish","#,
    r#""over":{"body":{"position":{"sideSpace":20}},"by":"Nora"}},"#,
    r#""sentAt":"2026-11-29T10:00:00Z","deadline":"2026-11-29T10:00:12Z"}"#,
);

const STORE: &str = concat!(
    r#"{"id":3,"revision":"8e7d0a3","action":{"action":"put","#,
    r#""target":{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour","#,
    r#""object":{"kind":"MessengerConfiguration","name":"Acme web"}},"#,
    r#""ifMatch":2,"body":{},"act":"store","over":{"body":{}}},"#,
    r#""sentAt":"2026-11-29T10:00:00Z","deadline":"2026-11-29T10:00:12Z"}"#,
);

const JOB: &str = concat!(
    r#"{"id":4,"revision":"8e7d0a3","action":{"action":"job","targets":["#,
    r#"[{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour"},3],"#,
    r#"[{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour","#,
    r#""object":{"kind":"MessengerConfiguration","name":"Acme web"}},null]]},"#,
    r#""sentAt":"2026-11-29T10:00:00Z","deadline":"2026-11-29T10:00:12Z"}"#,
);

const RECEIPT_PUT: &str = concat!(
    r#"{"target":{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour"},"#,
    r#""fromVersion":null,"version":1,"sentAt":"2026-11-29T10:00:00Z","by":"put"}"#,
);

const RECEIPT_JOB: &str = concat!(
    r#"{"target":{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour"},"#,
    r#""fromVersion":3,"version":4,"sentAt":"2026-11-29T10:00:00Z","by":"job"}"#,
);

const RECEIPT_READ_BACK: &str = concat!(
    r#"{"target":{"organization":"00000000-0000-4000-8000-000000000001","region":"eu-west-1","credentials":"harbour","#,
    r#""object":{"kind":"MessengerConfiguration","name":"Acme web"}},"#,
    r#""fromVersion":1,"version":2,"sentAt":"2026-11-29T10:00:00Z","by":"readback","madeAt":"2026-11-29T10:00:01.5Z"}"#,
);

/// Digits and the order of keys stay as the API sent them.
const BODY: &str = r#"{"z":1.10,"a":{"y":null,"x":[12345678901234567890123]},"é":"\u0001"}"#;

/// Opens a store that holds these records.
async fn store_with(folder: &TempDir, records: &[Record]) -> Store {
    let store = Store::open(&StorePlace::Folder(folder.path().to_owned()), "a").await.unwrap();
    let leases = store.take([&TenantName::new("harbour")], Duration::from_secs(600)).await.unwrap();
    store.append(&leases[0], records).await.unwrap();
    store
}

/// Returns the texts of the column `golden` of a query.
async fn column(store: &Store, query: &'static str) -> Vec<String> {
    let rows = store.engine.query(query).fetch_all(&store.engine).await.unwrap();
    rows.iter().map(|row| text(row, "golden").unwrap()).collect()
}

#[tokio::test]
async fn the_stored_texts_of_intents_and_receipts_stay_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut records: Vec<Record> = intents().into_iter().map(|(intent, _)| Record::Intent(intent)).collect();
    let landed = receipts().into_iter().map(|(receipt, _)| receipt).collect();
    records.extend([
        Record::Resolved { intent: 1, receipts: landed, ending: Ending::Written },
        Record::Resolved { intent: 2, receipts: Vec::new(), ending: Ending::NotExecuted },
        Record::Resolved { intent: 3, receipts: Vec::new(), ending: Ending::Unknown },
    ]);
    let store = store_with(&folder, &records).await;

    let written = column(&store, "SELECT intent AS golden FROM intents ORDER BY id").await;
    assert_eq!(written, intents().map(|(_, text)| text));
    for (intent, text) in intents() {
        assert_eq!(serde_json::from_str::<Intent>(text).unwrap(), intent);
    }
    let written = column(&store, "SELECT receipt AS golden FROM receipts ORDER BY object, version").await;
    assert_eq!(written, receipts().map(|(_, text)| text));
    for (receipt, text) in receipts() {
        assert_eq!(serde_json::from_str::<Receipt>(text).unwrap(), receipt);
    }
    let endings = column(&store, "SELECT ending AS golden FROM intents ORDER BY id").await;
    assert_eq!(endings, ["written", "not executed", "unknown", ""]);
}

#[tokio::test]
async fn the_stored_rows_of_bases_stay_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (webchat, cloud) = (webchat().object_ref(), configuration().object_ref());
    let base = |version, id: Option<&str>, onto, drafted_at| {
        let (revision, id) = (Revision::new("8e7d0a3"), id.map(Into::into));
        Base { version, body: body(BODY), revision, id, onto, drafted_at, ignored: Default::default() }
    };
    let records = [
        Record::Applied { object: webchat.clone(), base: base(4, None, 0, 0) },
        Record::Applied { object: cloud.clone(), base: base(2, Some("5d110971"), 0, 1_795_946_400_000) },
        Record::Applied {
            object: cloud.draft().unwrap(),
            base: base(1_795_946_400_000, Some("5d110971"), 2, 0),
        },
        Record::Confirmed { object: webchat, version: 4, entry: "entry-1".into() },
        Record::Confirmed { object: cloud, version: 2, entry: "entry-2".into() },
    ];
    let store = store_with(&folder, &records).await;

    assert_eq!(column(&store, "SELECT body AS golden FROM bases").await, [BODY; 3]);
    let rows = "SELECT object || ' ' || version || ' ' || revision || ' [' || id || '] ' || onto || ' ' || drafted_at AS golden
                FROM bases ORDER BY object";
    let object = "00000000-0000-4000-8000-000000000001";
    let expected = [
        format!("{object} 4 8e7d0a3 [] 0 0"),
        format!("{object}/MessengerConfiguration/Acme web 2 8e7d0a3 [5d110971] 0 1795946400000"),
        format!("{object}/draft of MessengerConfiguration/Acme web 1795946400000 8e7d0a3 [5d110971] 2 0"),
    ];
    assert_eq!(column(&store, rows).await, expected);
    let rows = "SELECT object || ' ' || version || ' ' || entry AS golden FROM confirmations ORDER BY object";
    let expected =
        [format!("{object} 4 entry-1"), format!("{object}/MessengerConfiguration/Acme web 2 entry-2")];
    assert_eq!(column(&store, rows).await, expected);
}

/// The first builds had one dialect: their texts name no object, no act, and no overwritten value.
#[test]
fn texts_of_the_first_builds_are_still_read() {
    let text = PUT.replace(r#","act":"store""#, "");
    assert_ne!(text, PUT);
    assert_eq!(serde_json::from_str::<Intent>(&text).unwrap(), intents()[0].0);
}
