//! Names that stand for something else in the organization. Whether it is there is only known online; what can
//! be told from the tenant's own documents is told here.

use crate::manifest::schema::nearest;
use crate::manifest::yaml::{Node, Yaml, shown};
use crate::model::reference::places;
use crate::model::{ObjectKind, Severity};
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "references",
    summary: "Names can be resolved: objects that git can manage, a knowledge base beside its categories, a webhook's secret",
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
            let message = "the secret that this webhook's messages are signed with is not named";
            context
                .find(url.span, "/spec/outboundNotificationWebhookUrl", message)
                .help("add `signatureSecret:` with the name under which the operator keeps it; an integration can't be made without");
        }
    }
}

/// Names of objects that git can manage: one that this tenant's git does not have has to be there already.
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
                    .find(node.span, pointer, format!("a {what} serves a {path}"))
                    .help(format!("name one, or leave `{path}` out"))
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
            let message = format!("no {kind} of this tenant is named `{shown}`: it has to be there already");
            let finding = context.find(name.span, format!("{pointer}/name"), message);
            match near {
                // It may be there under the name that is written: which one is meant, nobody guesses.
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("add a document for it to manage it, too"),
            };
        }
    }
}

/// Categories and labels are looked up in the knowledge base beside them.
fn check_knowledge(context: &mut Context<'_>, spec: &Node) {
    let Some(section) = spec.get("supportCenter") else { return };
    for (path, what) in [("enabledCategories", "categories"), ("labelFilter.labels", "labels")] {
        let pointer = format!("/spec/supportCenter/{}", path.replace('.', "/"));
        let items = section.path(path).map(Node::items).unwrap_or_default();
        check_once(context, items, &pointer);
        let is_known = section.path("knowledgeBase.name").is_some();
        if let Some(first) = items.first().filter(|_| !is_known) {
            let message = format!("these {what} are looked up in a knowledge base that is not named");
            context.find(first.span, pointer, message).help("name `supportCenter.knowledgeBase`, too");
        }
    }
}

/// A list of references in which nothing stands twice.
fn check_once(context: &mut Context<'_>, items: &[Node], at: &str) {
    let identity = |item: &Node| {
        let text = |key: &str| item.get(key).and_then(Node::text).map(str::to_owned);
        (text("provider"), text("name"))
    };
    for (index, item) in items.iter().enumerate() {
        let Some(name) = item.get("name") else { continue };
        if items.iter().take(index).any(|earlier| identity(earlier) == identity(item)) {
            let message = format!("`{}` stands in the list twice", shown(name.text().unwrap_or_default()));
            context
                .find(name.span, format!("{at}/{index}/name"), message)
                .help("take one out")
                .weigh(Severity::Error);
        }
    }
}
