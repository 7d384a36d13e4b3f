//! Plans as Kafka's own assignors make them, and what every plan must be.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

/// Written by `tests/java/AssignorGoldens.java`: 300 seeds, each with both assignors.
const GOLDENS: &str = include_str!("../../../tests/goldens/assignors.txt");

fn topics_of(text: &str) -> Topics {
    let topics = text.split_whitespace().map(|it| it.split_once('=').unwrap());
    topics.map(|(name, count)| (name.into(), count.parse().unwrap())).collect()
}

fn member_of(text: &str) -> Member {
    let [id, instance, topics] = *text.split(':').collect::<Vec<_>>() else { panic!("{text}") };
    let topics = topics.split(',').filter(|topic| !topic.is_empty());
    Member {
        id: id.into(),
        instance: Some(instance).filter(|it| !it.is_empty()).map(Into::into),
        subscription: Subscription {
            topics: topics.map(Into::into).collect(),
            ..Default::default()
        },
    }
}

#[test]
fn range_and_round_robin_make_the_plans_of_kafkas_own() {
    let mut lines = 0;
    for line in GOLDENS.lines() {
        let [name, topics, members, plan] = *line.split('|').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        // Kafka's knows no topic without partitions.
        let mut topics = topics_of(topics);
        topics.retain(|_, count| 0 < *count);
        let members: Vec<Member> = members.split_whitespace().map(member_of).collect();
        let made = match name.trim() {
            "range" => Range.assign(&topics, &members),
            _ => RoundRobin.assign(&topics, &members),
        };
        let made = shown(made.unwrap());
        assert_eq!(made, plan.split_whitespace().collect::<Vec<_>>(), "{line}");
        lines += 1;
    }
    assert_eq!(lines, 600);
}

/// Written by `tests/java/RackGoldens.java`: 400 seeds.
const RACKS: &str = include_str!("../../../tests/goldens/racks.txt");

/// `t0=ab/b/-`: a letter for each rack of each partition.
fn placed(text: &str) -> (TopicName, BTreeMap<i32, Racks>) {
    let (name, partitions) = text.split_once('=').unwrap();
    let racks = |text: &str| {
        let letters = text.chars().filter(|letter| *letter != '-');
        Arc::new(letters.map(|letter| Arc::from(letter.to_string())).collect())
    };
    (name.into(), (0..).zip(partitions.split('/').map(racks)).collect())
}

#[test]
fn range_makes_the_plans_of_kafkas_own_where_racks_are_known() {
    let mut told = 0;
    for line in RACKS.lines() {
        let [topics, members, plan] = *line.split('|').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        let racks: TopicRacks = topics.split_whitespace().map(placed).collect();
        let count = |(name, racks): (&TopicName, &BTreeMap<i32, Racks>)| {
            (name.clone(), i32::try_from(racks.len()).unwrap())
        };
        let topics: Topics = racks.iter().map(count).collect();
        let member = |text: &str| {
            let [id, instance, rack, topics] = *text.split(':').collect::<Vec<_>>() else {
                panic!("{text}")
            };
            let mut member = member_of(&format!("{id}:{instance}:{topics}"));
            member.subscription.rack = Some(rack).filter(|it| !it.is_empty()).map(Into::into);
            member
        };
        let members: Vec<Member> = members.split_whitespace().map(member).collect();
        let made = shown(Range.assign_in_racks(&topics, &racks, &members).unwrap());
        assert_eq!(made, plan.split_whitespace().collect::<Vec<_>>(), "{line}");
        let blind = shown(Range.assign(&topics, &members).unwrap());
        told += usize::from(blind != made);
    }
    assert!(50 < told, "racks made a difference {told} times");
}

/// `m=t-0,t-1`
fn shown(plan: Plan) -> Vec<String> {
    let line = |(id, partitions): (Arc<str>, Vec<TopicPartition>)| {
        let mut names: Vec<_> = partitions.iter().map(ToString::to_string).collect();
        names.sort();
        format!("{id}={}", names.join(","))
    };
    plan.into_iter().map(line).collect()
}

/// Members as a strategy draws them: what each wants, and what each says it had.
#[derive(Clone, Debug)]
struct Draw {
    counts: Vec<i32>,
    wants: Vec<BTreeSet<usize>>,
    had: Vec<BTreeSet<(usize, i32)>>,
    generations: Vec<i32>,
}

fn draws() -> impl Strategy<Value = Draw> {
    let members = 1_usize..9;
    (vec(0_i32..14, 1..5), members).prop_flat_map(|(counts, members)| {
        let topics = counts.len();
        (
            Just(counts),
            vec(btree_set(0..topics, 0..=topics), members),
            vec(btree_set((0..topics + 1, 0_i32..16), 0..20), members),
            vec(-1_i32..4, members),
        )
            .prop_map(|(counts, wants, had, generations)| Draw {
                counts,
                wants,
                had,
                generations,
            })
    })
}

impl Draw {
    fn topics(&self) -> Topics {
        self.counts.iter().enumerate().map(|(at, count)| (name(at), *count)).collect()
    }

    fn members(&self, assignor: &dyn Assignor) -> Vec<Member> {
        let member = |at: usize| {
            let owned: BTreeSet<_> = self.had[at]
                .iter()
                .map(|(topic, no)| TopicPartition::new(name(*topic), *no))
                .collect();
            let subscription = Subscription {
                topics: self.wants[at].iter().map(|topic| name(*topic)).collect(),
                user_data: assignor.user_data(&owned, self.generations[at]),
                owned: owned.into_iter().collect(),
                generation: Some(self.generations[at]).filter(|it| 0 <= *it),
                rack: None,
            };
            Member { id: format!("m{at}").into(), instance: None, subscription }
        };
        (0..self.wants.len()).map(member).collect()
    }
}

fn name(topic: usize) -> TopicName {
    format!("t{topic}").into()
}

/// Every partition that somebody wants is given, once, to one that wants it.
fn is_complete(topics: &Topics, members: &[Member], plan: &Plan) {
    check("test", plan, topics, members).unwrap();
    let mut given = 0;
    for member in members {
        let wants: BTreeSet<_> = member.subscription.topics.iter().collect();
        let has = &plan[&member.id];
        assert!(has.iter().all(|tp| wants.contains(&tp.topic)), "{member:?} {has:?}");
        given += has.len();
    }
    let wanted: BTreeSet<_> = members.iter().flat_map(|it| it.subscription.topics.iter()).collect();
    let all: i32 = wanted.iter().map(|topic| topics.get(*topic).copied().unwrap_or(0)).sum();
    assert_eq!(given, usize::try_from(all).unwrap());
}

/// No partition could move to a member with less by two.
fn is_balanced(members: &[Member], plan: &Plan) {
    for from in members {
        for to in members {
            let movable =
                plan[&from.id].iter().any(|tp| to.subscription.topics.contains(&tp.topic));
            let (more, less) = (plan[&from.id].len(), plan[&to.id].len());
            assert!(!movable || more <= less + 1, "{} has {more}, {} has {less}", from.id, to.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn every_assignor_gives_each_partition_to_one_that_wants_it(draw in draws()) {
        let all: [&dyn Assignor; 3] = [&Range, &RoundRobin, &Sticky];
        for assignor in all {
            let (topics, members) = (draw.topics(), draw.members(assignor));
            is_complete(&topics, &members, &assignor.assign(&topics, &members).unwrap());
        }
    }

    #[test]
    fn a_sticky_plan_is_balanced_whatever_was_before(draw in draws()) {
        let (topics, members) = (draw.topics(), draw.members(&Sticky));
        is_balanced(&members, &Sticky.assign(&topics, &members).unwrap());
    }

    #[test]
    fn a_sticky_plan_made_again_is_the_same(draw in draws()) {
        let (topics, mut members) = (draw.topics(), draw.members(&Sticky));
        let first = Sticky.assign(&topics, &members).unwrap();
        for member in &mut members {
            let had = first[&member.id].iter().cloned().collect();
            member.subscription.user_data = Sticky.user_data(&had, 9);
        }
        prop_assert_eq!(Sticky.assign(&topics, &members).unwrap(), first);
    }

    #[test]
    fn nobody_is_given_what_another_still_has_and_a_few_rounds_give_everything(draw in draws()) {
        let (topics, mut members) = (draw.topics(), draw.members(&CooperativeSticky));
        for round in 0..4 {
            let plan = CooperativeSticky.assign(&topics, &members).unwrap();
            check("test", &plan, &topics, &members).unwrap();
            for member in &members {
                for tp in &plan[&member.id] {
                    let others = members.iter().filter(|other| other.id != member.id);
                    let mut owners = others.filter(|other| other.subscription.owned.contains(tp));
                    prop_assert!(owners.next().is_none(), "{tp} has another owner");
                }
            }
            if round == 3 {
                is_complete(&topics, &members, &plan);
                is_balanced(&members, &plan);
            }
            for member in &mut members {
                member.subscription.owned.clone_from(&plan[&member.id]);
                member.subscription.generation = Some(10 + round);
            }
        }
    }

    #[test]
    fn user_data_of_strangers_is_survived(bytes in vec(any::<u8>(), 0..64)) {
        let (topics, subscription) = ([(name(0), 4)].into(), Subscription {
            topics: vec![name(0)],
            user_data: Some(bytes.into()),
            ..Subscription::default()
        });
        let members = [Member { id: "m".into(), instance: None, subscription }];
        is_complete(&topics, &members, &Sticky.assign(&topics, &members).unwrap());
        let plan = CooperativeSticky.assign(&topics, &members).unwrap();
        prop_assert_eq!(plan["m"].len(), 4);
    }
}

#[test]
fn one_that_joins_takes_no_more_than_its_share() {
    let topics: Topics = [(name(0), 12)].into();
    let member = |id: &str, owned: std::ops::Range<i32>| {
        let owned: BTreeSet<_> = owned.map(|no| TopicPartition::new(name(0), no)).collect();
        let subscription = Subscription {
            topics: vec![name(0)],
            user_data: Sticky.user_data(&owned, 3),
            ..Subscription::default()
        };
        Member { id: id.into(), instance: None, subscription }
    };
    let members = [member("a", 0..6), member("b", 6..12), member("c", 0..0)];
    let plan = Sticky.assign(&topics, &members).unwrap();
    assert!(plan["a"].iter().all(|tp| tp.partition < 6), "{plan:?}");
    assert!(plan["b"].iter().all(|tp| 6 <= tp.partition), "{plan:?}");
    assert_eq!(plan["c"].len(), 4);
}

#[test]
fn a_thousand_members_share_ten_thousand_partitions_in_no_time() {
    let topics: Topics = [(name(0), 10_000)].into();
    let subscription = Subscription { topics: vec![name(0)], ..Subscription::default() };
    let member = |at: i32| Member {
        id: format!("m{at}").into(),
        instance: None,
        subscription: subscription.clone(),
    };
    let members: Vec<Member> = (0..1_000).map(member).collect();
    let plan = CooperativeSticky.assign(&topics, &members).unwrap();
    assert!(plan.values().all(|partitions| partitions.len() == 10));
}

#[test]
fn a_plan_that_gives_twice_or_to_strangers_is_refused() {
    let topics: Topics = [(name(0), 2)].into();
    let members = ["a", "b"].map(|id| Member { id: id.into(), ..Member::default() });
    let tp = |no| TopicPartition::new(name(0), no);
    let refused = |plan: Plan| check("own", &plan, &topics, &members).unwrap_err().to_string();
    let twice = [("a".into(), vec![tp(0)]), ("b".into(), vec![tp(0)])].into();
    assert_eq!(refused(twice), "assignor own made no plan: t0-0 is given twice");
    let stranger = [("c".into(), vec![tp(0)])].into();
    assert_eq!(refused(stranger), "assignor own made no plan: c is no member");
    let missing = [("a".into(), vec![tp(2)])].into();
    assert_eq!(refused(missing), "assignor own made no plan: t0-2 does not exist");
}
