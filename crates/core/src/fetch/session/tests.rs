//! The table against a broker that only knows what requests told it.

use std::collections::BTreeMap;

use super::*;

fn asked(position: i64) -> Asked {
    Asked {
        position: Position(position),
        position_epoch: LeaderEpoch::UNKNOWN,
        leader_epoch: LeaderEpoch(3),
        max_bytes: 1000,
    }
}

#[test]
fn a_session_counts_its_epochs_and_starts_again_after_an_error() {
    let session = Session::Opening { closing: 0 };
    assert_eq!(session.header(), (0, 0));
    let session = session.answered(77);
    assert_eq!(session.header(), (77, 1));
    let session = session.answered(77);
    assert_eq!(session.header(), (77, 2));
    let session = session.broken();
    assert_eq!(session.header(), (77, 0), "the broker may free the old one");
    assert!(!session.is_incremental());
}

#[test]
fn a_broker_that_gives_no_id_is_told_everything_each_time() {
    let session = Session::Opening { closing: 0 }.answered(0);
    assert!(!session.is_incremental());
}

#[test]
fn epochs_wrap_to_one_and_never_to_zero() {
    let session = Session::Open { id: 5, epoch: i32::MAX };
    assert_eq!(session.answered(5).header(), (5, 1));
}

#[test]
fn what_did_not_change_is_not_named() {
    let mut table = Table::default();
    table.want(Slot(0), Some(asked(1)));
    table.want(Slot(1), Some(asked(1)));
    assert_eq!(table.everything(0).len(), 2);

    table.want(Slot(1), Some(asked(2)));

    assert_eq!(table.changes(), [Change::Ask(Slot(1), asked(2))]);
    assert_eq!(table.changes(), []);
}

#[test]
fn a_take_out_that_is_taken_back_in_time_is_not_named() {
    let mut table = Table::default();
    table.want(Slot(0), Some(asked(1)));
    let _ = table.everything(0);
    table.want(Slot(0), None);
    table.want(Slot(0), Some(asked(1)));
    assert_eq!(table.changes(), []);
}

#[test]
fn after_any_talk_the_brokers_table_equals_what_we_want() {
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut table, mut broker) = (Table::default(), BTreeMap::new());
        let mut wanted = BTreeMap::new();
        for _ in 0..200 {
            for _ in 0..rng.u8(0..4) {
                let slot = Slot(rng.u32(0..10));
                let want = rng.bool().then(|| asked(rng.i64(0..3)));
                table.want(slot, want);
                match want {
                    Some(want) => drop(wanted.insert(slot, want)),
                    None => drop(wanted.remove(&slot)),
                }
            }
            let changes = if rng.u8(0..10) == 0 {
                broker.clear();
                table.everything(rng.usize(0..20))
            } else {
                table.changes()
            };
            for change in changes {
                match change {
                    Change::Ask(slot, asked) => drop(broker.insert(slot, asked)),
                    Change::Forget(slot) => assert!(broker.remove(&slot).is_some()),
                }
            }
            assert_eq!(broker, wanted, "seed {seed}");
        }
    }
}
