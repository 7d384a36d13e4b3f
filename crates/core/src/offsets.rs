//! PILLAR 4. What is done, and what may be committed?

pub mod commit;
pub mod finished;
pub mod start;
pub mod tracker;
