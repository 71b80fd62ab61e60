//! A port: the live API.
//!
//! In: what a run asks for (read, write, start or poll a job, query the audit log). Out: observations and
//! outcomes. Never: makes a request other than through [`crate::platform`], or chooses a dialect anywhere but in [`ReadApi`] and
//! [`Api`]. Start reading at [`Api`]; `webchat/` and `cloud/` are the dialects: their wire
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

/// Most pages of the audit log that one question reads.
const AUDIT_PAGES_MAX: u32 = 20;

/// Most people whose names are looked up for one plan.
const PEOPLE_MAX: usize = 20;

/// Reads and queries, but can't write: what a planner is given.
#[derive(Clone)]
pub struct ReadApi {
    client: Arc<Client>,
}

/// Reads and writes: what an apply is given.
#[derive(Clone)]
pub struct Api {
    read: ReadApi,
}

impl ReadApi {
    /// A client for these regions and credentials.
    ///
    /// # Errors
    /// TLS can't be set up on this machine.
    pub fn new(
        base_urls: BTreeMap<Region, url::Url>,
        credentials: BTreeMap<CredentialsName, ClientCredentials>,
        options: Options,
    ) -> Result<Self, Fault> {
        Ok(Self { client: Arc::new(Client::new(base_urls, credentials, options)?) })
    }

    /// Requests about one organization that may be under way at once.
    pub fn in_flight(&self) -> usize {
        self.client.in_flight()
    }

    /// Takes credentials under a name, also while requests are under way: secrets rotate.
    pub fn learn(&self, name: &CredentialsName, credentials: ClientCredentials) {
        self.client.learn(name, credentials);
    }

    /// The id of the client that goes by a name, where it is known.
    pub fn client_id(&self, name: &CredentialsName) -> Option<String> {
        self.client.client_id(name)
    }

    /// Reads what an organization holds.
    pub async fn observe(&self, look: &Look) -> Result<Seen, Fault> {
        // A look is at one organization, which one API manages.
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

    /// Reads the configuration of an organization of the `webchat` dialect, for what its answer tells besides.
    ///
    /// # Errors
    /// It can't be read.
    pub async fn configuration(&self, target: &Target) -> Result<Response, Fault> {
        let response = self.call(target, &webchat::read(&target.organization)).await?;
        webchat::observed(&response)?;
        Ok(response)
    }

    /// Asks how a replication job is doing.
    pub async fn job(&self, source: &Target, id: &str) -> Result<Job, Fault> {
        let operation = webchat::poll(&source.organization, id);
        let response = self.call(source, &operation).await?;
        webchat::job(&response)
    }

    /// Queries the audit log for what happened to some objects, which where they have ids go by those there: all
    /// pages, up to a limit. True in
    /// the second place means that there was more.
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

    /// Entries about organizations that share credentials: all pages, up to a limit.
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

    /// Names of people by their ids, in the organizations of some objects: as far as they may be read. Whom the entries
    /// name need not be asked for.
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
                // A name is no reason to fail: without it, the id is shown. Who may not read one may read none.
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
    /// A client that can also write.
    pub fn new(read: ReadApi) -> Self {
        Self { read }
    }

    /// The part that can't write.
    pub fn read(&self) -> &ReadApi {
        &self.read
    }

    /// Sends a write, once, and gives up at its deadline.
    pub async fn write(&self, write: &Write) -> Outcome<Accepted> {
        let dialect = write.target.object.kind.dialect();
        // Digests stand in the state in place of values that are gone: live they would put a webhook out of order.
        if write.body.values().any(holds_digests) {
            return Outcome::Unsent(local("a digest stands in place of a confidential value".to_owned()));
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

    /// Sets aside what writes to these targets need of their rate limits: see [`Client::reserve`].
    pub fn reserve(&self, targets: &[Target]) -> Option<Duration> {
        self.read.client.reserve(targets)
    }

    /// Asks for a replication job, once.
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

/// How long until a moment; none where it is past.
fn until(deadline: jiff::Timestamp) -> Option<Duration> {
    Duration::try_from(deadline.duration_since(clock::now())).ok().filter(|left| !left.is_zero())
}

/// A process that was stopped between its intent and here is late: others have waited for this write, and no
/// longer do. A deadline of zero would not keep it, for a request may leave before a timeout is looked at.
fn too_late(operation: &Operation) -> Fault {
    let message =
        format!("{} was not written: its deadline had passed before it was sent", operation.subject);
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
            // No region is known: whatever gets past is not sent either, and says so.
            let Outcome::Unsent(fault) = api.write(&write).await else { panic!("it is sent") };
            assert_eq!(fault.to_string().contains("a digest stands in place"), holds_one, "{fault}");
        }
    }
}
