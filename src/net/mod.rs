//! One connection's life: DNS, TCP, TLS, HTTP/1.1, HTTP/2, cookies, redirects, bodies, and the phase timings stamped at the I/O layer.
