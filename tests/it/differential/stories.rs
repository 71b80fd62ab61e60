//! Passes that random fleets do not reach: aborted, refused, of a commit that is not the head, with a store
//! that fails for one tenant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use genesync::config::ConfigError;
use genesync::driver::exit;
use genesync::driver::pass::{self, Order, PassError, Passed};
use genesync::model::plan::Limits;
use genesync::model::{Exit, Guard, Revision, Status, StorePlace, TenantName};
use genesync::store::{Claim, ClaimCause, Pause, PauseKind, Store, StoreError, TenantRow, Which};

use super::fleet::{Fate, Member};
use super::virtual_world::{Port, Quiet, Shell, member, order};

fn plain(number: u32, wave: u32) -> Member {
    let fate = Fate::Fine;
    Member { number, wave, watched: false, changed: true, drifted: false, paused: false, fate }
}

/// A store, a world, and tenants with an applied first commit.
struct Stage {
    folder: tempfile::TempDir,
    store: Store,
    port: Port,
    members: Vec<Member>,
}

impl Stage {
    async fn new(members: Vec<Member>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StorePlace::Folder(folder.path().to_owned()), "here").await.unwrap();
        let stage = Self { folder, store, port: Port::new(), members };
        let first = stage.pass(&stage.order("c1", Shell::Scheduled)).await;
        assert!(first.ended.iter().all(|ended| ended.status == Some(Status::Synced)), "{first:?}");
        for member in &stage.members {
            stage.port.befall(member);
        }
        stage
    }

    fn order(&self, revision: &str, shell: Shell) -> Order<Port, Port> {
        let now = genesync::driver::ports::Reads::now(&self.port);
        let members = self.members.iter().map(|one| member(one, revision != "c1", now)).collect();
        order(&self.port, &self.store, revision, members, shell)
    }

    async fn pass(&self, order: &Order<Port, Port>) -> Passed {
        pass::pass(order, &(Arc::new(Quiet::default()) as Arc<dyn pass::Progress>)).await.unwrap()
    }

    fn versions(&self) -> Vec<u64> {
        self.members.iter().map(|member| self.port.version(member.number)).collect()
    }

    async fn head(&self) -> Option<Revision> {
        self.store.head("repo").await.unwrap()
    }

    /// Returns what a controller would claim: each tenant, the wave that it waits for, and whether it is
    /// held.
    async fn claimed(&self) -> Vec<(String, Option<u32>, bool)> {
        self.store.poke(None, ClaimCause::Resync).await.unwrap();
        let head = self.head().await.unwrap();
        let claim = Claim {
            limit: 99,
            lease: Duration::from_secs(60),
            saturated: &BTreeSet::new(),
            patience: Duration::from_secs(900),
            head: ("repo", &head),
        };
        let mut seen: Vec<_> = self
            .store
            .claim(&claim)
            .await
            .unwrap()
            .into_iter()
            .map(|one| (one.lease.tenant.to_string(), one.waits_for, one.pause.is_some()))
            .collect();
        seen.sort();
        seen
    }
}

fn statuses(passed: &Passed) -> Vec<Status> {
    passed.ended.iter().map(pass::Ended::shown).collect()
}

fn exit(passed: &Passed) -> Exit {
    passed.exit(false, exit::Asked { waiting: true, detailed: false, require_confirmed: false })
}

fn half() -> Limits {
    Limits { run_tenants_max_percent: 50, ..Limits::default() }
}

/// Returns twelve tenants, of which the commit changes nine.
fn twelve() -> Vec<Member> {
    (1..=12).map(|number| Member { changed: number <= 9, ..plain(number, 0) }).collect()
}

#[tokio::test]
async fn an_aborted_pass_gives_no_tenant_its_commit() {
    let stage = Stage::new(twelve()).await;
    let mut order = stage.order("c2", Shell::Scheduled);
    order.terms.limits = half();
    // The operator stops the pass while it plans.
    let stopping = Arc::new(Quiet::stopping_at("planning"));
    let passed = pass::pass(&order, &(stopping as Arc<dyn pass::Progress>)).await.unwrap();
    assert!(passed.ended.iter().all(|ended| ended.status.is_none()), "{passed:?}");
    // Or no tenant has a client.
    order.lookup =
        Arc::new(|_, _| std::future::ready(Err(ConfigError::NoCredentials { name: "main".into() })).boxed());
    let quiet: Arc<dyn pass::Progress> = Arc::new(Quiet::default());
    assert!(matches!(pass::pass(&order, &quiet).await, Err(PassError::NoClients(_))));
    assert_eq!((stage.head().await, stage.versions()), (Some(Revision::new("c1")), vec![1; 12]));
    // The pass leaves the rows unchanged and without a lease.
    let claimed = stage.claimed().await;
    assert_eq!(claimed.len(), 12);
    assert!(claimed.iter().all(|(_, waits_for, held)| waits_for.is_none() && !held), "{claimed:?}");
}

#[tokio::test]
async fn what_the_run_guard_refuses_is_held_until_a_person_resumes_it() {
    let mut stage = Stage::new(twelve()).await;
    // Two are new, and another process leases one of those that change.
    stage.members.extend([plain(13, 0), plain(14, 0)]);
    let other = Store::open(&StorePlace::Folder(stage.folder.path().to_owned()), "elsewhere").await.unwrap();
    let lease = other.take([&TenantName::new("t9")], Duration::from_secs(60)).await.unwrap();
    let mut order = stage.order("c2", Shell::Scheduled);
    order.terms.limits = half();
    for round in 1..=2 {
        let passed = stage.pass(&order).await;
        assert_eq!(exit(&passed), if round == 1 { Exit::Outside } else { Exit::Refused }, "{passed:?}");
        assert_eq!(stage.port.writes(), 12, "in pass {round}");
        other.release(&lease).await.unwrap();
    }
    let held: Vec<String> =
        stage.claimed().await.into_iter().filter(|(.., held)| *held).map(|(name, ..)| name).collect();
    assert_eq!(held, ["t1", "t13", "t14", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9"]);
}

#[tokio::test]
async fn a_resumed_tenant_is_written_although_the_rest_is_held() {
    let stage = Stage::new(twelve()).await;
    let mut order = stage.order("c2", Shell::Scheduled);
    order.terms.limits = half();
    stage.pass(&order).await;
    assert!(stage.store.resume(&TenantName::new("t1")).await.unwrap());
    let passed = stage.pass(&order).await;
    assert_eq!(statuses(&passed)[..2], [Status::Synced, Status::Synced], "t1 and t10");
    assert_eq!(statuses(&passed).iter().filter(|status| **status == Status::Refused).count(), 8);
    assert_eq!(stage.port.writes(), 13);
}

#[tokio::test]
async fn many_that_cannot_be_planned_count_as_changed_by_the_guard_of_the_run() {
    for fate in [Fate::Out, Fate::NoClient] {
        let mut members = twelve();
        members.iter_mut().take(8).for_each(|member| member.fate = fate);
        let stage = Stage::new(members).await;
        let mut order = stage.order("c2", Shell::Scheduled);
        order.terms.limits = half();
        let passed = stage.pass(&order).await;
        assert_eq!(passed.refusal.as_ref().map(|refusal| refusal.guard), Some(Guard::RunTenants), "{fate:?}");
        // When they answer again, they are not written one by one past the guard.
        let held = stage.claimed().await.into_iter().filter(|(.., held)| *held).count();
        assert_eq!((held, stage.port.writes()), (9, 12), "{fate:?}");
    }
}

#[tokio::test]
async fn the_store_of_another_repository_is_left_alone() {
    let mut stage = Stage::new(vec![plain(1, 0)]).await;
    stage.members.push(plain(2, 0));
    let mut order = stage.order("c2", Shell::Scheduled);
    order.repository = "another".into();
    for _ in 0..2 {
        let quiet: Arc<dyn pass::Progress> = Arc::new(Quiet::default());
        let refused = pass::pass(&order, &quiet).await;
        assert!(matches!(&refused, Err(PassError::Store(StoreError::OtherRepository { .. }))), "{refused:?}");
    }
    let names: Vec<String> = stage.claimed().await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!((names, stage.port.writes()), (vec!["t1".to_owned()], 1));
}

#[tokio::test]
async fn a_refusal_names_a_command_that_works() {
    let stage = Stage::new(twelve()).await;
    for (shell, way) in [(Shell::Named, false), (Shell::Scheduled, true)] {
        let mut order = stage.order("c2", shell);
        order.terms.limits = half();
        let passed = stage.pass(&order).await;
        let first = &passed.ended[0];
        assert_eq!(first.reason.contains("genesync resume --all"), way, "{shell:?}: {}", first.reason);
        let held = stage.store.tenants(Which::All).await.unwrap().iter().any(|row| row.pause.is_some());
        assert_eq!(held, way, "{shell:?}");
    }
}

#[tokio::test]
async fn an_apply_of_an_older_commit_does_not_count_as_the_newer_one() {
    let canary = Member { fate: Fate::Rejected, ..plain(1, 0) };
    let stage = Stage::new(vec![canary, plain(2, 1)]).await;
    let failed = stage.pass(&stage.order("c2", Shell::Scheduled)).await;
    let rejected = statuses(&failed);
    assert_eq!(rejected[1], Status::Waiting);
    // By hand the canary is set back to its live value.
    let mut back = stage.order("c1", Shell::Named);
    back.members.truncate(1);
    back.terms.limits.allowed.insert(Guard::Rewind);
    assert_eq!(statuses(&stage.pass(&back).await), [Status::Synced]);
    let again = stage.pass(&stage.order("c2", Shell::Scheduled)).await;
    assert_eq!((statuses(&again), stage.versions()), (rejected, vec![1, 1]));
}

#[tokio::test]
async fn an_unreviewed_change_does_not_count_as_applied() {
    let stage = Stage::new(vec![plain(1, 0), plain(2, 1)]).await;
    for shell in [Shell::Named, Shell::Scheduled] {
        let mut order = stage.order("c2", shell);
        order.reviewed = Some([].into());
        let passed = stage.pass(&order).await;
        assert_eq!(passed.ended[0].status, Some(Status::Held), "{passed:?}");
        assert_ne!(passed.ended[0].standing.map(|standing| standing.name()), Some("has"));
    }
    let rows = stage.store.tenants(Which::All).await.unwrap();
    assert!(rows.iter().all(|row| !row.applied), "{rows:?}");
    assert_eq!(stage.versions(), [1, 1]);
}

#[tokio::test]
async fn a_new_tenant_that_cannot_be_read_holds_later_waves_each_time() {
    let mut stage = Stage::new(vec![plain(1, 1)]).await;
    stage.members.push(Member { fate: Fate::Unreadable, ..plain(2, 0) });
    for _ in 0..2 {
        let passed = stage.pass(&stage.order("c2", Shell::Scheduled)).await;
        assert_eq!(statuses(&passed), [Status::Waiting, Status::Invalid]);
    }
    assert_eq!(stage.claimed().await, [("t1".to_owned(), Some(0), false)]);
}

// Guarantee: watched-hold-none
#[tokio::test]
async fn no_tenant_waits_for_a_watched_tenant_without_a_client() {
    let watched = Member { watched: true, fate: Fate::NoClient, ..plain(1, 0) };
    let closed = Member { fate: Fate::Closed, ..plain(2, 1) };
    let stage = Stage::new(vec![watched, closed]).await;
    let passed = stage.pass(&stage.order("c2", Shell::Scheduled)).await;
    assert_eq!(statuses(&passed)[1], Status::Waiting);
    let claimed = stage.claimed().await;
    assert_eq!(claimed[1], ("t2".to_owned(), None, false), "{claimed:?}");
}

#[tokio::test]
async fn a_tenant_whose_result_cannot_be_stored_affects_no_other() {
    let stage = Stage::new(vec![plain(1, 0), plain(2, 0), plain(3, 1)]).await;
    let url = format!("sqlite://{}", genesync::store::database_file(stage.folder.path()).display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let refusing = "CREATE TRIGGER broken BEFORE INSERT ON runs WHEN NEW.tenant = 't1'
                    BEGIN SELECT RAISE(ABORT, 'broken'); END";
    sqlx::query(refusing).execute(&pool).await.unwrap();
    let passed = stage.pass(&stage.order("c2", Shell::ByHand)).await;
    assert_eq!(statuses(&passed)[1..], [Status::Synced, Status::Synced], "{passed:?}");
    assert!(
        passed.ended[0].reason.contains("cannot record the result of the run"),
        "{}",
        passed.ended[0].reason
    );
    assert_eq!((exit(&passed), stage.versions()), (Exit::Partial, vec![2, 2, 2]));
}

#[tokio::test]
async fn an_outage_does_not_lift_a_refusal_for_later_waves() {
    let canary = Member { fate: Fate::Rejected, ..plain(1, 0) };
    let mut stage = Stage::new(vec![canary, plain(2, 1)]).await;
    stage.pass(&stage.order("c2", Shell::Scheduled)).await;
    for fate in [Fate::Out, Fate::NoClient] {
        stage.members[0].fate = fate;
        stage.port.befall(&stage.members[0]);
        // A missing client is another change of git, which was not refused yet.
        let expected = if fate == Fate::Out { Status::Waiting } else { Status::Synced };
        let passed = stage.pass(&stage.order("c2", Shell::Scheduled)).await;
        assert_eq!(statuses(&passed)[1], expected, "{fate:?}");
    }
}

#[tokio::test]
async fn a_guard_opened_for_an_aborted_pass_is_closed_again() {
    let stage = Stage::new(twelve()).await;
    let mut order = stage.order("c2", Shell::ByHand);
    order.terms.limits = half();
    stage.pass(&order).await;
    order.terms.limits.allowed.insert(Guard::RunTenants);
    let stopping: Arc<dyn pass::Progress> = Arc::new(Quiet::stopping_at("planning"));
    pass::pass(&order, &stopping).await.unwrap();
    let held = |rows: Vec<TenantRow>| rows.iter().filter(|row| row.pause.is_some()).count();
    assert_eq!(held(stage.store.tenants(Which::All).await.unwrap()), 9);
    // A pass that finishes opens it permanently.
    let passed = stage.pass(&order).await;
    assert!(statuses(&passed).iter().all(|status| *status == Status::Synced), "{passed:?}");
    assert_eq!(held(stage.store.tenants(Which::All).await.unwrap()), 0);
}

#[tokio::test]
async fn later_writes_count_for_the_guard_of_the_run() {
    // Their windows are closed, or a person paused them, or another process works on them.
    for how in ["closed", "paused", "busy"] {
        let mut members = twelve();
        if how == "closed" {
            members.iter_mut().take(9).for_each(|member| member.fate = Fate::Closed);
        }
        let stage = Stage::new(members).await;
        let place = StorePlace::Folder(stage.folder.path().to_owned());
        let other = Store::open(&place, "elsewhere").await.unwrap();
        for number in 1..=6 {
            let name = TenantName::new(format!("t{number}"));
            let (kind, since) = (PauseKind::Pause, genesync::driver::ports::Reads::now(&stage.port));
            let pause = Pause { kind, by: "mara".into(), reason: "x".into(), since, until: None };
            match how {
                "paused" => stage.store.pause(&name, &pause).await.unwrap(),
                "busy" => drop(other.take([&name], Duration::from_secs(60)).await.unwrap()),
                _ => {}
            }
        }
        let mut order = stage.order("c2", Shell::Scheduled);
        order.terms.limits = half();
        let passed = stage.pass(&order).await;
        assert!(passed.refusal.is_some(), "{how}");
        assert_eq!(stage.port.writes(), 12, "{how}");
    }
}

#[tokio::test]
async fn an_invalid_tenant_is_not_claimed() {
    let mut stage = Stage::new(vec![plain(1, 0), plain(2, 1)]).await;
    stage.members[0].fate = Fate::Invalid;
    stage.pass(&stage.order("c2", Shell::Scheduled)).await;
    // Apply by hand a commit in which it is valid.
    let mut named = stage.order("c1", Shell::Named);
    named.members.truncate(1);
    named.terms.limits.allowed.insert(Guard::Rewind);
    assert_eq!(statuses(&stage.pass(&named).await), [Status::Synced]);
    assert_eq!(stage.claimed().await, [("t2".to_owned(), Some(0), false)]);
    let rows = stage.store.tenants(Which::All).await.unwrap();
    assert_eq!((rows[0].status, rows[0].due_at), (Status::Invalid, None));
}
