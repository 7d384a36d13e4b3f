//! How is a system set up, started and known to be ready?

pub(crate) mod kafka;
