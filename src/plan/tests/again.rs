//! Tests that planning only the observed objects and their dependents gives the same plan as planning
//! everything.

use proptest::prelude::*;

use super::*;
use crate::model::Needs;
use crate::model::reference::{Named, Reference};
use crate::model::{Dialect, Draft, Entry, Instance, Pinned, Readiness, ReferenceKind};

/// Returns the desired state: objects that refer to each other, and objects without references.
fn resources() -> Vec<Resource> {
    let of = |(kind, name, body): (ObjectKind, &str, Value)| Resource {
        object: Object { kind, name: name.into() },
        desired: desired(body),
        before: None,
        secret: None,
    };
    let all = [
        (ObjectKind::SupportedContent, "Pictures", json!({"mediaTypes": {"allow": {"inbound": ["a"]}}})),
        (ObjectKind::MessagingSetting, "Typing", json!({"value": "a"})),
        (
            ObjectKind::MessagingDefaults,
            "",
            json!({"supportedContent": {"name": "Pictures"}, "messagingSetting": {"name": "Elsewhere"}}),
        ),
        (ObjectKind::OpenMessagingIntegration, "Kiosk", json!({"supportedContent": {"name": "Pictures"}})),
        (ObjectKind::MessengerConfiguration, "Web", json!({"value": "a"})),
        (ObjectKind::MessengerConfiguration, "App", json!({"value": "b"})),
        (
            ObjectKind::MessengerDeployment,
            "Shop",
            json!({"configuration": {"name": "Web"}, "supportedContent": {"name": "Pictures"}}),
        ),
        (ObjectKind::MessengerDeployment, "Blog", json!({"configuration": {"name": "Web"}, "value": "a"})),
        (
            ObjectKind::MessengerDeployment,
            "Inbox",
            json!({"configuration": {"name": "App"}, "flow": {"name": "Inbound"}}),
        ),
    ];
    all.into_iter().map(of).collect()
}

const OBJECTS: usize = 9;
const ORGANIZATIONS: usize = 2;

/// New facts about one object from a read and the journal. The values are small, so that random ones are
/// often equal.
#[derive(Debug, Clone)]
struct News {
    place: usize,
    /// None if the object does not exist.
    id: Option<u8>,
    version: u64,
    value: &'static str,
    draft: Option<&'static str>,
    pins: u64,
    is_pending: bool,
    base: Option<&'static str>,
    draft_base: Option<(&'static str, u64)>,
    is_made: bool,
    is_reported: bool,
}

fn news() -> impl Strategy<Value = News> {
    let value = || proptest::sample::select(vec!["a", "b", "c"]);
    let seen = (proptest::option::weighted(0.8, 0..2_u8), 0..3_u64, value(), proptest::option::of(value()));
    let known = (proptest::option::of(value()), proptest::option::of((value(), 0..2_u64)));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (0..OBJECTS * ORGANIZATIONS, seen, 0..3_u64, known, flags).prop_map(
        |(
            place,
            (id, version, value, draft),
            pins,
            (base, draft_base),
            (is_pending, is_made, is_reported),
        )| {
            News {
                place,
                id,
                version,
                value,
                draft,
                pins,
                is_pending,
                base,
                draft_base,
                is_made,
                is_reported,
            }
        },
    )
}

/// The facts about two organizations.
#[derive(Default)]
struct Known {
    observed: Vec<Observed>,
    bases: BTreeMap<ObjectRef, Base>,
    made: BTreeSet<ObjectRef>,
    entries: BTreeMap<ObjectRef, Vec<Entry>>,
}

fn body_of(kind: ObjectKind, value: &str, pins: u64) -> Value {
    match kind {
        ObjectKind::MessengerDeployment => json!({
            "value": value, "configuration": {"id": "4-0", "version": pins.to_string()}, "supportedContent": {"id": "0-1"},
        }),
        ObjectKind::MessagingDefaults | ObjectKind::OpenMessagingIntegration => {
            json!({"supportedContent": {"id": "0-0"}, "messagingSetting": {"id": value}})
        }
        ObjectKind::SupportedContent => json!({"mediaTypes": {"allow": {"inbound": [value]}}}),
        _ => json!({"value": value}),
    }
}

impl Known {
    fn take_in(&mut self, news: &News, target: &Target) {
        let object = target.object_ref();
        let kind = target.object.kind;
        let body = |value: &str| object_body(kind, value, news.pins);
        let draft =
            || Some(Draft { body: body(news.draft?), modified_at: None, modified_by: Some(person()) });
        let instance = |id: u8| Instance {
            id: format!("{}-{id}", news.place % OBJECTS).into(),
            readiness: if news.is_pending { Readiness::Pending } else { Readiness::Ready },
            draft: draft().filter(|_| kind.has_drafts()),
            pinned: kind
                .pins()
                .map(|_| Pinned { version: Some(news.pins), body: Some(body_of_value(news.value)) }),
            drafted_at: None,
            publisher: None,
            is_inferred: false,
        };
        self.observed[news.place] = match news.id {
            None => Observed::Absent,
            Some(id) => Observed::Present(Stored {
                version: news.version,
                body: body(news.value),
                modified_at: None,
                modified_by: news.is_reported.then(person),
                instance: Some(Arc::new(instance(id))),
            }),
        };
        self.bases.remove(&object);
        self.bases.extend(news.base.map(|value| (object.clone(), base(1, body_of(kind, value, news.pins)))));
        if let Some(draft) = object.draft() {
            let base = news.draft_base.map(|(value, onto)| Base { onto, ..base(1, body_of(kind, value, 0)) });
            self.bases.remove(&draft);
            self.bases.extend(base.map(|base| (draft, base)));
        }
        self.made.remove(&object);
        self.made.extend(news.is_made.then(|| object.clone()));
        let entry = || Entry {
            id: "e".into(),
            at: Timestamp::UNIX_EPOCH,
            action: "Update".into(),
            object: object.clone(),
            actor: person(),
            remote_ip: None,
            version: Some(news.version),
            changes: Vec::new(),
        };
        self.entries.insert(object.clone(), news.is_reported.then(entry).into_iter().collect());
    }
}

fn body_of_value(value: &str) -> Arc<Map<String, Value>> {
    object(json!({ "value": value }))
}

fn object_body(kind: ObjectKind, value: &str, pins: u64) -> Arc<Map<String, Value>> {
    object(body_of(kind, value, pins))
}

proptest! {
    #[test]
    fn a_partial_plan_equals_a_full_plan(
        first in proptest::collection::vec(news(), OBJECTS * ORGANIZATIONS),
        looks in proptest::collection::vec(proptest::collection::vec(news(), 1..4), 1..12),
    ) {
        let resources = resources();
        let needs = Needs::of(&resources);
        let tenant = Tenant { dialect: Dialect::Cloud, ..tenant(1) };
        let of_each = |organization: &Target| -> Vec<Target> {
            resources.iter().map(|resource| organization.of(resource.object.clone())).collect()
        };
        let targets: Vec<Target> = tenant.targets().flat_map(of_each).collect();
        let names: Names = [(
            Reference { kind: ReferenceKind::Flow, name: "Inbound".into() },
            vec![Named { id: "f".into(), version: None, is_unpublished: false }],
        )].into_iter().collect();
        let mut known = Known { observed: vec![Observed::Absent; targets.len()], ..Known::default() };
        for (place, news) in first.into_iter().enumerate() {
            known.take_in(&News { place, ..news }, &targets[place]);
        }
        let revision = Revision::new("r1");
        let with = |known: &Known, make: &dyn Fn(Basis<'_>) -> Plan| {
            let sides: Vec<Side<'_>> = targets
                .chunks(OBJECTS)
                .zip(known.observed.chunks(OBJECTS))
                .map(|(targets, observed)| Side {
                    targets,
                    known: Organization { resources: &resources, observed, names: &names },
                })
                .collect();
            let evidence = |target: &Target| {
                let object = target.object_ref();
                Evidence {
                    base: known.bases.get(&object),
                    draft: object.draft().and_then(|draft| known.bases.get(&draft)),
                    made: known.made.contains(&object),
                    entries: known.entries.get(&object).map(Vec::as_slice).unwrap_or_default(),
                    ..Evidence::default()
                }
            };
            let (tenant, revision, drafts) = (&tenant, &revision, Drafts::Refuse);
            make(Basis { tenant, revision, sides: &sides, drafts, owner: None, holds: Withheld::default(), evidence: &evidence })
        };
        let mut planned = with(&known, &super::super::plan);
        for look in looks {
            for news in &look {
                known.take_in(news, &targets[news.place]);
            }
            let places: BTreeSet<usize> = look
                .iter()
                .flat_map(|news| {
                    let (first, at) = (news.place - news.place % OBJECTS, news.place % OBJECTS);
                    needs.dependents_of(at).iter().copied().chain([at]).map(move |at| first + at)
                })
                .collect();
            planned = with(&known, &|basis| again(planned.clone(), places.clone(), basis));
            prop_assert_eq!(&planned, &with(&known, &super::super::plan));
        }
    }
}

/// The objects that refer to an object directly or indirectly are planned with it, and no others.
#[test]
fn an_object_is_planned_again_with_the_objects_that_refer_to_it() {
    let needs = Needs::of(&resources());
    let table: [(usize, &[usize]); 6] =
        [(0, &[2, 3, 6]), (1, &[]), (4, &[6, 7]), (5, &[8]), (6, &[]), (9, &[])];
    for (at, expected) in table {
        assert_eq!(needs.dependents_of(at), expected, "{at}");
    }
    assert_eq!(needs.place_of(&resources()[7].object), Some(7));
    assert_eq!(needs.place_of(&Object { kind: ObjectKind::MessengerDeployment, name: "Web".into() }), None);
}
