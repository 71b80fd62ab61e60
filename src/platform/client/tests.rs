//! Tests of the retry budget and of additional tokens.

use super::*;
use crate::model::{Object, ObjectKind, Secret};

fn operation() -> Operation {
    Operation {
        verb: Verb::Get,
        path: "x".into(),
        if_match: None,
        body: None,
        subject: "it".into(),
        dialect: Dialect::Cloud,
    }
}

#[test]
fn requests_to_a_region_that_is_down_for_long_are_given_up() {
    let client = Client::new(BTreeMap::new(), BTreeMap::new(), Options::default()).unwrap();
    let operation = operation();
    let faults: Vec<Fault> = (0..40)
        .filter_map(|_| {
            let down = Sent::Never(Fault::new(FaultKind::Transient, "connection refused"));
            match client.account(Region::UsEast1, &operation, down) {
                Sent::Never(fault) => Some(fault),
                Sent::Lost(_) | Sent::Answered(_) => None,
            }
        })
        .collect();
    assert!(faults.len() == 40 && faults.iter().all(|fault| fault.kind == FaultKind::Transient));
    assert_eq!(faults.iter().position(|fault| fault.given_up), Some(35), "500 / 14");
}

#[test]
fn a_request_that_is_denied_or_not_sent_does_not_use_the_retry_budget() {
    let client = Client::new(BTreeMap::new(), BTreeMap::new(), Options::default()).unwrap();
    let operation = operation();
    let account = |fault: Fault| match client.account(Region::UsEast1, &operation, Sent::Never(fault)) {
        Sent::Never(fault) => fault,
        Sent::Lost(_) | Sent::Answered(_) => panic!("it was never sent"),
    };
    let broken = Fault { given_up: true, ..Fault::new(FaultKind::Throttled, "the breaker is open") };
    for fault in [Fault::new(FaultKind::Denied, "revoked"), broken] {
        for _ in 0..200 {
            assert_eq!(account(fault.clone()), fault);
        }
    }
    let hiccup = Fault { retry_after_ms: Some(7), ..Fault::new(FaultKind::Transient, "one hiccup") };
    assert!(!account(hiccup.clone()).given_up);
    let all: Vec<Fault> = (0..40).map(|_| account(hiccup.clone())).collect();
    let last = all.last().unwrap();
    assert_eq!((last.given_up, last.retry_after_ms), (true, Some(7)));
}

/// Returns a client with this number of tokens, its reported waits, and a target.
fn with_tokens(tokens: u8) -> (Client, Arc<Mutex<Vec<Duration>>>, Target) {
    let waits: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let reported = Arc::clone(&waits);
    let heard: Heard = Arc::new(move |what| {
        if let RequestEvent::Waits { wait, .. } = what {
            reported.lock().unwrap().push(wait);
        }
    });
    let options = Options { heard: Some(heard), ..Options::default() };
    let client = Client::new(BTreeMap::new(), BTreeMap::new(), options).unwrap();
    let target = Target {
        organization: OrganizationId::new("org"),
        region: Region::EuWest1,
        credentials: CredentialsName::new("main"),
        object: Object { kind: ObjectKind::MessengerConfiguration, name: "Website".into() },
    };
    let secret = Secret::new("canary-secret".into());
    client.learn(&target.credentials, ClientCredentials { id: "id".into(), secret, tokens });
    (client, waits, target)
}

/// Gives the client an answer with no requests left for the next 40 seconds.
fn use_up(client: &Client, admitted: &Admitted<'_>) {
    let now = clock::monotonic();
    let per_minute = std::num::NonZeroU32::new(300).unwrap();
    let nothing = Some(Allowance { per_minute, left: Some(0), reset_s: Some(40) });
    client.pacers.lock().unwrap().get_mut(admitted.bucket()).unwrap().learn(200, None, nothing, now, now);
}

#[tokio::test]
async fn an_additional_token_is_used_after_the_first_is_used_up_and_only_if_it_can_be_fetched() {
    let (client, waits, target) = with_tokens(2);
    let first = client.admit(&target, Dialect::Cloud, None).await.unwrap();
    assert_eq!(first.bucket().token(), 0);
    use_up(&client, &first);
    let second = client.admit(&target, Dialect::Cloud, None).await.unwrap();
    assert_eq!(second.bucket().token(), 1);
    // The second token cannot be fetched: requests wait for the first one, and the wait is reported once.
    client.do_without(&second, &Fault::new(FaultKind::Throttled, "too many token requests"));
    for _ in 0..3 {
        let wait = client.reserve(std::slice::from_ref(&target)).unwrap();
        assert!((38..=40).contains(&wait.as_secs()), "{wait:?}");
    }
    assert_eq!(waits.lock().unwrap().len(), 1);
    // The only token of a client stays in use.
    let (client, _, target) = with_tokens(1);
    let only = client.admit(&target, Dialect::Cloud, None).await.unwrap();
    client.do_without(&only, &Fault::new(FaultKind::Transient, "the login host is down"));
    assert_eq!(client.reserve(&[target]), None);
}
