//! Reads the documents of objects into declarations.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::kinds::{Kind, documents};
use super::reader::Reader;
use super::yaml::{self, Node, Span};
use super::{Bases, in_place};
use crate::model::reference::{Mention, mentions};
use crate::model::{Desired, Object, ObjectKind, SecretName};

/// A document of an object, merged with its layers.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// The object that it describes.
    pub object: Object,
    /// The place of `kind` in its document.
    pub kind_span: Span,
    /// The place of the object's name in its document.
    pub name_span: Span,
    /// The merged spec, every value with its place.
    pub spec: Node,
    /// The layers below the document's own spec, lowest first.
    pub below: Vec<Arc<Node>>,
    /// The desired configuration, in the API's shape except for [references](crate::model::reference), which
    /// are maps with a `name`. None if the document or a layer breaks its schema. It does not contain the
    /// object's own name.
    pub desired: Option<Desired>,
    /// The objects of its organization that it names.
    pub mentions: Vec<Mention>,
    /// The name under which the operator keeps the secret of an integration's webhook.
    pub signature_secret: Option<SecretName>,
    /// The index of the document among the tenant's documents.
    pub(super) document: usize,
}

impl Reader {
    /// Reads one object. Returns none and adds a finding if its layers cannot be merged.
    pub(super) fn resource(
        &mut self,
        kind: ObjectKind,
        document: &Node,
        index: usize,
        bases: &Bases,
    ) -> Option<Declaration> {
        let sound = self.sound(Kind::Object(kind), document);
        let own = document.get("spec")?;
        let (spec, below) = self.merged(kind, own, bases)?;
        // These fields count only in the document itself, not in a layer below it.
        let left_out: &[&str] = match (own.get("exclusive"), own.get("name")) {
            (None, None) => &["extends", "exclusive", "name"],
            (None, Some(_)) => &["extends", "exclusive"],
            (Some(_), None) => &["extends", "name"],
            (Some(_), Some(_)) => &["extends"],
        };
        let body = documents::body(kind, in_place::without(&spec, left_out)).filter(|_| sound);
        self.sound_below(own, sound, body.is_some());
        // An object that is the only one of its kind has no name, also if its document has one.
        let name = own.get("name").or_else(|| document.path("metadata.name")).filter(|_| kind.is_named());
        let exclusive = own.get("exclusive").and_then(Node::bool).unwrap_or(false);
        let secret = spec.get("signatureSecret").and_then(Node::text);
        Some(Declaration {
            object: Object { kind, name: name.and_then(Node::text).unwrap_or_default().into() },
            kind_span: document.get("kind").unwrap_or(document).span,
            name_span: name.unwrap_or(document).span,
            signature_secret: secret.filter(|_| body.is_some()).map(SecretName::new),
            mentions: body.as_ref().map(|body| mentions(kind, body)).unwrap_or_default(),
            desired: body.map(|body| Desired { body: Arc::new(body), exclusive, ignored: BTreeSet::new() }),
            spec,
            below,
            document: index,
        })
    }

    /// Whether no other document describes the same object. Adds a finding if one does.
    pub(super) fn is_only(&mut self, resource: &Declaration, others: &[Declaration]) -> bool {
        // An object without a readable name already has a finding.
        let same = |other: &&Declaration| other.object == resource.object && !other.object.name.is_empty();
        let Some(first) = others.iter().find(same) else { return true };
        let message = format!(
            "this tenant has a second {} `{}`",
            resource.object.kind.name(),
            yaml::shown(&resource.object.name)
        );
        let is_own = resource.spec.get("name").is_some_and(|name| name.span == resource.name_span);
        let pointer = if is_own { "/spec/name" } else { "/metadata/name" };
        let related = (self.files.locate(first.name_span), "the first one".to_owned());
        self.finding(
            "identity",
            message,
            resource.name_span,
            pointer,
            Some("give each object its own name".into()),
        );
        if let Some(finding) = self.findings.last_mut() {
            finding.related.push(related);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Input, TenantManifest, read_bases, read_tenant};
    use super::*;
    use crate::model::{ReferenceKind, TenantName};

    fn document(kind: &str, name: &str, spec: &str) -> String {
        format!("apiVersion: genesync/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}\n")
    }

    fn input(path: &str, text: String) -> Input {
        Input { path: path.into(), bytes: text.into_bytes().into() }
    }

    fn read(bases: &[String], documents: &[String]) -> TenantManifest {
        let bases = read_bases(&[input("bases/a.yaml", bases.join("---\n"))]);
        let head = document(
            "Tenant",
            "acme",
            "  {organizationId: 11111111-2222-4333-8444-555555555555, region: eu-west-1, credentials: acme, api: cloud}",
        );
        let inputs = [
            input("tenants/acme/tenant.yaml", head),
            input("tenants/acme/web.yaml", documents.join("---\n")),
        ];
        read_tenant(&TenantName::new("acme"), &inputs, &bases)
    }

    fn said(manifest: &TenantManifest) -> Vec<(String, String)> {
        let of = |finding: &crate::model::Finding| {
            (format!("{} {}", finding.rule, finding.location), finding.message.clone())
        };
        manifest.findings.iter().map(of).collect()
    }

    const CONFIGURATION: &str = "MessengerConfiguration";

    #[test]
    fn layers_merge_but_names_do_not_and_references_stay_names() {
        let base = "  name: Shared\n  exclusive: true\n  languages: [en-us]\n  messenger: {enabled: true, styles: {primaryColor: \"#0B3D91\"}}\n  journeyEvents: {}";
        let own = "  extends: [house]\n  languages: []\n  messenger: {styles: {primaryColor: null}, apps: {knowledge: {knowledgeBase: {name: Answers}}}}";
        let kiosk = "  {signatureSecret: kiosk, webhookHeaders: {X-A: b}, supportedContent: null}";
        let manifest = read(
            &[document(CONFIGURATION, "house", base)],
            &[
                document("MessengerDeployment", "shop", "  {configuration: {name: web}}"),
                document(CONFIGURATION, "web", own),
                document("OpenMessagingIntegration", "kiosk", kiosk),
            ],
        );
        assert_eq!(said(&manifest), []);
        let bodies: Vec<(String, Value, bool)> = manifest
            .resources
            .iter()
            .map(|resource| {
                let desired = resource.desired.as_ref().unwrap();
                (resource.object.to_string(), Value::Object((*desired.body).clone()), desired.exclusive)
            })
            .collect();
        let knowledge = json!({"knowledge": {"knowledgeBase": {"name": "Answers"}}});
        let messenger = json!({"enabled": true, "styles": {"primaryColor": null}, "apps": knowledge});
        let expected = [
            (
                "OpenMessagingIntegration `kiosk`",
                json!({"webhookHeaders": {"X-A": "b"}, "supportedContent": null}),
            ),
            ("MessengerConfiguration `web`", json!({"languages": [], "messenger": messenger})),
            ("MessengerDeployment `shop`", json!({"configuration": {"name": "web"}})),
        ];
        assert_eq!(bodies, expected.map(|(object, body)| (object.to_owned(), body, false)));
        let named: Vec<(ReferenceKind, &str)> = manifest
            .resources
            .iter()
            .flat_map(|resource| resource.mentions.iter().map(|to| (to.reference.kind, to.pointer.as_str())))
            .collect();
        assert_eq!(
            named,
            [
                (ReferenceKind::KnowledgeBase, "/messenger/apps/knowledge/knowledgeBase"),
                (ReferenceKind::Configuration, "/configuration")
            ]
        );
        let secrets = manifest.resources.iter().filter_map(|resource| resource.signature_secret.as_ref());
        assert_eq!(secrets.map(SecretName::as_str).collect::<Vec<_>>(), ["kiosk"]);
    }

    #[test]
    fn a_second_object_of_one_name_and_a_layer_of_another_kind_are_refused() {
        let manifest = read(
            &[document("WebMessaging", "house", "  {}")],
            &[
                document(CONFIGURATION, "web", "  {name: Acme}"),
                document(CONFIGURATION, "web2", "  {name: Acme}"),
                document("MessengerDeployment", "acme", "  {name: Acme}"),
                document("MessengerDeployment", "other", "  {extends: [house]}"),
            ],
        );
        assert_eq!(
            said(&manifest),
            [
                (
                    "identity tenants/acme/web.yaml:11:10".to_owned(),
                    "this tenant has a second MessengerConfiguration `Acme`".to_owned()
                ),
                (
                    "layers tenants/acme/web.yaml:23:14".to_owned(),
                    "the layer `house` is a WebMessaging".to_owned()
                ),
            ]
        );
        assert_eq!(manifest.resources.len(), 2);
    }

    #[test]
    fn the_help_for_an_id_or_a_secret_names_the_field_to_use_instead() {
        let manifest = read(
            &[],
            &[
                document(
                    "MessengerDeployment",
                    "shop",
                    "  {flow: {id: 5b0c8a2e-93d4-4a57-8f0f-3c1a9d2b7e61, name: In}}",
                ),
                document(
                    "OpenMessagingIntegration",
                    "kiosk",
                    "  {outboundNotificationWebhookSignatureSecretToken: hunter2-hunter2}",
                ),
            ],
        );
        let helps: Vec<&str> =
            manifest.findings.iter().filter_map(|finding| finding.help.as_deref()).collect();
        assert!(helps.iter().any(|help| help.contains("write `name` instead")), "{helps:?}");
        assert!(helps.iter().any(|help| help.contains("`signatureSecret`")), "{helps:?}");
        assert!(manifest.resources.iter().all(|resource| resource.desired.is_none()));
    }
}
