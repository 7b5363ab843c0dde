//! What clients and providers say to each other, and the translation between them: pure, no I/O.
