//! Several objects of one organization in one run.

use serde_json::json;

use super::{Cloud, files};

const PAIRS: usize = 4;

/// The files of the one pair, and of more that differ from it by their names.
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
