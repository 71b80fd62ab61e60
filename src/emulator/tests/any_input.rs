//! What holds for any input: an answer, and the same one every time.

use crate::emulator::fixture::{AUDIT, REPLICATE};
use crate::emulator::{Request, World};
use serde_json::{Value, json};

/// A generator for tests; the numbers only have to be many (Knuth's MMIX).
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn random_request(lcg: &mut Lcg) -> Request {
    let paths = [
        "/api/v2/webchat/organizations/o/configurations",
        "/api/v2/webchat/organizations/%ff%/configurations",
        "/oauth/token",
        REPLICATE,
        "/api/v2/webchat/configurations/replicate/job-1",
        AUDIT,
        "",
        "/",
        "//",
        "/_emulator",
        "/_emulator/edit",
        "/_emulator/faults",
        "/_emulator/settings",
        "/_emulator/state",
        "/_emulator/requests?since=99999999999999999999",
        "\u{0}é%",
        "/_emulator/requests?since=%31",
    ];
    let bodies = [
        "",
        "{}",
        "[]",
        "null",
        "{\"widget\":{\"theme\":[]}}",
        "{\"n\":1e999}",
        "\u{0}",
        "{\"query\":{}}",
        "grant_type=client_credentials&client_id=c&client_secret=s",
        "{\"a\":{\"b\":{}}}",
        "grant_type=%",
        "{\"sourceOrganizationId\":\"o\",\"targetOrganizationIds\":[\"p\",\"q\"],\"overwriteExisting\":true}",
        "{\"organizationId\":\"o\",\"actor\":\"ann\",\"patch\":{\"a\":null,\"b\":{\"c\":1}}}",
        "{\"faults\":[{\"times\":2,\"do\":{\"stale\":true}},{\"nth\":18446744073709551615,\"do\":{\"drop\":\"after\"}}]}",
        "{\"latencyMs\":18446744073709551615,\"replicationDelayMs\":18446744073709551615}",
        "{\"replicationDelayMs\":0,\"tokenLifetimeS\":18446744073709551615,\"rateLimitPerMinute\":18446744073709551615}",
        "{\"rateLimitPerMinute\":0,\"replicationDelayMs\":5}",
    ];
    let method = lcg.pick(&["GET", "PUT", "POST", "DELETE", "HEAD", "\u{1}"]);
    // Half of them are nearly right, or little of the platform would ever be reached.
    let nearly = lcg.below(2) == 0;
    let places = if nearly { 5 } else { paths.len() };
    let mut request = Request::new(method, lcg.pick(&paths[..places])).with_body(lcg.pick(&bodies));
    for _ in 0..if nearly { 0 } else { lcg.below(3) } {
        let at = lcg.below(request.body.len() + 1);
        request.body.insert(at, lcg.below(256) as u8);
    }
    request
        .with_header(
            "authorization",
            lcg.pick(&["Bearer emulator-token-1", "Basic Yzpz", "Basic %", "", " ", "é"]),
        )
        .with_header("if-match", lcg.pick(&["1", "\"2\"", "3", "", "é", "99999999999999999999"]))
        .with_header("x-forwarded-for", lcg.pick(&["", ",", "10.0.0.1, 10.0.0.2"]))
}

#[test]
fn any_bytes_are_answered_and_the_same_calls_give_the_same_bytes() {
    let start = crate::emulator::tests::configured();
    let mut runs = [start.clone(), start];
    let outcomes = runs.each_mut().map(|rig| {
        let mut lcg = Lcg(7);
        let mut outcomes = Vec::new();
        for step in 0..4_000 {
            rig.pass(lcg.below(50) as i64);
            let mut request = random_request(&mut lcg);
            match rig.world.configuration("o") {
                Some(current) => request = request.with_header("if-match", &current.version.to_string()),
                None => request.headers.retain(|name, _| name != "if-match"),
            }
            outcomes.push(rig.send(request));
            if step % 100 == 0 {
                rig.world.clear_faults();
                outcomes.push(rig.outcome("GET", "/_emulator/state", &[], &Value::Null));
            }
        }
        outcomes
    });
    assert!(outcomes[0] == outcomes[1]);
    let accepted = runs[0].world.writes();
    assert!(accepted > 20, "the requests reach deep enough: {accepted}");
    for handled in &outcomes[0] {
        if let Some(response) = &handled.response {
            assert!(response.header("x-request-id").is_some());
        }
    }
}

#[test]
fn extreme_times_are_fine() {
    let mut rig = crate::emulator::tests::configured();
    for now in [jiff::Timestamp::MAX, jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
        rig.now = now;
        rig.token = rig.token_for("c", "s", "").1;
        rig.post("/_emulator/settings", &json!({"rateLimitPerMinute": 5}));
        rig.post(REPLICATE, &json!({"sourceOrganizationId": "o", "targetOrganizationIds": ["p"]}));
        rig.world.settle(now);
    }
    let _: World = rig.world;
}
