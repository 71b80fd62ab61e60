//! A port: the live API.
//!
//! In: what a run asks for (read, write, start or poll a job, query the audit log). Out: observations and
//! outcomes. Never: makes a request other than through [`crate::platform`], or chooses a dialect anywhere but
//! in [`ReadApi`] and [`Api`]. Start reading at [`Api`]; `webchat/` and `cloud/` are the dialects: their wire
//! types and their verbs.

pub mod cloud;
pub mod webchat;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::model::seal::holds_digests;
use crate::model::write::{Accepted, Job, StartJob};
use crate::model::{
    CredentialsName, Dialect, Entry, Fault, FaultKind, Look, ObjectKind, ObjectRef, OrganizationId, Outcome,
    Region, Secret, Seen, Target, Write,
};
use crate::platform::operation::{Operation, Response};
use crate::platform::{Client, ClientCredentials, Options, Sent, local};

/// The maximum number of audit log pages for one query.
const AUDIT_PAGES_MAX: u32 = 20;

/// The maximum number of people whose names are looked up for one plan.
const PEOPLE_MAX: usize = 20;

/// A port that reads and queries, but cannot write: for a planner.
#[derive(Clone)]
pub struct ReadApi {
    client: Arc<Client>,
}

/// A port that reads and writes: for an apply.
#[derive(Clone)]
pub struct Api {
    read: ReadApi,
}

impl ReadApi {
    /// Returns a client for these regions and credentials.
    ///
    /// # Errors
    /// TLS cannot be set up on this machine.
    pub fn new(
        base_urls: BTreeMap<Region, url::Url>,
        credentials: BTreeMap<CredentialsName, ClientCredentials>,
        options: Options,
    ) -> Result<Self, Fault> {
        Ok(Self { client: Arc::new(Client::new(base_urls, credentials, options)?) })
    }

    /// The number of requests about one organization that may be under way at once.
    pub fn in_flight(&self) -> usize {
        self.client.in_flight()
    }

    /// Sets the credentials of a name, also while requests are under way, because secrets rotate.
    pub fn learn(&self, name: &CredentialsName, credentials: ClientCredentials) {
        self.client.learn(name, credentials);
    }

    /// The id of the client with a credentials name, if it is known.
    pub fn client_id(&self, name: &CredentialsName) -> Option<String> {
        self.client.client_id(name)
    }

    /// Reads the objects of an organization.
    pub async fn observe(&self, look: &Look) -> Result<Seen, Fault> {
        // A look is at one organization, and one API manages it.
        let first = look.sought.first().map_or(ObjectKind::IMPLIED, |sought| sought.object.kind);
        match first.dialect() {
            Dialect::Webchat => {
                let target = &look.target;
                let operation = webchat::read(&target.organization);
                webchat::observed(&self.call(target, &operation).await?).map(Seen::from)
            }
            Dialect::Cloud => self.survey(look).await,
        }
    }

    /// Reads the configuration of an organization of the `webchat` dialect and returns the whole response.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub async fn configuration(&self, target: &Target) -> Result<Response, Fault> {
        let response = self.call(target, &webchat::read(&target.organization)).await?;
        webchat::observed(&response)?;
        Ok(response)
    }

    /// Asks for the state of a replication job.
    pub async fn job(&self, source: &Target, id: &str) -> Result<Job, Fault> {
        let operation = webchat::poll(&source.organization, id);
        let response = self.call(source, &operation).await?;
        webchat::job(&response)
    }

    /// Queries the audit log for entries about some objects, by their ids if they have ids: all pages, up to
    /// a limit. The second value is true if the log has more entries.
    pub async fn entries(
        &self,
        targets: &[Target],
        ids: &BTreeMap<ObjectRef, Arc<str>>,
        from: jiff::Timestamp,
        to: jiff::Timestamp,
    ) -> Result<(Vec<Entry>, bool), Fault> {
        let mut groups: BTreeMap<(Region, &CredentialsName), Vec<&Target>> = BTreeMap::new();
        for target in targets {
            groups.entry((target.region, &target.credentials)).or_default().push(target);
        }
        let (mut all, mut truncated) = (Vec::new(), false);
        for group in groups.values() {
            let Some(asked) = group.first() else { continue };
            let (entries, more) = match asked.object.kind.dialect() {
                Dialect::Webchat => self.entries_of_organizations(group, from, to).await?,
                Dialect::Cloud => {
                    let id = |target: &&Target| {
                        let object = target.object_ref();
                        Some((Arc::clone(ids.get(&object)?), object))
                    };
                    let ids = group.iter().filter_map(id).collect();
                    cloud::Reader::new(self, asked).entries(&ids, from, to).await?
                }
            };
            all.extend(entries);
            truncated |= more;
        }
        Ok((all, truncated))
    }

    /// Returns entries about organizations with the same credentials: all pages, up to a limit.
    async fn entries_of_organizations(
        &self,
        group: &[&Target],
        from: jiff::Timestamp,
        to: jiff::Timestamp,
    ) -> Result<(Vec<Entry>, bool), Fault> {
        let Some(asked) = group.first() else { return Ok((Vec::new(), false)) };
        let organizations: Vec<&OrganizationId> = group.iter().map(|target| &target.organization).collect();
        let mut all = Vec::new();
        for page in 1..=AUDIT_PAGES_MAX {
            let operation = webchat::audit(&organizations, from, to, page);
            let found = webchat::entries(&self.call(asked, &operation).await?)?;
            let read_all = found.is_last(page);
            all.extend(found.entries);
            if read_all {
                return Ok((all, false));
            }
        }
        Ok((all, true))
    }

    /// Returns the names of people by their ids, in the organizations of some objects, if the client may read
    /// them. People whom the entries already name are not looked up.
    pub async fn people(&self, targets: &[Target], ids: &BTreeSet<String>) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let mut asked: Vec<&Target> = Vec::new();
        for target in targets.iter().filter(|target| target.object.kind.dialect() == Dialect::Cloud) {
            if asked.iter().any(|known| known.organization == target.organization) {
                continue;
            }
            asked.push(target);
            for id in ids.iter().take(PEOPLE_MAX) {
                if names.contains_key(id) {
                    continue;
                }
                // A missing name is no failure: the id is shown instead. A client that may not read one name
                // may read none.
                match self.call(target, &cloud::user(id)).await {
                    Ok(response) if !matches!(response.status, 401 | 403) => {
                        names.extend(cloud::name_of(&response).map(|name| (id.clone(), name)));
                    }
                    Ok(_) | Err(_) => break,
                }
            }
        }
        names
    }

    async fn call(&self, target: &Target, operation: &Operation) -> Result<Response, Fault> {
        match self.client.send(target, operation, None).await {
            Sent::Answered(response) => Ok(response),
            Sent::Lost(fault) | Sent::Never(fault) => Err(fault),
        }
    }
}

impl Api {
    /// Returns a client that can also write.
    pub fn new(read: ReadApi) -> Self {
        Self { read }
    }

    /// The part that cannot write.
    pub fn read(&self) -> &ReadApi {
        &self.read
    }

    /// Sends a write, once, and gives up at its deadline.
    pub async fn write(&self, write: &Write) -> Outcome<Accepted> {
        let dialect = write.target.object.kind.dialect();
        // The state keeps digests instead of secret values; a digest in the live configuration would break a
        // webhook.
        if write.body.values().any(holds_digests) {
            return Outcome::Unsent(local(
                "the body has a digest in place of a confidential value".to_owned(),
            ));
        }
        let secret = match &write.secret {
            None => None,
            Some(name) => match self.read.client.secret(name) {
                Some(secret) => Some(secret),
                None => return Outcome::Unsent(local(format!("there is no secret named `{name}`"))),
            },
        };
        let secret = secret.as_ref().map(Secret::expose);
        let operation = match dialect {
            Dialect::Webchat => Some(webchat::write(write)),
            Dialect::Cloud => cloud::write(write, secret),
        };
        let Some(operation) = operation else {
            return Outcome::Unsent(local(format!("there is no request that writes {}", write.target)));
        };
        let Some(left) = until(write.deadline) else { return Outcome::Unsent(too_late(&operation)) };
        match self.read.client.send(&write.target, &operation, Some(left)).await {
            Sent::Answered(response) => match dialect {
                Dialect::Webchat => webchat::answer(&response, webchat::accepted),
                Dialect::Cloud => cloud::answer(write, &response),
            },
            Sent::Lost(fault) => Outcome::Unknown(fault),
            Sent::Never(fault) => Outcome::Unsent(fault),
        }
    }

    /// Reserves the share of their rate limits that writes to these targets need: see [`Client::reserve`].
    pub fn reserve(&self, targets: &[Target]) -> Option<Duration> {
        self.read.client.reserve(targets)
    }

    /// Starts a replication job, once.
    pub async fn start_job(&self, start: &StartJob) -> Outcome<Job> {
        let operation = webchat::replicate(start);
        let Some(left) = until(start.deadline) else { return Outcome::Unsent(too_late(&operation)) };
        match self.read.client.send(&start.source, &operation, Some(left)).await {
            Sent::Answered(response) => webchat::answer(&response, webchat::job),
            Sent::Lost(fault) => Outcome::Unknown(fault),
            Sent::Never(fault) => Outcome::Unsent(fault),
        }
    }
}

/// The time until a moment; none if it is past.
fn until(deadline: jiff::Timestamp) -> Option<Duration> {
    Duration::try_from(deadline.duration_since(clock::now())).ok().filter(|left| !left.is_zero())
}

/// The fault of a write whose process was stopped between its intent and its request: others no longer wait
/// for this write. A timeout of zero is not enough, because a request may leave before the timeout is
/// checked.
fn too_late(operation: &Operation) -> Fault {
    let message =
        format!("{} was not written, because its deadline passed before it was sent", operation.subject);
    Fault::new(FaultKind::Transient, message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::seal::Seal;
    use crate::model::{Act, Object};

    // Guarantee: no-digest-is-sent
    #[tokio::test]
    async fn a_body_that_holds_a_digest_is_not_sent() {
        let api = Api::new(ReadApi::new(BTreeMap::new(), BTreeMap::new(), Options::default()).unwrap());
        let plain = json!({"webhookHeaders": {"X-Key": "k"}}).as_object().cloned().unwrap();
        let sealed = Seal::of(&Secret::new("key".to_owned())).sealed(&plain).into_owned();
        let nested = [("list".to_owned(), json!([1, { "below": Value::Object(sealed.clone()) }]))];
        let table = [(plain, false), (sealed, true), (nested.into_iter().collect(), true)];
        for (body, holds_one) in table {
            let write = Write {
                target: Target {
                    organization: OrganizationId::new("org"),
                    region: Region::EuWest1,
                    credentials: CredentialsName::new("main"),
                    object: Object { kind: ObjectKind::OpenMessagingIntegration, name: "Kiosk".into() },
                },
                if_match: Some(1),
                body: Arc::new(body),
                deadline: clock::now() + Duration::from_secs(60),
                act: Act::Store,
                id: Some("id".into()),
                secret: None,
            };
            // No region is configured, so a body without a digest is not sent either and gets another error.
            let Outcome::Unsent(fault) = api.write(&write).await else { panic!("the write is sent") };
            assert_eq!(fault.to_string().contains("the body has a digest in place"), holds_one, "{fault}");
        }
    }
}
