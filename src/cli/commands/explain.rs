//! `genesync explain`
//!
//! In: a rule, guard or field, or a tenant and a moment. Out: its page, where a value comes from, or what visitors
//! get. Never: asks the live API. Start reading at [`run`]; each answer has a file under `explain/`.

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

/// Fields of manifests that are never sent.
const OWN_FIELDS: &[&str] = &["extends", "exclusive", "name", "signatureSecret", "availability.timeZone"];

/// What `explain` takes.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Id of a rule or a guard; field of a spec, such as `widget.theme.colors.primary`; with `--at`, a tenant
    #[arg(value_name = "ID|FIELD|TENANT")]
    what: String,
    #[command(flatten)]
    source: SourceArgs,
    /// Say what the tenant's visitors get at this moment, such as 2026-12-24T18:30 in its own time zone
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Time zone of the opening hours, where the manifest names none
    #[arg(long, value_name = "ZONE", requires = "at")]
    tz: Option<String>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Prints the page of a rule or a guard, where a value comes from, or what visitors get at a moment.
pub fn run(args: &ExplainArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    if let Some(at) = &args.at {
        return at_moment(args, at, flags, output);
    }
    // A field of the same name is meant where a tenant is.
    let is_field = || Dialect::ALL.iter().any(|dialect| schema::has_field(*dialect, &args.what));
    if let Some(page) = page::page(&args.what).filter(|_| args.source.tenants.is_empty() || !is_field()) {
        print_page(args, &page, output);
        return Ok(Exit::Done);
    }
    of_field(args, flags, output)
}

/// Prints the page of a rule or a guard; for a guard also the address of its section.
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

/// What a tenant's visitors get at a moment.
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
    // A messenger has no hours, and so needs no zone.
    let zone = typed::zone(args.tz.as_deref(), named)?.or((!manifest.has_hours()).then_some(TimeZone::UTC));
    let moment = typed::read(at, zone.as_ref())?;
    if let Some(note) = typed::note(at, zone.as_ref()) {
        output.warning(&note);
    }
    let told = moment::told(manifest, moment, &zone.unwrap_or(TimeZone::UTC));
    match args.format {
        Format::Json => output.data(&document(&json!({"moment": told.document, "exitCode": 0}))),
        Format::Text => output.data(&told.text),
    }
    Ok(Exit::Done)
}

/// Whether all of a tenant's files could be read and laid on their layers, whatever is wrong with their values.
fn is_merged(manifest: &TenantManifest) -> bool {
    let is_lost = |finding: &Finding| {
        finding.severity == Severity::Error && matches!(finding.rule, "yaml" | "layers" | "repository")
    };
    !manifest.findings.iter().any(is_lost)
}

fn unreadable(manifest: &TenantManifest) -> Failure {
    let name = &manifest.name;
    Failure::new(Exit::Findings, format!("{name} is not valid: what it asks for can't be told"))
        .hint(format!("`genesync validate --tenant {name}` says what is wrong"))
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

/// What somebody may have meant by a word that is no rule, guard or field.
fn meant(what: &str, tenants: &[&str]) -> String {
    let fields = || Dialect::ALL.iter().flat_map(|dialect| schema::fields(*dialect)).map(String::as_str);
    if tenants.contains(&what) {
        return format!("to see what visitors of {what} get, add a moment: --at 2026-12-24T18:30");
    }
    if let Some((list, _)) = what.split_once('[').filter(|(list, _)| fields().any(|field| field == *list)) {
        return format!("a list has one source, whatever stands in it: `genesync explain {list}`");
    }
    let ends: BTreeSet<&str> = fields()
        .filter(|field| field.rsplit('.').next().is_some_and(|end| end.eq_ignore_ascii_case(what)))
        .collect();
    if !ends.is_empty() {
        let ends: Vec<String> = ends.iter().map(|field| format!("`{field}`")).collect();
        return format!("write the whole path: {}", ends.join(" or "));
    }
    match schema::nearest(what, page::ids().chain(fields())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`genesync rules list` lists rules, `genesync schema KIND` fields".into(),
    }
}

/// Where a value comes from.
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
    let told = args.what.rsplit('.').next().is_some_and(is_telling);
    // What `validate` calls a secret is not printed here either.
    let shown = |node: &Node| match told || !secrets::places(node, "").is_empty() {
        true => Value::from("****"),
        false => node.to_json(),
    };
    let (mut documents, mut out) = (Vec::new(), String::new());
    // Of what can't be read nobody knows what it names.
    let (readable, broken): (Vec<_>, Vec<_>) = manifests.iter().partition(|manifest| is_merged(manifest));
    if let (true, Some(first)) = (readable.is_empty(), broken.first()) {
        return Err(unreadable(first));
    }
    for manifest in &broken {
        output.warning(&unreadable(manifest).message);
    }
    for manifest in readable {
        let managed: Vec<Managed<'_>> = manifest.managed().collect();
        // A field of one kind is not told of for objects of another; where none names it, the tenant does not.
        let naming = managed.iter().filter(|managed| managed.spec.path(&args.what).is_some());
        let mut naming: Vec<Option<&Managed<'_>>> = naming.map(Some).collect();
        if naming.is_empty() {
            naming.push(None);
        }
        for managed in naming {
            documents.push(explanation(&args.what, manifest, managed, &shown, &mut out));
        }
    }
    // A word that is no field of any kind was meant for something else.
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

/// Which layers name a field of one object, and which of them won; none for what no object names.
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
    // Writing to a String can't fail; the results are dropped throughout.
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
        _ => writeln!(
            out,
            "{}  {} is not named: it is not managed, and what is live stays",
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
