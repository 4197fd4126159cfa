//! `/metrics`: renders the page when somebody asks for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::net::port_holder;

use super::families::Format;
use super::listen::{Answers, Server, respond};
use super::live::LivePage;

/// Why a port cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has it.
    #[error(
        "port {} is in use{}: choose another address for {what} with `{flag}`{}",
        address.port(),
        holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default(),
        if *flag == METRICS { format!(", or `{METRICS} off`") } else { String::new() }
    )]
    InUse {
        what: &'static str,
        flag: &'static str,
        address: SocketAddr,
        holder: Option<String>,
    },
    /// Anything else.
    #[error("cannot serve {what} on {address}: {source}; choose another address with `{flag}`")]
    Other {
        what: &'static str,
        flag: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
}

const METRICS: &str = "--metrics-addr";

impl BindError {
    /// What the system said about an address.
    pub(super) fn new(
        what: &'static str,
        flag: &'static str,
        address: SocketAddr,
        source: io::Error,
    ) -> BindError {
        match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse {
                what,
                flag,
                address,
                holder: port_holder(address),
            },
            _ => BindError::Other {
                what,
                flag,
                address,
                source,
            },
        }
    }
}

/// The served page. Dropping it closes the port at once; [`MetricsServer::shutdown`] lets answers finish.
#[derive(Debug)]
pub struct MetricsServer(Server);

impl MetricsServer {
    /// Binds `address` (port 0 takes a free one) and serves from a task of the current tokio runtime.
    ///
    /// # Errors
    /// An address that is in use or not this machine's; the message names the port, who holds it where that can be
    /// told, and the flag.
    pub async fn bind(address: SocketAddr, page: Arc<LivePage>) -> Result<MetricsServer, BindError> {
        let server = Server::bind(address, page).await;
        server
            .map(MetricsServer)
            .map_err(|source| BindError::new("/metrics", METRICS, address, source))
    }

    /// Where the page is, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Stops accepting, lets answers that are on their way finish, and closes the port.
    pub async fn shutdown(self) {
        self.0.shutdown().await;
    }
}

impl Answers for LivePage {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        answer(&request, self)
    }
}

const INDEX: &str = "<!doctype html><title>loadgen</title><h1>loadgen</h1><p><a href=\"/metrics\">/metrics</a>: the test</p>\n\
     <p><a href=\"/metrics/remote\">/metrics/remote</a>: the target's machine, as node_exporter shows it</p>\n";

fn answer(request: &Request<Incoming>, page: &LivePage) -> Response<Full<Bytes>> {
    let head = request.method() == Method::HEAD;
    if !head && request.method() != Method::GET {
        let mut response = respond(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "only GET and HEAD\n".to_owned(),
        );
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok());
    let format = Format::negotiate(accept.unwrap_or_default());
    let response = match request.uri().path() {
        // A HEAD reads no numbers, so it is not a scrape.
        "/metrics" if head => respond(StatusCode::OK, format.content_type(), ""),
        "/metrics" => respond(StatusCode::OK, format.content_type(), page.scrape(format)),
        "/metrics/remote" if head => respond(StatusCode::OK, Format::Text.content_type(), ""),
        "/metrics/remote" => respond(
            StatusCode::OK,
            Format::Text.content_type(),
            page.remote(request.uri().query()),
        ),
        "/" => respond(StatusCode::OK, "text/html; charset=utf-8", INDEX),
        _ => respond(
            StatusCode::NOT_FOUND,
            "text/plain",
            "there are only /metrics and /metrics/remote\n",
        ),
    };
    if head {
        response.map(|_| Full::default())
    } else {
        response
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use std::time::{Duration, Instant};

    use super::*;
    use crate::output::RunInfo;

    async fn server() -> MetricsServer {
        let info = RunInfo {
            scenarios: vec!["default".to_owned()],
            ..RunInfo::default()
        };
        MetricsServer::bind("127.0.0.1:0".parse().unwrap(), LivePage::new(info))
            .await
            .unwrap()
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_page_the_index_and_what_is_neither() {
        let server = server().await;
        let page = ask(server.address(), "GET /metrics").await;
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains("text/plain; version=0.0.4"),
            "{page}"
        );
        assert!(page.contains("loadgen_http_requests_total{"), "{page}");
        assert!(ask(server.address(), "GET /").await.contains("href=\"/metrics\""));
        assert!(ask(server.address(), "GET /x").await.starts_with("HTTP/1.1 404"));
        assert!(
            ask(server.address(), "POST /metrics")
                .await
                .starts_with("HTTP/1.1 405")
        );
        assert!(ask(server.address(), "HEAD /metrics").await.ends_with("\r\n\r\n"));
        let page = ask(server.address(), "GET /metrics?x=1").await;
        assert!(
            page.contains("\nloadgen_scrapes_total 1\n"),
            "HEAD is no scrape: {page}"
        );
        server.shutdown().await;
    }

    #[tokio::test]
    async fn a_run_can_wait_for_a_scrape() {
        let page = LivePage::new(RunInfo::default());
        let server = MetricsServer::bind("127.0.0.1:0".parse().unwrap(), page.clone())
            .await
            .unwrap();
        let begin = Instant::now();
        assert!(!page.wait_scrape(begin, Duration::from_millis(20)).await);
        let (seen, _) = tokio::join!(
            page.wait_scrape(begin, Duration::from_secs(5)),
            ask(server.address(), "GET /metrics")
        );
        assert!(seen);
        assert!(
            page.wait_scrape(begin, Duration::ZERO).await,
            "one that was already"
        );
        assert!(!page.wait_scrape(Instant::now(), Duration::from_millis(20)).await);
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_its_holder() {
        let server = server().await;
        let error = MetricsServer::bind(server.address(), LivePage::new(RunInfo::default()))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(&server.address().port().to_string()), "{error}");
        assert!(error.contains("--metrics-addr"), "{error}");
        if cfg!(target_os = "linux") {
            assert!(error.contains("pid"), "{error}");
        }
    }

    #[tokio::test]
    async fn after_shutdown_the_port_is_free_even_with_an_idle_connection() {
        let server = server().await;
        let address = server.address();
        let idle = TcpStream::connect(address).await.unwrap();
        tokio::task::yield_now().await;
        server.shutdown().await;
        assert!(TcpStream::connect(address).await.is_err());
        drop(idle);
    }
}
