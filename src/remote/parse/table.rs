//! The table of processes, and which of them a name means.

use std::collections::BTreeMap;

use crate::remote::procfs::{ProcessStat, process_stat};

/// A process with what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub stat: ProcessStat,
    /// Its command line, as one text; empty for kernel threads, and where it could not be read.
    pub command: String,
}

/// Programs that run others: what they run is what people call it.
const INTERPRETERS: [&str; 13] = [
    "node", "nodejs", "bun", "deno", "python", "ruby", "perl", "php", "java", "sh", "bash", "dash", "tsx",
];

/// The table from `/proc/[0-9]*/stat`, one after the other, and the command lines by process id.
pub fn table(stats: &str, commands: &BTreeMap<u32, String>) -> Vec<Entry> {
    let entry = |line: &str| {
        let stat = process_stat(line)?;
        let command = commands.get(&stat.pid).cloned().unwrap_or_default();
        Some(Entry { stat, command })
    };
    text_lines(stats).filter_map(entry).collect()
}

fn text_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}

/// Command lines from what `ps -eo pid,args` prints.
pub fn commands(ps: &str) -> BTreeMap<u32, String> {
    let command = |line: &str| {
        let (pid, command) = line.trim_start().split_once(' ')?;
        Some((pid.parse().ok()?, command.trim().to_owned()))
    };
    text_lines(ps).filter_map(command).collect()
}

impl Entry {
    /// What the program is called: the last part of its path, else the name that the kernel keeps.
    pub fn program(&self) -> &str {
        let first = self.words().next().map(base).unwrap_or_default();
        // Programs that write what they do over their command line: `postgres: writer`, `nginx: worker process`.
        let first = first.trim_end_matches(':').trim_start_matches('-');
        if first.is_empty() { &self.stat.comm } else { first }
    }

    /// Whether `name` is what people call it: the program, the kernel's name for it, or the script that it runs.
    pub fn is_called(&self, name: &str) -> bool {
        // The kernel keeps 15 bytes of a name.
        let kept = name.get(..15).unwrap_or(name);
        if self.stat.comm == kept || self.program() == name {
            return true;
        }
        let interpreter = self
            .program()
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        if !INTERPRETERS.contains(&interpreter) {
            return false;
        }
        let script = self.words().skip(1).find(|word| !word.starts_with('-')).map(base);
        script.is_some_and(|script| script == name || stem(script) == name)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.command.split_ascii_whitespace()
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// Names of running programs that look most like one that is not running.
pub fn similar<'a>(table: &'a [Entry], name: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = table
        .iter()
        .filter(|entry| !entry.command.is_empty())
        .map(Entry::program)
        .collect();
    names.sort_unstable();
    names.dedup();
    let near = |candidate: &str| {
        if candidate.contains(name) || name.contains(candidate) {
            return 1.0;
        }
        strsim::jaro_winkler(candidate, name)
    };
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|candidate| (near(candidate), candidate))
        .collect();
    scored.retain(|(score, _)| *score > 0.75);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(comm: &str, command: &str) -> Entry {
        let line = format!("7 ({comm}) S 1 7 7 0 -1 0 0 0 0 0 3 4 0 0 20 0 5 0 99 1000 25 1");
        let commands = commands(&format!("    7 {command}\n"));
        table(&line, &commands).remove(0)
    }

    #[test]
    fn a_process_is_known_by_several_names() {
        let table = [
            (entry("redis-server", "redis-server *:6379"), vec!["redis-server"]),
            (
                entry("node", "node apps/ingestion-api/server.js"),
                vec!["node", "server.js", "server"],
            ),
            (
                entry("MainThread", "/usr/bin/node --inspect apps/waiting-room"),
                vec!["node", "MainThread", "waiting-room"],
            ),
            (
                entry("python3", "/usr/bin/python3.11 -u app.py"),
                vec!["python3", "python3.11", "app"],
            ),
            (
                entry("averylongprogra", "/opt/averylongprogramname -x"),
                vec!["averylongprogramname", "averylongprogra"],
            ),
            (entry("postgres", "postgres: checkpointer"), vec!["postgres"]),
            (entry("kworker/0:1", ""), vec!["kworker/0:1"]),
        ];
        for (entry, names) in &table {
            for name in names {
                assert!(entry.is_called(name), "{name}: {entry:?}");
            }
        }
        let other = entry("loadgen", "loadgen run --watch redis-server x.js");
        assert!(!other.is_called("redis-server") && !other.is_called("x.js"));
        let editor = entry("vim", "vim server.js");
        assert!(!editor.is_called("server"));
    }

    #[test]
    fn names_that_are_nearly_right() {
        let table = [
            entry("redis-server", "redis-server"),
            entry("nginx", "nginx: master"),
            entry("kthreadd", ""),
        ];
        assert_eq!(similar(&table, "redis"), ["redis-server"]);
        assert_eq!(similar(&table, "ngnix"), ["nginx"]);
        assert!(similar(&table, "kthreadd").is_empty() && similar(&table, "zzz").is_empty());
    }
}
