//! The command line: parses arguments, runs a command, prints, and returns the exit code.
//!
//! In: arguments. Out: text on stdout and stderr, an exit code. Never: contains logic of a stage. Each
//! command has one file. Only `failure.rs` decides messages, hints and exit codes of failures, and only
//! `output.rs` prints. Start reading at [`main`], then any file under `commands/`.

mod args;
pub mod commands;
mod failure;
mod files;
mod moment;
mod order;
mod output;
mod place;
mod progress;
mod reviewed;
mod session;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::{self, Flags, Settings, env};
use crate::lsp;
pub use crate::model::Exit;
use crate::service::logging;
use crate::telemetry::{self, Options, Telemetry};
pub use args::{DraftArg, Format, GuardArgs, SourceArgs};
use commands::accessibility::ReportFormat;
use commands::plan::PlanFormat;
use commands::validate::ValidateFormat;
use commands::{
    accept, accessibility, allow, apply, completions, demo, doctor, emulate, explain, import, init, man,
    pause, picture, plan, pr_comment, rules, run, schema, status, validate,
};
pub use failure::Failure;
pub use output::Output;

/// Keep the web messaging configuration of many Genesys organizations equal to a git repository
#[derive(Debug, Parser)]
#[command(name = "genesync", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Exit codes:
   0  in sync, or done
   1  findings: the input is not valid
   2  usage
   3  git has changes to apply (--detailed-exitcode), or a change waits (apply)
   4  a person decides: contended, held, undecided, or refused by the API
   5  refused by a guard
   6  partial failure: some writes were sent, and a write or a tenant failed
   7  outside: network, API, database, git
   8  only the live configuration changed: drift (--detailed-exitcode)
  70  a bug")]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The options of every command.
#[derive(Debug, Args)]
struct Global {
    /// Settings file, outside of any configuration repository (env: `GENESYNC_SETTINGS`)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Operator's settings")]
    settings: Option<PathBuf>,
    /// URL to use instead of a region's API host, such as an emulator; repeatable
    /// (env: `GENESYNC_ENDPOINT_<REGION>`)
    #[arg(long = "endpoint", global = true, value_name = "REGION=URL", help_heading = "Operator's settings")]
    endpoints: Vec<String>,
    /// Directory of mounted credentials: `<name>/client-id` and `<name>/client-secret`
    /// (env: `GENESYNC_CREDENTIALS_DIR`)
    #[arg(long, global = true, value_name = "DIR", help_heading = "Operator's settings")]
    credentials_dir: Option<PathBuf>,
    /// Directory of the state (env: `GENESYNC_STATE_DIR`)
    #[arg(long, global = true, value_name = "DIR", help_heading = "Operator's settings")]
    state_dir: Option<PathBuf>,
    /// PostgreSQL database to keep the state in instead of the directory, for several replicas (env:
    /// `GENESYNC_STORE`)
    #[arg(long, global = true, value_name = "URL", help_heading = "Operator's settings")]
    store: Option<String>,
    /// Print only results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more, also the files that genesync skips; give it twice to log every request
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Global {
    fn flags(self) -> Flags {
        let Global { settings, endpoints, credentials_dir, state_dir, store, quiet: _, verbose: _ } = self;
        Flags { settings, endpoints, credentials_dir, state_dir, store }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Start a configuration repository with one example tenant
    #[command(after_help = "Example:\n  genesync init our-chats --tenant northbank")]
    Init(init::InitArgs),
    /// Check manifests offline, without credentials
    #[command(after_help = "Example:\n  genesync validate --fix")]
    Validate(validate::ValidateArgs),
    /// Show what `apply` would change and who changed the live configuration, without writing
    #[command(after_help = "Example:\n  genesync plan --since origin/main")]
    Plan(plan::PlanArgs),
    /// Make the live configuration equal to a commit in every region, and confirm every write
    #[command(after_help = "Example:\n  genesync apply https://git.example.com/our-chats.git --rev main")]
    Apply(apply::ApplyArgs),
    /// Run the controller, which keeps the live configuration equal to a repository
    #[command(after_help = "Example:\n  genesync run https://git.example.com/our-chats.git")]
    Run(run::RunArgs),
    /// Show the status of every tenant from the state
    #[command(after_help = "Example:\n  genesync status")]
    Status(status::StatusArgs),
    /// Show the history of a tenant from the state
    #[command(after_help = "Example:\n  genesync history northbank --overwritten")]
    History(status::HistoryArgs),
    /// Make the controller run tenants now
    #[command(after_help = "Example:\n  genesync sync northbank")]
    Sync(pause::SyncArgs),
    /// Pause tenants: genesync reads them and writes nothing
    #[command(
        after_help = "Example:\n  genesync pause northbank --reason \"campaign of the marketing team\""
    )]
    Pause(pause::PauseArgs),
    /// Open guards for the next run of a tenant
    #[command(after_help = "Example:\n  genesync allow protected northbank --reason \"the branch closes\"")]
    Allow(allow::AllowArgs),
    /// Accept changes of other users in fields that git does not name
    #[command(after_help = "Example:\n  genesync accept northbank")]
    Accept(accept::AcceptArgs),
    /// End pauses and holds
    #[command(after_help = "Example:\n  genesync resume northbank")]
    Resume(pause::ResumeArgs),
    /// Show what `mode: enforce` would change, without writing
    #[command(after_help = "Example:\n  genesync adopt --tenant northbank")]
    Adopt(plan::PlanArgs),
    /// Check credentials, permissions, clocks and limits, and show how to fix each failure
    #[command(after_help = "Example:\n  genesync doctor --tenant northbank")]
    Doctor(doctor::DoctorArgs),
    /// Write manifests for the live configuration of an organization
    #[command(
        after_help = "Example:\n  genesync import --tenant northbank --organization 8b1f0c52-6d3e-4a7b-9c10-2f4e5d6a7b8c --region eu-west-1 --credentials northbank"
    )]
    Import(import::ImportArgs),
    /// Print a value and the lines that set it, or the page of a rule or guard
    #[command(after_help = "Example:\n  genesync explain greetings.enabled --tenant northbank")]
    Explain(explain::ExplainArgs),
    /// Post a plan to its pull request as one comment, or update that comment
    #[command(after_help = "Example:\n  genesync pr-comment --provider github --file plan.md")]
    PrComment(pr_comment::PrCommentArgs),
    /// Draw the widget of a tenant
    #[command(after_help = "Example:\n  genesync picture northbank")]
    Picture(picture::PictureArgs),
    /// List the rules, or the tenants that a stricter rule would fail
    #[command(after_help = "Example:\n  genesync rules list")]
    Rules(rules::RulesArgs),
    /// Report how accessible the widget of every tenant is
    #[command(after_help = "Example:\n  genesync accessibility --format html")]
    Accessibility(accessibility::AccessibilityArgs),
    /// Serve an editor over the language server protocol on stdin and stdout
    #[command(after_help = "Example:\n  genesync lsp")]
    Lsp,
    /// Print the JSON Schema of a document
    #[command(after_help = "Example:\n  genesync schema --out schemas")]
    Schema(schema::SchemaArgs),
    /// Run the Genesys emulator
    #[command(after_help = "Example:\n  genesync emulate")]
    Emulate(emulate::EmulateArgs),
    /// Plan, apply and confirm ten example tenants against the emulator
    #[command(after_help = "Example:\n  genesync demo")]
    Demo(demo::DemoArgs),
    /// Print the completion script of a shell
    #[command(
        after_help = "Example:\n  genesync completions bash > ~/.local/share/bash-completion/completions/genesync"
    )]
    Completions(completions::CompletionsArgs),
    /// Print a manual page, or write all of them
    #[command(after_help = "Example:\n  genesync man --out /usr/share/man/man1")]
    Man(man::ManArgs),
}

impl Command {
    /// Returns whether the command prints its result as JSON. Then it also prints a failure as JSON.
    fn wants_json(&self) -> bool {
        match self {
            Command::Validate(args) => args.format == ValidateFormat::Json,
            Command::Plan(args) => args.format == PlanFormat::Json,
            Command::Apply(args) => args.format == Format::Json,
            Command::Adopt(args) => args.format == PlanFormat::Json,
            Command::Doctor(args) => args.format == Format::Json,
            Command::Explain(args) => args.format == Format::Json,
            Command::Run(args) => args.format == Format::Json,
            Command::Status(args) => args.format == Format::Json,
            Command::History(args) => args.format == Format::Json,
            Command::Rules(args) => args.format() == Format::Json,
            Command::Accessibility(args) => args.format == ReportFormat::Json,
            Command::Sync(_)
            | Command::Pause(_)
            | Command::Allow(_)
            | Command::Accept(_)
            | Command::Resume(_)
            | Command::Init(_)
            | Command::Import(_)
            | Command::Lsp
            | Command::Picture(_)
            | Command::PrComment(_)
            | Command::Schema(_)
            | Command::Emulate(_)
            | Command::Demo(_)
            | Command::Completions(_)
            | Command::Man(_) => false,
        }
    }
}

impl Command {
    /// Returns whether the command uses time zones. The other commands work without settings.
    fn reads_time_zones(&self) -> bool {
        !matches!(
            self,
            Command::Init(_)
                | Command::PrComment(_)
                | Command::Schema(_)
                | Command::Emulate(_)
                | Command::Demo(_)
                | Command::Completions(_)
                | Command::Man(_)
        )
    }
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let Cli { global, command } = cli;
    let (quiet, verbose) = (global.quiet, global.verbose);
    let output = Output::new(quiet, verbose > 0);
    let json = command.wants_json();
    let flags = global.flags();
    let telemetry = Arc::new(start_telemetry(&command, &flags, quiet, verbose));
    let work = AssertUnwindSafe(|| {
        if command.reads_time_zones() {
            config::supply_time_zones(flags.settings.clone())?;
        }
        dispatch(flags, command, &output, &telemetry)
    });
    let result = std::panic::catch_unwind(work);
    let result =
        result.unwrap_or_else(|_| Err(Failure::bug("genesync panicked: the lines above show where")));
    let exit = match result {
        Ok(_) if output.lost_a_result() => Exit::Outside,
        Ok(exit) => exit,
        Err(failure) => {
            failure.print(&output, json);
            failure.exit
        }
    };
    telemetry.flush();
    ExitCode::from(exit.code())
}

/// Prints help and version on stdout, and a usage error on stderr and, with `--format json`, as a document on
/// stdout.
fn usage(error: &clap::Error) -> ExitCode {
    // If stderr is closed, there is no reader to report to.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::from(Exit::Done.code());
    }
    let typed: Vec<String> = std::env::args().collect();
    let json = typed.iter().any(|word| word == "--format=json")
        || typed.windows(2).any(|pair| pair == ["--format", "json"]);
    if json {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Output::new(true, false).data(&Failure::new(Exit::Usage, first).document());
    }
    ExitCode::from(Exit::Usage.code())
}

/// Starts logging if the operator asks for it. The controller logs at its default level without a flag.
fn start_telemetry(command: &Command, flags: &Flags, quiet: bool, verbose: u8) -> Telemetry {
    let level = if quiet { Some("genesync=warn") } else { (verbose > 1).then_some("genesync=debug") };
    let asked = env::log().or_else(|| level.map(str::to_owned));
    let options = match command {
        // The command itself reports settings that cannot be read.
        Command::Run(_) => match Settings::resolve(flags.clone()) {
            Ok(settings) => logging(&settings, asked),
            Err(_) => Options::default(),
        },
        _ => Options { filter: asked, ..Options::default() },
    };
    // An invalid filter disables logging and does not fail the command.
    telemetry::start(&options).unwrap_or_default()
}

fn dispatch(
    flags: Flags,
    command: Command,
    output: &Output,
    telemetry: &Arc<Telemetry>,
) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(&args, output),
        Command::Validate(args) => validate::run(&args, flags, output),
        Command::Plan(args) => block_on(plan::run(&args, flags, output)),
        Command::Apply(args) => block_on(apply::run(&args, flags, output)),
        Command::Run(args) => block_on(run::run(&args, flags, output, telemetry)),
        Command::Status(args) => block_on(status::run(&args, flags, output)),
        Command::History(args) => block_on(status::history(&args, flags, output)),
        Command::Sync(args) => block_on(pause::sync(&args, flags, output)),
        Command::Pause(args) => block_on(pause::pause(&args, flags, output)),
        Command::Accept(args) => block_on(accept::run(&args, flags, output)),
        Command::Allow(args) => block_on(allow::run(&args, flags, output)),
        Command::Resume(args) => block_on(pause::resume(&args, flags, output)),
        Command::Adopt(args) => block_on(plan::adopt(&args, flags, output)),
        Command::Doctor(args) => block_on(doctor::run(&args, flags, output)),
        Command::Import(args) => block_on(import::run(&args, flags, output)),
        Command::Explain(args) => explain::run(&args, flags, output),
        Command::Rules(args) => rules::run(&args, flags, output),
        Command::Accessibility(args) => accessibility::run(&args, flags, output),
        Command::Lsp => block_on(async {
            lsp::serve().await.map_err(|error| Failure::new(Exit::Findings, error.to_string()))?;
            Ok(Exit::Done)
        }),
        Command::PrComment(args) => block_on(pr_comment::run(&args, output)),
        Command::Picture(args) => picture::run(&args, flags, output),
        Command::Schema(args) => schema::run(&args, output),
        Command::Emulate(args) => block_on(emulate::run(&args, output)),
        Command::Demo(args) => block_on(demo::run(&args, output)),
        Command::Completions(args) => completions::run(&args, Cli::command(), output),
        Command::Man(args) => man::run(&args, Cli::command(), output),
    }
}

fn block_on(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::bug(format!("cannot start the runtime: {error}")))?;
    let result = runtime.block_on(work);
    // A blocking call that still runs must not delay the exit.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the arguments that a shell would pass. Quotes group words, and a redirection is left out.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(" > ").next().unwrap_or_default();
        let parts = line.split('"').enumerate();
        let words = |(at, part): (usize, &str)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        };
        parts.flat_map(words).collect()
    }

    #[test]
    fn the_help_of_every_command_shows_an_example_that_the_command_accepts() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example =
                help.strip_prefix("Example:\n  ").unwrap_or_else(|| panic!("`{name}` shows no example"));
            let typed = words(example);
            assert_eq!(typed.get(1).map(String::as_str), Some(name), "{example}");
            if let Err(error) = Cli::try_parse_from(typed) {
                panic!("{example}: {error}");
            }
        }
    }
}
