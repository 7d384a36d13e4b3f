//! The same inputs give the same outputs, byte for byte.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::talk::{batch, fetch_request, frame, produce_request};
use crate::{BrokerId, Cluster, Options, Output, TopicPartition};

#[derive(Clone, Debug)]
enum Input {
    Produce(usize, i32),
    Fetch(usize, i32),
    Wait(u64),
    Move(i32, i32),
    Stop(i32),
    Start(i32),
    Bytes(usize, Vec<u8>),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        (0..4usize, 0..3i32).prop_map(|(on, tp)| Input::Produce(on, tp)),
        (0..4usize, 0..3i32).prop_map(|(on, tp)| Input::Fetch(on, tp)),
        (0..300u64).prop_map(Input::Wait),
        (0..3i32, 1..4i32).prop_map(|(tp, to)| Input::Move(tp, to)),
        (2..4i32).prop_map(Input::Stop),
        (2..4i32).prop_map(Input::Start),
        (0..4usize, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(on, b)| Input::Bytes(on, b)),
    ]
}

fn run(seed: u64, inputs: &[Input]) -> Vec<Output> {
    let mut cluster = Cluster::new(Options::default().nodes(3).seed(seed));
    cluster.create_topic("t", 3).unwrap();
    let mut connections: Vec<_> =
        (0..4).map(|i| cluster.connect(BrokerId(1 + i % 3)).unwrap()).collect();
    let mut now = Duration::ZERO;
    let mut outputs = Vec::new();
    for (number, input) in (0..).zip(inputs) {
        let tp = |index: i32| TopicPartition::new("t", index);
        match input {
            Input::Produce(on, index) => {
                let request = produce_request(&tp(*index), batch(&["v"], None), -1);
                cluster.handle(now, connections[*on], frame(9, number, &request));
            }
            Input::Fetch(on, index) => {
                let request = fetch_request(&[(tp(*index), 0)]).with_max_wait_ms(100);
                let request = request.with_session_epoch(0);
                cluster.handle(now, connections[*on], frame(11, number, &request));
            }
            Input::Wait(millis) => {
                now += Duration::from_millis(*millis);
                cluster.handle_timeout(now);
            }
            // Whether the node is up does not matter here.
            Input::Move(index, to) => drop(cluster.move_leader(&tp(*index), BrokerId(*to))),
            Input::Stop(node) => cluster.stop_node(BrokerId(*node)),
            Input::Start(node) => cluster.start_node(BrokerId(*node)),
            Input::Bytes(on, bytes) => {
                cluster.handle(now, connections[*on], bytes.clone().into());
            }
        }
        while let Some(output) = cluster.poll_output() {
            if let Output::Close { connection, .. } = output {
                let at = connections.iter().position(|known| *known == connection);
                let again = cluster.connect(BrokerId(1)).unwrap();
                connections[at.expect("a connection of ours")] = again;
            }
            outputs.push(output);
        }
    }
    outputs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_seed_and_its_inputs_replay(
        seed in any::<u64>(),
        inputs in prop::collection::vec(input(), 1..80),
    ) {
        prop_assert_eq!(run(seed, &inputs), run(seed, &inputs));
    }
}

#[test]
fn another_seed_is_another_run() {
    let inputs = [Input::Fetch(0, 0), Input::Wait(100)];
    assert_ne!(run(1, &inputs), run(2, &inputs), "session ids come from the seed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_bytes_make_the_machine_panic(
        api in 0..66i16,
        version in 0..19i16,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut cluster = Cluster::new(Options::default());
        cluster.create_topic("t", 2).unwrap();
        let connection = cluster.connect(BrokerId(1)).unwrap();
        let mut frame = BytesMut::new();
        frame.put_i16(api);
        frame.put_i16(version);
        frame.put_i32(1);
        frame.put_i16(-1);
        frame.put_slice(&bytes);
        cluster.handle(Duration::ZERO, connection, frame.freeze());
        cluster.handle_timeout(Duration::MAX);
        let answered = matches!(
            cluster.poll_output(),
            Some(Output::Send { .. } | Output::Done { .. } | Output::Close { reason: Some(_), .. })
        );
        prop_assert!(answered);
    }
}
