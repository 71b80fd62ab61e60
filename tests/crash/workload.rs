//! The work during which processes die. Each workload has a few steps; each step is settled before the next.

use genesync::model::Dialect;
use serde_json::{Value, json};

use crate::rig::Rig;
use crate::support::organization;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    Rollout,
    Commit,
    Replicas,
    Drift,
    LostAnswer,
    CloudCreate,
    CloudChange,
    CloudProfiles,
    CloudMany,
}

/// Pairs that are created and changed all at once: their writes leave in parallel.
pub const PAIRS: u32 = 6;

/// The number of steps of each workload.
pub const STEPS: u32 = 2;

impl Workload {
    pub const ALL: [Workload; 9] = [
        Workload::Rollout,
        Workload::Commit,
        Workload::Replicas,
        Workload::Drift,
        Workload::LostAnswer,
        Workload::CloudCreate,
        Workload::CloudChange,
        Workload::CloudProfiles,
        Workload::CloudMany,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Workload::Rollout => "first rollout",
            Workload::Commit => "a commit",
            Workload::Replicas => "a job",
            Workload::Drift => "drift",
            Workload::LostAnswer => "lost answer",
            Workload::CloudCreate => "cloud: first rollout",
            Workload::CloudChange => "cloud: a change",
            Workload::CloudProfiles => "cloud: profiles",
            Workload::CloudMany => "cloud: many at once",
        }
    }

    pub fn dialect(self) -> Dialect {
        match self {
            Workload::CloudCreate | Workload::CloudChange | Workload::CloudProfiles | Workload::CloudMany => {
                Dialect::Cloud
            }
            Workload::Rollout
            | Workload::Commit
            | Workload::Replicas
            | Workload::Drift
            | Workload::LostAnswer => Dialect::Webchat,
        }
    }

    /// Returns a pattern of the workload's writes, for a fault.
    pub fn writes(self) -> Value {
        match self {
            Workload::CloudCreate | Workload::CloudMany => {
                json!({"method": "POST", "path": "/api/v2/webdeployments/**"})
            }
            Workload::CloudProfiles => {
                json!({"path": "/api/v2/conversations/messaging/**", "method": "POST"})
            }
            _ => json!({"method": "PUT"}),
        }
    }

    /// Sets up the initial state before any process may die; returns false if there is none.
    pub fn prepare(self, rig: &Rig) -> bool {
        match self {
            Workload::Rollout | Workload::CloudCreate | Workload::CloudProfiles | Workload::CloudMany => {
                rig.commit_files(&[("README.md".into(), "A fleet.".into())]);
                return false;
            }
            Workload::Replicas => rig.commit(&[("wide", &[1, 2, 3], 100)]),
            Workload::Commit | Workload::Drift | Workload::LostAnswer => {
                rig.commit(&[("acme", &[1], 100), ("zeta", &[2], 100)])
            }
            Workload::CloudChange => rig.commit_pairs(&[(1, 100), (2, 100)]),
        };
        true
    }

    /// Does the n-th step. Its desired values always differ from the live ones.
    pub fn step(self, rig: &Rig, n: u32) {
        let ms = 200 + n % 1_000;
        match self {
            Workload::Rollout => {
                let first = 10 * (n + 1);
                if n == 0 {
                    rig.commit(&[("acme", &[1], ms), ("zeta", &[2], ms), ("wide", &[3, 4], ms)]);
                } else {
                    rig.commit(&[(&format!("wide{n}"), &[first, first + 1], ms)]);
                }
            }
            Workload::Commit if n.is_multiple_of(2) => {
                rig.commit(&[("acme", &[1], ms)]);
            }
            Workload::Commit => {
                rig.commit(&[("acme", &[1], ms), ("zeta", &[2], ms)]);
            }
            Workload::Replicas => {
                rig.commit(&[("wide", &[1, 2, 3], ms)]);
            }
            Workload::Drift => {
                rig.drift(1 + n % 2, 5_000 + n);
                rig.decorate(2 - n % 2, n.into());
                if n > 0 {
                    rig.commit_files(&[("README.md".into(), format!("{n}"))]);
                }
            }
            Workload::LostAnswer => {
                let when = if n.is_multiple_of(2) { "after" } else { "before" };
                rig.fault(&json!({"match": {"method": "PUT", "organizationId": organization(1)}, "do": {"drop": when}}));
                rig.commit(&[("acme", &[1], ms), ("zeta", &[2], ms)]);
            }
            Workload::CloudCreate => {
                rig.commit_pairs(&[(n + 1, ms)]);
            }
            Workload::CloudProfiles => {
                rig.commit_profiles(ms);
            }
            Workload::CloudMany => {
                let pairs: Vec<(u32, u32)> = (1..=PAIRS).map(|pair| (pair, ms)).collect();
                rig.commit_pairs(&pairs);
            }
            Workload::CloudChange => {
                let pair = 1 + n % 2;
                rig.decorate(pair, n.into());
                rig.commit_pairs(&[(pair, ms)]);
            }
        }
    }
}
