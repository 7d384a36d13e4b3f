//! Which jars and which Java run a server?

pub(crate) mod closure;
pub(crate) mod java;
pub(crate) mod maven;
pub(crate) mod pom;
