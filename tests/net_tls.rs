//! TLS and HTTP/2: trust, versions, client certificates, ALPN, streams, and connections that end.
#![allow(clippy::unwrap_used)]

mod net_support;
mod tls_support;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use loadgen::address::HostOverride;
use loadgen::metrics::TlsTag;
use loadgen::net::{Client, ClientIdentity, NetOptions, Request, TlsVersion, code};
use net_support::*;
use rustls::ServerConfig;
use tls_support::{Pki, pki, server_config};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

thread_local! {
    /// How many requests for `/meet` have arrived; a test has its server on its own thread.
    static MEETING: Cell<u32> = const { Cell::new(0) };
}

#[derive(Clone)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// A hyper server behind TLS that echoes "VERSION path body-length" and counts its connections.
async fn echo(config: ServerConfig) -> (SocketAddr, Rc<Cell<usize>>) {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let connections = Rc::new(Cell::new(0));
    let count = Rc::clone(&connections);
    let address = serve(move |_, stream| {
        count.set(count.get() + 1);
        let acceptor = acceptor.clone();
        async move {
            let Ok(tls) = acceptor.accept(stream).await else {
                return;
            };
            let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let head = format!("{:?} {}", request.version(), request.uri());
                match request.uri().path() {
                    "/slow" => pause(60).await,
                    // answers when three of them are there
                    "/meet" => {
                        MEETING.set(MEETING.get() + 1);
                        while MEETING.get() < 3 {
                            pause(5).await;
                        }
                        pause(60).await;
                    }
                    _ => {}
                }
                let length = request.into_body().collect().await?.to_bytes().len();
                Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::from(format!(
                    "{head} {length}"
                )))))
            });
            let io = TokioIo::new(tls);
            if is_h2 {
                let _ = hyper::server::conn::http2::Builder::new(Local)
                    .serve_connection(io, service)
                    .await;
            } else {
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(io, service)
                    .await;
            }
        }
    })
    .await;
    (address, connections)
}

fn trusting(pki: &Pki) -> NetOptions {
    NetOptions {
        extra_roots: vec![pki.authority.clone().into_bytes()],
        ..NetOptions::default()
    }
}

fn url(server: SocketAddr, path: &str) -> String {
    format!("https://localhost:{}{path}", server.port())
}

#[test]
fn http1_over_tls_with_phases_and_bytes() {
    run(async {
        let pki = pki();
        let (server, connections) = echo(server_config(&pki, &["http/1.1"], false)).await;
        let client = client_with(trusting(&pki));
        let (response, hops) = send(&client, get(url(server, "/x"))).await;
        assert_eq!(&response.body[..], b"HTTP/1.1 /x 0", "{:?}", response.error);
        let tls = response.tls.unwrap();
        assert_eq!(
            (tls.version, tls.cipher_suite),
            (TlsTag::Tls13, "TLS_AES_256_GCM_SHA384")
        );
        let t = hops[0].timings;
        assert!(t.tls_handshaking > Duration::ZERO && t.connecting > Duration::ZERO);
        assert!(t.blocked >= t.connecting + t.tls_handshaking);
        assert_eq!(t.blocked + t.duration(), hops[0].took);
        // the handshake's bytes are part of the first transaction
        assert!(hops[0].sent > 300 && hops[0].received > 600, "{hops:?}");
        let (_, again) = send(&client, get(url(server, "/x"))).await;
        assert_eq!(
            (again[0].tls, again[0].proto, again[0].reused),
            ("tls1.3", "HTTP/1.1", true)
        );
        assert!(again[0].sent < 200 && again[0].received < 300, "{again:?}");
        assert_eq!(again[0].timings.tls_handshaking, Duration::ZERO);
        assert_eq!(connections.get(), 1);
    });
}

#[test]
fn http2_by_alpn_shares_one_connection() {
    run(async {
        let pki = pki();
        let (server, connections) = echo(server_config(&pki, &["h2", "http/1.1"], false)).await;
        let client = client_with(trusting(&pki));
        let (response, hops) = send(&client, get(url(server, "/first"))).await;
        let body = String::from_utf8(response.body.to_vec()).unwrap();
        assert_eq!(
            body,
            format!("HTTP/2.0 {} 0", url(server, "/first")),
            "{:?}",
            response.error
        );
        assert_eq!((hops[0].proto, hops[0].tls), ("HTTP/2.0", "tls1.3"));

        let ask = || get(url(server, "/meet"));
        let (a, b, c) = tokio::join!(send(&client, ask()), send(&client, ask()), send(&client, ask()));
        for (response, hops) in [a, b, c] {
            assert_eq!(response.status, 200);
            let t = hops[0].timings;
            assert!(hops[0].reused && t.waiting >= Duration::from_millis(55), "{t:?}");
            assert_eq!(t.blocked + t.duration(), hops[0].took);
        }
        assert_eq!(connections.get(), 1);

        let mut request = Request::new(http::Method::POST, target(url(server, "/post")));
        request.body = vec![b'x'; 1 << 20].into();
        let (response, hops) = send(&client, request).await;
        assert!(response.body.ends_with(b" 1048576"), "{:?}", response.error);
        assert!(
            hops[0].sent > 1 << 20 && hops[0].sent < (1 << 20) + 60_000,
            "{}",
            hops[0].sent
        );

        // a dropped stream does not take the connection with it
        let slow = send(&client, get(url(server, "/slow")));
        let dropped = tokio::time::timeout(Duration::from_millis(20), slow).await;
        assert!(dropped.is_err());
        let (response, _) = send(&client, get(url(server, "/after"))).await;
        assert_eq!((response.status, connections.get()), (200, 1));

        client.end_iteration(true, false);
        send(&client, get(url(server, "/new"))).await;
        assert_eq!(connections.get(), 2);
    });
}

#[test]
fn http2_can_be_turned_off() {
    run(async {
        let pki = pki();
        let (server, _) = echo(server_config(&pki, &["h2", "http/1.1"], false)).await;
        let client = client_with(NetOptions {
            http2: false,
            ..trusting(&pki)
        });
        assert_eq!(send(&client, get(url(server, "/"))).await.1[0].proto, "HTTP/1.1");
    });
}

#[test]
fn http2_timeouts_and_goaway() {
    run(async {
        let pki = pki();
        let (server, connections) = echo(server_config(&pki, &["h2"], false)).await;
        let client = client_with(trusting(&pki));
        assert_eq!(send(&client, get(url(server, "/"))).await.0.status, 200);
        let mut request = get(url(server, "/slow"));
        request.timeout = Duration::from_millis(30);
        let (response, hops) = send(&client, request).await;
        assert_eq!((response.error_code(), hops.len()), (code::TIMEOUT, 1));
        assert!(
            hops[0].timings.duration() >= Duration::from_millis(10) && hops[0].sent > 0,
            "{hops:?}"
        );
        assert_eq!(send(&client, get(url(server, "/"))).await.0.status, 200);
        assert_eq!(connections.get(), 1);

        // A server whose connections serve one HTTP/2 request and then say GOAWAY.
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&pki, &["h2"], false)));
        let leaving = serve(move |_, stream| {
            let acceptor = acceptor.clone();
            async move {
                let tls = acceptor.accept(stream).await.unwrap();
                let service = service_fn(|_| async {
                    Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::from_static(b"bye"))))
                });
                let mut serving = std::pin::pin!(
                    hyper::server::conn::http2::Builder::new(Local)
                        .serve_connection(TokioIo::new(tls), service)
                );
                let _ = tokio::time::timeout(Duration::from_millis(30), serving.as_mut()).await;
                serving.as_mut().graceful_shutdown();
                let _ = serving.await;
            }
        })
        .await;
        for _ in 0..2 {
            let (response, hops) = send(&client, get(url(leaving, "/"))).await;
            assert_eq!(
                (response.status, hops[0].reused),
                (200, false),
                "{:?}",
                response.error
            );
            // Long enough for the GOAWAY to be there on a busy machine, too.
            pause(500).await;
        }
    });
}

#[test]
fn trust_is_checked_and_can_be_waived() {
    run(async {
        let pki = pki();
        let (server, _) = echo(server_config(&pki, &["http/1.1"], false)).await;

        let strict = client_with(NetOptions::default());
        let (response, hops) = send(&strict, get(url(server, "/"))).await;
        let error = response.error.unwrap();
        assert_eq!(error.code, code::X509_UNKNOWN_AUTHORITY, "{error}");
        assert_eq!(error.message, "x509: certificate signed by unknown authority");
        assert!(
            hops[0].sent > 0 && hops[0].received > 0,
            "the handshake's bytes count"
        );
        assert!(hops[0].timings.tls_handshaking > Duration::ZERO);
        assert_eq!(hops[0].timings.duration(), Duration::ZERO);

        let hosts = vec![HostOverride::parse("other.test", &server.to_string()).unwrap()];
        let elsewhere = client_with(NetOptions {
            hosts: hosts.clone(),
            ..trusting(&pki)
        });
        let (response, _) = send(&elsewhere, get("https://other.test/")).await;
        assert_eq!(response.error_code(), code::X509_HOSTNAME, "{:?}", response.error);

        let (response, _) = send(&elsewhere, get(format!("https://127.0.0.1:{}/", server.port()))).await;
        assert_eq!(response.status, 200, "{:?}", response.error);

        let careless = client_with(NetOptions {
            tls_verify: false,
            hosts,
            ..NetOptions::default()
        });
        for url in [url(server, "/"), "https://other.test/".to_owned()] {
            let (response, _) = send(&careless, get(url)).await;
            assert_eq!(response.status, 200, "{:?}", response.error);
        }
    });
}

#[test]
fn versions_and_suites() {
    run(async {
        let pki = pki();
        let (server, _) = echo(server_config(&pki, &["http/1.1"], false)).await;
        let client = client_with(NetOptions {
            tls_max: Some(TlsVersion::Tls12),
            ..trusting(&pki)
        });
        let (response, hops) = send(&client, get(url(server, "/"))).await;
        assert_eq!(
            (response.status, hops[0].tls),
            (200, "tls1.2"),
            "{:?}",
            response.error
        );
        let cipher_suites = vec!["TLS_CHACHA20_POLY1305_SHA256".to_owned()];
        let client = client_with(NetOptions {
            cipher_suites,
            ..trusting(&pki)
        });
        let (response, _) = send(&client, get(url(server, "/"))).await;
        assert_eq!(response.tls.unwrap().cipher_suite, "TLS_CHACHA20_POLY1305_SHA256");
    });
}

#[test]
fn client_certificates() {
    run(async {
        let pki = pki();
        let (server, _) = echo(server_config(&pki, &["http/1.1"], true)).await;
        let identity = |domains: &[&str]| ClientIdentity {
            domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
            certificate: pki.certificate.clone().into_bytes(),
            key: pki.key.clone().into_bytes(),
        };
        for (identities, status) in [
            (vec![identity(&["localhost"])], 200),
            (vec![identity(&[])], 200),
            (vec![identity(&["x.test"])], 0),
            (vec![], 0),
        ] {
            let client = client_with(NetOptions {
                identities,
                ..trusting(&pki)
            });
            let (response, _) = send(&client, get(url(server, "/"))).await;
            assert_eq!(response.status, status, "{:?}", response.error);
            if status == 0 {
                assert_eq!(response.error_code(), code::TLS, "{:?}", response.error);
            }
        }
    });
}

#[test]
fn handshakes_that_fail() {
    run(async {
        let plain = serve(|_, mut stream| async move {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        })
        .await;
        let (response, _) = send(&client(), get(url(plain, "/"))).await;
        assert!(
            (code::TLS..code::HTTP2).contains(&response.error_code()),
            "{:?}",
            response.error
        );
        let gone = serve(|_, _| async {}).await;
        let (response, _) = send(&client(), get(url(gone, "/"))).await;
        assert!(
            [code::TLS, code::TCP_RESET].contains(&response.error_code()),
            "{:?}",
            response.error
        );
        let silent = serve(|_, stream| async move {
            pause(1000).await;
            drop(stream);
        })
        .await;
        let mut request = get(url(silent, "/"));
        request.timeout = Duration::from_millis(50);
        let (response, hops) = send(&client(), request).await;
        assert_eq!(response.error_code(), code::TIMEOUT);
        assert!(
            hops[0].sent > 100 && hops[0].timings.blocked >= Duration::from_millis(50),
            "{hops:?}"
        );
    });
}

#[test]
fn a_tls_connection_closed_while_idle_is_replaced() {
    run(async {
        let pki = pki();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&pki, &["http/1.1"], false)));
        let server = serve(move |_, stream| {
            let acceptor = acceptor.clone();
            async move {
                let mut tls = acceptor.accept(stream).await.unwrap();
                read_request(&mut tls).await;
                tls.write_all(&ok("x")).await.unwrap();
                tls.flush().await.unwrap();
                pause(10).await;
                tls.shutdown().await.unwrap();
            }
        })
        .await;
        let client: Client = client_with(trusting(&pki));
        for round in 0..3 {
            let (response, hops) = send(&client, get(url(server, "/"))).await;
            assert_eq!(
                (response.status, hops[0].retried),
                (200, round > 0),
                "{:?}",
                response.error
            );
            pause(40).await;
        }
    });
}
