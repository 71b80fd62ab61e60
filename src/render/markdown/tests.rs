use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::json;

use super::*;
use crate::model::{ChangeKind, Class};
use crate::render::document::ChangeDocument;
use crate::render::fixture::{change, document, everywhere, hostile, tenant};

#[test]
fn no_text_ends_its_inline_code_or_table_cell() {
    assert_eq!(code("a"), "`a`");
    assert_eq!(code(""), "` `");
    assert_eq!(code("a`b``c"), "```a`b``c```");
    assert_eq!(code("`x`"), "`` `x` ``");
    assert_eq!(code(" x"), "`  x `");
    assert_eq!(code("a|b @org <img>"), "`a|b @org <img>`");
    assert_eq!(cell("a|b \\|"), "`a\\u{7c}b \\\\u{7c}`");
    assert_eq!(code("a\n\u{202e}b"), "`a\\u{a}\\u{202e}b`");
}

/// Renders Markdown as a forge does. Returns the texts outside of code, the tags, and the HTML.
fn rendered(markdown: &str) -> (String, BTreeSet<&'static str>, String) {
    let (mut words, mut tags) = (String::new(), BTreeSet::new());
    for event in Parser::new_ext(markdown, Options::all()) {
        let tag = match event {
            Event::Text(text) => {
                words.push_str(&text);
                continue;
            }
            Event::Html(_) | Event::InlineHtml(_) => "html",
            Event::Start(Tag::Image { .. }) => "image",
            Event::Start(Tag::Link { .. }) => "link",
            Event::Start(Tag::CodeBlock(_)) => "code block",
            Event::Start(Tag::FootnoteDefinition(_)) | Event::FootnoteReference(_) => "footnote",
            Event::InlineMath(_) | Event::DisplayMath(_) => "math",
            Event::TaskListMarker(_) => "task",
            _ => continue,
        };
        tags.insert(tag);
    }
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, Parser::new_ext(markdown, Options::all()));
    (words, tags, html)
}

#[test]
fn hostile_text_stays_text_in_every_place() {
    let plain = {
        let (_, _, html) = rendered(&plan(&everywhere("harmless"), None));
        html.matches('<').count()
    };
    for text in hostile() {
        let markdown = plan(&everywhere(&text), None);
        let (words, tags, html) = rendered(&markdown);
        assert_eq!(tags, BTreeSet::new(), "{text:?}\n{markdown}");
        // The page has the same number of elements as with harmless text.
        assert_eq!(html.matches('<').count(), plain, "{text:?}\n{html}");
        for bad in ["@", "evil", "#123", "script", "\u{1b}", "\u{202e}", "deadbeef"] {
            assert!(!words.contains(bad), "{text:?} says {bad} outside of code:\n{markdown}");
        }
    }
}

#[test]
fn a_long_plan_is_cut_between_tenants_and_links_to_the_whole_plan() {
    let many = |count: usize| {
        document(
            (0..count)
                .map(|n| tenant(&format!("tenant-{n:04}"), vec![change(&"word ".repeat(10))]))
                .collect(),
        )
    };
    let link = Some("https://ci.example/run/1");
    let short = plan(&many(3), link);
    assert!(
        !short.contains("not shown here") && short.contains("[The whole plan](https://ci.example/run/1)")
    );
    let long = plan(&many(1_000), link);
    assert!(long.len() <= BYTES_MAX && long.chars().count() < 65_536, "{}", long.len());
    assert!(long.len() > BYTES_MAX * 9 / 10, "the comment uses the available length: {}", long.len());
    let shown = long.matches("#### `tenant-").count();
    assert!(long.contains(&format!("**{} tenants not shown here**", 1_000 - shown)), "{shown}");
    // Every table is complete.
    assert_eq!(long.matches("\n| field | class |").count(), shown);
    assert!(long.ends_with("digest `sha256:2`\n"));
}

#[test]
fn a_tenant_that_is_too_long_is_shortened() {
    let changes =
        (0..5_000).map(|n| ChangeDocument { path: format!("features.flags.f{n}"), ..change("x") }).collect();
    let long = plan(&document(vec![tenant("huge", changes), tenant("small", vec![change("Hi")])]), None);
    assert!(long.len() < BYTES_MAX && long.contains("#### `small`"), "{}", long.len());
}

#[test]
fn unchanged_tenants_are_only_counted() {
    let quiet = |name: &str| tenant(name, Vec::new());
    let markdown = plan(&document(vec![quiet("a"), tenant("b", vec![change("Hi")]), quiet("c")]), None);
    assert!(markdown.starts_with("### genesync plan: 1 of 3 tenants change\n"), "{markdown}");
    assert!(markdown.contains("\n2 tenants in sync.\n") && !markdown.contains("`a`"), "{markdown}");
    let none = plan(&document(vec![quiet("a"), quiet("c")]), None);
    assert!(none.starts_with("### genesync plan: no changes, 2 tenants in sync\n"), "{none}");
}

#[test]
fn the_most_urgent_tenant_comes_first() {
    let mut off = tenant("z-off", vec![change("Hi")]);
    off.targets[0].changes[0].class = Class::Off;
    let mut failed = tenant("y-failed", Vec::new());
    (failed.state, failed.error) = ("failed", Some("no answer".into()));
    let markdown = plan(&document(vec![tenant("a-text", vec![change("Hi")]), off, failed]), None);
    let at = |name: &str| markdown.find(&format!("#### `{name}`")).unwrap();
    assert!(at("y-failed") < at("z-off") && at("z-off") < at("a-text"), "{markdown}");
}

#[test]
fn a_computed_field_has_a_remark_on_its_source() {
    let ratio = ChangeDocument { path: "widget.accessibility.contrastRatio".into(), ..change("5.1") };
    let markdown = plan(&document(vec![tenant("a", vec![ratio, change("Hi")])]), None);
    let row =
        "\n| `widget.accessibility.contrastRatio`, computed from the colours unless a manifest names it | ";
    assert!(markdown.contains(row), "{markdown}");
    assert_eq!(markdown.matches("computed from").count(), 1, "{markdown}");
}

/// The comment shows a greeting of the platform's maximum length without a cut.
#[test]
fn a_greeting_of_maximum_length_is_not_cut() {
    let long = |end: &str| json!([format!("{}{end}", "Your call may be recorded. ".repeat(5))]);
    let greeting =
        ChangeDocument { observed: Some(long("Hello!")), desired: Some(long("Good day!")), ..change("x") };
    let targets = vec![crate::render::fixture::target(vec![greeting])];
    let reported = crate::render::visitors::sentences(&targets);
    let markdown =
        plan(&document(vec![TenantPlan { targets, visitors: reported, ..tenant("a", Vec::new()) }]), None);
    assert_eq!(markdown.matches("recorded. Hello!").count(), 2, "{markdown}");
    assert_eq!(markdown.matches("recorded. Good day!").count(), 2, "{markdown}");
}

#[test]
fn a_conflict_shows_what_was_applied_last() {
    let conflict =
        ChangeDocument { kind: ChangeKind::Conflict, applied: Some(json!(["a|b"])), ..change("Hi") };
    let markdown = plan(&document(vec![tenant("a", vec![conflict])]), None);
    assert!(markdown.contains(" | conflict, applied last: `[\"a\\u{7c}b\"]` | "), "{markdown}");
}
