//! Tests of adoption: an object without a base is adopted if it matches git, otherwise it is not written.

use super::*;
use crate::model::{Guard, Guard::Adopt};

/// A run of a tenant with replicas, with a base for some of the organizations.
fn adopting(replicas: usize, known: &[usize], allowed: &[Guard], mode: Mode) -> Run {
    let mut journal = Journal::default();
    known.iter().for_each(|number| journal.absorb(applied(*number, 2)));
    let run = run_with(replicas, mode, journal);
    let mut spec = Spec::clone(&run.spec);
    spec.memory = crate::model::Memory::Kept;
    spec.limits.allowed = allowed.iter().copied().collect();
    Run::new(Arc::new(spec), run.journal.0)
}

/// Runs a primary and two replicas with these values, where git has 5, up to the first write or the end.
fn done(known: &[usize], held: [u64; 3], allowed: &[Guard], mode: Mode) -> (Run, String) {
    let (mut run, mut asked) = (adopting(2, known, allowed, mode), "begin".to_owned());
    loop {
        let event = match asked.as_str() {
            "begin" => Event::Begin,
            "audit" => Event::Entries(Entries::default()),
            "planned" => Event::Proceed,
            "intent" | "baseline" => Event::Saved,
            asked => match asked.strip_prefix("observe org-") {
                Some(number) => seen(3, held[number.parse::<usize>().unwrap()]),
                None => return (run, asked.to_owned()),
            },
        };
        (run, asked) = after(run, vec![event]);
    }
}

#[test]
fn each_organization_is_adopted_or_refused_independently() {
    let all = [0, 1, 2];
    // Known bases, live values, allowed guards, the last effect, the refused organizations.
    type Row<'a> = (&'a [usize], [u64; 3], &'a [Guard], &'a str, &'a [&'a str]);
    let table: Vec<Row<'_>> = vec![
        (&all, [1, 1, 1], &[], "write org-0 over Some(3)", &[]),
        (&[], [5, 5, 5], &[], "applied+applied+applied", &[]),
        (&[], [1, 1, 1], &[], "Refused", &["org-0", "org-1", "org-2"]),
        (&[], [1, 1, 1], &[Adopt], "write org-0 over Some(3)", &[]),
        // The primary has a base, one replica has none: the primary is written, and no job copies over that
        // replica.
        (&[0, 2], [1, 1, 5], &[], "write org-0 over Some(3)", &["org-1"]),
        (&[0, 2], [5, 1, 1], &[], "job to 1", &["org-1"]),
        // The primary has no base, its replicas have one: they get plain writes, and no job copies from the
        // primary.
        (&[1, 2], [1, 1, 5], &[], "write org-1 over Some(3)", &["org-0"]),
    ];
    for (known, held, allowed, expected, refused) in table {
        let (run, asked) = done(known, held, allowed, Mode::Enforce);
        assert_eq!(asked, expected, "{known:?} {held:?}");
        assert!(run.refusals().iter().all(|refusal| refusal.guard == Adopt));
        let reported: Vec<&str> = ["org-0", "org-1", "org-2"]
            .into_iter()
            .filter(|name| run.refusals().iter().any(|refusal| refusal.message.contains(name)))
            .collect();
        assert_eq!(reported, refused, "{known:?} {held:?}");
    }
}

#[test]
fn a_tenant_in_watch_mode_or_without_state_has_no_refusals() {
    assert!(done(&[], [1, 1, 1], &[], Mode::Watch).0.refusals().is_empty());
    let run = run_with(0, Mode::Enforce, Journal::default());
    let (run, asked) = after(run, vec![Event::Begin, seen(3, 1), Event::Proceed]);
    assert_eq!((asked.as_str(), run.refusals().len()), ("intent", 0));
}

#[test]
fn a_watched_tenant_is_compared_with_its_first_read() {
    let run = adopting(0, &[], &[], Mode::Watch);
    let (run, asked) = after(run, vec![Event::Begin, seen(3, 1), Event::Proceed]);
    assert_eq!(asked, "baseline");
    let (run, asked) = after(run, vec![Event::Saved]);
    assert_eq!(asked, "OutOfSync");
    let kept = run.journal.0.baselines.clone();
    assert_eq!(kept.values().map(|known| known.version).collect::<Vec<_>>(), [3]);
    // The next read saves nothing.
    let again = Run::new(Arc::clone(&run.spec), run.journal.0.clone());
    assert_eq!(after(again, vec![Event::Begin, seen(3, 1), Event::Proceed]).1, "OutOfSync");
}
