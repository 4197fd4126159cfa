//! From where on something counts as too much. The summary, the baseline and the findings go by the same figures, so that none
//! of them calls full what another does not.

/// The share of requests that may fail.
pub(super) const ERRORS: f64 = 0.01;

/// The machine's or the container's CPU.
pub(super) const CPU: f64 = 0.95;
/// One core, while the machine has others to spare.
pub(super) const ONE_CORE: f64 = 0.98;
/// Tasks that run or wait to run, for each core: while one runs another waits. Gregg counts a machine's CPU as saturated from
/// more than one on (the USE method, 2013); a reading is of an instant, so it takes twice that.
pub(super) const RUN_QUEUE: f64 = 2.0;
/// The part of the time that work waited for the CPU.
pub(super) const CPU_WAIT: f64 = 0.75;
/// Below this share of all its cores a machine has some to spare.
pub(super) const SPARE: f64 = 0.9;
/// The part of a container's periods in which its CPU quota was used up.
pub(super) const THROTTLED: f64 = 0.25;
/// CPU that the hypervisor gave to others.
pub(super) const STEAL: f64 = 0.1;
/// Memory, of the machine or the container.
pub(super) const MEMORY: f64 = 0.95;
/// The part of the time that work waited for memory.
pub(super) const MEMORY_WAIT: f64 = 0.1;
/// Swap space.
pub(super) const SWAP: f64 = 0.9;
/// The part of the time that the disk was busy.
pub(super) const DISK: f64 = 0.95;
/// The part of the time that work waited for the disk.
pub(super) const DISK_WAIT: f64 = 0.5;
/// Files that may be open on the machine, or in a process (`ulimit -n`).
pub(super) const FILES: f64 = 0.9;
/// Connections that the firewall keeps track of.
pub(super) const CONNTRACK: f64 = 0.9;
/// A link's speed. What is counted leaves out what lies between frames, some 2 % and more of small ones.
pub(super) const NETWORK: f64 = 0.9;
/// Packets in error or dropped: with as many TCP's throughput falls off (Mathis and others 1997, by the root of this share).
pub(super) const LOSS: f64 = 0.01;
/// Fewer of them a second are what no network is without, and a large share of little.
pub(super) const LOST: f64 = 10.0;
