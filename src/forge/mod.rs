//! The comment on a pull request, and its commit's status: one comment, found again and updated in place.
//!
//! In: a [`PullRequest`], a comment's text, a status. Out: what was done. Never: writes twice what may have been written
//! once, goes over a comment that is somebody else's, or shows its token. Start reading at [`Forge::comment`]; what the
//! forges' APIs look like is in `dialect.rs`, how they are asked in `client.rs`.

mod client;
mod dialect;

use std::time::Duration;

use crate::model::proxies::Proxies;
use crate::model::text::escape;
use crate::model::{Secret, json};
use client::{Answer, Client, Waits};
pub use dialect::Provider;
use dialect::{Author, Comment};

/// Most bytes of a comment: forges take 65,536 characters.
pub const COMMENT_BYTES_MAX: usize = 65_536;
/// Most pages of a hundred comments that are looked through.
const PAGES_MAX: u32 = 50;
/// The first wait before a comment whose fate is unknown is looked for again.
const LOOK_AFTER: Duration = Duration::from_millis(700);
/// How often a comment whose fate is unknown is looked for before it is written again.
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
    /// The commit that a status is set on, where one is.
    pub commit: Option<String>,
}

/// What became of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// There was none: it was made.
    Made,
    /// It says something else now.
    Updated,
    /// It said so already.
    Unchanged,
}

/// How a plan stands, for the status of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All is well.
    Success,
    /// Something is not valid, or could not be planned.
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
    /// What to do about it.
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

/// A forge, seen from one pull request.
pub struct Forge<'a> {
    client: Client<'a>,
    provider: Provider,
    place: PullRequest,
    /// Tells comments of several plans on one pull request apart.
    key: String,
}

impl<'a> Forge<'a> {
    /// A forge that is asked with a token. `waits` is called before each wait for one of its limits.
    ///
    /// # Errors
    /// The HTTP client can't be set up, or the token would travel in the open.
    pub fn new(
        provider: Provider,
        place: PullRequest,
        key: &str,
        token: Secret,
        (proxies, waits): (&Proxies, &'a Waits<'a>),
    ) -> Result<Self, ForgeError> {
        // A path of a URL is tidied up before it is sent: `..` would lead elsewhere.
        if place.repository.split('/').any(|part| part.is_empty() || part.chars().all(|c| c == '.')) {
            return Err(ForgeError::new(format!("`{}` is no repository", escape(&place.repository))));
        }
        let client = Client::new(&place.api, provider, token, (proxies, waits))?;
        Ok(Self { client, provider, place, key: key.to_owned() })
    }

    /// Makes the comment say a text: makes it, updates it, or leaves it as it is.
    ///
    /// # Errors
    /// The forge said no, or could not be reached.
    pub async fn comment(&self, text: &str) -> Result<Posted, ForgeError> {
        let digest = json::digest_bytes(text.as_bytes());
        let body = format!("{}\n<!-- {digest} -->\n{text}", self.marker());
        if body.len() > COMMENT_BYTES_MAX {
            let message = format!("the comment has {} bytes, {COMMENT_BYTES_MAX} are the most", body.len());
            return Err(ForgeError::new(message).hint("`genesync plan --format markdown` keeps within it"));
        }
        let author = self.author().await?;
        let mut made = false;
        for _ in 0..LOOKS_MAX {
            let found = self.find(&author).await?;
            let answer = match &found {
                // Whoever may edit comments may have edited this one: all of it is compared.
                Some(comment) if says(&comment.body, &body) => {
                    return Ok(if made { Posted::Made } else { Posted::Unchanged });
                }
                Some(comment) => self.provider.update(&self.place, comment.id, &body),
                None => self.provider.make(&self.place, &body),
            };
            match self.client.send(answer).await? {
                Answer::Done(_) if found.is_some() => return Ok(Posted::Updated),
                Answer::Done(_) => return Ok(Posted::Made),
                // It may be there by now: that is looked for before anything is sent again.
                Answer::Lost => {
                    made = found.is_none();
                    if self.appears(&author, &body).await? {
                        return Ok(if made { Posted::Made } else { Posted::Updated });
                    }
                }
                Answer::Refused { status, reason } => return Err(refused(status, &reason)),
            }
        }
        Err(ForgeError::new("the forge took the comment several times and never answered"))
    }

    /// Sets the status of the commit, as a check run where the forge has such and the token may make them.
    ///
    /// # Errors
    /// The forge said no, or could not be reached.
    pub async fn status(&self, state: State, title: &str, link: Option<&str>) -> Result<(), ForgeError> {
        let Some(commit) = &self.place.commit else {
            return Err(
                ForgeError::new("no commit is known to set the status of").hint("name it with --commit")
            );
        };
        let name = format!("genesync/{}", self.key);
        let mut last = ForgeError::new("this forge has no statuses");
        for call in self.provider.statuses(&self.place, commit, &name, state, title, link) {
            match self.client.send(call).await? {
                // Setting a status twice sets it once.
                Answer::Done(_) => return Ok(()),
                Answer::Lost => last = ForgeError::new("the forge did not say whether it took the status"),
                Answer::Refused { status, reason } => last = refused(status, &reason),
            }
        }
        Err(last)
    }

    /// Whether a comment whose fate is unknown appears: a forge may go on with what a gateway has given up on.
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

    /// Whose comments are ours.
    async fn author(&self) -> Result<Author, ForgeError> {
        match self.client.send(self.provider.who()).await? {
            Answer::Done(body) => Ok(self.provider.author(&body)),
            // The token of a workflow is no user's; what it writes, a bot has written.
            Answer::Refused { status: 401 | 403 | 404, .. } => Ok(Author::Bot),
            Answer::Refused { status, reason } => Err(refused(status, &reason)),
            Answer::Lost => Err(ForgeError::new("the forge did not say who the token is")),
        }
    }

    /// The comment that is ours: it begins with the marker, and its author is who we are. Anybody can write a marker.
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
                .ok_or_else(|| ForgeError::new("the forge's answer can't be read"))?;
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

/// Whether a comment says a text, however its forge writes the ends of lines.
fn says(comment: &str, text: &str) -> bool {
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    lines(comment.trim_end()) == lines(text.trim_end())
}

fn refused(status: u16, reason: &str) -> ForgeError {
    let error = ForgeError::new(format!("the forge answered {status}: {reason}"));
    let says = |text: &str| reason.to_ascii_lowercase().contains(text);
    match status {
        401 => error.hint("the token is not valid, or has expired"),
        403 | 422 if says("locked") => error.hint("unlock the conversation of the pull request, and run this again"),
        _ if says("too long") => error.hint("plan fewer tenants with --tenant, or attach the plan as a file and link to it"),
        403 => error.hint("the token may not do this: on GitHub it needs `pull-requests: write` and `checks: write`, and a pull request from a fork gets no such token"),
        404 => error.hint("there is no such repository or pull request, or the token may not see it"),
        _ => error,
    }
}

/// How long the longest wait that a forge can ask for is.
const WAIT_MAX: Duration = Duration::from_secs(60);
