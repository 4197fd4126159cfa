//! What a request means beyond one exchange: redirects, cookies, codings, credentials, names, proxies.
#![allow(clippy::unwrap_used)]

mod net_support;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use loadgen::address::HostOverride;
use loadgen::net::{Auth, Client, Jar, JarChoice, NetOptions, Proxies, Request, RequestCookie, Shared, code};
use net_support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A server that answers by path and remembers what it was asked.
async fn site<F>(route: F) -> (SocketAddr, Rc<RefCell<Vec<String>>>)
where
    F: Fn(&str) -> Vec<u8> + 'static,
{
    let log = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&log);
    let address = answer(move |request| {
        seen.borrow_mut().push(request.to_owned());
        route(request.split(' ').nth(1).unwrap())
    })
    .await;
    (address, log)
}

fn header_of(request: &str, name: &str) -> Option<String> {
    let prefix = format!("{}: ", name.to_lowercase());
    let line = request
        .lines()
        .find(|line| line.to_lowercase().starts_with(&prefix))?;
    Some(line[prefix.len()..].to_owned())
}

#[test]
fn redirects_are_hops() {
    run(async {
        let (server, log) = site(|path| match path {
            "/a" => redirect("302 Found", "/b"),
            "/b" => redirect("308 Permanent Redirect", "c?d=1"),
            _ => ok("there"),
        })
        .await;
        let client = client();
        let mut request = Request::new(Method::POST, target(format!("http://{server}/a")));
        request.body = "payload".into();
        request
            .headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let (response, hops) = send(&client, request).await;
        assert_eq!((response.status, &response.body[..]), (200, &b"there"[..]));
        assert_eq!(response.url(), format!("http://{server}/c?d=1"));
        let summary: Vec<_> = hops
            .iter()
            .map(|hop| (hop.method.as_str(), hop.status, hop.reused))
            .collect();
        assert_eq!(
            summary,
            [("POST", 302, false), ("GET", 308, true), ("GET", 200, true)]
        );
        assert_eq!(hops[1].url, format!("http://{server}/b"));
        let log = log.borrow();
        assert!(log[0].ends_with("payload") && header_of(&log[0], "content-type").is_some());
        assert!(log[1].ends_with("\r\n\r\n") && header_of(&log[1], "content-type").is_none());
        assert_eq!(
            header_of(&log[2], "referer").unwrap(),
            format!("http://{server}/b")
        );
        // every byte of the hops together is every byte of the exchange
        let received: u64 = hops.iter().map(|hop| hop.received).sum();
        let sizes = [
            redirect("302 Found", "/b"),
            redirect("308 Permanent Redirect", "c?d=1"),
            ok("there"),
        ];
        assert_eq!(
            received,
            sizes.iter().map(|bytes| bytes.len() as u64).sum::<u64>()
        );
    });
}

#[test]
fn preserved_methods_keep_their_body() {
    run(async {
        let (server, log) = site(|path| match path {
            "/a" => redirect("307 Temporary Redirect", "/b"),
            _ => ok("x"),
        })
        .await;
        let mut request = Request::new(Method::PUT, target(format!("http://{server}/a")));
        request.body = "payload".into();
        let (_, hops) = send(&client(), request).await;
        assert_eq!(hops.len(), 2);
        assert!(log.borrow()[1].starts_with("PUT /b ") && log.borrow()[1].ends_with("payload"));
    });
}

#[test]
fn the_limit_returns_the_last_redirect_with_its_body() {
    run(async {
        let (server, log) = site(|_| redirect("302 Found", "/again")).await;
        for limit in [0, 3] {
            log.borrow_mut().clear();
            let mut request = get(format!("http://{server}/"));
            request.max_redirects = limit;
            let (response, hops) = send(&client(), request).await;
            assert_eq!((response.status, &response.body[..]), (302, &b"moved"[..]));
            assert_eq!(
                (hops.len(), log.borrow().len()),
                (limit as usize + 1, limit as usize + 1)
            );
            assert!(response.error.is_none());
        }
    });
}

#[test]
fn redirects_that_lead_nowhere() {
    run(async {
        let (server, _) = site(|path| match path {
            "/bad" => redirect("302 Found", "http://[bad"),
            "/ftp" => redirect("302 Found", "ftp://x/"),
            "/none" => with_headers("302 Found", &[], "kept"),
            _ => ok(""),
        })
        .await;
        let client = client();
        // No URL at all ends it; a URL that leads nowhere is one more transaction, which fails.
        for (path, expected, count) in [("/bad", code::INVALID_URL, 1), ("/ftp", code::GENERIC, 2)] {
            let (response, hops) = send(&client, get(format!("http://{server}{path}"))).await;
            assert_eq!((response.status, response.error_code()), (0, expected), "{path}");
            assert_eq!((hops.len(), hops[0].status), (count, 302), "{path}");
        }
        let (response, _) = send(&client, get(format!("http://{server}/none"))).await;
        assert_eq!((response.status, &response.body[..]), (302, &b"kept"[..]));
    });
}

#[test]
fn a_timeout_spans_redirects() {
    run(async {
        let server = serve(|_, mut stream| async move {
            while read_request(&mut stream).await.is_some() {
                pause(40).await;
                stream.write_all(&redirect("302 Found", "/")).await.unwrap();
            }
        })
        .await;
        let mut request = get(format!("http://{server}/"));
        request.timeout = Duration::from_millis(100);
        let (response, hops) = send(&client(), request).await;
        assert_eq!(response.error_code(), code::TIMEOUT);
        // A third one begins, unless the machine is late.
        assert!((2..=3).contains(&hops.len()), "{}", hops.len());
    });
}

#[test]
fn credentials_stay_on_their_host() {
    run(async {
        let (other, other_log) = site(|_| ok("x")).await;
        let elsewhere = format!("http://localhost:{}/", other.port());
        let (server, log) = site(move |path| match path {
            "/out" => redirect("302 Found", &elsewhere),
            "/in" => redirect("302 Found", "/"),
            _ => ok("x"),
        })
        .await;
        let client = client();
        for auth in [true, false] {
            for path in ["/in", "/out"] {
                let mut request = get(format!("http://{server}{path}"));
                if auth {
                    request.auth = Some(Auth::Basic {
                        user: "u".into(),
                        password: "p".into(),
                    });
                } else {
                    let mut template = HeaderMap::new();
                    template.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic dTpw"));
                    request.template = Some(template.into());
                }
                let (response, hops) = send(&client, request).await;
                assert_eq!((response.status, hops.len()), (200, 2), "{:?}", response.error);
            }
        }
        for request in log.borrow().iter() {
            assert_eq!(header_of(request, "authorization").as_deref(), Some("Basic dTpw"));
        }
        assert_eq!(other_log.borrow().len(), 2);
        for request in other_log.borrow().iter() {
            assert_eq!(header_of(request, "authorization"), None);
        }
    });
}

#[test]
fn credentials_in_the_url() {
    run(async {
        let (server, log) = site(|_| ok("x")).await;
        let (response, hops) = send(&client(), get(format!("http://user:pa%24s@{server}/"))).await;
        assert_eq!(
            header_of(&log.borrow()[0], "authorization").unwrap(),
            "Basic dXNlcjpwYSRz"
        );
        assert_eq!(hops[0].url, format!("http://****:****@{server}/"));
        assert_eq!(response.url(), hops[0].url);
    });
}

#[test]
fn cookies_are_kept_sent_and_reset() {
    run(async {
        let (server, log) = site(|path| match path {
            "/login" => with_headers(
                "302 Found",
                &[
                    ("Location", "/home"),
                    ("Set-Cookie", "sid=1; Path=/"),
                    ("Set-Cookie", "deep=2; Path=/login"),
                ],
                "",
            ),
            _ => with_headers("200 OK", &[("Set-Cookie", "seen=yes; HttpOnly")], "x"),
        })
        .await;
        let client = client();
        let cookie = |at: usize| header_of(&log.borrow()[at], "cookie");
        let (response, _) = send(&client, get(format!("http://{server}/login"))).await;
        // set on the redirect, sent on its next hop
        assert_eq!((cookie(0), cookie(1)), (None, Some("sid=1".to_owned())));
        assert_eq!(response.cookies()[0].name, "seen");
        assert!(response.cookies()[0].http_only);

        let mut request = get(format!("http://{server}/home"));
        request.cookies = vec![
            RequestCookie {
                name: "sid".into(),
                value: "mine".into(),
                replace: true,
            },
            RequestCookie {
                name: "more".into(),
                value: "m".into(),
                replace: false,
            },
        ];
        send(&client, request).await;
        assert_eq!(cookie(2).unwrap(), "seen=yes; sid=mine; more=m");

        let mut request = get(format!("http://{server}/home"));
        request.jar = JarChoice::None;
        send(&client, request).await;
        assert_eq!(cookie(3), None);

        let jar = Jar::new();
        jar.set(target(format!("http://{server}/")).url(), "other=jar");
        let mut request = get(format!("http://{server}/home"));
        request.jar = JarChoice::Explicit(jar.clone());
        send(&client, request).await;
        assert_eq!(cookie(4).unwrap(), "other=jar");
        assert_eq!(jar.cookies(target(format!("http://{server}/")).url()).len(), 2);

        client.end_iteration(false, true);
        send(&client, get(format!("http://{server}/home"))).await;
        assert_eq!(cookie(5), None);
    });
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A brotli stream of one stored block (RFC 7932, 9.2): window bits 0, not last, length in four nibbles, stored.
fn brotli(data: &[u8]) -> Vec<u8> {
    let head = u32::try_from(data.len() - 1).unwrap() << 4 | 1 << 20;
    let mut out = head.to_le_bytes()[..3].to_vec();
    out.extend_from_slice(data);
    out.push(3);
    out
}

#[test]
fn bodies_are_decoded() {
    let plain = b"hello, hello, hello, hello".as_slice();
    let zlib = |data: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let raw = |data: &[u8]| {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |data: &[u8]| zstd::encode_all(data, 3).unwrap();
    let cases: Vec<(&'static str, Vec<u8>)> = vec![
        ("gzip", gzip(plain)),
        ("X-GZIP", gzip(plain)),
        ("deflate", zlib(plain)),
        ("deflate", raw(plain)),
        ("br", brotli(plain)),
        ("zstd", zstd(plain)),
        ("gzip, br", brotli(&gzip(plain))),
        ("zstd, identity, gzip", gzip(&zstd(plain))),
        ("identity", plain.to_vec()),
        ("unheard-of", plain.to_vec()),
    ];
    run(async move {
        let client = client();
        for (coding, body) in cases {
            let wire = with_headers("200 OK", &[("Content-Encoding", coding)], &body);
            let length = wire.len() as u64;
            let server = answer(move |_| wire.clone()).await;
            let (response, hops) = send(&client, get(format!("http://{server}/"))).await;
            assert_eq!(response.body, plain, "{coding} {:?}", response.error);
            assert_eq!(
                hops[0].received, length,
                "{coding}: the wire's bytes are counted, not the decoded ones"
            );
            let (response, _) = send(
                &client,
                Request::new(Method::HEAD, target(format!("http://{server}/"))),
            )
            .await;
            assert!(response.error.is_none(), "{coding} {:?}", response.error);
        }
    });
}

#[test]
fn corrupt_and_exploding_bodies_are_errors() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let nested = gzip(&gzip(&vec![0; 16 << 20]));
    let zstd_bomb = zstd::encode_all(&vec![0; 64 << 20][..], 3).unwrap();
    let too_large = "larger than 1048576 bytes";
    let cases: Vec<(&'static str, Vec<u8>, u16, &'static str)> = vec![
        ("gzip", bomb, code::GENERIC, too_large),
        ("gzip, gzip", nested, code::GENERIC, too_large),
        ("zstd", zstd_bomb, code::GENERIC, too_large),
        (
            "gzip",
            b"no gzip at all".to_vec(),
            code::DECOMPRESSION,
            "not valid gzip",
        ),
        (
            "gzip",
            gzip(b"cut short")[..12].to_vec(),
            code::DECOMPRESSION,
            "not valid gzip",
        ),
        (
            "br",
            b"\xff\xff\xff\xff".to_vec(),
            code::DECOMPRESSION,
            "not valid br",
        ),
        ("zstd", b"zzzz".to_vec(), code::DECOMPRESSION, "not valid zstd"),
        (
            "deflate",
            b"\xff\xff".to_vec(),
            code::DECOMPRESSION,
            "not valid deflate",
        ),
    ];
    run(async move {
        let client = client_with(NetOptions {
            max_body: 1 << 20,
            ..NetOptions::default()
        });
        for (coding, body, number, message) in cases {
            let wire = with_headers("200 OK", &[("Content-Encoding", coding)], &body);
            let server = answer(move |_| wire.clone()).await;
            let (response, hops) = send(&client, get(format!("http://{server}/"))).await;
            let error = response.error.unwrap();
            assert_eq!(
                (response.status, error.code, hops[0].error),
                (0, number, number),
                "{coding}: {error}"
            );
            assert!(error.message.contains(message), "{coding}: {error}");
            // the exchange itself was fine: the connection is kept
            let mut request = get(format!("http://{server}/"));
            request.discard_body = true;
            let (response, hops) = send(&client, request).await;
            assert_eq!((response.status, hops[0].reused), (200, true), "{coding}");
        }
    });
}

#[test]
fn headers_in_layers() {
    run(async {
        let (server, log) = site(|_| ok("x")).await;
        let client = client();
        let mut template = HeaderMap::new();
        template.insert("x-layer", HeaderValue::from_static("template"));
        template.insert("x-template", HeaderValue::from_static("t"));
        let mut request = Request::new(Method::POST, target(format!("http://{server}/")));
        request.template = Some(template.into());
        request.headers.insert("x-layer", HeaderValue::from_static("own"));
        request.headers.append("x-many", HeaderValue::from_static("1"));
        request.headers.append("x-many", HeaderValue::from_static("2"));
        request
            .headers
            .insert("user-agent", HeaderValue::from_static("mine"));
        request
            .headers
            .insert("host", HeaderValue::from_static("virtual.test"));
        send(&client, request).await;
        assert_eq!(
            log.borrow()[0],
            "POST / HTTP/1.1\r\nHost: virtual.test\r\nUser-Agent: mine\r\nX-Layer: own\r\nX-Template: t\r\n\
             X-Many: 1\r\nX-Many: 2\r\nContent-Length: 0\r\n\r\n"
        );
    });
}

#[test]
fn names_are_overridden_blocked_and_unknown() {
    run(async {
        let (server, log) = site(|_| ok("x")).await;
        let client = client_with(NetOptions {
            hosts: vec![
                HostOverride::parse("*.api.test", &server.to_string()).unwrap(),
                HostOverride::parse("bad.test", "127.9.9.9").unwrap(),
            ],
            block_hostnames: vec!["*.blocked.test".parse().unwrap()],
            blacklist_ips: vec!["127.9.0.0/16".parse().unwrap()],
            ..NetOptions::default()
        });
        let (response, _) = send(&client, get("http://v1.api.test:81/x")).await;
        assert_eq!(response.status, 200, "{:?}", response.error);
        assert_eq!(response.remote, Some(server));
        assert_eq!(header_of(&log.borrow()[0], "host").unwrap(), "v1.api.test:81");
        for (url, number) in [
            ("http://x.blocked.test/", code::BLOCKED_HOSTNAME),
            ("http://bad.test/", code::BLOCKED_IP),
            ("http://127.9.1.1/", code::BLOCKED_IP),
        ] {
            let (response, hops) = send(&client, get(url)).await;
            assert_eq!((response.error_code(), hops.len()), (number, 1), "{url}");
        }
        // RFC 6761: .invalid never resolves; what the resolver of this machine says about it differs
        let (response, _) = send(&client, get("http://nowhere.invalid/")).await;
        assert!(
            [code::DNS, code::DNS_NO_SUCH_HOST].contains(&response.error_code()),
            "{:?}",
            response.error
        );
        let (response, _) = send(&client, get(format!("http://localhost:{}/", server.port()))).await;
        assert_eq!(response.status, 200, "{:?}", response.error);
    });
}

#[test]
fn source_addresses_are_dealt_in_turn() {
    run(async {
        let peers = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&peers);
        let server = serve(move |_, mut stream| {
            seen.borrow_mut()
                .push(stream.peer_addr().unwrap().ip().to_string());
            async move {
                read_request(&mut stream).await;
                stream.write_all(&ok("")).await.unwrap();
            }
        })
        .await;
        let local_ips = vec!["127.0.0.1".parse().unwrap()];
        let shared = Shared::new(NetOptions {
            local_ips,
            ..NetOptions::default()
        })
        .unwrap();
        for _ in 0..2 {
            let (response, _) = send(&Client::new(shared.clone()), get(format!("http://{server}/"))).await;
            assert_eq!(response.status, 200);
        }
        assert_eq!(*peers.borrow(), ["127.0.0.1", "127.0.0.1"]);
        // TEST-NET-1 is not an address of this machine
        let local_ips = vec!["192.0.2.1".parse().unwrap()];
        let client = client_with(NetOptions {
            local_ips,
            ..NetOptions::default()
        });
        let (response, _) = send(&client, get(format!("http://{server}/"))).await;
        assert_eq!(response.error_code(), code::DIAL_UNKNOWN, "{:?}", response.error);
    });
}

#[test]
fn ipv6_literals() {
    run(async {
        let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else {
            return; // a machine without IPv6
        };
        let port = listener.local_addr().unwrap().port();
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await.unwrap();
            stream
                .write_all(&ok(header_of(&request, "host").unwrap()))
                .await
                .unwrap();
        });
        let (response, _) = send(&client(), get(format!("http://[::1]:{port}/"))).await;
        assert_eq!(response.body, format!("[::1]:{port}"), "{:?}", response.error);
    });
}

#[test]
fn http_through_a_proxy_is_in_absolute_form() {
    run(async {
        let (proxy, log) = site(|_| ok("via")).await;
        let proxies = Proxies::new(&format!("http://u:p@{proxy}"), "", "direct.test").unwrap();
        let client = client_with(NetOptions {
            proxies,
            user_agent: String::new(),
            ..NetOptions::default()
        });
        let (response, _) = send(&client, get("http://far.test:81/x?y")).await;
        assert_eq!(&response.body[..], b"via", "{:?}", response.error);
        assert_eq!(
            log.borrow()[0],
            "GET http://far.test:81/x?y HTTP/1.1\r\nHost: far.test:81\r\nProxy-Authorization: Basic dTpw\r\n\r\n"
        );
    });
}

#[test]
fn https_through_a_proxy_asks_for_a_tunnel() {
    run(async {
        let asked = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&asked);
        let turn = Rc::new(Cell::new(0));
        let proxy = serve(move |_, mut stream| {
            let (log, turn) = (Rc::clone(&log), Rc::clone(&turn));
            async move {
                let request = read_request(&mut stream).await.unwrap();
                log.borrow_mut().push(request);
                turn.set(turn.get() + 1);
                if turn.get() == 1 {
                    stream
                        .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                        .await
                        .unwrap();
                } else {
                    stream
                        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                        .await
                        .unwrap();
                    let mut hello = [0; 1];
                    stream.read_exact(&mut hello).await.unwrap();
                    // a TLS record of type handshake: the tunnel is in use
                    assert_eq!(hello[0], 22);
                }
            }
        })
        .await;
        let proxies = Proxies::new("", &proxy.to_string(), "").unwrap();
        let client = client_with(NetOptions {
            proxies,
            tls_verify: false,
            ..NetOptions::default()
        });
        let (response, hops) = send(&client, get("https://far.test/")).await;
        let error = response.error.unwrap();
        assert_eq!(
            error.message,
            "proxyconnect: the proxy answered 407 Proxy Authentication Required"
        );
        assert!(hops[0].sent > 0 && hops[0].received > 0);
        let (response, _) = send(&client, get("https://far.test/")).await;
        assert!(
            (code::TLS..code::HTTP2).contains(&response.error_code())
                || response.error_code() == code::TCP_RESET
        );
        assert_eq!(
            asked.borrow()[0],
            "CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\n\r\n"
        );
    });
}
