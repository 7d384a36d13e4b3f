//! Where do brokers say they are? Their addresses become ours in every answer that tells them.

use std::collections::BTreeMap;

use bytes::Bytes;
use forebay_protocol::api::{ApiKey, Request};
use forebay_protocol::messages as m;
use forebay_protocol::response;
use forebay_protocol::wire::Str;

/// The host of all our ports.
pub(crate) const HOST: &str = "127.0.0.1";

/// Which port of ours stands for which broker.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    ports: BTreeMap<(String, i32), i32>,
}

/// What an answer answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answering {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) number: i32,
}

impl Routes {
    pub(crate) fn add(&mut self, broker: (&str, u16), ours: u16) {
        self.ports.insert((broker.0.to_owned(), broker.1.into()), ours.into());
    }

    /// The whole frame, its length included, with our addresses; `None` when there is nothing to
    /// change in it.
    #[allow(clippy::wildcard_enum_match_arm, reason = "of eighty APIs eight tell addresses")]
    pub(crate) fn rewrite(&self, what: Answering, frame: &Bytes) -> Option<Bytes> {
        match what.api {
            ApiKey::ApiVersions => change::<m::ApiVersionsRequest>(what, frame, clamp),
            ApiKey::Metadata => change::<m::MetadataRequest>(what, frame, |it| {
                self.all(it.brokers.iter_mut().map(|at| (&mut at.host, &mut at.port)))
            }),
            ApiKey::FindCoordinator => change::<m::FindCoordinatorRequest>(what, frame, |it| {
                let is_changed = self.one(&mut it.host, &mut it.port);
                let many = it.coordinators.iter_mut().map(|at| (&mut at.host, &mut at.port));
                self.all(many) || is_changed
            }),
            ApiKey::DescribeCluster => change::<m::DescribeClusterRequest>(what, frame, |it| {
                self.all(it.brokers.iter_mut().map(|at| (&mut at.host, &mut at.port)))
            }),
            ApiKey::Produce => change::<m::ProduceRequest>(what, frame, |it| {
                self.all(it.node_endpoints.iter_mut().map(|at| (&mut at.host, &mut at.port)))
            }),
            ApiKey::Fetch => change::<m::FetchRequest>(what, frame, |it| {
                self.all(it.node_endpoints.iter_mut().map(|at| (&mut at.host, &mut at.port)))
            }),
            ApiKey::ShareFetch => change::<m::ShareFetchRequest>(what, frame, |it| {
                self.all(it.node_endpoints.iter_mut().map(|at| (&mut at.host, &mut at.port)))
            }),
            ApiKey::ShareAcknowledge => change::<m::ShareAcknowledgeRequest>(what, frame, |it| {
                self.all(it.node_endpoints.iter_mut().map(|at| (&mut at.host, &mut at.port)))
            }),
            _ => None,
        }
    }

    fn all<'a>(&self, at: impl Iterator<Item = (&'a mut Str, &'a mut i32)>) -> bool {
        at.fold(false, |is_changed, (host, port)| self.one(host, port) || is_changed)
    }

    fn one(&self, host: &mut Str, port: &mut i32) -> bool {
        let Some(ours) = self.ports.get(&(host.as_str().to_owned(), *port)) else { return false };
        (*host, *port) = (Str::from_static(HOST), *ours);
        true
    }
}

/// Versions of which we could not read the addresses are not offered.
fn clamp(answer: &mut m::ApiVersionsResponse) -> bool {
    let mut is_changed = false;
    for offered in &mut answer.api_keys {
        let Some(api) = ApiKey::from_code(offered.api_key) else { continue };
        let most = api.api().max;
        if most < offered.max_version && offered.min_version <= most {
            offered.max_version = most;
            is_changed = true;
        }
    }
    is_changed
}

/// What cannot be read is passed on as it is.
fn change<R: Request>(
    Answering { version, number, .. }: Answering,
    frame: &Bytes,
    change: impl FnOnce(&mut R::Response) -> bool,
) -> Option<Bytes> {
    let mut answer = response::decode::<R>(frame.clone(), version, number).ok()?;
    let is_changed = change(&mut answer);
    is_changed.then(|| response::encode::<R>(&answer, version, number).ok()).flatten()
}

#[cfg(test)]
mod tests;
