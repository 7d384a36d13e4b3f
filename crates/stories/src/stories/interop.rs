//! Our members, Java's and librdkafka's share a group while records flow, each leaves and comes
//! back: nothing is lost, nothing is repeated, and no partition ever has two owners.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::custody::Custody;
use crate::load::Load;
use crate::member::{Group, Member, Place, all_handled};
use crate::peer::{self, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story, expect, until};

pub(crate) const RANGE: Story = Story {
    name: "interop-range",
    promise: "our members, Java's and librdkafka's leave a group and come back while records \
              flow, by range: nothing is lost, repeated or owned twice",
    tell: |stage| Box::pin(share(stage, "range", [Kind::Ours, Kind::Java, Kind::Librdkafka])),
};

pub(crate) const ROUND_ROBIN: Story = Story {
    name: "interop-roundrobin",
    promise: "the same by round-robin",
    tell: |stage| Box::pin(share(stage, "roundrobin", [Kind::Java, Kind::Ours, Kind::Librdkafka])),
};

pub(crate) const STICKY: Story = Story {
    name: "interop-sticky",
    promise: "the same by the eager sticky assignor, which librdkafka lacks",
    tell: |stage| Box::pin(share(stage, "sticky", [Kind::Ours, Kind::Java, Kind::Ours])),
};

pub(crate) const COOPERATIVE: Story = Story {
    name: "interop-cooperative-sticky",
    promise: "the same by the cooperative sticky assignor",
    tell: |stage| {
        Box::pin(share(stage, "cooperative-sticky", [Kind::Librdkafka, Kind::Ours, Kind::Java]))
    },
};

pub(crate) const CONSUMER: Story = Story {
    name: "interop-consumer",
    promise: "the same by KIP-848",
    tell: |stage| Box::pin(share_by_consumer(stage)),
};

pub(crate) const MIGRATED: Story = Story {
    name: "interop-migrated",
    promise: "a group of ours and Java's changes from the classic protocol to KIP-848 and back by \
              rolling restarts, with members of both kinds in between: nothing is lost, repeated \
              or owned twice",
    tell: |stage| Box::pin(migrate(stage)),
};

const PARTITIONS: i32 = 6;
/// A member by kcat leaves after so many: some seconds of its share.
const KCAT_HANDLES: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose client a member is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Ours,
    Java,
    /// By Confluent's package for Python where it is installed, else kcat, which most distributions
    /// have. In a group by KIP-848, which the librdkafka of distributions does not know yet, ours
    /// takes the place of kcat.
    Librdkafka,
    Kcat,
    Python,
}

impl Kind {
    async fn at_hand(self, how: &str) -> Self {
        match self {
            Self::Librdkafka if peer::has_python().await => Self::Python,
            Self::Librdkafka if how == "consumer" => Self::Ours,
            Self::Librdkafka => Self::Kcat,
            Self::Ours | Self::Java | Self::Kcat | Self::Python => self,
        }
    }
}

/// A member, or what it was before it left.
struct Player<'a> {
    kind: Kind,
    how: &'a str,
    /// Its `client.id`, of its own each time that it comes.
    name: String,
    member: Option<Member>,
    /// What was handled until it left, each time.
    past: Vec<Place>,
}

/// When a member leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Leave {
    UnderLoad,
    /// When all is handled.
    AtRest,
}

struct Cast<'a> {
    group: Group<'a>,
    java: peer::Java,
    players: Vec<Player<'a>>,
    /// How many were started.
    started: u32,
}

async fn share_by_consumer(stage: &Stage) -> Result<(), Ending> {
    if !stage.broker().has_consumer_protocol() {
        return Err(Ending::NotOffered("KIP-848: since Kafka 4.0".to_owned()));
    }
    share(stage, "consumer", [Kind::Ours, Kind::Java, Kind::Librdkafka]).await
}

async fn share(stage: &Stage, how: &'static str, kinds: [Kind; 3]) -> Result<(), Ending> {
    // Six at first; each who left had some, which others got and it got back.
    play(stage, 6 + 3 * 2, async |cast, load| cast.share(kinds, (load, how)).await).await
}

async fn migrate(stage: &Stage) -> Result<(), Ending> {
    if !stage.broker().has_consumer_protocol() {
        return Err(Ending::NotOffered("KIP-848: since Kafka 4.0".to_owned()));
    }
    let by =
        async |how| play(stage, 6 + 6 * 2, async |cast, load| cast.migrate(how, load).await).await;
    stage.by_each_way(&["range", "cooperative-sticky"], by).await
}

/// Members come and go as `act` says while records flow; so many partitions are given at least.
async fn play(
    stage: &Stage,
    gains: usize,
    act: impl AsyncFnOnce(&mut Cast<'_>, Load) -> Result<(), Ending>,
) -> Result<(), Ending> {
    let java = peer::java(stage).await?;
    let name = stage.topic("interop", PARTITIONS).await?;
    let custody = Custody::start(stage.machines(), &name).await?;
    let group_name = stage.name("group");
    let topic = Topic { bootstrap: custody.bootstrap(), name: &name };
    let group = Group { topic, name: &group_name, how: "", client: "" };
    let mut cast = Cast { group, java, players: Vec::new(), started: 0 };
    let load = Load::start(Topic { bootstrap: stage.bootstrap(), name: &name });
    act(&mut cast, load).await.map_err(|ending| {
        let Ending::Broken(what) = &ending else { return ending };
        Ending::Broken(format!("{what}; owners on the wire: {:?}", custody.owners()))
    })?;
    custody.judge(gains)
}

impl<'a> Cast<'a> {
    async fn share(
        &mut self,
        kinds: [Kind; 3],
        (load, how): (Load, &'a str),
    ) -> Result<(), Ending> {
        for kind in kinds {
            self.enter(kind.at_hand(how).await, how)?;
        }
        self.all_have_something().await?;
        for number in 0..kinds.len() {
            self.restart(number, how, &load).await?;
        }
        self.end(load).await
    }

    /// One after another comes back by the other protocol, and then by its former one.
    async fn migrate(&mut self, classic: &'a str, load: Load) -> Result<(), Ending> {
        for kind in [Kind::Ours, Kind::Java, Kind::Ours] {
            self.enter(kind, classic)?;
        }
        self.all_have_something().await?;
        for how in ["consumer", classic] {
            for number in 0..self.players.len() {
                self.restart(number, how, &load).await?;
            }
        }
        self.end(load).await
    }

    fn enter(&mut self, kind: Kind, how: &'a str) -> Result<(), Ending> {
        let mut player = Player { kind, how, name: String::new(), member: None, past: Vec::new() };
        self.start(&mut player)?;
        self.players.push(player);
        Ok(())
    }

    fn start(&mut self, player: &mut Player<'_>) -> Result<(), Ending> {
        self.started += 1;
        player.name = format!("{:?}-{}", player.kind, self.started).to_lowercase();
        let group = Group { client: &player.name, how: player.how, ..self.group };
        player.member = Some(match player.kind {
            Kind::Ours => Member::ours(group, Duration::ZERO)?,
            Kind::Java => Member::start(self.java.member(group))?,
            Kind::Librdkafka | Kind::Kcat => Member::start(peer::kcat_member(group, KCAT_HANDLES))?,
            Kind::Python => Member::start(peer::python_member(group))?,
        });
        Ok(())
    }

    /// A member leaves, the others take over, and it comes back.
    async fn restart(&mut self, number: usize, how: &'a str, load: &Load) -> Result<(), Ending> {
        self.leave(number, Leave::UnderLoad).await?;
        self.all_handled(&load.places()).await?;
        let mut player = self.players.remove(number);
        player.how = how;
        self.start(&mut player)?;
        self.players.insert(number, player);
        self.all_have_something().await
    }

    async fn end(&mut self, load: Load) -> Result<(), Ending> {
        let places = load.end().await?;
        self.all_handled(&places).await?;
        for number in 0..self.players.len() {
            self.leave(number, Leave::AtRest).await?;
        }
        self.judge()
    }

    async fn leave(&mut self, number: usize, why: Leave) -> Result<(), Ending> {
        let Some(player) = self.players.get_mut(number) else { return Ok(()) };
        let Some(member) = player.member.take() else { return Ok(()) };
        let left = match player.kind {
            Kind::Ours | Kind::Java => member.leave().await,
            Kind::Kcat if why == Leave::UnderLoad => member.end().await,
            Kind::Librdkafka | Kind::Kcat | Kind::Python => member.terminate().await,
        };
        let name = &player.name;
        let left = left.map_err(|ending| Ending::Broken(format!("{name}: {ending}")))?;
        player.past.extend(left);
        Ok(())
    }

    fn members(&self) -> Vec<&Member> {
        self.players.iter().filter_map(|player| player.member.as_ref()).collect()
    }

    /// Waits until each member has handled something, and so has partitions.
    async fn all_have_something(&self) -> Result<(), Ending> {
        let player = |it: &Player<'_>| (it.name.clone(), it.member.as_ref().map(Member::count));
        let counts = || self.players.iter().map(player).collect::<Vec<_>>();
        let say = || format!("they did not share: they handled {:?}", counts());
        until(PATIENCE, || counts().iter().all(|(_, count)| *count != Some(0)), say).await
    }

    async fn all_handled(&self, places: &BTreeSet<Place>) -> Result<(), Ending> {
        let past = self.players.iter().flat_map(|player| &player.past);
        let past: Vec<Place> = past.copied().collect();
        all_handled(places, &past, &self.members(), PATIENCE).await
    }

    /// That nothing was handled twice: all left in good order. kcat commits every five seconds and,
    /// not always, when it leaves: what it repeats or has repeated is not ours to promise.
    fn judge(&self) -> Result<(), Ending> {
        let mut first: BTreeMap<Place, &Player<'_>> = BTreeMap::new();
        let mut again = Vec::new();
        for player in &self.players {
            for place in &player.past {
                let before = first.insert(*place, player).map(|it| it.kind);
                if before.is_some_and(|kind| kind != Kind::Kcat && player.kind != Kind::Kcat) {
                    again.push((place, before, player.kind));
                }
            }
        }
        expect(again.is_empty().into(), || {
            format!("{} records came again: {:?}", again.len(), again.first())
        })
    }
}
