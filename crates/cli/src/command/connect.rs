//! Is there a cluster, and what does it say about a topic?

use std::io::{self, Write};
use std::time::Duration;

use forebay::config::{ClientConfig, ClientKind, Properties};
use forebay::{Admin, ConsumerHandle, TopicPartition};

use crate::args::Servers;
use crate::error::CliError;

/// How often a starting consumer is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// How long a call may take that only finds out what is wrong.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What the property file and the options say. What has no meaning here is told on standard error.
pub(crate) fn settings(servers: &Servers, kind: ClientKind) -> Result<Properties, CliError> {
    let properties = properties(servers)?;
    for note in properties.notes(kind)? {
        writeln!(io::stderr(), "note: {note}").ok();
    }
    Ok(properties)
}

fn properties(servers: &Servers) -> Result<Properties, CliError> {
    let file = servers.config.as_ref().map(Properties::read);
    let properties = file.transpose()?.unwrap_or_default();
    Ok(match &servers.bootstrap_servers {
        Some(list) => properties.with("bootstrap.servers", list),
        None => properties,
    })
}

/// An admin client that gives up after the time to connect.
pub(crate) fn admin(servers: &Servers) -> Result<Admin, CliError> {
    let config = ClientConfig::from_properties(&properties(servers)?)?;
    Ok(Admin::new(&ClientConfig { api_timeout: servers.connect_timeout, ..config })?)
}

/// How many partitions a topic has.
pub(crate) async fn partition_count(servers: &Servers, topic: &str) -> Result<i32, CliError> {
    let described = admin(servers)?.describe_topic(&topic.into()).await?;
    Ok(i32::try_from(described.partitions.len()).unwrap_or(i32::MAX))
}

/// Returns when the consumer of `partitions` knows where they start; says what is wrong when that
/// takes longer than connecting may. Cancel safe.
pub(crate) async fn started(
    handle: &ConsumerHandle,
    servers: &Servers,
    partitions: &[TopicPartition],
) -> Result<(), CliError> {
    let wait = async {
        for tp in partitions {
            while handle.position(tp.clone()).await?.is_none() {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok::<_, forebay::Error>(())
    };
    match tokio::time::timeout(servers.connect_timeout, wait).await {
        Ok(Ok(())) => Ok(()),
        // It ended by itself: the summary says why.
        Ok(Err(error)) => Err(handle.ended().await.cause.clone().unwrap_or(error).into()),
        Err(_elapsed) => Err(why_not(servers, partitions).await),
    }
}

/// Asks again, by a call whose error says why a consumer does not start.
async fn why_not(servers: &Servers, partitions: &[TopicPartition]) -> CliError {
    let again = Servers { connect_timeout: ASK_AGAIN, ..servers.clone() };
    for tp in partitions.iter().rev().take(1) {
        match partition_count(&again, tp.topic.as_str()).await {
            Err(error) => return error,
            Ok(count) if count <= tp.partition => {
                let partitions = usize::try_from(count).unwrap_or(0);
                return forebay::Error::UnknownPartition { tp: tp.clone(), partitions }.into();
            }
            Ok(_) => {}
        }
    }
    CliError::NoStart { servers: servers.shown(), after: servers.connect_timeout }
}
