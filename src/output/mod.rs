//! What leaves while a run is going: /metrics, JSON and CSV samples, terminal progress.
