//! A topic from before 0.11: messages of an old Java client, in each format and codec, and then the
//! batches of a newer one.

use bytes::Bytes;
use forebay::{Context, Record};

use crate::world::{Seen, World, close, tp};

/// What a Java client of 0.11 wrote in the formats v0 and v1, from offset 100 on.
const GOLDENS: &str = include_str!("../../../protocol/tests/goldens/message-sets-0.11.0.3.txt");

fn unhex(hex: &str) -> Bytes {
    let digits = (0..hex.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_older_than_batches_are_consumed_like_batches() {
    let goldens: Vec<_> = GOLDENS.lines().filter_map(|line| line.split_once(' ')).collect();
    let partitions = i32::try_from(goldens.len()).unwrap();
    let world = World::new(partitions);
    for (partition, (name, hex)) in (0..).zip(&goldens) {
        let last = if name.contains("sparse") { 118 } else { 119 };
        let appended =
            world.broker.with(|cluster| cluster.append_raw(&tp(partition), &unhex(hex), last));
        appended.unwrap();
        world.fill(partition, 2, 3);
    }
    let consumer = world.consumer(partitions).build().unwrap();
    let (handle, seen) = (consumer.handle(), Seen::default());
    let noting = seen.clone();

    let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
        let (offset, noting) = (record.offset().0, noting.clone());
        let text = record.value().map(|value| String::from_utf8_lossy(value).into_owned());
        noting.note(record.partition(), offset);
        async move {
            let at = offset - 100;
            match text {
                None => assert_eq!(at % 5, 4, "a tombstone"),
                Some(text) if text.starts_with("value") => {
                    assert!(text.starts_with(&format!("value {at} of ")), "{text}");
                }
                Some(text) => assert_eq!(text, offset.to_string()),
            }
        }
    }));
    world.all_committed(partitions).await;
    close(&handle).await;

    run.await.unwrap().unwrap();
    for (partition, (name, _)) in (0..).zip(&goldens) {
        let step = if name.contains("sparse") { 3 } else { 1 };
        let old = (100..120).step_by(step);
        let end = world.end(partition);
        assert_eq!(seen.of(partition), old.chain(end - 6..end).collect::<Vec<_>>(), "{name}");
    }
}
