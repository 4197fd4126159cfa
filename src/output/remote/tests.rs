//! The page's text, for one machine and for two.

use std::sync::Arc;

use super::*;
use crate::metrics::{
    CpuCounters, DiskCounters, HostCounters, MemoryField, NetworkUse, ProcessSample, Uname, Used,
};

fn field(name: &str, value: u64, bytes: bool) -> MemoryField {
    MemoryField {
        name: name.to_owned(),
        value,
        bytes,
    }
}

fn host(name: &str) -> HostView {
    let sample = HostSample {
        host: name.into(),
        cpu_busy: 0.5,
        cores: 2,
        runnable: Some(3),
        network: Some(NetworkUse {
            loss: 0.125,
            ..NetworkUse::default()
        }),
        mem_total: 1000,
        mem_available: 250,
        cost: Some(0.0005),
        round_trip: Some(0.02),
        processes: vec![ProcessSample {
            name: "a \"b\"".into(),
            cpu_cores: 1.5,
            files: Some(Used { used: 768, max: 1024 }),
            ..ProcessSample::default()
        }],
        counters: Some(Arc::new(HostCounters {
            uname: Some(Uname {
                node: "vps\\1".to_owned(),
                ..Uname::default()
            }),
            boot: Some(1_700_000_000),
            uptime: Some(12.5),
            cpus: vec![CpuCounters {
                cpu: 3,
                user: 1.25,
                ..CpuCounters::default()
            }],
            memory: vec![
                field("Active(anon)", 4096, true),
                field("HugePages_Total", 3, false),
            ],
            disks: vec![DiskCounters {
                device: "sda".to_owned(),
                columns: vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
            }],
            listen: Some((5, 6)),
            ..HostCounters::default()
        })),
        ..HostSample::default()
    };
    sample.into()
}

fn has(page: &str, line: &str) {
    assert!(
        page.lines().any(|candidate| candidate == line),
        "no `{line}` in\n{page}"
    );
}

#[test]
fn a_machine_that_is_asked_for_has_the_labels_of_node_exporter_and_no_other() {
    let page = render(&[host("vps")], Some("vps"));
    has(&page, r#"node_cpu_seconds_total{cpu="3",mode="user"} 1.25"#);
    has(&page, "node_memory_Active_anon_bytes 4096");
    has(&page, "node_memory_HugePages_Total 3");
    has(&page, r#"node_disk_read_bytes_total{device="sda"} 1536"#);
    has(&page, "# TYPE node_disk_io_now gauge");
    has(&page, "# TYPE node_netstat_TcpExt_ListenDrops untyped");
    has(&page, "node_time_seconds 1700000012.5");
    assert!(page.contains(r#"nodename="vps\\1""#), "{page}");
    has(&page, "loadgen_target_cpu_utilization_ratio 0.5");
    has(&page, "loadgen_target_memory_utilization_ratio 0.75");
    has(
        &page,
        r#"loadgen_target_process_cpu_cores{process="a \"b\""} 1.5"#,
    );
    has(&page, "loadgen_remote_round_trip_seconds 0.02");
    has(&page, "loadgen_target_run_queue_ratio 1.5");
    has(&page, "loadgen_target_network_loss_ratio 0.125");
    has(&page, r#"loadgen_target_process_max_fds{process="a \"b\""} 1024"#);
    has(
        &page,
        r#"loadgen_target_process_fds_utilization_ratio{process="a \"b\""} 0.75"#,
    );
    assert!(!page.contains("network_utilization"), "no link told its speed");
    assert!(!page.contains("flush_requests"), "the kernel did not tell");
    assert!(render(&[], None).is_empty());
}

#[test]
fn one_machine_is_named_as_several_are() {
    let page = render(&[host("vps")], None);
    has(&page, r#"node_memory_Active_anon_bytes{host="vps"} 4096"#);
    has(&page, r#"loadgen_remote_up{host="vps"} 1"#);
    let series = page.lines().filter(|line| !line.starts_with('#'));
    for line in series {
        assert!(line.contains(r#"{host="vps""#), "{line}");
    }
}

#[test]
fn machines_are_told_apart_or_chosen() {
    let hosts = [host("a"), host("b")];
    let page = render(&hosts, None);
    has(&page, r#"node_memory_Active_anon_bytes{host="a"} 4096"#);
    has(
        &page,
        r#"node_cpu_seconds_total{host="b",cpu="3",mode="user"} 1.25"#,
    );
    assert_eq!(page.matches("# TYPE node_boot_time_seconds").count(), 1);
    let one = render(&hosts, Some("b"));
    has(&one, "node_memory_Active_anon_bytes 4096");
    assert!(render(&hosts, Some("c")).is_empty());
}

#[test]
fn a_machine_that_does_not_answer_is_down_and_shows_nothing_old() {
    let lost = HostView {
        up: false,
        failures: 2,
        ..host("a")
    };
    let page = render(&[lost], Some("a"));
    has(&page, "loadgen_remote_up 0");
    has(&page, "loadgen_remote_failures_total 2");
    assert!(
        !page.contains("node_") && !page.contains("loadgen_target_"),
        "{page}"
    );
}
