//! The record formats against bytes that other clients wrote, and against damage.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod goldens;
