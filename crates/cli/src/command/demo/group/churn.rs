//! Who joins, leaves and dies, and when?

use std::time::Duration;

use super::Scene;
use super::member::Member;
use crate::error::CliError;

/// What happens one after another, over and over: as many come as go.
const ACTS: [Act; 4] = [Act::Join, Act::Leave, Act::Kill, Act::Join];
/// So many of them happen while records flow.
const COUNT: u32 = 9;
/// Between two of the first members, at most: each is seen to take its share.
const OPENING: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Join,
    Leave,
    Kill,
}

fn act(number: u32) -> Act {
    let all = ACTS.iter().cycle();
    all.copied().nth(number as usize).unwrap_or(Act::Join)
}

/// How many die within this time.
pub(super) fn kills(time: Duration) -> u32 {
    let count = (0..acts(time)).filter(|number| act(*number) == Act::Kill).count();
    u32::try_from(count).unwrap_or(0)
}

/// How many acts there is time for: a second for each at least.
fn acts(time: Duration) -> u32 {
    COUNT.min(u32::try_from(time.as_secs()).unwrap_or(COUNT).saturating_sub(1))
}

/// How those left who were not killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Leaving {
    /// All of them gave back what they had, done and committed.
    InOrder,
    /// One of them did not.
    Late,
}

/// The members.
pub(super) struct Cast<'a> {
    scene: &'a Scene<'a>,
    members: Vec<Member>,
    joined: u32,
    leaving: Leaving,
}

impl<'a> Cast<'a> {
    pub(super) const fn new(scene: &'a Scene<'a>) -> Self {
        Self { scene, members: Vec::new(), joined: 0, leaving: Leaving::InOrder }
    }

    /// The first members join.
    pub(super) async fn open(&mut self) -> Result<(), CliError> {
        let count = self.scene.options.members();
        let pause = OPENING.min(self.scene.options.time() / 8);
        for _ in 0..count {
            self.join()?;
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Members come and go, if they are to.
    pub(super) async fn churn(&mut self) -> Result<(), CliError> {
        if !self.scene.options.churn {
            return Ok(());
        }
        let time = self.scene.options.time();
        let count = acts(time);
        for number in 0..count {
            tokio::time::sleep(time / (count + 1)).await;
            match act(number) {
                Act::Join => self.join()?,
                Act::Leave => self.leave_one().await,
                Act::Kill => self.kill_one(),
            }
        }
        Ok(())
    }

    fn join(&mut self) -> Result<(), CliError> {
        self.joined += 1;
        let name = format!("m{}", self.joined);
        self.scene.story(&format!("{name} joins"));
        self.members.push(Member::start(self.scene, name)?);
        Ok(())
    }

    /// The one that has been there longest leaves in good order.
    async fn leave_one(&mut self) {
        if self.members.is_empty() {
            return;
        }
        let member = self.members.remove(0);
        self.scene.story(&format!("{} leaves", member.name));
        if member.leave(self.scene).await == Leaving::Late {
            self.leaving = Leaving::Late;
        }
    }

    fn kill_one(&mut self) {
        // The last one stays: somebody has to go on.
        if self.members.len() < 2 {
            return;
        }
        let member = self.members.remove(0);
        self.scene.story(&format!("{} is killed; the others wait for its session", member.name));
        member.kill(self.scene);
    }

    /// All leave; how everybody did who left.
    pub(super) async fn leave(mut self) -> Leaving {
        while !self.members.is_empty() {
            self.leave_one().await;
        }
        self.leaving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_come_as_go() {
        let count = |wanted: Act| ACTS.iter().filter(|act| **act == wanted).count();
        assert_eq!(count(Act::Join), count(Act::Leave) + count(Act::Kill));
    }

    #[test]
    fn short_demos_have_few_acts_and_long_ones_two_deaths() {
        assert_eq!(kills(Duration::from_secs(1)), 0);
        assert_eq!(kills(Duration::from_secs(4)), 1);
        assert_eq!(kills(Duration::from_secs(20)), 2);
        assert_eq!(acts(Duration::from_secs(3_600)), COUNT);
    }
}
