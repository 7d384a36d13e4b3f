//! What does a user change about the topics of a group's member?
//!
//! ```text
//!   Subscribed --unsubscribe--> Leaving --all given up, group left--> Unsubscribed
//!       ^                          |                                      |
//!       +-------- subscribe -------+-- when it is left -------------------+
//! ```
//!
//! Who leaves gives everything up in good order first, as at the end.

use super::Consumer;
use super::output::{Event, Output};
use super::release::Steps;
use super::shutdown::Stage;
use crate::ownership::member::Wish;
use crate::time::Instant;

/// Whether we want to be a member.
#[derive(Debug, Default)]
pub(super) enum Subscription {
    /// We do.
    #[default]
    Subscribed,
    /// What is ours is being given up.
    Leaving(Next),
    /// The group is being left.
    Left(Next),
    /// We do not.
    Unsubscribed,
}

/// What is wanted when the group is left.
pub(super) type Next = Option<Wish>;

impl Consumer {
    /// The user wants these topics and no others. Answers whether there is a group to share them in.
    pub fn handle_subscribe(&mut self, now: Instant, wish: Wish) -> bool {
        if self.member.is_none() {
            return false;
        }
        if self.stage == Stage::Running {
            self.outputs.push_back(match &wish {
                Wish::Topics(topics) => Output::WantTopics(topics.clone()),
                Wish::Matching(_) => Output::WantAllTopics,
            });
            self.subscribe(now, wish);
            self.route(now);
        }
        true
    }

    fn subscribe(&mut self, now: Instant, wish: Wish) {
        match &mut self.subscription {
            Subscription::Leaving(next) | Subscription::Left(next) => *next = Some(wish),
            Subscription::Subscribed | Subscription::Unsubscribed => {
                self.subscription = Subscription::Subscribed;
                if let Some(member) = &mut self.member {
                    member.handle_wish(now, wish);
                }
            }
        }
    }

    /// The user wants no topics for now: all is given up in good order, and the group is left.
    /// Answers whether there is a group; [`Event::Unsubscribed`] tells when it is left.
    pub fn handle_unsubscribe(&mut self, now: Instant) -> bool {
        if self.member.is_none() {
            return false;
        }
        match &mut self.subscription {
            Subscription::Leaving(next) | Subscription::Left(next) => *next = None,
            Subscription::Unsubscribed => {
                self.outputs.push_back(Output::Event(Event::Unsubscribed))
            }
            Subscription::Subscribed if self.stage == Stage::Running => {
                self.subscription = Subscription::Leaving(None);
                let all = self.partitions.keys().cloned().collect();
                let deadline = now.after(self.config.drain_timeout);
                self.give_up(all, Steps::until(now, deadline));
            }
            // All is being given up anyway.
            Subscription::Subscribed => {}
        }
        self.route(now);
        true
    }

    /// Whether partitions may become ours.
    pub(super) const fn takes_partitions(&self) -> bool {
        matches!(self.stage, Stage::Running)
            && matches!(self.subscription, Subscription::Subscribed)
    }

    /// When everything is given up, the group is left.
    pub(super) fn advance_subscription(&mut self) {
        if let Subscription::Leaving(next) = &mut self.subscription
            && self.giving.is_empty()
            && self.stage == Stage::Running
        {
            self.subscription = Subscription::Left(next.take());
            if let Some(member) = &mut self.member {
                member.handle_leave();
            }
        }
    }

    /// The group is left.
    pub(super) fn handle_left(&mut self, now: Instant) {
        if self.stage != Stage::Running {
            self.has_left = true;
            return;
        }
        let Subscription::Left(next) = &mut self.subscription else { return };
        let next = next.take();
        self.subscription = Subscription::Unsubscribed;
        self.outputs.push_back(Output::Event(Event::Unsubscribed));
        if let Some(wish) = next {
            self.subscribe(now, wish);
        }
    }
}
