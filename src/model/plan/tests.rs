//! Golden bytes: the input of the plan digests.
//!
//! A person reviews a plan and approves its digest; `apply --plan` computes the digest again and writes
//! only what has the approved one. If a build computes another digest for the same plan, genesync refuses
//! every plan that was reviewed before the upgrade. If a digest leaves a value out, genesync may write a
//! value that was never reviewed. If one of these tests fails, change the code and not the test:
//! docs/decisions/0014-what-a-golden-byte-protects.md.

use serde_json::json;

use super::*;
use crate::model::{CredentialsName, Object, ObjectKind, OrganizationId, Region};

/// Computes the digest of parts that each end in a NUL.
fn digest_of(parts: &[&str]) -> String {
    let bytes: String = parts.iter().flat_map(|part| [*part, "\0"]).collect();
    json::digest_bytes(bytes.as_bytes())
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// A placeholder for the digest of the observed configuration.
const OBSERVED: &str = "sha256:0b5e";

fn webchat() -> TargetPlan {
    let change = |path: &str, observed: Option<Value>, desired: Option<Value>| Change {
        path: path.into(),
        kind: ChangeKind::Drift,
        class: Class::Text,
        observed,
        desired,
        applied: Some(json!("left out")),
        theirs: None,
        loss: None,
        author: None,
    };
    TargetPlan {
        target: Target {
            organization: OrganizationId::new("00000000-0000-4000-8000-000000000001"),
            region: Region::EuWest1,
            credentials: CredentialsName::new("left-out"),
            object: Object::implied(),
        },
        version: Some(7),
        observed: Arc::new(map(json!({"features": {"flags": {"b": 1.10, "a": true}}}))),
        changes: vec![
            change("features.flags", Some(json!({"b": 1.10, "a": true})), None),
            change("greetings.messages", None, Some(json!(["Fáilte", "Hello"]))),
        ],
        already_done: vec!["left.out".into()],
        ignored: vec!["left.out".into()],
        next: Some(Next::Store),
        draft: None,
        body: Arc::new(map(json!({"greetings": {"messages": ["Fáilte", "Hello"]}, "features": {}}))),
        unfinished: None,
        unmanaged: Vec::new(),
        another_program: None,
        unrecorded: None,
        ours_to_overwrite: false,
    }
}

const WEBCHAT: &[&str] = &[
    "00000000-0000-4000-8000-000000000001",
    "eu-west-1",
    "7",
    "sha256:0b5e",
    "features.flags",
    r#"{"a":true,"b":1.1}"#,
    "absent",
    "greetings.messages",
    "absent",
    r#"["Fáilte","Hello"]"#,
    "sha256:86da4aefa0848335063edc9a8af23aeea719b7b2dacdfec0c2d19fd858b70f05",
];

/// A configuration of the `cloud` dialect that does not exist yet, or whose draft belongs to another user.
fn cloud(next: Option<Next>, draft: Option<TheirDraft>) -> TargetPlan {
    let object = Object { kind: ObjectKind::MessengerConfiguration, name: "Acme web".into() };
    let target = webchat().target;
    TargetPlan {
        target: target.of(object),
        version: None,
        observed: Arc::default(),
        changes: Vec::new(),
        already_done: Vec::new(),
        ignored: Vec::new(),
        next,
        draft,
        body: Arc::default(),
        unfinished: None,
        unmanaged: Vec::new(),
        another_program: None,
        unrecorded: None,
        ours_to_overwrite: false,
    }
}

const CLOUD: &[&str] = &[
    "00000000-0000-4000-8000-000000000001/MessengerConfiguration/Acme web",
    "eu-west-1",
    "none",
    "sha256:0b5e",
];

#[test]
fn the_digest_of_an_object_stays_the_same() {
    let draft = TheirDraft {
        by: "left out".into(),
        at: Some("2026-11-29T10:00:00.5Z".parse().unwrap()),
        published_along: vec!["position.sideSpace".into()],
        written_over: vec!["messenger.enabled".into(), "name".into()],
    };
    let of_draft = ["draft", "2026-11-29T10:00:00.5Z", "position.sideSpace", "messenger.enabled", "name"];
    let undated =
        TheirDraft { at: None, published_along: Vec::new(), written_over: Vec::new(), ..draft.clone() };
    let decide = || Some(Next::Decide("a person decides".into()));
    let golden: &[(TargetPlan, &[&[&str]], &str)] = &[
        (webchat(), &[WEBCHAT], "sha256:176e53a38489755029900d88685ea83f4d86a46559bbd67fc8d79a406cb91e46"),
        (
            cloud(None, None),
            &[CLOUD],
            "sha256:17737a23d6b8eaaf046a08e516f08bdb5b25096b036c33b975f17f63434dbec2",
        ),
        (
            cloud(Some(Next::Store), None),
            &[CLOUD],
            "sha256:17737a23d6b8eaaf046a08e516f08bdb5b25096b036c33b975f17f63434dbec2",
        ),
        (
            cloud(Some(Next::Publish), None),
            &[CLOUD, &["publish"]],
            "sha256:63bb62743b86b7d29be7463d5ad03fa15741ee32568d40bd27e8455664622057",
        ),
        (
            cloud(Some(Next::Wait), None),
            &[CLOUD, &["wait"]],
            "sha256:19c7b1d5417ae03ec965565ab1c6b514f1319dd3fedf907167a8eb42b9fba158",
        ),
        (
            cloud(decide(), None),
            &[CLOUD, &["a person decides"]],
            "sha256:5b70f96eb13d0c87ff0204dbd13e193cfd0fdccaef2dbaa3bd2cb2de3cc170c8",
        ),
        (
            cloud(Some(Next::Publish), Some(draft)),
            &[CLOUD, &of_draft, &["publish"]],
            "sha256:1a218800ad8cef6e89d51cd1bd07c471cc0cd746b55fd6af0e214f49469e4c5e",
        ),
        (
            cloud(None, Some(undated)),
            &[CLOUD, &["draft", ""]],
            "sha256:61d9282e207c04b52eba4e46cc5dcfdcb7c04206ed0db231cd7846f4db1c3f41",
        ),
    ];
    for (plan, parts, digest) in golden {
        assert_eq!(digest_of(&parts.concat()), *digest, "the parts that are pinned here: {parts:?}");
        assert_eq!(plan.digest_onto(OBSERVED), *digest, "{parts:?}");
        assert_eq!(plan.content_digest(), plan.digest_onto(&json::digest(&plan.observed)), "{parts:?}");
    }
}

#[test]
fn the_digest_of_a_tenant_plan_stays_the_same() {
    let plan = Plan {
        tenant: TenantName::new("harbour"),
        revision: Revision::new("8e7d0a3"),
        mode: Mode::Enforce,
        targets: vec![Arc::new(webchat()), Arc::new(cloud(Some(Next::Publish), None))],
    };
    let objects: Vec<String> = plan.targets.iter().map(|target| target.digest_onto(OBSERVED)).collect();
    let parts = ["harbour", "8e7d0a3", "enforce", &objects[0], &objects[1]];
    let digest = "sha256:9e03cf326c1f887a9569a3c653c5e9f1dc3a6cc8f06e709476ca7e601f046bb5";
    assert_eq!(digest_of(&parts), digest);
    let of = |objects: &[String]| {
        tenant_digest("harbour", "8e7d0a3", "enforce", objects.iter().map(String::as_str))
    };
    assert_eq!(of(&objects), digest);
    let objects: Vec<String> = plan.targets.iter().map(|target| target.content_digest()).collect();
    assert_eq!(plan.content_digest(), of(&objects));
}

#[test]
fn the_digest_of_a_fleet_plan_stays_the_same() {
    let golden: [(&[&str], &str); 3] = [
        (&[], "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (&["sha256:01"], "sha256:43dd5005e4e5e16b8b1eb787e5e0b40dc963e6b382fd515d4e5d2fa556a66536"),
        (
            &["sha256:01", "sha256:02"],
            "sha256:584193d1e04a334fbbb36e4a846b87a6b47c9e5fc1560fec64e74564c601d95e",
        ),
    ];
    for (tenants, digest) in golden {
        assert_eq!(fleet_digest(tenants.iter().copied()), digest, "{tenants:?}");
        assert_eq!(json::digest_bytes(tenants.join("\n").as_bytes()), digest, "{tenants:?}");
    }
}
