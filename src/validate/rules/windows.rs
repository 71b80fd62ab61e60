//! Checks the time zones of change windows, so that a window opens at the same moment on every machine.

use crate::model::Severity;
use crate::validate::{Context, Rule, time_zone};

/// The rule.
pub const RULE: Rule = Rule {
    id: "windows",
    summary: "Change windows are in a time zone that exists",
    severity: Severity::Error,
    tunable: false,
    check,
};

fn check(context: &mut Context<'_>) {
    let Some(windows) = context.manifest.tenant_spec().and_then(|spec| spec.path("sync.windows")) else {
        return;
    };
    for (index, window) in windows.items().iter().enumerate() {
        if let Some(node) = window.get("timeZone") {
            time_zone::check(context, node, &format!("/spec/sync/windows/{index}/timeZone"));
        }
    }
}
