//! Checks references by name to other objects of the organization. Only the API knows if an object exists;
//! this rule checks what the tenant's own documents show.

use crate::manifest::schema::nearest;
use crate::manifest::yaml::{Node, Yaml, shown};
use crate::model::reference::places;
use crate::model::{ObjectKind, Severity};
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "references",
    summary: "References by name can be resolved: objects that git manages, the knowledge base of categories, the secret of a webhook",
    severity: Severity::Warning,
    tunable: true,
    check,
};

fn check(context: &mut Context<'_>) {
    check_managed(context);
    for resource in context.resources(ObjectKind::MessengerDeployment) {
        let pushes = resource.spec.get("pushIntegrations").map(Node::items).unwrap_or_default();
        check_once(context, pushes, "/spec/pushIntegrations");
    }
    for spec in context.messengers() {
        check_knowledge(context, spec);
    }
    for resource in context.resources(ObjectKind::OpenMessagingIntegration) {
        let Some(url) =
            resource.spec.get("outboundNotificationWebhookUrl").filter(|node| node.text().is_some())
        else {
            continue;
        };
        if resource.spec.get("signatureSecret").is_none() {
            let message = "the secret that signs the messages of this webhook is not named";
            context
                .find(url.span, "/spec/outboundNotificationWebhookUrl", message)
                .help("add `signatureSecret:` with the name under which the operator keeps it, because a new integration needs it");
        }
    }
}

/// Checks names of objects that git can manage. An object without a document of this tenant must already
/// exist.
fn check_managed(context: &mut Context<'_>) {
    let manifest = context.manifest;
    for resource in &manifest.resources {
        let of = resource.object.kind;
        for place in places(of) {
            let Some(to) = ObjectKind::referred_to(place.to) else { continue };
            let Some(node) = resource.spec.path(place.path) else { continue };
            let pointer = format!("/spec/{}", place.path.replace('.', "/"));
            if of.pins() == Some(place.path) && matches!(node.value, Yaml::Null) {
                let (what, path) = (of.prefix(), place.path);
                context
                    .find(node.span, pointer, format!("a {what} needs a {path}"))
                    .help(format!("name one, or remove `{path}`"))
                    .weigh(Severity::Error);
                continue;
            }
            let Some(name) = node.get("name") else { continue };
            let known = || context.resources(to).map(|resource| &*resource.object.name);
            let Some(text) = name.text().filter(|text| !known().any(|known| known == *text)) else {
                continue;
            };
            let near = nearest(text, known().collect::<Vec<_>>().into_iter());
            let (kind, shown) = (to.name(), shown(text));
            let message = format!(
                "no {kind} of this tenant is named `{shown}`, so it must already exist in the organization"
            );
            let finding = context.find(name.span, format!("{pointer}/name"), message);
            match near {
                // No fix: an object with the written name may exist, so a person has to decide.
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("add a document for it, or create it in the organization"),
            };
        }
    }
}

/// Checks that a knowledge base is named for categories and labels: genesync resolves their names in it.
fn check_knowledge(context: &mut Context<'_>, spec: &Node) {
    let Some(section) = spec.get("supportCenter") else { return };
    for (path, what) in [("enabledCategories", "categories"), ("labelFilter.labels", "labels")] {
        let pointer = format!("/spec/supportCenter/{}", path.replace('.', "/"));
        let items = section.path(path).map(Node::items).unwrap_or_default();
        check_once(context, items, &pointer);
        let is_known = section.path("knowledgeBase.name").is_some();
        if let Some(first) = items.first().filter(|_| !is_known) {
            let message = format!("the knowledge base of these {what} is not named");
            context.find(first.span, pointer, message).help("add `supportCenter.knowledgeBase`");
        }
    }
}

/// Reports references that are in a list twice.
fn check_once(context: &mut Context<'_>, items: &[Node], at: &str) {
    let identity = |item: &Node| {
        let text = |key: &str| item.get(key).and_then(Node::text).map(str::to_owned);
        (text("provider"), text("name"))
    };
    for (index, item) in items.iter().enumerate() {
        let Some(name) = item.get("name") else { continue };
        if items.iter().take(index).any(|earlier| identity(earlier) == identity(item)) {
            let message = format!("`{}` is in the list twice", shown(name.text().unwrap_or_default()));
            context
                .find(name.span, format!("{at}/{index}/name"), message)
                .help("remove one")
                .weigh(Severity::Error);
        }
    }
}
