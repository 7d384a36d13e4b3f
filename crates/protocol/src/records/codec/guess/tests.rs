//! The guess follows what it sees, up at once and down slowly.

use super::Guess;

#[test]
fn the_room_is_that_of_the_last_ratio_and_an_eighth() {
    let mut guess = Guess::default();
    guess.learn(1_000, 10_000);
    assert_eq!(guess.room(1_000), 10_000 + 1_250 + 256);
    guess.learn(1_000, 2_000);
    let room = guess.room(1_000);
    assert!((10_000..11_256).contains(&room), "{room}");
    for _ in 0..50 {
        guess.learn(1_000, 2_000);
    }
    assert!((2_250..2_600).contains(&guess.room(1_000)), "{}", guess.room(1_000));
}

#[test]
fn extremes_neither_overflow_nor_stick_at_nothing() {
    let mut guess = Guess::default();
    guess.learn(0, usize::MAX);
    assert!(guess.room(usize::MAX) > 0);
    guess.learn(usize::MAX, 0);
    assert!(guess.room(0) > 0);
}
