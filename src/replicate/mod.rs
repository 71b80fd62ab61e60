//! Stage 6 of 7: which organization still owes what, and by which means it gets it.
//!
//! In: a [`Plan`], and whether a replication job was tried in this run. Out: the next piece of [`Work`].
//! Never: copies over a configuration whose difference is not ours, or that was not read first.
//! Start reading at [`due`].
//!
//! The sequence of a job is in `reconcile/copying.rs`, and who asks for the next piece of work in `reconcile/deciding.rs`.

use std::sync::Arc;

use crate::model::Plan;
use crate::model::plan::{Next, TargetPlan};

/// The next thing that a plan asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work<'a> {
    /// One write of one object.
    Put(&'a TargetPlan),
    /// The platform is not done with the last write of this one.
    Wait(&'a TargetPlan),
    /// One job that copies the primary to these organizations.
    Job {
        /// Copied to.
        targets: Vec<&'a TargetPlan>,
        /// Whether any of them holds a configuration already.
        overwrite_existing: bool,
    },
}

/// What comes next where the server has no job that copies: one write at a time, organization by organization, and
/// within one in the order in which objects depend on each other.
fn next_of_each(plan: &Plan) -> Option<Work<'_>> {
    let target = plan.targets.iter().find(|target| target.next.is_some())?;
    Some(if target.next == Some(Next::Wait) { Work::Wait(target) } else { Work::Put(target) })
}

/// What comes next. If the server `copies`: the primary first; then one job for every replica that may be copied over;
/// then, one at a time, plain writes for the rest and for what the job left undone.
pub fn due(plan: &Plan, copies: bool, job_tried: bool) -> Option<Work<'_>> {
    if !copies {
        return next_of_each(plan);
    }
    let (primary, replicas) = plan.targets.split_first()?;
    if !primary.changes.is_empty() {
        return Some(Work::Put(primary));
    }
    let replicas = replicas.iter().map(Arc::as_ref);
    let owing: Vec<&TargetPlan> = replicas.filter(|target| !target.changes.is_empty()).collect();
    // What the primary holds in an ignored field is not what git says: a replica that has no configuration
    // yet is made from git.
    let as_git_says = primary.ignored.is_empty();
    let may_copy =
        |target: &&TargetPlan| target.ours_to_overwrite || (target.version.is_none() && as_git_says);
    let copied: Vec<&TargetPlan> = owing.iter().copied().filter(may_copy).collect();
    if !copied.is_empty() && !job_tried && primary.version.is_some() {
        let overwrite_existing = copied.iter().any(|target| target.version.is_some());
        return Some(Work::Job { targets: copied, overwrite_existing });
    }
    owing.first().copied().map(Work::Put)
}

/// Whether a job's copy made another version than the one after the version that was read: then somebody
/// wrote in between, and the copy went over it.
pub fn overwrote(seen: Option<u64>, made: u64) -> bool {
    made != seen.map_or(1, |version| version + 1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{
        Change, ChangeKind, Class, CredentialsName, Mode, OrganizationId, Region, Revision, Target,
        TenantName,
    };

    /// A plan whose targets are (version, owes a change, ours to overwrite).
    fn plan(targets: &[(Option<u64>, bool, bool)]) -> Plan {
        let change = Change {
            path: "x".into(),
            kind: ChangeKind::ToApply,
            class: Class::Behaviour,
            observed: None,
            desired: None,
            applied: None,
            by: None,
        };
        let targets = targets.iter().enumerate().map(|(n, (version, owes, ours))| TargetPlan {
            target: Target {
                organization: OrganizationId::new(format!("org-{n}")),
                region: Region::EuWest1,
                credentials: CredentialsName::new("c"),
                object: crate::model::Object::implied(),
            },
            version: *version,
            observed: Arc::default(),
            changes: if *owes { vec![change.clone()] } else { Vec::new() },
            already_done: Vec::new(),
            ignored: Vec::new(),
            next: None,
            draft: None,
            body: Arc::default(),
            ours_to_overwrite: *ours,
        });
        Plan {
            tenant: TenantName::new("t"),
            revision: Revision::new("r"),
            mode: Mode::Enforce,
            targets: targets.map(Arc::new).collect(),
        }
    }

    fn describe(plan: &Plan, job_tried: bool) -> String {
        match due(plan, true, job_tried) {
            None => "nothing".into(),
            Some(Work::Put(target)) => format!("put {}", target.target.organization),
            Some(Work::Wait(target)) => format!("wait for {}", target.target.organization),
            Some(Work::Job { targets, overwrite_existing }) => {
                let names: Vec<&str> =
                    targets.iter().map(|target| target.target.organization.as_str()).collect();
                format!("job {} overwrite {overwrite_existing}", names.join(" "))
            }
        }
    }

    #[test]
    fn the_primary_then_one_job_then_plain_writes() {
        let table = [
            (vec![(Some(1), true, true), (Some(1), true, true)], false, "put org-0"),
            (
                vec![(Some(2), false, true), (Some(1), true, true), (None, true, true)],
                false,
                "job org-1 org-2 overwrite true",
            ),
            (
                vec![(Some(2), false, true), (Some(1), false, true), (None, true, true)],
                false,
                "job org-2 overwrite false",
            ),
            (
                vec![(Some(2), false, true), (Some(1), true, false), (None, true, true)],
                false,
                "job org-2 overwrite false",
            ),
            (vec![(Some(2), false, true), (Some(1), true, false)], false, "put org-1"),
            (vec![(Some(2), false, true), (Some(1), true, true)], true, "put org-1"),
            (vec![(Some(2), false, true), (Some(1), false, true)], true, "nothing"),
        ];
        for (targets, job_tried, expected) in table {
            assert_eq!(describe(&plan(&targets), job_tried), expected, "{targets:?}");
        }
    }

    #[test]
    fn a_primary_with_somebody_elses_value_is_not_copied_to_where_nothing_is_yet() {
        let mut plan = plan(&[(Some(2), false, true), (None, true, false), (Some(1), true, true)]);
        assert_eq!(describe(&plan, false), "job org-1 org-2 overwrite true");
        Arc::make_mut(&mut plan.targets[0]).ignored.push("x".into());
        assert_eq!(describe(&plan, false), "job org-2 overwrite true");
        assert_eq!(describe(&plan, true), "put org-1");
    }

    #[test]
    fn a_copy_over_somebodys_edit_shows_in_the_version() {
        assert!(!overwrote(None, 1) && !overwrote(Some(4), 5));
        assert!(overwrote(None, 2) && overwrote(Some(4), 6));
    }
}
