//! What is written down of what passed?

use std::collections::BTreeSet;

use forebay::GroupProtocol;
use forebay_histcheck::What;

use crate::clients::{World, values};

async fn a_history_tells_all(protocol: GroupProtocol) {
    let world = World::new().await;
    world.write(0, 90).await;
    let first = world.join("m1", protocol);
    world.committed(90).await;
    let second = world.join("m2", protocol);
    world.write(90, 30).await;
    world.committed(120).await;
    first.leave().await;
    second.leave().await;
    world.is_at_ease();

    let history = world.history();
    let mut acked = BTreeSet::new();
    let (mut sent, mut stored) = (BTreeSet::new(), 0);
    let (mut gained, mut released) = (Vec::new(), Vec::new());
    let mut beats = BTreeSet::new();
    for what in history {
        match what {
            What::Acked { tp, offset, key, seq } => {
                assert_eq!(tp, format!("t-{key}"));
                assert_eq!(offset.cast_unsigned(), seq);
                acked.insert((tp, offset));
            }
            What::CommitSent { member, commit, tp, .. } => {
                assert!(sent.insert((member, commit, tp)), "a commit has a number of its own");
            }
            What::CommitAnswered { member, commit, tp, code } => {
                assert!(sent.contains(&(member, commit, tp)), "answered before it was sent");
                stored += u64::from(code == 0);
            }
            What::Gained { member, tp, .. } => gained.push((tp, member)),
            What::Released { member, tp } => released.push((tp, member)),
            What::Beat { member, .. } => drop(beats.insert(member)),
            other => panic!("nobody said {other:?}"),
        }
    }
    assert_eq!(acked.len(), 120);
    assert!(3 <= stored, "{stored} commits were stored");
    assert_eq!(beats.into_iter().collect::<Vec<_>>(), ["m1", "m2"]);
    // All that was gained was given back, and the second got some from the first.
    gained.sort();
    released.sort();
    assert_eq!(gained, released);
    assert!(gained.iter().any(|(_, member)| member == "m2"), "{gained:?}");
    let mut all = first.handled();
    all.extend(second.handled());
    all.sort();
    assert_eq!(all, values(120));
}

#[tokio::test]
async fn a_classic_group_leaves_its_whole_history() {
    a_history_tells_all(GroupProtocol::Classic).await;
}

#[tokio::test]
async fn a_group_that_the_coordinator_plans_leaves_its_whole_history() {
    a_history_tells_all(GroupProtocol::Consumer).await;
}

#[tokio::test]
async fn clients_know_no_other_way_than_the_proxy() {
    let world = World::new().await;
    let member = world.join("m1", GroupProtocol::Classic);
    world.write(0, 30).await;
    world.committed(30).await;
    // Whoever had learnt another address would go on.
    world.proxy.block(Some("m1"), None);
    world.write(30, 30).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(member.handled(), values(30));
    world.proxy.heal();
    world.committed(60).await;
    assert_eq!(member.handled(), values(60));
    member.leave().await;
}

#[tokio::test]
async fn librdkafka_comes_this_way_too() {
    let world = World::new().await;
    world.write(0, 30).await;
    let bootstrap = world.proxy.bootstrap_servers().to_owned();
    let mut kcat = tokio::process::Command::new("kcat");
    kcat.args(["-b", &bootstrap, "-G", "k", "-X", "auto.offset.reset=earliest", "-q", "-c", "30"]);
    kcat.args(["-X", "client.id=kcat", "-X", "session.timeout.ms=6000", "-f", "%s\n", "t"]);
    let output = match kcat.output().await {
        Ok(output) => output,
        // Where it must be there the stories say so.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => panic!("{error}"),
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
    lines.sort();
    assert_eq!(lines, values(30));
    let history = world.history();
    let is_its = |what: &&What| matches!(what, What::Gained { member, .. } if member == "kcat");
    assert_eq!(history.iter().filter(is_its).count(), 3);
    world.is_at_ease();
}
