//! The operations of the cloud API, with the permissions that they require.
//!
//! In: method and path. Out: a [`CloudRoute`]. Never: checks the caller or whether the object exists.

use crate::emulator::cloud::profile::Act;
use crate::emulator::cloud::profile::kind::ProfileKind::{self, Content, Setting};
use crate::emulator::text::percent_decode;

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListConfigurations,
    CreateConfiguration,
    DeleteConfiguration,
    ListVersions,
    ReadDraft,
    WriteDraft,
    Publish,
    ReadVersion,
    ListDeployments,
    CreateDeployment,
    ReadDeployment,
    WriteDeployment,
    DeleteDeployment,
    ReadActiveConfiguration,
    ReadIdentityResolution,
    WriteIdentityResolution,
    ListFlows,
    ReadFlow,
    ListKnowledgeBases,
    ReadKnowledgeBase,
    CreateKnowledgeBase,
    DeleteKnowledgeBase,
    Profile(ProfileKind, Act),
    ListIntegrations,
    ReadIntegration,
    ListOpen,
    CreateOpen,
    ReadOpen,
    ChangeOpen,
    DeleteOpen,
    ReadOrganization,
    ReadUser,
    ReadProducts,
    ReadToken,
    VerifyToken,
    RevokeToken,
    ReadLimits,
    ReadDefaultLimits,
    ReadServices,
    ReadRealtimeServices,
    StartAuditQuery,
    ReadAuditQuery,
    ReadAuditResults,
    AuditRealtime,
    AuditRelated,
    CdnConfig,
    CdnDomains,
    Download,
    /// The path exists but not with this method; the ids are the allowed methods.
    WrongMethod,
}

/// A request's operation, and the ids in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CloudRoute {
    /// The operation.
    pub operation: Operation,
    /// The ids, in the order of the path.
    pub ids: Vec<String>,
    /// The required permissions; the client must have all of them.
    pub permissions: &'static [&'static str],
}

impl CloudRoute {
    /// Returns the route of a request, if its path is in the cloud API.
    pub fn of(method: &str, path: &str) -> Option<CloudRoute> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let mut allowed: Vec<String> = Vec::new();
        // The first pattern that matches the path decides, so literal segments come before variable segments.
        let mut fitting: Option<&str> = None;
        for row in TABLE {
            let Some(ids) = row.ids(&segments) else { continue };
            if fitting.is_some_and(|pattern| pattern != row.pattern) {
                continue;
            }
            fitting = Some(row.pattern);
            if row.method == method {
                return Some(CloudRoute { operation: row.operation, ids, permissions: row.permissions });
            }
            allowed.push(row.method.to_owned());
        }
        let wrong = CloudRoute { operation: Operation::WrongMethod, ids: allowed, permissions: &[] };
        fitting.map(|_| wrong)
    }

    /// Returns the id at a position in the path.
    pub fn id(&self, place: usize) -> &str {
        self.ids.get(place).map(String::as_str).unwrap_or_default()
    }

    /// Returns whether the operation needs no token.
    pub fn is_public(&self) -> bool {
        matches!(self.operation, Operation::CdnConfig | Operation::CdnDomains | Operation::Download)
    }
}

struct Row {
    method: &'static str,
    pattern: &'static str,
    operation: Operation,
    permissions: &'static [&'static str],
}

impl Row {
    fn ids(&self, segments: &[&str]) -> Option<Vec<String>> {
        let mut ids = Vec::new();
        let mut parts = self.pattern.split('/');
        for segment in segments {
            match parts.next()? {
                "{}" if segment.is_empty() => return None,
                "{}" => ids.push(percent_decode(segment)),
                part if part == *segment => {}
                _ => return None,
            }
        }
        parts.next().is_none().then_some(ids)
    }
}

const fn row(
    method: &'static str,
    pattern: &'static str,
    operation: Operation,
    permissions: &'static [&'static str],
) -> Row {
    Row { method, pattern, operation, permissions }
}

const VIEW: &[&str] = &["webDeployments:configuration:view"];
const VIEW_DEPLOYMENT: &[&str] = &["webDeployments:deployment:view"];
const VIEW_CONTENT: &[&str] = &["messaging:supportedContent:view"];
const VIEW_SETTING: &[&str] = &["messaging:setting:view"];
const VIEW_INTEGRATION: &[&str] = &["integrations:integration:view"];
const VIEW_FLOW: &[&str] = &["architect:flow:view"];
const VIEW_KNOWLEDGE: &[&str] = &["knowledge:knowledgebase:view"];
const AUDIT: &[&str] = &["audits:audit:view"];

use Operation as Op;

#[rustfmt::skip]
const TABLE: &[Row] = &[
    row("GET", "api/v2/webdeployments/configurations", Op::ListConfigurations, VIEW),
    row("POST", "api/v2/webdeployments/configurations", Op::CreateConfiguration, &["webDeployments:configuration:add"]),
    row("DELETE", "api/v2/webdeployments/configurations/{}", Op::DeleteConfiguration, &["webDeployments:configuration:delete"]),
    row("GET", "api/v2/webdeployments/configurations/{}/versions", Op::ListVersions, VIEW),
    row("GET", "api/v2/webdeployments/configurations/{}/versions/draft", Op::ReadDraft, VIEW),
    row("PUT", "api/v2/webdeployments/configurations/{}/versions/draft", Op::WriteDraft, &["webDeployments:configuration:edit"]),
    row("POST", "api/v2/webdeployments/configurations/{}/versions/draft/publish", Op::Publish, &["webDeployments:configuration:edit", "webDeployments:configuration:add"]),
    row("GET", "api/v2/webdeployments/configurations/{}/versions/{}", Op::ReadVersion, VIEW),
    row("GET", "api/v2/webdeployments/deployments", Op::ListDeployments, VIEW_DEPLOYMENT),
    row("POST", "api/v2/webdeployments/deployments", Op::CreateDeployment, &["webDeployments:deployment:add"]),
    row("GET", "api/v2/webdeployments/deployments/{}", Op::ReadDeployment, VIEW_DEPLOYMENT),
    row("PUT", "api/v2/webdeployments/deployments/{}", Op::WriteDeployment, &["webDeployments:deployment:edit"]),
    row("DELETE", "api/v2/webdeployments/deployments/{}", Op::DeleteDeployment, &["webDeployments:deployment:delete"]),
    row("GET", "api/v2/webdeployments/deployments/{}/configurations", Op::ReadActiveConfiguration, &[]),
    row("GET", "api/v2/webdeployments/deployments/{}/identityresolution", Op::ReadIdentityResolution, &["webDeployments:deployment:view", "webDeployments:identityResolution:view"]),
    row("PUT", "api/v2/webdeployments/deployments/{}/identityresolution", Op::WriteIdentityResolution, &["webDeployments:deployment:edit", "webDeployments:identityResolution:edit"]),
    row("GET", "api/v2/flows", Op::ListFlows, VIEW_FLOW),
    row("GET", "api/v2/flows/{}", Op::ReadFlow, VIEW_FLOW),
    row("GET", "api/v2/knowledge/knowledgebases", Op::ListKnowledgeBases, VIEW_KNOWLEDGE),
    row("POST", "api/v2/knowledge/knowledgebases", Op::CreateKnowledgeBase, &["knowledge:knowledgebase:add"]),
    row("GET", "api/v2/knowledge/knowledgebases/{}", Op::ReadKnowledgeBase, VIEW_KNOWLEDGE),
    row("DELETE", "api/v2/knowledge/knowledgebases/{}", Op::DeleteKnowledgeBase, &["knowledge:knowledgebase:delete"]),
    row("GET", "api/v2/conversations/messaging/supportedcontent", Op::Profile(Content, Act::List), VIEW_CONTENT),
    row("POST", "api/v2/conversations/messaging/supportedcontent", Op::Profile(Content, Act::Create), &["messaging:supportedContent:add"]),
    row("GET", "api/v2/conversations/messaging/supportedcontent/default", Op::Profile(Content, Act::ReadDefault), VIEW_CONTENT),
    row("PUT", "api/v2/conversations/messaging/supportedcontent/default", Op::Profile(Content, Act::WriteDefault), &["messaging:supportedContent:edit"]),
    row("GET", "api/v2/conversations/messaging/supportedcontent/{}", Op::Profile(Content, Act::Read), VIEW_CONTENT),
    row("PATCH", "api/v2/conversations/messaging/supportedcontent/{}", Op::Profile(Content, Act::Change), &["messaging:supportedContent:edit"]),
    row("DELETE", "api/v2/conversations/messaging/supportedcontent/{}", Op::Profile(Content, Act::Delete), &["messaging:supportedContent:delete"]),
    row("GET", "api/v2/messaging/supportedcontent", Op::Profile(Content, Act::List), VIEW_CONTENT),
    row("POST", "api/v2/messaging/supportedcontent", Op::Profile(Content, Act::Create), &["messaging:supportedContent:add"]),
    row("GET", "api/v2/messaging/supportedcontent/{}", Op::Profile(Content, Act::Read), VIEW_CONTENT),
    row("PATCH", "api/v2/messaging/supportedcontent/{}", Op::Profile(Content, Act::Change), &["messaging:supportedContent:edit"]),
    row("DELETE", "api/v2/messaging/supportedcontent/{}", Op::Profile(Content, Act::Delete), &["messaging:supportedContent:delete"]),
    row("GET", "api/v2/conversations/messaging/settings", Op::Profile(Setting, Act::List), VIEW_SETTING),
    row("POST", "api/v2/conversations/messaging/settings", Op::Profile(Setting, Act::Create), &["messaging:setting:add"]),
    row("GET", "api/v2/conversations/messaging/settings/default", Op::Profile(Setting, Act::ReadDefault), VIEW_SETTING),
    row("PUT", "api/v2/conversations/messaging/settings/default", Op::Profile(Setting, Act::WriteDefault), &["messaging:setting:edit"]),
    row("DELETE", "api/v2/conversations/messaging/settings/default", Op::Profile(Setting, Act::DeleteDefault), &["messaging:setting:delete"]),
    row("GET", "api/v2/conversations/messaging/settings/{}", Op::Profile(Setting, Act::Read), VIEW_SETTING),
    row("PATCH", "api/v2/conversations/messaging/settings/{}", Op::Profile(Setting, Act::Change), &["messaging:setting:edit"]),
    row("DELETE", "api/v2/conversations/messaging/settings/{}", Op::Profile(Setting, Act::Delete), &["messaging:setting:delete"]),
    row("GET", "api/v2/messaging/settings", Op::Profile(Setting, Act::List), VIEW_SETTING),
    row("POST", "api/v2/messaging/settings", Op::Profile(Setting, Act::Create), &["messaging:setting:add"]),
    row("GET", "api/v2/messaging/settings/default", Op::Profile(Setting, Act::ReadDefault), VIEW_SETTING),
    row("PUT", "api/v2/messaging/settings/default", Op::Profile(Setting, Act::WriteDefault), &["messaging:setting:edit"]),
    row("DELETE", "api/v2/messaging/settings/default", Op::Profile(Setting, Act::DeleteDefault), &["messaging:setting:delete"]),
    row("GET", "api/v2/messaging/settings/{}", Op::Profile(Setting, Act::Read), VIEW_SETTING),
    row("PATCH", "api/v2/messaging/settings/{}", Op::Profile(Setting, Act::Change), &["messaging:setting:edit"]),
    row("DELETE", "api/v2/messaging/settings/{}", Op::Profile(Setting, Act::Delete), &["messaging:setting:delete"]),
    row("GET", "api/v2/integrations", Op::ListIntegrations, VIEW_INTEGRATION),
    row("GET", "api/v2/integrations/{}", Op::ReadIntegration, VIEW_INTEGRATION),
    row("GET", "api/v2/conversations/messaging/integrations/open", Op::ListOpen, &["messaging:integration:view"]),
    row("POST", "api/v2/conversations/messaging/integrations/open", Op::CreateOpen, &["messaging:integration:add"]),
    row("GET", "api/v2/conversations/messaging/integrations/open/{}", Op::ReadOpen, &["messaging:integration:view"]),
    row("PATCH", "api/v2/conversations/messaging/integrations/open/{}", Op::ChangeOpen, &["messaging:integration:edit"]),
    row("DELETE", "api/v2/conversations/messaging/integrations/open/{}", Op::DeleteOpen, &["messaging:integration:delete"]),
    row("GET", "api/v2/organizations/me", Op::ReadOrganization, &[]),
    row("GET", "api/v2/users/{}", Op::ReadUser, &["directory:user:view"]),
    row("GET", "api/v2/authorization/products", Op::ReadProducts, &[]),
    row("GET", "api/v2/tokens/me", Op::ReadToken, &[]),
    row("HEAD", "api/v2/tokens/me", Op::VerifyToken, &[]),
    row("DELETE", "api/v2/tokens/me", Op::RevokeToken, &[]),
    row("GET", "api/v2/organizations/limits/namespaces/{}", Op::ReadLimits, &[]),
    row("GET", "api/v2/organizations/limits/namespaces/{}/defaults", Op::ReadDefaultLimits, &[]),
    row("GET", "api/v2/audits/query/servicemapping", Op::ReadServices, AUDIT),
    row("GET", "api/v2/audits/query/realtime/servicemapping", Op::ReadRealtimeServices, AUDIT),
    row("POST", "api/v2/audits/query", Op::StartAuditQuery, AUDIT),
    row("POST", "api/v2/audits/query/realtime", Op::AuditRealtime, AUDIT),
    row("POST", "api/v2/audits/query/realtime/related", Op::AuditRelated, AUDIT),
    row("GET", "api/v2/audits/query/{}", Op::ReadAuditQuery, AUDIT),
    row("GET", "api/v2/audits/query/{}/results", Op::ReadAuditResults, AUDIT),
    row("GET", "webdeployments/v1/deployments/{}/config.json", Op::CdnConfig, &[]),
    row("GET", "webdeployments/v1/deployments/{}/domains.json", Op::CdnDomains, &[]),
    row("GET", "_download/audits/{}", Op::Download, &[]),
];

#[cfg(test)]
mod tests {
    use crate::emulator::cloud::profile::Act;
    use crate::emulator::cloud::profile::kind::ProfileKind::{Content, Setting};
    use crate::emulator::cloud::route::{CloudRoute, Operation};

    #[test]
    fn finds_operations() {
        let base = "/api/v2/webdeployments/configurations";
        for (method, path, operation, ids) in [
            ("GET", base.to_owned(), Some(Operation::ListConfigurations), vec![]),
            ("PATCH", base.to_owned(), Some(Operation::WrongMethod), vec!["GET", "POST"]),
            ("GET", format!("{base}/a%20b/versions/draft"), Some(Operation::ReadDraft), vec!["a b"]),
            ("DELETE", format!("{base}/a/versions/draft"), Some(Operation::WrongMethod), vec!["GET", "PUT"]),
            ("GET", format!("{base}/a/versions/7"), Some(Operation::ReadVersion), vec!["a", "7"]),
            ("GET", format!("{base}//versions"), None, vec![]),
            ("GET", format!("{base}/"), None, vec![]),
            ("GET", "/api/v2/audits/query/servicemapping".to_owned(), Some(Operation::ReadServices), vec![]),
            ("GET", "/api/v2/audits/query/t".to_owned(), Some(Operation::ReadAuditQuery), vec!["t"]),
            (
                "PUT",
                "/api/v2/conversations/messaging/settings/default".to_owned(),
                Some(Operation::Profile(Setting, Act::WriteDefault)),
                vec![],
            ),
            (
                "GET",
                "/api/v2/messaging/supportedcontent/default".to_owned(),
                Some(Operation::Profile(Content, Act::Read)),
                vec!["default"],
            ),
            (
                "DELETE",
                "/api/v2/conversations/messaging/supportedcontent/default".to_owned(),
                Some(Operation::WrongMethod),
                vec!["GET", "PUT"],
            ),
            ("GET", "/api/v2/nothing".to_owned(), None, vec![]),
            ("GET", String::new(), None, vec![]),
            (
                "GET",
                "/webdeployments/v1/deployments/d/config.json".to_owned(),
                Some(Operation::CdnConfig),
                vec!["d"],
            ),
        ] {
            let route = CloudRoute::of(method, &path);
            assert_eq!(route.as_ref().map(|route| route.operation), operation, "{method} {path}");
            assert_eq!(route.map(|route| route.ids).unwrap_or_default(), ids, "{method} {path}");
        }
    }
}
