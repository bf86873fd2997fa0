//! The ledger's file format.
