//! A thousand clients and a broker that comes back: do they all come at once?

use std::time::Duration;

use forebay_broker::{ApiKey, BrokerId};

use crate::world::{Seen, World, until, virtual_time};

const CLIENTS: usize = 1_000;
/// How long the broker is away.
const AWAY: Duration = Duration::from_secs(60);

#[test]
fn a_thousand_clients_come_back_spread_and_knock_about_once_a_second_meanwhile() {
    virtual_time(async {
        let (world, seen) = (World::of_one_node(7), Seen::default());
        let readers: Vec<_> =
            (0..CLIENTS).map(|number| world.reader(&format!("{number}"), 0..1, &seen)).collect();
        let fetching = || world.fetching_clients();
        until("all fetch", || fetching() == CLIENTS).await;

        world.broker.with(|cluster| cluster.stop_node(BrokerId(1)));
        let dialled = world.trace.dialled();
        tokio::time::sleep(AWAY).await;
        let knocks = world.trace.dialled() - dialled;
        world.broker.with(|cluster| {
            cluster.clear_requests();
            cluster.start_node(BrokerId(1));
        });
        until("all fetch again", || fetching() == CLIENTS).await;

        // Each has a connection of either plane, and a delay of a second at most, give or take.
        let most = u64::try_from(CLIENTS).unwrap() * 2 * (AWAY.as_secs() + 10) * 5 / 4;
        assert!(knocks <= most, "{knocks} attempts in a minute, {most} at most");
        let times: Vec<Duration> = world.broker.with(|cluster| {
            let hellos = cluster.requests().filter(|seen| seen.api == ApiKey::ApiVersions);
            hellos.map(|seen| seen.at).collect()
        });
        let within = |at: &Duration| {
            let end = *at + Duration::from_millis(100);
            times.iter().filter(|other| (*at..end).contains(*other)).count()
        };
        let busiest = times.iter().map(within).max().unwrap_or(0);
        println!("{} connections, {busiest} of them within 100 ms", times.len());
        assert!(busiest * 5 <= times.len(), "{busiest} of {} within 100 ms", times.len());
        drop(readers);
    });
}
