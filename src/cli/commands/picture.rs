//! `genesync picture`: draws the widget of a tenant as SVG or PNG.

use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;

use crate::cli::files;
use crate::cli::place::{self, Reads};
use crate::cli::session;
use crate::cli::{Exit, Failure, Output, SourceArgs, moment};
use crate::config::Flags;
use crate::model::TenantName;
use crate::model::hours::Hours;
use crate::render::picture::look::{Appearance, looks};
use crate::render::picture::views::Screen;
use crate::render::picture::{png, sheet};
use crate::render::value::escape;

/// What `picture` takes.
#[derive(Debug, Args)]
pub struct PictureArgs {
    /// Name of the tenant
    #[arg(value_name = "TENANT")]
    tenant: String,
    /// Configuration repository: a folder, or an https, ssh or file URL of a git repository
    #[arg(default_value = ".", value_name = "PATH|URL")]
    path: String,
    /// Read this commit, branch or tag instead of the files in the folder
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Draw what visitors get at this time, such as 2026-12-24T18:30 in the tenant's time zone
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Time zone of the opening hours, if the manifest names none
    #[arg(long, value_name = "ZONE", requires = "at")]
    tz: Option<String>,
    /// Draw only this language, such as de or ar; repeatable
    #[arg(long = "lang", value_name = "TAG")]
    languages: Vec<String>,
    /// File to write: `.svg` or `.png`; without it, SVG goes to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Factor to enlarge a PNG by, 0.1 to 8
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    scale: f32,
}

/// Draws a tenant's widget from its manifests. Fields that they do not name have the platform's default.
pub fn run(args: &PictureArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    if !(0.1..=8.0).contains(&args.scale) {
        return Err(Failure::new(Exit::Usage, "--scale must be from 0.1 to 8"));
    }
    let settings = session::settings(flags)?;
    let source =
        SourceArgs { path: args.path.clone(), rev: args.rev.clone(), tenants: vec![args.tenant.clone()] };
    let place = place::place(&source, Reads::Files, &settings)?;
    let fleet = place::load(&place, &source, output)?;
    let Some(loaded) = fleet.tenants.first() else {
        return Err(Failure::new(Exit::Usage, format!("there is no tenant {}", args.tenant)));
    };
    let objects: Vec<_> =
        loaded.resources.iter().filter(|resource| resource.object.kind.has_looks()).collect();
    if objects.is_empty() {
        return Err(Failure::new(Exit::Findings, format!("{} has no object that visitors see", loaded.name))
            .hint(format!("run `genesync validate --tenant {}` to check its manifests", loaded.name)));
    }
    let mut all: Vec<Appearance> = Vec::new();
    let mut is_open = None;
    for resource in &objects {
        if let Some(at) = &args.at {
            let zone = moment::zone(args.tz.as_deref(), loaded.time_zone.as_deref())?.or((!resource
                .object
                .kind
                .has_hours())
            .then_some(TimeZone::UTC));
            let moment = moment::read(at, zone.as_ref())?;
            if let Some(note) = moment::note(at, zone.as_ref()) {
                output.warning(&note);
            }
            let hours = Hours::of(&resource.desired.body, zone.unwrap_or(TimeZone::UTC));
            is_open = Some(hours.at(moment).is_open);
        }
        all.extend(looks(resource.object.kind, &resource.desired.body));
    }
    if !args.languages.is_empty() {
        keep_languages(&mut all, &args.languages, &loaded.name)?;
    }
    let shown = move |screen: Screen| match is_open {
        None => true,
        Some(is_open) => (screen == Screen::Unavailable) != is_open,
    };
    let when = args.at.as_ref().map(|at| format!(", at {at}")).unwrap_or_default();
    let revision = match args.rev {
        Some(_) => format!(", {}", fleet.revision.short()),
        None => String::new(),
    };
    let title = format!("{}{revision}{when}", loaded.name);
    let sheet = sheet::sheet(&escape(&title), &all, &shown);
    for word in &sheet.reported {
        output.talk(&escape(word));
    }
    let Some(path) = &args.out else {
        output.data(&sheet.svg);
        return Ok(Exit::Done);
    };
    let bytes = match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => sheet.svg.into_bytes(),
        Some("png") => png::draw(&sheet.svg, args.scale)
            .map_err(|error| Failure::bug(format!("cannot draw the picture: {error}")))?,
        _ => {
            return Err(Failure::new(Exit::Usage, "the file name of a picture must end in `.svg` or `.png`"));
        }
    };
    files::write(path, &bytes)?;
    Ok(Exit::Done)
}

/// Keeps only the looks of these languages: `de` keeps `de` and `de-AT`.
fn keep_languages(
    all: &mut Vec<Appearance>,
    languages: &[String],
    tenant: &TenantName,
) -> Result<(), Failure> {
    let known: Vec<String> = all.iter().filter_map(|look| look.language.clone()).collect();
    let wanted: Vec<String> = languages.iter().map(|tag| tag.to_lowercase()).collect();
    let is_wanted = |tag: &String| {
        wanted.iter().any(|wanted| {
            tag.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    all.retain(|look| look.language.as_ref().is_some_and(is_wanted));
    if all.is_empty() {
        let hint = match known.is_empty() {
            true => "remove --lang, because the configuration names no languages".to_owned(),
            false => format!("languages: {}", known.join(", ")),
        };
        return Err(Failure::new(Exit::Usage, format!("{tenant} has no such language")).hint(hint));
    }
    Ok(())
}
