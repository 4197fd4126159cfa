//! Who listens on a port: from `ss -ltnp`, or from `/proc/net/tcp` and the sockets that processes have open.

/// What is known of a port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listener {
    /// Whether anybody listens.
    pub bound: bool,
    /// Who, lowest first; empty where we may not see.
    pub pids: Vec<u32>,
}

/// State 0A of `include/net/tcp_states.h`.
const LISTEN: &str = "0A";

/// Inodes of the sockets that listen on `port`, from `/proc/net/tcp` or `tcp6`.
pub fn inodes(text: &str, port: u16) -> Vec<u64> {
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let same = u16::from_str_radix(local, 16) == Ok(port);
        (same && *fields.get(3)? == LISTEN).then(|| fields.get(9)?.parse().ok())?
    };
    text.lines().filter_map(inode).collect()
}

/// The listeners of `port` in what `ss -ltnp` prints, with or without its heading.
pub fn from_ss(text: &str, port: u16) -> Listener {
    let mut listener = Listener::default();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        if fields.next() != Some("LISTEN") {
            continue;
        }
        // After the two queues comes the local address.
        let Some((_, local)) = fields.nth(2).and_then(|address| address.rsplit_once(':')) else {
            continue;
        };
        if local.parse() != Ok(port) {
            continue;
        }
        listener.bound = true;
        listener
            .pids
            .extend(line.split("pid=").skip(1).filter_map(|rest| {
                let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
                digits.parse::<u32>().ok()
            }));
    }
    listener.pids.sort_unstable();
    listener.pids.dedup();
    listener
}

/// Processes that have one of `inodes` open, in what `ls -l /proc/[0-9]*/fd` prints.
pub fn from_ls(text: &str, inodes: &[u64]) -> Vec<u32> {
    let (mut pids, mut current) = (Vec::new(), None);
    for line in text.lines() {
        if let Some(pid) = line
            .strip_prefix("/proc/")
            .and_then(|rest| rest.strip_suffix("/fd:"))
        {
            current = pid.parse::<u32>().ok();
        } else if let Some((_, link)) = line.rsplit_once(" -> ")
            && socket(link).is_some_and(|inode| inodes.contains(&inode))
        {
            pids.extend(current);
        }
    }
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// The inode of a link `socket:[123]`.
pub fn socket(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_listen_on_a_port() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0\n\
            1: 0100007F:0BB9 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 99 1 0\n\
            2: 00000000000000000000000000000000:0BB9 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 777 1\n\
            3: 0100007F:0BBA 00000000:0000 0A 0:0 0:0 0 0 0 5\n 4: junk\n5: 0100007F:0BB9 0:0 0A 1 2\n";
        assert_eq!(inodes(text, 3001), [12345, 777]);
        assert_eq!(inodes(text, 80), [0_u64; 0]);
    }

    #[test]
    fn ss_names_processes_where_it_may() {
        let text = "State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
            LISTEN 0      511          0.0.0.0:3001      0.0.0.0:*    users:((\"node\",pid=812,fd=18),(\"node\",pid=811,fd=18))\n\
            LISTEN 0      511             [::]:3001         [::]:*    users:((\"node\",pid=811,fd=19))\n\
            LISTEN 0      128        127.0.0.1:80      0.0.0.0:*\n";
        assert_eq!(
            from_ss(text, 3001),
            Listener {
                bound: true,
                pids: vec![811, 812]
            }
        );
        assert_eq!(
            from_ss(text, 80),
            Listener {
                bound: true,
                pids: vec![]
            }
        );
        assert_eq!(from_ss(text, 81), Listener::default());
    }

    #[test]
    fn ls_tells_whose_socket_it_is() {
        let text = "/proc/1/fd:\ntotal 0\nlrwx------ 1 root root 64 Nov 21 03:38 3 -> socket:[12345]\n\n\
            /proc/812/fd:\nlrwx------ 1 a a 64 Nov 21 03:38 7 -> socket:[777]\nlrwx------ 1 a a 64 Nov 21 03:38 8 -> /tmp/socket:[5]\n";
        assert_eq!(from_ls(text, &[777, 5]), [812]);
        assert_eq!(from_ls(text, &[12345]), [1]);
    }
}
