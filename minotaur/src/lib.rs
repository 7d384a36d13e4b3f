//! The lab: real Kafka brokers without containers, as plain Java processes from Maven's jars.
//!
//! ```no_run
//! use minotaur::{Lab, LabSpec};
//!
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! let lab = Lab::from_env()?;
//! let mut cluster = lab.up(&LabSpec::parse("kafka@4.4.0")?.nodes(3)?).await?;
//! println!("{}", cluster.bootstrap_servers());
//! cluster.kill(2.into()).await?;
//! cluster.start(2.into()).await?;
//! // Dropped here: no process and no file of it stays.
//! # Ok(())
//! # }
//! ```
//!
//! | module | the question it answers |
//! |---|---|
//! | `spec`, `versions` | what was asked for, and what does that version need? |
//! | `model` | what must exist? |
//! | `artifacts` | which jars, which Java? |
//! | `infrastructure` | processes, ports, and who ends them |
//! | `labs` | how is Kafka configured, started, known to be ready? |
//! | `supervisor` | what is there, what is left over? |
//! | `lab`, `cluster` | the doors: start, kill, freeze, remove |

#![forbid(unsafe_code)]

mod artifacts;
mod cluster;
mod error;
mod infrastructure;
mod lab;
mod labs;
mod model;
mod spec;
mod supervisor;
mod versions;

pub use cluster::{Cluster, NodeState, NodeStatus};
pub use error::LabError;
pub use lab::Lab;
pub use model::Node;
pub use spec::{LabSpec, Profile, SpecError, System};
pub use supervisor::doctor::{Check, Report, VersionReport};
pub use versions::{KafkaVersion, Mode, PROMISED, VersionError};
