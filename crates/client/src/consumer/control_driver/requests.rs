//! What the router wants to know, asked of brokers, and how long each answer may take.

use std::sync::Arc;

use forebay_core::cluster::Destination;
use forebay_core::offsets::commit::{Answer, Entry};
use forebay_core::offsets::start::{Ask, Told};
use forebay_core::ownership::member::{self, Identity, Request, Stamp};
use forebay_protocol::types::{BrokerId, TopicPartition};

use super::Driver;
use crate::cluster::{Patience, Route};
use crate::consumer::control::Input;
use crate::consumer::{group, translate};
use crate::error::Error;

impl Driver {
    pub(super) fn fetch_committed(&self, asked: Vec<TopicPartition>) {
        let (group, tps) = (Arc::clone(&self.group), asked.clone());
        let make = move |version| translate::offset_fetch(&group, &tps, version);
        let to = Destination::Coordinator(self.key());
        let inputs = self.inputs.clone();
        self.cluster.send(to, make, (0, translate::OFFSET_FETCH_AT_MOST), move |answer| {
            let told = match answer {
                Ok(answer) => translate::committed(&asked, &answer),
                Err(error) => silence(&error, &asked),
            };
            drop(inputs.send(Input::Fetched(asked, told)));
        });
    }

    pub(super) fn list(&self, leader: BrokerId, asks: Vec<Ask>) {
        let now = self.clock.wall_millis();
        let body = translate::list_offsets(&asks, self.config.isolation_level, now);
        let inputs = self.inputs.clone();
        self.cluster.send(
            Destination::Broker(leader),
            move |_| body.clone(),
            (0, i16::MAX),
            move |answer| {
                let told = match answer {
                    Ok(answer) => translate::listed(&answer),
                    Err(error) => {
                        let asked: Vec<_> = asks.iter().map(|ask| ask.tp.clone()).collect();
                        silence(&error, &asked)
                    }
                };
                drop(inputs.send(Input::Listed(asks, told)));
            },
        );
    }

    pub(super) fn commit(&self, entries: Vec<(TopicPartition, Entry)>, by: Option<&Identity>) {
        let body = translate::offset_commit(&self.group, &entries, by);
        let to = Destination::Coordinator(self.key());
        let inputs = self.inputs.clone();
        self.cluster.send(
            to,
            move |_| body.clone(),
            (0, translate::OFFSET_COMMIT_AT_MOST),
            move |answer| {
                let answer = match answer {
                    Ok(answer) => translate::commit_answer(&answer),
                    Err(error) => {
                        translate::final_code(&error).map_or(Answer::Unreachable, |code| {
                            let tps = entries.into_iter().map(|(tp, _)| (tp, code));
                            Answer::Partitions(tps.collect())
                        })
                    }
                };
                drop(inputs.send(Input::Stored(answer)));
            },
        );
    }
}

impl Driver {
    /// Asks the coordinator about the membership.
    pub(super) fn ask(&self, stamp: Stamp, request: Request) {
        let group = Arc::clone(&self.group);
        let inputs = self.inputs.clone();
        let sent = self.clock.boot();
        let tell = move |answer| drop(inputs.send(Input::Member(sent, stamp, answer)));
        match request {
            Request::Join(join) => {
                let route = self.route(&join.instance, group::STATIC_FROM.0, self.join_patience());
                let make = move |_| group::join(&group, &join);
                self.cluster.send_on(route, make, move |answer| tell(group::joined(answer)));
            }
            Request::Sync(sync) => {
                let instance = sync.identity.instance.clone();
                let route = self.route(&instance, group::STATIC_FROM.1, self.sync_patience());
                let make = move |version| group::sync(&group, &sync, version);
                self.cluster.send_on(route, make, move |answer| tell(group::synced(answer)));
            }
            Request::Heartbeat(by) => {
                let route = self.route(&by.instance, group::STATIC_FROM.1, self.beat_patience());
                let make = move |_| group::heartbeat(&group, &by);
                self.cluster.send_on(route, make, move |answer| tell(group::beat(answer)));
            }
            Request::Beat(beat) => {
                let patience = self.beat_patience();
                let accepts = (group::BEAT_FROM, i16::MAX);
                let to = Destination::Coordinator(self.key());
                let constant = self.constant.clone();
                let make = move |_| group::consumer_heartbeat(&group, &beat, &constant);
                let route = Route { to, accepts, patience };
                self.cluster.send_on(route, make, move |answer| tell(group::beaten(answer)));
            }
            Request::Leave(by) => {
                let route = self.route(&by.instance, group::STATIC_FROM.1, self.beat_patience());
                let make = move |version| group::leave(&group, &by, version);
                self.cluster.send_on(route, make, move |_| tell(member::Answer::Left));
            }
        }
    }

    /// How long a session is stands in the settings of the group, else in those of a broker. Who
    /// may not read them lives by its own setting.
    pub(super) fn ask_session(&self) {
        let group = group::session_of_group(&self.group);
        let broker = self.metadata.borrow().brokers.keys().next().copied();
        let (inputs, cluster) = (self.inputs.clone(), self.cluster.clone());
        let to = Destination::Coordinator(self.key());
        let any = (0, i16::MAX);
        self.cluster.send(
            to,
            move |_| group.clone(),
            any,
            move |answer| {
                if let Some(timeout) = group::session(answer) {
                    drop(inputs.send(Input::Session(timeout)));
                    return;
                }
                let Some(broker) = broker else { return };
                let body = group::session_of_broker(broker);
                let to = Destination::Broker(broker);
                cluster.send(
                    to,
                    move |_| body.clone(),
                    any,
                    move |answer| {
                        if let Some(timeout) = group::session(answer) {
                            drop(inputs.send(Input::Session(timeout)));
                        }
                    },
                );
            },
        );
    }

    fn route(&self, instance: &Option<Arc<str>>, since: i16, patience: Patience) -> Route {
        let accepts = (group::oldest(instance.as_ref(), since), i16::MAX);
        Route { to: Destination::Coordinator(self.key()), accepts, patience }
    }

    /// The group's other members may take their time.
    fn join_patience(&self) -> Patience {
        let answer = self.config.rebalance_timeout + group::JOIN_SLACK;
        Patience {
            leave: self.config.client.api_timeout,
            answer: answer.max(self.config.client.request_timeout),
        }
    }

    /// By now all have joined: the leader's plan is all that is waited for.
    fn sync_patience(&self) -> Patience {
        let client = &self.config.client;
        Patience { leave: client.api_timeout, answer: client.request_timeout }
    }

    /// A lost beat has to be noticed while there is time for another.
    fn beat_patience(&self) -> Patience {
        let third = (self.session / 3).min(self.config.client.request_timeout);
        Patience { leave: third, answer: third }
    }
}

/// What a failed call tells: nothing, or one final code about everything.
fn silence(error: &Error, asked: &[TopicPartition]) -> Vec<Told> {
    tracing::debug!(target: "forebay::control", %error, "no answer about offsets");
    translate::final_code(error).map_or_else(Vec::new, |code| translate::refused(asked, code))
}
