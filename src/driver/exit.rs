//! The exit codes of `apply`, `run --once` and `plan`.

use crate::model::{Exit, Mode, Status};

/// The result of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Its status; none if its run did not end.
    pub status: Option<Status>,
    /// Whether genesync may write for it.
    pub mode: Mode,
    /// Whether this command wrote something.
    pub wrote: bool,
    /// Whether its run ended because of a bug in genesync.
    pub is_bug: bool,
    /// Whether its run lost its lease: another process works on the tenant, or may.
    pub is_taken: bool,
}

/// What the caller wants in the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Whether a waiting change counts: it does for `apply`, whose user wants it applied now.
    pub waiting: bool,
    /// Whether remaining changes and remaining drift count.
    pub detailed: bool,
    /// Whether a write without an audit entry counts as a failure.
    pub require_confirmed: bool,
}

/// Exit codes of failures, the worst first: the first one that occurs is the code if tenants failed
/// differently and nothing was written.
const WORST_FIRST: [Exit; 5] = [Exit::Bug, Exit::Outside, Exit::Refused, Exit::Held, Exit::Findings];

impl Outcome {
    /// Returns the exit code of its failure, if it failed.
    fn trouble(self, asked: Asked) -> Option<Exit> {
        if self.is_bug {
            return Some(Exit::Bug);
        }
        // A watched tenant does not fail a command that applies.
        let is_watched = self.mode == Mode::Watch;
        let Some(status) = self.status else {
            return match self.is_taken {
                true => Some(Exit::Outside).filter(|_| !is_watched),
                false => Some(Exit::Held),
            };
        };
        match status {
            Status::Synced | Status::OutOfSync | Status::Drifted | Status::Waiting | Status::Paused => None,
            Status::Unconfirmed | Status::Held | Status::Refused | Status::Degraded(_) if is_watched => None,
            Status::Unconfirmed => asked.require_confirmed.then_some(Exit::Partial),
            Status::Held | Status::Refused | Status::Invalid | Status::Degraded(_) => Some(status.row().exit),
        }
    }
}

/// Returns the exit code of a command. `findings` says that the repository has findings that belong to no
/// tenant.
pub fn code(outcomes: &[Outcome], findings: bool, asked: Asked) -> Exit {
    let troubles: Vec<Exit> = outcomes
        .iter()
        .filter_map(|outcome| outcome.trouble(asked))
        .chain(findings.then_some(Exit::Findings))
        .collect();
    let wrote = outcomes.iter().any(|outcome| outcome.wrote);
    if !troubles.is_empty() {
        let worst = WORST_FIRST.into_iter().find(|exit| troubles.contains(exit));
        return if wrote { Exit::Partial } else { worst.unwrap_or(Exit::Partial) };
    }
    let any = |statuses: &[Status]| {
        outcomes.iter().any(|outcome| outcome.status.is_some_and(|status| statuses.contains(&status)))
    };
    if any(&[Status::Waiting]) && (asked.waiting || asked.detailed)
        || asked.detailed && any(&[Status::OutOfSync])
    {
        return Exit::Changes;
    }
    if asked.detailed && any(&[Status::Drifted]) { Exit::Drift } else { Exit::Done }
}

/// What a plan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planned {
    /// The repository has findings.
    pub findings: bool,
    /// A tenant could not be planned completely.
    pub failed: bool,
    /// A guard refuses a change.
    pub refused: bool,
    /// A person must decide about an object before genesync writes it.
    pub undecided: bool,
    /// Git has changes to apply, with or without drift.
    pub to_apply: bool,
    /// Something differs.
    pub changes: bool,
}

/// Returns the exit code of a plan: the worst of its results. Differences count only if `detailed`.
pub fn of_plan(found: Planned, detailed: bool) -> Exit {
    match found {
        Planned { findings: true, .. } => Exit::Findings,
        Planned { failed: true, .. } => Exit::Outside,
        Planned { refused: true, .. } => Exit::Refused,
        Planned { undecided: true, .. } => Exit::Held,
        Planned { to_apply: true, .. } if detailed => Exit::Changes,
        Planned { changes: true, .. } if detailed => Exit::Drift,
        _ => Exit::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FaultKind;

    const APPLY: Asked = Asked { waiting: true, detailed: false, require_confirmed: false };
    const ONCE: Asked = Asked { waiting: false, detailed: false, require_confirmed: false };
    const DETAILED: Asked = Asked { detailed: true, ..ONCE };
    const STRICT: Asked = Asked { require_confirmed: true, ..ONCE };

    fn of(status: Status) -> Outcome {
        Outcome { status: Some(status), mode: Mode::Enforce, wrote: false, is_bug: false, is_taken: false }
    }

    fn wrote(status: Status) -> Outcome {
        Outcome { wrote: true, ..of(status) }
    }

    fn watched(status: Status) -> Outcome {
        Outcome { mode: Mode::Watch, ..of(status) }
    }

    #[test]
    fn each_combination_has_its_exit_code() {
        let outside = Status::Degraded(FaultKind::Transient);
        let interrupted = Outcome { status: None, ..of(Status::Synced) };
        let bug = Outcome { is_bug: true, ..interrupted };
        let taken = Outcome { is_taken: true, ..interrupted };
        let taken_in_vain = Outcome { mode: Mode::Watch, ..taken };
        // The tenants; apply, run --once, with --detailed-exitcode, with --require-confirmed.
        let table: Vec<(Vec<Outcome>, [u8; 4])> = vec![
            (vec![], [0, 0, 0, 0]),
            (vec![of(Status::Synced), wrote(Status::Synced)], [0, 0, 0, 0]),
            (vec![wrote(Status::Unconfirmed)], [0, 0, 0, 6]),
            (vec![of(Status::Unconfirmed)], [0, 0, 0, 6]),
            (vec![of(Status::Waiting)], [3, 0, 3, 0]),
            (vec![wrote(Status::Synced), of(Status::Waiting)], [3, 0, 3, 0]),
            (vec![of(Status::Paused)], [0, 0, 0, 0]),
            (vec![watched(Status::OutOfSync)], [0, 0, 3, 0]),
            (vec![watched(Status::Drifted)], [0, 0, 8, 0]),
            (vec![watched(Status::Drifted), watched(Status::OutOfSync)], [0, 0, 3, 0]),
            (vec![watched(Status::Held)], [0, 0, 0, 0]),
            (vec![watched(outside)], [0, 0, 0, 0]),
            (vec![watched(Status::Unconfirmed)], [0, 0, 0, 0]),
            (vec![watched(Status::Invalid)], [1, 1, 1, 1]),
            (vec![of(Status::Held)], [4, 4, 4, 4]),
            (vec![of(Status::Refused)], [5, 5, 5, 5]),
            (vec![of(Status::Invalid)], [1, 1, 1, 1]),
            (vec![of(Status::Degraded(FaultKind::Rejected))], [4, 4, 4, 4]),
            (vec![of(outside)], [7, 7, 7, 7]),
            (vec![interrupted], [4, 4, 4, 4]),
            (vec![taken, of(Status::Held)], [7, 7, 7, 7]),
            (vec![taken_in_vain], [0, 0, 0, 0]),
            (vec![taken, wrote(Status::Synced)], [6, 6, 6, 6]),
            (vec![bug, of(outside)], [70, 70, 70, 70]),
            (vec![of(Status::Synced), of(outside)], [7, 7, 7, 7]),
            (vec![of(Status::Invalid), of(Status::Held)], [4, 4, 4, 4]),
            (vec![of(Status::Held), of(Status::Refused)], [5, 5, 5, 5]),
            (vec![of(Status::Refused), of(outside)], [7, 7, 7, 7]),
            (vec![wrote(Status::Synced), of(Status::Invalid)], [6, 6, 6, 6]),
            (vec![wrote(Status::Held)], [6, 6, 6, 6]),
            (vec![of(Status::Waiting), of(Status::Held)], [4, 4, 4, 4]),
        ];
        for (outcomes, codes) in table {
            let found = [APPLY, ONCE, DETAILED, STRICT].map(|asked| code(&outcomes, false, asked).code());
            assert_eq!(found, codes, "{outcomes:?}");
        }
    }

    #[test]
    fn a_plan_has_the_exit_code_of_its_worst_result() {
        let nothing = Planned::default();
        let drift = Planned { changes: true, ..nothing };
        let to_apply = Planned { to_apply: true, ..drift };
        let undecided = Planned { undecided: true, ..to_apply };
        let refused = Planned { refused: true, ..undecided };
        let failed = Planned { failed: true, ..refused };
        let findings = Planned { findings: true, ..failed };
        let table = [
            (nothing, [0, 0]),
            (drift, [8, 0]),
            (to_apply, [3, 0]),
            (undecided, [4, 4]),
            (refused, [5, 5]),
            (failed, [7, 7]),
            (findings, [1, 1]),
        ];
        for (found, codes) in table {
            assert_eq!([true, false].map(|detailed| of_plan(found, detailed).code()), codes, "{found:?}");
        }
    }

    #[test]
    fn findings_outside_of_tenants_set_the_exit_code() {
        assert_eq!(code(&[of(Status::Synced)], true, APPLY), Exit::Findings);
        assert_eq!(code(&[wrote(Status::Synced)], true, ONCE), Exit::Partial);
    }
}
