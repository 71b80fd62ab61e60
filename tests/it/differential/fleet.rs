//! Random fleets: what git says of each tenant, and its fate.

/// A random number generator: the same seed gives the same numbers.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// What happens to a tenant when a commit is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Fine,
    /// Its organization does not answer.
    Out,
    /// Its client lacks a permission.
    Denied,
    /// The platform refuses the write.
    Rejected,
    /// It has no client.
    NoClient,
    /// Its configuration breaks a rule.
    Invalid,
    /// Its settings cannot be read.
    Unreadable,
    /// genesync holds it for a person.
    Held,
    /// Its change window is closed.
    Closed,
}

impl Fate {
    /// Returns whether this fate keeps genesync from writing.
    pub fn keeps_from_writing(self) -> bool {
        self != Fate::Fine && self != Fate::Rejected
    }
}

/// One tenant.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    pub number: u32,
    pub wave: u32,
    pub watched: bool,
    /// Whether the commit changes the tenant.
    pub changed: bool,
    /// Whether another user changed a managed field.
    pub drifted: bool,
    /// Whether a person paused the tenant.
    pub paused: bool,
    pub fate: Fate,
}

impl Member {
    pub fn name(&self) -> String {
        format!("t{}", self.number)
    }

    /// Returns the delay in git, before or after the commit.
    pub fn delay_ms(&self) -> u32 {
        if self.changed { 2 } else { 1 }
    }
}

/// Returns a fleet of three to six tenants.
pub fn fleet(seed: u64) -> Vec<Member> {
    let mut dice = Dice::new(seed);
    let tenants = 3 + dice.below(4) as u32;
    (1..=tenants)
        .map(|number| {
            let fate = match dice.below(18) {
                0 => Fate::Out,
                1 => Fate::Denied,
                2 => Fate::Rejected,
                3 => Fate::NoClient,
                4 => Fate::Invalid,
                5 => Fate::Unreadable,
                6 => Fate::Held,
                7 => Fate::Closed,
                _ => Fate::Fine,
            };
            Member {
                number,
                wave: dice.below(3) as u32,
                watched: dice.one_in(6),
                changed: dice.below(3) > 0,
                drifted: dice.one_in(4),
                paused: dice.one_in(8),
                fate,
            }
        })
        .collect()
}
