//! Which format a scraper wants: HTTP content negotiation (RFC 9110, 12.5.1) over what the page can be.

/// A format of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The text format 0.0.4: what everything understands.
    #[default]
    Text,
    /// OpenMetrics 1.0 text: with exemplars.
    OpenMetrics,
    /// Prometheus' protobuf: with exemplars and native histograms.
    Protobuf,
}

impl Format {
    /// What `Content-Type` says of it.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The one that `Accept` likes best; text where it does not matter, is missing, or names nothing of ours.
    pub fn negotiate(accept: &str) -> Format {
        let mut best = (Format::Text, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut quality = 1.0;
            let mut known = Format::of(&kind);
            for parameter in parts {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = value.parse().unwrap_or(0.0),
                    // The other encodings of protobuf are text for people; 0.0.1 was a draft.
                    "encoding" if known == Some(Format::Protobuf) && value != "delimited" => known = None,
                    "proto" if value != "io.prometheus.client.MetricFamily" => known = None,
                    "version" if known == Some(Format::OpenMetrics) && value != "1.0.0" => known = None,
                    _ => {}
                }
            }
            if let Some(format) = known
                && quality > best.1
            {
                best = (format, quality);
            }
        }
        best.0
    }

    fn of(kind: &str) -> Option<Format> {
        match kind {
            "application/vnd.google.protobuf" => Some(Format::Protobuf),
            "application/openmetrics-text" => Some(Format::OpenMetrics),
            "text/plain" | "text/*" | "*/*" => Some(Format::Text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrapers_get_what_they_like_best() {
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html, application/json", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            // Prometheus 2.42, and with native histograms.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                 application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::Protobuf,
            ),
            // Prometheus 3, and with native histograms.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4;q=0.3, application/vnd.google.protobuf; encoding=delimited; q=0.9; \
                 proto=\"io.prometheus.client.MetricFamily\"",
                Format::Protobuf,
            ),
            ("application/vnd.google.protobuf;encoding=text", Format::Text),
            (
                "application/vnd.google.protobuf;proto=other.Message",
                Format::Text,
            ),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=x", Format::Text),
            (";;,=,q=", Format::Text),
        ] {
            assert_eq!(Format::negotiate(accept), format, "{accept}");
        }
    }
}
