//! Two organizations, one of which is not well.

use serde_json::json;

use super::{Cloud, served};
use crate::support::organization;

#[test]
fn a_region_that_takes_no_writes_leaves_the_other_one_done_and_is_repaired_later() {
    let cloud = Cloud::applied(2);
    cloud.configure(&["timing.write-ms = 200"]);
    cloud.commit("#222222");
    let mark = cloud.mark();
    let down = |method: &str| json!({"match": {"method": method, "organizationId": organization(2)}, "times": 0, "do": {"status": 503}});
    cloud.fault(down("PUT"));
    let ran = cloud.apply(&[]).expect(7);
    assert!(
        ran.stdout.contains("Degraded") && ran.stdout.contains("writes in a row came to nothing"),
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
    // Drift in one is set back there alone.
    let patch = json!({"messenger": {"styles": {"primaryColor": "#990000"}}});
    cloud.edit(2, json!({"draft": {"configuration": "Website", "patch": patch}, "publish": {"configuration": "Website"}, "deployment": {"deployment": "Shop", "version": "newest"}}));
    let mark = cloud.mark();
    cloud.apply(&[]).expect(0);
    assert_eq!((cloud.writes(1, mark), cloud.served(2)), (vec![], served(3, "#111111")));
    // A draft in one holds the tenant: nothing is written anywhere before somebody has decided.
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
