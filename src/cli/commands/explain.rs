//! `genesync explain`: prints the page of a rule or guard, the source of a value, or what visitors get at a
//! time.
//!
//! In: a rule, guard or field, or a tenant and a time. Out: text or JSON. Never: calls the live API. Start
//! reading at [`run`]; each answer has a file under `explain/`.

pub mod guard;
mod moment;
pub mod page;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::place::{self, Place, Reads};
use crate::cli::session;
use crate::cli::{Exit, Failure, Format, Output, SourceArgs, moment as typed};
use crate::config::Flags;
use crate::fleet;
use crate::manifest::yaml::Node;
use crate::manifest::{Managed, TenantManifest, schema};
use crate::model::secret::is_telling;
use crate::model::{Dialect, Finding, Severity, TenantName};
use crate::render::value::{document, escape};
use crate::validate::blocks;
use crate::validate::rules::secrets;

/// The manifest fields that genesync never sends.
const OWN_FIELDS: &[&str] = &["extends", "exclusive", "name", "signatureSecret", "availability.timeZone"];

/// What `explain` takes.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Id of a rule or guard, or field of a spec, such as `widget.theme.colors.primary`, or, with `--at`, a
    /// tenant
    #[arg(value_name = "ID|FIELD|TENANT")]
    what: String,
    #[command(flatten)]
    source: SourceArgs,
    /// Show what the tenant's visitors get at this time, such as 2026-12-24T18:30 in the tenant's time zone
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Time zone of the opening hours, if the manifest names none
    #[arg(long, value_name = "ZONE", requires = "at")]
    tz: Option<String>,
    /// Format of the answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Prints the page of a rule or guard, the source of a value, or what visitors get at a time.
pub fn run(args: &ExplainArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    if let Some(at) = &args.at {
        return at_moment(args, at, flags, output);
    }
    // With a tenant, a name that is both a rule and a field means the field.
    let is_field = || Dialect::ALL.iter().any(|dialect| schema::has_field(*dialect, &args.what));
    if let Some(page) = page::page(&args.what).filter(|_| args.source.tenants.is_empty() || !is_field()) {
        print_page(args, &page, output);
        return Ok(Exit::Done);
    }
    of_field(args, flags, output)
}

/// Prints the page of a rule or guard; for a guard also the address of its section in the documentation.
fn print_page(args: &ExplainArgs, page: &str, output: &Output) {
    let guard = guard::named(&args.what);
    match args.format {
        Format::Json => {
            let guard = guard.map(guard::document);
            output.data(&document(&json!({"id": args.what, "page": page, "guard": guard, "exitCode": 0})));
        }
        Format::Text => {
            let see = guard.map(|guard| format!("\nsee {}\n", guard::anchor(guard))).unwrap_or_default();
            output.data(&format!("{page}\n{see}"));
        }
    }
}

/// Prints what a tenant's visitors get at a time.
fn at_moment(args: &ExplainArgs, at: &str, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let place = place::place(&args.source, Reads::Files, &settings)?;
    let names = [TenantName::new(args.what.as_str())];
    let manifests = fleet::manifests(&place.source, &place.revision, &names)?;
    let Some(manifest) = manifests.first() else {
        return Err(no_tenant(&place, &args.what));
    };
    if blocks(&manifest.findings) {
        return Err(unreadable(manifest));
    }
    let named = manifest.time_zone();
    // A messenger has no hours, so it needs no zone.
    let zone = typed::zone(args.tz.as_deref(), named)?.or((!manifest.has_hours()).then_some(TimeZone::UTC));
    let moment = typed::read(at, zone.as_ref())?;
    if let Some(note) = typed::note(at, zone.as_ref()) {
        output.warning(&note);
    }
    let reported = moment::reported(manifest, moment, &zone.unwrap_or(TimeZone::UTC));
    match args.format {
        Format::Json => output.data(&document(&json!({"moment": reported.document, "exitCode": 0}))),
        Format::Text => output.data(&reported.text),
    }
    Ok(Exit::Done)
}

/// Returns whether genesync could read and merge all files of a tenant. Their values may still be invalid.
fn is_merged(manifest: &TenantManifest) -> bool {
    let is_lost = |finding: &Finding| {
        finding.severity == Severity::Error && matches!(finding.rule, "yaml" | "layers" | "repository")
    };
    !manifest.findings.iter().any(is_lost)
}

fn unreadable(manifest: &TenantManifest) -> Failure {
    let name = &manifest.name;
    Failure::new(Exit::Findings, format!("{name} is not valid, so genesync cannot explain its configuration"))
        .hint(format!("run `genesync validate --tenant {name}` to list the errors"))
}

fn no_tenant(place: &Place, name: &str) -> Failure {
    match place.source.snapshot(&place.revision) {
        Ok(snapshot) => {
            let known: Vec<&str> = snapshot.tenants.keys().map(TenantName::as_str).collect();
            place::no_tenant(&[name], &known)
        }
        Err(error) => error.into(),
    }
}

/// Returns a hint for an argument that is not a rule, guard or field.
fn meant(what: &str, tenants: &[&str]) -> String {
    let fields = || Dialect::ALL.iter().flat_map(|dialect| schema::fields(*dialect)).map(String::as_str);
    if tenants.contains(&what) {
        return format!("add a time to see what visitors of {what} get: --at 2026-12-24T18:30");
    }
    if let Some((list, _)) = what.split_once('[').filter(|(list, _)| fields().any(|field| field == *list)) {
        return format!("run `genesync explain {list}`, because all items of a list have one source");
    }
    let ends: BTreeSet<&str> = fields()
        .filter(|field| field.rsplit('.').next().is_some_and(|end| end.eq_ignore_ascii_case(what)))
        .collect();
    if !ends.is_empty() {
        let ends: Vec<String> = ends.iter().map(|field| format!("`{field}`")).collect();
        return format!("write the full path: {}", ends.join(" or "));
    }
    match schema::nearest(what, page::ids().chain(fields())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "run `genesync rules list` to list the rules, or `genesync schema KIND` to list the fields of a kind".into(),
    }
}

/// Prints the source of a field's value.
fn of_field(args: &ExplainArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let place = place::place(&args.source, Reads::Files, &settings)?;
    let names: Vec<TenantName> =
        args.source.tenants.iter().map(|name| TenantName::new(name.as_str())).collect();
    let manifests = fleet::manifests(&place.source, &place.revision, &names)?;
    let missing = names.iter().find(|name| !manifests.iter().any(|manifest| manifest.name == **name));
    if let Some(name) = missing {
        return Err(no_tenant(&place, name.as_str()));
    }
    let is_secret = args.what.rsplit('.').next().is_some_and(is_telling);
    // `validate` never prints a secret, so `explain` must not print it either.
    let shown = |node: &Node| match is_secret || !secrets::places(node, "").is_empty() {
        true => Value::from("****"),
        false => node.to_json(),
    };
    let (mut documents, mut out) = (Vec::new(), String::new());
    // The fields of an unreadable tenant are unknown.
    let (readable, broken): (Vec<_>, Vec<_>) = manifests.iter().partition(|manifest| is_merged(manifest));
    if let (true, Some(first)) = (readable.is_empty(), broken.first()) {
        return Err(unreadable(first));
    }
    for manifest in &broken {
        output.warning(&unreadable(manifest).message);
    }
    for manifest in readable {
        let managed: Vec<Managed<'_>> = manifest.managed().collect();
        // Objects of a kind without the field are left out. If no object names the field, the tenant does
        // not.
        let naming = managed.iter().filter(|managed| managed.spec.path(&args.what).is_some());
        let mut naming: Vec<Option<&Managed<'_>>> = naming.map(Some).collect();
        if naming.is_empty() {
            naming.push(None);
        }
        for managed in naming {
            documents.push(explanation(&args.what, manifest, managed, &shown, &mut out));
        }
    }
    // The argument is not a field of any kind.
    let is_known = Dialect::ALL.iter().any(|dialect| schema::has_field(*dialect, &args.what))
        || documents.iter().any(|document| document.get("managed") == Some(&Value::Bool(true)))
        || OWN_FIELDS.contains(&args.what.as_str());
    if !is_known {
        let tenants: Vec<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
        return Err(Failure::new(Exit::Usage, format!("there is no rule, guard or field `{}`", args.what))
            .hint(meant(&args.what, &tenants)));
    }
    match args.format {
        Format::Json => output.data(&document(&json!({"explanations": documents, "exitCode": 0}))),
        Format::Text => output.data(&out),
    }
    Ok(Exit::Done)
}

/// The one field that genesync fills in if git does not name it.
const COMPUTED: &str = "widget.accessibility.contrastRatio";

/// Returns the layers that name a field of one object, and prints the winner first. `managed` is none if no
/// object names the field.
fn explanation(
    what: &str,
    manifest: &TenantManifest,
    managed: Option<&Managed<'_>>,
    shown: &dyn Fn(&Node) -> Value,
    out: &mut String,
) -> Value {
    let place = |node: &Node| {
        let location = manifest.files.locate(node.span);
        format!("{}:{}:{}", location.file, location.line, location.column)
    };
    let named: Vec<&Node> = managed
        .iter()
        .flat_map(|managed| managed.layers().rev())
        .filter_map(|layer| layer.path(what))
        .collect();
    let merged = managed.and_then(|managed| managed.spec.path(what)).map(shown);
    let object = managed.map(|managed| &managed.object).filter(|object| !object.is_implied());
    let whose = object.map(|object| format!("  {object}")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = match (&merged, named.split_first()) {
        (Some(merged), Some((won, beaten))) => {
            let mut written = writeln!(
                out,
                "{}{whose}  {} = {}\n  won   {}",
                manifest.name,
                what,
                escape(&merged.to_string()),
                place(won)
            );
            for node in beaten {
                written = writeln!(out, "  beat  {}  {}", place(node), escape(&shown(node).to_string()));
            }
            written
        }
        _ if what == COMPUTED => writeln!(
            out,
            "{}  {} is not named: genesync computes it from the colours that git names",
            manifest.name, what
        ),
        _ => writeln!(
            out,
            "{}  {} is not named: genesync does not manage it, and its live value stays unless the configuration is exclusive",
            manifest.name, what
        ),
    };
    json!({
        "tenant": manifest.name.as_str(),
        "object": object,
        "field": what,
        "managed": merged.is_some(),
        "value": merged.unwrap_or(Value::Null),
        "layers": named.iter().map(|node| json!({"value": shown(node), "location": manifest.files.locate(node.span)})).collect::<Vec<_>>(),
    })
}
