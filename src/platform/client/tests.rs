//! What the client makes of answers and of their absence.

use super::*;

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
fn a_region_that_is_down_for_long_fails_in_passing_and_is_given_up() {
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
fn who_is_denied_or_not_asked_at_all_costs_a_region_no_patience() {
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
