//! What a machine is, as far as a result depends on it: read once, where [`HostSample`](super::HostSample) is read
//! every second.

/// A machine's make.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Machine {
    /// What it calls itself.
    pub host: String,
    /// The system and its version: `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// The kernel and its version: `Linux 6.1.0-18-amd64`.
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub architecture: String,
    /// Cores that are online; what a control group leaves of them is in `limits`.
    pub cores: u32,
    /// What the processor calls itself, where it does.
    pub cpu_model: Option<String>,
    /// Bytes, where the machine tells.
    pub memory: Option<u64>,
    /// What the control group of this process may use, where that is less than the machine.
    pub limits: Option<Limits>,
}

/// The limits of a control group: those of a container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// 1 or 2.
    pub cgroup: u8,
    /// CPU time per time: 1.5 is one core and a half.
    pub cpus: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
}
