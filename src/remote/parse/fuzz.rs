//! No text makes a parser panic: anything at all, and real lines with pieces of other lines in them.

use proptest::prelude::*;

use super::{disk, group, listen, net, small, table};
use crate::remote::procfs;

fn parse_all(text: &str) {
    let _ = disk::disks(text);
    let (cpu, memory) = group::candidates(text);
    assert!(cpu.iter().all(|files| !files.limit.contains(char::is_whitespace)));
    assert!(
        memory
            .iter()
            .all(|files| !files.limit.contains(char::is_whitespace))
    );
    let _ = (
        group::quota(text, None),
        group::quota(text, Some(text)),
        group::core_count(text),
    );
    let _ = (group::field(text, "oom_kill"), group::memory_limit(text));
    let _ = (
        listen::inodes(text, 3001),
        listen::from_ss(text, 3001),
        listen::from_ls(text, &[1]),
    );
    let _ = (net::interfaces(text), net::sockets(text), net::listen_drops(text));
    let _ = (
        small::uptime(text),
        small::pressure(text),
        small::files(text),
        small::number(text),
    );
    let _ = (small::scheduled(text), small::vmstat(text));
    let entries = table::table(text, &table::commands(text));
    for entry in &entries {
        let _ = (entry.is_called(text), entry.program());
    }
    let _ = table::similar(&entries, text);
    let _ = (
        procfs::cpu_stat(text),
        procfs::memory(text),
        procfs::swap(text),
        procfs::memory_fields(text),
    );
}

const PIECES: &[&str] = &[
    "cpu",
    "cpu0",
    " ",
    "\n",
    ":",
    "1",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "0A",
    "max",
    "some ",
    "full ",
    "total=",
    "TcpExt:",
    "ListenOverflows",
    "(",
    ")",
    "kB",
    "MemTotal",
    "sda",
    "sda1",
    "é",
    "/proc/",
    "/fd:",
    " -> ",
    "socket:[",
    "]",
    "0::/",
    ",",
    "-",
    "LISTEN",
    "pid=",
    "node",
    "S",
    ".",
    "e308",
    "\t",
    "\u{1e}",
    "\0",
];

proptest! {
    #[test]
    fn any_text(text in "\\PC{0,200}") {
        parse_all(&text);
    }

    #[test]
    fn text_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        parse_all(&pieces.concat());
    }
}
