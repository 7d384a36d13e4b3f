//! Is a node ready? Asked in its own protocol, never read from its log.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::model::{Broker, HOST, Node, Plan};

/// One question takes milliseconds; a starting broker may accept and not answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A lab's answer has a few hundred bytes.
const ANSWER_MAX: u32 = 1 << 20;

/// Metadata version 1 for no topics, which every Kafka since 0.10 answers: length, key 3,
/// version 1, correlation id 7, no client id, an empty list.
const METADATA: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0];

/// Whether `node` answers and knows the brokers in `expected`.
///
/// # Errors
///
/// What was found instead, in words.
pub(crate) async fn check(plan: &Plan, node: Node, expected: &[Broker]) -> Result<(), String> {
    let port = plan.ports_of(node).first().copied().unwrap_or_default();
    let answer = async {
        match node {
            Node::ZooKeeper => zookeeper(port).await.map(|()| Vec::new()),
            Node::Broker(_) => brokers(port).await,
        }
    };
    let listed = match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => return Err(format!("{HOST}:{port} gave no answer: {error}")),
        Err(_) => return Err(format!("{HOST}:{port} gave no answer in {ANSWER_WITHIN:?}")),
    };
    if node == Node::ZooKeeper {
        return Ok(());
    }
    // By port too: the answer could come from a stranger that took ours.
    let missing = expected.iter().find(|broker| !listed.contains(&(broker.id, broker.port)));
    missing.map_or(Ok(()), |broker| {
        Err(format!(
            "its Metadata lists {} of {} brokers, not {}",
            listed.len(),
            expected.len(),
            broker.id
        ))
    })
}

/// Ids and ports of the brokers that the one at `port` knows.
async fn brokers(port: u16) -> io::Result<Vec<(u32, u16)>> {
    let mut stream = TcpStream::connect((HOST, port)).await?;
    stream.write_all(&METADATA).await?;
    let length = stream.read_u32().await?;
    if length > ANSWER_MAX {
        return Err(io::Error::other(format!("an answer of {length} bytes is no Metadata")));
    }
    let mut answer = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut answer).await?;
    parse(&answer).ok_or_else(|| io::Error::other("the answer is no Metadata"))
}

fn parse(answer: &[u8]) -> Option<Vec<(u32, u16)>> {
    let (_correlation, rest) = answer.split_at_checked(4)?;
    let (count, mut rest) = read_u32(rest)?;
    let mut brokers = Vec::new();
    for _ in 0..count {
        let (id, after) = read_u32(rest)?;
        let (_host, after) = read_string(after)?;
        let (port, after) = read_u32(after)?;
        let (_rack, after) = read_string(after)?;
        brokers.push((id, u16::try_from(port).ok()?));
        rest = after;
    }
    Some(brokers)
}

fn read_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*head), rest))
}

/// Null is told by the length -1.
fn read_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::try_from(i16::from_be_bytes(*head).max(0)).ok()?)
}

/// Asks for the mode, which a server that does not serve yet does not tell.
async fn zookeeper(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((HOST, port)).await?;
    stream.write_all(b"srvr").await?;
    let mut answer = String::new();
    stream.take(u64::from(ANSWER_MAX)).read_to_string(&mut answer).await?;
    if answer.contains("Mode:") { Ok(()) } else { Err(io::Error::other("it does not serve yet")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broker 1 on port 20000 with a rack, broker 2 on port 20002 without.
    const ANSWER: [u8; 44] = [
        0, 0, 0, 7, 0, 0, 0, 2, //
        0, 0, 0, 1, 0, 1, b'a', 0, 0, 0x4e, 0x20, 0, 3, b'r', b'k', b'1', //
        0, 0, 0, 2, 0, 1, b'b', 0, 0, 0x4e, 0x22, 0xff, 0xff, //
        0, 0, 0, 1, 0, 0, 0,
    ];

    #[test]
    fn brokers_are_read_from_metadata() {
        assert_eq!(parse(&ANSWER), Some(vec![(1, 20_000), (2, 20_002)]));
    }

    #[test]
    fn a_cut_answer_is_no_metadata() {
        for end in 0..37 {
            assert_eq!(parse(ANSWER.get(..end).unwrap()), None, "cut at {end}");
        }
    }

    #[test]
    fn a_lying_count_allocates_nothing_and_is_no_metadata() {
        let mut answer = ANSWER;
        answer[4..8].fill(0xff);
        assert_eq!(parse(&answer), None);
    }

    #[tokio::test]
    async fn a_stranger_on_the_port_is_not_ready() {
        let listener = tokio::net::TcpListener::bind((HOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stranger = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        };
        let (answer, ()) = tokio::join!(brokers(port), stranger);
        let said = answer.unwrap_err().to_string();
        assert!(said.contains("an answer of 1213486160 bytes"), "{said}");
    }
}
