//! Reading only what a commit moved gives the same result as reading everything, for any tree.

use std::collections::BTreeMap;
use std::path::Path;

use genesync::fleet::known::{Known, LoadError};
use genesync::model::Wanted;

use super::repository::{AsGiven, Entry, File, Git, Tree, at, files};
use super::*;

/// A tenant's folder with its own greeting.
fn greeting(name: &str, number: u32, text: &str) -> (Vec<u8>, Entry) {
    let spec = SOUND_SPEC.replace("Hello!", text);
    let all = vec![
        at("tenant.yaml", File(tenant(name, number, "").into_bytes())),
        at("web.yaml", File(web(&spec).into_bytes())),
    ];
    at(name, Tree(all))
}

fn sound_folder(name: &str, number: u32) -> (Vec<u8>, Entry) {
    at(name, Tree(files(name, number)))
}

fn fleet_of(tenants: Vec<(Vec<u8>, Entry)>, layer: &str) -> Entry {
    let layer = web(&format!("  greetings: {{messages: [{layer}]}}\n"));
    let bases = Tree(vec![at("shared.yaml", File(layer.replace("name: web", "name: shared").into_bytes()))]);
    Tree(vec![at("bases", bases), at("tenants", Tree(tenants))])
}

/// The rows of `known`, by name.
fn standing(rows: Vec<Wanted>) -> BTreeMap<String, Wanted> {
    rows.into_iter().map(|row| (row.tenant.to_string(), row)).collect()
}

#[test]
fn reading_what_a_commit_moved_equals_reading_everything() {
    // git orders these three folders differently from their names: `a-b`, `a`, `a0`.
    let three = || vec![sound_folder("a", 1), sound_folder("a-b", 2), sound_folder("a0", 3)];
    let and = |more: Vec<(Vec<u8>, Entry)>| [three(), more].concat();
    let without = |name: &str| -> Vec<(Vec<u8>, Entry)> {
        three().into_iter().filter(|(known, _)| known != name.as_bytes()).collect()
    };
    let with = |name: &str, entry: (Vec<u8>, Entry)| [without(name), vec![entry]].concat();
    let roots = [
        ("three", fleet_of(three(), "Hi")),
        ("another layer", fleet_of(three(), "Good day")),
        ("one says something else", fleet_of(with("a", greeting("a", 1, "Welcome!")), "Hi")),
        ("one is gone", fleet_of(without("a-b"), "Hi")),
        ("one is new, one is gone", fleet_of([without("a"), vec![sound_folder("b", 4)]].concat(), "Hi")),
        ("a folder is a file", fleet_of(with("a", at("a", File(b"note".to_vec()))), "Hi")),
        (
            "a folder is empty",
            fleet_of(with("a0", at("a0", Tree(vec![at("notes.md", File(Vec::new()))]))), "Hi"),
        ),
        ("one can not be read", fleet_of(with("a-b", greeting("a-b", 2, "\"")), "Hi")),
        ("one claims another's organization", fleet_of(and(vec![sound_folder("rival", 1)]), "Hi")),
        (
            "names that are no text, and look alike",
            fleet_of(and(vec![at(b"x\xfe", Tree(files("x", 8))), at(b"x\xff", Tree(files("x", 9)))]), "Hi"),
        ),
        (
            "a folder out of order within one",
            fleet_of(with("a", at("a", AsGiven(files("a", 1).into_iter().rev().collect()))), "Hi"),
        ),
    ];
    let git = Git::new();
    let commits: Vec<(&str, String)> =
        roots.into_iter().map(|(name, root)| (name, git.commit(root, &[]).to_string())).collect();
    let source = Source::repository(Path::new(git.path())).unwrap();
    let load = |revision: &str| Known::load(&source, revision, TODAY).unwrap();
    let mut in_part = 0;
    for (from, before) in &commits {
        for (to, after) in &commits {
            let (old, new) = (load(before), load(after));
            let (followed, moved) = old.follow(&source, after, TODAY).unwrap();
            let what = format!("from `{from}` to `{to}`");
            assert_eq!(followed.revision, new.revision, "{what}");
            assert_eq!(standing(followed.all_wanted()), standing(new.all_wanted()), "{what}");
            // What the store does with it: it takes what moved, then removes what is gone.
            let mut kept = BTreeMap::new();
            if moved.gone.is_some() {
                in_part += 1;
                kept = standing(old.all_wanted());
            }
            kept.extend(standing(moved.rows));
            kept.retain(|name, _| moved.gone.iter().flatten().all(|gone| gone.as_str() != name));
            assert_eq!(kept, standing(new.all_wanted()), "{what}");
            for tenant in new.tenants.iter() {
                let found = followed.tenants.get(&tenant.name).unwrap();
                assert_eq!(found.resources(), tenant.resources(), "{what}");
            }
        }
    }
    assert!(in_part > 40, "{in_part} of {} were read in part", commits.len().pow(2));
}

#[test]
fn an_empty_commit_and_a_malformed_commit_are_refused() {
    let git = Git::new();
    let first = git.commit(fleet_of(vec![sound_folder("a", 1)], "Hi"), &[]).to_string();
    let source = Source::repository(Path::new(git.path())).unwrap();
    let known = Known::load(&source, &first, TODAY).unwrap();
    let twice = AsGiven(vec![sound_folder("a", 1), sound_folder("a", 2)]);
    for root in [Tree(vec![at("tenants", Tree(Vec::new()))]), Tree(vec![at("tenants", twice)])] {
        let commit = git.commit(root, &[]).to_string();
        let refused = known.follow(&source, &commit, TODAY);
        assert!(matches!(refused, Err(LoadError::Source(_))), "{refused:?}");
    }
}
