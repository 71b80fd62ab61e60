//! `genesync pr-comment`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::files;
use crate::cli::{Exit, Failure, Output};
use crate::config::env;
use crate::forge::{COMMENT_BYTES_MAX, Forge, ForgeError, Posted, Provider, PullRequest, State};
use crate::render::value::escape;

/// A forge.
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
    /// The forge
    #[arg(long, value_enum)]
    provider: ProviderArg,
    /// The comment, as `plan --out plan.md` writes it
    #[arg(long, value_name = "FILE.md")]
    file: PathBuf,
    /// Name of this plan, where one pull request has comments for several
    #[arg(long, value_name = "NAME", default_value = "plan", value_parser = key)]
    key: String,
    /// URL of the forge's API; else as the runner says
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// `owner/name`, or a GitLab project; else as the runner says
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// Number of the pull request; else as the runner says
    #[arg(long, value_name = "N")]
    number: Option<u64>,
    /// Commit to set the status of: the head of the pull request
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
    /// Exit code of the `plan`: sets the status of the commit, too
    #[arg(long, value_name = "CODE")]
    plan_exit_code: Option<u8>,
    /// Where the status leads to
    #[arg(long, value_name = "URL")]
    link: Option<String>,
}

fn key(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match !text.is_empty() && text.len() <= 40 && !text.contains("--") && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("use up to 40 letters, digits and single dashes".into()),
    }
}

/// Posts a comment, or updates the one that is there; silent where it says so already.
pub async fn run(args: &PrCommentArgs, output: &Output) -> Result<Exit, Failure> {
    let text = files::read_text(&args.file, COMMENT_BYTES_MAX)?;
    let (provider, job, token_name, api) = match args.provider {
        ProviderArg::Github => {
            (Provider::Github, env::github_job(), env::GITHUB_TOKEN, Some("https://api.github.com"))
        }
        ProviderArg::Gitlab => (Provider::Gitlab, env::gitlab_job(), env::GITLAB_TOKEN, None),
    };
    let missing = |what: &str, how: &str| {
        Failure::new(Exit::Usage, format!("{what} is not known")).hint(how.to_owned())
    };
    let place = PullRequest {
        api: args
            .api
            .clone()
            .or(job.api)
            .or(api.map(str::to_owned))
            .ok_or_else(|| missing("the forge's API", "name it with --api"))?,
        repository: args
            .repository
            .clone()
            .or(job.repository)
            .ok_or_else(|| missing("the repository", "name it with --repository"))?,
        number: args
            .number
            .or(job.number)
            .ok_or_else(|| missing("the pull request", "name it with --number"))?,
        commit: args.commit.clone().or(job.commit),
    };
    let token = env::forge_token(token_name)
        .ok_or_else(|| missing("the token", &format!("set {} or {token_name}", env::FORGE_TOKEN)))?;
    let waits = |wait: std::time::Duration| {
        output.talk(&format!("the forge limits requests; trying again in {} s", wait.as_secs()));
    };
    let forge = Forge::new(provider, place, &args.key, token, (&env::proxies()?, &waits)).map_err(failed)?;
    let posted = forge.comment(&text).await.map_err(failed)?;
    let title = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let title = escape(title.trim_start_matches(['#', ' ']));
    if let Some(code) = args.plan_exit_code {
        forge.status(state(code), &title, args.link.as_deref()).await.map_err(failed)?;
    }
    match posted {
        Posted::Made => output.talk("the comment was made"),
        Posted::Updated => output.talk("the comment was updated"),
        Posted::Unchanged => {}
    }
    Ok(Exit::Done)
}

/// What the exit code of a plan is to a pull request.
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
