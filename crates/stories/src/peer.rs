//! How do other people's clients write and read a topic? Java's and librdkafka, as programs.

mod java;
mod kcat;
mod python;

use std::io;
use std::process::{Output, Stdio};

use forebay::Compression;
use kcat::TransactionEnd;
use tokio::process::Command;

use crate::stage::Stage;
use crate::story::Ending;

pub(crate) use java::Java;
pub(crate) use kcat::member as kcat_member;
pub(crate) use kcat::read_as as kcat_as;
pub(crate) use python::is_there as has_python;
pub(crate) use python::member as python_member;

/// How a batch is compressed, by Kafka's names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub(crate) const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Our setting for it.
    pub(crate) const fn setting(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip => Compression::Gzip,
            Self::Snappy => Compression::Snappy,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd => Compression::Zstd,
        }
    }

    /// Those that the broker can keep.
    pub(crate) fn of(stage: &Stage) -> impl Iterator<Item = Self> {
        let zstd = stage.broker().has_zstd();
        Self::ALL.into_iter().filter(move |codec| zstd || *codec != Self::Zstd)
    }
}

/// Somebody else's client. Record i of those it writes has the key `key-i`, the value `value-i`
/// and a header `from` with the client's name; all go to partition 0.
#[derive(Debug)]
pub(crate) enum Peer {
    Java(Java),
    Librdkafka,
}

impl Peer {
    /// Kafka's own client, of a release that still speaks with the broker.
    pub(crate) async fn java(stage: &Stage) -> Result<Self, Ending> {
        Ok(Self::Java(Java::for_broker(stage.broker()).await?))
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Java(_) => "java",
            Self::Librdkafka => "librdkafka",
        }
    }

    /// Writes records 0 to `count` - 1.
    pub(crate) async fn write(
        &self,
        to: Topic<'_>,
        codec: Codec,
        count: u32,
    ) -> Result<(), Ending> {
        match self {
            Self::Java(java) => java.write(to, codec, count).await,
            Self::Librdkafka => kcat::write(to, codec, count).await,
        }
    }

    /// Writes so many transactions of ten records, of which the fifth of ten is aborted; record j of
    /// transaction i has the value `name-i-j`.
    pub(crate) async fn transact(&self, to: Topic<'_>, count: u32) -> Result<(), Ending> {
        if let Self::Java(java) = self {
            return java.transact(to, count).await;
        }
        for i in 0..count {
            let values: Vec<String> = (0..10).map(|j| format!("{}-{i}-{j}", self.name())).collect();
            let is_aborted = i % 10 == 4;
            let end = if is_aborted { TransactionEnd::Abort } else { TransactionEnd::Commit };
            kcat::transact(to, &values, end).await?;
        }
        Ok(())
    }

    /// Lets whoever reads under this client id have so many bytes a second.
    pub(crate) async fn limit(
        &self,
        bootstrap: &str,
        client: &str,
        rate: u32,
    ) -> Result<(), Ending> {
        match self {
            Self::Java(java) => java.limit(bootstrap, client, rate).await,
            Self::Librdkafka => Ok(()),
        }
    }

    /// Reads `count` records from the beginning: `offset|key|value|header=value,…` each.
    pub(crate) async fn read(&self, from: Topic<'_>, count: u32) -> Result<Vec<String>, Ending> {
        match self {
            Self::Java(java) => java.read(from, count).await,
            Self::Librdkafka => kcat::read(from, count).await,
        }
    }
}

/// Kafka's own client, of a release that still speaks with the broker.
pub(crate) async fn java(stage: &Stage) -> Result<Java, Ending> {
    Java::for_broker(stage.broker()).await
}

/// A topic and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topic<'a> {
    pub(crate) bootstrap: &'a str,
    pub(crate) name: &'a str,
}

/// A program that a peer needs.
#[derive(Debug)]
struct Tool {
    /// What it is here.
    what: &'static str,
    /// Its name on the PATH.
    program: &'static str,
    /// What brings it on Debian and Ubuntu.
    package: &'static str,
}

impl Tool {
    /// Not to be there is another thing than to fail.
    fn fault(&self, source: io::Error) -> Ending {
        let Self { what, program, package } = *self;
        if source.kind() == io::ErrorKind::NotFound {
            return Ending::Missing { program, package };
        }
        Ending::Io { what, source }
    }
}

/// What a peer printed; a peer that fails breaks the story off with its last words.
async fn run(command: &mut Command, tool: &Tool) -> Result<Output, Ending> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|source| tool.fault(source))?;
    judge(output, tool)
}

fn judge(output: Output, tool: &Tool) -> Result<Output, Ending> {
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(3).collect();
    Err(Ending::Broken(format!("{}: {}; {}", tool.what, output.status, last.join(" / "))))
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
