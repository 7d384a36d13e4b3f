//! Who is to be asked about which partitions, and what if a broker does not offer the API?

use std::collections::BTreeMap;
use std::future::Future;

use forebay_core::cluster::Destination;
use forebay_core::connection::Fault;
use forebay_core::time::Instant;
use forebay_protocol::api::Request;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::types::{BrokerId, TopicName, TopicPartition};

use super::{Admin, Each};
use crate::error::Error;
use crate::net::call::Throttled;

/// Partitions by the broker that leads them.
pub(super) type Led = BTreeMap<BrokerId, Vec<TopicPartition>>;

impl Admin {
    /// Asks the leaders of `partitions`, all at once and not in a version below the oldest, and
    /// reads each answer.
    pub(super) async fn ask_leaders<R, V>(
        &self,
        partitions: &[TopicPartition],
        (make, oldest): (impl Fn(&[TopicPartition]) -> R, i16),
        read: impl Fn(R::Response) -> Each<TopicPartition, V>,
    ) -> Result<Each<TopicPartition, V>, Error>
    where
        R: Request<Response: Throttled + Send> + Send + 'static,
    {
        let (led, mut each) = self.leaders(partitions).await?;
        let mut asked = Vec::with_capacity(led.len());
        for (leader, partitions) in led {
            let body = make(&partitions);
            let to = Destination::Broker(leader);
            let answer = self.cluster.begin(to, move |_| body.clone(), (oldest, i16::MAX));
            asked.push((partitions, answer));
        }
        let until = self.half_time();
        for (partitions, answer) in asked {
            match self.heard::<R, _>(until, answer).await {
                Ok(answer) => each.extend(read(answer)),
                Err(error) => {
                    each.extend(partitions.into_iter().map(|tp| (tp, Err(error.clone()))));
                }
            }
        }
        Ok(each)
    }

    /// Until when one broker of several is waited for: one that is silent costs only its own part.
    pub(super) fn half_time(&self) -> Instant {
        self.clock.now().after(self.timeout / 2)
    }

    /// An answer that comes by `until`.
    pub(super) async fn heard<R: Request, T>(
        &self,
        until: Instant,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            answer = answer => answer,
            () = self.clock.sleep_until(Some(until)) => {
                let fault = Fault::Timeout { api: R::API.name(), after: self.timeout / 2 };
                Err(Error::Connection { address: None, fault })
            }
        }
    }

    /// Who leads which of `partitions`, and what is wrong with the others.
    async fn leaders<V>(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<(Led, Each<TopicPartition, V>), Error> {
        let names: Vec<TopicName> = topics_of(partitions).into_keys().collect();
        let topics = self.try_describe(&names).await?;
        let (mut led, mut lost) = (Led::new(), Each::new());
        for tp in partitions {
            let found = match topics.get(&tp.topic) {
                Some(Ok(topic)) => topic.partitions.iter().find(|it| it.partition == tp.partition),
                Some(Err(error)) => {
                    lost.insert(tp.clone(), Err(error.clone()));
                    continue;
                }
                None => None,
            };
            match found.map(|found| found.leader) {
                Some(Some(leader)) => led.entry(leader).or_default().push(tp.clone()),
                Some(None) => {
                    drop(lost.insert(tp.clone(), Err(Error::NoLeader { tp: tp.clone() })))
                }
                None => drop(lost.insert(tp.clone(), Err(unknown(tp)))),
            }
        }
        Ok((led, lost))
    }
}

/// Partitions by topic, as requests have them.
pub(super) fn topics_of(partitions: &[TopicPartition]) -> BTreeMap<TopicName, Vec<i32>> {
    let mut topics: BTreeMap<TopicName, Vec<i32>> = BTreeMap::new();
    for tp in partitions {
        topics.entry(tp.topic.clone()).or_default().push(tp.partition);
    }
    topics
}

fn unknown(tp: &TopicPartition) -> Error {
    Error::broker("Metadata", tp.to_string(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0)
}

/// A broker that does not know the API, or not in such a version, as what the user can do about it.
pub(super) fn offered(feature: &'static str, since: &'static str) -> impl Fn(Error) -> Error {
    move |error| {
        if let Error::Connection { fault: Fault::Unsupported { .. }, .. } = error {
            return Error::NotOffered { feature, since };
        }
        error
    }
}

/// Nothing for code 0; else Kafka's error with the broker's own words.
pub(super) fn outcome(
    api: &'static str,
    subject: impl ToString,
    code: i16,
    words: Option<&str>,
) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    Err(Error::broker(api, subject.to_string(), code).with_message(words.map(Into::into)))
}
