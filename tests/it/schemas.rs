//! The committed schemas equal the types, and accept exactly what the reader accepts.

use std::path::Path;

use genesync::cli::commands::schema;
use genesync::manifest::kinds::Kind;
use genesync::manifest::kinds::project::Rules;
use genesync::manifest::schema::{accepts, check, reads};
use genesync::manifest::yaml::{Node, compose};
use genesync::manifest::{Bases, Input, read_tenant};
use genesync::model::TenantName;
use genesync::validate;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Stage, delay, tenant};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn committed_schemas_equal_the_types() {
    for (name, schema) in schema::all() {
        let path = root().join("schemas").join(name);
        let committed = std::fs::read_to_string(&path).unwrap();
        assert_eq!(committed, schema::text(&schema), "{name} is out of date: run `make schemas`");
    }
}

#[test]
fn schemas_are_good_enough_for_an_editor() {
    fn walk(path: &str, schema: &Value, bare: &mut Vec<String>) {
        for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{path}.{key}");
            if property.get("description").is_none() && property.get("const").is_none() {
                bare.push(path.clone());
            }
            walk(&path, property, bare);
            if let Some(items) = property.get("items") {
                walk(&path, items, bare);
            }
        }
    }
    for (name, schema) in schema::all() {
        assert!(schema.get("title").is_some(), "{name} has no title");
        let mut bare = Vec::new();
        walk(name, &schema, &mut bare);
        assert_eq!(bare, Vec::<String>::new(), "fields without a description");
    }
}

#[test]
fn what_is_printed_fits_its_schema() {
    let stage = Stage::applied(&[tenant("acme", &[1, 2], &delay(1))]);
    stage.edit(1, &json!({"greetings": {"delayMs": 7}}));
    stage.commit(
        &[tenant("acme", &[1, 2], &delay(2)), tenant("bad", &[3], "  greetings: {delay: 1}\n")].concat(),
    );
    for (arguments, name) in
        [(["plan", "--format", "json"], "plan.json"), (["apply", "--format", "json"], "apply.json")]
    {
        let printed = stage.genesync(&arguments).json();
        let schema = schema::all().into_iter().find(|(file, _)| *file == name).unwrap().1;
        let validator = jsonschema::draft202012::options().build(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&printed)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

/// Returns a document as the reader sees it, and whether it is refused for a control character. None if its
/// text alone is refused for another reason, before any schema.
fn read(document: &Value) -> Option<(Node, bool)> {
    let composed = compose(&document.to_string(), 0);
    let mut problems = composed.problems.iter().filter(|problem| !problem.warning).peekable();
    let is_refused = problems.peek().is_some();
    let known = problems.all(|problem| problem.message.contains("control character"));
    composed.documents.into_iter().next().filter(|_| known).map(|tree| (tree, is_refused))
}

fn tree(document: &Value) -> Option<Node> {
    read(document).filter(|(_, is_refused)| !is_refused).map(|(tree, _)| tree)
}

fn corpus() -> Vec<(Kind, Value)> {
    let mut texts = vec![std::fs::read_to_string(root().join("genesync.yaml")).unwrap()];
    for folder in ["bases", "examples/starter/bases", "examples/cloud/bases", "tests/fixtures/documents"] {
        let files = std::fs::read_dir(root().join(folder)).unwrap();
        texts.extend(files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()));
    }
    for tenant in std::fs::read_dir(root().join("tenants")).unwrap() {
        let files = std::fs::read_dir(tenant.unwrap().path()).unwrap();
        texts.extend(files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()));
    }
    texts
        .iter()
        .flat_map(|text| compose(text, 0).documents)
        .map(|document| {
            (
                Kind::from_name(document.get("kind").and_then(|kind| kind.text()).unwrap()).unwrap(),
                document.to_json(),
            )
        })
        .collect()
}

#[test]
fn the_corpus_is_valid_and_names_every_field() {
    fn fields(schema: &Value, path: &str, all: &mut Vec<String>) {
        for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            all.push(format!("{path}/{key}"));
            fields(property, &format!("{path}/{key}"), all);
            if let Some(items) = property.get("items") {
                fields(items, &format!("{path}/{key}/0"), all);
            }
        }
    }
    let corpus = corpus();
    for (kind, document) in &corpus {
        let tree = tree(document).unwrap();
        assert!(accepts(*kind, &tree) && reads(*kind, &tree), "{:?}", check(*kind, &tree));
    }
    for kind in Kind::ALL {
        let mut all = Vec::new();
        fields(&genesync::manifest::schema::schema(*kind), "", &mut all);
        let unnamed: Vec<String> = all
            .into_iter()
            .filter(|field| {
                !corpus.iter().any(|(of, document)| of == kind && document.pointer(field).is_some())
            })
            .collect();
        assert_eq!(
            unnamed,
            Vec::<String>::new(),
            "{}: no document names these, so no mutation reaches them",
            kind.name()
        );
    }
}

/// Values that a person might write in any place.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5i64..70_000).prop_map(Value::from),
        Just(json!(4.5)),
        Just(json!(5.0)),
        Just(json!(21.0)),
        Just(json!(21.5)),
        Just(json!(f64::MAX)),
        Just(json!(-0.0)),
        Just(serde_json::from_str::<Value>("59999.99999999999999999999").unwrap()),
        Just(serde_json::from_str::<Value>("123456789012345678901234567890").unwrap()),
        prop_oneof![
            Just(""),
            Just(" "),
            Just("x"),
            Just("#abc"),
            Just("#ABCDEF"),
            Just("#ABCDE"),
            Just("16px"),
            Just("13px"),
            Just("25px"),
            Just("09:00"),
            Just("24:00"),
            Just("MONDAY"),
            Just("monday"),
            Just("AA"),
            Just("AAA"),
            Just("off"),
            Just("polite"),
            Just("always"),
            Just("custom"),
            Just("enforce"),
            Just("webchat"),
            Just("cloud"),
            Just("en-us"),
            Just("de-"),
            Just("On"),
            Just("Home"),
            Just("https://a.example/x"),
            Just("192.0.2.0/24"),
            Just(" a"),
            Just("a\u{200d}b"),
            Just("eu-west-1"),
            Just("eu-west-9"),
            Just("Europe/Berlin"),
            Just("a-b"),
            Just("-a"),
            Just("A"),
            Just("2026-02-31"),
            Just("2026-12-31"),
            Just("error"),
            Just("genesync/v1alpha1"),
            Just("Tenant"),
            Just("11111111-2222-4333-8444-555555555555"),
            Just("11111111-2222-4333-8444-55555555555G"),
            Just("a\u{7}b"),
            Just("ü\n"),
            Just("x\n"),
        ]
        .prop_map(Value::from),
        (95usize..260).prop_map(|length| Value::from("é".repeat(length))),
        Just(json!([])),
        Just(json!({})),
        Just(json!([1])),
        Just(json!(["a", "a"])),
        Just(json!({"a": true})),
        Just(json!([[], {}])),
        (0usize..130).prop_map(|length| Value::from(vec!["a"; length])),
    ]
}

fn pointers(value: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| pointers(value, &format!("{path}/{key}"), all))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| pointers(value, &format!("{path}/{index}"), all)),
        _ => {}
    }
}

/// Replaces, removes, adds or doubles a value in one place.
fn mutate(document: &mut Value, at: usize, how: u8, value: &Value, key: &str) {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let path = all[at % all.len()].clone();
    let Some(slot) = document.pointer_mut(&path) else { return };
    match (how, slot) {
        (0, slot) => *slot = value.clone(),
        (1, Value::Object(map)) => {
            map.insert(key.to_owned(), value.clone());
        }
        (1, Value::Array(items)) => items.push(value.clone()),
        (2, Value::Array(items)) => {
            let copy = items.clone();
            items.extend(copy);
        }
        (_, _) => {
            let (parent, last) = path.rsplit_once('/').unwrap_or_default();
            match document.pointer_mut(parent) {
                Some(Value::Object(map)) => {
                    map.remove(last);
                }
                Some(Value::Array(items)) if !items.is_empty() => {
                    items.remove(last.parse::<usize>().unwrap_or(0).min(items.len() - 1));
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_reader_and_the_schema_accept_the_same_documents(
        which in any::<usize>(),
        mutations in proptest::collection::vec((any::<usize>(), 0u8..4, anything(), prop_oneof![Just("enabled"), Just("extra"), Just("id"), Just("name"), Just("a b"), Just(""), Just("extends")]), 1..3),
    ) {
        let corpus = corpus_once();
        let (kind, document) = &corpus[which % corpus.len()];
        let mut document = document.clone();
        for (at, how, value, key) in &mutations {
            mutate(&mut document, *at, *how, value, key);
        }
        let Some((tree, is_refused)) = read(&document) else { return Ok(()) };
        prop_assert_eq!(
            accepts(*kind, &tree), reads(*kind, &tree) && !is_refused, "{} says {:?}\n{:#}", kind.name(), check(*kind, &tree), document
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Rules also get documents that break their schema: one pass reports everything.
    #[test]
    fn no_rule_panics_on_any_document(
        which in any::<usize>(),
        mutations in proptest::collection::vec((any::<usize>(), 0u8..4, anything(), Just("extra")), 0..6),
    ) {
        let corpus = corpus_once();
        let mut document = corpus[which % corpus.len()].1.clone();
        for (at, how, value, key) in &mutations {
            mutate(&mut document, *at, *how, value, key);
        }
        let input = Input { path: "tenants/acme/a.yaml".into(), bytes: document.to_string().into_bytes().into() };
        let manifest = read_tenant(&TenantName::new("acme"), &[input], &Bases::default());
        let findings = validate::check(&manifest, &Rules::default(), jiff::civil::date(2026, 11, 20));
        prop_assert!(findings.iter().all(|finding| finding.location.line > 0 || finding.pointer.is_empty()));
    }
}

fn corpus_once() -> &'static [(Kind, Value)] {
    static CORPUS: std::sync::LazyLock<Vec<(Kind, Value)>> = std::sync::LazyLock::new(corpus);
    &CORPUS
}
