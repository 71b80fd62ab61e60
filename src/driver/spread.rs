//! Waits between runs, spread evenly so that runs which began together do not stay together.

use std::time::Duration;

use crate::model::{TenantName, mix};

/// Returns a wait plus or minus up to 10 %.
pub fn jittered(wait: Duration, seed: u64) -> Duration {
    let permille = 900 + u32::try_from(mix(seed) % 201).unwrap_or_default();
    wait * permille / 1_000
}

/// Returns the time until a tenant's next resync. Every tenant has a fixed place in the interval, from its
/// name.
pub fn until_resync(tenant: &TenantName, interval: Duration, now_ms: i64) -> Duration {
    let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
    let place = seed_of(tenant) % interval_ms;
    let now = now_ms.unsigned_abs() % interval_ms;
    let left = (place + interval_ms - now) % interval_ms;
    // If the place is less than a tenth of the interval away, this run counts as its resync.
    let left = if left < interval_ms / 10 { left + interval_ms } else { left };
    Duration::from_millis(left)
}

/// Returns the wait before the retry of a failed run: it doubles each time, up to `most`, plus up to 25 % so
/// that tenants that failed together do not retry together.
pub fn backoff(failures: u32, first: Duration, most: Duration, seed: u64) -> Duration {
    let wait = first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(most);
    wait + wait * u32::try_from(mix(seed ^ u64::from(failures)) % 26).unwrap_or_default() / 100
}

/// Returns the hash of a name: FNV-1a, then mixed over all bits.
pub fn seed_of(tenant: &TenantName) -> u64 {
    let hash = tenant.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: usize) -> TenantName {
        TenantName::new(format!("tenant-{number}"))
    }

    #[test]
    fn resyncs_are_spread_evenly_and_none_is_left_out() {
        let interval = Duration::from_secs(600);
        let mut by_minute = [0_u32; 11];
        for number in 0..10_000 {
            let left = until_resync(&tenant(number), interval, 1_790_000_000_000);
            assert!(left >= interval / 10 && left < interval + interval / 10, "{left:?}");
            by_minute[usize::try_from(left.as_secs() / 60).unwrap()] += 1;
        }
        assert!(by_minute[1..].iter().all(|count| (900..1_100).contains(count)), "{by_minute:?}");
    }

    #[test]
    fn a_backoff_doubles_up_to_its_limit() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(60));
        for (failures, least) in [(1, 1), (2, 2), (4, 8), (7, 60), (4_000_000, 60)] {
            for seed in 0..50 {
                let wait = backoff(failures, first, most, seed);
                assert!(
                    wait >= Duration::from_secs(least) && wait <= Duration::from_secs(least) * 5 / 4,
                    "{failures}: {wait:?}"
                );
            }
        }
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        for seed in 0..1_000 {
            let wait = jittered(Duration::from_secs(10), seed);
            assert!(wait >= Duration::from_secs(9) && wait <= Duration::from_secs(11), "{wait:?}");
        }
    }
}
