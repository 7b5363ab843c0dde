//! Sends the requests of a log to a running gateway.
