//! Files of a line or two: uptime, pressure, open files, tracked connections, CPU time of a process; and `vmstat`.

use crate::metrics::PressureCounters;

/// Seconds since boot, from `/proc/uptime`.
pub fn uptime(text: &str) -> Option<f64> {
    let seconds: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

/// The totals of `/proc/pressure/*`, which are microseconds. `full` is missing for CPU before Linux 5.13.
pub fn pressure(text: &str) -> Option<PressureCounters> {
    let total = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let total = line
            .split_ascii_whitespace()
            .find_map(|field| field.strip_prefix("total="))?;
        total.parse::<u64>().ok().map(|micros| micros as f64 / 1e6)
    };
    Some(PressureCounters {
        some: total("some ")?,
        full: total("full "),
    })
}

/// Open files and the limit, from `/proc/sys/fs/file-nr`: allocated, allocated but free (0 since Linux 2.6), most.
pub fn files(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.split_ascii_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok();
    let (allocated, _, most) = (next()?, next()?, next()?);
    Some((allocated, most))
}

/// How many files a process may have open, from `/proc/PID/limits`: the soft limit, which is the one that counts. 0 is without
/// a limit.
pub fn most_open_files(limits: &str) -> Option<u64> {
    let rest = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match rest.split_ascii_whitespace().next()? {
        "unlimited" => Some(0),
        soft => soft.parse().ok(),
    }
}

/// A file that is one number.
pub fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Seconds on a CPU from `/proc/PID/schedstat`, whose first field is in nanoseconds.
pub fn scheduled(text: &str) -> Option<f64> {
    let nanos: u64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    Some(nanos as f64 / 1e9)
}

/// The fields of `/proc/vmstat` that tell of paging and of killing.
pub fn vmstat(text: &str) -> Vec<(String, u64)> {
    const WANTED: [&str; 7] = [
        "pgpgin",
        "pgpgout",
        "pswpin",
        "pswpout",
        "pgfault",
        "pgmajfault",
        "oom_kill",
    ];
    let field = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        let name = WANTED.iter().find(|wanted| **wanted == name)?;
        Some(((*name).to_owned(), number.trim().parse().ok()?))
    };
    text.lines().filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "what is exact is compared exactly")]

    use super::*;

    #[test]
    fn small_files() {
        assert_eq!(uptime("18261.43 20779.51\n"), Some(18261.43));
        assert_eq!((uptime("-1 2"), uptime("nan"), uptime("")), (None, None, None));
        assert_eq!(files("1231\t31\t2466177\n"), Some((1231, 2_466_177)));
        assert_eq!(files("1231\t0\n"), None);
        assert_eq!(
            (number("262144\n"), number("max\n"), number("")),
            (Some(262_144), None, None)
        );
        assert_eq!(scheduled("1500000000 7 8\n"), Some(1.5));
    }

    #[test]
    fn the_soft_limit_of_open_files_is_found_among_the_others() {
        let text = include_str!("../sampler/golden/limits.txt");
        assert_eq!(most_open_files(text), Some(1024));
        let line = |numbers: &str| format!("Max open files            {numbers} files     \n");
        assert_eq!(most_open_files(&line("unlimited            unlimited")), Some(0));
        assert_eq!(
            most_open_files(&line("1048576              1048576")),
            Some(1_048_576)
        );
        for none in [
            "",
            "Max open files\n",
            "Max processes 5 5 processes\n",
            &line("-1 5"),
        ] {
            assert_eq!(most_open_files(none), None, "{none:?}");
        }
    }

    #[test]
    fn pressure_with_and_without_full() {
        let both = "some avg10=0.29 avg60=0.96 avg300=1.78 total=148844550\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=79286214\n";
        let counters = pressure(both).unwrap();
        assert_eq!((counters.some, counters.full), (148.844_55, Some(79.286_214)));
        let some = pressure("some avg10=0.29 total=5 future=1\n").unwrap();
        assert_eq!((some.some, some.full), (5e-6, None));
        assert_eq!(pressure("some avg10=0.29 total=-5\n"), None);
        assert_eq!(pressure(""), None);
    }

    #[test]
    fn vmstat_keeps_what_matters() {
        let text = "nr_free_pages 1\npgpgin 2\npgfault x\noom_kill 3\noom_kill_disable 0\n";
        assert_eq!(
            vmstat(text),
            [("pgpgin".to_owned(), 2), ("oom_kill".to_owned(), 3)]
        );
    }
}
