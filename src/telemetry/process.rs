//! The memory use of this process.

#![expect(clippy::disallowed_methods, reason = "this module reads the kernel's data about the process")]

/// Returns the resident memory in bytes; none if the system has no `/proc`.
pub(super) fn resident_bytes() -> Option<u64> {
    resident_bytes_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_bytes_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_kernel_is_parsed() {
        assert_eq!(resident_bytes_in("Name:\tx\nVmRSS:\t   18432 kB\nVmData: 1 kB\n"), Some(18_874_368));
        for text in ["", "VmRSS:", "VmRSS: x kB", "VmRSS: 99999999999999999999 kB"] {
            assert_eq!(resident_bytes_in(text), None, "{text}");
        }
        if cfg!(target_os = "linux") {
            assert!(resident_bytes().is_some_and(|bytes| bytes > 1024 * 1024));
        }
    }
}
