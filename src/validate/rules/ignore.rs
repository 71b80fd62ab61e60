//! Checks `sync.ignore`, which leaves fields to other users until a date: unknown fields and expired rules.

use jiff::civil::Date;

use crate::manifest::schema::{fields, has_field, nearest};
use crate::manifest::yaml::{Node, shown};
use crate::model::{Desired, Dialect, Severity, json};
use crate::validate::{Context, Rule};

/// The rule. It is not tunable: an expired rule must stay visible.
pub const RULE: Rule = Rule {
    id: "ignore",
    summary: "Rules under `sync.ignore` name a managed field and have not expired",
    severity: Severity::Error,
    tunable: false,
    check,
};

fn check(context: &mut Context<'_>) {
    let manifest = context.manifest;
    let Some(spec) = manifest.tenant_spec() else { return };
    let desired: Vec<&Desired> =
        manifest.resources.iter().filter_map(|resource| resource.desired.as_ref()).collect();
    let dialect = manifest.tenant.as_ref().map_or(Dialect::IMPLIED, |tenant| tenant.dialect);
    let owners = spec.get("owners").map(Node::items).unwrap_or_default();
    let owners: Vec<&str> = owners.iter().filter_map(Node::text).collect();
    let rules = spec.path("sync.ignore").map(Node::items).unwrap_or_default();
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("/spec/sync/ignore/{index}");
        check_field(context, rule, &at, dialect, &desired);
        check_day(context, rule, &at, &owners);
    }
}

fn check_day(context: &mut Context<'_>, rule: &Node, at: &str, owners: &[&str]) {
    let Some((node, text)) = rule.get("until").and_then(|node| Some((node, node.text()?))) else { return };
    let pointer = format!("{at}/until");
    let Ok(until) = text.parse::<Date>() else {
        context.find(node.span, pointer, format!("`{}` is not a calendar date", shown(text)));
        return;
    };
    if context.today <= until {
        return;
    }
    let field = rule.get("field").and_then(Node::text).unwrap_or_default();
    let whom = match rule.get("owner").and_then(Node::text) {
        Some(owner) => owner.to_owned(),
        None if owners.is_empty() => "the user who changes the field".into(),
        None => owners.join(", "),
    };
    context
        .find(
            node.span,
            pointer,
            format!("this rule for `{}` expired on {until}, so the field is managed again", shown(field)),
        )
        .help(format!("delete the rule, or agree on a new date with {}", shown(&whom)))
        .weigh(Severity::Warning);
}

fn check_field(context: &mut Context<'_>, rule: &Node, at: &str, dialect: Dialect, desired: &[&Desired]) {
    let Some((node, text)) = rule.get("field").and_then(|node| Some((node, node.text()?))) else { return };
    let pointer = format!("{at}/field");
    let exclusive = desired.iter().any(|desired| desired.exclusive);
    if !has_field(dialect, text) {
        let message = format!("a configuration has no field `{}`", shown(text));
        let known = fields(dialect);
        let near = meant(text, known.iter().map(String::as_str).filter(|field| !field.ends_with('*')));
        let finding = context.find(node.span, pointer, message);
        match near {
            // No fix: the field is not managed, so a person has to decide which one is meant.
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help("write the field with dots, as a plan shows it, and a list as one field"),
        };
        // An exclusive document manages every live field, and the platform may have fields that this build
        // does not.
        if exclusive {
            finding.weigh(Severity::Warning);
        }
        return;
    }
    let is_named = desired.iter().any(|desired| json::at_dotted(&desired.body, text).is_some());
    if exclusive || desired.is_empty() || is_named {
        return;
    }
    let mut named = Vec::new();
    for desired in desired {
        json::leaves(&desired.body, &mut |path, _| named.push(path.to_owned()));
    }
    let near = meant(text, named.iter().map(String::as_str));
    let finding = context
        .find(
            node.span,
            pointer,
            format!("the configuration does not name `{}`, so it is not managed", shown(text)),
        )
        .weigh(Severity::Warning);
    match near {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help("delete the rule"),
    };
}

/// Returns the field that was probably meant: one with a similar name, or one with this name in a section.
fn meant<'a>(text: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let mut in_a_section =
        known.clone().filter(|field| field.rsplit_once('.').is_some_and(|(_, name)| name == text));
    let named = in_a_section.next().map(str::to_owned).filter(|_| in_a_section.next().is_none());
    named.or_else(|| nearest(text, known))
}
