//! What `/metrics` and `/metrics/remote` show of a tunnel that is held open by itself: the tunnel, and the server, which is
//! sampled over a session of its own. There is no run, so there is nothing of one on them.

use std::net::SocketAddr;
use std::sync::Arc;

use super::order::{RunError, SamplingOrder};
use super::sampling::{Reading, RemoteHost, Sampling, open};
use crate::metrics::{Contains, Epoch, Trend};
use crate::output::{LivePage, MetricsServer};
use crate::remote::tunnel::Watch;

/// That there is to be such a page.
#[derive(Clone, Debug)]
pub struct PageOrder {
    /// Where.
    pub address: SocketAddr,
    /// How the server is sampled, if it is.
    pub sampling: SamplingOrder,
}

/// The page, served as long as this lives.
pub struct TunnelPage {
    page: Arc<LivePage>,
    server: MetricsServer,
    sampling: Sampling,
    round_trips: Trend,
}

impl TunnelPage {
    /// Serves it, without anything on it yet.
    ///
    /// # Errors
    /// The address is not to be had.
    pub async fn bind(order: &PageOrder) -> Result<TunnelPage, RunError> {
        let page = LivePage::of_tunnel();
        Ok(TunnelPage {
            server: MetricsServer::bind(order.address, page.clone()).await?,
            page,
            sampling: Sampling::default(),
            round_trips: Trend::new(Contains::Time),
        })
    }

    /// Begins to sample the server.
    ///
    /// # Errors
    /// Something that is to be watched is not there.
    pub async fn sample(&mut self, order: &PageOrder, host: RemoteHost) -> Result<(), RunError> {
        if order.sampling.elsewhere {
            let epoch = Epoch::now();
            let opened = open(&order.sampling, None, vec![host], epoch).await?;
            self.sampling = Sampling::start(opened, epoch, order.sampling.interval);
        }
        Ok(())
    }

    /// Where it is, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Shows what the server tells, as long as it is polled.
    pub async fn follow(&mut self) {
        loop {
            match self.sampling.next().await {
                Reading::Sample(sample) => self.page.publish_host(*sample),
                Reading::Lost(host) => self.page.lose_host(&host),
            }
        }
    }

    /// Shows the tunnel as it is now.
    pub fn publish(&mut self, watch: &Watch) {
        for (_, length) in watch.round_trips() {
            self.round_trips.record(length.as_secs_f64() * 1e3);
        }
        self.page.publish_tunnel(watch.sample(), self.round_trips.clone());
    }

    /// Lets answers that are on their way finish.
    pub async fn close(self) {
        self.server.shutdown().await;
    }
}
