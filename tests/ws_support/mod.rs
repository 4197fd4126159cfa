//! A WebSocket server for tests, in a thread of its own, that behaves as its path says.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// What the server has seen.
#[derive(Default)]
pub struct Log {
    /// Handshakes completed.
    pub opened: AtomicU64,
    /// TCP connections that are open now.
    pub connected: AtomicU64,
    /// The most that were open at one time.
    pub most: AtomicU64,
    /// Text and binary messages received.
    pub messages: AtomicU64,
    /// Heads of handshake requests.
    pub heads: Mutex<Vec<String>>,
    /// Close codes received, 1005 for a close without one, 1006 for no close at all.
    pub closes: Mutex<Vec<u16>>,
}

/// A server on a free port; it ends with the test process.
///
/// - `/echo`: sends back what it gets; `/echo/subprotocol/X` chooses X
/// - `/status/N`: answers N with a body and a header; `/silent`: never answers; `/garbage`: answers no HTTP
/// - `/push/N`: N text messages; `/flood`: text messages without end; `/binary/N`: one message of N bytes
/// - `/close/N`: closes with code N, with reason `bye`; 0: without a code; `/drop`: ends TCP without a close
/// - `/invalid`: a text message that is not UTF-8; `/masked`: a frame that a server must not send
/// - `/ping`: pings once, and then echoes; `/deaf`: never reads; `/stubborn`: never answers a close
pub struct WsServer {
    pub address: SocketAddr,
    pub log: Arc<Log>,
}

impl WsServer {
    pub fn start() -> WsServer {
        WsServer::launch(None)
    }

    /// Behind TLS, with a certificate that nobody trusts.
    pub fn start_tls() -> WsServer {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        // A server that would rather speak HTTP/2, as most do.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        WsServer::launch(Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn launch(tls: Option<TlsAcceptor>) -> WsServer {
        let log = Arc::new(Log::default());
        let (tell, told) = std::sync::mpsc::channel();
        let shared = log.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (log, tls) = (shared.clone(), tls.clone());
                    tokio::spawn(async move {
                        let now = log.connected.fetch_add(1, SeqCst) + 1;
                        log.most.fetch_max(now, SeqCst);
                        match tls {
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    let _ = converse(stream, &log).await;
                                }
                            }
                            None => drop(converse(stream, &log).await),
                        }
                        log.connected.fetch_sub(1, SeqCst);
                    });
                }
            });
        });
        WsServer {
            address: told.recv().unwrap(),
            log,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    pub fn opened(&self) -> u64 {
        self.log.opened.load(SeqCst)
    }

    pub fn messages(&self) -> u64 {
        self.log.messages.load(SeqCst)
    }

    pub fn closes(&self) -> Vec<u16> {
        let mut closes = self.log.closes.lock().unwrap().clone();
        closes.sort_unstable();
        closes
    }

    /// Waits until all connections have ended on this side too; fails if they do not.
    pub fn settled(&self) {
        let begin = Instant::now();
        while self.log.connected.load(SeqCst) > 0 {
            assert!(begin.elapsed() < Duration::from_secs(10), "connections are left");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

async fn forever() {
    tokio::time::sleep(Duration::from_mins(10)).await;
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, log: &Log) -> Option<()> {
    let head = read_head(&mut stream).await?;
    log.heads.lock().unwrap().push(head.clone());
    let path = head.split(' ').nth(1)?.split('?').next()?.to_owned();
    let mut parts = path.split('/').skip(1);
    let (what, detail) = (parts.next()?, parts.next().unwrap_or_default());
    let number: usize = detail.parse().unwrap_or_default();
    match what {
        "silent" => {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            return None;
        }
        "garbage" => return stream.write_all(b"SSH-2.0-nonsense\r\n\r\n").await.ok(),
        "status" => {
            let answer = format!(
                "HTTP/1.1 {detail} X\r\nContent-Length: 8\r\nX-Why: token\r\nSet-Cookie: seen=1; Path=/\r\n\r\nno token"
            );
            stream.write_all(answer.as_bytes()).await.ok()?;
            return stream.flush().await.ok();
        }
        _ => {}
    }
    let accept = derive_accept_key(field(&head, "sec-websocket-key")?.as_bytes());
    let protocol = match (detail, parts.next()) {
        ("subprotocol", Some(chosen)) => format!("Sec-WebSocket-Protocol: {chosen}\r\n"),
        _ => String::new(),
    };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSet-Cookie: seen=1; Path=/\r\n{protocol}\r\n"
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    log.opened.fetch_add(1, SeqCst);
    match what {
        "drop" => return None,
        "invalid" => stream.write_all(&[0x81, 2, 0xc3, 0x28]).await.ok()?,
        "masked" => stream.write_all(&[0x81, 0x81, 1, 2, 3, 4, 5]).await.ok()?,
        "deaf" => {
            forever().await;
            return None;
        }
        _ => {}
    }
    stream.flush().await.ok()?;
    let config = WebSocketConfig::default().max_frame_size(Some(64 << 20));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    behave(&mut socket, what, number).await.ok()?;
    listen(&mut socket, log, what).await;
    Some(())
}

async fn behave<S>(socket: &mut S, what: &str, number: usize) -> Result<(), Error>
where
    S: Sink<Message, Error = Error> + Unpin,
{
    match what {
        "push" => {
            for n in 0..number {
                socket.feed(Message::text(format!("message {n}"))).await?;
            }
            socket.flush().await
        }
        "binary" => socket.send(Message::binary(vec![7; number])).await,
        "close" => {
            let frame = (number > 0).then(|| CloseFrame {
                code: (number as u16).into(),
                reason: "bye".into(),
            });
            socket.send(Message::Close(frame)).await
        }
        "ping" => socket.send(Message::Ping("are you there".into())).await,
        _ => Ok(()),
    }
}

/// Reads to the end, echoing where the path asks for it.
async fn listen<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, log: &Log, what: &str) {
    let mut close = 1006;
    loop {
        let message = if what == "flood" {
            // Sends as long as there is nothing to read.
            match socket.next().now_or_never() {
                Some(message) => message,
                None if socket.send(Message::text("water")).await.is_ok() => {
                    tokio::task::yield_now().await;
                    continue;
                }
                None => None,
            }
        } else {
            socket.next().await
        };
        let Some(Ok(message)) = message else { break };
        match message {
            Message::Text(_) | Message::Binary(_) => {
                log.messages.fetch_add(1, SeqCst);
                if matches!(what, "echo" | "ping") && socket.send(message).await.is_err() {
                    break;
                }
            }
            Message::Close(frame) => {
                close = frame.map_or(1005, |frame| frame.code.into());
                if what == "stubborn" {
                    forever().await;
                }
            }
            _ => {}
        }
    }
    log.closes.lock().unwrap().push(close);
}
