//! Several objects of one organization in one run.

use serde_json::{Value, json};

use super::{Cloud, files};

const PAIRS: usize = 4;

/// Returns the files of the one pair, and of more pairs that differ only in their names.
fn pairs(colour: &str) -> Vec<(String, String)> {
    let first = files(1, colour, &[]);
    let more = (2..=PAIRS).flat_map(|n| {
        let renamed = first.iter().skip(1).map(move |(path, text)| {
            let text = text.replace("name: web}", &format!("name: web-{n}}}"));
            let text = text.replace("name: shop}", &format!("name: shop-{n}}}"));
            let text = text.replace("Website", &format!("Website {n}")).replace("Shop", &format!("Shop {n}"));
            (path.replace(".yaml", &format!("-{n}.yaml")), text)
        });
        renamed.collect::<Vec<_>>()
    });
    first.iter().cloned().chain(more).collect()
}

#[test]
fn each_is_written_once_and_a_published_version_is_never_asked_for_again() {
    let cloud = Cloud::new(1);
    for (colour, steps) in
        [("#222222", ["create", "publish", "deploy"]), ("#333333", ["draft", "publish", "pin"])]
    {
        cloud.stage.commit(&pairs(colour));
        let mark = cloud.mark();
        cloud.apply(&[]).expect(0);
        let writes = cloud.writes(1, mark);
        for step in steps {
            assert_eq!(writes.iter().filter(|write| *write == step).count(), PAIRS, "{writes:?}");
        }
        assert_eq!(writes.len(), 3 * PAIRS, "{writes:?}");
        for request in cloud.requests(1, mark) {
            let path = request["path"].as_str().unwrap();
            let version = path.rsplit_once("/versions/").map(|(_, version)| version);
            assert!(version.is_none_or(|version| version.parse::<u64>().is_err()), "{request}");
        }
        let state = cloud.state(1);
        let (configurations, deployments) = (&state["configurations"], &state["deployments"]);
        for deployment in deployments.as_array().unwrap() {
            let pinned = &deployment["configuration"];
            let configurations = configurations.as_array().unwrap();
            let configuration = configurations.iter().find(|known| known["id"] == pinned["id"]).unwrap();
            let versions = configuration["versions"].as_array().unwrap();
            let served = versions.iter().find(|known| known["version"] == pinned["version"]).unwrap();
            assert_eq!(served["messenger"]["styles"]["primaryColor"], json!(colour));
        }
        assert_eq!(deployments.as_array().map(Vec::len), Some(PAIRS));
    }
    cloud.is_at_rest();
}

/// The rate limit is per token. If the operator lets a client use several tokens, genesync fetches the next
/// one when the earlier ones are used up.
#[test]
fn further_tokens_are_fetched_only_when_they_are_needed() {
    let cloud = Cloud::new(1);
    cloud.configure(&["credentials.main.tokens = 6"]);
    cloud.stage.commit(&pairs("#222222"));
    let fetched = |mark: u64| {
        let log = cloud.stage.control("GET", &format!("requests?since={mark}"), &Value::Null);
        let requests = log["requests"].as_array().unwrap().iter();
        requests.filter(|request| request["path"] == "/oauth/token").count()
    };
    let mark = cloud.mark();
    cloud.genesync(&["plan"]).expect(0);
    assert_eq!(fetched(mark), 1);
    cloud.settings(json!({"tokenRateLimitPerMinute": 14}));
    let mark = cloud.mark();
    let ran = cloud.apply(&[]).expect(0);
    let requests = cloud.requests(1, mark);
    let refused = requests.iter().filter(|request| request["status"] == 429).count();
    assert!(refused == 0 && !ran.stderr.contains("rate limit"), "{refused}: {}", ran.stderr);
    assert!(requests.len() > 14 && (2..=6).contains(&fetched(mark)), "{} requests", requests.len());
}

/// The needs of each of three objects are reported, and the other objects are applied.
#[test]
fn what_one_object_needs_stops_no_other() {
    let cloud = Cloud::new(1);
    cloud.stage.commit(&pairs("#222222"));
    cloud.apply(&[]).expect(0);
    cloud.edit(1, json!({"draft": {"configuration": "Website 2", "patch": {"description": "Sale!"}}}));
    let shop = |name: &str| {
        let state = cloud.state(1);
        let all = state["deployments"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap().clone()
    };
    let path = format!("/api/v2/webdeployments/deployments/{}", shop("Shop 3")["id"].as_str().unwrap());
    cloud.fault(json!({"match": {"method": "PUT", "path": path}, "times": 0, "do": {"status": 400, "code": "bad.request", "message": "not this one"}}));
    cloud.stage.commit(&pairs("#333333"));
    let ran = cloud.apply(&["--format", "json"]);
    assert_ne!(ran.code, 0);
    let tenant = &ran.json()["tenants"][0];
    let reason = tenant["reason"].as_str().unwrap();
    assert_eq!(tenant["status"], "Held", "{reason}");
    for reported in [
        "left a draft of MessengerConfiguration `Website 2`",
        "MessengerDeployment `Shop 3`",
        "not this one",
        "`Shop 2`",
    ] {
        assert!(reason.contains(reported), "{reported}: {reason}");
    }
    let pinned = |name: &str| shop(name)["configuration"]["version"].clone();
    let versions = ["Shop", "Shop 2", "Shop 3", "Shop 4"].map(pinned);
    assert_eq!(versions, ["2", "1", "1", "2"]);
    // The applied objects are kept with their proof: the next run writes only the rest.
    cloud.no_faults();
    let mark = cloud.mark();
    cloud.apply(&["--draft", "discard"]).expect(0);
    let mut writes = cloud.writes(1, mark);
    writes.sort();
    assert_eq!(writes, ["draft", "pin", "pin", "publish"]);
    cloud.is_at_rest();
}
