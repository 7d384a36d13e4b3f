//! Does a partition ever have two owners? Members of all clients come to the brokers through a proxy
//! that reads along, and what it hears is kept.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use forebay::Admin;
use forebay::config::ClientConfig;
use forebay_histcheck::What;
use forebay_proxy::{Broker, Ledger, Proxy};

use crate::stage::{Machines, admin};
use crate::story::{Ending, expect};

/// The way to the brokers, and what was heard on it.
pub(crate) struct Custody {
    proxy: Proxy,
    book: Arc<Book>,
}

/// Who owns what now, and what should not have been.
#[derive(Debug, Default)]
struct Book(Mutex<Page>);

#[derive(Debug, Default)]
struct Page {
    owners: BTreeMap<String, String>,
    gains: usize,
    twice: Vec<String>,
}

impl Custody {
    /// Opens the way, on which members will share `topic`.
    pub(crate) async fn start(machines: &Machines, topic: &str) -> Result<Self, Ending> {
        let brokers = admin(machines)?.describe_cluster().await?.brokers.into_iter();
        let brokers: Vec<Broker> = brokers
            .map(|it| Broker {
                id: it.id.0,
                host: it.address.host.to_string(),
                port: it.address.port,
            })
            .collect();
        let book = Arc::new(Book::default());
        let ledger: Arc<dyn Ledger> = Arc::<Book>::clone(&book);
        let proxy = Proxy::start(&brokers, Some(ledger)).await;
        let proxy = proxy.map_err(|error| Ending::Broken(format!("the proxy: {error}")))?;
        let custody = Self { proxy, book };
        custody.learn(topic).await?;
        Ok(custody)
    }

    /// Members by KIP-848 are told ids of topics: who asks for a topic by its name makes its id
    /// known.
    pub(crate) async fn learn(&self, topic: &str) -> Result<(), Ending> {
        let config = ClientConfig::from_servers(self.bootstrap()).map_err(forebay::Error::from)?;
        Admin::new(&config)?.describe_topic(&topic.into()).await?;
        Ok(())
    }

    pub(crate) fn bootstrap(&self) -> &str {
        self.proxy.bootstrap_servers()
    }

    /// Who owns each partition now, as the coordinator told them.
    pub(crate) fn owners(&self) -> BTreeMap<String, String> {
        self.book.lock().owners.clone()
    }

    /// Nothing passes to or from this node until [`Self::heal`].
    pub(crate) fn block(&self, node: forebay::BrokerId) {
        self.proxy.block(None, Some(node.0));
    }

    pub(crate) fn heal(&self) {
        self.proxy.heal();
    }

    /// That partitions moved, as often at least, and none had two owners at once.
    pub(crate) fn judge(&self, gains: usize) -> Result<(), Ending> {
        let page = self.book.lock();
        expect((gains <= page.gains).into(), || {
            format!("{} partitions were seen to be given, {gains} at least expected", page.gains)
        })?;
        expect(page.twice.is_empty().into(), || {
            format!("{} had two owners at once: {:?}", page.twice.len(), page.twice)
        })
    }
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Book {
    fn now(&self) -> u64 {
        forebay_histcheck::now()
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "of two dozen events three matter here")]
    fn note(&self, what: What) -> io::Result<()> {
        let mut page = self.lock();
        match what {
            What::Gained { member, tp, .. } => page.give(tp, member),
            What::Released { member, tp } | What::Lost { member, tp, .. } => {
                page.take(&tp, &member);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Page {
    fn give(&mut self, tp: String, member: String) {
        self.gains += 1;
        if let Some(owner) = self.owners.get(&tp).filter(|owner| **owner != member) {
            self.twice.push(format!("{tp} of {owner} was given to {member}"));
        }
        self.owners.insert(tp, member);
    }

    fn take(&mut self, tp: &str, member: &str) {
        if self.owners.get(tp).is_some_and(|owner| owner == member) {
            self.owners.remove(tp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gained(member: &str) -> What {
        What::Gained { member: member.to_owned(), epoch: 1, tp: "t-0".to_owned() }
    }

    #[test]
    fn a_partition_that_was_given_back_may_go_to_another_and_one_that_was_not_may_not() {
        let book = Book::default();
        book.note(gained("a")).unwrap();
        book.note(What::Released { member: "a".to_owned(), tp: "t-0".to_owned() }).unwrap();
        book.note(gained("b")).unwrap();
        assert!(book.lock().twice.is_empty());
        book.note(gained("c")).unwrap();
        assert_eq!(book.lock().twice, ["t-0 of b was given to c"]);
    }
}
