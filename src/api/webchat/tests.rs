//! Tests of the meaning of answers, case by case.

use super::*;

fn response(status: u16, body: &str) -> Response {
    Response {
        status,
        request_id: Some("req-1".into()),
        retry_after_ms: None,
        location: None,
        date: None,
        allowed_per_minute: None,
        is_json: body.starts_with(['{', '[']),
        body: body.as_bytes().to_vec(),
        subject: "the configuration of organization o".into(),
    }
}

#[test]
fn only_the_not_found_code_means_that_there_is_no_configuration() {
    assert_eq!(
        observed(&response(404, r#"{"code":"webchat.configuration.not.found"}"#)),
        Ok(Observed::Absent)
    );
    for (status, body, kind) in [
        (404, r#"{"code":"organization.not.found"}"#, FaultKind::NotFound),
        (404, "<html>", FaultKind::NotFound),
        (200, "<html>login</html>", FaultKind::Transient),
        (200, "{\"version\":1", FaultKind::Transient),
        (200, "{}", FaultKind::Transient),
        (200, "{\"version\":0}", FaultKind::Transient),
        (200, "{\"version\":-1}", FaultKind::Transient),
        (200, "[]", FaultKind::Transient),
        (200, "", FaultKind::Transient),
        (204, "", FaultKind::Transient),
        (302, "", FaultKind::Transient),
        (304, "", FaultKind::Transient),
        (407, "", FaultKind::Transient),
        (418, "", FaultKind::Rejected),
        (401, "{}", FaultKind::Denied),
        (403, "{\"message\":\"scope webchat:configuration:read\"}", FaultKind::Denied),
        (429, "{}", FaultKind::Throttled),
        (500, "", FaultKind::Transient),
    ] {
        assert_eq!(
            observed(&response(status, body)).map_err(|fault| fault.kind),
            Err(kind),
            "{status} {body}"
        );
    }
}

#[test]
fn a_configuration_keeps_unknown_fields_and_loses_server_fields() {
    let body = r#"{"version":7,"x":{"n":12345678901234567890123},"modifiedBy":{"id":"u","name":"Mara","type":"user"},"dateModified":"2026-11-20T10:00:00Z"}"#;
    let Ok(Observed::Present(stored)) = observed(&response(200, body)) else { panic!("not read") };
    assert_eq!(stored.version, 7);
    assert_eq!(Value::Object((*stored.body).clone()).to_string(), r#"{"x":{"n":12345678901234567890123}}"#);
    assert_eq!(stored.modified_by.map(|actor| actor.name), Some("Mara".into()));
}

#[test]
fn each_answer_to_a_write_has_one_outcome() {
    let name = |status: u16, body: &str| match answer(&response(status, body), accepted) {
        Outcome::Accepted(stored) => format!("accepted {}", stored.version),
        Outcome::Conflict => "conflict".into(),
        Outcome::Throttled { .. } => "throttled".into(),
        Outcome::Rejected(_) => "rejected".into(),
        Outcome::NotFound(_) => "not found".into(),
        Outcome::Denied(_) => "denied".into(),
        Outcome::Unknown(_) => "unknown".into(),
        Outcome::Failed(_) => "failed".into(),
        Outcome::Unsent(_) => "unsent".into(),
    };
    let table = [
        (200, r#"{"version":3}"#, "accepted 3"),
        (200, "<html>", "unknown"),
        (200, "{", "unknown"),
        (409, "{}", "conflict"),
        (412, "", "conflict"),
        (400, r#"{"message":"The version does not match the current version."}"#, "conflict"),
        (400, "{}", "rejected"),
        (408, "", "unknown"),
        (422, r#"{"errors":[{"field":"greetings","message":"too long"}]}"#, "rejected"),
        (429, "", "throttled"),
        (404, "", "not found"),
        (401, "", "denied"),
        (403, "", "denied"),
        (500, "", "failed"),
        (503, "", "failed"),
        (502, "", "unknown"),
        (504, "", "unknown"),
        (200, r#"{"version":18446744073709551615}"#, "unknown"),
        (303, "", "unknown"),
        (307, "", "unknown"),
        (407, "", "unknown"),
    ];
    for (status, body, expected) in table {
        assert_eq!(name(status, body), expected, "{status} {body}");
    }
}

#[test]
fn a_refusal_names_fields_and_the_request() {
    let body =
        r#"{"message":"bad\u001b[31m","errors":[{"field":"greetings.messages","message":"too long"}]}"#;
    let Outcome::Rejected(fault) = answer(&response(422, body), accepted) else { panic!("not rejected") };
    assert_eq!(
        fault.to_string(),
        "the request about the configuration of organization o was answered with 422: bad[31m; `greetings.messages`: too long (request id req-1)"
    );
}

#[test]
fn an_unknown_job_status_counts_as_running() {
    let body = r#"{"id":"j","status":"PAUSED","targets":[{"organizationId":"o","status":"HALF"},{"organizationId":"p","status":"FAILED","error":{"message":"no"}}]}"#;
    let job = job(&response(202, body)).unwrap();
    assert!(!job.ended);
    assert_eq!(job.targets[0].status, JobTargetStatus::Pending);
    assert_eq!(job.targets[1].error.as_deref(), Some("no"));
}

#[test]
fn a_jobs_id_stays_one_segment_of_the_path() {
    assert!(poll(&OrganizationId::new("o"), "../../x?y#z").path.ends_with("/replicate/..%2F..%2Fx%3Fy%23z"));
}

#[test]
fn pages_end_at_the_total_or_when_they_are_empty() {
    let page = |records: &str, total: u64| {
        entries(&response(200, &format!(r#"{{"records":[{records}],"total":{total}}}"#))).unwrap()
    };
    let record = r#"{"id":"a","timestamp":"2026-11-20T10:00:00Z","action":"x","organizationId":"o","actor":{"id":"u","type":"user"}}"#;
    assert!(page(record, 1).is_last(1));
    assert!(!page(record, 101).is_last(1));
    assert!(page(record, 101).is_last(2));
    assert!(page("", 500).is_last(1));
    let capped = format!(r#"{{"records":[{record}],"total":60,"pageSize":25}}"#);
    let capped = entries(&response(200, &capped)).unwrap();
    assert!(!capped.is_last(2) && capped.is_last(3), "the server puts 25 on a page");
    assert_eq!(page(r#"{"id":1},null"#, 2).entries, []);
}

proptest::proptest! {
    #[test]
    fn any_answer_is_handled_without_a_panic(status in 100u16..600, body in "\\PC{0,200}") {
        let response = response(status, &body);
        let _ = observed(&response);
        let _ = answer(&response, accepted);
        let _ = job(&response);
        let _ = entries(&response);
    }
}
