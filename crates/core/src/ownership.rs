//! PILLAR 1. What is ours, since when, until when?

pub mod assignor;
pub mod classic;
pub mod directive;
pub mod holdings;
pub mod member;
pub mod membership;
pub mod modern;
mod pace;
mod partition;

pub use partition::Ownership;
