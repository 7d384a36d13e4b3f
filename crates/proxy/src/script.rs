//! What is to happen to which answer? A list of faults, each for so many answers.

use std::time::Duration;

use forebay_protocol::api::ApiKey;

/// What happens to an answer, or to the request before it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// It comes so much later, and so do those behind it on its connection.
    Delay(Duration),
    /// It never comes; those behind it do.
    DropAnswer,
    /// The broker has done what was asked; in place of the answer the connection ends.
    DoAndClose,
    /// The connection ends before the request reaches the broker.
    Close,
    /// So many bytes of it come, then the connection ends.
    Cut(usize),
    /// It comes in pieces of so many bytes, with so much time between them.
    Slice(usize, Duration),
    /// The byte at this place of it, counted from behind its length, has one bit turned.
    Corrupt(usize),
    /// A byte of the first batch of records in it, under its checksum, has one bit turned; nothing
    /// happens to answers without records.
    CorruptRecords,
}

impl Effect {
    const fn is_before(&self) -> bool {
        matches!(self, Self::Close)
    }

    /// Whether the client hears what the broker said in so many bytes.
    pub(crate) const fn is_heard(&self, bytes: usize) -> bool {
        match self {
            Self::Delay(_) | Self::Slice(..) => true,
            // The connection ends behind a short answer, not within.
            Self::Cut(after) => bytes <= *after,
            Self::DropAnswer
            | Self::DoAndClose
            | Self::Close
            | Self::Corrupt(_)
            | Self::CorruptRecords => false,
        }
    }
}

/// An effect and what it happens to: by default the next answer, whatever it is.
#[derive(Clone, Debug)]
pub struct Fault {
    effect: Effect,
    api: Option<ApiKey>,
    client: Option<String>,
    node: Option<i32>,
    after: u32,
    times: u32,
}

impl Fault {
    /// This happens to the next answer.
    #[must_use]
    pub const fn new(effect: Effect) -> Self {
        Self { effect, api: None, client: None, node: None, after: 0, times: 1 }
    }

    /// Only answers of this API.
    #[must_use]
    pub const fn api(mut self, api: ApiKey) -> Self {
        self.api = Some(api);
        self
    }

    /// Only answers to the client of this `client.id`.
    #[must_use]
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Only answers of this broker.
    #[must_use]
    pub const fn node(mut self, id: i32) -> Self {
        self.node = Some(id);
        self
    }

    /// Lets so many pass first.
    #[must_use]
    pub const fn after(mut self, answers: u32) -> Self {
        self.after = answers;
        self
    }

    /// Happens so many times, in place of once.
    #[must_use]
    pub const fn times(mut self, answers: u32) -> Self {
        self.times = answers;
        self
    }

    fn concerns(&self, what: &Passing<'_>) -> bool {
        self.times != 0
            && self.api.is_none_or(|api| api == what.api)
            && self.client.as_deref().is_none_or(|client| client == what.client)
            && self.node.is_none_or(|node| node == what.node)
    }
}

/// A request or an answer on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing<'a> {
    pub(crate) api: ApiKey,
    pub(crate) client: &'a str,
    pub(crate) node: i32,
}

/// The faults that are still to happen.
#[derive(Debug, Default)]
pub(crate) struct Script {
    faults: Vec<Fault>,
    struck: u64,
}

impl Script {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// How often a fault has happened.
    pub(crate) const fn struck(&self) -> u64 {
        self.struck
    }

    /// Whether the connection is to end before this request is passed on.
    pub(crate) fn before(&mut self, what: &Passing<'_>) -> bool {
        self.strike(what, Effect::is_before).is_some()
    }

    /// What is to happen to this answer.
    pub(crate) fn after(&mut self, what: &Passing<'_>) -> Option<Effect> {
        self.strike(what, |effect| !effect.is_before())
    }

    fn strike(&mut self, what: &Passing<'_>, when: impl Fn(&Effect) -> bool) -> Option<Effect> {
        let mut all = self.faults.iter_mut();
        let fault = all.find(|fault| when(&fault.effect) && fault.concerns(what))?;
        if let Some(left) = fault.after.checked_sub(1) {
            fault.after = left;
            return None;
        }
        fault.times -= 1;
        self.struck += 1;
        let effect = fault.effect.clone();
        self.faults.retain(|fault| fault.times != 0);
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: Passing<'_> = Passing { api: ApiKey::OffsetCommit, client: "m1", node: 2 };

    #[test]
    fn a_fault_strikes_what_it_is_meant_for_as_often_as_it_says() {
        let mut script = Script::default();
        let fault = Fault::new(Effect::DropAnswer).api(ApiKey::OffsetCommit).client("m1").node(2);
        script.add(fault.after(1).times(2));
        for other in [
            Passing { api: ApiKey::Heartbeat, ..COMMIT },
            Passing { client: "m2", ..COMMIT },
            Passing { node: 1, ..COMMIT },
        ] {
            assert_eq!(script.after(&other), None);
        }
        assert!(!script.before(&COMMIT));
        let struck: Vec<bool> = (0..4).map(|_| script.after(&COMMIT).is_some()).collect();
        assert_eq!(struck, [false, true, true, false]);
        assert_eq!(script.struck(), 2);
    }

    #[test]
    fn a_connection_that_ends_before_the_request_is_not_mistaken_for_one_after() {
        let mut script = Script::default();
        script.add(Fault::new(Effect::Close));
        assert_eq!(script.after(&COMMIT), None);
        assert!(script.before(&COMMIT));
    }
}
