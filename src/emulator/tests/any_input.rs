//! Properties for any input: the emulator answers, and the same calls give the same answers.

use crate::emulator::fixture::{AUDIT, REPLICATE, Rig, configured};
use crate::emulator::{Request, World};
use serde_json::{Value, json};

/// A random number generator for tests (Knuth's MMIX).
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

const PATHS: &[&str] = &[
    "/api/v2/webchat/organizations/o/configurations",
    "/api/v2/webchat/organizations/%ff%/configurations",
    "/oauth/token",
    REPLICATE,
    "/api/v2/webchat/configurations/replicate/job-1",
    AUDIT,
    "",
    "/api/v2/webdeployments/configurations/00000000-c0f1-4000-8000-000000000001/versions/draft",
    "/api/v2/webdeployments/configurations/00000000-c0f1-4000-8000-000000000001/versions/draft/publish",
    "/api/v2/webdeployments/configurations/00000000-c0f1-4000-8000-000000000001/versions/1",
    "/api/v2/webdeployments/configurations/00000000-c0f1-4000-8000-000000000001",
    "/api/v2/webdeployments/configurations?pageSize=1&after=at_99999999999999999999",
    "/api/v2/webdeployments/configurations?before=at_18446744073709551615",
    "/api/v2/webdeployments/deployments",
    "/api/v2/webdeployments/deployments/00000000-de91-4000-8000-000000000001?expand=flowDetails,%",
    "/api/v2/webdeployments/deployments/00000000-de91-4000-8000-000000000001/configurations",
    "/api/v2/webdeployments/deployments/00000000-de91-4000-8000-000000000001/identityresolution",
    "/api/v2/conversations/messaging/integrations/open",
    "/api/v2/conversations/messaging/integrations/open/00000000-09e1-4000-8000-000000000001",
    "/api/v2/conversations/messaging/supportedcontent",
    "/api/v2/conversations/messaging/supportedcontent/00000000-5c07-4000-8000-000000000001",
    "/api/v2/conversations/messaging/supportedcontent/default",
    "/api/v2/messaging/settings",
    "/api/v2/messaging/settings/00000000-5e77-4000-8000-000000000001",
    "/api/v2/messaging/settings/default",
    "/api/v2/knowledge/knowledgebases/00000000-0b5e-4000-8000-000000000001",
    "/api/v2/flows?pageNumber=4294967295&pageSize=100&name=*%2a",
    "/api/v2/knowledge/knowledgebases?after=at_",
    "/api/v2/organizations/me",
    "/api/v2/organizations/limits/namespaces/platform.api",
    "/api/v2/tokens/me",
    "/api/v2/audits/query",
    "/api/v2/audits/query/realtime?expand=user",
    "/api/v2/audits/query/realtime/related",
    "/api/v2/audits/query/00000000-7a45-4000-8000-000000000001",
    "/api/v2/audits/query/00000000-7a45-4000-8000-000000000001/results?cursor=from_18446744073709551615&allowRedirect=true",
    "/_download/audits/00000000-7a45-4000-8000-000000000001",
    "/webdeployments/v1/deployments/00000000-de91-4000-8000-000000000001/config.json",
    "/webdeployments/v1/deployments/%ff/domains.json",
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

const BODIES: &[&str] = &[
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
    "{\"activeDelayMs\":18446744073709551615,\"pageSizeMax\":1,\"auditRedirect\":true,\"tokenRateLimitPerMinute\":1}",
    "{\"activeDelayMs\":0,\"staleDelayMs\":3,\"visibleDelayMs\":50,\"tokenRateLimitPerMinute\":0}",
    "{\"activeDelayMs\":0,\"visibleDelayMs\":0,\"cdnDelayMs\":0,\"auditQueryDelayMs\":0,\"tokenLifetimeS\":3600}",
    "{\"name\":\"n\",\"messenger\":{\"apps\":[]},\"video\":null}",
    "{\"name\":\"n\",\"status\":\"Inactive\",\"configuration\":{\"id\":\"00000000-c0f1-4000-8000-000000000001\",\"version\":\"1\"}}",
    "{\"resolveIdentities\":true}",
    "{\"name\":\"n\",\"coreLanguage\":\"de-DE\",\"mediaTypes\":{\"allow\":{\"inbound\":[{\"type\":\"*/*\"}]}},\"event\":null}",
    "{\"name\":\"n\",\"mediaTypes\":{\"allow\":null},\"event\":{\"typing\":{\"on\":{\"inbound\":\"Enabled\"}}},\"content\":7}",
    "{\"id\":\"00000000-5c07-4000-8000-000000000001\",\"settingId\":\"00000000-5e77-4000-8000-000000000001\"}",
    "{\"name\":\"o\",\"outboundNotificationWebhookUrl\":\"https://h.example\",\"outboundNotificationWebhookSignatureSecretToken\":\"0123456789abcdef\"}",
    "{\"interval\":\"2026-03-01T00:00:00Z/2026-03-02T00:00:00Z\",\"pageSize\":500,\"pageNumber\":18446744073709551615}",
    "{\"interval\":\"-009999-01-01T00:00:00Z/9999-01-01T00:00:00Z\"}",
    "{\"auditId\":\"00000000-a0d1-4000-8000-000000000001\"}",
    "{\"organizationId\":\"o\",\"actor\":\"ann\",\"create\":{\"configuration\":{\"name\":\"n\"},\"deployment\":{\"configuration\":7}}}",
    "{\"organizationId\":\"o\",\"actor\":\"ann\",\"draft\":{\"configuration\":\"n\",\"patch\":{\"name\":null,\"status\":\"Error\"}},\"publish\":{\"configuration\":\"n\"}}",
    "{\"organizationId\":\"o\",\"actor\":\"ann\",\"create\":{\"supportedContent\":{\"mediaTypes\":7}},\"default\":{\"messagingSetting\":\"Default\"}}",
    "{\"organizationId\":\"o\",\"actor\":\"ann\",\"supportedContent\":{\"supportedContent\":\"Default\",\"patch\":{\"name\":null,\"mediaTypes\":[]}},\"delete\":{\"messagingSetting\":\"Default\"}}",
    "{\"organizationId\":\"o\",\"actor\":\"ann\",\"deployment\":{\"deployment\":\"n\",\"version\":\"newest\"},\"delete\":{\"flow\":\"Inbound messages\"}}",
];

fn random_request(lcg: &mut Lcg) -> Request {
    let method = lcg.pick(&["GET", "PUT", "POST", "DELETE", "PATCH", "\u{1}"]);
    // Most requests are nearly valid; otherwise the test reaches little of the platform.
    let (nearly, places) = match lcg.below(4) {
        0 => (true, 0..5),
        1 | 2 => (true, 5..37),
        _ => (false, 0..PATHS.len()),
    };
    let mut request = Request::new(method, lcg.pick(&PATHS[places])).with_body(lcg.pick(BODIES));
    for _ in 0..if nearly { 0 } else { lcg.below(3) } {
        let at = lcg.below(request.body.len() + 1);
        request.body.insert(at, lcg.below(256) as u8);
    }
    request
        .with_header(
            "authorization",
            match lcg.below(3) {
                0 => lcg.pick(&["Basic Yzpz", "Basic %", "", " ", "é"]),
                _ => "Bearer emulator-token-1",
            },
        )
        .with_header("if-match", lcg.pick(&["1", "\"2\"", "3", "", "é", "99999999999999999999"]))
        .with_header("x-forwarded-for", lcg.pick(&["", ",", "10.0.0.1, 10.0.0.2"]))
}

#[test]
fn any_bytes_are_answered_and_the_same_calls_give_the_same_bytes() {
    let start = Rig::new(&json!({
        "clients": [{"id": "c", "secret": "s", "name": "c", "cloud": {"organization": "o"}}],
        "organizations": [{"id": "o", "configuration": {"n": 1}}, {"id": "p"}, {"id": "q"}],
    }));
    let mut runs = [start.clone(), start];
    let outcomes = runs.each_mut().map(|rig| {
        let mut lcg = Lcg(7);
        let mut outcomes = Vec::new();
        for step in 0..8_000 {
            rig.pass(lcg.below(50) as i64);
            let mut request = random_request(&mut lcg);
            match rig.world.configuration("o") {
                Some(current) => request = request.with_header("if-match", &current.version.to_string()),
                None => request.headers.retain(|name, _| name != "if-match"),
            }
            if request.header("authorization").is_some_and(|header| header.starts_with("Bearer")) {
                request = request.with_header("authorization", &format!("Bearer {}", rig.token));
            }
            outcomes.push(rig.send(request));
            if step % 100 == 0 {
                rig.world.clear_faults();
                // Without a new token, a revoked or used-up token stops the test from reaching the platform.
                let calm = json!({"tokenRateLimitPerMinute": 0, "tokenLifetimeS": 3600, "activeDelayMs": 0});
                rig.post("/_emulator/settings", &calm);
                rig.token = rig.token_for("c", "s", "").1;
                outcomes.push(rig.outcome("GET", "/_emulator/state", &[], &Value::Null));
            }
        }
        outcomes
    });
    assert!(outcomes[0] == outcomes[1]);
    let accepted = runs[0].world.writes();
    assert!(accepted > 20, "the requests reach deep enough: {accepted}");
    let mut cloud = 0;
    for handled in &outcomes[0] {
        if let Some(response) = &handled.response {
            cloud += u32::from(response.status < 300 && response.header("inin-correlation-id").is_some());
            let id = response.header("x-request-id").or(response.header("inin-correlation-id"));
            assert!(id.is_some());
        }
    }
    assert!(cloud > 100, "the requests reach deep enough: {cloud}");
}

#[test]
fn extreme_times_are_fine() {
    let mut rig = configured();
    for now in [jiff::Timestamp::MAX, jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
        rig.now = now;
        rig.token = rig.token_for("c", "s", "").1;
        rig.post("/_emulator/settings", &json!({"rateLimitPerMinute": 5}));
        rig.post(REPLICATE, &json!({"sourceOrganizationId": "o", "targetOrganizationIds": ["p"]}));
        rig.world.settle(now);
    }
    let _: World = rig.world;
}
