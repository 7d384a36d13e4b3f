//! What do users and operators do while a run goes on, since later editions of the seeds? It happens
//! beside all harm, and nobody waits for it.

use std::collections::BTreeSet;
use std::time::Duration;

use forebay::{Subscription, TopicPartition};
use forebay_histcheck::{What, Word};
use tokio::task::JoinHandle;

use crate::member::Member;
use crate::nemesis::Nemesis;
use crate::plan::{Extra, Seed};
use crate::world::{PATTERN, World};

/// How long something is held in a quiet time: longer than anything may stand still by itself.
const HOLD: Duration = Duration::from_secs(20);

/// Draws of its own, and what is under way.
#[derive(Debug)]
pub(crate) struct Later {
    rng: fastrand::Rng,
    /// Members whose users want less than all now.
    idle: BTreeSet<String>,
    tasks: Vec<JoinHandle<()>>,
}

/// A word about a partition, and what follows.
#[derive(Clone, Debug)]
struct Directive {
    of: TopicPartition,
    word: Word,
    /// How long what runs may go on.
    within: Duration,
    /// How long after that it is released.
    lasts: Duration,
}

impl Later {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { rng: seed.later(), idle: BTreeSet::new(), tasks: Vec::new() }
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(range))
    }

    fn directive(&mut self, world: &World) -> Directive {
        let words = [Word::Hold, Word::Drain, Word::Drain, Word::HandOver, Word::Release];
        Directive {
            of: world.place(self.rng.i32(0..world.count())),
            word: self.rng.choice(words).unwrap_or(Word::Hold),
            within: self.millis(50..6_000),
            lasts: self.millis(0..8_000),
        }
    }
}

/// What happens in a run.
impl Nemesis<'_> {
    /// Now and then somebody wants something else.
    pub(crate) fn stir(&mut self) {
        self.later.tasks.retain(|task| !task.is_finished());
        if self.plan.has(Extra::Directives) && self.later.rng.bool() {
            let directive = self.later.directive(self.world);
            self.direct(&directive);
        }
        if self.plan.has(Extra::Wishes) && self.later.rng.u8(..3) == 0 {
            self.change_wish();
        }
        if self.plan.has(Extra::Freezes) && !self.plan.is_calm && self.later.rng.u8(..4) == 0 {
            self.freeze();
        }
    }

    /// Everybody wants everything again, and what is under way ends.
    pub(crate) async fn calm_down(&mut self) {
        for task in self.later.tasks.drain(..) {
            drop(task.await);
        }
        let idle = std::mem::take(&mut self.later.idle);
        for member in self.members.iter().filter(|member| idle.contains(&member.name)) {
            member.wish(self.all()).await;
        }
    }

    /// In a quiet time, too, what is held stands still, and goes on when it is released.
    pub(crate) fn hold_something(&mut self) {
        if self.plan.has(Extra::Directives) {
            let directive = self.later.directive(self.world);
            self.direct(&Directive { lasts: HOLD, ..directive });
        }
    }

    /// Whoever has the partition is told; the others refuse.
    fn direct(&mut self, directive: &Directive) {
        for member in &self.members {
            let (member, directive) = (member.clone(), directive.clone());
            self.later.tasks.push(tokio::spawn(async move { member.direct(directive).await }));
        }
    }

    fn change_wish(&mut self) {
        let Some(member) = self.later.rng.choice(&self.members).cloned() else { return };
        let wants = self.later.idle.remove(&member.name);
        if !wants {
            self.later.idle.insert(member.name.clone());
        }
        let wish = if wants { self.all() } else { self.less() };
        self.later.tasks.push(tokio::spawn(async move { member.wish(wish).await }));
    }

    /// Stops a process for a while; one of two longer than its session.
    fn freeze(&mut self) {
        let Some(member) = self.later.rng.choice(&self.members).cloned() else { return };
        let is_long = self.later.rng.bool();
        let lasts = self.later.millis(if is_long { 10_000..25_000 } else { 500..10_000 });
        let turn = self.later.rng.usize(..8);
        if !member.process.is_frozen() {
            self.later.tasks.push(tokio::spawn(async move { member.freeze(lasts, turn).await }));
        }
    }

    /// All topics, as this run names them.
    fn all(&self) -> Option<Subscription> {
        match self.plan.has(Extra::Patterns) {
            true => Subscription::default().pattern(PATTERN).ok(),
            false => Some(Subscription::topics(self.world.topics())),
        }
    }

    /// Some of them, or none.
    fn less(&mut self) -> Option<Subscription> {
        if !self.plan.has(Extra::Topics) {
            return None;
        }
        let topics: Vec<_> = self.world.topics().filter(|_| self.later.rng.bool()).collect();
        (!topics.is_empty()).then(|| Subscription::topics(topics))
    }
}

/// What a member is told.
impl Member {
    async fn direct(&self, Directive { of, word, within, lasts }: Directive) {
        let (ownership, all) = (self.handle.ownership(), || vec![of.clone()]);
        self.note_word(&of, word);
        match word {
            Word::Hold if ownership.hold(all()).await.is_err() => {
                return self.note_word(&of, Word::Release);
            }
            Word::Drain => drop(ownership.drain(all(), within).await),
            Word::HandOver => drop(ownership.hand_over(all(), within).await),
            // The release follows.
            Word::Hold | Word::Release | _ => {}
        }
        if word != Word::Release {
            tokio::time::sleep(lasts).await;
            self.note_word(&of, Word::Release);
        }
        drop(ownership.release(all()).await);
    }

    /// Nothing of it runs for so long.
    async fn freeze(&self, lasts: Duration, turn: usize) {
        let (name, fault) = (|| self.name.clone(), || format!("{} is frozen", self.name));
        self.recorder.note(What::FaultBegins { fault: fault() });
        self.recorder.note_of(&self.name, What::Paused { member: name() });
        self.process.freeze();
        tokio::time::sleep(lasts).await;
        self.recorder.note_of(&self.name, What::Resumed { member: name() });
        self.recorder.note(What::FaultEnds { fault: fault() });
        self.process.thaw(turn);
    }

    fn note_word(&self, of: &TopicPartition, word: Word) {
        let (member, tp) = (self.name.clone(), of.to_string());
        self.recorder.note_of(&self.name, What::Directed { member, tp, word });
    }

    /// Its user wants these topics, or none.
    async fn wish(&self, topics: Option<Subscription>) {
        match topics {
            Some(topics) => drop(self.handle.subscribe(topics).await),
            None if self.handle.unsubscribe().await.is_ok() && self.instance.is_some() => {
                self.has_left();
            }
            None => {}
        }
    }
}
