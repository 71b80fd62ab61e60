//! Properties of plans, tested with random values.

use proptest::prelude::*;

use super::*;
use crate::model::json;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..5000i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        proptest::collection::vec("[a-c]", 0..3).prop_map(Value::from),
    ]
}

pub(super) fn configuration() -> impl Strategy<Value = Arc<Map<String, Value>>> {
    let path = prop_oneof![
        Just("greetings.delayMs"),
        Just("greetings.messages"),
        Just("features.audiences"),
        Just("features.dynamicRouting"),
        Just("features.flags.a"),
        Just("widget.theme.colors.background"),
        Just("x"),
        Just("y.z"),
    ];
    proptest::collection::vec((path, leaf()), 0..8).prop_map(|fields| {
        let mut map = Map::new();
        for (path, leaf) in fields {
            let mut value = leaf;
            for key in path.rsplit('.') {
                value = json!({ key: value });
            }
            if let Value::Object(over) = value {
                // Nulls are kept, because a manifest may contain them.
                merge(&mut map, over);
            }
        }
        Arc::new(map)
    })
}

fn ignored_fields() -> impl Strategy<Value = BTreeSet<String>> {
    let field = prop_oneof![Just("greetings"), Just("greetings.delayMs"), Just("features.flags"), Just("x")];
    proptest::collection::btree_set(field.prop_map(str::to_owned), 0..3)
}

fn merge(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

proptest! {
    #[test]
    fn applying_a_plan_leaves_an_empty_plan(git in configuration(), found in configuration(), exclusive: bool, ignored in ignored_fields()) {
        let desired = Desired { body: git, exclusive, ignored };
        let body = diff::target_body(KIND, &desired, &holding(&found));
        let after = Observed::Present(Stored { version: 2, body: Arc::new(body), modified_at: None, modified_by: None, instance: None });
        prop_assert_eq!(diff::changes(KIND, &desired, &after, &Evidence::default()).0, vec![]);
    }

    #[test]
    fn an_ignored_field_is_neither_reported_nor_written(git in configuration(), found in configuration(), exclusive: bool, ignored in ignored_fields()) {
        let desired = Desired { body: git, exclusive, ignored };
        let observed = holding(&found);
        let body = diff::target_body(KIND, &desired, &observed);
        let (changes, _) = diff::changes(KIND, &desired, &observed, &Evidence::default());
        prop_assert!(changes.iter().all(|change| !desired.ignores(&change.path)));
        let left = diff::ignored(KIND, &desired, &observed);
        prop_assert!(left.iter().all(|path| desired.ignores(path)));
        // Without the rules, exactly the ignored fields are changes; an exclusive manifest may also remove an
        // empty section.
        let after = diff::changes(KIND, &desired.ignoring(BTreeSet::new()), &holding(&Arc::new(body.clone())), &Evidence::default()).0;
        let after: Vec<String> = after.into_iter().map(|change| change.path).collect();
        prop_assert!(left.iter().all(|path| after.contains(path)));
        prop_assert!(exclusive || after == left);
        json::leaves(&found, &mut |path, value| {
            assert!(!desired.ignores(path) || json::at_dotted(&body, path) == Some(value), "{path}");
        });
        json::leaves(&body, &mut |path, value| {
            assert!(!desired.ignores(path) || json::at_dotted(&found, path) == Some(value), "{path}");
        });
    }

    #[test]
    fn a_field_that_git_does_not_name_does_not_change(git in configuration(), found in configuration()) {
        let desired = Desired { body: git, exclusive: false, ignored: BTreeSet::new() };
        let body = diff::target_body(KIND, &desired, &holding(&found));
        let mut named = BTreeSet::new();
        json::leaves(&desired.body, &mut |path, _| { named.insert(path.to_owned()); });
        json::leaves(&found, &mut |path, value| {
            let touched = named.iter().any(|name| path == name || path.starts_with(&format!("{name}.")) || name.starts_with(&format!("{path}.")));
            assert!(touched || json::at_dotted(&body, path) == Some(value), "{path}");
        });
    }

    #[test]
    fn equal_inputs_give_equal_plans_for_any_order_of_keys(git in configuration(), found in configuration()) {
        let reversed: Map<String, Value> = found.iter().rev().map(|(key, value)| (key.clone(), value.clone())).collect();
        let observe = |body: Arc<Map<String, Value>>| [Observed::Present(Stored { version: 1, body, modified_at: None, modified_by: None, instance: None })];
        let desired = Desired { body: git, exclusive: false, ignored: BTreeSet::new() };
        let make = |observed: &[Observed]| plan(&tenant(0), &Revision::new("r"), &desired, observed, &BTreeMap::new());
        prop_assert_eq!(make(&observe(found)).content_digest(), make(&observe(Arc::new(reversed))).content_digest());
    }
}
