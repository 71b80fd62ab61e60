//! The API calls of GitHub and GitLab.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PullRequest, State};

/// Comments per request.
pub const PER_PAGE: usize = 100;

/// A forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// GitHub, on github.com or on premises.
    Github,
    /// GitLab, on gitlab.com or on premises.
    Gitlab,
}

/// One call of a forge's API.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// GET, POST, PATCH or PUT.
    pub method: Method,
    /// Below the API's own URL.
    pub path: String,
    /// The request body.
    pub body: Option<Value>,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// Its text.
    pub body: String,
    author: u64,
    is_bot: bool,
}

/// The author of genesync's comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// The user with this id.
    User(u64),
    /// A bot: a person cannot write comments as a bot.
    Bot,
}

impl Author {
    /// Whether genesync wrote a comment.
    pub fn wrote(&self, comment: &Comment) -> bool {
        match self {
            Author::User(id) => comment.author == *id,
            Author::Bot => comment.is_bot,
        }
    }
}

fn get(path: String) -> Call {
    Call { method: Method::GET, path, body: None }
}

/// Encodes a part of a path, so that it cannot lead to another path.
fn part(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

impl Provider {
    /// Returns the header for the token, and the prefix of its value.
    pub fn authorization(self) -> (&'static str, &'static str) {
        match self {
            Provider::Github => ("authorization", "Bearer "),
            Provider::Gitlab => ("private-token", ""),
        }
    }

    fn repository(self, place: &PullRequest) -> String {
        match self {
            // The owner and the name are separate parts.
            Provider::Github => {
                let parts: Vec<String> = place.repository.split('/').map(part).collect();
                format!("/repos/{}", parts.join("/"))
            }
            Provider::Gitlab => format!("/projects/{}", part(&place.repository)),
        }
    }

    fn thread(self, place: &PullRequest) -> String {
        let repository = self.repository(place);
        match self {
            Provider::Github => format!("{repository}/issues/{}/comments", place.number),
            Provider::Gitlab => format!("{repository}/merge_requests/{}/notes", place.number),
        }
    }

    /// Requests the user of the token.
    pub fn who(self) -> Call {
        get("/user".into())
    }

    /// Parses the user of the token.
    pub fn author(self, body: &Value) -> Author {
        body.get("id").and_then(Value::as_u64).map_or(Author::Bot, Author::User)
    }

    /// Requests a page of comments, oldest first.
    pub fn list(self, place: &PullRequest, page: u32) -> Call {
        let order = if self == Provider::Gitlab { "&order_by=created_at&sort=asc" } else { "" };
        get(format!("{}?per_page={PER_PAGE}&page={page}{order}", self.thread(place)))
    }

    /// Parses a page of comments; returns none if it is not valid.
    pub fn comments(self, body: &Value) -> Option<Vec<Comment>> {
        let who = if self == Provider::Github { "user" } else { "author" };
        let read = |comment: &Value| {
            let author = comment.get(who);
            Some(Comment {
                id: comment.get("id")?.as_u64()?,
                body: comment.get("body").and_then(Value::as_str).unwrap_or_default().to_owned(),
                author: author.and_then(|author| author.get("id")?.as_u64()).unwrap_or_default(),
                is_bot: author.and_then(|author| author.get("type")?.as_str()) == Some("Bot"),
            })
        };
        body.as_array()?.iter().map(read).collect()
    }

    /// Creates a comment.
    pub fn make(self, place: &PullRequest, body: &str) -> Call {
        Call { method: Method::POST, path: self.thread(place), body: Some(json!({"body": body})) }
    }

    /// Replaces the text of a comment.
    pub fn update(self, place: &PullRequest, id: u64, body: &str) -> Call {
        let body = Some(json!({"body": body}));
        match self {
            Provider::Github => {
                let path = format!("{}/issues/comments/{id}", self.repository(place));
                Call { method: Method::PATCH, path, body }
            }
            Provider::Gitlab => {
                Call { method: Method::PUT, path: format!("{}/{id}", self.thread(place)), body }
            }
        }
    }

    /// Returns the calls that set a commit's status, best first.
    pub fn statuses(
        self,
        place: &PullRequest,
        commit: &str,
        name: &str,
        state: State,
        title: &str,
        link: Option<&str>,
    ) -> Vec<Call> {
        let repository = self.repository(place);
        let commit = part(commit);
        let post = |path: String, body: Value| Call { method: Method::POST, path, body: Some(body) };
        // A status has at most 140 characters.
        let short: String = title.chars().take(139).collect();
        let with_link = |mut body: Value, key: &str| {
            if let (Some(link), Value::Object(fields)) = (link, &mut body) {
                fields.insert(key.to_owned(), link.into());
            }
            body
        };
        match self {
            Provider::Github => {
                let conclusion = match state {
                    State::Success => "success",
                    State::Failure => "failure",
                    State::Neutral => "neutral",
                };
                let check = json!({
                    "name": name, "head_sha": commit, "status": "completed", "conclusion": conclusion,
                    "output": {"title": short, "summary": title},
                });
                let word = match state {
                    State::Success => "success",
                    State::Failure => "failure",
                    // There is no neutral state. Until a person decides, the status is pending.
                    State::Neutral => "pending",
                };
                let status = json!({"state": word, "context": name, "description": short});
                vec![
                    post(format!("{repository}/check-runs"), with_link(check, "details_url")),
                    post(format!("{repository}/statuses/{commit}"), with_link(status, "target_url")),
                ]
            }
            Provider::Gitlab => {
                let word = match state {
                    State::Success => "success",
                    State::Failure => "failed",
                    State::Neutral => "pending",
                };
                let status = json!({"state": word, "name": name, "description": short});
                vec![post(format!("{repository}/statuses/{commit}"), with_link(status, "target_url"))]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_name_cannot_lead_to_another_path() {
        let place = |repository: &str| PullRequest {
            api: "https://x".into(),
            repository: repository.into(),
            number: 7,
            commit: None,
        };
        let path = |provider: Provider, repository: &str| provider.make(&place(repository), "x").path;
        assert_eq!(path(Provider::Github, "bank/chat"), "/repos/bank/chat/issues/7/comments");
        assert_eq!(path(Provider::Github, "bank/../x?y#z"), "/repos/bank/../x%3Fy%23z/issues/7/comments");
        assert_eq!(path(Provider::Gitlab, "bank/chat"), "/projects/bank%2Fchat/merge_requests/7/notes");
    }

    #[test]
    fn a_comment_of_another_user_is_not_from_genesync() {
        let page = json!([
            {"id": 1, "body": "a", "user": {"id": 5, "type": "User"}},
            {"id": 2, "body": null, "user": {"id": 9, "type": "Bot"}},
            {"id": 3, "body": "c", "user": null},
        ]);
        let comments = Provider::Github.comments(&page).unwrap();
        let ours =
            |author: &Author| comments.iter().filter(|c| author.wrote(c)).map(|c| c.id).collect::<Vec<_>>();
        assert_eq!((ours(&Author::User(5)), ours(&Author::Bot)), (vec![1], vec![2]));
        assert_eq!(Provider::Github.comments(&json!({"message": "x"})), None);
    }
}
