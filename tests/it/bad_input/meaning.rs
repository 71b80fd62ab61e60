//! Rows N: the meaning of a manifest.

use serde_json::json;

use super::*;

const WEB: &str = "tenants/acme/web.yaml";
const TENANT: &str = "tenants/acme/tenant.yaml";
const MORE: &str = "tenants/acme/zz.yaml";

/// Row, file, its text, the place of the error, its rule, a part of its message.
type Row = (&'static str, &'static str, String, &'static str, &'static str, &'static str);

fn refuse(rows: Vec<Row>) {
    assert_all_refused(rows.into_iter().map(|(id, file, text, place, rule, says)| {
        let fleet = load_acme(&[(file.to_owned(), text.into_bytes())]);
        (fleet, Expected { id, file, place, rule, says })
    }));
}

fn greeting(message: &str) -> String {
    web(&format!("  greetings:\n    messages: [{message}]\n"))
}

fn region(text: &str) -> String {
    tenant("acme", 1, "").replace("eu-west-1", text)
}

fn layer(name: &str, spec: &str) -> FileOf {
    let text = web(spec).replace("{name: web}", &format!("{{name: {name}}}"));
    (format!("bases/{name}.yaml"), text.into_bytes())
}

#[test]
fn a_wrong_tenant_name_or_region_is_refused() {
    let not_one = "not one of the allowed values";
    refuse(vec![
        (
            "N01",
            TENANT,
            tenant("other", 1, ""),
            "4:9",
            "identity",
            "named `other` but is in the folder `acme`",
        ),
        ("N01 zebra", TENANT, tenant("zebra", 1, ""), "4:9", "identity", "is in the folder `acme`"),
        ("N03 suffix", TENANT, region("api.mypurecloud.com.evil.tld"), "7:11", "schema", not_one),
        ("N03 link-local", TENANT, region("https://169.254.169.254/"), "7:11", "schema", not_one),
        ("N03 mapped", TENANT, region("\"https://[::ffff:127.0.0.1]/\""), "7:11", "schema", not_one),
        (
            "N03 userinfo",
            TENANT,
            region("https://api.mypurecloud.com@evil.example/"),
            "7:11",
            "schema",
            not_one,
        ),
        ("N03 port", TENANT, region("api.mypurecloud.com:8443"), "7:11", "schema", not_one),
        ("N03 dot", TENANT, region("eu-west-1."), "7:11", "schema", not_one),
        ("N03 case", TENANT, region("EU-WEST-1"), "7:11", "schema", not_one),
        ("N03 idn", TENANT, region("eu-w\u{435}st-1"), "7:11", "schema", not_one),
        (
            "N03 field",
            TENANT,
            tenant("acme", 1, "  endpoint: https://evil.example\n"),
            "9:3",
            "schema",
            "no field `endpoint`",
        ),
        (
            "N03 replica",
            TENANT,
            tenant(
                "acme",
                1,
                "  replicas:\n    - {organizationId: 5b0c8a2e-93d4-4a57-8f0f-000000000002, region: evil.tld}\n",
            ),
            "10:70",
            "schema",
            not_one,
        ),
    ]);
}

#[test]
fn texts_are_not_executed_or_expanded() {
    refuse(vec![
        (
            "N07 shell",
            WEB,
            greeting("\"Hi ${HOME}\""),
            "6:16",
            "greeting",
            "which the platform does not expand",
        ),
        (
            "N07 command",
            WEB,
            greeting("\"Hi $(id)\""),
            "6:16",
            "greeting",
            "which the platform does not expand",
        ),
        ("N07 erb", WEB, greeting("\"<%= system('id') %>\""), "6:16", "greeting", "template expression"),
        (
            "N07 formula",
            WEB,
            greeting("\"{{ 7 * 7 }}\""),
            "6:16",
            "greeting",
            "not the name of a placeholder",
        ),
        (
            "N07 name",
            TENANT,
            tenant("acme", 1, "").replace("credentials: acme", "credentials: ${HOME}"),
            "8:16",
            "schema",
            "`${HOME}` is not ",
        ),
        (
            "N07 audience",
            WEB,
            web("  features: {audiences: [\"$(id)\"]}\n"),
            "5:26",
            "schema",
            "`$(id)` is not ",
        ),
    ]);
}

#[test]
fn numbers_times_and_sizes_keep_their_bounds() {
    refuse(vec![
        ("N08 negative", WEB, web("  greetings: {delayMs: -1}\n"), "5:24", "schema", "less than 0"),
        (
            "N08 huge",
            WEB,
            web("  greetings: {delayMs: 9000000000000000000}\n"),
            "5:24",
            "yaml",
            "more than 15 digits",
        ),
        ("N08 unit", WEB, web("  greetings: {delayMs: 1y}\n"), "5:24", "schema", "a whole number, not text"),
        (
            "N08 empty",
            WEB,
            web("  greetings: {delayMs: \"\"}\n"),
            "5:24",
            "schema",
            "a whole number, not text",
        ),
        ("N08 wave", TENANT, tenant("acme", 1, "  sync: {wave: -1}\n"), "9:16", "schema", "less than 0"),
        (
            "N08 window",
            TENANT,
            tenant("acme", 1, "  sync:\n    windows: [{start: \"24:00\", end: \"-1:00\", timeZone: UTC}]\n"),
            "10:23",
            "schema",
            "`24:00` is not ",
        ),
        (
            "N08 size",
            WEB,
            web("  widget: {theme: {typography: {fontSize: 9e18px}}}\n"),
            "5:43",
            "typography",
            "`9e18px` is not ",
        ),
        (
            "N08 same time",
            WEB,
            web(
                "  availability: {schedule: custom, rules: [{dayOfWeek: MONDAY, startTime: \"09:00\", endTime: \"09:00\"}]}\n",
            ),
            "5:93",
            "availability",
            "end when they start",
        ),
    ]);
}

#[test]
fn long_texts_many_items_and_markup_are_refused() {
    let list = |count: usize, item: &str| vec![item; count].join(", ");
    refuse(vec![
        ("N09 name", TENANT, tenant(&format!("{}!", "a-".repeat(30_000)), 1, ""), "4:9", "schema", "is not "),
        (
            "N09 zone",
            WEB,
            web(&format!("  availability: {{timeZone: \"{}!\"}}\n", "A/".repeat(30_000))),
            "5:28",
            "availability",
            "is not ",
        ),
        (
            "N09 font",
            WEB,
            web(&format!(
                "  widget: {{theme: {{typography: {{fontFamily: \"{};\"}}}}}}\n",
                "a, ".repeat(20_000)
            )),
            "5:45",
            "typography",
            "is not ",
        ),
        (
            "N10 greetings",
            WEB,
            greeting("a, b, c, d"),
            "6:15",
            "greeting",
            "this list has 4 items, but 3 are allowed",
        ),
        (
            "N10 audiences",
            WEB,
            web(&format!("  features: {{audiences: [{}]}}\n", list(9_000, "a"))),
            "5:25",
            "schema",
            "this list has 9000 items, but 100 are allowed",
        ),
        (
            "N10 flags",
            WEB,
            web(&format!(
                "  features:\n    flags:\n{}",
                (0..101).map(|n| format!("      f{n}: true\n")).collect::<String>()
            )),
            "7:7",
            "schema",
            "more than 100 entries",
        ),
        ("N10 markup", WEB, greeting("\"<script>alert(1)</script>\""), "6:16", "greeting", "markup"),
        ("N10 link", WEB, greeting("\"JavaScript:alert(1)\""), "6:16", "greeting", "a script"),
    ]);
}

#[test]
fn documents_are_of_one_kind_and_one_version() {
    refuse(vec![
        ("N11 tenant", MORE, tenant("acme", 2, ""), "2:7", "identity", "a second Tenant document"),
        ("N11 web", MORE, web("  {}\n"), "2:7", "identity", "a second WebMessaging document"),
        (
            "N12 missing",
            WEB,
            web("  extends: [retail]\n"),
            "5:13",
            "layers",
            "there is no layer `retail` under bases/",
        ),
        (
            "N15",
            TENANT,
            tenant("acme", 1, "  sync: {ignoreFields: [\"/\"]}\n"),
            "9:10",
            "schema",
            "no field `ignoreFields`",
        ),
        ("N15 path", WEB, web("  \"$..[?(@.a =~ /(a+)+$/)]\": 1\n"), "5:3", "schema", "there is no field"),
        (
            "N16 future",
            WEB,
            web(SOUND_SPEC).replace("v1alpha1", "v2"),
            "1:13",
            "schema",
            "`genesync/v2` is not one of the allowed values",
        ),
        (
            "N16 past",
            TENANT,
            tenant("acme", 1, "").replace("v1alpha1", "v1alpha0"),
            "1:13",
            "schema",
            "`genesync/v1alpha0` is not one of the allowed values",
        ),
        (
            "N16 none",
            TENANT,
            tenant("acme", 1, "").replace("apiVersion: genesync/v1alpha1\n", ""),
            "1:1",
            "schema",
            "`apiVersion` is missing",
        ),
    ]);
}

#[test]
fn numbers_keep_every_digit_or_are_refused() {
    refuse(vec![
        (
            "N17 2^53+1",
            WEB,
            web("  widget: {accessibility: {contrastRatio: 9007199254740993}}\n"),
            "5:43",
            "yaml",
            "more than 15 digits",
        ),
        (
            "N17 nearly whole",
            WEB,
            web("  greetings: {delayMs: 59999.99999999999999999999}\n"),
            "5:24",
            "yaml",
            "more than 15 digits",
        ),
        (
            "N17 nearly one",
            TENANT,
            tenant("acme", 1, "  sync: {wave: 0.99999999999999999999}\n"),
            "9:16",
            "yaml",
            "more than 15 digits",
        ),
        (
            "N17 zero",
            WEB,
            web("  greetings: {delayMs: -0}\n"),
            "5:24",
            "yaml",
            "a number to some YAML readers",
        ),
    ]);
}

#[test]
fn texts_and_numbers_arrive_as_written() {
    let rows = [
        ("N07", greeting("\"Hi {{firstName}}!\""), json!({"greetings": {"messages": ["Hi {{firstName}}!"]}})),
        ("N10", greeting("\"1 < 2 & 'yes'\""), json!({"greetings": {"messages": ["1 < 2 & 'yes'"]}})),
        ("N17 null", web("  greetings: {messages: ~}\n"), json!({"greetings": {"messages": null}})),
    ];
    for (id, text, expected) in rows {
        assert_eq!(assert_accepted(id, &load_acme(&[(WEB.into(), text.into_bytes())])), expected, "{id}");
    }
    let text = web(
        "  widget:\n    accessibility: {contrastRatio: 10.0400000000001}\n    theme: {colors: {primary: \"#0B3D91\", background: \"#FFFFFF\"}}\n",
    );
    let asked = assert_accepted("N17", &load_acme(&[(WEB.into(), text.into_bytes())]));
    let ratio = asked.pointer("/widget/accessibility/contrastRatio").unwrap();
    assert_eq!(ratio.to_string(), "10.0400000000001", "N17: digits are lost");
}

#[test]
fn an_organization_belongs_to_one_tenant() {
    let upper = tenant("acme", 1, "").replace("5b0c8a2e-93d4", "5B0C8A2E-93D4");
    let replica = "  replicas: [{organizationId: 5b0c8a2e-93d4-4a57-8f0f-000000000002, region: eu-west-2}]\n";
    let twice = "  replicas: [{organizationId: 5b0c8a2e-93d4-4a57-8f0f-000000000001, region: eu-west-2}]\n";
    // Row, the tenant `acme`, the number of its rival, the place of acme's refused claim.
    let rows = [
        ("N02 same", tenant("acme", 1, ""), 1, "6:19"),
        ("N02 case", upper, 1, "6:19"),
        ("N02 replica", tenant("acme", 1, replica), 2, "9:31"),
        ("N18 itself", tenant("acme", 1, twice), 7, "9:31"),
    ];
    for (id, text, rival, place) in rows {
        let mut files = vec![(TENANT.to_owned(), text.into_bytes())];
        files.extend(sound("rival", rival));
        let fleet = load_acme(&files);
        let expected = Expected { id, file: TENANT, place, rule: "identity", says: "is claimed 2 times" };
        assert_refused(&fleet, &expected);
        let blocked = fleet.tenants.iter().any(|loaded| loaded.name.as_str() == "rival" && loaded.blocked);
        assert_eq!(blocked, rival != 7, "{id}: exactly the tenants that claim it are refused");
    }
}

#[test]
fn circular_layers_and_duplicate_layer_names_are_refused() {
    let extends = |name: &str| (WEB.to_owned(), web(&format!("  extends: [{name}]\n")).into_bytes());
    let chain: Vec<FileOf> =
        (0..20).map(|n| layer(&format!("c{n}"), &format!("  extends: [c{}]\n", n + 1))).collect();
    let rows: Vec<(&str, Vec<FileOf>, &str, &str, &str)> = vec![
        (
            "N12 self",
            vec![layer("a", "  extends: [a]\n"), extends("a")],
            "bases/a.yaml",
            "5:13",
            "in a circle: a -> a",
        ),
        (
            "N12 circle",
            vec![layer("a", "  extends: [b]\n"), layer("b", "  extends: [a]\n"), extends("a")],
            "bases/b.yaml",
            "5:13",
            "in a circle: a -> b -> a",
        ),
        (
            "N12 near",
            vec![layer("retail", "  {}\n"), extends("retial")],
            WEB,
            "5:13",
            "there is no layer `retial`",
        ),
        (
            "N12 long",
            [chain, vec![extends("c0")]].concat(),
            "bases/c15.yaml",
            "5:13",
            "levels of layers are allowed",
        ),
        (
            "N11 twins",
            vec![layer("a", "  {}\n"), ("bases/z.yaml".into(), layer("a", "  {}\n").1), extends("a")],
            WEB,
            "5:13",
            "two layers `a` under bases/",
        ),
        (
            "N12 broken",
            vec![layer("a", "  greetings: {delayMs: -1}\n"), extends("a")],
            WEB,
            "5:12",
            "is not valid",
        ),
    ];
    for (id, files, file, place, says) in rows {
        assert_refused(&load_acme(&files), &Expected { id, file, place, rule: "layers", says });
    }
}

/// A file of a few bytes can expand to many values, and each item of a list can be wrong.
#[test]
fn small_files_that_expand_are_limited() {
    let aliases = format!("a: &a [{}]\nb: [{}]\n", vec!["1"; 100].join(","), vec!["*a"; 180].join(","));
    let files: Vec<FileOf> =
        (0..30).map(|n| (format!("tenants/acme/f{n:02}.yaml"), aliases.clone().into_bytes())).collect();
    let expected = Expected {
        id: "Y02 tenant",
        file: "tenants/acme/f29.yaml",
        place: "-",
        rule: "yaml",
        says: "together have more than 200000 values",
    };
    assert_refused(&load_acme(&files), &expected);

    let names = vec!["A!"; 9_000].join(", ");
    let fleet = load_acme(&[(WEB.into(), web(&format!("  extends: [{names}]\n")).into_bytes())]);
    let expected =
        Expected { id: "N10 items", file: WEB, place: "5:13", rule: "schema", says: "`A!` is not " };
    assert_refused(&fleet, &expected);
    assert!(fleet.findings.len() < 100, "N10: {} findings for one list", fleet.findings.len());
    let keys: String = (0..9_000).map(|n| format!("  k{n}: 1\n")).collect();
    let fleet = load_acme(&[(WEB.into(), web(&keys).into_bytes())]);
    assert!(fleet.findings.len() < 100, "N10: {} findings for one map", fleet.findings.len());
}

#[test]
fn one_layer_folder_is_bounded_as_a_whole() {
    let padding = "# padding\n".repeat(50_000);
    let files: Vec<FileOf> =
        (0..40).map(|n| (format!("bases/b{n:02}.yaml"), padding.clone().into_bytes())).collect();
    let error = load(folder(&files).path()).unwrap_err();
    assert!(matches!(error, SourceError::Limit { .. }), "Y21 bases: {error}");
}

/// Each secret, its file and the file's text. genesync prints none of the secrets.
fn secrets() -> Vec<(&'static str, &'static str, String)> {
    let hex = "9f86d081884c7d659a2feaa0c55ad015";
    let webhook = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH";
    let token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    let pem = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let key = format!(
        "  greetings:\n    messages:\n      - |\n        -----BEGIN PRIVATE KEY-----\n        {pem}\n        -----END PRIVATE KEY-----\n"
    );
    vec![
        (hex, WEB, greeting(&format!("\"{hex}\""))),
        (token, WEB, greeting(&format!("\" {token} \""))),
        (hex, WEB, web(&format!("  widget: {{theme: {{typography: {{fontFamily: {hex}}}}}}}\n"))),
        (
            webhook,
            TENANT,
            tenant("acme", 1, "").replace("credentials: acme", &format!("credentials: {webhook}")),
        ),
        (pem, WEB, web(&key)),
        (hex, TENANT, tenant("acme", 1, &format!("  api: {hex}\n"))),
        (token, WEB, web(&format!("  features: {{audiences: [{token}]}}\n"))),
        ("hunter2!", TENANT, tenant("acme", 1, "  clientSecret: hunter2!\n")),
        ("hunter2!", TENANT, tenant("acme", 1, "  password: {value: hunter2!}\n")),
        ("73571357", TENANT, tenant("acme", 1, "  password: 73571357\n")),
        (
            "73571357",
            TENANT,
            tenant("acme", 1, "").replace("metadata:\n", "metadata:\n  labels: {password: 73571357}\n"),
        ),
        ("01571357", TENANT, tenant("acme", 1, "  password: 01571357\n")),
        ("hunter2!", TENANT, tenant("acme", 1, "  token: hunter2!\n  token: hunter2!\n")),
        (token, TENANT, tenant("acme", 1, &format!("  owners: [{token}]\n  owners: [{token}]\n"))),
        ("hunter2!", TENANT, tenant("acme", 1, "  owners: [\"https://me:hunter2!@vault.example/x\"]\n")),
        ("hunter2!", "bases/a.yaml", web("  greetings: {messages: [a]}\n  password: hunter2!\n")),
        (token, "bases/a.yaml", greeting(token)),
        (
            token,
            "genesync.yaml",
            format!(
                "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {{name: p}}\nspec: {{rules: {{waivers: [{{rule: contrast, tenant: acme, owner: a@b.example, reason: {token}, expires: 2027-01-01}}]}}}}\n"
            ),
        ),
    ]
}

// Guarantee: secrets-are-not-shown
#[test]
fn secrets_are_found_and_never_printed() {
    let mut all = sound("acme", 1);
    for (index, (secret, path, text)) in secrets().into_iter().enumerate() {
        let mut files = sound("acme", 1);
        files.retain(|(known, _)| known != path);
        files.push((path.to_owned(), text.clone().into_bytes()));
        let fleet = load(folder(&files).path()).unwrap();
        assert_zebra_is_sound("N06", &fleet);
        let errors: Vec<&Finding> =
            fleet.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
        // genesync reads nothing of a broken text, so it reports no secret there.
        let reported = errors.iter().any(|finding| finding.rule == "secrets" || finding.rule == "yaml");
        assert!(reported, "N06: {secret} is not found in {text}: {errors:#?}");
        let own = format!("s{index}");
        all.retain(|(known, _)| known != path);
        all.extend(files.into_iter().map(|(path, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            let text = text.replace("name: acme", &format!("name: {own}"));
            (path.replace("acme", &own).replace("bases/a", &format!("bases/{own}")), text.into_bytes())
        }));
    }
    // All of them in one repository, for every command.
    let (state, dir) = (tempfile::tempdir().unwrap(), folder(&all));
    let place = dir.path().to_str().unwrap();
    let commands: [&[&str]; 6] = [
        &["-v", "validate", place],
        &["validate", "--format", "json", place],
        &["plan", "--format", "markdown", "--tenant", "s0", place],
        &["plan", "--format", "json", "--tenant", "s1", place],
        &["explain", "greetings.messages", place],
        &["explain", "greetings.messages", "--format", "json", place],
    ];
    for command in commands {
        let output = genesync(state.path(), command);
        let printed = printed(&output);
        assert!(output.status.code().is_some_and(|code| code < 7), "N06: {command:?}: {printed}");
        for (secret, ..) in secrets() {
            assert!(!printed.contains(secret), "N06: {command:?} prints {secret}:\n{printed}");
        }
    }
}

/// A secret in a layer stops the tenants that extend the layer. It is also reported if no tenant extends it.
#[test]
fn a_secret_in_a_layer_stops_every_tenant_that_extends_it() {
    let files = [
        layer("a", "  greetings: {messages: [ghp_16C7e42F292c6912E7710c838347Ae178B4a]}\n"),
        (WEB.to_owned(), web("  extends: [a]\n").into_bytes()),
    ];
    let expected = Expected {
        id: "N06 layer",
        file: "bases/a.yaml",
        place: "5:26",
        rule: "secrets",
        says: "looks like a secret",
    };
    assert_refused(&load_acme(&files), &expected);
    let fleet = load_acme(&files[..1]);
    let found = fleet.findings.iter().find(|finding| finding.rule == "secrets").unwrap();
    assert_eq!((&*found.location.file, found.tenant.as_ref()), ("bases/a.yaml", None), "N06 layer");
}
