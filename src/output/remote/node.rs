//! `node_exporter`'s families of what is sampled, in its words. What is compared with the real one in a test.

use super::{Page, Type};
use crate::metrics::{CpuCounters, HostCounters, PressureCounters};

/// The columns of `/proc/diskstats` from the fourth on: name, help, and what a number is multiplied with.
const DISK: [(&str, &str, f64); 17] = [
    (
        "reads_completed_total",
        "The total number of reads completed successfully.",
        1.0,
    ),
    ("reads_merged_total", "The total number of reads merged.", 1.0),
    (
        "read_bytes_total",
        "The total number of bytes read successfully.",
        512.0,
    ),
    (
        "read_time_seconds_total",
        "The total number of seconds spent by all reads.",
        1e-3,
    ),
    (
        "writes_completed_total",
        "The total number of writes completed successfully.",
        1.0,
    ),
    ("writes_merged_total", "The number of writes merged.", 1.0),
    (
        "written_bytes_total",
        "The total number of bytes written successfully.",
        512.0,
    ),
    (
        "write_time_seconds_total",
        "This is the total number of seconds spent by all writes.",
        1e-3,
    ),
    ("io_now", "The number of I/Os currently in progress.", 1.0),
    ("io_time_seconds_total", "Total seconds spent doing I/Os.", 1e-3),
    (
        "io_time_weighted_seconds_total",
        "The weighted # of seconds spent doing I/Os.",
        1e-3,
    ),
    (
        "discards_completed_total",
        "The total number of discards completed successfully.",
        1.0,
    ),
    (
        "discards_merged_total",
        "The total number of discards merged.",
        1.0,
    ),
    (
        "discarded_sectors_total",
        "The total number of sectors discarded successfully.",
        1.0,
    ),
    (
        "discard_time_seconds_total",
        "This is the total number of seconds spent by all discards.",
        1e-3,
    ),
    (
        "flush_requests_total",
        "The total number of flush requests completed successfully",
        1.0,
    ),
    (
        "flush_requests_time_seconds_total",
        "This is the total number of seconds spent by all flush requests.",
        1e-3,
    ),
];

/// The columns of `/proc/net/dev`.
const NETWORK: [&str; 16] = [
    "receive_bytes",
    "receive_packets",
    "receive_errs",
    "receive_drop",
    "receive_fifo",
    "receive_frame",
    "receive_compressed",
    "receive_multicast",
    "transmit_bytes",
    "transmit_packets",
    "transmit_errs",
    "transmit_drop",
    "transmit_fifo",
    "transmit_colls",
    "transmit_carrier",
    "transmit_compressed",
];

/// Adds the families of a machine.
pub(super) fn families(counters: &HostCounters, page: &mut Page) {
    machine(counters, page);
    counters.cpus.iter().for_each(|cpu| core(cpu, page));
    for field in &counters.memory {
        // `Active(anon)` is `Active_anon` in names.
        let name = field.name.replace('(', "_").replace(')', "");
        let unit = if field.bytes { "_bytes" } else { "" };
        let help = format!("Memory information field {name}{unit}.");
        page.gauge(
            &format!("node_memory_{name}{unit}"),
            &help,
            &[],
            field.value as f64,
        );
    }
    pressure(counters, page);
    for disk in &counters.disks {
        for ((name, help, unit), value) in DISK.iter().zip(&disk.columns) {
            let kind = if *name == "io_now" {
                Type::Gauge
            } else {
                Type::Counter
            };
            let labels = [("device", disk.device.as_str())];
            page.add(
                &format!("node_disk_{name}"),
                kind,
                help,
                &labels,
                *value as f64 * unit,
            );
        }
    }
    for (device, columns) in &counters.interfaces {
        for (name, value) in NETWORK.iter().zip(columns) {
            let help = format!("Network device statistic {name}.");
            let labels = [("device", device.as_str())];
            page.counter(
                &format!("node_network_{name}_total"),
                &help,
                &labels,
                *value as f64,
            );
        }
    }
    sockets(counters, page);
    for (name, value) in &counters.vm {
        let help = format!("/proc/vmstat information field {name}.");
        page.add(
            &format!("node_vmstat_{name}"),
            Type::Untyped,
            &help,
            &[],
            *value as f64,
        );
    }
}

fn machine(counters: &HostCounters, page: &mut Page) {
    if let Some(uname) = &counters.uname {
        page.gauge(
            "node_uname_info",
            "Labeled system information as provided by the uname system call.",
            &[
                ("domainname", &uname.domain),
                ("machine", &uname.machine),
                ("nodename", &uname.node),
                ("release", &uname.release),
                ("sysname", &uname.system),
                ("version", &uname.version),
            ],
            1.0,
        );
    }
    if let Some(boot) = counters.boot {
        page.gauge(
            "node_boot_time_seconds",
            "Node boot time, in unixtime.",
            &[],
            boot as f64,
        );
        if let Some(uptime) = counters.uptime {
            page.gauge(
                "node_time_seconds",
                "System time in seconds since epoch (1970).",
                &[],
                boot as f64 + uptime,
            );
        }
    }
    for (name, help, value) in [
        (
            "node_procs_running",
            "Number of processes in runnable state.",
            counters.running,
        ),
        (
            "node_procs_blocked",
            "Number of processes blocked waiting for I/O to complete.",
            counters.blocked,
        ),
        (
            "node_filefd_allocated",
            "File descriptor statistics: allocated.",
            counters.files.map(|files| files.0),
        ),
        (
            "node_filefd_maximum",
            "File descriptor statistics: maximum.",
            counters.files.map(|files| files.1),
        ),
        (
            "node_nf_conntrack_entries",
            "Number of currently allocated flow entries for connection tracking.",
            counters.conntrack.map(|conntrack| conntrack.0),
        ),
        (
            "node_nf_conntrack_entries_limit",
            "Maximum size of connection tracking table.",
            counters.conntrack.map(|conntrack| conntrack.1),
        ),
    ] {
        if let Some(value) = value {
            page.gauge(name, help, &[], value as f64);
        }
    }
    for (name, help, value) in [
        ("node_forks_total", "Total number of forks.", counters.forks),
        (
            "node_context_switches_total",
            "Total number of context switches.",
            counters.switches,
        ),
    ] {
        if let Some(value) = value {
            page.counter(name, help, &[], value as f64);
        }
    }
    for (index, minutes) in ["1", "5", "15"].into_iter().enumerate() {
        if let Some(load) = counters.load {
            let help = format!("{minutes}m load average.");
            page.gauge(&format!("node_load{minutes}"), &help, &[], load[index]);
        }
    }
}

fn core(cpu: &CpuCounters, page: &mut Page) {
    let number = cpu.cpu.to_string();
    for (mode, seconds) in [
        ("idle", cpu.idle),
        ("iowait", cpu.iowait),
        ("irq", cpu.irq),
        ("nice", cpu.nice),
        ("softirq", cpu.softirq),
        ("steal", cpu.steal),
        ("system", cpu.system),
        ("user", cpu.user),
    ] {
        let labels = [("cpu", &*number), ("mode", mode)];
        page.counter(
            "node_cpu_seconds_total",
            "Seconds the CPUs spent in each mode.",
            &labels,
            seconds,
        );
    }
    for (mode, seconds) in [("nice", cpu.guest_nice), ("user", cpu.guest)] {
        let labels = [("cpu", &*number), ("mode", mode)];
        let help = "Seconds the CPUs spent in guests (VMs) for each mode.";
        page.counter("node_cpu_guest_seconds_total", help, &labels, seconds);
    }
}

fn pressure(counters: &HostCounters, page: &mut Page) {
    let mut add = |name: &str, help: &str, seconds: Option<f64>| {
        if let Some(seconds) = seconds {
            page.counter(&format!("node_pressure_{name}_seconds_total"), help, &[], seconds);
        }
    };
    let some = |pressure: Option<PressureCounters>| pressure.map(|pressure| pressure.some);
    let full = |pressure: Option<PressureCounters>| pressure.and_then(|pressure| pressure.full);
    let (cpu, memory, io) = (
        counters.cpu_pressure,
        counters.memory_pressure,
        counters.io_pressure,
    );
    add(
        "cpu_waiting",
        "Total time in seconds that processes have waited for CPU time",
        some(cpu),
    );
    add(
        "io_waiting",
        "Total time in seconds that processes have waited due to IO congestion",
        some(io),
    );
    add(
        "io_stalled",
        "Total time in seconds no process could make progress due to IO congestion",
        full(io),
    );
    add(
        "memory_waiting",
        "Total time in seconds that processes have waited for memory",
        some(memory),
    );
    add(
        "memory_stalled",
        "Total time in seconds no process could make progress due to memory congestion",
        full(memory),
    );
}

fn sockets(counters: &HostCounters, page: &mut Page) {
    for (protocol, field, value) in &counters.sockets {
        let help = match (&**protocol, &**field) {
            ("sockets", "used") => "Number of IPv4 sockets in use.".to_owned(),
            _ => format!("Number of {protocol} sockets in state {field}."),
        };
        page.gauge(
            &format!("node_sockstat_{protocol}_{field}"),
            &help,
            &[],
            *value as f64,
        );
    }
    if let Some((overflows, drops)) = counters.listen {
        for (name, value) in [("ListenOverflows", overflows), ("ListenDrops", drops)] {
            let help = format!("Statistic TcpExt{name}.");
            let name = format!("node_netstat_TcpExt_{name}");
            page.add(&name, Type::Untyped, &help, &[], value as f64);
        }
    }
}
