//! Lines of several kernels as they are, lines that lie, and that no text makes a parser panic.

use proptest::prelude::*;

use super::*;

/// Linux 6.8 on two cores, cut after the lines that matter.
const STAT_6_8: &str = "cpu  4705 150 1120 16250 520 0 30 12 7 0\n\
cpu0 2352 75 560 8125 260 0 15 6 3 0\n\
cpu1 2353 75 560 8125 260 0 15 6 4 0\n\
intr 114930548 113199788 3 0 5 263 0 4\n\
ctxt 1990473\nbtime 1062191376\nprocesses 2915\nprocs_running 1\nprocs_blocked 0\n";

#[test]
fn cpu_lines_of_several_kernels() {
    let ticks = |user, nice, system, idle, iowait, irq, softirq, steal| CpuTicks {
        user,
        nice,
        system,
        idle,
        iowait,
        irq,
        softirq,
        steal,
    };
    let table = [
        (
            "6.8",
            STAT_6_8,
            Some((ticks(4705, 150, 1120, 16250, 520, 0, 30, 12), 2)),
        ),
        (
            "2.4, four fields",
            "cpu  1 2 3 4\ncpu0 1 2 3 4\n",
            Some((ticks(1, 2, 3, 4, 0, 0, 0, 0), 1)),
        ),
        (
            "2.6.0, seven fields",
            "cpu  1 2 3 4 5 6 7\n",
            Some((ticks(1, 2, 3, 4, 5, 6, 7, 0), 1)),
        ),
        (
            "a field of the future",
            "cpu 1 2 3 4 5 6 7 8 9 10 11\ncpu0 1\ncpu1 1\ncpu7 1\n",
            Some((ticks(1, 2, 3, 4, 5, 6, 7, 8), 3)),
        ),
        (
            "huge",
            "cpu 18446744073709551615 0 0 18446744073709551615\n",
            Some((ticks(u64::MAX, 0, 0, u64::MAX, 0, 0, 0, 0), 1)),
        ),
        ("too huge", "cpu 18446744073709551616 0 0 1\n", None),
        ("negative", "cpu 1 2 3 -4\n", None),
        ("three fields", "cpu 1 2 3\n", None),
        ("junk after the fourth", "cpu 1 2 3 4 x\n", None),
        ("cores without a sum", "cpu0 1 2 3 4\n", None),
        ("another word", "cpuset 1 2 3 4\n", None),
        ("empty", "", None),
    ];
    for (name, text, expected) in table {
        assert_eq!(
            cpu_stat(text).map(|stat| (stat.ticks, stat.cores)),
            expected,
            "{name}"
        );
    }
}

#[test]
fn busy_is_what_is_neither_idle_nor_stolen() {
    let from = CpuTicks {
        user: 100,
        idle: 1000,
        iowait: 50,
        steal: 10,
        ..CpuTicks::default()
    };
    let table = [
        ("nothing passed", from, (0.0, 0.0, 0.0)),
        (
            "all busy",
            CpuTicks {
                user: 150,
                system: 50,
                ..from
            },
            (1.0, 0.0, 0.0),
        ),
        ("all idle", CpuTicks { idle: 1100, ..from }, (0.0, 0.0, 0.0)),
        (
            "a quarter each",
            CpuTicks {
                user: 125,
                idle: 1025,
                iowait: 75,
                steal: 35,
                ..from
            },
            (0.25, 0.25, 0.25),
        ),
        (
            "iowait went backwards",
            CpuTicks {
                user: 150,
                idle: 1050,
                iowait: 20,
                ..from
            },
            (0.5, 0.0, 0.0),
        ),
        ("restored from a snapshot", CpuTicks::default(), (0.0, 0.0, 0.0)),
        (
            "huge",
            CpuTicks {
                user: u64::MAX,
                system: u64::MAX,
                idle: u64::MAX,
                ..from
            },
            (2.0 / 3.0, 0.0, 0.0),
        ),
    ];
    for (name, to, (busy, iowait, steal)) in table {
        let shares = to.shares_since(&from);
        assert!((shares.busy - busy).abs() < 1e-9, "{name}: busy {}", shares.busy);
        assert!(
            (shares.iowait - iowait).abs() < 1e-9,
            "{name}: iowait {}",
            shares.iowait
        );
        assert!(
            (shares.steal - steal).abs() < 1e-9,
            "{name}: steal {}",
            shares.steal
        );
    }
}

/// A process's line as Linux prints it, with the name given.
fn stat_line(comm: &str) -> String {
    format!(
        "4242 ({comm}) S 17 4242 17 34816 4242 4194560 1530 20 3 4 731 269 5 6 20 0 9 0 \
         8812345 1234567 987 18446744073709551615 94 95 140 0 0 0 0 4096 17642 0 0 0 17 1 0 0 0 0 0\n"
    )
}

#[test]
fn process_names_may_hold_anything() {
    for comm in [
        "bun",
        "tmux: server",
        "a) S 1 (b",
        ")",
        "((",
        "",
        "(sd-pam)",
        "new\nline",
        "naïve-ü",
    ] {
        let stat = process_stat(&stat_line(comm));
        let expected = ProcessStat {
            pid: 4242,
            comm: comm.to_owned(),
            state: 'S',
            parent: 17,
            cpu_ticks: 1000,
            threads: 9,
            start: 8_812_345,
            resident_pages: 987,
        };
        assert_eq!(stat, Some(expected), "{comm:?}");
    }
}

#[test]
fn process_lines_that_say_too_little_or_nonsense_are_refused() {
    let whole = stat_line("bun");
    let upto = |fields: usize| whole.split_inclusive(' ').take(fields).collect::<String>();
    assert!(
        process_stat(&upto(22)).is_some(),
        "fields after the start are not needed"
    );
    for fields in 0..22 {
        assert_eq!(process_stat(&upto(fields)), None, "{fields} fields");
    }
    for text in [
        "no parentheses at all",
        ")(",
        "x (bun) S 17 1 1 1 1 1 1 1 1 1 7 2 5 6 20 0 9 0 88",
        "1 (bun) S -1 1 1 1 1 1 1 1 1 1 7 2 5 6 20 0 9 0 88",
        "1 (bun) S 17 1 1 1 1 1 1 1 1 1 99999999999999999999 2 5 6 20 0 9 0 88",
    ] {
        assert_eq!(process_stat(text), None, "{text}");
    }
    let huge = "1 (bun) R 0 1 1 1 1 1 1 1 1 1 18446744073709551615 2 5 6 20 0 9 0 88";
    assert_eq!(
        process_stat(huge).map(|stat| stat.cpu_ticks),
        Some(u64::MAX),
        "the sum saturates"
    );
}

#[test]
fn a_zombie_is_not_alive() {
    let line = stat_line("bun").replace(" S 17", " Z 17");
    assert!(process_stat(&line).is_some_and(|stat| stat.is_zombie()));
    assert!(process_stat(&stat_line("bun")).is_some_and(|stat| !stat.is_zombie()));
}

#[test]
fn resident_memory_comes_in_kilobytes() {
    let table = [
        (
            "Name:\tbun\nVmPeak:\t  999 kB\nVmRSS:\t   1536 kB\nThreads:\t9\n",
            Some(1536 * 1024),
        ),
        ("Name:\tkthreadd\nThreads:\t1\n", None),
        ("VmRSS:\n", None),
        ("VmRSS:\tmany kB\n", None),
        ("VmRSS:\t18446744073709551615 kB\n", None),
        ("Name:\tVmRSS: 5 kB\n", None),
        ("", None),
    ];
    for (text, expected) in table {
        assert_eq!(resident_bytes(text), expected, "{text:?}");
    }
}

#[test]
fn memory_of_new_and_old_kernels() {
    let kb = 1024;
    let table = [
        (
            "6.8",
            "MemTotal:        8000 kB\nMemFree:          100 kB\nMemAvailable:    6000 kB\nBuffers: 1 kB\n",
            Some((8000 * kb, 6000 * kb)),
        ),
        (
            "3.10, no MemAvailable",
            "MemTotal: 8000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 300 kB\nSwapCached: 7000 kB\n",
            Some((8000 * kb, 420 * kb)),
        ),
        (
            "only free",
            "MemTotal: 8000 kB\nMemFree: 100 kB\n",
            Some((8000 * kb, 100 * kb)),
        ),
        (
            "no unit",
            "MemTotal: 8\nMemAvailable: 2\n",
            Some((8 * kb, 2 * kb)),
        ),
        (
            "more available than there is",
            "MemTotal: 8 kB\nMemAvailable: 9 kB\n",
            Some((8 * kb, 8 * kb)),
        ),
        ("no total", "MemFree: 1 kB\nMemAvailable: 1 kB\n", None),
        ("nothing but the total", "MemTotal: 8000 kB\n", None),
        ("empty", "", None),
    ];
    for (name, text, expected) in table {
        assert_eq!(
            memory(text).map(|memory| (memory.total, memory.available)),
            expected,
            "{name}"
        );
    }
}

#[test]
fn sockets_are_found_by_name() {
    let table = [
        (
            "sockets: used 290\nTCP: inuse 7 orphan 1 tw 42 alloc 9 mem 3\nUDP: inuse 2 mem 1\n",
            Some((7, 42, 1)),
        ),
        ("TCP: tw 3 future 9 inuse 1\n", Some((1, 3, 0))),
        ("TCP: inuse 5 tw\n", Some((5, 0, 0))),
        ("TCP: inuse many tw 3\n", None),
        ("TCP6: inuse 5\n", None),
        ("UDP: inuse 2\n", None),
        ("", None),
    ];
    for (text, expected) in table {
        let counts = tcp_sockets(text).map(|tcp| (tcp.in_use, tcp.time_wait, tcp.orphaned));
        assert_eq!(counts, expected, "{text:?}");
    }
}

#[test]
fn load_averages() {
    let table = [
        ("0.20 0.18 0.12 1/80 11206\n", Some([0.20, 0.18, 0.12])),
        ("150.00 2 3", Some([150.0, 2.0, 3.0])),
        ("0.20 0.18", None),
        ("nan 0 0", None),
        ("inf 0 0", None),
        ("-1 0 0", None),
        ("", None),
    ];
    for (text, expected) in table {
        assert_eq!(load_average(text), expected, "{text:?}");
    }
}

fn parse_everything(text: &str) {
    let _ = cpu_stat(text);
    let _ = process_stat(text);
    let _ = resident_bytes(text);
    let _ = memory(text);
    let _ = tcp_sockets(text);
    let _ = load_average(text);
}

fn any_ticks() -> impl Strategy<Value = CpuTicks> {
    any::<[u64; 8]>().prop_map(
        |[user, nice, system, idle, iowait, irq, softirq, steal]| CpuTicks {
            user,
            nice,
            system,
            idle,
            iowait,
            irq,
            softirq,
            steal,
        },
    )
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        parse_everything(&text);
    }

    #[test]
    fn no_text_of_the_right_words_makes_a_parser_panic(
        text in r"(cpu|cpu0|TCP:|MemTotal:|MemAvailable:|VmRSS:|inuse|tw|\(|\)|[0-9]{1,25}|-1|kB|[ \t\n]){0,60}"
    ) {
        parse_everything(&text);
    }

    #[test]
    fn a_process_line_is_read_whatever_the_name(comm in any::<String>()) {
        prop_assert_eq!(process_stat(&stat_line(&comm)).map(|stat| (stat.comm, stat.start)), Some((comm, 8_812_345)));
    }

    #[test]
    fn shares_are_shares(now in any_ticks(), then in any_ticks()) {
        let shares = now.shares_since(&then);
        for share in [shares.busy, shares.iowait, shares.steal] {
            prop_assert!((0.0..=1.0).contains(&share), "{:?}", shares);
        }
        prop_assert!(shares.busy + shares.iowait + shares.steal <= 1.0 + 1e-9);
    }
}
