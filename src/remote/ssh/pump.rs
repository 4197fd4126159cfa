//! One session's loop: waits for the session's socket and those of its streams, and moves what can be moved.
//!
//! Everything of a session happens on one thread. libssh2 is asked after each read of the socket, for every stream, as it
//! does not tell which channel a packet was for; what it costs to ask is small next to the packet's decryption.

mod channels;

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
use super::stream::{Look, Step, Stream};
use super::traffic::{Target, Traffic};
use super::transport::{Channel, Failed, Ready, Transport};
use super::warm::Warm;

/// The token of the loop's owner, who wakes it.
pub const WAKE: Token = Token(0);
const SESSION: Token = Token(1);
const FIRST: usize = 2;

/// How often the round trip is measured.
const PROBE: Duration = Duration::from_secs(1);
/// A server that does not answer for this long is gone.
const SILENCE: Duration = Duration::from_secs(15);
/// When libssh2 takes no bytes, it is asked again after this long.
const STALL: Duration = Duration::from_millis(5);

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
    /// There is something to do at once, perhaps for every stream.
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

    /// Waits for something to do, at most `limit`, and does it. An error is the session's end.
    pub fn turn(&mut self, poll: &mut Poll, events: &mut Events, limit: Duration) -> Result<(), String> {
        let now = Instant::now();
        let mut limit = limit.min(self.next_probe.saturating_duration_since(now));
        if self.crowd.is_many() {
            limit = limit.min(WINDOW);
        }
        let at_once = self.again || self.transport.has_input();
        let limit = match (at_once, std::mem::take(&mut self.stalled)) {
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
                self.step(*at, Look::End)?;
            }
            self.ready = ready;
        }
        // The server works on these requests while the answers that have come are passed on.
        self.flush()?;
        self.take_in()?;
        self.measure()?;
        let many = self.crowd.look(Instant::now(), self.traffic.shortest());
        self.transport.spare_acknowledgements(many);
        self.flush()?;
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

    /// Reads from the session, once, and lets everybody take what came. The streams' own events are looked at before the
    /// next read, so that what the clients send because of it leaves early.
    fn take_in(&mut self) -> Result<(), String> {
        if !self.transport.has_input() || !self.transport.fill().map_err(|error| lost(&error))? {
            return Ok(());
        }
        self.drain()?;
        self.open()?;
        self.step_all()?;
        self.close()
    }

    fn flush(&mut self) -> Result<(), String> {
        self.transport.flush().map_err(|error| lost(&error))
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
            self.step(at, Look::Data)?;
        }
        // To say that a channel has ended libssh2 looks through all packets that nobody has taken: now there are few.
        for at in 0..self.streams.len() {
            if let Some(Some(entry)) = self.streams.get(at)
                && entry.stream.has_ended()
            {
                self.step(at, Look::End)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, at: usize, look: Look) -> Result<(), String> {
        let Some(Some(entry)) = self.streams.get_mut(at) else {
            return Ok(());
        };
        if entry.stream.is_waiting() {
            return Ok(());
        }
        let full = self.transport.is_full();
        self.held_back |= full;
        let (step, moved) = entry
            .stream
            .step(&mut self.transport, look, full, &mut self.scratch)?;
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
        self.step(at, Look::End)
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
