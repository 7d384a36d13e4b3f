//! What works on this machine, which clusters there are, and what is left over?

pub(crate) mod doctor;
pub(crate) mod home;
pub(crate) mod journal;
pub(crate) mod sweep;
