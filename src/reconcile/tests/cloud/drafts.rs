//! Tests of drafts of other users, and of drafts of genesync without an answer.

use super::*;

#[test]
fn an_addition_to_a_draft_with_a_lost_answer_belongs_to_its_author() {
    let mut scene = Scene::new();
    let edit: fn(&mut Platform) = |platform| platform.person_edits_the_draft("banner", json!("hers"));
    scene.platform.after_write.insert(1, edit);
    scene.platform.lost.insert(1);
    let ended = scene.run();
    assert!(ended.starts_with("Held: Mara left a draft"), "{ended}");
    assert_eq!(scene.writes(), ["create"]);
}

#[test]
fn a_draft_that_the_platform_changes_is_stored_once() {
    let mut scene = Scene::in_sync();
    scene.colour = "#222222";
    scene.platform.after_write.insert(1, |platform| {
        if let Some(configuration) = &mut platform.configuration {
            configuration.draft["messenger"] = json!({"styles": {"primaryColor": "#333333"}});
        }
    });
    let reason = scene.run();
    assert!(reason.starts_with("Held"), "{reason}");
    assert_eq!(scene.writes(), ["draft"]);
}

#[test]
fn a_draft_that_another_user_left_is_kept_adopted_or_discarded_as_the_operator_says() {
    for (drafts, ended, writes, banner) in [
        (Drafts::Refuse, "Held", &[][..], None),
        (Drafts::Adopt, "Synced", &["draft", "publish", "pin"][..], Some(json!("sale"))),
        (Drafts::Discard, "Synced", &["draft", "publish", "pin"][..], None),
    ] {
        let mut scene = Scene::in_sync();
        scene.platform.person_edits_the_draft("banner", json!("sale"));
        scene.drafts = drafts;
        // There is nothing to write, so no draft is in the way.
        assert_eq!((scene.run().as_str(), scene.writes().len()), ("Synced", 0));
        scene.colour = "#222222";
        let reason = scene.run();
        assert!(reason.starts_with(ended), "{drafts:?}: {reason}");
        assert_eq!(scene.writes(), writes, "{drafts:?}");
        if drafts == Drafts::Refuse {
            assert!(reason.contains("Mara") && reason.contains("banner"), "{reason}");
            assert!(reason.contains("--draft adopt"), "{reason}");
            continue;
        }
        let published = scene.platform.configuration.unwrap().versions.pop().unwrap();
        assert_eq!(published.get("banner"), banner.as_ref(), "{drafts:?}");
    }
}

#[test]
fn a_draft_without_an_answer_is_unknown_or_not_executed() {
    let mut scene = Scene::in_sync();
    (scene.drafts, scene.colour) = (Drafts::Discard, "#222222");
    scene.platform.person_edits_the_draft("banner", json!("hers"));
    scene.platform.lost.insert(1);
    scene.platform.after_write.insert(1, |platform| platform.person_edits_the_draft("other", json!("again")));
    scene.endings.clear();
    scene.run();
    assert_eq!(scene.endings.first(), Some(&Ending::Unknown));
    // Nothing changed since: nothing was stored.
    let mut scene = Scene::in_sync();
    (scene.drafts, scene.colour) = (Drafts::Discard, "#222222");
    scene.platform.person_edits_the_draft("banner", json!("hers"));
    scene.platform.refused.insert(1);
    scene.endings.clear();
    scene.run();
    assert_eq!(scene.endings.first(), Some(&Ending::NotExecuted));
}
