//! One exchange: phases, wire bytes, timeouts, and servers that misbehave.
#![allow(clippy::unwrap_used)]

mod net_support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use http::Method;
use loadgen::net::{NetOptions, Request, code};
use net_support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const MS: Duration = Duration::from_millis(1);

#[test]
fn bytes_on_the_wire_are_exact() {
    run(async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&seen);
        let server = answer(move |request| {
            log.borrow_mut().push(request.to_owned());
            ok("hello")
        })
        .await;
        let client = client();
        for round in 0..3 {
            let (response, hops) = send(&client, get(format!("http://{server}/x?y=1"))).await;
            assert_eq!(
                (response.status, &response.body[..]),
                (200, &b"hello"[..]),
                "{:?}",
                response.error
            );
            let [hop] = &hops[..] else { panic!("{hops:?}") };
            let request = seen.borrow()[round].clone();
            assert_eq!(
                request,
                format!("GET /x?y=1 HTTP/1.1\r\nHost: {server}\r\nUser-Agent: t\r\n\r\n")
            );
            assert_eq!(
                (hop.sent, hop.received),
                (request.len() as u64, ok("hello").len() as u64)
            );
            assert_eq!(
                (hop.proto, hop.tls, hop.error_code, hop.reused),
                ("HTTP/1.1", "", 0, round > 0)
            );
        }
    });
}

#[test]
fn phases_are_where_the_time_went() {
    run(async {
        let server = serve(|_, mut stream| async move {
            while read_request(&mut stream).await.is_some() {
                pause(60).await;
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
                    .await
                    .unwrap();
                stream.flush().await.unwrap();
                pause(40).await;
                stream.write_all(b"cd").await.unwrap();
            }
        })
        .await;
        let client = client();
        let url = format!("http://{server}/");
        let (response, first) = send(&client, get(&url)).await;
        assert_eq!(&response.body[..], b"abcd");
        let (_, second) = send(&client, get(&url)).await;
        for hop in [&first[0], &second[0]] {
            let t = hop.timings;
            assert!(t.waiting >= 55 * MS, "{t:?}");
            assert!(t.receiving >= 35 * MS, "{t:?}");
            assert!(t.sending < t.receiving, "{t:?}");
            assert_eq!(t.duration(), t.sending + t.waiting + t.receiving);
            // blocked + duration is the whole transaction: no time is lost or counted twice
            assert_eq!(t.blocked + t.duration(), hop.took);
        }
        assert!(first[0].timings.connecting > Duration::ZERO);
        assert!(first[0].timings.blocked >= first[0].timings.connecting);
        let reused = second[0].timings;
        assert_eq!(
            (reused.blocked, reused.connecting, reused.tls_handshaking),
            (Duration::ZERO, Duration::ZERO, Duration::ZERO)
        );
    });
}

#[test]
fn a_slow_upload_is_sending() {
    run(async {
        let server = serve(|_, mut stream| async move {
            // The kernel's buffers take some megabytes; the rest waits for this pause.
            pause(150).await;
            read_request(&mut stream).await.unwrap();
            stream.write_all(&ok("")).await.unwrap();
        })
        .await;
        let mut request = Request::new(Method::POST, target(format!("http://{server}/")));
        request.body = vec![b'x'; 32 << 20].into();
        let (response, hops) = send(&client(), request).await;
        assert_eq!(response.status, 200, "{:?}", response.error);
        assert!(hops[0].timings.sending >= 100 * MS, "{:?}", hops[0].timings);
        assert!(hops[0].sent > 32 << 20);
    });
}

#[test]
fn a_timeout_covers_everything_and_says_what_it_saw() {
    run(async {
        // accepts and never answers
        let silent = serve(|_, mut stream| async move {
            read_request(&mut stream).await;
            std::future::pending::<()>().await;
        })
        .await;
        // answers, then stalls within the body
        let stalling = serve(|_, mut stream| async move {
            read_request(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
                .await
                .unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let client = client();
        for (server, received) in [(silent, 0), (stalling, 40)] {
            let mut request = get(format!("http://{server}/"));
            request.timeout = 80 * MS;
            let (response, hops) = send(&client, request).await;
            assert_eq!((response.status, response.error_code()), (0, code::TIMEOUT));
            assert_eq!(response.error.unwrap().message, "request timeout");
            assert!(
                hops[0].took >= 80 * MS && hops[0].took < 3000 * MS,
                "{:?}",
                hops[0].took
            );
            assert_eq!(
                (hops[0].status, hops[0].error, hops[0].received),
                (0, code::TIMEOUT, received)
            );
            assert!(hops[0].sent > 0);
            let t = hops[0].timings;
            assert!(t.waiting + t.receiving >= 70 * MS, "{t:?}");
        }
    });
}

#[test]
fn short_and_long_timeouts_share_a_timer() {
    run(async {
        let server = serve(|_, mut stream| async move {
            while let Some(request) = read_request(&mut stream).await {
                if request.starts_with("GET /slow") {
                    pause(120).await;
                }
                stream.write_all(&ok("x")).await.unwrap();
            }
        })
        .await;
        let client = client();
        for (path, timeout, status) in [
            ("/", 60_000, 200),
            ("/slow", 40, 0),
            ("/", 50, 200),
            ("/slow", 1000, 200),
            ("/slow", 30, 0),
            ("/", 30, 200),
        ] {
            let mut request = get(format!("http://{server}{path}"));
            request.timeout = Duration::from_millis(timeout);
            assert_eq!(send(&client, request).await.0.status, status, "{path} {timeout}");
        }
    });
}

#[test]
fn a_refused_connection() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let (response, hops) = send(&client(), get(format!("http://{address}/"))).await;
        assert_eq!(response.error_code(), code::DIAL_REFUSED);
        assert_eq!(response.error.unwrap().message, "dial: connection refused");
        assert_eq!(
            (hops.len(), hops[0].sent, hops[0].received, hops[0].error_code),
            (1, 0, 0, code::DIAL_REFUSED)
        );
        assert_eq!(hops[0].timings.duration(), Duration::ZERO);
    });
}

#[test]
fn misbehaving_servers_are_errors() {
    let cases: [(&str, &[u8], &str); 6] = [
        ("closes without a word", b"", "EOF"),
        ("closes within the head", b"HTTP/1.1 200 OK\r\nContent-", "EOF"),
        (
            "closes within the body",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "unexpected EOF",
        ),
        (
            "closes within a chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "unexpected EOF",
        ),
        (
            "speaks no HTTP",
            b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
            "malformed HTTP response",
        ),
        (
            "lies about its length",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "malformed HTTP response",
        ),
    ];
    run(async move {
        for (what, bytes, message) in cases {
            let server = serve(move |_, mut stream| async move {
                read_request(&mut stream).await;
                stream.write_all(bytes).await.unwrap();
            })
            .await;
            let (response, hops) = send(&client(), get(format!("http://{server}/"))).await;
            let error = response.error.unwrap();
            assert_eq!(
                (response.status, error.code),
                (0, code::GENERIC),
                "{what}: {error}"
            );
            assert!(error.message.contains(message), "{what}: {error}");
            assert_eq!((hops.len(), hops[0].received), (1, bytes.len() as u64), "{what}");
        }
    });
}

#[test]
fn a_reset_is_a_reset() {
    run(async {
        let server = serve(|_, mut stream| async move {
            read_request(&mut stream).await;
            stream.set_zero_linger().unwrap();
        })
        .await;
        let (response, _) = send(&client(), get(format!("http://{server}/"))).await;
        let error = response.error.unwrap();
        assert_eq!(
            (error.code, &*error.message),
            (code::TCP_RESET, "connection reset by peer")
        );
    });
}

#[test]
fn endless_headers_are_refused() {
    run(async {
        let server = serve(|_, mut stream| async move {
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
            let line = format!("X-Filler: {}\r\n", "y".repeat(1000));
            while stream.write_all(line.as_bytes()).await.is_ok() {}
        })
        .await;
        let (response, hops) = send(&client(), get(format!("http://{server}/"))).await;
        let error = response.error.unwrap();
        assert!(error.message.contains("headers are too large"), "{error}");
        assert!(hops[0].received < 2 << 20);
    });
}

/// A server whose connections serve one request each, then close, after the client has put them into its pool.
async fn one_shot() -> (std::net::SocketAddr, Rc<Cell<usize>>) {
    let served = Rc::new(Cell::new(0));
    let count = Rc::clone(&served);
    let address = serve(move |_, mut stream| {
        let count = Rc::clone(&count);
        async move {
            read_request(&mut stream).await;
            count.set(count.get() + 1);
            stream.write_all(&ok("x")).await.unwrap();
            // Not at once: a close that arrives with the response is seen before the connection is kept.
            pause(10).await;
        }
    })
    .await;
    (address, served)
}

#[test]
fn a_connection_closed_while_idle_is_replaced_whatever_the_method() {
    run(async {
        let (server, served) = one_shot().await;
        let client = client();
        send(&client, get(format!("http://{server}/"))).await;
        pause(30).await;
        // The close is known before anything is written, so even a POST can be sent again.
        let mut request = Request::new(Method::POST, target(format!("http://{server}/")));
        request.body = "body".into();
        let (response, hops) = send(&client, request).await;
        assert_eq!((response.status, served.get()), (200, 2), "{:?}", response.error);
        assert_eq!((hops.len(), hops[0].retried, hops[0].reused), (1, true, false));
        assert!(hops[0].timings.connecting > Duration::ZERO);
        assert_eq!(hops[0].timings.blocked + hops[0].timings.duration(), hops[0].took);
    });
}

/// A server that closes a kept connection upon its second request, as one does whose idle timeout expires while
/// the request is on its way. Later connections behave.
async fn closes_on_second(first_bytes: &'static [u8]) -> (std::net::SocketAddr, Rc<Cell<usize>>) {
    let requests = Rc::new(Cell::new(0));
    let count = Rc::clone(&requests);
    let address = serve(move |number, mut stream| {
        let count = Rc::clone(&count);
        async move {
            for round in 0.. {
                if read_request(&mut stream).await.is_none() {
                    return;
                }
                count.set(count.get() + 1);
                if number == 0 && round == 1 {
                    stream.write_all(first_bytes).await.unwrap();
                    return;
                }
                stream.write_all(&ok("x")).await.unwrap();
            }
        }
    })
    .await;
    (address, requests)
}

#[test]
fn a_repeatable_request_is_sent_again_once() {
    run(async {
        for (method, key, retried) in [
            (Method::GET, false, true),
            (Method::HEAD, false, true),
            (Method::POST, false, false),
            (Method::PUT, false, false),
            (Method::POST, true, true),
        ] {
            let (server, requests) = closes_on_second(b"").await;
            let client = client();
            let url = format!("http://{server}/");
            send(&client, get(&url)).await;
            let mut request = Request::new(method.clone(), target(&url));
            if key {
                request.headers.insert("idempotency-key", "1".parse().unwrap());
            }
            let (response, hops) = send(&client, request).await;
            assert_eq!((hops.len(), hops[0].retried), (1, retried), "{method}");
            assert_eq!(requests.get(), if retried { 3 } else { 2 }, "{method}");
            if retried {
                assert_eq!(response.status, 200, "{method} {:?}", response.error);
            } else {
                let error = response.error.unwrap();
                assert_eq!(
                    (error.code, error.message.contains("EOF")),
                    (code::GENERIC, true),
                    "{method} {error}"
                );
            }
        }
    });
}

#[test]
fn no_retry_once_a_byte_has_arrived_or_on_a_fresh_connection() {
    run(async {
        let (server, requests) = closes_on_second(b"HTTP/1.1").await;
        let client = client();
        send(&client, get(format!("http://{server}/"))).await;
        let (response, hops) = send(&client, get(format!("http://{server}/"))).await;
        assert_eq!((response.status, requests.get(), hops[0].retried), (0, 2, false));

        let attempts = Rc::new(Cell::new(0));
        let count = Rc::clone(&attempts);
        let server = serve(move |_, mut stream| {
            count.set(count.get() + 1);
            async move {
                read_request(&mut stream).await;
            }
        })
        .await;
        let (response, _) = send(&client, get(format!("http://{server}/"))).await;
        assert_eq!((response.status, attempts.get()), (0, 1));
    });
}

#[test]
fn concurrent_calls_take_a_connection_each_and_keep_them() {
    run(async {
        let connections = Rc::new(Cell::new(0));
        let (busy, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let count = Rc::clone(&connections);
        let peak = Rc::clone(&most);
        let server = serve(move |_, mut stream| {
            count.set(count.get() + 1);
            let (busy, peak) = (Rc::clone(&busy), Rc::clone(&peak));
            async move {
                while read_request(&mut stream).await.is_some() {
                    busy.set(busy.get() + 1);
                    peak.set(peak.get().max(busy.get()));
                    pause(30).await;
                    busy.set(busy.get() - 1);
                    stream.write_all(&ok("x")).await.unwrap();
                }
            }
        })
        .await;
        let client = client();
        let url = format!("http://{server}/");
        for _ in 0..2 {
            let (a, b) = tokio::join!(send(&client, get(&url)), send(&client, get(&url)));
            assert_eq!((a.0.status, b.0.status), (200, 200));
        }
        assert_eq!((connections.get(), most.get()), (2, 2));
    });
}

#[test]
fn a_dropped_call_leaves_the_client_usable_and_its_bytes_counted() {
    run(async {
        let server = answer(|request| {
            if request.starts_with("GET /never") {
                b"HTTP/1.1 200 OK\r\nContent-Len".to_vec()
            } else {
                ok("x")
            }
        })
        .await;
        let client = client();
        send(&client, get(format!("http://{server}/"))).await;
        assert_eq!(client.take_interrupted_bytes(), (0, 0));
        let never = tokio::time::timeout(50 * MS, send(&client, get(format!("http://{server}/never")))).await;
        assert!(never.is_err());
        let (sent, received) = client.take_interrupted_bytes();
        assert!(sent > 40 && received == 28, "{sent} {received}");
        let (response, hops) = send(&client, get(format!("http://{server}/"))).await;
        assert_eq!(
            (response.status, hops[0].reused, hops[0].retried),
            (200, false, false)
        );
    });
}

#[test]
fn no_connection_reuse_says_so_and_closes() {
    run(async {
        let server = answer(|request| {
            ok(if request.contains("Connection: close\r\n") {
                "c"
            } else {
                "k"
            })
        })
        .await;
        let client = client_with(NetOptions {
            no_connection_reuse: true,
            ..NetOptions::default()
        });
        for _ in 0..2 {
            let (response, hops) = send(&client, get(format!("http://{server}/"))).await;
            assert_eq!((&response.body[..], hops[0].reused), (&b"c"[..], false));
        }
    });
}

#[test]
fn end_iteration_closes_connections() {
    run(async {
        let server = answer(|_| ok("x")).await;
        let client = client();
        let url = format!("http://{server}/");
        send(&client, get(&url)).await;
        client.end_iteration(false, true);
        assert!(send(&client, get(&url)).await.1[0].reused);
        client.end_iteration(true, true);
        assert!(!send(&client, get(&url)).await.1[0].reused);
    });
}

#[test]
fn bodies_that_are_none() {
    run(async {
        let server = answer(|request| match request.split(' ').nth(1).unwrap() {
            "/head" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".to_vec(),
            "/204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            "/304" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".to_vec(),
            "/103" => {
                let mut early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec();
                early.extend(ok("late"));
                early
            }
            "/100" => {
                let mut early = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
                early.extend(ok("on"));
                early
            }
            _ => with_headers("417 Expectation Failed", &[], ""),
        })
        .await;
        let client = client();
        for (path, method, status, body) in [
            ("/head", Method::HEAD, 200, ""),
            ("/204", Method::GET, 204, ""),
            ("/304", Method::GET, 304, ""),
            ("/103", Method::GET, 200, "late"),
            ("/100", Method::POST, 200, "on"),
            ("/417", Method::GET, 417, ""),
        ] {
            let mut request = Request::new(method, target(format!("http://{server}{path}")));
            if path == "/100" {
                request.body = "x".into();
                request.headers.insert("expect", "100-continue".parse().unwrap());
            }
            let (response, hops) = send(&client, request).await;
            assert_eq!(
                (response.status, &response.body[..]),
                (status, body.as_bytes()),
                "{path} {:?}",
                response.error
            );
            assert_eq!(hops[0].reused, path != "/head", "{path}");
            assert_eq!(hops[0].error_code, if status >= 400 { 1000 + status } else { 0 });
        }
    });
}

#[test]
fn large_bodies_are_bounded_or_dropped() {
    run(async {
        let server = serve(|_, mut stream| async move {
            while let Some(request) = read_request(&mut stream).await {
                let chunked = request.starts_with("GET /chunked");
                let head = if chunked {
                    "Transfer-Encoding: chunked"
                } else {
                    "Content-Length: 8388608"
                };
                stream
                    .write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes())
                    .await
                    .unwrap();
                let block = vec![b'x'; 65536];
                for _ in 0..128 {
                    if chunked && stream.write_all(b"10000\r\n").await.is_err() {
                        return;
                    }
                    if stream.write_all(&block).await.is_err() {
                        return;
                    }
                    if chunked && stream.write_all(b"\r\n").await.is_err() {
                        return;
                    }
                }
                if chunked {
                    stream.write_all(b"0\r\n\r\n").await.unwrap();
                }
            }
        })
        .await;
        let client = client_with(NetOptions {
            max_body: 1 << 20,
            ..NetOptions::default()
        });
        for path in ["/", "/chunked"] {
            let (response, _) = send(&client, get(format!("http://{server}{path}"))).await;
            let error = response.error.unwrap();
            assert!(error.message.contains("larger than 1048576 bytes"), "{error}");
            let mut request = get(format!("http://{server}{path}"));
            request.discard_body = true;
            let (response, hops) = send(&client, request).await;
            assert_eq!((response.status, response.body.len()), (200, 0));
            assert!(hops[0].received > 8 << 20);
        }
        let client = client_with(NetOptions::default());
        for path in ["/", "/chunked"] {
            let (response, _) = send(&client, get(format!("http://{server}{path}"))).await;
            assert_eq!(response.body.len(), 8 << 20, "{:?}", response.error);
        }
    });
}

#[test]
fn stray_bytes_on_an_idle_connection_do_not_answer_the_next_request() {
    run(async {
        let server = serve(|number, mut stream| async move {
            while read_request(&mut stream).await.is_some() {
                let mut bytes = ok("good");
                if number == 0 {
                    bytes.extend(ok("stray"));
                }
                stream.write_all(&bytes).await.unwrap();
            }
        })
        .await;
        let client = client();
        for _ in 0..3 {
            let (response, _) = send(&client, get(format!("http://{server}/"))).await;
            assert_eq!(
                (response.status, &response.body[..]),
                (200, &b"good"[..]),
                "{:?}",
                response.error
            );
        }
    });
}

#[test]
fn an_early_answer_to_an_upload_is_taken() {
    run(async {
        let server = serve(|_, mut stream| async move {
            let mut some = [0; 1000];
            stream.read_exact(&mut some).await.unwrap();
            stream
                .write_all(&with_headers(
                    "413 Content Too Large",
                    &[("Connection", "close")],
                    "no",
                ))
                .await
                .unwrap();
            pause(100).await;
        })
        .await;
        let mut request = Request::new(Method::POST, target(format!("http://{server}/")));
        request.body = vec![b'x'; 32 << 20].into();
        let (response, hops) = send(&client(), request).await;
        assert_eq!(
            (response.status, &response.body[..]),
            (413, &b"no"[..]),
            "{:?}",
            response.error
        );
        assert_eq!(hops[0].timings.blocked + hops[0].timings.duration(), hops[0].took);
    });
}

#[test]
fn the_future_of_a_request_stays_small() {
    let client = client();
    let mut on_hop = |_: &loadgen::net::Hop<'_>| {};
    let future = client.send(get("http://127.0.0.1:1/"), &mut on_hop);
    let size = size_of_val(&future);
    assert!(size <= 3000, "{size} bytes");
    println!("send: {size} bytes, client: {} bytes", size_of_val(&client));
}
