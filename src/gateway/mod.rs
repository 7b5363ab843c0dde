//! The server that clients talk to.
