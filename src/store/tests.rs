//! What survives, and what is refused.

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::model::record::{Intent, IntentAction};
use crate::model::{Base, CredentialsName, OrganizationId, Region, Target};

fn intent(id: u64) -> Record {
    Record::Intent(Intent {
        id,
        revision: Revision::new("r"),
        action: IntentAction::Put {
            target: Target {
                organization: OrganizationId::new("o"),
                region: Region::EuWest1,
                credentials: CredentialsName::new("c"),
            },
            if_match: Some(3),
            body: Arc::default(),
        },
        sent_at: Timestamp::UNIX_EPOCH,
        deadline: Timestamp::UNIX_EPOCH,
        reverts: Vec::new(),
    })
}

fn applied(version: u64) -> Record {
    let base = Base { version, body: Arc::default(), revision: Revision::new("r") };
    Record::Applied { organization: OrganizationId::new("o"), base }
}

fn store() -> (tempfile::TempDir, Store, TenantName) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store, TenantName::new("acme"))
}

#[test]
fn what_was_appended_is_read_back() {
    let (_folder, store, tenant) = store();
    assert_eq!(store.journal(&tenant).unwrap(), Journal::default());
    store.append(&tenant, &[intent(1)]).unwrap();
    store
        .append(&tenant, &[Record::Resolved { intent: 1, receipts: Vec::new() }, applied(4), intent(2)])
        .unwrap();
    let journal = store.journal(&tenant).unwrap();
    assert_eq!(journal.unresolved.iter().map(|intent| intent.id).collect::<Vec<_>>(), [2]);
    assert_eq!((journal.last_intent, journal.bases[&OrganizationId::new("o")].version), (2, 4));
}

#[test]
fn a_line_cut_by_a_crash_is_dropped_wherever_it_was_cut() {
    let (_folder, store, tenant) = store();
    store.append(&tenant, &[intent(1), applied(4)]).unwrap();
    let path = store.file(&tenant);
    let whole = fs::read(&path).unwrap();
    let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in first_line..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let journal = store.journal(&tenant).unwrap();
        assert_eq!(journal.unresolved.len(), 1, "cut at {cut}");
        store.append(&tenant, &[intent(2)]).unwrap();
        assert_eq!(store.journal(&tenant).unwrap().unresolved.len(), 2, "cut at {cut}");
    }
}

#[test]
fn a_broken_line_elsewhere_is_refused_with_its_number() {
    let (_folder, store, tenant) = store();
    fs::write(store.file(&tenant), "{\"record\":\"resolved\",\"intent\":1,\"receipts\":[]}\nrubbish\n")
        .unwrap();
    assert!(matches!(store.journal(&tenant), Err(StoreError::Corrupt { line: 2, .. })));
}

#[test]
fn a_second_process_is_kept_out_until_the_first_is_gone() {
    let (_folder, store, _) = store();
    let lock = store.lock().unwrap();
    assert!(matches!(store.lock(), Err(StoreError::Busy { .. })));
    drop(lock);
    store.lock().unwrap();
}

#[test]
fn heads_are_kept_for_each_repository() {
    let (_folder, store, _) = store();
    assert_eq!(store.applied_head("a").unwrap(), None);
    store.keep_applied_head("a", &Revision::new("abc")).unwrap();
    assert_eq!(store.applied_head("a").unwrap(), Some(Revision::new("abc")));
    assert_eq!(store.applied_head("b").unwrap(), None);
}
