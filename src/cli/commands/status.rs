//! `genesync status` and `genesync history`: print the status and the history of tenants from the store.

use std::fmt::Write as _;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::place::names;
use crate::cli::session;
use crate::cli::{Exit, Failure, Format, Output};
use crate::clock;
use crate::config::{Flags, Settings};
use crate::model::json::at_dotted;
use crate::model::record::Ending;
use crate::model::seal::{NOT_RESTORABLE, hidden, is_confidential};
use crate::model::unmanaged::{PlatformChange, by_another_user, by_the_platform};
use crate::model::{Status, TenantName};
use crate::plan::diff::differing;
use crate::render;
use crate::render::unmanaged::{OUTSIDE, REPORTED_MAX};
use crate::render::value::escape;
use crate::store::{
    HeadTrouble, HistoryLine, Overwritten, OverwrittenObject, RunLine, Store, TenantRow, Which,
};

/// What `status` takes.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Show only these tenants
    #[arg(value_name = "TENANT")]
    tenants: Vec<String>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What `history` takes.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Name of the tenant
    #[arg(value_name = "TENANT")]
    tenant: String,
    /// Most lines to print, or, with --overwritten, most writes
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Show the fields that writes to Genesys Cloud overwrote, and, with `--format json`, the whole objects
    /// before
    #[arg(long)]
    overwritten: bool,
    /// Format of the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Prints the status of every tenant.
pub async fn run(args: &StatusArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let store = store(&session::settings(flags)?).await?;
    let only = names(&args.tenants);
    let rows = store.tenants(if only.is_empty() { Which::All } else { Which::Named(&only) }).await?;
    if let Some(missing) = only.iter().find(|name| !rows.iter().any(|row| row.tenant == **name)) {
        return Err(Failure::new(Exit::Usage, format!("the state has no tenant {missing}")));
    }
    let troubles = store.troubles().await?;
    match args.format {
        Format::Json => output.data(&document(&rows, &troubles, None)),
        Format::Text => output.data(&table(&rows, &troubles)),
    }
    Ok(Exit::Done)
}

/// Prints the history of a tenant, newest first.
pub async fn history(args: &HistoryArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let store = store(&session::settings(flags)?).await?;
    let tenant = TenantName::new(args.tenant.as_str());
    if args.overwritten {
        let written = store.overwritten(&tenant, args.limit).await?;
        match args.format {
            Format::Json => {
                let writes: Vec<_> = written.iter().map(overwritten_document).collect();
                let document = json!({"tenant": tenant.as_str(), "overwritten": writes});
                output.data(&render::value::document(&document));
            }
            Format::Text => output.data(&overwritten_text(&written)),
        }
        return Ok(Exit::Done);
    }
    let lines = store.history(&tenant, args.limit).await?;
    let runs = store.runs(&tenant, args.limit).await?;
    if lines.is_empty()
        && runs.is_empty()
        && store.tenants(Which::Named(std::slice::from_ref(&tenant))).await?.is_empty()
    {
        return Err(Failure::new(Exit::Usage, format!("the state has no tenant {tenant}")));
    }
    match args.format {
        Format::Json => {
            let document = json!({"tenant": tenant.as_str(), "history": lines, "runs": runs});
            output.data(&render::value::document(&document));
        }
        Format::Text => output.data(&history_text(&lines, &runs)),
    }
    Ok(Exit::Done)
}

/// Opens the store for reads.
///
/// # Errors
/// The settings keep no state, or the store does not exist yet.
pub async fn store(settings: &Settings) -> Result<Store, Failure> {
    if settings.store.is_none() {
        return Err(session::no_state());
    }
    let looked = session::look_at_store(settings).await?;
    looked.ok_or_else(|| {
        Failure::new(Exit::Outside, "the store does not exist yet")
            .hint("start `genesync run` to make the store, or name the controller's store with --state-dir or --store")
    })
}

/// Returns one document with every row and with the reasons why new heads are not applied.
pub fn document(rows: &[TenantRow], troubles: &[HeadTrouble], exit: Option<Exit>) -> String {
    let platform = by_the_platform(rows.iter().flat_map(|row| &row.unmanaged));
    let mut document = json!({"tenants": rows, "platformChanges": platform, "headTroubles": troubles});
    if let (Some(exit), Some(fields)) = (exit, document.as_object_mut()) {
        fields.insert("exitCode".into(), exit.code().into());
    }
    render::value::document(&document)
}

/// Returns a table with every row, and below it the reasons why new heads are not applied.
pub fn table(rows: &[TenantRow], troubles: &[HeadTrouble]) -> String {
    let now = clock::now();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["TENANT", "STATUS", "FOR", "REVISION", "LAST READ", "IN SYNC", "REASON"]);
    for row in rows {
        let ago = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| age(at, now));
        table.add_row([
            row.tenant.to_string(),
            row.status.word().to_owned(),
            age(row.since, now),
            row.revision.chars().take(12).collect(),
            ago(row.checked_at),
            ago(row.synced_at),
            escape(&row.reason),
        ]);
    }
    if rows.is_empty() && troubles.is_empty() {
        return "the store has no tenant yet; start `genesync run` or `genesync run --once`\n".into();
    }
    let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let synced = rows.iter().filter(|row| row.status == Status::Synced).count();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{synced} of {} tenants Synced", rows.len());
    text.push_str(&outside(rows));
    for trouble in troubles {
        let HeadTrouble { repository, message, since, replica } = trouble;
        let line = format!(
            "{replica} could not take the newest commit of {repository} for {}: {message}",
            age(*since, now)
        );
        let _ = writeln!(text, "{}", escape(&line));
    }
    text
}

/// Returns the changes of other users and of the platform in fields that git does not name. Objects that were
/// switched off come first.
fn outside(rows: &[TenantRow]) -> String {
    let platform = by_the_platform(rows.iter().flat_map(|row| &row.unmanaged));
    let tenants = rows.iter().map(|row| (&row.tenant, row.unmanaged.as_slice()));
    let theirs = by_another_user(tenants, &platform);
    let mut theirs: Vec<_> =
        theirs.iter().flat_map(|(tenant, all)| all.iter().map(move |one| (tenant, one))).collect();
    theirs.sort_by_key(|(_, one)| std::cmp::Reverse(one.class));
    let theirs = theirs.into_iter().map(|(tenant, one)| format!("{tenant}: {}", one.words()));
    let lines = theirs.chain(platform.iter().map(PlatformChange::words));
    let lines: Vec<String> = lines.map(|line| format!("  {}\n", escape(&line))).collect();
    let more = match lines.len().saturating_sub(REPORTED_MAX) {
        0 => String::new(),
        more => format!("  and {more} more\n"),
    };
    let lines: String = lines.into_iter().take(REPORTED_MAX).chain([more]).collect();
    if lines.is_empty() { lines } else { format!("{OUTSIDE}:\n{lines}") }
}

fn history_text(lines: &[HistoryLine], runs: &[RunLine]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["AT", "WHAT", "DETAIL"]);
    let mut rows: Vec<(Timestamp, String, String)> =
        lines.iter().map(|line| (line.at, line.kind.clone(), line.detail.clone())).collect();
    rows.extend(runs.iter().map(|run| {
        let took_ms = run.ended_at.duration_since(run.started_at).as_millis();
        let detail = format!(
            "{} after {took_ms} ms, {} writes, {} conflicts, because of {}, at {}, by {}{}",
            run.status,
            run.writes,
            run.conflicts,
            run.cause,
            run.revision.chars().take(12).collect::<String>(),
            if run.asked_by.is_empty() { &run.replica } else { &run.asked_by },
            if run.asked_why.is_empty() { String::new() } else { format!(" ({})", run.asked_why) }
        );
        (run.ended_at, "run".to_owned(), detail)
    }));
    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    for (at, kind, detail) in rows {
        table.add_row([moment(at), kind, escape(&detail)]);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn overwritten_document(written: &Overwritten) -> Value {
    let Overwritten { at, whole, fields, ending } = written;
    let fields: Vec<_> = fields.iter().map(render::applied::overwritten).collect();
    let mut document = json!({"at": at, "ending": ending.name(), "fields": fields});
    if let (Some(whole), Some(entries)) = (whole, document.as_object_mut()) {
        let OverwrittenObject { target, before, by, after } = whole;
        let (shown, not_restorable) = hidden(before);
        let object = json!({"kind": target.object.kind.name(), "name": target.object.name});
        entries.insert("organizationId".into(), json!(target.organization));
        entries.insert("object".into(), object);
        entries.insert("differing".into(), json!(differing(target.object.kind, before, after)));
        entries.insert("by".into(), json!(by));
        entries.insert("before".into(), shown.into());
        entries.insert("notRestorable".into(), json!(not_restorable));
    }
    document
}

/// Returns a line for each field that a write overwrote, newest write first, with a note if the result of the
/// write is unknown.
fn overwritten_text(all: &[Overwritten]) -> String {
    if all.is_empty() {
        return "no write overwrote a field\n".into();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["AT", "OBJECT", "FIELD", "BEFORE", "LAST CHANGED BY", "WRITTEN"]);
    for Overwritten { at, whole, fields, ending } in all {
        let with_ending = |written: String| match ending {
            Ending::Written | Ending::NotExecuted => written,
            Ending::Unknown => format!("{written} (result unknown)"),
        };
        if let Some(whole) = whole {
            for row in whole_rows(whole) {
                let [object, path, before, by, written] = row;
                table.add_row([moment(*at), object, path, before, by, with_ending(written)]);
            }
            continue;
        }
        for field in fields {
            let shown = |value: &Option<Value>| match (&field.theirs, &field.ours) {
                (None, None) => "not kept".to_owned(),
                _ if is_confidential(&field.path) => NOT_RESTORABLE.to_owned(),
                _ => render::value::value(value.as_ref()),
            };
            let by = field.by.as_ref().map_or_else(|| "not known".into(), |actor| escape(&actor.label()));
            let (object, path) = (escape(&field.object.to_string()), escape(&field.path));
            table.add_row([
                moment(*at),
                object,
                path,
                shown(&field.theirs),
                by,
                with_ending(shown(&field.ours)),
            ]);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Returns object, field, old value, its author and the written value, for each field that differs.
fn whole_rows(whole: &OverwrittenObject) -> Vec<[String; 5]> {
    let OverwrittenObject { target, before, by, after } = whole;
    let row = |path: String| {
        let shown = |body: &Map<String, Value>| match (at_dotted(body, &path), is_confidential(&path)) {
            (Some(Value::String(_) | Value::Number(_)), true) => NOT_RESTORABLE.to_owned(),
            (found, _) => render::value::value(found),
        };
        let whose = match (by, at_dotted(before, &path)) {
            (Some(by), _) => escape(by),
            (None, Some(_)) => "genesync".to_owned(),
            (None, None) => "-".to_owned(),
        };
        [escape(&target.to_string()), escape(&path), shown(before), whose, shown(after)]
    };
    differing(target.object.kind, before, after).into_iter().map(row).collect()
}

/// Formats a time in UTC, to the millisecond.
fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Formats an age: `4s`, `12m`, `3h`, `9d`.
fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
