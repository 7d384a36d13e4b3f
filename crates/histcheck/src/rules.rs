//! The rules, a function each.

pub(crate) mod log;
pub(crate) mod work;
