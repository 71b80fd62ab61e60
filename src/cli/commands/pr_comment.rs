//! `genesync pr-comment`: posts a plan as a comment on its pull request, and sets the status of the commit.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::files;
use crate::cli::{Exit, Failure, Output};
use crate::config::env;
use crate::forge::{COMMENT_BYTES_MAX, Forge, ForgeError, Posted, Provider, PullRequest, State};
use crate::render::value::escape;

/// The forge of the pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProviderArg {
    /// GitHub, on github.com or on premises
    Github,
    /// GitLab, on gitlab.com or on premises
    Gitlab,
}

/// What `pr-comment` takes.
#[derive(Debug, Args)]
pub struct PrCommentArgs {
    /// Forge of the pull request
    #[arg(long, value_enum)]
    provider: ProviderArg,
    /// File with the comment, which `plan --out plan.md` writes
    #[arg(long, value_name = "FILE.md")]
    file: PathBuf,
    /// Name of this plan, if one pull request has comments for several plans
    #[arg(long, value_name = "NAME", default_value = "plan", value_parser = key)]
    key: String,
    /// URL of the forge's API; default: from the CI environment
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// Repository as `owner/name`, or a GitLab project; default: from the CI environment
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// Number of the pull request; default: from the CI environment
    #[arg(long, value_name = "N")]
    number: Option<u64>,
    /// Commit to set the status of, the head of the pull request; on GitLab from the CI environment by
    /// default
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
    /// Exit code of `plan`, to set the status of the commit also
    #[arg(long, value_name = "CODE")]
    plan_exit_code: Option<u8>,
    /// URL that the status links to
    #[arg(long, value_name = "URL")]
    link: Option<String>,
}

fn key(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match !text.is_empty() && text.len() <= 40 && !text.contains("--") && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("use at most 40 letters, digits, underscores and single dashes".into()),
    }
}

/// Posts a comment, or updates the existing one; prints nothing if it is up to date.
pub async fn run(args: &PrCommentArgs, output: &Output) -> Result<Exit, Failure> {
    let text = files::read_text(&args.file, COMMENT_BYTES_MAX)?;
    let (provider, job, token_name, api) = match args.provider {
        ProviderArg::Github => {
            (Provider::Github, env::github_job(), env::GITHUB_TOKEN, Some("https://api.github.com"))
        }
        ProviderArg::Gitlab => (Provider::Gitlab, env::gitlab_job(), env::GITLAB_TOKEN, None),
    };
    let missing =
        |what: &str, how: &str| Failure::new(Exit::Usage, format!("{what} is unknown")).hint(how.to_owned());
    let place = PullRequest {
        api: args
            .api
            .clone()
            .or(job.api)
            .or(api.map(str::to_owned))
            .ok_or_else(|| missing("the forge's API", "set it with --api"))?,
        repository: args
            .repository
            .clone()
            .or(job.repository)
            .ok_or_else(|| missing("the repository", "set it with --repository"))?,
        number: args
            .number
            .or(job.number)
            .ok_or_else(|| missing("the pull request", "set it with --number"))?,
        commit: args.commit.clone().or(job.commit),
    };
    let token = env::forge_token(token_name)
        .ok_or_else(|| missing("the token", &format!("set {} or {token_name}", env::FORGE_TOKEN)))?;
    let waits = |wait: std::time::Duration| {
        output.talk(&format!("the forge limits requests; genesync tries again in {} s", wait.as_secs()));
    };
    let forge = Forge::new(provider, place, &args.key, token, (&env::proxies()?, &waits)).map_err(failed)?;
    let posted = forge.comment(&text).await.map_err(failed)?;
    let title = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let title = escape(title.trim_start_matches(['#', ' ']));
    if let Some(code) = args.plan_exit_code {
        forge.status(state(code), &title, args.link.as_deref()).await.map_err(failed)?;
    }
    match posted {
        Posted::Made => output.talk("comment posted"),
        Posted::Updated => output.talk("comment updated"),
        Posted::Unchanged => {}
    }
    Ok(Exit::Done)
}

/// Returns the commit status for the exit code of a plan.
fn state(code: u8) -> State {
    match code {
        0 | 3 | 8 => State::Success,
        4 | 5 => State::Neutral,
        _ => State::Failure,
    }
}

fn failed(error: ForgeError) -> Failure {
    let failure = Failure::new(Exit::Outside, error.message);
    match error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
