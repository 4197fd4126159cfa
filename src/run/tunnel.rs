//! The tunnel to the server under test: opened before anything is sent, closed after the last request.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::order::RunError;
use super::signals::Requests;
use super::tunnel_page::TunnelPage;
use super::tunnels::host;
use crate::metrics::TunnelSample;
use crate::output::Progress;
use crate::remote::ssh::{Connector, Destination, SshError, SshOptions};
use crate::remote::tunnel::{Forwards, Port, Tunnel};
use crate::report::humanize_bytes;

pub use super::tunnel_page::PageOrder;

/// Where to, and what for.
#[derive(Clone, Debug)]
pub struct TunnelOrder {
    /// The server.
    pub destination: Destination,
    /// The ports.
    pub forwards: Forwards,
    /// How to connect.
    pub ssh: SshOptions,
}

impl TunnelOrder {
    /// From what was typed.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn new(host: &str, forwards: &[String], ssh: SshOptions) -> Result<TunnelOrder, SshError> {
        Ok(TunnelOrder {
            destination: host.parse()?,
            forwards: Forwards::parse(forwards)?,
            ssh,
        })
    }

    /// From all `--tunnel` and `--forward` of a run. With several hosts a forward says whose it is, `HOST=…`, unless it is
    /// the first one's; a host that is not the first forwards only what it is told.
    ///
    /// # Errors
    /// One of them makes no sense.
    pub fn several(
        hosts: &[String],
        forwards: &[String],
        ssh: &SshOptions,
    ) -> Result<Vec<TunnelOrder>, SshError> {
        let mut of_host: Vec<Vec<String>> = vec![Vec::new(); hosts.len()];
        for text in forwards {
            let named = text.rsplit_once('=');
            let (host, forward) =
                named.map_or((None, text.as_str()), |(host, forward)| (Some(host), forward));
            let place = match host {
                None => 0,
                Some(host) => hosts
                    .iter()
                    .position(|known| known == host)
                    .ok_or(SshError::Forward {
                        text: text.clone(),
                        reason: "what stands before the = is not one of the hosts of --tunnel",
                    })?,
            };
            of_host[place].push(forward.to_owned());
        }
        let mut orders = Vec::new();
        for (place, (host, forwards)) in hosts.iter().zip(&of_host).enumerate() {
            let mut order = TunnelOrder::new(host, forwards, ssh.clone())?;
            if place > 0 && forwards.is_empty() {
                order.forwards = Forwards::none();
            }
            orders.push(order);
        }
        Ok(orders)
    }
}

/// How a tunnel that was held open has ended.
#[derive(Debug)]
pub enum Held {
    /// Somebody stopped it.
    Stopped,
    /// The server could not be reached any more.
    Lost(Arc<SshError>),
}

/// How often the counters are shown, and how often where nobody looks.
const SHOW: Duration = Duration::from_secs(1);
const SHOW_PLAIN: Duration = Duration::from_secs(10);

/// Keeps a tunnel open until a signal, with live counters, and a page of metrics if one is asked for. `print` gets what goes to
/// standard output.
///
/// # Errors
/// It does not come to be, or the page does not.
pub async fn hold(
    order: &TunnelOrder,
    shown: Option<&PageOrder>,
    progress: &Progress,
    print: impl Fn(&str),
) -> Result<Held, RunError> {
    let mut page = match shown {
        Some(shown) => Some(TunnelPage::bind(shown).await?),
        None => None,
    };
    let connector = Arc::new(Connector::new(&order.destination, &order.ssh)?);
    let server = host(order, connector.clone());
    let mut tunnel = Tunnel::open(connector, &order.destination, &order.forwards, &order.ssh)?;
    let watch = tunnel.watch();
    watch.keep_warm(order.ssh.ssh_warm as usize);
    if let (Some(page), Some(shown)) = (&mut page, shown) {
        page.publish(&watch);
        page.sample(shown, server).await?;
    }
    // Before anybody is told that there is something to stop.
    let mut stop = Requests::listen();
    let mut text = format!("tunnel to {}\n", tunnel.account());
    for port in tunnel.ports() {
        let _ = writeln!(text, "  {}", described(port));
    }
    if let Some(page) = &page {
        let address = page.address();
        let _ = writeln!(
            text,
            "metrics at http://{address}/metrics and http://{address}/metrics/remote"
        );
    }
    text.push_str("open until Ctrl-C\n");
    print(&text);
    let ended = loop {
        let follow = async {
            match &mut page {
                Some(page) => page.follow().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = stop.next() => break Held::Stopped,
            () = tokio::time::sleep(SHOW) => {}
            () = follow => {}
        }
        if let Some(error) = watch.failure() {
            break Held::Lost(error);
        }
        if let Some(page) = &mut page {
            page.publish(&watch);
        }
        progress.line(&figures(&watch.sample()), SHOW_PLAIN);
    };
    progress.end_line();
    let last = watch.sample();
    if let Some(page) = page {
        page.close().await;
    }
    tunnel.close();
    print(&format!("{}\n", figures(&last)));
    Ok(ended)
}

/// A forwarded port in words.
pub fn described(port: &Port) -> String {
    format!("localhost:{} -> {}", port.local, port.forward.target())
}

/// A tunnel's counters in one line.
fn figures(sample: &TunnelSample) -> String {
    let mut text = format!(
        "connections: {} open, {} in all | up {}, down {}",
        sample.active,
        sample.opened,
        humanize_bytes(sample.bytes_up as f64),
        humanize_bytes(sample.bytes_down as f64),
    );
    if let Some(round_trip) = sample.round_trip {
        let _ = write!(text, " | round trip {:.2} ms", round_trip.as_secs_f64() * 1e3);
    }
    let _ = write!(text, " | lanes {}/{}", sample.lanes_up, sample.lanes);
    for (count, what) in [
        (sample.refused, "refused"),
        (sample.cut, "cut"),
        (sample.outages, "outages"),
    ] {
        if count > 0 {
            let _ = write!(text, " | {what} {count}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_are_the_first_hosts_or_that_of_their_name() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let several = |hosts: &[&str], forwards: &[&str]| {
            let orders = TunnelOrder::several(&texts(hosts), &texts(forwards), &SshOptions::default());
            let ports = |order: &TunnelOrder| {
                order
                    .forwards
                    .as_slice()
                    .iter()
                    .map(|forward| forward.port)
                    .collect()
            };
            orders.map(|orders| orders.iter().map(ports).collect::<Vec<Vec<u16>>>())
        };
        assert_eq!(several(&["a"], &[]).expect("usual"), [[3001, 3002]]);
        assert_eq!(
            several(&["a", "u@b"], &[]).expect("one is looked at"),
            [vec![3001, 3002], vec![]]
        );
        let both = several(&["a", "u@b"], &["8080", "u@b=auto:db:5432", "a=9000"]).expect("both");
        assert_eq!(both, [vec![8080, 9000], vec![5432]]);
        assert!(
            several(&["a"], &["c=8080"])
                .expect_err("nobody")
                .to_string()
                .contains("not one of the hosts")
        );
    }

    #[test]
    fn what_has_not_happened_is_not_shown() {
        let mut sample = TunnelSample {
            lanes: 4,
            lanes_up: 4,
            active: 2,
            opened: 7,
            bytes_up: 1000,
            ..TunnelSample::default()
        };
        assert_eq!(
            figures(&sample),
            "connections: 2 open, 7 in all | up 1.0 kB, down 0 B | lanes 4/4"
        );
        sample.round_trip = Some(Duration::from_micros(20_130));
        (sample.lanes_up, sample.outages, sample.cut) = (3, 1, 2);
        let text = figures(&sample);
        assert!(
            text.ends_with("| round trip 20.13 ms | lanes 3/4 | cut 2 | outages 1"),
            "{text}"
        );
    }
}
