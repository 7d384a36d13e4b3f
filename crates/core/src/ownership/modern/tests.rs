//! A member by KIP-848 as a talk with its coordinator.
