//! Who is meant by a watch, when sampling starts and when somebody has gone: the dear part, which needs the table of
//! processes or who listens on a port.

use super::Sampler;
use crate::remote::ProbeError;
use crate::remote::parse::table::{self, Entry};
use crate::remote::watch::Wanted;

impl Sampler {
    /// Finds what has to be there, or says what is not.
    pub(super) fn find_required(&mut self) -> Result<(), ProbeError> {
        if self.tracked.is_empty() {
            return Ok(());
        }
        let table = self.source.table()?;
        for index in 0..self.tracked.len() {
            let watch = self.tracked[index].watch.clone();
            let found = self.roots(&watch.wanted, &table);
            match found {
                Ok((wanted, roots)) => {
                    self.tracked[index].watch.wanted = wanted;
                    self.tracked[index].found(&roots, &table);
                }
                Err(error) if watch.required => return Err(error),
                Err(error) => {
                    if matches!(error, ProbeError::Unseen { .. }) {
                        tracing::warn!("{error}");
                    } else {
                        tracing::info!("{error}; it is looked for again");
                    }
                    self.tracked[index].search();
                }
            }
        }
        Ok(())
    }

    /// The processes that are meant, and by what they are to be found again.
    fn roots(&mut self, wanted: &Wanted, table: &[Entry]) -> Result<(Wanted, Vec<u32>), ProbeError> {
        let host = self.meter.sample.host.to_string();
        let alive = |pid: u32| {
            let entry = table.iter().find(|entry| entry.stat.pid == pid);
            entry.is_some_and(|entry| !entry.stat.is_zombie())
        };
        let nobody = |hint: String| ProbeError::NoSuchProcess {
            host: host.clone(),
            wanted: wanted.to_string(),
            hint,
        };
        match wanted {
            Wanted::Pid(pid) if alive(*pid) => Ok((wanted.clone(), vec![*pid])),
            Wanted::Pid(_) => Err(nobody(String::new())),
            Wanted::Port(port) => match self.source.listener(*port)? {
                listener if !listener.pids.is_empty() => Ok((wanted.clone(), listener.pids)),
                listener if listener.bound => Err(ProbeError::Unseen { host, port: *port }),
                _ => Err(ProbeError::NobodyListens { host, port: *port }),
            },
            Wanted::Number(number) => {
                let port = u16::try_from(*number).ok();
                let listener = port
                    .map(|port| self.source.listener(port))
                    .transpose()?
                    .unwrap_or_default();
                match port {
                    Some(port) if !listener.pids.is_empty() => Ok((Wanted::Port(port), listener.pids)),
                    _ if alive(*number) => Ok((Wanted::Pid(*number), vec![*number])),
                    Some(port) if listener.bound => Err(ProbeError::Unseen { host, port }),
                    _ => Err(nobody(", and nobody listens on a port of that number".to_owned())),
                }
            }
            Wanted::Name(name) => {
                let own = std::process::id();
                let ours = |entry: &&Entry| entry.stat.pid == own && !self.plan.thrifty;
                let roots: Vec<u32> = table
                    .iter()
                    .filter(|entry| entry.is_called(name) && !entry.stat.is_zombie() && !ours(entry))
                    .map(|entry| entry.stat.pid)
                    .collect();
                if roots.is_empty() {
                    let similar = table::similar(table, name);
                    return Err(nobody(if similar.is_empty() {
                        String::new()
                    } else {
                        format!("; there is {}", similar.join(", "))
                    }));
                }
                Ok((wanted.clone(), roots))
            }
        }
    }

    /// Looks for those who have gone, now and then.
    pub(super) fn search(&mut self) -> Result<(), ProbeError> {
        let due: Vec<usize> = (0..self.tracked.len())
            .filter(|index| self.tracked[*index].is_due())
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let table = self.source.table()?;
        for index in due {
            let wanted = self.tracked[index].watch.wanted.clone();
            match self.roots(&wanted, &table) {
                Ok((wanted, roots)) => {
                    let tracked = &mut self.tracked[index];
                    tracked.watch.wanted = wanted;
                    if tracked.found(&roots, &table) {
                        tracing::info!("{}: found {} again", self.meter.sample.host, tracked.name);
                    }
                }
                // Not there yet; what else is wrong shows at the next reading.
                Err(error) => tracing::debug!("{error}"),
            }
        }
        Ok(())
    }
}
