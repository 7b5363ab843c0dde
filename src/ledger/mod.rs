//! The ledger: what was spent, durably, in SQLite.
