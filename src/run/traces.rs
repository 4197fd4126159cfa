//! A run's traces: what its virtual users write, the exporter that sends it away, and its place in the drain order.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{Exemplars, TracePlan, Tracing};
use crate::output::{LivePage, OtlpError, OtlpExporter, OtlpSpec, TracedRun};

/// Spans that wait for the exporter. The OpenTelemetry SDK's default lost half of 100,000 spans at 50,000 a second; this room
/// and batches of 8,192 every 200 ms lost none.
const ROOM: usize = 65_536;

/// How long the last spans may take when all else is over.
const FLUSH: Duration = Duration::from_secs(5);

/// That there are traces, and what becomes of them.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceOrder {
    /// `--trace-sample`, `--trace-limit`.
    pub plan: TracePlan,
    /// `--otlp`; without it requests only have their header.
    pub otlp: Option<OtlpSpec>,
}

/// What the exporter says about the run.
pub type About = TracedRun;

/// The traces of a run that has some.
#[derive(Default)]
pub struct Traces {
    tracing: Option<Arc<Tracing>>,
    exporter: RefCell<Option<OtlpExporter>>,
    exemplars: Arc<Exemplars>,
}

impl Traces {
    /// Starts the exporter, if there is to be one.
    ///
    /// # Errors
    /// It cannot be set up. A collector that does not answer is no reason: the load does not depend on it.
    pub fn start(order: Option<&TraceOrder>, about: About) -> Result<Traces, OtlpError> {
        let Some(order) = order else {
            return Ok(Traces::default());
        };
        let Some(spec) = &order.otlp else {
            return Ok(Traces {
                tracing: Some(Tracing::headers_only(order.plan)),
                ..Traces::default()
            });
        };
        let (tracing, spans) = Tracing::exported(order.plan, ROOM);
        let exemplars = Arc::<Exemplars>::default();
        let exporter = OtlpExporter::start(spec, about, spans, tracing.stats(), exemplars.clone())?;
        Ok(Traces {
            tracing: Some(tracing),
            exporter: RefCell::new(Some(exporter)),
            exemplars,
        })
    }

    /// What virtual users write to.
    pub fn tracing(&self) -> Option<Arc<Tracing>> {
        self.tracing.clone()
    }

    /// Shows on the page what becomes of the spans, and requests whose spans were exported.
    pub fn show(&self, page: &LivePage) {
        if let Some(tracing) = &self.tracing {
            page.set_spans(tracing.stats());
            page.set_exemplars(self.exemplars.clone());
        }
    }

    /// Sends what is left, within a bounded time. Nobody may write any more.
    pub async fn finish(&self) {
        let exporter = self.exporter.borrow_mut().take();
        if let Some(exporter) = exporter {
            exporter.finish(FLUSH).await;
        }
    }
}
