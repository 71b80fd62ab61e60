//! The kinds that deployments and integrations refer to, in the same organization: one profile of each, and
//! the defaults. The judge checks their contents, that each was created once, and how often the defaults were
//! set.

use serde_json::Value;

use crate::cloud::{State, TENANT};
use crate::support::CLIENT_ID;

const CONTENT: &str = "Pictures";
const SETTING: &str = "Typing";
/// The store's name of the defaults, after the organization.
pub const DEFAULTS: &str = "/MessagingDefaults/";

fn typing(delay: u32) -> &'static str {
    if delay.is_multiple_of(2) { "Enabled" } else { "Disabled" }
}

fn media(delay: u32) -> String {
    format!("image/x-{delay}")
}

/// Returns what git says of them at one of its numbers.
pub fn files(delay: u32) -> Vec<(String, String)> {
    let document = |file: &str, kind: &str, spec: &str| {
        let head = format!("apiVersion: genesync/v1alpha1\nkind: {kind}\nmetadata: {{name: {file}}}\n");
        (format!("tenants/{TENANT}/{file}.yaml"), format!("{head}spec: {spec}\n"))
    };
    let allow = format!("{{inbound: [{{type: {}}}], outbound: []}}", media(delay));
    let on = format!("{{\"on\": {{inbound: {}}}}}", typing(delay));
    vec![
        document(
            "content",
            "SupportedContent",
            &format!("{{name: {CONTENT}, mediaTypes: {{allow: {allow}}}}}"),
        ),
        document("setting", "MessagingSetting", &format!("{{name: {SETTING}, event: {{typing: {on}}}}}")),
        document(
            "defaults",
            "MessagingDefaults",
            &format!("{{supportedContent: {{name: {CONTENT}}}, messagingSetting: {{name: {SETTING}}}}}"),
        ),
    ]
}

/// Returns their violations, if they should be at this number.
pub fn violations(state: &State, delay: u32) -> Vec<String> {
    let (contents, settings) =
        (state.named("supportedContent", CONTENT), state.named("messagingSettings", SETTING));
    let ([content], [setting]) = (contents.as_slice(), settings.as_slice()) else {
        return vec![format!(
            "there are {} profiles of content and {} settings",
            contents.len(),
            settings.len()
        )];
    };
    let mut wrong = Vec::new();
    if content["mediaTypes"]["allow"]["inbound"][0]["type"] != *media(delay) {
        wrong.push(format!("the profile of content is not at {delay}: {content}"));
    }
    if setting["event"]["typing"]["on"]["inbound"] != typing(delay) {
        wrong.push(format!("the setting is not at {delay}: {setting}"));
    }
    let defaults = &state.0["defaults"];
    if defaults["supportedContent"] != content["id"] || defaults["messagingSetting"] != setting["id"] {
        wrong.push(format!("the defaults differ: {defaults}"));
    }
    wrong
}

/// Returns how often we set a default, from the audit log.
pub fn defaults_set(state: &State) -> usize {
    let ours =
        |record: &&Value| record["entityType"] == "MessagingDefaults" && record["client"]["id"] == CLIENT_ID;
    state.records().filter(ours).count()
}
