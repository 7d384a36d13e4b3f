//! Which versions a broker speaks, and which one both of us do.

use std::collections::BTreeMap;

use forebay_protocol::api::ApiKey;
use forebay_protocol::messages::ApiVersionsResponse;

use super::Fault;

/// What a broker offers: first and last version per API key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Versions(BTreeMap<i16, (i16, i16)>);

impl Versions {
    /// What an answer to `ApiVersions` says.
    #[must_use]
    pub fn from_response(response: &ApiVersionsResponse) -> Self {
        let rows = response.api_keys.iter();
        Self(rows.map(|row| (row.api_key, (row.min_version, row.max_version))).collect())
    }

    /// The newest version of `api` that both of us speak, within what the caller `accepts`.
    ///
    /// # Errors
    ///
    /// [`Fault::Unsupported`] when there is none.
    pub fn meet(&self, api: ApiKey, accepts: (i16, i16)) -> Result<i16, Fault> {
        let ours = api.api();
        let (min, max) = (ours.min.max(accepts.0), ours.max.min(accepts.1));
        let theirs = self.0.get(&api.code()).copied();
        let meeting = theirs.map(|(their_min, their_max)| (min.max(their_min), max.min(their_max)));
        match meeting {
            Some((low, high)) if low <= high => Ok(high),
            _ => Err(Fault::Unsupported { api: ours.name, ours: (min, max), theirs }),
        }
    }

    /// First and last version that the broker offers.
    #[must_use]
    pub fn offered(&self, api: ApiKey) -> Option<(i16, i16)> {
        self.0.get(&api.code()).copied()
    }
}
