//! The rules, a function each.

pub(crate) mod directed;
pub(crate) mod log;
pub(crate) mod work;
