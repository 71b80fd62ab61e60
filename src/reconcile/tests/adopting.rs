//! What was never applied from here is taken over where it is as git says, and else left alone, object by object.

use super::*;
use crate::model::{Guard, Guard::Adopt};

/// A run of a tenant with replicas, with a state that knows some of what was applied.
fn adopting(replicas: usize, known: &[usize], allowed: &[Guard], mode: Mode) -> Run {
    let mut journal = Journal::default();
    known.iter().for_each(|number| journal.absorb(applied(*number, 2)));
    let run = run_with(replicas, mode, journal);
    let mut spec = Spec::clone(&run.spec);
    spec.memory = crate::model::Memory::Kept;
    spec.limits.allowed = allowed.iter().copied().collect();
    Run::new(Arc::new(spec), run.journal.0)
}

/// What is done of a primary and two replicas that hold these values, where git says 5, up to the first write or the end.
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
fn each_organization_is_taken_over_or_left_alone_for_itself_and_the_others_go_on() {
    let all = [0, 1, 2];
    // Bases that are known, what is live, what is open, what is done, what is refused.
    type Row<'a> = (&'a [usize], [u64; 3], &'a [Guard], &'a str, &'a [&'a str]);
    let table: Vec<Row<'_>> = vec![
        (&all, [1, 1, 1], &[], "write org-0 over Some(3)", &[]),
        (&[], [5, 5, 5], &[], "applied+applied+applied", &[]),
        (&[], [1, 1, 1], &[], "Refused", &["org-0", "org-1", "org-2"]),
        (&[], [1, 1, 1], &[Adopt], "write org-0 over Some(3)", &[]),
        // The primary is known, one replica is not: the primary goes on, and no job copies over that one.
        (&[0, 2], [1, 1, 5], &[], "write org-0 over Some(3)", &["org-1"]),
        (&[0, 2], [5, 1, 1], &[], "job to 1", &["org-1"]),
        // The primary is not, its replicas are: they get git's value by plain writes, and nothing is copied from it.
        (&[1, 2], [1, 1, 5], &[], "write org-1 over Some(3)", &["org-0"]),
    ];
    for (known, held, allowed, expected, refused) in table {
        let (run, asked) = done(known, held, allowed, Mode::Enforce);
        assert_eq!(asked, expected, "{known:?} {held:?}");
        assert!(run.refusals().iter().all(|refusal| refusal.guard == Adopt));
        let told: Vec<&str> = ["org-0", "org-1", "org-2"]
            .into_iter()
            .filter(|name| run.refusals().iter().any(|refusal| refusal.message.contains(name)))
            .collect();
        assert_eq!(told, refused, "{known:?} {held:?}");
    }
}

#[test]
fn of_what_is_only_watched_or_has_no_state_nothing_is_refused() {
    assert!(done(&[], [1, 1, 1], &[], Mode::Watch).0.refusals().is_empty());
    let run = run_with(0, Mode::Enforce, Journal::default());
    let (run, asked) = after(run, vec![Event::Begin, seen(3, 1), Event::Proceed]);
    assert_eq!((asked.as_str(), run.refusals().len()), ("intent", 0));
}

#[test]
fn what_is_watched_is_compared_with_what_it_held_when_it_was_seen_first() {
    let run = adopting(0, &[], &[], Mode::Watch);
    let (run, asked) = after(run, vec![Event::Begin, seen(3, 1), Event::Proceed]);
    assert_eq!(asked, "baseline");
    let (run, asked) = after(run, vec![Event::Saved]);
    assert_eq!(asked, "OutOfSync");
    let kept = run.journal.0.baselines.clone();
    assert_eq!(kept.values().map(|known| known.version).collect::<Vec<_>>(), [3]);
    // Once: the next look keeps nothing.
    let again = Run::new(Arc::clone(&run.spec), run.journal.0.clone());
    assert_eq!(after(again, vec![Event::Begin, seen(3, 1), Event::Proceed]).1, "OutOfSync");
}
