//! The language server: diagnostics, hover, completion and fixes for users who write manifests in an editor.
//!
//! In: messages of an editor in the language server protocol. Out: the responses that it shows. Never:
//! uses the network; writes a file; reports a finding that `validate` does not report. Start reading
//! at [`serve`]. `framing.rs` splits messages, `place.rs` converts editor positions to bytes, and `hover.rs`
//! and `completion.rs` handle the field at a position.

mod completion;
mod framing;
mod hover;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use framing::FramingError;
use futures::future::{Either, select};
use tokio::io::BufReader;
use tower_lsp_server::jsonrpc::Result;
use tower_lsp_server::ls_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionProviderCapability,
    CodeActionResponse, CompletionOptions, CompletionParams, CompletionResponse, Diagnostic,
    DiagnosticSeverity, DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DidSaveTextDocumentParams, Hover, HoverContents, HoverParams, HoverProviderCapability, InitializeParams,
    InitializeResult, MarkupContent, MarkupKind, NumberOrString, Position, ServerCapabilities, ServerInfo,
    TextDocumentSyncCapability, TextDocumentSyncKind, TextEdit, Uri, WorkspaceEdit,
};
use tower_lsp_server::{Client, LanguageServer, LspService, Server};

use crate::clock;
use crate::fleet::desk::{self, Desk, Unsaved};
use crate::model::{Finding, Severity, TenantName};
use crate::source::Source;

/// A file of a configuration repository.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// The repository's root.
    root: PathBuf,
    /// The path from there, with slashes.
    path: String,
    /// The tenant of the file; none if all tenants share the file.
    tenant: Option<TenantName>,
}

impl Place {
    /// Returns the place of a file in its repository, by the folders above it; none if it is not a manifest.
    fn of(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?;
        if name == "genesync.yaml" {
            return Some(Self { root: file.parent()?.to_owned(), path: name.to_owned(), tenant: None });
        }
        let parts: Vec<&str> = file.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
        let at = parts.iter().rposition(|part| matches!(*part, "tenants" | "bases"))?;
        let tenant = match (parts.get(at), parts.get(at + 2)) {
            (Some(&"tenants"), Some(_)) => Some(TenantName::new(*parts.get(at + 1)?)),
            (Some(&"tenants"), None) => return None,
            _ => None,
        };
        let root = parts.get(..at)?.iter().collect();
        Some(Self { root, path: parts.get(at..)?.join("/"), tenant })
    }
}

/// A file that an editor has open.
#[derive(Debug, Clone)]
struct Open {
    place: Place,
    text: Arc<str>,
    findings: Vec<Finding>,
}

/// The reason why a session ended in another way than the protocol requires.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A message has no readable frame.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// `exit`, or the end of the stream, without `shutdown` before it.
    #[error("the editor closed the session without the request `shutdown`")]
    NoShutdown,
}

/// Serves one editor on the standard streams until it closes the session.
///
/// # Errors
/// A message has no readable frame, or the editor closed the session without `shutdown`.
pub async fn serve() -> std::result::Result<(), SessionError> {
    let is_shut_down = Arc::new(AtomicBool::new(false));
    let shut_down = Arc::clone(&is_shut_down);
    let (service, socket) =
        LspService::new(|client| Backend { client, open: Mutex::default(), is_shut_down: shut_down });
    let (frames, messages) = tokio::io::duplex(PIPE_BYTES);
    // After the last message, this task drops the pipe; the server then reads the rest and ends.
    let passing = async move { framing::pass(BufReader::new(tokio::io::stdin()), frames).await };
    let server = Server::new(messages, tokio::io::stdout(), socket);
    // One message at a time, so that an older text never replaces a newer one.
    let serving = pin!(server.concurrency_level(1).serve(service));
    if let Either::Left((passed, serving)) = select(pin!(passing), serving).await {
        passed?;
        serving.await;
    }
    is_shut_down.load(Ordering::Relaxed).then_some(()).ok_or(SessionError::NoShutdown)
}

/// The capacity of the pipe for messages of the editor, in bytes.
const PIPE_BYTES: usize = 64 * 1024;

struct Backend {
    client: Client,
    is_shut_down: Arc<AtomicBool>,
    open: Mutex<BTreeMap<Uri, Open>>,
}

impl Backend {
    fn open(&self) -> MutexGuard<'_, BTreeMap<Uri, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, uri: &Uri) -> Option<Open> {
        self.open().get(uri).cloned()
    }

    /// Stores the text of a file, checks the tenants that it affects, and shows the findings.
    async fn take(&self, uri: Uri, text: String) {
        let Some(place) = uri.to_file_path().and_then(|path| Place::of(&path)) else { return };
        self.open().insert(uri, Open { place: place.clone(), text: text.into(), findings: Vec::new() });
        self.check(&place).await;
    }

    /// Checks the tenant of a file, or every tenant for a shared file, and shows the findings in open files.
    async fn check(&self, place: &Place) {
        let Some(desk) = self.look(place) else { return };
        let mut shown = Vec::new();
        for (uri, open) in self.open().iter_mut() {
            let touched = open.place.root == place.root
                && (place.tenant.is_none() || open.place.tenant == place.tenant);
            if !touched {
                continue;
            }
            let own = desk.findings.iter().filter(|finding| *finding.location.file == *open.place.path);
            open.findings = own.cloned().collect();
            // A finding in a layer occurs once for each tenant that extends the layer.
            let mut seen = BTreeSet::new();
            open.findings.retain(|finding| {
                seen.insert((finding.rule, finding.location.bytes.start, finding.message.clone()))
            });
            let diagnostics: Vec<Diagnostic> =
                open.findings.iter().map(|finding| diagnostic(open, finding)).collect();
            shown.push((uri.clone(), diagnostics));
        }
        for (uri, diagnostics) in shown {
            self.client.publish_diagnostics(uri, diagnostics, None).await;
        }
    }

    /// Loads the tenants of a place and their findings; none if the folder cannot be read.
    fn look(&self, place: &Place) -> Option<Desk> {
        let mut unsaved = Unsaved::new();
        for open in self.open().values().filter(|open| open.place.root == place.root) {
            unsaved.insert(open.place.path.clone(), open.text.as_bytes().into());
        }
        let only: Option<BTreeSet<TenantName>> = place.tenant.clone().map(|tenant| BTreeSet::from([tenant]));
        desk::look(&Source::folder(&place.root), only.as_ref(), &unsaved, clock::today()).ok()
    }
}

fn diagnostic(open: &Open, finding: &Finding) -> Diagnostic {
    let mut message = finding.message.clone();
    for more in finding.help.iter() {
        message.push('\n');
        message.push_str(more);
    }
    Diagnostic {
        range: place::range(&open.text, &finding.location),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Info => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(finding.rule.to_owned())),
        source: Some("genesync".to_owned()),
        message,
        ..Diagnostic::default()
    }
}

/// Returns whether two ranges overlap.
fn overlaps(one: &(Position, Position), other: &(Position, Position)) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

impl LanguageServer for Backend {
    async fn initialize(&self, _: InitializeParams) -> Result<InitializeResult> {
        Ok(InitializeResult {
            server_info: Some(ServerInfo {
                name: "genesync".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            capabilities: ServerCapabilities {
                text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
                hover_provider: Some(HoverProviderCapability::Simple(true)),
                completion_provider: Some(CompletionOptions {
                    trigger_characters: Some([" ", ":", "{", ","].map(str::to_owned).to_vec()),
                    ..CompletionOptions::default()
                }),
                code_action_provider: Some(CodeActionProviderCapability::Simple(true)),
                ..ServerCapabilities::default()
            },
            ..InitializeResult::default()
        })
    }

    async fn shutdown(&self) -> Result<()> {
        self.is_shut_down.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        self.take(params.text_document.uri, params.text_document.text).await;
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        // Each change contains the whole text, because the server requested full synchronization.
        if let Some(change) = params.content_changes.into_iter().next_back() {
            self.take(params.text_document.uri, change.text).await;
        }
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        if let Some(open) = self.at(&params.text_document.uri) {
            self.check(&open.place).await;
        }
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.open().remove(&params.text_document.uri);
        self.client.publish_diagnostics(params.text_document.uri, Vec::new(), None).await;
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        let at = params.text_document_position_params;
        let Some(open) = self.at(&at.text_document.uri) else { return Ok(None) };
        let Some(byte) = place::byte(&open.text, at.position) else { return Ok(None) };
        let Some(desk) = self.look(&open.place) else { return Ok(None) };
        let reported = hover::reported(&desk, &open.place.path, byte);
        Ok(reported.map(|value| Hover {
            contents: HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value }),
            range: None,
        }))
    }

    async fn completion(&self, params: CompletionParams) -> Result<Option<CompletionResponse>> {
        let at = params.text_document_position;
        let Some(open) = self.at(&at.text_document.uri) else { return Ok(None) };
        let byte = place::byte(&open.text, at.position);
        let items = byte.map(|byte| completion::items(&open.text, byte)).unwrap_or_default();
        Ok(Some(CompletionResponse::Array(items)))
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        let uri = params.text_document.uri;
        let Some(open) = self.at(&uri) else { return Ok(None) };
        let asked = (params.range.start, params.range.end);
        let action = |finding: &Finding| {
            let fix = finding.fix.as_ref()?;
            let range = place::range(&open.text, &finding.location);
            if !overlaps(&(range.start, range.end), &asked) {
                return None;
            }
            let edit = TextEdit { range, new_text: fix.replacement.clone() };
            Some(CodeActionOrCommand::CodeAction(CodeAction {
                title: fix.title.clone(),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![diagnostic(&open, finding)]),
                edit: Some(WorkspaceEdit {
                    changes: Some([(uri.clone(), vec![edit])].into_iter().collect()),
                    ..WorkspaceEdit::default()
                }),
                // A fix in a layer affects other tenants too, so it is not the preferred one.
                is_preferred: Some(!finding.location.file.starts_with("bases/")),
                ..CodeAction::default()
            }))
        };
        Ok(Some(open.findings.iter().filter_map(action).collect()))
    }
}
