//! PILLAR 2. Which request to which leader now?
//!
//! A [`cursor`] says where fetching of a slot goes on. It rests with its shard or is on loan to a
//! [`lane`], one owner at a time. A lane is one connection that only fetches, with a [`session`]
//! of its own; [`size`] decides how much it asks for.

pub mod aborted;
pub mod cursor;
pub mod lane;
pub mod session;
pub mod size;
