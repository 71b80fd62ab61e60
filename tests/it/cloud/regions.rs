//! Organizations of one tenant, one of which fails.

use serde_json::json;

use super::{Cloud, QUICK, each, served};
use crate::support::organization;

#[test]
fn a_region_that_takes_no_writes_leaves_the_other_one_done_and_is_repaired_later() {
    let cloud = Cloud::applied(2);
    cloud.configure(&["timing.write-ms = 200"]);
    cloud.commit("#222222");
    let mark = cloud.mark();
    let down = |method: &str| json!({"match": {"method": method, "organizationId": organization(2)}, "times": 0, "do": {"status": 503}});
    cloud.fault(down("PUT"));
    // One region is written and one is not: a partial result.
    let ran = cloud.apply(&[]).expect(6);
    assert!(
        ran.stdout.contains("Degraded") && ran.stdout.contains("writes in a row failed"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains(&format!("of organization {}", organization(2))), "{}", ran.stderr);
    assert_eq!(cloud.writes(1, mark), ["draft", "publish", "pin"]);
    assert_eq!((cloud.served(1), cloud.served(2)), (served(2, "#222222"), served(1, "#111111")));
    cloud.no_faults();
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!(
        (cloud.writes(1, mark), cloud.writes(2, mark)),
        (vec![], vec!["draft".to_owned(), "publish".into(), "pin".into()])
    );
    assert_eq!(cloud.served(2), served(2, "#222222"));
    cloud.is_at_rest();
}

#[test]
fn each_region_has_its_own_drift_draft_and_ids() {
    let cloud = Cloud::applied(2);
    let flow = |number: u32| cloud.state(number)["deployments"][0]["flow"]["id"].clone();
    assert_ne!(flow(1), flow(2));
    // Drift in one region is set back only there.
    let patch = json!({"messenger": {"styles": {"primaryColor": "#990000"}}});
    cloud.edit(2, json!({"draft": {"configuration": "Website", "patch": patch}, "publish": {"configuration": "Website"}, "deployment": {"deployment": "Shop", "version": "newest"}}));
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!((cloud.writes(1, mark), cloud.served(2)), (vec![], served(3, "#111111")));
    // A draft in one region holds the tenant: nothing is written in any region before a person decides.
    cloud.edit(2, json!({"draft": {"configuration": "Website", "patch": {"description": "Sale!"}}}));
    cloud.commit("#222222");
    let mark = cloud.mark();
    let ran = cloud.apply(&[]).expect(4);
    assert!(
        ran.stdout.contains("left a draft of MessengerConfiguration `Website` unpublished"),
        "{}",
        ran.stdout
    );
    assert_eq!((cloud.writes(1, mark), cloud.writes(2, mark)), (vec![], vec![]));
    cloud.apply(&["--draft", "discard"]).expect(0);
    assert_eq!((cloud.served(1), cloud.served(2)), (served(2, "#222222"), served(4, "#222222")));
    cloud.is_at_rest();
}

#[test]
fn an_unreachable_region_delays_no_other_and_is_written_later() {
    // Down from the start, or after a write whose answer was lost.
    each(&[false, true], |since_a_write| {
        let cloud = Cloud::applied(3);
        cloud.configure(&QUICK);
        cloud.commit("#222222");
        let mark = cloud.mark();
        if *since_a_write {
            cloud.crash("C08:4");
        }
        cloud.fault(json!({"match": {"organizationId": organization(2)}, "times": 0, "do": {"status": 503}}));
        let reported = format!("us-east-1 (organization {}) is left out", organization(2));
        let planned = cloud.plan().expect(7);
        assert!(planned.stdout.contains(&reported), "{}", planned.stdout);
        let ran = cloud.apply(&[]).expect(6);
        assert!(ran.stdout.contains("Degraded") && ran.stdout.contains(&reported), "{}", ran.stdout);
        let now = [cloud.served(1), cloud.served(2), cloud.served(3)];
        assert_eq!(now, [served(2, "#222222"), served(1, "#111111"), served(2, "#222222")]);
        let steps = ["draft", "publish", "pin"];
        let (done, owed) = steps.split_at(usize::from(*since_a_write));
        assert_eq!(cloud.writes(2, mark), done);
        cloud.no_faults();
        let mark = cloud.mark();
        cloud.apply(&[]).expect(0);
        assert_eq!(cloud.writes(2, mark), owed);
        assert!(cloud.writes(1, mark).is_empty() && cloud.writes(3, mark).is_empty());
        assert_eq!(cloud.served(2), served(2, "#222222"));
        cloud.is_at_rest();
    });
}
