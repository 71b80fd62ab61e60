//! Tests of the steps of the `cloud` dialect, against a platform of three maps: the effects, their order, and
//! edits of other users at any point.

use super::*;
use crate::model::plan::{Drafts, Next, TargetPlan};
use crate::model::record::Ending;
use crate::model::reference::Reference;
use crate::model::timing::later;
use crate::model::{Change, ChangeKind, Class, ReferenceKind};

mod drafts;
mod many;
mod platform;
mod scene;
mod walks;

use platform::Platform;
use scene::Scene;

#[test]
fn a_change_is_stored_published_and_pinned_and_then_the_run_is_idle() {
    let mut scene = Scene::in_sync();
    assert_eq!(scene.served(), Some((1, json!("#111111"))));
    assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0));
    scene.colour = "#222222";
    assert_eq!(scene.run(), "Synced");
    assert_eq!(scene.writes(), ["draft", "publish", "pin"]);
    assert_eq!(scene.served(), Some((2, json!("#222222"))));
    assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0));
    // Names in git, ids on the platform.
    let (body, _) = scene.platform.deployment.unwrap();
    assert_eq!((&body["flow"], &body["configuration"]["id"]), (&json!({"id": "f-1"}), &json!("c-1")));
}

#[test]
fn a_run_after_a_crash_completes_the_change_and_repeats_nothing() {
    let mut longest = 0;
    for effects in 0..60 {
        let mut scene = Scene::in_sync();
        scene.colour = "#222222";
        let ended = scene.run_until(effects);
        longest = longest.max(if ended == "killed" { effects } else { 0 });
        let before = scene.platform.writes.clone();
        assert_eq!(scene.run(), "Synced", "killed after {effects} effects and {before:?}");
        assert_eq!(scene.writes(), ["draft", "publish", "pin"], "killed after {effects} effects");
        assert_eq!(scene.served(), Some((2, json!("#222222"))), "{effects}");
        let versions = scene.platform.configuration.as_ref().map(|known| known.versions.len());
        assert_eq!(versions, Some(2), "killed after {effects} effects");
    }
    assert!((12..59).contains(&longest), "{longest}");
}

#[test]
fn a_run_after_a_crash_creates_no_second_object_while_the_first_is_invisible() {
    for effects in 0..40 {
        for unseen in [0, 5_000, 25_000] {
            let mut scene = Scene::new();
            scene.platform.unseen_ms = unseen;
            scene.run_until(effects);
            // Any number of later runs may read before it is visible.
            let mut ended = String::new();
            for _ in 0..6 {
                ended = scene.run();
                if ended == "Synced" {
                    break;
                }
                assert!(ended.starts_with("Degraded"), "killed after {effects}, {unseen} unseen: {ended}");
                // The next run starts a little later.
                scene.now = later(scene.now, 5_000);
            }
            assert_eq!(ended, "Synced", "killed after {effects}, {unseen} unseen: {:?}", scene.notes);
            assert_eq!(
                scene.writes(),
                ["create", "publish", "deploy"],
                "killed after {effects}, {unseen} unseen"
            );
        }
    }
}

#[test]
fn a_lost_answer_is_read_back_at_each_step_and_at_creation() {
    for number in 1..=3 {
        let mut scene = Scene::in_sync();
        scene.colour = "#222222";
        scene.platform.lost.insert(number);
        assert_eq!(scene.run(), "Synced", "{number}: {:?}", scene.notes);
        assert_eq!(scene.writes(), ["draft", "publish", "pin"], "{number}");
        let mut scene = Scene::new();
        scene.platform.lost.insert(number);
        assert_eq!(scene.run(), "Synced", "{number}: {:?}", scene.notes);
        assert_eq!(scene.writes(), ["create", "publish", "deploy"], "{number}");
    }
}

#[test]
fn an_overwritten_value_stays_in_the_journal_until_the_write_is_resolved() {
    let mut scene = Scene::in_sync();
    scene.platform.person_edits_the_draft("banner", json!("sale"));
    (scene.drafts, scene.colour) = (Drafts::Discard, "#222222");
    scene.platform.lost.insert(1);
    // The intent is saved, and the answer is lost.
    for effects in 1..20 {
        scene.run_until(effects);
        if let Some(open) = scene.journal.unresolved.first() {
            let IntentAction::Put { over: Some(over), .. } = &open.action else { panic!("{open:?}") };
            assert_eq!((&over.body["banner"], over.by.as_deref()), (&json!("sale"), Some("Mara")));
            return;
        }
    }
    panic!("there was no intent");
}

#[test]
fn an_edit_between_the_read_and_the_publish_is_reported_and_stops_the_writes() {
    let sneak: fn(&mut Platform) = |platform| platform.person_edits_the_draft("banner", json!("unfinished"));
    // After the draft was stored: the read before the publication shows it.
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.after_write.insert(1, sneak);
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("Mara"), "{reason}");
    assert_eq!(scene.writes(), ["draft"]);
    assert_eq!(scene.served(), Some((1, json!("#111111"))));
    // Right before the publication: it is published too, and visitors do not get it, with or without the
    // answer.
    for lost in [None, Some(2)] {
        let mut scene = Scene::in_sync();
        scene.colour = "#222222";
        scene.platform.before_write.insert(2, sneak);
        scene.platform.lost.extend(lost);
        let reason = scene.run();
        assert!(
            reason.starts_with("Held") && reason.contains("banner") && reason.contains("Mara"),
            "{lost:?}: {reason}"
        );
        assert_eq!(scene.writes(), ["draft", "publish"], "{lost:?}");
        assert_eq!(scene.served(), Some((1, json!("#111111"))), "{lost:?}");
        // The next run does not pin it either, until a person has decided.
        assert!(scene.run().starts_with("Held"), "{lost:?}");
        assert_eq!(scene.writes(), Vec::<String>::new(), "{lost:?}");
    }
    // The same, in a managed field: visitors keep the version before.
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.before_write.insert(2, |platform| {
        platform.person_edits_the_draft("messenger", json!({"styles": {"primaryColor": "#FF0000"}}));
    });
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("Mara"), "{reason}");
    assert_eq!(scene.writes(), ["draft", "publish"]);
    assert_eq!(scene.served(), Some((1, json!("#111111"))));
}

#[test]
fn a_version_that_another_user_published_in_between_is_reported() {
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.before_write.insert(2, Platform::person_publishes);
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("overwrote a change"), "{reason}");
    assert_eq!(scene.served(), Some((3, json!("#222222"))));
}

#[test]
fn another_pin_is_drift_only_if_it_serves_other_content() {
    let repoint = |scene: &mut Scene, version: &str| {
        scene.platform.clock += 1;
        let clock = scene.platform.clock;
        let (body, modified) = scene.platform.deployment.as_mut().unwrap();
        body["configuration"]["version"] = json!(version);
        *modified = clock;
    };
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    assert_eq!(scene.run(), "Synced");
    scene.writes();
    // Back to the first version, which differs.
    repoint(&mut scene, "1");
    assert_eq!(scene.run(), "Synced");
    assert_eq!((scene.writes(), scene.served()), (vec!["pin".to_owned()], Some((2, json!("#222222")))));
    // A person publishes an unmanaged change and pins it: the managed fields match git.
    scene.platform.person_edits_the_draft("banner", json!("sale"));
    scene.platform.person_publishes();
    assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0), "a newer version is not taken");
    assert_eq!(scene.served(), Some((2, json!("#222222"))));
    repoint(&mut scene, "3");
    assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0));
    // A version that does not exist any more.
    repoint(&mut scene, "9");
    assert_eq!((scene.run().as_str(), scene.writes()), ("Synced", vec!["pin".to_owned()]));
    assert_eq!(scene.served(), Some((3, json!("#222222"))));
}

#[test]
fn a_new_object_may_be_invisible_not_ready_or_refused_for_a_while() {
    let mut scene = Scene::new();
    scene.platform.unseen_ms = 20_000;
    assert_eq!(scene.run(), "Synced", "{:?}", scene.notes);
    assert_eq!(scene.writes(), ["create", "publish", "deploy"]);
    let mut scene = Scene::new();
    scene.platform.pending = 4;
    assert_eq!(scene.run(), "Synced", "{:?}", scene.notes);
    assert_eq!(scene.writes(), ["create", "publish", "deploy"]);
    let mut scene = Scene::new();
    scene.platform.refused.insert(2);
    assert_eq!(scene.run(), "Synced", "{:?}", scene.notes);
    assert_eq!(scene.writes(), ["create", "publish", "publish", "deploy"]);
    // The first write of all has nothing to wait for: the refusal is for its content.
    let mut scene = Scene::new();
    scene.platform.refused.insert(1);
    assert!(scene.run().starts_with("Degraded"), "{:?}", scene.notes);
    // For ever: the run ends in time, and nothing is published.
    let mut scene = Scene::new();
    scene.platform.pending = 1_000;
    let reason = scene.run();
    assert!(reason.starts_with("Degraded") && reason.contains("not active"), "{reason}");
    assert_eq!(scene.writes(), ["create"]);
}

#[test]
fn a_missing_or_ambiguous_name_is_reported_and_nothing_is_written() {
    for (flows, reported) in
        [(vec![], "there is no inbound message flow `Inbound`"), (vec!["a", "b"], "found 2 objects named")]
    {
        let mut scene = Scene::new();
        scene.platform.flows = flows;
        let reason = scene.run();
        assert!(reason.starts_with("Held") && reason.contains(reported), "{reason}");
        assert_eq!(scene.writes(), Vec::<String>::new());
    }
    let reference = Reference { kind: ReferenceKind::Flow, name: "Inbound".into() };
    assert_eq!(reference.to_string(), "inbound message flow `Inbound`");
}

#[test]
fn a_listing_without_a_created_object_creates_nothing_again() {
    let mut scene = Scene::in_sync();
    scene.platform.configuration = None;
    scene.platform.deployment = None;
    assert!(scene.run().contains("refused by recreate"));
    assert_eq!(scene.writes(), Vec::<String>::new());
}

#[test]
fn unknown_fields_are_kept_in_every_write() {
    let mut scene = Scene::in_sync();
    scene.platform.person_edits_the_draft("invented", json!({"next": ["year"]}));
    scene.platform.person_publishes();
    scene.colour = "#222222";
    // Published but not served: genesync does not let visitors get it.
    let reason = scene.run();
    assert!(reason.starts_with("Held") && reason.contains("invented"), "{reason}");
    assert_eq!(scene.writes(), Vec::<String>::new());
    scene.drafts = Drafts::Adopt;
    assert_eq!(scene.run(), "Synced");
    let newest = scene.platform.configuration.unwrap().versions.pop().unwrap();
    assert_eq!(newest["invented"], json!({"next": ["year"]}));
    assert_eq!(newest["messenger"]["styles"]["primaryColor"], json!("#222222"));
}

/// In sync, with a banner that Mara published and that visitors get.
fn with_her_banner() -> Scene {
    let mut scene = Scene::in_sync();
    scene.platform.person_edits_the_draft("banner", json!("sale"));
    scene.platform.person_publishes();
    scene.platform.person_pins(2);
    assert_eq!(scene.run(), "Synced");
    scene.writes();
    scene
}

#[test]
fn a_removal_by_another_user_is_kept() {
    // In her draft, which then equals an earlier one of genesync.
    let mut scene = with_her_banner();
    scene.platform.person_removes("banner");
    assert_eq!(scene.run(), "Synced");
    scene.colour = "#222222";
    let ended = scene.run();
    assert!(ended.starts_with("Held: Mara left a draft"), "{ended}");
    assert_eq!(scene.writes(), Vec::<String>::new());
    // Published, while the draft of genesync is under way.
    let mut scene = with_her_banner();
    scene.colour = "#222222";
    scene.platform.before_write.insert(1, |platform| {
        platform.person_removes("banner");
        platform.person_publishes();
        platform.person_pins(3);
    });
    scene.run();
    scene.platform.before_write.clear();
    assert_eq!(scene.run(), "Synced");
    assert_eq!(scene.platform.broken, Vec::<String>::new());
    let newest = scene.platform.configuration.as_ref().unwrap().versions.last().unwrap();
    assert!(!newest.contains_key("banner"), "{newest:?}");
}

#[test]
fn a_listed_object_that_is_not_found_by_id_is_not_created_twice() {
    let shut: fn(&mut Scene) = |scene| {
        scene.platform.deployment.as_mut().unwrap().0["allowAllDomains"] = json!(false);
    };
    let repainted: fn(&mut Scene) = |scene| scene.colour = "#222222";
    for differs in [repainted, shut] {
        let mut scene = Scene::in_sync();
        // Enforced for the first time: no earlier state is known.
        scene.journal = Journal::default();
        scene.allowed.insert(crate::model::Guard::Adopt);
        scene.writes();
        differs(&mut scene);
        scene.platform.gone_by_id = u32::MAX;
        let ended = scene.run();
        assert!(ended.contains("not found any more"), "{ended}");
        assert_eq!(scene.writes(), Vec::<String>::new());
        scene.platform.gone_by_id = 0;
        assert_eq!(scene.run(), "Synced");
    }
}

#[test]
fn a_mixed_publication_is_pinned_by_no_deployment() {
    let mut scene = Scene::new();
    scene.platform.before_write.insert(2, |platform| {
        platform.person_edits_the_draft("banner", json!("unfinished"));
    });
    for attempt in ["the same run", "the next one"] {
        let ended = scene.run();
        assert!(ended.starts_with("Held") && ended.contains("banner"), "{attempt}: {ended}");
        assert!(!scene.writes().contains(&"deploy".to_owned()), "{attempt}");
    }
    scene.drafts = Drafts::Adopt;
    assert_eq!(scene.run(), "Synced");
}

#[test]
fn one_stale_answer_creates_nothing_twice_even_with_recreate_allowed() {
    let shut: fn(&mut Scene) = |scene| {
        scene.platform.deployment.as_mut().unwrap().0["allowAllDomains"] = json!(false);
    };
    let repainted: fn(&mut Scene) = |scene| scene.colour = "#222222";
    for (differs, writes) in [(shut, &["pin"][..]), (repainted, &["draft", "publish", "pin"])] {
        let mut scene = Scene::in_sync();
        scene.writes();
        scene.allowed.insert(crate::model::Guard::Recreate);
        differs(&mut scene);
        scene.platform.gone_by_id = 1;
        assert_eq!((scene.run().as_str(), scene.writes().join(" ")), ("Synced", writes.join(" ")));
        assert_eq!(scene.platform.broken, Vec::<String>::new());
    }
}

#[test]
fn an_ignored_field_is_published_only_by_people() {
    let mut scene = Scene::new();
    scene.ignored = Some("banner");
    assert_eq!(scene.run(), "Synced");
    scene.platform.person_edits_the_draft("banner", json!("unfinished"));
    scene.platform.person_publishes();
    assert_eq!(scene.run(), "Synced");
    scene.writes();
    scene.colour = "#222222";
    let ended = scene.run();
    assert!(ended.starts_with("Held") && ended.contains("banner"), "{ended}");
    assert_eq!(scene.platform.broken, Vec::<String>::new());
}

#[test]
fn a_draft_without_an_author_is_not_ours() {
    let mut scene = Scene::in_sync();
    scene.platform.person_edits_the_draft("banner", json!("of another program"));
    scene.platform.configuration.as_mut().unwrap().drafted_by = None;
    (scene.drafts, scene.colour) = (Drafts::Discard, "#222222");
    for effects in 1..20 {
        scene.run_until(effects);
        if let Some(open) = scene.journal.unresolved.first() {
            let IntentAction::Put { over: Some(over), .. } = &open.action else { panic!("{open:?}") };
            assert_eq!(over.by.as_deref(), Some("another user"));
            return;
        }
    }
    panic!("there was no intent");
}

#[test]
fn a_mixed_publication_holds_only_the_deployments_that_serve_it() {
    let scene = Scene::new();
    let mut spec = scene.spec();
    let mut other = spec.resources[1].clone();
    let serves = json!({"configuration": {"name": "other"}});
    (other.object.name, other.desired.body) = ("elsewhere".into(), Arc::new(platform::map(serves)));
    spec.resources.push(other);
    let mut run = Run::new(Arc::new(spec), Journal::default());
    let [web, site, elsewhere] = [0, 1, 2].map(|at: usize| run.targets[at].clone());
    run.mixed.insert(web.object_ref(), "version 2 of it was published with more".into());
    let planned = |target: Target| TargetPlan {
        target,
        version: Some(1),
        observed: Arc::default(),
        changes: vec![Change {
            path: "allowAllDomains".into(),
            kind: ChangeKind::ToApply,
            class: Class::Reach,
            observed: None,
            desired: None,
            applied: None,
            theirs: None,
            loss: None,
            author: None,
        }],
        already_done: Vec::new(),
        ignored: Vec::new(),
        next: Some(Next::Store),
        draft: None,
        body: Arc::default(),
        unfinished: None,
        unmanaged: Vec::new(),
        another_program: None,
        unrecorded: None,
        ours_to_overwrite: true,
    };
    assert!(run.stuck(&[Arc::new(planned(site))]).is_some());
    assert_eq!(run.stuck(&[Arc::new(planned(elsewhere))]), None);
}
