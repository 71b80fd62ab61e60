//! `genesync doctor`: checks credentials, permissions, clocks and limits of every organization.

use std::collections::BTreeMap;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use futures::{StreamExt as _, stream};
use serde_json::json;

use crate::api::ReadApi;
use crate::api::cloud::permissions::{needs, page};
use crate::cli::place::{self, Reads};
use crate::cli::progress::Progress;
use crate::cli::session;
use crate::cli::{Exit, Failure, Format, Output, SourceArgs};
use crate::clock;
use crate::config::{Flags, Settings};
use crate::driver::clients::connect;
use crate::fleet::Loaded;
use crate::model::{CredentialsName, Dialect, Fault, FaultKind, Mode, Resource, Target, Tenant, zone};
use crate::platform::ClientCredentials;
use crate::platform::operation::Response;
use crate::render::value::{counted, document, escape};

/// The largest clock difference, in seconds. With more, genesync could match a wrong audit entry.
const SKEW_MAX_S: i64 = 60;
/// The smallest good rate limit, in requests per minute. With less, a plan of many objects is slow.
const LIMIT_MIN: u32 = 60;

/// The most tenants to check at the same time: each may start a command that prints its credentials.
const TENANTS_AT_ONCE: usize = 16;

/// The detail of a check that needs a write.
const WITHOUT_WRITING: &str = "cannot be tested without a write";

/// The hint for missing credentials.
const KEPT: &str = "see docs/settings.md for the sources of credentials";

/// What `doctor` takes.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Print the list of needed permissions as Markdown instead
    #[arg(long)]
    permissions: bool,
    /// Format of the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Good,
    /// It works, but a part will not.
    Doubtful,
    /// Only a write or the server could show the result.
    NotTestable,
    Bad,
}

impl Finding {
    fn name(self) -> &'static str {
        match self {
            Finding::Good => "ok",
            Finding::Doubtful => "warning",
            Finding::NotTestable => "not testable",
            Finding::Bad => "failed",
        }
    }
}

/// One check of one organization.
struct Check {
    tenant: String,
    organization: String,
    what: String,
    finding: Finding,
    detail: String,
    /// What to do about it.
    way_out: String,
}

/// Checks every organization of the tenants, without writing.
pub async fn run(args: &DoctorArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    if args.permissions {
        output.data(&page());
        return Ok(Exit::Done);
    }
    let settings = session::settings(flags)?;
    let place = place::place(&args.source, Reads::Files, &settings)?;
    let fleet = place::load(&place, &args.source, output)?;
    let api = connect(&settings, Some(Progress::silent(output, "checking", 0).heard()))?;
    let checked: Vec<Vec<Check>> =
        stream::iter(fleet.tenants.iter().map(|loaded| tenant(loaded, &settings, &api)))
            .buffered(TENANTS_AT_ONCE)
            .collect()
            .await;
    let time_zones = Check {
        tenant: "-".into(),
        organization: "-".into(),
        what: "time zones".into(),
        finding: Finding::Good,
        detail: zone::release(),
        way_out: String::new(),
    };
    let checks: Vec<Check> = checked.into_iter().flatten().chain([time_zones]).collect();
    let bad = checks.iter().any(|check| check.finding == Finding::Bad);
    let exit = if bad { Exit::Outside } else { Exit::Done };
    match args.format {
        Format::Json => {
            let shown = |check: &Check| {
                json!({
                    "tenant": check.tenant, "organizationId": check.organization, "check": check.what,
                    "result": check.finding.name(), "detail": check.detail, "wayOut": check.way_out,
                })
            };
            let shown: Vec<_> = checks.iter().map(shown).collect();
            output.data(&document(&json!({"checks": shown, "exitCode": exit.code()})));
        }
        Format::Text => output.data(&text(&checks)),
    }
    Ok(exit)
}

async fn tenant(loaded: &Loaded, settings: &Settings, api: &ReadApi) -> Vec<Check> {
    let (name, mut checks) = (loaded.name.to_string(), Vec::new());
    let Some(tenant) = &loaded.tenant else {
        checks.push(Check {
            tenant: name,
            organization: String::new(),
            what: "manifest".into(),
            finding: Finding::Bad,
            detail: "cannot read tenant.yaml".into(),
            way_out: "run `genesync validate`".into(),
        });
        return checks;
    };
    for target in tenant.targets() {
        let assumed = settings.pacing.requests_per_minute;
        let mut look = Examination { name: &name, target, assumed, checks: &mut checks };
        let credentials = match settings.credentials(&target.credentials).await {
            Ok(credentials) => credentials,
            Err(error) => {
                let failure = Failure::from(error);
                look.note("credentials", Finding::Bad, &failure.message, KEPT);
                continue;
            }
        };
        let id = credentials.client_id.clone();
        look.note("credentials", Finding::Good, &format!("found: client {id}"), "");
        let (id, secret, tokens) =
            (credentials.client_id, credentials.client_secret, settings.tokens(&target.credentials));
        api.learn(&target.credentials, ClientCredentials { id, secret, tokens });
        match tenant.dialect {
            Dialect::Webchat => look.webchat(api, tenant).await,
            Dialect::Cloud => look.cloud(api, tenant.mode, &loaded.resources).await,
        }
    }
    let mut secrets = Examination { name: &name, target: &tenant.primary, assumed: 0, checks: &mut checks };
    for secret in loaded.resources.iter().filter_map(|resource| resource.secret.as_ref()) {
        let what = format!("secret `{secret}`");
        match settings.credentials(&CredentialsName::new(secret.as_str())).await {
            Ok(_) => secrets.note(&what, Finding::Good, "found", ""),
            Err(error) => secrets.note(&what, Finding::Bad, &Failure::from(error).message, KEPT),
        }
    }
    checks
}

/// The checks of one organization.
struct Examination<'a> {
    name: &'a str,
    target: &'a Target,
    /// The assumed limit, in requests per minute, if the server names none.
    assumed: u32,
    checks: &'a mut Vec<Check>,
}

impl Examination<'_> {
    fn note(&mut self, what: &str, finding: Finding, detail: &str, way_out: &str) {
        self.checks.push(Check {
            tenant: self.name.to_owned(),
            organization: self.target.organization.to_string(),
            what: what.to_owned(),
            finding,
            detail: escape(detail),
            way_out: way_out.to_owned(),
        });
    }

    fn fault(&mut self, what: &str, fault: &Fault, denied: &str) {
        let way_out = match fault.kind {
            FaultKind::Denied => denied,
            FaultKind::Throttled => "wait, or ask Genesys for a higher limit",
            FaultKind::Transient => "check the region, the network and the proxies",
            FaultKind::NotFound | FaultKind::Rejected => "check `organizationId` and `api` in tenant.yaml",
            FaultKind::Local => "check the endpoints in docs/settings.md",
        };
        self.note(what, Finding::Bad, &fault.to_string(), way_out);
    }

    async fn webchat(&mut self, api: &ReadApi, tenant: &Tenant) {
        match api.configuration(self.target).await {
            Ok(response) => {
                self.note("configuration", Finding::Good, "readable", "");
                self.surroundings(&response);
            }
            Err(fault) => {
                self.fault("configuration", &fault, "give the client the scope `webchat:configuration:read`");
            }
        }
        let now = clock::now();
        match api.entries(std::slice::from_ref(self.target), &BTreeMap::new(), now, now).await {
            Ok(_) => self.note("audit log", Finding::Good, "readable", ""),
            Err(fault) => self.fault("audit log", &fault, "give the client the scope `audit:read`"),
        }
        let scope = "check that the client has the scope `webchat:configuration:write`";
        self.note("write", Finding::NotTestable, WITHOUT_WRITING, scope);
        if self.target == &tenant.primary && !tenant.replicas.is_empty() {
            self.note("replication", Finding::NotTestable, WITHOUT_WRITING, scope);
        }
    }

    async fn cloud(&mut self, api: &ReadApi, mode: Mode, resources: &[Resource]) {
        if let Err(fault) = api.belongs(self.target).await {
            // The fault already names the problem and the credentials.
            match fault.kind {
                FaultKind::Denied | FaultKind::Rejected => {
                    self.note("token", Finding::Bad, &fault.to_string(), "");
                }
                _ => self.fault("token", &fault, ""),
            }
            return;
        }
        self.note("token", Finding::Good, "the client belongs to this organization", "");
        let (mut first, target) = (None, self.target);
        let mut untried: Vec<&str> = Vec::new();
        // Concurrently, because the probes are independent.
        let probes = needs().into_iter().map(|need| async move {
            let answer = match need.probe {
                Some(path) => Some(api.probe(target, path).await),
                None => None,
            };
            (need, answer)
        });
        let probes: Vec<_> = probes.collect();
        let answers: Vec<_> = stream::iter(probes).buffered(api.in_flight()).collect().await;
        for (need, answer) in answers {
            let is_needed = need.of.is_in(resources);
            let Some(answer) = answer else {
                untried.extend(need.permissions.iter().copied().filter(|_| is_needed));
                continue;
            };
            match answer {
                Ok(response) => {
                    first.get_or_insert(response);
                    self.note(need.what, Finding::Good, &need.permissions.join(", "), "");
                }
                Err(fault) if fault.kind == FaultKind::Denied => {
                    let permissions = need.permissions.join(" and ");
                    let when = need.of.when();
                    match is_needed {
                        true => {
                            let way_out = format!("add to a role of the client: {permissions}");
                            self.note(
                                need.what,
                                Finding::Bad,
                                &format!("not allowed, but needed {when}"),
                                &way_out,
                            );
                        }
                        false => {
                            let detail = format!("not allowed: {permissions}");
                            let way_out = format!("needed only {when}, which this tenant does not have");
                            self.note(need.what, Finding::Doubtful, &detail, &way_out);
                        }
                    }
                }
                Err(fault) => self.fault(need.what, &fault, ""),
            }
        }
        untried.sort_unstable();
        untried.dedup();
        if mode == Mode::Enforce {
            let way_out = format!("check that a role of the client has {}", untried.join(", "));
            self.note("write", Finding::NotTestable, WITHOUT_WRITING, &way_out);
        }
        if let Some(response) = first {
            self.surroundings(&response);
        }
    }

    /// Checks the clock difference and the rate limit that an answer shows.
    fn surroundings(&mut self, response: &Response) {
        let Some(date) = response.date else {
            self.note("clock", Finding::NotTestable, "the answer has no `Date`", "");
            return self.limit(response);
        };
        let skew_s = clock::now().duration_since(date).as_secs();
        let (finding, way_out) = match skew_s.abs() <= SKEW_MAX_S {
            true => (Finding::Good, ""),
            false => (Finding::Bad, "set this machine's clock by NTP"),
        };
        self.note("clock", finding, &format!("{skew_s} s difference to the server's clock"), way_out);
        self.limit(response);
    }

    fn limit(&mut self, response: &Response) {
        let Some(limit) = response.allowed_per_minute else {
            let detail = format!(
                "the answer names no limit, so genesync assumes {} requests per minute",
                self.assumed
            );
            return self.note("rate limit", Finding::NotTestable, &detail, "");
        };
        let (finding, way_out) = match limit >= LIMIT_MIN {
            true => (Finding::Good, ""),
            false => (Finding::Doubtful, "ask Genesys for a higher limit"),
        };
        self.note("rate limit", finding, &format!("{limit} requests per minute"), way_out);
    }
}

fn text(checks: &[Check]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["TENANT", "ORGANIZATION", "CHECK", "RESULT", "DETAIL"]);
    let mut last = ("", "");
    for check in checks {
        let place = (check.tenant.as_str(), check.organization.as_str());
        let (tenant, organization) = if place == last { ("", "") } else { place };
        last = place;
        let detail = match check.way_out.is_empty() {
            true => check.detail.clone(),
            false => format!("{}; {}", check.detail, check.way_out),
        };
        table.add_row([tenant, organization, &check.what, check.finding.name(), &detail]);
    }
    let mut out: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let count = |finding| checks.iter().filter(|check| check.finding == finding).count();
    out.push_str(&format!(
        "{}: {} ok, {}, {} not testable, {} failed\n",
        counted(checks.len(), "check"),
        count(Finding::Good),
        counted(count(Finding::Doubtful), "warning"),
        count(Finding::NotTestable),
        count(Finding::Bad)
    ));
    out
}
