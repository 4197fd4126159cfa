//! One connection to the server, on a thread of its own: made, used, lost, made again.

use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::shared::{Lane, Shared};
use crate::remote::ssh::pump::Pump;
use crate::remote::ssh::{Connection, Failed, Jump, SshError, Transport, anchor};

/// The first pause before another attempt, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A pause is cut into pieces of this length, so that nobody waits for its end to stop.
const NAP: Duration = Duration::from_millis(50);
/// A connection that has lasted for this long was a good one: the next pause is a short one again.
const GOOD: Duration = Duration::from_secs(10);

/// Runs a lane until the tunnel is closed or given up. `first` is a connection that is there already.
pub fn run(shared: &Shared, index: usize, mut poll: Poll, mut first: Option<Connection>) {
    let mut pauses = Pauses::default();
    while !shared.is_stopped() {
        let mut session = match connect(shared, index, &poll, &mut first, &mut pauses) {
            Ok(session) => session,
            Err(_) if shared.is_stopped() => return,
            Err(error) => return shared.give_up(error),
        };
        let began = Instant::now();
        shared.came_up(index);
        let ended = serve(shared, index, &mut session.pump, &mut poll);
        // From here on nobody gives it connections.
        let left = shared.went_down(index);
        if let Err(reason) = &ended
            && !shared.is_stopped()
        {
            shared.lost(index, reason);
        }
        for (socket, target) in session.pump.end(ended.is_ok()).into_iter().chain(left) {
            shared.dispatch(socket, target);
        }
        if began.elapsed() > GOOD {
            pauses = Pauses::default();
        }
    }
}

/// A connection that is in use.
struct Session<'a> {
    pump: Pump<'a>,
    /// What it goes through.
    _jump: Option<Jump>,
}

/// Tries until it is connected, or there is no use in trying.
fn connect<'a>(
    shared: &'a Shared,
    index: usize,
    poll: &Poll,
    first: &mut Option<Connection>,
    pauses: &mut Pauses,
) -> Result<Session<'a>, SshError> {
    let lane = &shared.lanes[index];
    let began = Instant::now();
    loop {
        let connection = match first.take() {
            Some(connection) => Ok(connection),
            None => {
                // Lanes that start with the tunnel have nothing to wait for.
                if pauses.count > 0 || lane.traffic.has_run() {
                    pause(shared, pauses.length());
                }
                pauses.count += 1;
                shared.connector.connect(&lane.stop)
            }
        };
        match connection.and_then(|connection| session(shared, lane, poll, connection)) {
            Err(error) if error.may_pass() && !shared.is_stopped() => {
                tracing::debug!("connecting to {}: {error}", shared.host);
                let dark = shared.dark_for().unwrap_or_default();
                if dark.min(began.elapsed()) > shared.patience {
                    return Err(SshError::GivenUp {
                        host: shared.host.to_string(),
                        seconds: dark.as_secs(),
                        reason: error.to_string(),
                    });
                }
            }
            connected => return connected,
        }
    }
}

/// Makes a connection ready to carry others.
fn session<'a>(
    shared: &'a Shared,
    lane: &'a Lane,
    poll: &Poll,
    connection: Connection,
) -> Result<Session<'a>, SshError> {
    let Connection {
        session,
        socket,
        jump,
    } = connection;
    let mut transport = Transport::new(session, socket)?;
    let anchor = anchor(&mut transport, &shared.stop).map_err(|failed| match failed {
        Failed::Channel(reason) => SshError::Denied {
            host: shared.host.to_string(),
            what: "a session (is MaxSessions 0 there?)",
            reason,
        },
        Failed::Session(reason) => SshError::Lost {
            host: shared.host.to_string(),
            reason,
        },
    })?;
    Ok(Session {
        pump: Pump::new(transport, anchor, poll, &shared.targets, &lane.traffic)?,
        _jump: jump,
    })
}

fn pause(shared: &Shared, length: Duration) {
    let end = Instant::now() + length;
    while !shared.is_stopped() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(NAP));
    }
}

/// Moves bytes until the connection is lost, or the tunnel closed.
fn serve(shared: &Shared, index: usize, pump: &mut Pump, poll: &mut Poll) -> Result<(), String> {
    let lane = &shared.lanes[index];
    let mut events = Events::with_capacity(256);
    while !shared.is_stopped() {
        while let Some((socket, target)) = lane.take() {
            pump.adopt(socket, target)?;
            lane.taken();
        }
        pump.keep_warm(shared.warm_of(index));
        pump.turn(poll, &mut events, Duration::from_secs(1))?;
    }
    Ok(())
}

/// How long to wait before each attempt: the first follows soon, later ones ever less so, and no two lanes at once.
#[derive(Default)]
struct Pauses {
    /// Attempts so far.
    count: u32,
}

impl Pauses {
    fn length(&self) -> Duration {
        let longest = FIRST_PAUSE
            .saturating_mul(1 << self.count.min(10))
            .min(LONGEST_PAUSE);
        longest.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let lengths: Vec<Duration> = (0..40).map(|count| Pauses { count }.length()).collect();
        assert!(lengths[0] <= FIRST_PAUSE && lengths[0] >= FIRST_PAUSE / 2);
        assert!(lengths[20..].iter().all(|length| *length >= LONGEST_PAUSE / 2));
        assert!(lengths.iter().all(|length| *length <= LONGEST_PAUSE));
    }
}
