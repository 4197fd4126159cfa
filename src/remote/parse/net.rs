//! `/proc/net/dev`, `sockstat`, `netstat`: interfaces, sockets and what listening sockets could not take.

/// Interfaces with their 16 columns. The colon may touch the first number, as it does on kernels before 2.6.37.
pub fn interfaces(text: &str) -> Vec<(String, [u64; 16])> {
    let interface = |line: &str| {
        // A name may hold colons itself (an alias); numbers cannot.
        let (name, numbers) = line.rsplit_once(':')?;
        let mut columns = [0; 16];
        let mut fields = numbers.split_ascii_whitespace();
        for column in &mut columns {
            *column = fields.next()?.parse().ok()?;
        }
        Some((name.trim().to_owned(), columns))
    };
    text.lines().filter_map(interface).collect()
}

/// Column of `/proc/net/dev`: bytes received.
pub const RECEIVED: usize = 0;
/// Column: bytes sent.
pub const SENT: usize = 8;
/// Columns of packets, both ways.
pub const PACKETS: [usize; 2] = [1, 9];
/// Columns of packets in error or dropped, both ways.
pub const LOST: [usize; 4] = [2, 3, 10, 11];

/// Bytes per second that a link carries each way, from `/sys/class/net/NAME/speed`, which is in megabits. A driver that does not
/// know says -1; before Linux 4.13 that was printed as a number of 32 bits. A link that is down is an error to read.
pub fn link_speed(text: &str) -> Option<f64> {
    let megabits: i64 = text.trim().parse().ok()?;
    (megabits > 0 && megabits < i64::from(u32::MAX)).then(|| megabits as f64 * 1e6 / 8.0)
}

/// Every number of `/proc/net/sockstat`, as (protocol, field, number).
pub fn sockets(text: &str) -> Vec<(String, String, u64)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((protocol, rest)) = line.split_once(':') else {
            continue;
        };
        let mut fields = rest.split_ascii_whitespace();
        while let (Some(field), Some(number)) = (fields.next(), fields.next()) {
            if let Ok(number) = number.parse() {
                found.push((protocol.trim().to_owned(), field.to_owned(), number));
            }
        }
    }
    found
}

/// `ListenOverflows` and `ListenDrops` from `/proc/net/netstat`, whose lines come in pairs: names, then numbers.
pub fn listen_drops(text: &str) -> Option<(u64, u64)> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let number = |wanted: &str| {
        let place = names.split_ascii_whitespace().position(|name| name == wanted)?;
        numbers.split_ascii_whitespace().nth(place)?.parse().ok()
    };
    Some((number("ListenOverflows")?, number("ListenDrops")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_old_and_new() {
        let text = "Inter-|   Receive |  Transmit\n face |bytes    packets errs\n\
            lo:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  eth0.5: 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 17\n\
            short: 1 2 3\nnegative: -1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        let found = interfaces(text);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (&*found[0].0, found[0].1[RECEIVED], found[0].1[SENT]),
            ("lo", 1, 9)
        );
        assert_eq!((&*found[1].0, found[1].1[RECEIVED]), ("eth0.5", u64::MAX));
    }

    #[test]
    fn a_link_without_a_speed_has_none() {
        assert_eq!(link_speed("1000\n"), Some(125e6));
        for none in ["-1\n", "4294967295\n", "0\n", "", "unknown\n"] {
            assert_eq!(link_speed(none), None, "{none:?}");
        }
    }

    #[test]
    fn sockets_by_protocol_and_field() {
        let text = "sockets: used 294\nTCP: inuse 36 orphan 0 tw 2 alloc 50 mem -3\nUDP: inuse\n\nFRAG";
        let found = sockets(text);
        let found: Vec<_> = found.iter().map(|(p, f, n)| (&**p, &**f, *n)).collect();
        assert_eq!(
            found,
            [
                ("sockets", "used", 294),
                ("TCP", "inuse", 36),
                ("TCP", "orphan", 0),
                ("TCP", "tw", 2),
                ("TCP", "alloc", 50)
            ]
        );
    }

    #[test]
    fn listen_drops_are_found_by_name() {
        let text = "TcpExt: A ListenOverflows ListenDrops B\nTcpExt: 1 22 33 4\nIpExt: X\nIpExt: 1\n";
        assert_eq!(listen_drops(text), Some((22, 33)));
        for none in [
            "",
            "TcpExt: ListenOverflows ListenDrops\n",
            "TcpExt: ListenOverflows ListenDrops\nTcpExt: 1\n",
            "TcpExt: A B\nTcpExt: 1 2\n",
            "TcpExt: ListenOverflows ListenDrops\nTcpExt: -1 2\n",
        ] {
            assert_eq!(listen_drops(none), None, "{none:?}");
        }
    }
}
