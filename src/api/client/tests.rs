//! What the client makes of answers and of their absence.

use super::*;

#[test]
fn a_region_that_is_down_for_long_fails_in_passing_and_is_given_up() {
    let client = Client::new(BTreeMap::new(), BTreeMap::new(), Options::default()).unwrap();
    let operation = Operation {
        verb: Verb::Get,
        path: "x".into(),
        if_match: None,
        body: None,
        subject: "it".into(),
        dialect: Dialect::Cloud,
    };
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
