//! A member as a talk with its coordinator.
