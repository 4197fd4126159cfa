//! One session's loop: waits for the session's socket and those of its streams, and moves what can be moved.
//!
//! Everything of a session happens on one thread. libssh2 is asked after each read of the socket, for every stream, as it
//! does not tell which channel a packet was for; what it costs to ask is small next to the packet's decryption.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};

use super::crowd::{Crowd, Seen, WINDOW};
use super::stream::{Step, Stream};
use super::traffic::{Target, Traffic};
use super::transport::{Channel, Failed, Ready, Transport};
use super::warm::Warm;

/// The token of the loop's owner, who wakes it.
pub const WAKE: Token = Token(0);
const SESSION: Token = Token(1);
const FIRST: usize = 2;

/// So often the socket is read before the streams' own events are looked at again.
const ROUNDS: usize = 4;
/// How often the round trip is measured.
const PROBE: Duration = Duration::from_secs(1);
/// A server that does not answer for this long is gone.
const SILENCE: Duration = Duration::from_secs(15);
/// After a refusal nothing is opened ahead for this long.
const PAUSE: Duration = Duration::from_secs(1);
/// When libssh2 takes no bytes, it is asked again after this long.
const STALL: Duration = Duration::from_millis(5);
/// Refusals are told this often.
const TELL: Duration = Duration::from_secs(10);

struct Entry {
    stream: Stream,
    target: usize,
    seen: Seen,
}

/// A session's loop. What has to be closed before the transport goes stands before it.
pub struct Pump<'a> {
    streams: Vec<Option<Entry>>,
    free: Vec<usize>,
    /// Streams without a channel, the longest waiting first.
    waiting: VecDeque<usize>,
    warm: Vec<Warm>,
    closing: Vec<Channel>,
    /// Something to ask libssh2 to read for: without a channel it takes no bytes in at all.
    anchor: Channel,
    transport: Transport,
    targets: &'a [Target],
    traffic: &'a Traffic,
    registry: Registry,
    /// The target whose channel is on its way: one at a time.
    opening: Option<usize>,
    probe: Option<Instant>,
    next_probe: Instant,
    /// When what is open ahead was looked at last.
    swept: Instant,
    crowd: Crowd,
    /// Streams did not read because there was too much to send.
    held_back: bool,
    /// There is something to do at once.
    again: bool,
    /// libssh2 took none of what has come: not at once, then.
    stalled: bool,
    scratch: Box<[u8]>,
    ready: Vec<usize>,
}

impl<'a> Pump<'a> {
    /// A loop over a session, in which `anchor` is open.
    pub fn new(
        transport: Transport,
        anchor: Channel,
        poll: &Poll,
        targets: &'a [Target],
        traffic: &'a Traffic,
    ) -> io::Result<Pump<'a>> {
        let registry = poll.registry().try_clone()?;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&transport.socket().as_raw_fd()), SESSION, both)?;
        Ok(Pump {
            streams: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            warm: targets.iter().map(|_| Warm::default()).collect(),
            closing: Vec::new(),
            anchor,
            transport,
            targets,
            traffic,
            registry,
            opening: None,
            probe: None,
            next_probe: Instant::now(),
            swept: Instant::now(),
            crowd: Crowd::new(Instant::now()),
            held_back: false,
            again: true,
            stalled: false,
            scratch: vec![0; 64 << 10].into_boxed_slice(),
            ready: Vec::new(),
        })
    }

    /// Keeps so many channels open for each target, in use or ahead.
    pub fn keep_warm(&mut self, count: usize) {
        self.again |= self.warm.iter().any(|warm| warm.wanted < count);
        for warm in &mut self.warm {
            warm.wanted = count;
        }
        if self.again {
            self.traffic.opening.store(true, Ordering::SeqCst);
        }
        self.traffic.warm_known.store(count, Ordering::SeqCst);
    }

    /// Takes a connection on. An error is one of the session.
    pub fn adopt(&mut self, socket: TcpStream, target: usize) -> Result<(), String> {
        let at = self.free.pop().unwrap_or(self.streams.len());
        let mut stream = Stream::new(socket);
        let both = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.registry.register(stream.socket(), Token(at + FIRST), both) {
            tracing::warn!("a connection could not be taken on: {error}");
            self.free.push(at);
            return Ok(());
        }
        if at == self.streams.len() {
            self.streams.push(None);
        }
        self.streams[at] = Some(Entry {
            stream,
            target,
            seen: Seen::default(),
        });
        Traffic::add(&self.traffic.active, 1);
        self.warm[target].came();
        // There is a channel to open, for this one or in the place of one that was open ahead.
        self.again = true;
        match self.warm_channel(target) {
            Some(channel) => self.begin(at, channel),
            None => {
                self.waiting.push_back(at);
                self.count_waiting();
                Ok(())
            }
        }
    }

    /// A channel that was opened ahead and still leads somewhere.
    fn warm_channel(&mut self, target: usize) -> Option<Channel> {
        while let Some(channel) = self.warm[target].channels.pop() {
            self.traffic.warm.fetch_sub(1, Ordering::Relaxed);
            if !channel.is_over() {
                return Some(channel);
            }
            self.closing.push(channel);
        }
        None
    }

    /// Waits for something to do, at most `limit`, and does it. An error is the session's end.
    pub fn turn(&mut self, poll: &mut Poll, events: &mut Events, limit: Duration) -> Result<(), String> {
        let now = Instant::now();
        let mut limit = limit.min(self.next_probe.saturating_duration_since(now));
        if self.crowd.is_many() {
            limit = limit.min(WINDOW);
        }
        let limit = match (self.again, std::mem::take(&mut self.stalled)) {
            (true, false) => Duration::ZERO,
            (_, true) => limit.min(STALL),
            (false, false) => limit,
        };
        let everyone = std::mem::take(&mut self.again);
        match poll.poll(events, Some(limit)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.to_string()),
            _ => {}
        }
        self.ready.clear();
        for event in events.iter() {
            self.noted(event);
        }
        self.open()?;
        if everyone {
            self.step_all()?;
        } else {
            let ready = std::mem::take(&mut self.ready);
            for at in &ready {
                self.step(*at)?;
            }
            self.ready = ready;
        }
        self.take_in()?;
        self.measure()?;
        let together = self.crowd.look(now, self.traffic.shortest());
        self.transport.together(together);
        self.transport.flush().map_err(|error| lost(&error))?;
        if std::mem::take(&mut self.held_back) {
            if self.transport.is_full() {
                // The socket tells when it takes more.
                self.held_back = true;
            } else {
                self.again = true;
            }
        }
        Ok(())
    }

    fn noted(&mut self, event: &Event) {
        let over = event.is_read_closed() || event.is_error();
        let ready = Ready {
            readable: event.is_readable() || over,
            writable: event.is_writable(),
            over,
        };
        match event.token() {
            WAKE => {}
            SESSION => self.transport.ready(ready),
            Token(token) => {
                let at = token - FIRST;
                if let Some(Some(entry)) = self.streams.get_mut(at) {
                    entry.stream.ready(ready);
                    self.ready.push(at);
                }
            }
        }
    }

    /// Reads from the session, and lets everybody take what came.
    fn take_in(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS {
            if !self.transport.has_input() {
                return Ok(());
            }
            if !self.transport.fill().map_err(|error| lost(&error))? {
                return Ok(());
            }
            self.drain()?;
            self.open()?;
            self.step_all()?;
            self.close()?;
        }
        self.again |= self.transport.has_input();
        Ok(())
    }

    /// Lets libssh2 read until nothing is left: it says "not now" also at a packet that is not whole.
    fn drain(&mut self) -> Result<(), String> {
        let mut unread = self.transport.unread();
        while unread > 0 {
            match self.anchor.read(&mut self.scratch[..64], &self.transport) {
                Ok(_) | Err(Failed::Channel(_)) => {}
                Err(Failed::Session(reason)) => return Err(reason),
            }
            let left = self.transport.unread();
            if left == unread {
                self.stalled = true;
                break;
            }
            unread = left;
        }
        Ok(())
    }

    fn step_all(&mut self) -> Result<(), String> {
        for at in 0..self.streams.len() {
            self.step(at)?;
        }
        Ok(())
    }

    fn step(&mut self, at: usize) -> Result<(), String> {
        let Some(Some(entry)) = self.streams.get_mut(at) else {
            return Ok(());
        };
        if entry.stream.is_waiting() {
            return Ok(());
        }
        let full = self.transport.is_full();
        self.held_back |= full;
        let (step, moved) = entry.stream.step(&mut self.transport, full, &mut self.scratch)?;
        if moved.up + moved.down > 0 {
            self.crowd.moved(&mut entry.seen);
        }
        Traffic::add(&self.traffic.up, moved.up);
        Traffic::add(&self.traffic.down, moved.down);
        if step == Step::Done {
            self.remove(at);
        }
        Ok(())
    }

    fn remove(&mut self, at: usize) -> Option<Entry> {
        let entry = self.streams[at].take();
        if let Some(Entry { target, .. }) = &entry {
            self.free.push(at);
            self.traffic.active.fetch_sub(1, Ordering::Relaxed);
            let warm = &mut self.warm[*target];
            warm.gone();
            self.again |= warm.is_short();
        }
        entry
    }

    fn begin(&mut self, at: usize, channel: Channel) -> Result<(), String> {
        if let Some(entry) = &mut self.streams[at] {
            entry.stream.begin(channel);
            Traffic::add(&self.traffic.opened, 1);
        }
        self.step(at)
    }

    /// Goes on with opening channels: for who waits, then ahead.
    fn open(&mut self) -> Result<(), String> {
        while let Some(target) = self.opening.or_else(|| self.next_to_open()) {
            self.opening = Some(target);
            let Target { host, port } = &self.targets[target];
            match self.transport.open(host, *port) {
                Ok(None) => return Ok(()),
                Ok(Some(channel)) => {
                    self.opening = None;
                    match self.take_waiting(target) {
                        Some(at) => self.begin(at, channel)?,
                        None => {
                            self.warm[target].channels.push(channel);
                            Traffic::add(&self.traffic.warm, 1);
                        }
                    }
                }
                Err(Failed::Channel(reason)) => {
                    self.opening = None;
                    self.refused(target, &reason);
                }
                Err(Failed::Session(reason)) => return Err(reason),
            }
        }
        self.traffic.opening.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn next_to_open(&self) -> Option<usize> {
        let waiting = self.waiting.iter().find_map(|at| self.streams[*at].as_ref());
        if let Some(entry) = waiting {
            return Some(entry.target);
        }
        let now = Instant::now();
        self.warm
            .iter()
            .position(|warm| warm.is_short() && warm.paused.is_none_or(|until| now >= until))
    }

    fn take_waiting(&mut self, target: usize) -> Option<usize> {
        let streams = &self.streams;
        let wanted = |at: &usize| streams[*at].as_ref().is_some_and(|entry| entry.target == target);
        let place = self.waiting.iter().position(wanted)?;
        let taken = self.waiting.remove(place);
        self.count_waiting();
        taken
    }

    fn count_waiting(&self) {
        self.traffic
            .waiting
            .store(self.waiting.len() as u64, Ordering::Relaxed);
    }

    fn refused(&mut self, target: usize, reason: &str) {
        let asked = self.take_waiting(target).and_then(|at| self.remove(at));
        let prohibited = reason.contains("prohibited");
        let matters = asked.is_some() || prohibited;
        if let Some(entry) = asked {
            Traffic::add(&self.traffic.refused, 1);
            entry.stream.reset();
        }
        let now = Instant::now();
        let warm = &mut self.warm[target];
        warm.paused = Some(now + PAUSE);
        // Nobody may ever use what could not be opened ahead.
        if matters && warm.told.is_none_or(|told| now >= told + TELL) {
            warm.told = Some(now);
            let Target { host, port } = &self.targets[target];
            let mend = if prohibited {
                "does sshd allow it (AllowTcpForwarding, PermitOpen)?"
            } else {
                "is the service running there?"
            };
            tracing::warn!("the server does not connect to {host} port {port}: {reason}; {mend}");
        }
    }

    /// Goes on with closing what was opened ahead for nothing.
    fn close(&mut self) -> Result<(), String> {
        let mut at = 0;
        while at < self.closing.len() {
            match self.closing[at].close() {
                Ok(None) => at += 1,
                Ok(Some(())) | Err(Failed::Channel(_)) => {
                    self.closing.swap_remove(at);
                }
                Err(Failed::Session(reason)) => return Err(reason),
            }
        }
        Ok(())
    }

    /// Measures the round trip once a second, and sees by it whether the server is still there.
    fn measure(&mut self) -> Result<(), String> {
        let now = Instant::now();
        let started = match self.probe {
            Some(started) => started,
            None if now < self.next_probe => return Ok(()),
            None => {
                self.sweep();
                now
            }
        };
        self.probe = Some(started);
        match self.anchor.echo() {
            Ok(Some(())) => {
                self.traffic.measured(started.elapsed());
                self.probe = None;
                self.next_probe = started + PROBE;
            }
            Ok(None) if started.elapsed() > SILENCE => {
                return Err(format!("no answer for {} s", SILENCE.as_secs()));
            }
            Ok(None) => self.next_probe = now + PROBE,
            // It has not answered what was asked, but it has answered.
            Err(Failed::Channel(_)) => {
                self.probe = None;
                self.next_probe = now + PROBE;
            }
            Err(Failed::Session(reason)) => return Err(reason),
        }
        Ok(())
    }

    /// Takes out what was opened ahead and has ended since, as services close connections that say nothing; and what is
    /// no longer wanted.
    fn sweep(&mut self) {
        let now = Instant::now();
        let elapsed = now.duration_since(std::mem::replace(&mut self.swept, now));
        let round_trip = Duration::from_nanos(self.traffic.round_trip.load(Ordering::Relaxed));
        let before = self.closing.len();
        for warm in &mut self.warm {
            warm.look(elapsed, round_trip);
            warm.sweep(&mut self.closing);
            self.again |= warm.is_short();
        }
        let gone = self.closing.len() - before;
        self.traffic.warm.fetch_sub(gone as u64, Ordering::Relaxed);
    }

    /// Ends the loop. Connections that had begun are cut, those that had not are given back with their targets.
    pub fn end(mut self, politely: bool) -> Vec<(TcpStream, usize)> {
        if politely {
            self.transport.disconnect();
        }
        // The same file may be watched again under this number.
        let _ = self
            .registry
            .deregister(&mut SourceFd(&self.transport.socket().as_raw_fd()));
        let mut back = Vec::new();
        for entry in std::mem::take(&mut self.streams).into_iter().flatten() {
            let Entry {
                mut stream, target, ..
            } = entry;
            if stream.is_waiting() {
                // What is given back is watched by another loop.
                let _ = self.registry.deregister(stream.socket());
                back.push((stream.into_socket(), target));
            } else {
                Traffic::add(&self.traffic.cut, u64::from(!politely));
                stream.reset();
            }
        }
        self.traffic.active.store(0, Ordering::Relaxed);
        self.traffic.waiting.store(0, Ordering::Relaxed);
        self.traffic.warm.store(0, Ordering::Relaxed);
        back
    }
}

fn lost(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the server hung up".to_owned()
        }
        _ => error.to_string(),
    }
}
