//! The order of things on the control plane.
