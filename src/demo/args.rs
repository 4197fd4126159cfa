//! The arguments of `loadgen demo`.

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::capacity::Limits;
use crate::pace::parse_duration;

/// Serve the embedded target: a small system with an adjustable capacity, to try scenarios on.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct DemoArgs {
    /// Ports of wallet, store, spawn, app, sequencer and happy [default: 3001,3002,3004,3000,8080,8787]
    #[arg(
        long,
        value_name = "PORTS",
        value_delimiter = ',',
        conflicts_with = "port",
        help_heading = "Addresses"
    )]
    pub ports: Option<Vec<u16>>,

    /// First port: the services take it and those that follow; 0 takes free ones
    #[arg(long, value_name = "PORT", help_heading = "Addresses")]
    pub port: Option<u16>,

    /// Address to listen on
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), help_heading = "Addresses")]
    pub bind: IpAddr,

    /// Worker slots: requests whose CPU cost is paid at the same time [default: one for each core]
    #[arg(long, value_name = "N", help_heading = "Capacity")]
    pub workers: Option<NonZeroUsize>,

    /// CPU time that each request really burns, in a worker slot; 0 for none
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "100us", help_heading = "Capacity")]
    pub cpu_cost: Duration,

    /// Requests that may wait for their turn; past them the answer is 503 with Retry-After
    #[arg(long, value_name = "N", default_value_t = 256, help_heading = "Capacity")]
    pub queue: usize,

    /// Requests per second that are let through; the others wait in the queue [default: no limit]
    #[arg(long, value_name = "N", help_heading = "Capacity")]
    pub capacity: Option<NonZeroU32>,

    /// Time that each answer takes without using CPU, as if spent waiting for a database
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "0s", help_heading = "Capacity")]
    pub latency: Duration,

    /// How far the latency varies to either side, evenly
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "0s", help_heading = "Capacity")]
    pub jitter: Duration,

    /// Requests that may spend their latency at the same time, as with a pool of database connections; the others wait in
    /// the queue [default: no limit]
    #[arg(long, value_name = "N", help_heading = "Capacity")]
    pub pool: Option<NonZeroUsize>,

    /// Share of requests, 0 to 1, that fail with 500 while the queue is more than half full
    #[arg(long, value_name = "SHARE", value_parser = parse_share, default_value_t = 0.0, help_heading = "Capacity")]
    pub error_rate: f64,

    /// Answer 402 on the paid endpoints to requests without an x-payment header
    #[arg(long, help_heading = "Behaviour")]
    pub payment_required: bool,

    /// Seed of the jitter and of the failures
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Behaviour")]
    pub seed: u64,

    /// Token that is accepted beside test-api-key and test-auth-token; may be given several times
    #[arg(long = "token", value_name = "TOKEN", help_heading = "Behaviour")]
    pub tokens: Vec<String>,

    /// Orders per second of flux-gate; past them the answer is 302 to the waiting room [default: no limit]
    #[arg(long, value_name = "N", help_heading = "Behaviour")]
    pub waiting_room: Option<u32>,

    /// Requests per minute to the sequencer's API; past them the answer is 429 with Retry-After [default: no limit]
    #[arg(long, value_name = "N", help_heading = "Behaviour")]
    pub rate_limit_per_minute: Option<u32>,

    /// Make a system wrong on purpose, to see that a test notices; may be given several times
    #[arg(long = "fault", value_name = "FAULT", value_enum, help_heading = "Behaviour")]
    pub faults: Vec<Fault>,

    /// Things that a system holds at most: past them a new key of the store is answered with 507, elsewhere the oldest go
    #[arg(long, value_name = "N", default_value_t = 100_000, help_heading = "Behaviour")]
    pub max_keys: usize,

    /// Largest request body in bytes, for batches 16 times as much; a larger one is answered with 413
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024, help_heading = "Behaviour")]
    pub max_body: usize,

    /// Threads that serve connections [default: one for every two cores, at most 8]
    #[arg(long, value_name = "N", help_heading = "Behaviour")]
    pub threads: Option<NonZeroUsize>,

    /// Print the addresses as one line of JSON instead of a line for each
    #[arg(long, help_heading = "Behaviour")]
    pub print_ports: bool,

    /// End as soon as standard input is closed, so that a parent that is killed does not leave it behind
    #[arg(long, help_heading = "Behaviour")]
    pub exit_on_stdin_eof: bool,
}

/// What a system does wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// flux-gate accepts one in twenty of the orders past its stock
    Oversell,
}

/// Where the services listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// Each service on the port that is its own by convention.
    Usual,
    /// Each service on a port that happens to be free.
    Free,
    /// On this port and those that follow it.
    From(u16),
    /// On these, in the services' order.
    These(Vec<u16>),
}

/// How the embedded target is to behave: [`DemoArgs`] with the machine's defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoOptions {
    /// Address to listen on.
    pub bind: IpAddr,
    /// Ports to listen on.
    pub ports: Ports,
    /// Threads that serve connections.
    pub threads: usize,
    /// How much load it bears, and what happens past that.
    pub limits: Limits,
    /// Whether paid endpoints want an `x-payment` header.
    pub payment_required: bool,
    /// Tokens that are accepted beside the usual ones.
    pub tokens: Vec<String>,
    /// Orders per second before buyers are sent to the waiting room.
    pub waiting_room: Option<u32>,
    /// Requests per minute to the sequencer's API.
    pub rate_limit_per_minute: Option<u32>,
    /// What goes wrong on purpose.
    pub faults: Vec<Fault>,
    /// Things that a system holds at most.
    pub max_keys: usize,
    /// Largest request body, in bytes.
    pub max_body: usize,
    /// Print the addresses as JSON.
    pub print_ports: bool,
    /// Take the end of standard input for a request to stop.
    pub exit_on_stdin_eof: bool,
}

impl From<DemoArgs> for DemoOptions {
    fn from(args: DemoArgs) -> DemoOptions {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        DemoOptions {
            bind: args.bind,
            ports: match (args.ports, args.port) {
                (Some(ports), _) => Ports::These(ports),
                (None, Some(0)) => Ports::Free,
                (None, Some(first)) => Ports::From(first),
                (None, None) => Ports::Usual,
            },
            threads: args.threads.map_or((cores / 2).clamp(1, 8), NonZeroUsize::get),
            limits: Limits {
                workers: args.workers.map_or(cores, NonZeroUsize::get),
                cpu_cost: args.cpu_cost,
                queue: args.queue,
                per_second: args.capacity,
                latency: args.latency,
                jitter: args.jitter,
                pool: args.pool.map(NonZeroUsize::get),
                error_rate: args.error_rate,
                seed: args.seed,
            },
            payment_required: args.payment_required,
            tokens: args.tokens,
            waiting_room: args.waiting_room,
            rate_limit_per_minute: args.rate_limit_per_minute,
            faults: args.faults,
            max_keys: args.max_keys,
            max_body: args.max_body,
            print_ports: args.print_ports,
            exit_on_stdin_eof: args.exit_on_stdin_eof,
        }
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a share between 0 and 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        demo: DemoArgs,
    }

    fn options(args: &[&str]) -> Result<DemoOptions, clap::Error> {
        let all = std::iter::once("demo").chain(args.iter().copied());
        Command::try_parse_from(all).map(|command| command.demo.into())
    }

    #[test]
    fn the_arguments_are_consistent() {
        Command::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let options = options(&[]).expect("no arguments are needed");
        assert_eq!(options.ports, Ports::Usual);
        assert_eq!(options.bind, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(options.limits.cpu_cost, Duration::from_micros(100));
        assert_eq!((options.limits.queue, options.limits.per_second), (256, None));
        assert!(options.limits.workers >= 1 && options.threads >= 1);
        assert!(!options.payment_required && !options.exit_on_stdin_eof);
    }

    #[test]
    fn ports_are_a_list_a_first_one_or_free_ones() {
        let ports = |args: &[&str]| options(args).map(|options| options.ports).ok();
        assert_eq!(ports(&["--ports", "1,2,3"]), Some(Ports::These(vec![1, 2, 3])));
        assert_eq!(ports(&["--port", "0"]), Some(Ports::Free));
        assert_eq!(ports(&["--port", "4000"]), Some(Ports::From(4000)));
        assert_eq!(
            ports(&["--port", "0", "--ports", "1,2,3"]),
            None,
            "they exclude each other"
        );
        assert_eq!(ports(&["--ports", "1,65536"]), None);
    }

    #[test]
    fn what_the_systems_are_told_is_passed_on() {
        let plain = options(&[]).expect("no arguments are needed");
        assert_eq!((plain.tokens.len(), plain.faults.len()), (0, 0));
        assert_eq!((plain.waiting_room, plain.rate_limit_per_minute), (None, None));
        let told = [
            "--token",
            "a",
            "--token",
            "b",
            "--waiting-room",
            "7",
            "--rate-limit-per-minute",
            "60",
            "--fault",
            "oversell",
        ];
        let told = options(&told).expect("they are arguments");
        assert_eq!(
            (told.tokens, told.faults),
            (vec!["a".to_owned(), "b".to_owned()], vec![Fault::Oversell])
        );
        assert_eq!(
            (told.waiting_room, told.rate_limit_per_minute),
            (Some(7), Some(60))
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for args in [
            ["--error-rate", "1.5"],
            ["--error-rate", "NaN"],
            ["--workers", "0"],
            ["--capacity", "0"],
            ["--cpu-cost", "fast"],
            ["--queue", "many"],
            ["--fault", "unknown"],
            ["--waiting-room", "some"],
        ] {
            let error = options(&args).expect_err(args[0]).to_string();
            assert!(error.contains(args[0]), "{error}");
        }
    }
}
