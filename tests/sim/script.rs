//! The faults of one seed: drawn once, so that a new fault does not change the others.

/// A stream of numbers from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Returns the stream of one concern of one seed.
    pub fn new(seed: u64, concern: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ concern.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// Returns true with this probability, in percent.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// Chances in percent; zero in seeds without that fault.
#[derive(Debug, Clone)]
pub struct Script {
    pub drop_before: u64,
    pub drop_after: u64,
    pub late: u64,
    pub throttle: u64,
    pub server_error: u64,
    pub stale: u64,
    pub garbage: u64,
    pub managed_edit: u64,
    pub unmanaged_edit: u64,
    pub commit: u64,
    pub crash_before: u64,
    pub crash_after: u64,
    pub job_failure: u64,
    pub store_failure: u64,
    /// The lease expires and another process takes over.
    pub lease: u64,
    /// An organization does not answer for a while.
    pub outage: u64,
    /// A run with a plan has to wait, or is refused.
    pub held_back: u64,
    /// The operator stops the process.
    pub stop: u64,
    /// The number of effects before the world heals.
    pub steps: u64,
    /// The number of replicas.
    pub replicas: usize,
    /// The server checks no versions.
    pub unenforced: bool,
    /// The tenant also manages profiles and defaults, if the dialect has them.
    pub profiles: bool,
    /// The number of further pairs of a configuration and a deployment, if the dialect has them.
    pub neighbours: usize,
    /// Git is asked again before an intent is stored, and sometimes while a run waits.
    pub asks_git: bool,
}

impl Script {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let mut chance = |most: u64| if dice.percent(40) { 1 + dice.below(most) } else { 0 };
        let mut script = Self {
            drop_before: chance(15),
            drop_after: chance(25),
            late: chance(25),
            throttle: chance(15),
            server_error: chance(15),
            stale: chance(25),
            garbage: chance(10),
            managed_edit: chance(12),
            unmanaged_edit: chance(20),
            commit: chance(8),
            crash_before: chance(6),
            crash_after: chance(10),
            job_failure: chance(40),
            store_failure: chance(5),
            steps: 30 + dice.below(90),
            replicas: dice.below(3) as usize,
            lease: 0,
            outage: 0,
            held_back: 0,
            stop: 0,
            unenforced: false,
            asks_git: false,
            profiles: false,
            neighbours: 0,
        };
        // Drawn last, so that the earlier numbers stay the same.
        script.lease = if dice.percent(50) { 1 + dice.below(10) } else { 0 };
        script.unenforced = dice.percent(30);
        script.asks_git = dice.percent(50);
        script.outage = if dice.percent(40) { 1 + dice.below(6) } else { 0 };
        script.held_back = if dice.percent(40) { 1 + dice.below(40) } else { 0 };
        script.stop = if dice.percent(30) { 1 + dice.below(4) } else { 0 };
        script.profiles = dice.percent(40);
        script
    }
}
