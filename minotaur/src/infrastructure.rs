//! What labs stand on: processes, ports and files of this machine.

pub(crate) mod local;
