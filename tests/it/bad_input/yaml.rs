//! Rows Y: the YAML text itself.

use std::sync::Arc;

use genesync::manifest::{self, Bases, Input};
use genesync::model::{Severity, TenantName};
use genesync::render;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const WEB: &str = "tenants/acme/web.yaml";
const TENANT: &str = "tenants/acme/tenant.yaml";

/// Row, file, its bytes, the place of the error, its rule, a part of its message.
type Row = (&'static str, &'static str, Vec<u8>, &'static str, &'static str, &'static str);

fn refuse(rows: Vec<Row>) {
    assert_all_refused(rows.into_iter().map(|(id, file, bytes, place, rule, says)| {
        let fleet = load_acme(&[(file.to_owned(), bytes)]);
        (fleet, Expected { id, file, place, rule, says })
    }));
}

fn greeting(message: &str) -> Vec<u8> {
    web(&format!("  greetings:\n    messages: [{message}]\n")).into_bytes()
}

fn labels(text: &str) -> Vec<u8> {
    tenant("acme", 1, "").replace("  name: acme\n", &format!("  name: acme\n  labels: {text}\n")).into_bytes()
}

fn spec(text: &str) -> Vec<u8> {
    web(text).into_bytes()
}

fn extra(text: &str) -> Vec<u8> {
    tenant("acme", 1, text).into_bytes()
}

fn named(name: &str) -> Vec<u8> {
    tenant(name, 1, "").into_bytes()
}

/// A list of `levels` lists, each of nine aliases of the one before.
fn laughs(levels: usize) -> String {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..levels {
        let inner = vec![format!("*a{}", level - 1); 9].join(",");
        text.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    text
}

#[test]
fn alias_bombs_and_large_files_are_limited() {
    let quadratic = format!("a: &a {}\nb: [{}]\n", "x".repeat(60_000), vec!["*a"; 10_000].join(","));
    let blocks: String = (0..40).map(|depth| format!("{}k:\n", " ".repeat(depth))).collect();
    let anchors: String = (0..19_000).map(|n| format!("- &a{n} x\n")).collect();
    refuse(vec![
        ("Y01", WEB, laughs(9).into_bytes(), "5:14", "yaml", "with its aliases expanded"),
        ("Y02", WEB, quadratic.into_bytes(), "2:53", "yaml", "with its aliases expanded"),
        ("Y03", WEB, b"a: &a [*a]\n".to_vec(), "1:8", "yaml", "inside the value that it names"),
        ("Y04 merge", WEB, b"a: &a {x: 1}\nb:\n  <<: *a\n".to_vec(), "3:3", "yaml", "merge keys"),
        ("Y04 unknown", WEB, b"a: *nowhere\n".to_vec(), "1:4", "yaml", "not valid YAML"),
        ("Y05 lists", WEB, "[".repeat(60_000).into_bytes(), "1:33", "yaml", "not valid YAML"),
        ("Y05 maps", WEB, "{a: ".repeat(16_000).into_bytes(), "1:129", "yaml", "not valid YAML"),
        ("Y06 depth", WEB, blocks.into_bytes(), "33:33", "yaml", "not valid YAML"),
        ("Y06 size", WEB, vec![b' '; 12_500_000], "-", "yaml", "more than 524288 bytes"),
        (
            "Y20 line",
            WEB,
            format!("a: {}\n", "x".repeat(200_000)).into_bytes(),
            "1:1",
            "yaml",
            "bytes in one line",
        ),
        ("Y21 scalar", WEB, vec![b'x'; 5_000_000], "-", "yaml", "more than 524288 bytes"),
        (
            "Y21 keys",
            WEB,
            (0..30_000).map(|n| format!("k{n}: 1\n")).collect::<String>().into_bytes(),
            "10001:1",
            "yaml",
            "more than 20000 values",
        ),
        ("Y21 list", WEB, "- 1\n".repeat(30_000).into_bytes(), "20001:3", "yaml", "more than 20000 values"),
        ("Y21 anchors", WEB, anchors.into_bytes(), "1:1", "schema", "a document must be a map"),
        ("Y21 comments", WEB, "#\n".repeat(250_000).into_bytes(), "-", "yaml", "contains no document"),
        ("Y21 documents", WEB, "--- {}\n".repeat(100).into_bytes(), "65:1", "yaml", "64 documents"),
    ]);
}

#[test]
fn the_files_of_one_tenant_are_bounded_together() {
    let padding = "# padding\n".repeat(50_000);
    let many = |count: usize| -> Vec<FileOf> {
        (0..count).map(|n| (format!("tenants/acme/p{n:03}.yaml"), padding.clone().into_bytes())).collect()
    };
    let fleet = load_acme(&many(10));
    let expected = Expected {
        id: "Y21 tenant",
        file: "tenants/acme/p000.yaml",
        place: "-",
        rule: "yaml",
        says: "more than 4194304 bytes",
    };
    assert_refused(&fleet, &expected);
    // genesync does not read beyond the limit.
    assert!(fleet.bytes_read < 6 * 1024 * 1024, "{} bytes were read", fleet.bytes_read);
}

#[test]
fn duplicate_and_unknown_keys_are_refused() {
    let twice = |second: &str| {
        format!("apiVersion: genesync/v1alpha1\nkind: WebMessaging\n{second}: WebMessaging\n").into_bytes()
    };
    refuse(vec![
        ("Y07 plain", WEB, twice("kind"), "3:1", "yaml", "the key `kind` is here twice"),
        ("Y07 double", WEB, twice("\"kind\""), "3:1", "yaml", "the key `kind` is here twice"),
        ("Y07 single", WEB, twice("'kind'"), "3:1", "yaml", "the key `kind` is here twice"),
        ("Y07 escaped", WEB, twice("\"k\\x69nd\""), "3:1", "yaml", "the key `kind` is here twice"),
        (
            "Y07 flow",
            WEB,
            spec("  greetings: {enabled: true, \"enabled\": false}\n"),
            "5:30",
            "yaml",
            "twice",
        ),
        ("Y08", TENANT, extra("  regoin: eu-west-1\n"), "9:3", "schema", "there is no field `regoin` here"),
        ("Y08 nested", WEB, spec("  greetings:\n    mesages: [a]\n"), "6:5", "schema", "no field `mesages`"),
        ("Y23 list", WEB, b"? [a, b]\n: 1\n".to_vec(), "1:3", "yaml", "a key must be plain text"),
        ("Y23 map", WEB, b"{a: 1}: 1\n".to_vec(), "1:1", "yaml", "a key must be plain text"),
        ("Y23 null", WEB, b"~: 1\n".to_vec(), "1:1", "yaml", "a key must be plain text"),
    ]);
    let fleet = load_acme(&[(TENANT.into(), extra("  regoin: eu-west-1\n"))]);
    let help = fleet.findings.iter().find_map(|finding| finding.help.clone());
    assert_eq!(
        help.as_deref(),
        Some("did you mean `region`? it is already here: keep one of the two"),
        "Y08"
    );
    let fleet = load_acme(&[(WEB.into(), twice("'kind'"))]);
    let first = fleet.findings.iter().flat_map(|finding| &finding.related).next().unwrap();
    assert_eq!((first.0.line, first.0.column), (2, 1), "Y07: the place of its first use");
}

#[test]
fn scalars_keep_their_written_type() {
    let delay = |text: &str| spec(&format!("  greetings:\n    delayMs: {text}\n"));
    let flag = |text: &str| spec(&format!("  greetings:\n    enabled: {text}\n"));
    refuse(vec![
        ("Y09 yes", WEB, flag("yes"), "6:14", "schema", "`true` or `false`, not text"),
        ("Y09 on", WEB, flag("on"), "6:14", "schema", "`true` or `false`, not text"),
        ("Y09 True", WEB, flag("True"), "6:14", "yaml", "not a truth value here"),
        ("Y10 quoted", WEB, delay("\"3\""), "6:14", "schema", "a whole number, not text"),
        ("Y10 half", WEB, delay("3.5"), "6:14", "schema", "a whole number"),
        ("Y10 octal", WEB, delay("0o17"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y10 zero", WEB, delay("017"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y10 underscore", WEB, delay("1_000"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y10 exponent", WEB, delay("3e0"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y10 plus", WEB, delay("+3"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y10 minus", WEB, delay("-0"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y10 minus point", WEB, delay("-0.0"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y10 2^64", WEB, delay("18446744073709551616"), "6:14", "yaml", "more than 15 digits"),
        ("Y11 nan", WEB, delay(".nan"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y11 inf", WEB, delay("-.inf"), "6:14", "yaml", "a number to some YAML readers"),
        ("Y11 time", WEB, delay("12:30:45"), "6:14", "schema", "a whole number, not text"),
        ("Y11 date", WEB, delay("2026-11-20"), "6:14", "schema", "a whole number, not text"),
        ("Y12 number", TENANT, named("123"), "4:9", "schema", "this must be text, not a number"),
        ("Y12 exponent", TENANT, named("1e3"), "4:9", "yaml", "a number to some YAML readers"),
        ("Y12 truth", TENANT, named("true"), "4:9", "schema", "this must be text, not a truth value"),
        ("Y12 null", TENANT, named("~"), "4:9", "schema", "this must be text, not empty"),
        ("Y12 label", TENANT, labels("{ticket: 42}"), "5:20", "schema", "this must be text, not a number"),
    ]);
}

#[test]
fn long_values_are_refused_and_not_printed_in_full() {
    let delay = |text: &str| spec(&format!("  greetings:\n    delayMs: {text}\n"));
    refuse(vec![
        (
            "Y26 colour",
            WEB,
            spec(&format!("  widget: {{theme: {{colors: {{primary: \"#{}\"}}}}}}\n", "A".repeat(60_000))),
            "5:38",
            "colours",
            "is not ",
        ),
        ("Y26 name", TENANT, named(&"a".repeat(60_000)), "4:9", "schema", "63 are allowed"),
        (
            "Y26 region",
            TENANT,
            extra(&format!("  api: {}\n", "a".repeat(60_000))),
            "9:8",
            "schema",
            "not one of the allowed values",
        ),
        ("Y26 number", WEB, delay(&"9".repeat(60_000)), "6:14", "yaml", "more than 15 digits"),
        (
            "Y26 digits",
            TENANT,
            labels(&format!("{{ticket: {}}}", "9".repeat(60_000))),
            "5:20",
            "yaml",
            "more than 15 digits",
        ),
        (
            "Y26 zone",
            WEB,
            spec(&format!("  availability: {{timeZone: {}}}\n", "Z".repeat(60_000))),
            "5:28",
            "availability",
            "there is no time zone",
        ),
    ]);
}

#[test]
fn long_names_are_refused_and_not_printed_in_full() {
    refuse(vec![
        (
            "Y26 kind",
            WEB,
            format!("kind: {}\n", "W".repeat(60_000)).into_bytes(),
            "1:7",
            "schema",
            "there is no kind",
        ),
        (
            "Y26 field",
            WEB,
            spec(&format!("  ? {}\n  : 1\n", "w".repeat(60_000))),
            "5:5",
            "schema",
            "there is no field",
        ),
        (
            "Y26 flag",
            WEB,
            spec(&format!("  features:\n    flags:\n      ? {}\n      : true\n", "f".repeat(60_000))),
            "7:9",
            "schema",
            "is not a valid name",
        ),
        (
            "Y26 alias",
            WEB,
            format!("a: *{}\n", "n".repeat(60_000)).into_bytes(),
            "1:4",
            "yaml",
            "not valid YAML",
        ),
        (
            "Y26 layer",
            WEB,
            spec(&format!("  extends: [{}]\n", "b".repeat(60_000))),
            "5:13",
            "layers",
            "there is no layer",
        ),
    ]);
}

#[test]
fn unambiguous_values_are_accepted() {
    let rows: Vec<(&str, &str, Vec<u8>)> = vec![
        ("Y04 alias", WEB, b"apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {name: &n web}\nspec:\n  features: {audiences: [*n]}\n".to_vec()),
        ("Y10 whole", WEB, spec("  greetings: {delayMs: 3.0}\n")),
        ("Y11 quoted", TENANT, labels("{at: \"12:30:45\", day: \"2026-11-20\", n: \".nan\"}")),
        ("Y14 two", WEB, b"# a comment\n--- \napiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {name: web}\nspec: {greetings: {enabled: false}}\n...\n".to_vec()),
        ("Y15 mark", WEB, [b"\xef\xbb\xbf".to_vec(), greeting("Hi")].concat()),
        ("Y20 crlf", WEB, web(SOUND_SPEC).replace('\n', "\r\n").into_bytes()),
        ("Y20 cr", WEB, web(SOUND_SPEC).replace('\n', "\r").into_bytes()),
        ("Y20 spaces", WEB, web(SOUND_SPEC).replace('\n', "   \n").into_bytes()),
        ("Y24 json", WEB, br#"{"apiVersion": "genesync/v1alpha1", "kind": "WebMessaging", "metadata": {"name": "web"}, "spec": {}}"#.to_vec()),
    ];
    for (id, file, bytes) in rows {
        assert_accepted(id, &load_acme(&[(file.to_owned(), bytes)]));
    }
}

#[test]
fn the_country_code_no_is_accepted_with_a_warning() {
    let fleet = load_acme(&[(TENANT.into(), labels("{country: NO}"))]);
    assert_accepted("Y09", &fleet);
    let found: Vec<_> = fleet
        .findings
        .iter()
        .map(|finding| {
            (finding.severity, finding.location.line, finding.location.column, finding.help.as_deref())
        })
        .collect();
    assert_eq!(found, [(Severity::Warning, 5, 21, Some("put it in quotes: \"NO\""))], "Y09");
}

/// Warnings may fill the list of findings of a file; genesync still reads the rest of the file.
#[test]
fn many_warnings_hide_nothing() {
    let countries: Vec<String> = (0..80).map(|n| format!("c{n}: NO")).collect();
    let first = String::from_utf8(labels(&format!("{{{}}}", countries.join(", ")))).unwrap();
    let both = |web: &str| format!("{first}---\n{web}");
    let files = |text: String| -> Vec<FileOf> {
        vec![(TENANT.into(), text.into_bytes()), (WEB.into(), web(SOUND_SPEC).into_bytes())]
    };
    let fleet = load_acme(&files(both(&web("  greetings: {enabled: true, messages: [\"Hello!\"]}\n"))));
    let expected =
        Expected { id: "Y09 many", file: WEB, place: "2:7", rule: "identity", says: "a second WebMessaging" };
    assert_refused(&fleet, &expected);
    let fleet = load_acme(&files(both("a: 1\na: 2\n")));
    let expected =
        Expected { id: "Y09 many", file: TENANT, place: "12:1", rule: "yaml", says: "is here twice" };
    assert_refused(&fleet, &expected);
}

#[test]
fn tags_documents_and_directives_are_plain_or_refused() {
    let tagged = |tag: &str| spec(&format!("  greetings: {tag}\n"));
    refuse(vec![
        (
            "Y13 python",
            WEB,
            tagged("!!python/object/apply:os.system [x]"),
            "5:46",
            "yaml",
            "tags are not allowed",
        ),
        ("Y13 include", WEB, tagged("!include /etc/passwd"), "5:23", "yaml", "tags are not allowed"),
        ("Y13 binary", WEB, tagged("!!binary aGk="), "5:23", "yaml", "tags are not allowed"),
        ("Y13 ruby", WEB, tagged("!ruby/object:Gem {a: 1}"), "5:31", "yaml", "tags are not allowed"),
        ("Y13 str", WEB, tagged("!!str 5"), "5:20", "yaml", "tags are not allowed"),
        ("Y14 junk", WEB, b"a: 1\n...\njunk: 2\n".to_vec(), "3:1", "yaml", "after the document's end"),
        ("Y14 version", WEB, b"%YAML 1.1\n---\na: 1\n".to_vec(), "1:1", "yaml", "not valid YAML"),
        ("Y14 tag", WEB, b"%TAG ! tag:evil,2026:\n---\na: 1\n".to_vec(), "1:1", "yaml", "not valid YAML"),
        ("Y22 empty", WEB, Vec::new(), "-", "yaml", "contains no document"),
        ("Y22 comments", WEB, b"# nothing\n\n# here\n".to_vec(), "-", "yaml", "contains no document"),
        ("Y22 null", WEB, b"~\n".to_vec(), "1:1", "schema", "a document must be a map"),
        ("Y22 list", WEB, b"[]\n".to_vec(), "1:1", "schema", "a document must be a map"),
        ("Y22 map", WEB, b"{}\n".to_vec(), "1:1", "schema", "`kind` is missing"),
        ("Y22 dashes", WEB, b"---\n---\n".to_vec(), "1:4", "schema", "a document must be a map"),
        ("Y22 tenant", TENANT, Vec::new(), "-", "yaml", "contains no document"),
        (
            "Y22 spec",
            TENANT,
            b"apiVersion: genesync/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec:\n".to_vec(),
            "4:5",
            "schema",
            "this must be a map, not empty",
        ),
        (
            "Y24 comment",
            WEB,
            b"{\n  // a comment\n  \"kind\": \"WebMessaging\"\n}\n".to_vec(),
            "1:1",
            "schema",
            "`kind` is missing",
        ),
        ("Y24 toml", WEB, b"[spec]\nkind = \"WebMessaging\"\n".to_vec(), "2:1", "yaml", "not valid YAML"),
        (
            "Y24 html",
            WEB,
            b"<!DOCTYPE html>\n<html></html>\n".to_vec(),
            "1:1",
            "schema",
            "a document must be a map",
        ),
        ("Y24 png", WEB, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "1:1", "yaml", "not UTF-8"),
    ]);
}

#[test]
fn a_trailing_comma_is_accepted() {
    let text = br#"{"apiVersion": "genesync/v1alpha1", "kind": "WebMessaging", "metadata": {"name": "web"}, "spec": {"features": {"audiences": ["a",],},},}"#;
    let asked = assert_accepted("Y24 comma", &load_acme(&[(WEB.into(), text.to_vec())]));
    assert_eq!(asked, json!({"features": {"audiences": ["a"]}}), "Y24 comma");
}

#[test]
fn encodings_and_control_characters_are_refused() {
    let utf16: Vec<u8> = "kind: x\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin = |byte: u8| [b"kind: Web\nname: caf".to_vec(), vec![byte], b"\n".to_vec()].concat();
    let quoted = |escape: &str| greeting(&format!("\"a{escape}b\""));
    refuse(vec![
        ("Y15 utf-16", WEB, utf16.clone(), "1:2", "yaml", "not valid YAML"),
        ("Y15 utf-16 mark", WEB, [b"\xff\xfe".to_vec(), utf16].concat(), "1:1", "yaml", "not UTF-8"),
        ("Y15 latin-1", WEB, latin(0xe9), "2:10", "yaml", "not UTF-8"),
        ("Y15 overlong", WEB, b"a: \xc0\xaf\n".to_vec(), "1:4", "yaml", "not UTF-8"),
        ("Y16 raw nul", WEB, quoted("\0"), "6:18", "yaml", "not valid YAML"),
        ("Y16 raw esc", WEB, quoted("\x1b[31m"), "6:18", "yaml", "not valid YAML"),
        ("Y16 raw del", WEB, quoted("\x7f"), "6:18", "yaml", "not valid YAML"),
        ("Y16 raw c1", WEB, quoted("\u{9b}31m"), "6:18", "yaml", "not valid YAML"),
        ("Y16 escaped nul", WEB, quoted("\\0"), "6:16", "yaml", "U+0000"),
        ("Y16 escaped esc", WEB, quoted("\\e[31m"), "6:16", "yaml", "U+001B"),
        ("Y16 escaped bell", WEB, quoted("\\x07"), "6:16", "yaml", "U+0007"),
        ("Y16 escaped c1", WEB, quoted("\\x9b"), "6:16", "yaml", "U+009B"),
        ("Y16 key", WEB, spec("  \"a\\e[2Jb\": 1\n"), "5:3", "yaml", "U+001B"),
        (
            "Y16 comment",
            WEB,
            [b"# \x1b[2J\n".to_vec(), greeting("Hi")].concat(),
            "1:3",
            "yaml",
            "not valid YAML",
        ),
    ]);
}

#[test]
fn hidden_and_look_alike_characters_are_refused() {
    let quoted = |escape: &str| greeting(&format!("\"a{escape}b\""));
    refuse(vec![
        ("Y17 name", TENANT, named("\"ac\u{202e}me\""), "4:9", "schema", "is not "),
        ("Y17 width", TENANT, named("\"acme\u{200b}\""), "4:9", "schema", "is not "),
        ("Y17 label", TENANT, labels("{a: \"x\u{2066}y\"}"), "5:15", "schema", "is not "),
        ("Y17 tag", TENANT, labels("{a: \"x\u{e0041}y\"}"), "5:15", "schema", "is not "),
        ("Y17 key", WEB, spec("  \"gree\u{200b}tings\": {}\n"), "5:3", "schema", "there is no field"),
        (
            "Y17 flag",
            WEB,
            spec("  features: {flags: {\"a\u{202e}b\": true}}\n"),
            "5:22",
            "schema",
            "is not a valid name",
        ),
        ("Y17 escaped", WEB, quoted("\\u202e"), "6:16", "greeting", "U+202E"),
        ("Y17 text", WEB, quoted("\u{2067}"), "6:16", "greeting", "U+2067"),
        ("Y17 nothing", WEB, quoted("\u{200b}"), "6:16", "greeting", "U+200B"),
        ("Y17 tags", WEB, quoted("\u{e0041}"), "6:16", "greeting", "U+E0041"),
        ("Y18 cyrillic", TENANT, named("p\u{430}ypal"), "4:9", "schema", "is not "),
        ("Y18 nfd", TENANT, named("cafe\u{301}"), "4:9", "schema", "is not "),
        ("Y18 audience", WEB, spec("  features: {audiences: [p\u{430}ypal]}\n"), "5:26", "schema", "is not "),
        ("Y18 kind", WEB, "kind: W\u{435}bMessaging\n".into(), "1:7", "schema", "there is no kind"),
    ]);
}

#[test]
fn escapes_and_indents_that_mean_nothing_are_refused() {
    let quoted = |escape: &str| greeting(&format!("\"a{escape}b\""));
    refuse(vec![
        ("Y19 surrogate", WEB, quoted("\\ud800"), "6:16", "yaml", "not valid YAML"),
        ("Y19 pair", WEB, quoted("\\udc00\\ud800"), "6:16", "yaml", "not valid YAML"),
        ("Y19 beyond", WEB, quoted("\\U00110000"), "6:16", "yaml", "not valid YAML"),
        (
            "Y20 tab",
            WEB,
            b"kind: WebMessaging\nspec:\n\tgreetings: {}\n".to_vec(),
            "3:2",
            "yaml",
            "tabs disallowed",
        ),
        (
            "Y25 indent",
            WEB,
            spec("  greetings:\n    messages:\n      - |9\n       Hi\n"),
            "8:8",
            "yaml",
            "not valid YAML",
        ),
        (
            "Y25 two digits",
            WEB,
            spec("  greetings:\n    messages:\n      - |99\n       Hi\n"),
            "7:9",
            "yaml",
            "not valid YAML",
        ),
        (
            "Y25 zero",
            WEB,
            spec("  greetings:\n    messages:\n      - |0\n       Hi\n"),
            "7:9",
            "yaml",
            "not valid YAML",
        ),
        (
            "Y25 literal",
            WEB,
            spec("  greetings:\n    messages:\n      - |-\n        Hi\n        there\n"),
            "8:9",
            "greeting",
            "a line break",
        ),
        (
            "Y25 kept end",
            WEB,
            spec("  greetings:\n    messages:\n      - >\n        Hi\n"),
            "8:9",
            "greeting",
            "ends with white space",
        ),
    ]);
}

/// Every way to break a text into lines gives this value.
#[test]
fn block_scalars_have_one_meaning() {
    let message = |block: &str| {
        let bytes = spec(&format!("  greetings:\n    messages:\n      - {block}\n"));
        assert_accepted("Y25", &load_acme(&[(WEB.into(), bytes)]))
    };
    let asked = json!({"greetings": {"messages": ["Hi there"]}});
    for block in [
        ">-\n        Hi\n        there",
        "|-\n        Hi there",
        "\"Hi\n        there\"",
        "'Hi there'",
        "Hi\n        there",
        "\"Hi \\\n        there\"",
        ">1-\n       Hi\n       there",
    ] {
        assert_eq!(message(block), asked, "Y25: {block:?}");
    }
}

/// Reads bytes as a tenant's only file, and renders every finding.
fn read_and_render(bytes: &[u8]) -> String {
    let input = Input { path: Arc::from(WEB), bytes: Arc::from(bytes) };
    let read = manifest::read_tenant(&TenantName::new("acme"), &[input], &Bases::default());
    let findings = genesync::validate::check(&read, &Default::default(), TODAY);
    let texts = read.files.by_path(WEB).map(|file| (Arc::clone(&file.path), Arc::clone(&file.text)));
    render::finding::text(&findings, &texts.into_iter().collect(), false)
}

/// Fragments that make documents instead of noise.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "apiVersion: genesync/v1alpha1\n",
        "kind: WebMessaging\n",
        "kind: Tenant\n",
        "metadata: {name: acme}\n",
        "spec:\n",
        "  greetings:\n",
        "    messages:\n",
        "      - ",
        "\"a\u{202e}\u{200b}b\"",
        "    delayMs: ",
        "  availability:\n",
        "    rules:\n",
        "    timeZone: ",
        "Europe/Berlin",
        "- {dayOfWeek: MONDAY, startTime: \"22:00\", endTime: ",
        "\"06:00\"}",
        "  widget: {theme: {colors: {primary: \"#FFF\"",
        "}}}\n",
        "&a ",
        "*a",
        "!x ",
        "---\n",
        "...\n",
        "[",
        "]",
        "{",
        "}",
        ",",
        ": ",
        "\n",
        "\r\n",
        "\t",
        "  ",
        "|-\n",
        "\u{feff}",
        "\0",
        "\u{9b}",
        "\u{85}",
        "é",
        "\u{e0041}",
        "1e5",
        "-0",
        "99999999999999999999",
        "password: hunter2\n",
        "ghp_0123456789abcdef0123456789abcdef",
        "''",
        "\"\\e\"",
        "? ",
        "<<: *a\n",
        "#",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_and_what_is_found_can_be_shown(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        assert_shown_plainly("any bytes", &read_and_render(&bytes));
    }

    #[test]
    fn any_text_is_read_and_what_is_found_can_be_shown(text in any::<String>()) {
        assert_shown_plainly("any text", &read_and_render(text.as_bytes()));
    }

    #[test]
    fn anything_like_a_manifest_is_read_and_what_is_found_can_be_shown(text in pieces()) {
        assert_shown_plainly("pieces", &read_and_render(text.as_bytes()));
    }
}
