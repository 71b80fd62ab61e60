//! Tests the strict profile.

use super::*;
use serde_json::json;

fn value(text: &str) -> Value {
    let composed = compose(text, 0);
    assert_eq!(composed.problems, [], "{text}");
    composed.documents[0].to_json()
}

fn refusal(text: &str) -> String {
    let composed = compose(text, 0);
    let problem = composed.problems.iter().find(|problem| !problem.warning);
    problem.unwrap_or_else(|| panic!("accepted: {text:?}")).message.clone()
}

#[test]
fn plain_scalars_resolve_by_the_core_schema() {
    let table = [
        ("a: NO-PE", json!({"a": "NO-PE"})),
        ("a: 16", json!({"a": 16})),
        ("a: -4.50", serde_json::from_str("{\"a\": -4.50}").unwrap()),
        ("a: 999999999999999", json!({"a": 999_999_999_999_999_u64})),
        ("a: ~\nb:\nc: null", json!({"a": null, "b": null, "c": null})),
        ("a: 12:30", json!({"a": "12:30"})),
        ("a: 2026-11-20", json!({"a": "2026-11-20"})),
        ("a: 1.2.3", json!({"a": "1.2.3"})),
        ("a: -x\nb: +49 30 1234", json!({"a": "-x", "b": "+49 30 1234"})),
        ("a: '017'\nb: \"yes\"", json!({"a": "017", "b": "yes"})),
        ("\u{feff}a: 1", json!({"a": 1})),
        ("a: &x [1]\nb: *x", json!({"a": [1], "b": [1]})),
        ("a: |\n  one\n  two\n", json!({"a": "one\ntwo\n"})),
        ("a: >-\n  one\n  two\n", json!({"a": "one two"})),
    ];
    for (text, expected) in table {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn values_that_other_parsers_read_differently_are_refused() {
    for odd in [
        "017", "0o17", "0x1F", "1_000", "1e3", "+3", "-0", ".5", "5.", ".inf", "-.INF", ".nan", "1e999", "00",
    ] {
        assert!(refusal(&format!("a: {odd}")).contains("number to some"), "{odd}");
    }
    for long in ["18446744073709551616", "59999.99999999999999999999"] {
        assert!(refusal(&format!("a: {long}")).contains("more than 15 digits"), "{long}");
    }
    for odd in ["True", "FALSE"] {
        assert!(refusal(&format!("a: {odd}")).contains("truth value"), "{odd}");
    }
}

#[test]
fn yes_and_no_stay_text_with_a_warning() {
    let composed = compose("country: NO\nlist: [on]\n", 0);
    assert_eq!(composed.documents[0].to_json(), json!({"country": "NO", "list": ["on"]}));
    assert_eq!(composed.problems.iter().map(|p| p.warning).collect::<Vec<_>>(), [true, true]);
}

#[test]
fn constructs_outside_the_profile_are_refused() {
    let table = [
        ("a: 1\na: 2", "twice"),
        ("name: 1\n\"name\": 2", "twice"),
        ("base: &b {x: 1}\nc:\n  <<: *b", "merge keys"),
        ("a: !!python/object/apply:os.system [x]", "tags"),
        ("a: !include /etc/passwd", "tags"),
        ("a: !!binary aGk=", "tags"),
        ("%YAML 1.1\n---\na: 1", "not valid YAML"),
        ("a: 1\n...\njunk: 2", "after the document's end"),
        ("? [a, b]\n: 1", "plain text"),
        ("a: &a [*a]", "inside the value"),
        ("a: *nope", "not valid YAML"),
        ("a: \"\\e[31m\"", "U+001B"),
        ("a: \"\\0\"", "U+0000"),
        ("a: \"\\x7f\"", "U+007F"),
        ("a: \"\\ud800\"", "not valid YAML"),
        ("a:\n\tb: 1", "not valid YAML"),
    ];
    for (text, expected) in table {
        let message = refusal(text);
        assert!(message.contains(expected), "{text:?}: {message}");
    }
}

#[test]
fn alias_bombs_and_deep_nesting_are_refused() {
    let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let inner = vec![format!("*a{}", level - 1); 9].join(",");
        laughs.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert!(refusal(&laughs).contains("aliases expanded"));
    let quadratic = format!("a: &a {}\nb: [{}]", "x".repeat(60_000), vec!["*a"; 10_000].join(","));
    assert!(refusal(&quadratic).contains("aliases expanded"));
    for open in ["[", "{a: ", "- "] {
        refusal(&open.repeat(15_000));
    }
    assert!(refusal(&"x".repeat(LINE_BYTES_MAX + 1)).contains("in one line"));
    let keys: String = (0..30_000).map(|n| format!("k{n}: 1\n")).collect();
    assert!(refusal(&keys).contains("aliases expanded"));
}

#[test]
fn spans_are_bytes_of_the_file() {
    let text = "\u{feff}ü:\n  - ßa\n";
    let composed = compose(text, 3);
    let (key, list) = composed.documents[0].entry("ü").unwrap();
    let slice = |span: Span| &text[span.start as usize..span.end as usize];
    assert_eq!((slice(key.span), slice(list.items()[0].span), key.span.file), ("ü", "ßa", 3));
}

#[test]
fn several_documents_are_several_trees() {
    let composed = compose("a: 1\n---\nb: 2\n", 0);
    assert_eq!((composed.documents.len(), composed.problems.len()), (2, 0));
    assert_eq!(compose("# nothing\n", 0).documents.len(), 0);
}

proptest::proptest! {
    #[test]
    fn any_text_composes_without_a_panic(text in "[\\PC\\n\\t\u{0}\u{feff}]{0,200}") {
        compose(&text, 0);
    }

    #[test]
    fn any_yaml_like_text_composes_without_a_panic(text in "[-a:&*!{}\\[\\],'\"|>?#%\\n 0.e]{0,120}") {
        compose(&text, 0);
    }
}

/// A colour without quotes is the most common mistake: YAML reads it as a comment.
#[test]
fn a_colour_that_is_a_comment_is_reported_and_other_comments_are_not() {
    let reported = |text: &str| {
        let problems = compose(text, 0).problems;
        let problem = problems.into_iter().find(|problem| problem.message.starts_with("`#` starts"))?;
        Some((problem.span.start, problem.replacement.unwrap()))
    };
    for (text, expected) in [
        ("primary: #00594F\n", Some((9, "\"#00594F\""))),
        ("\u{feff}primary: #FFF # brand\nb: 1\n", Some((12, "\"#FFF\""))),
        ("\"backgroundColor\": \t #abcdef\n", Some((21, "\"#abcdef\""))),
        ("primary: #abcdef12\n", None),
        ("ticket: #1234\nmessages: #123\n", None),
        ("primary: # 00594F\n", None),
        ("primary: #fab it\n", Some((9, "\"#fab\""))),
        ("primary: #defer\n", None),
        ("primary:   #12345\n", None),
        ("primary: 1 #00594F\n", None),
        ("primary: #00594F\n  a: 1\n", None),
        ("primary: ~ #00594F\n", None),
        ("primary: &p #00594F\n", Some((12, "\"#00594F\""))),
    ] {
        let expected = expected.map(|(at, replacement): (u32, &str)| (at, replacement.to_owned()));
        assert_eq!(reported(text), expected, "{text}");
    }
    let flow = compose("colors: {primary: #00594F, background: 1}\nnext: {a: 1}\n", 0);
    let problem = &flow.problems[0];
    assert_eq!(
        (problem.span.start, problem.span.end, problem.help.as_deref()),
        (18, 25, Some("write \"#00594F\""))
    );
    let (place, note) = problem.related.unwrap();
    assert_eq!((place.start, note), (46, "from here on this is not valid YAML"));
    let last = compose("colors: {primary: #00594F, background: 1}", 0);
    assert_eq!(last.problems[0].span.start, 18, "{:?}", last.problems);
    let other = compose("tickets: {open: #123, closed: 1}\nnext: {a: 1}\n", 0);
    assert!(other.problems[0].message.starts_with("this is not valid YAML"), "{:?}", other.problems);
}

#[test]
fn text_that_continues_after_a_hash_is_reported_and_comments_are_not() {
    let reported = |text: &str| {
        compose(text, 0).problems.iter().any(|problem| problem.message.starts_with("the text ends here"))
    };
    for (text, expected) in [
        ("- Call us and dial #1 for cards\n", true),
        ("a: Call us and dial #1\n", true),
        ("- Call us   # the greeting\n", false),
        ("- \"Call us\" #greeting\n", false),
        ("- Call #\n", false),
        ("- Call us ##\n", false),
        ("a: 16px #house\n", false),
        ("- Call us and dial#1\n", false),
        ("- Press #1\n", true),
        ("- Press # one\n", false),
        ("- 12 #1\n", true),
    ] {
        assert_eq!(reported(text), expected, "{text}");
    }
}
