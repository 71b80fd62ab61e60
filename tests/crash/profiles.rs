//! The kinds that deployments and integrations refer to, in the same organization: one profile of each, and the defaults.
//! What is judged is what they hold, that each was made once, and that the defaults were set as often as was needed.

use serde_json::Value;

use crate::cloud::{State, TENANT};
use crate::support::CLIENT_ID;

const CONTENT: &str = "Pictures";
const SETTING: &str = "Typing";
/// How the store calls the defaults, behind the organization.
pub const DEFAULTS: &str = "/MessagingDefaults/";

fn typing(delay: u32) -> &'static str {
    if delay.is_multiple_of(2) { "Enabled" } else { "Disabled" }
}

fn media(delay: u32) -> String {
    format!("image/x-{delay}")
}

/// What git says of them at one of its numbers.
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

/// What is wrong with them, where they are to be at a number.
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
        wrong.push(format!("the defaults are others: {defaults}"));
    }
    wrong
}

/// How often we set a default, as the audit log has it.
pub fn defaults_set(state: &State) -> usize {
    let ours =
        |record: &&Value| record["entityType"] == "MessagingDefaults" && record["client"]["id"] == CLIENT_ID;
    state.records().filter(ours).count()
}
