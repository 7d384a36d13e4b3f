//! Table. Every story there is; each has a file of its own, whose first line is its promise.

mod administer;
mod blocked;
mod cold_start;
mod command_line;
mod compacted;
mod corrupt_batch;
mod directives;
mod every_codec;
mod exchange;
mod groups;
mod huge_record;
mod interop;
mod large_records;
mod leader_fails;
mod nearest_replica;
mod new_ports;
mod old_formats;
mod out_of_range;
mod partitions_added;
mod producer_killed;
mod quota;
mod recreated;
mod resume;
mod silent_drop;
mod slow_partition;
mod subscriptions;
mod transactions;

use std::process::ExitCode;

use crate::story::Story;

/// In the order of the report.
pub(crate) const STORIES: &[&Story] = &[
    &administer::STORY,
    &command_line::STORY,
    &every_codec::STORY,
    &exchange::STORY,
    &resume::STORY,
    &groups::SHARED,
    &interop::RANGE,
    &interop::ROUND_ROBIN,
    &interop::STICKY,
    &interop::COOPERATIVE,
    &interop::CONSUMER,
    &interop::MIGRATED,
    &groups::UPGRADED,
    &directives::STORY,
    &subscriptions::STORY,
    &blocked::STORY,
    &slow_partition::STORY,
    &large_records::STORY,
    &out_of_range::STORY,
    &recreated::STORY,
    &partitions_added::STORY,
    &huge_record::STORY,
    &corrupt_batch::STORY,
    &transactions::STORY,
    &compacted::STORY,
    &quota::STORY,
    &silent_drop::STORY,
    &old_formats::STORY,
    &cold_start::STORY,
    &new_ports::STORY,
    &nearest_replica::STORY,
    &leader_fails::MOVES,
    &leader_fails::KILLED,
    &leader_fails::FROZEN,
    &producer_killed::STORY,
];

/// With what else a story is told at once: stories of one lane are told one after another, lanes
/// beside each other. Most wait for most of their time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lane {
    Main,
    /// Members that come and go.
    Groups,
    /// Three nodes, which only one story at a time may stop, and members that sleep.
    Nodes,
    /// Handlers that block for a minute.
    Blocked,
    /// After all others: it stops the node that they use, or looks at how fast something is.
    Alone,
}

const LANES: [(Lane, &[&Story]); 4] = [
    (
        Lane::Groups,
        &[
            &interop::RANGE,
            &interop::ROUND_ROBIN,
            &interop::STICKY,
            &interop::COOPERATIVE,
            &interop::CONSUMER,
            &interop::MIGRATED,
            &groups::UPGRADED,
            &directives::STORY,
            &subscriptions::STORY,
        ],
    ),
    (
        Lane::Nodes,
        &[
            &groups::SHARED,
            &nearest_replica::STORY,
            &leader_fails::MOVES,
            &leader_fails::KILLED,
            &leader_fails::FROZEN,
            &producer_killed::STORY,
        ],
    ),
    (Lane::Blocked, &[&blocked::STORY]),
    (
        Lane::Alone,
        &[
            &slow_partition::STORY,
            &corrupt_batch::STORY,
            &quota::STORY,
            &cold_start::STORY,
            &new_ports::STORY,
        ],
    ),
];

pub(crate) fn lane(story: &Story) -> Lane {
    let has = |stories: &[&Story]| stories.iter().any(|it| it.name == story.name);
    LANES.iter().find(|(_, stories)| has(stories)).map_or(Lane::Main, |(lane, _)| *lane)
}

/// Plays the part of a story that needs a process of its own: `name word word …`.
pub(crate) async fn play(part: &str) -> ExitCode {
    let words: Vec<&str> = part.split_whitespace().collect();
    let played = match words.as_slice() {
        ["member", words @ ..] => crate::member::play(words).await,
        ["resume", words @ ..] => resume::play(words).await,
        ["large-records", words @ ..] => large_records::play(words).await,
        _ => return ExitCode::from(2),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(ending) => {
            eprintln!("{ending}");
            ExitCode::FAILURE
        }
    }
}
