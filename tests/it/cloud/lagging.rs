//! A platform that shows, activates and agrees late, and answers that get lost.

use serde_json::json;

use super::{Cloud, QUICK, each, served};

#[test]
fn an_object_that_appears_late_is_created_once() {
    let delays = [
        json!({"visibleDelayMs": 150}),
        json!({"staleDelayMs": 150}),
        json!({"visibleDelayMs": 120, "staleDelayMs": 150}),
        json!({"activeDelayMs": 200}),
        json!({"activeDelayMs": 0}),
    ];
    each(&delays, |settings| {
        let cloud = Cloud::new(1);
        cloud.settings(settings.clone());
        // So many reads that the last one is never reached on any machine.
        cloud.configure(&["timing.backoff-ms = 100"]);
        cloud.apply(&[]).expect(0);
        assert_eq!(cloud.writes(1, 0), ["create", "publish", "deploy"], "{settings}");
        assert_eq!((cloud.served(1), cloud.counts(1)), (served(1, "#111111"), (1, 1, 1)), "{settings}");
        cloud.commit("#222222");
        let mark = cloud.mark();
        cloud.apply(&[]).expect(0);
        assert_eq!(cloud.writes(1, mark), ["draft", "publish", "pin"], "{settings}");
        assert_eq!((cloud.served(1), cloud.counts(1)), (served(2, "#222222"), (1, 2, 1)), "{settings}");
        cloud.is_at_rest();
    });
}

#[test]
fn a_stale_read_is_never_the_base_of_a_write() {
    let cloud = Cloud::applied(1);
    cloud.commit("#222222");
    cloud.apply(&[]).expect(0);
    cloud.commit("#333333");
    let mark = cloud.mark();
    cloud.fault(json!({"match": {"method": "GET", "path": "/api/v2/webdeployments/**"}, "nth": 1, "times": 6, "do": {"stale": true}}));
    let ran = cloud.apply(&[]).expect(0);
    assert!(
        ran.stderr.contains("the API returned an older state of")
            && ran.stderr.contains("than version 2; reading again"),
        "{}",
        ran.stderr
    );
    assert_eq!(cloud.writes(1, mark), ["draft", "publish", "pin"]);
    assert_eq!((cloud.served(1), cloud.counts(1)), (served(3, "#333333"), (1, 3, 1)));
    cloud.is_at_rest();
}

/// Each of the three writes, at a first apply and at a change.
const WRITES: [[(&str, &str, &str); 3]; 2] = [
    [
        ("create", "POST", "/api/v2/webdeployments/configurations"),
        ("publish", "POST", "**/draft/publish"),
        ("deploy", "POST", "/api/v2/webdeployments/deployments"),
    ],
    [
        ("draft", "PUT", "**/versions/draft"),
        ("publish", "POST", "**/draft/publish"),
        ("pin", "PUT", "**/deployments/*"),
    ],
];

/// Makes each of the writes fail once, and returns what the platform saw of each.
fn each_write(action: &serde_json::Value, repeats: bool, reported: &str) {
    each(&[(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)], |&(round, at): &(usize, usize)| {
        let (word, method, path) = WRITES[round][at];
        let what = format!("{action} at {word}");
        let cloud = Cloud::new(1);
        cloud.configure(&QUICK);
        cloud.settings(json!({"visibleDelayMs": 30}));
        if round == 1 {
            cloud.apply(&[]).expect(0);
            cloud.commit("#222222");
        }
        let mark = cloud.mark();
        cloud.fault(json!({"match": {"method": method, "path": path}, "do": action}));
        let ran = cloud.apply(&[]).expect(0);
        assert!(ran.stderr.contains(reported), "{what}: {}", ran.stderr);
        let mut expected: Vec<String> = Vec::new();
        for (n, (word, ..)) in WRITES[round].iter().enumerate() {
            let suffix = match (action["drop"].as_str(), action["status"].as_u64()) {
                (Some(_), _) => " lost".to_owned(),
                (_, Some(status)) => format!(" {status}"),
                _ => String::new(),
            };
            if n == at {
                expected.push(format!("{word}{suffix}"));
            }
            if n != at || repeats {
                expected.push((*word).to_owned());
            }
        }
        assert_eq!(cloud.writes(1, mark), expected, "{what}");
        let version = u32::try_from(round).unwrap() + 1;
        let colour = ["#111111", "#222222"][round];
        assert_eq!(cloud.served(1), served(version, colour), "{what}");
        assert_eq!(cloud.counts(1), (1, round + 1, 1), "{what}");
        cloud.is_at_rest();
    });
}

#[test]
fn an_answer_that_is_lost_makes_nothing_twice() {
    each_write(&json!({"drop": "after"}), false, "was lost");
}

#[test]
fn an_answer_that_can_not_be_read_makes_nothing_twice() {
    each_write(&json!({"garbage": true}), false, "a body that is not JSON");
}

#[test]
fn a_write_that_never_arrived_is_sent_again() {
    each_write(&json!({"drop": "before"}), true, "was lost");
}

#[test]
fn a_write_that_the_server_failed_at_is_waited_out_and_sent_again() {
    each_write(&json!({"status": 503}), true, "answered with 503");
}

#[test]
fn a_write_over_the_rate_limit_is_sent_again_when_the_server_says() {
    each_write(&json!({"status": 429, "retryAfter": 1}), true, "the rate limit is reached");
}

#[test]
fn a_token_that_is_refused_in_the_middle_is_fetched_again() {
    each_write(&json!({"status": 401}), true, "");
}
