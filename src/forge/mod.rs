//! The comment on a pull request and the status of its commit. genesync keeps one comment and updates it in
//! place.
//!
//! In: a [`PullRequest`], a comment's text, a status. Out: the result. Never: repeats a write of unknown
//! outcome without a check, overwrites a comment of another user, or shows its token. Start reading at
//! [`Forge::comment`]; `dialect.rs` has the forges' APIs, `client.rs` the HTTP client.

mod client;
mod dialect;

use std::time::Duration;

use crate::model::proxies::Proxies;
use crate::model::text::escape;
use crate::model::{Secret, json};
use client::{Answer, Client, Waits};
pub use dialect::Provider;
use dialect::{Author, Comment};

/// Most bytes of a comment; forges accept 65,536 characters.
pub const COMMENT_BYTES_MAX: usize = 65_536;
/// Most pages of a hundred comments that are searched.
const PAGES_MAX: u32 = 50;
/// The first wait before another search for a comment whose write has an unknown outcome.
const LOOK_AFTER: Duration = Duration::from_millis(700);
/// How often genesync searches for such a comment before it writes it again.
const LOOKS_MAX: u32 = 3;

/// A pull request of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The forge's API, such as `https://api.github.com`.
    pub api: String,
    /// The repository: `owner/name` on GitHub, the project's id or path on GitLab.
    pub repository: String,
    /// The number of the pull request.
    pub number: u64,
    /// The commit whose status is set, if any.
    pub commit: Option<String>,
}

/// The result of posting a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// There was no comment, and genesync created it.
    Made,
    /// genesync replaced the text.
    Updated,
    /// The comment already had the text.
    Unchanged,
}

/// The state of a plan, for the status of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No errors and no decisions.
    Success,
    /// A manifest is not valid, or a tenant could not be planned.
    Failure,
    /// A person has to decide.
    Neutral,
}

/// Why a comment could not be posted.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ForgeError {
    /// One sentence; never holds the token.
    pub message: String,
    /// How to fix it.
    pub hint: Option<&'static str>,
}

impl ForgeError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// The forge, for one pull request.
pub struct Forge<'a> {
    client: Client<'a>,
    provider: Provider,
    place: PullRequest,
    /// Separates the comments of several plans on one pull request.
    key: String,
}

impl<'a> Forge<'a> {
    /// Creates a forge with a token. It calls `waits` before each wait for a rate limit.
    ///
    /// # Errors
    /// The HTTP client cannot be set up, or the token would be sent without TLS.
    pub fn new(
        provider: Provider,
        place: PullRequest,
        key: &str,
        token: Secret,
        (proxies, waits): (&Proxies, &'a Waits<'a>),
    ) -> Result<Self, ForgeError> {
        // An HTTP client normalizes a path before it sends it: `..` would lead to another path.
        if place.repository.split('/').any(|part| part.is_empty() || part.chars().all(|c| c == '.')) {
            return Err(ForgeError::new(format!("`{}` is not a repository", escape(&place.repository))));
        }
        let client = Client::new(&place.api, provider, token, (proxies, waits))?;
        Ok(Self { client, provider, place, key: key.to_owned() })
    }

    /// Creates the comment, updates it, or leaves it unchanged, so that it has this text.
    ///
    /// # Errors
    /// The forge refused it, or could not be reached.
    pub async fn comment(&self, text: &str) -> Result<Posted, ForgeError> {
        let digest = json::digest_bytes(text.as_bytes());
        let body = format!("{}\n<!-- {digest} -->\n{text}", self.marker());
        if body.len() > COMMENT_BYTES_MAX {
            let message =
                format!("the comment has {} bytes, but the limit is {COMMENT_BYTES_MAX} bytes", body.len());
            return Err(ForgeError::new(message).hint("post the output of `genesync plan --format markdown`"));
        }
        let author = self.author().await?;
        let mut made = false;
        for _ in 0..LOOKS_MAX {
            let found = self.find(&author).await?;
            let answer = match &found {
                // Other users may have edited the comment, so all of it is compared.
                Some(comment) if says(&comment.body, &body) => {
                    return Ok(if made { Posted::Made } else { Posted::Unchanged });
                }
                Some(comment) => self.provider.update(&self.place, comment.id, &body),
                None => self.provider.make(&self.place, &body),
            };
            match self.client.send(answer).await? {
                Answer::Done(_) if found.is_some() => return Ok(Posted::Updated),
                Answer::Done(_) => return Ok(Posted::Made),
                // It may have been written, so search for it before sending it again.
                Answer::Lost => {
                    made = found.is_none();
                    if self.appears(&author, &body).await? {
                        return Ok(if made { Posted::Made } else { Posted::Updated });
                    }
                }
                Answer::Refused { status, reason } => return Err(refused(status, &reason)),
            }
        }
        Err(ForgeError::new("the forge did not confirm the comment after several tries"))
    }

    /// Sets the status of the commit, as a check run if the forge has check runs and the token may create
    /// them.
    ///
    /// # Errors
    /// The forge refused it, or could not be reached.
    pub async fn status(&self, state: State, title: &str, link: Option<&str>) -> Result<(), ForgeError> {
        let Some(commit) = &self.place.commit else {
            return Err(ForgeError::new("no commit is known to set the status of").hint("set --commit"));
        };
        let name = format!("genesync/{}", self.key);
        let mut last = ForgeError::new("this forge does not support commit statuses");
        for call in self.provider.statuses(&self.place, commit, &name, state, title, link) {
            match self.client.send(call).await? {
                // A repeated call sets the same status.
                Answer::Done(_) => return Ok(()),
                Answer::Lost => last = ForgeError::new("the forge did not confirm the status"),
                Answer::Refused { status, reason } => last = refused(status, &reason),
            }
        }
        Err(last)
    }

    /// Whether a comment with an unknown outcome appears: a forge may still execute a request after a
    /// gateway gave up.
    async fn appears(&self, author: &Author, body: &str) -> Result<bool, ForgeError> {
        for look in 0..LOOKS_MAX {
            tokio::time::sleep(LOOK_AFTER * look).await;
            if self.find(author).await?.is_some_and(|comment| says(&comment.body, body)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn marker(&self) -> String {
        format!("<!-- genesync:{} -->", self.key)
    }

    /// Returns the author of genesync's comments.
    async fn author(&self) -> Result<Author, ForgeError> {
        match self.client.send(self.provider.who()).await? {
            Answer::Done(body) => Ok(self.provider.author(&body)),
            // A workflow's token belongs to no user; its comments are from a bot.
            Answer::Refused { status: 401 | 403 | 404, .. } => Ok(Author::Bot),
            Answer::Refused { status, reason } => Err(refused(status, &reason)),
            Answer::Lost => Err(ForgeError::new("the forge did not return the user of the token")),
        }
    }

    /// Finds genesync's comment: it begins with the marker and has genesync's author, because any user can
    /// write a marker.
    async fn find(&self, author: &Author) -> Result<Option<Comment>, ForgeError> {
        let marker = self.marker();
        for page in 1..=PAGES_MAX {
            let body = match self.client.send(self.provider.list(&self.place, page)).await? {
                Answer::Done(body) => body,
                Answer::Refused { status, reason } => return Err(refused(status, &reason)),
                Answer::Lost => return Err(ForgeError::new("the forge did not answer")),
            };
            let comments = self
                .provider
                .comments(&body)
                .ok_or_else(|| ForgeError::new("the answer of the forge cannot be read"))?;
            let is_last = comments.len() < dialect::PER_PAGE;
            let ours = |comment: &Comment| comment.body.starts_with(&marker) && author.wrote(comment);
            if let Some(found) = comments.into_iter().find(ours) {
                return Ok(Some(found));
            }
            if is_last {
                return Ok(None);
            }
        }
        Err(ForgeError::new(format!(
            "the pull request has more than {} comments",
            PAGES_MAX as usize * dialect::PER_PAGE
        )))
    }
}

/// Whether a comment has a text, independent of the forge's line ends.
fn says(comment: &str, text: &str) -> bool {
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    lines(comment.trim_end()) == lines(text.trim_end())
}

fn refused(status: u16, reason: &str) -> ForgeError {
    let error = ForgeError::new(format!("the forge answered {status}: {reason}"));
    let says = |text: &str| reason.to_ascii_lowercase().contains(text);
    match status {
        401 => error.hint("set a valid token, because this one is not valid or has expired"),
        403 | 422 if says("locked") => error.hint("unlock the conversation of the pull request, and run this again"),
        _ if says("too long") => error.hint("plan fewer tenants with --tenant, or attach the plan as a file and link to it"),
        403 => error.hint("use a token with more permissions: on GitHub it needs `pull-requests: write` and `checks: write`, and a pull request from a fork gets no such token"),
        404 => error.hint("check the repository and the pull request, and that the token may read them"),
        _ => error,
    }
}

/// Longest wait for a rate limit.
const WAIT_MAX: Duration = Duration::from_secs(60);
