//! `/proc/diskstats`: which block devices there are and what they did.

use crate::metrics::DiskCounters;

/// The columns that every kernel since 2.6.25 has, also for partitions.
const LEAST: usize = 11;
/// Columns of Linux 5.5; what a later one appends is not known here.
const MOST: usize = 17;

/// Devices that hold no data of their own, and partitions, are left out: what a partition does, its disk does.
pub fn disks(text: &str) -> Vec<DiskCounters> {
    let mut found: Vec<DiskCounters> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let Some(device) = fields.next() else { continue };
        if is_virtual(device) {
            continue;
        }
        let columns: Vec<u64> = fields.map_while(|field| field.parse().ok()).take(MOST).collect();
        // A disk's partitions follow it.
        let part = found.iter().any(|disk| is_partition(device, &disk.device));
        if columns.len() >= LEAST && !part {
            found.push(DiskCounters {
                device: device.to_owned(),
                columns,
            });
        }
    }
    found
}

/// RAM disks, loop devices, floppies and optical drives.
fn is_virtual(device: &str) -> bool {
    ["ram", "loop", "fd", "sr", "zram"].iter().any(|kind| {
        device
            .strip_prefix(kind)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// `sda1` of `sda`; `nvme0n1p2` of `nvme0n1`, as a name that ends in a digit takes a `p` between.
fn is_partition(device: &str, disk: &str) -> bool {
    let Some(rest) = device.strip_prefix(disk) else {
        return false;
    };
    let number = match disk.bytes().last() {
        Some(last) if last.is_ascii_digit() => rest.strip_prefix('p'),
        _ => Some(rest),
    };
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Devices made of others (device mapper, software RAID): their work shows on the others too.
pub fn is_made_of_others(device: &str) -> bool {
    device.starts_with("dm-") || device.starts_with("md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_without_their_partitions() {
        let text = "   7       0 loop0 1 0 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n\
            8       0 sda 10 1 200 5 20 2 400 6 0 700 900\n\
            8       1 sda1 10 1 200 5 20 2 400 6 0 700 900\n\
            8      16 sdaa 1 0 2 0 0 0 0 0 0 0 0 0 0 0 0\n\
            259 0 nvme0n1 5 0 10 0 7 0 14 0 0 3 4 0 0 0 0 1 1 99\n\
            259 1 nvme0n1p1 5 0 10 0 7 0 14 0 0 3 4 0 0 0 0 1 1\n\
            253 0 dm-0 5 0 10 0 7 0 14 0 0 3 4\n\
            254 0 vda x 0 10\n 8 2\n\n252 0 zram0 1 1 1 1 1 1 1 1 1 1 1\n 9 9 md127 1 2 3 4 5 6 7 8 9 10 11\n";
        let disks = disks(text);
        let names: Vec<_> = disks
            .iter()
            .map(|disk| (&*disk.device, disk.columns.len()))
            .collect();
        assert_eq!(
            names,
            [
                ("sda", 11),
                ("sdaa", 15),
                ("nvme0n1", 17),
                ("dm-0", 11),
                ("md127", 11)
            ]
        );
        assert_eq!(
            (
                disks[0].read_bytes(),
                disks[0].written_bytes(),
                disks[0].busy_ms()
            ),
            (102_400, 204_800, 700)
        );
        assert!(is_made_of_others("dm-0") && is_made_of_others("md127") && !is_made_of_others("sda"));
    }
}
