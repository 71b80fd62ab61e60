//! Follows git: fetches the head, reads what it changes, and agrees with the other replicas on it.
//!
//! A head is taken only if it has the last one in its history. A remote that is down, rewound, empty or
//! behind changes nothing: the last good head stays in force.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::crash;
use crate::driver::spread::jittered;
use crate::driver::{outcome, rewind};
use crate::fleet::{
    self,
    known::{Known, LoadError, Moved},
};
use crate::model::precedent::{Parent, RunLimits};
use crate::model::{Guard, Revision, causes};
use crate::source::{Fetching, REMOTE_HEAD, RemoteUrl, Source, SourceError};
use crate::store::{Advance, NewHead, Store, StoreError};
use crate::telemetry::masked;
use crate::telemetry::metrics::Metrics;

/// Timeout of a fetch. A slower fetch counts as failed and continues in the background.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);

/// The repository to follow.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A repository of this machine, read in place.
    Local {
        /// The repository.
        source: Source,
        /// The branch, tag or commit to follow.
        revision: String,
        /// Its name in the store.
        identity: String,
    },
    /// A remote repository, fetched into a cache.
    Remote {
        /// Its URL.
        url: RemoteUrl,
        /// The options of the fetch.
        fetching: Fetching,
        /// The branch, tag or commit to follow.
        revision: String,
    },
}

impl Origin {
    /// Returns the repository's name in the store: the same for every replica.
    pub fn identity(&self) -> String {
        match self {
            Origin::Local { identity, .. } => identity.clone(),
            Origin::Remote { url, .. } => url.to_string(),
        }
    }

    /// Updates the cache of a remote and returns the head. Blocks.
    fn refresh(&self) -> Result<(Source, Revision), SourceError> {
        match self {
            Origin::Local { source, revision, .. } => Ok((source.clone(), source.head(revision)?)),
            Origin::Remote { url, fetching, revision } => {
                let source = Source::remote(url, fetching)?;
                // The cache's own `HEAD` does not follow the remote.
                let revision = match revision.strip_prefix("HEAD") {
                    Some(steps) => format!("{REMOTE_HEAD}{steps}"),
                    None => revision.clone(),
                };
                let head = source.head(&revision)?;
                Ok((source, head))
            }
        }
    }
}

/// The last read head, for the whole process.
#[derive(Debug)]
pub struct Head {
    origin: Origin,
    store: Store,
    metrics: Arc<Metrics>,
    known: watch::Sender<Option<Arc<Known>>>,
    /// Why the newest head is not taken, or git is unreachable.
    trouble: Mutex<Option<SourceTrouble>>,
    /// Time of the last successful fetch, in milliseconds since 1970; 0 for never.
    fetched_at_ms: AtomicI64,
    /// Whether git was ever read.
    looked: AtomicBool,
    /// Wakes [`Head::keep`]: from a hook, a changed file, an operator.
    pub hints: Notify,
    /// The last head of another replica for which [`Head::hint_once`] woke it.
    hinted: Mutex<Option<Revision>>,
    /// A fetch that exceeded its timeout and still runs.
    lingering: tokio::sync::Mutex<Option<Fetch>>,
}

type Fetch = JoinHandle<Result<(Source, Revision), SourceError>>;

/// Why the newest head is not taken.
#[derive(Debug, Clone)]
pub struct SourceTrouble {
    /// Who has to act.
    pub kind: TroubleKind,
    /// The displayed reason.
    pub message: String,
    /// Since when genesync takes no head.
    pub since: Timestamp,
}

/// Who has to act when a head is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// Possibly no one: git or the store is unreachable.
    Unreachable,
    /// The author of the commit: it has no tenants, or its limits are unreadable.
    Invalid,
    /// An operator: the branch was rewound.
    Rewound,
}

/// Why a head could not be taken.
#[derive(Debug, thiserror::Error)]
enum HeadError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Rewound(String),
    #[error("{0}")]
    Other(String),
}

impl HeadError {
    fn kind(&self) -> TroubleKind {
        match self {
            HeadError::Rewound(_) => TroubleKind::Rewound,
            HeadError::Load(LoadError::Project { .. }) => TroubleKind::Invalid,
            HeadError::Load(LoadError::Source(error)) | HeadError::Source(error) => match error {
                SourceError::NoTenants { .. } | SourceError::Limit { .. } | SourceError::Malformed { .. } => {
                    TroubleKind::Invalid
                }
                SourceError::NotARepository { .. }
                | SourceError::Url { .. }
                | SourceError::Revision { .. }
                | SourceError::Form { .. }
                | SourceError::Git { .. }
                | SourceError::Io { .. } => TroubleKind::Unreachable,
            },
            HeadError::Store(_) | HeadError::Other(_) => TroubleKind::Unreachable,
        }
    }
}

impl Head {
    /// Makes a head that has read nothing yet.
    pub fn new(origin: Origin, store: Store, metrics: Arc<Metrics>) -> Self {
        Self {
            origin,
            store,
            metrics,
            known: watch::Sender::new(None),
            trouble: Mutex::default(),
            fetched_at_ms: AtomicI64::new(0),
            looked: AtomicBool::new(false),
            hints: Notify::new(),
            hinted: Mutex::default(),
            lingering: tokio::sync::Mutex::default(),
        }
    }

    /// Returns a receiver of the last read head; none until the first one is read.
    pub fn known(&self) -> watch::Receiver<Option<Arc<Known>>> {
        self.known.subscribe()
    }

    /// Returns the repository's name in the store.
    pub fn identity(&self) -> String {
        self.origin.identity()
    }

    /// Returns why the newest head is not taken, or why git is unreachable.
    pub fn trouble(&self) -> Option<SourceTrouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the age of the last successful fetch; none if there was none.
    pub fn age(&self) -> Option<Duration> {
        let at = self.fetched_at_ms.load(Ordering::Relaxed);
        (at > 0).then(|| {
            Duration::from_millis(clock::now().as_millisecond().saturating_sub(at).max(0).unsigned_abs())
        })
    }

    /// Wakes [`Head::keep`] for a head that another replica has taken. It does so once for each head, so that
    /// a copy that is behind is not fetched in a loop.
    pub fn hint_once(&self, agreed: &Revision) {
        let mut hinted = self.hinted.lock().unwrap_or_else(PoisonError::into_inner);
        if hinted.as_ref() != Some(agreed) {
            *hinted = Some(agreed.clone());
            self.hints.notify_one();
        }
    }

    /// Follows git until `stop`. It calls `poll` each time, because settings may change.
    pub async fn keep(&self, poll: impl Fn() -> Duration, stop: &CancellationToken) {
        let mut round = 0_u64;
        loop {
            round += 1;
            self.look().await;
            let wait = jittered(poll(), round);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.hints.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Fetches once, and takes the head if it is new.
    pub async fn look(&self) {
        let result = self.try_look().await;
        let before = self.trouble();
        let trouble = result.err().map(|error| {
            let message = causes(&error);
            tracing::warn!(error = %message, "the head was not taken");
            let since = before.as_ref().map_or_else(clock::now, |before| before.since);
            SourceTrouble { kind: error.kind(), message, since }
        });
        let first = !self.looked.swap(true, Ordering::Relaxed);
        // Stored again with each failure, because another replica's success may have cleared it.
        if first || trouble.is_some() || before.is_some() {
            let reported = trouble.as_ref().map(|trouble| (masked(&trouble.message), trouble.since));
            let reported = reported.as_ref().map(|(message, since)| (message.as_ref(), *since));
            if let Err(error) = self.store.keep_trouble(&self.identity(), reported).await {
                tracing::debug!(error = %causes(&error), "cannot store why the head was not taken");
            }
        }
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    async fn try_look(&self) -> Result<(), HeadError> {
        let (source, revision) = self.fetch().await.inspect_err(|_| {
            self.metrics.source_fetch_failures.inc();
        })?;
        let now = clock::now();
        self.fetched_at_ms.store(now.as_millisecond(), Ordering::Relaxed);
        self.metrics.source_read(now, source.committed_at(&revision).unwrap_or(now));
        // Another replica may take a head at the same time; each turn reads its new head.
        for _ in 0..10 {
            let current = self.known.borrow().clone();
            let agreed = self.store.head(&self.identity()).await?;
            let today = clock::today();
            let same = |known: &Arc<Known>| known.revision == revision && known.is_of(today);
            if current.as_ref().is_some_and(same) && agreed.as_ref() == Some(&revision) {
                return Ok(());
            }
            if self.take(&source, &revision, current, agreed).await? {
                return Ok(());
            }
        }
        Err(HeadError::Other("other replicas keep taking other heads".into()))
    }

    async fn fetch(&self) -> Result<(Source, Revision), HeadError> {
        let mut lingering = self.lingering.lock().await;
        // Two fetches into one cache would conflict, so this waits for a fetch that exceeded its timeout
        // first.
        let mut fetch = lingering.take().unwrap_or_else(|| {
            let origin = self.origin.clone();
            tokio::task::spawn_blocking(move || origin.refresh())
        });
        match tokio::time::timeout(FETCH_TIMEOUT, &mut fetch).await {
            Ok(Ok(fetched)) => Ok(fetched?),
            Ok(Err(error)) => Err(HeadError::Other(format!("the fetch ended unexpectedly: {error}"))),
            Err(_) => {
                *lingering = Some(fetch);
                Err(HeadError::Other(format!("git did not answer within {} s", FETCH_TIMEOUT.as_secs())))
            }
        }
    }

    /// Takes a head. Returns false if another replica took one meanwhile.
    async fn take(
        &self,
        source: &Source,
        revision: &Revision,
        current: Option<Arc<Known>>,
        agreed: Option<Revision>,
    ) -> Result<bool, HeadError> {
        let rewound = match &agreed {
            Some(agreed) => {
                let written = self.store.written_head(&self.identity()).await?;
                let (allowed, mut holds) =
                    (BTreeSet::new(), |newer: &Revision, older: &Revision| source.holds(newer, older));
                rewind::head_refused(revision, agreed, written.as_ref(), &allowed, &mut holds)?.is_some()
            }
            None => false,
        };
        let target =
            if rewound { agreed.clone().unwrap_or_else(|| revision.clone()) } else { revision.clone() };
        if rewound && current.as_ref().is_some_and(|known| known.revision == target) {
            return Err(self.refuse(revision, &target));
        }
        let (known, moved) = self.read(source, &target, current.clone()).await.map_err(|error| {
            // The repository may no longer contain the agreed head: then nothing is taken.
            if rewound { self.refuse(revision, &target) } else { error }
        })?;
        crash::point("C03");
        // `moved` is the difference from the last head of this replica. If the store has another head, that
        // difference does not apply there, so every tenant is compared.
        let in_step = current.as_ref().is_some_and(|known| agreed.as_ref() == Some(&known.revision));
        let moved = if in_step { moved } else { Moved { rows: known.all_wanted(), gone: None } };
        let valid = known.tenants.iter().filter(|tenant| tenant.digest.is_some());
        let (identity, tenants) = (self.identity(), valid.count());
        let said = RunLimits::of(&known.limits);
        // A head cannot lift its own limit.
        let limits = said.and(self.store.run_limits(&identity).await?.or(known.parent.limits));
        let is_held = AtomicBool::new(false);
        let judge = |changing: usize| {
            let hold = outcome::hold_of_a_head(changing, tenants, limits, clock::now());
            if let Some(hold) = &hold {
                is_held.store(true, Ordering::Relaxed);
                tracing::warn!(revision = %target, "holding the tenants that the head changes: {}", hold.reason);
                self.metrics.guard_refusals.inc(Guard::RunTenants);
            }
            hold
        };
        let head = NewHead {
            repository: &identity,
            known: agreed.as_ref(),
            revision: &target,
            rows: &moved.rows,
            gone: moved.gone.as_deref(),
            judge: Some(&judge),
        };
        let advance = self.store.advance(&head).await?;
        let Advance::Taken(due) = advance else { return Ok(false) };
        crash::point("C02");
        // Limits that held the head stay in force.
        let judged_by = if is_held.load(Ordering::Relaxed) { limits } else { said };
        self.store.keep_run_limits(&identity, judged_by).await?;
        tracing::info!(revision = %target, tenants = known.tenants.count(), due, "took a head");
        self.known.send_replace(Some(Arc::new(known)));
        if rewound { Err(self.refuse(revision, &target)) } else { Ok(true) }
    }

    fn refuse(&self, revision: &Revision, agreed: &Revision) -> HeadError {
        self.metrics.guard_refusals.inc(Guard::Rewind);
        HeadError::Rewound(format!(
            "refused by guard `rewind`: {}, so genesync writes nothing from it. The branch was rewound, or this copy is behind. \
             If you rewrote the history on purpose, run `genesync apply --allow rewind --reason …` once",
            rewind::refusal(revision, agreed).message
        ))
    }

    async fn read(
        &self,
        source: &Source,
        revision: &Revision,
        current: Option<Arc<Known>>,
    ) -> Result<(Known, Moved), HeadError> {
        let (source, revision) = (source.clone(), revision.clone());
        let today = clock::today();
        let before = current.as_ref().map(|current| (current.revision.clone(), Arc::clone(&current.parent)));
        let (repository, commit) = (source.clone(), revision.clone());
        let read = tokio::task::spawn_blocking(move || match current {
            Some(current) => current.follow(&repository, commit.as_str(), today),
            None => Known::load(&repository, commit.as_str(), today).map(Known::all_moved),
        });
        let ended =
            |error| HeadError::Other(format!("reading {} ended unexpectedly: {error}", self.identity()));
        let (mut known, moved) = read.await.map_err(ended)??;
        known.parent = match before {
            Some((before, parent)) if before == revision => parent,
            Some((before, earlier)) => {
                let parent = self.parent(&source, Some(before), &revision, &known).await?;
                Arc::new(earlier.then(parent))
            }
            None => Arc::new(self.parent(&source, None, &revision, &known).await?),
        };
        Ok((known, moved))
    }

    /// Returns the guard settings of the head before, or of the commit's first parent, if the store does not
    /// have those of every organization.
    async fn parent(
        &self,
        source: &Source,
        before: Option<Revision>,
        revision: &Revision,
        known: &Known,
    ) -> Result<Parent, HeadError> {
        let organizations = known.organizations();
        let has_limits = self.store.run_limits(&self.identity()).await?.is_some();
        let known = self.store.precedents(&organizations).await?;
        if has_limits && known.len() == organizations.len() {
            return Ok(Parent::default());
        }
        let (source, revision, today) = (source.clone(), revision.clone(), clock::today());
        let read = tokio::task::spawn_blocking(move || match before {
            Some(before) => fleet::said_at(&source, before.as_str(), today),
            None => fleet::parent(&source, revision.as_str(), today),
        });
        let parent = read.await.map_err(|error| {
            HeadError::Other(format!("reading the parent commit ended unexpectedly: {error}"))
        })?;
        Ok(parent.unwrap_or_else(|error| {
            tracing::warn!(
                error = causes(&error),
                "cannot check whether this commit loosens a guard that it needs"
            );
            Parent::default()
        }))
    }
}
