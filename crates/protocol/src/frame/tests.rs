//! How streams are cut, and what is said of streams that are none.

use super::*;

fn frames(bytes: &[u8]) -> Result<Vec<Bytes>, FrameError> {
    let mut frames = Frames::new(1000);
    frames.push(bytes);
    std::iter::from_fn(|| frames.next_frame().transpose()).collect()
}

#[test]
fn frames_come_out_whole_however_the_bytes_are_cut() {
    let stream = b"\0\0\0\x03one\0\0\0\0\0\0\0\x05three\0\0\0\x09rest";
    for step in 1..stream.len() {
        let mut frames = Frames::new(1000);
        let mut found = Vec::new();
        for piece in stream.chunks(step) {
            frames.push(piece);
            while let Some(frame) = frames.next_frame().unwrap() {
                found.push(frame);
            }
        }
        assert_eq!(found, ["one", "", "three"], "in steps of {step}");
        assert_eq!(frames.buffered(), 8);
    }
}

#[test]
fn a_frame_beyond_the_limit_is_refused_before_it_comes() {
    let error = frames(b"\0\0\x03\xe9").unwrap_err();
    assert_eq!(error, FrameError::TooLarge { len: 1001, limit: 1000 });
    assert_eq!(frames(b"\0\0\x03\xe8"), Ok(vec![]));
}

#[test]
fn a_negative_length_is_refused() {
    assert_eq!(frames(b"\xff\xff\xff\xff"), Err(FrameError::Negative { len: -1 }));
}

#[test]
fn a_tls_server_is_recognised_by_its_alert() {
    let error = frames(b"\x15\x03\x03\x00\x02\x02\x46").unwrap_err();
    assert_eq!(error, FrameError::NotKafka(Stranger::Tls));
    assert!(error.to_string().contains("speaks TLS"));
}

#[test]
fn a_http_server_is_recognised_by_its_answer() {
    let error = frames(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
    assert_eq!(error, FrameError::NotKafka(Stranger::Http));
}

#[test]
fn a_tls_server_is_recognised_under_a_limit_that_its_bytes_would_pass() {
    let mut frames = Frames::new(usize::MAX);
    frames.push(b"\x15\x03\x01\x00");
    assert_eq!(frames.next_frame(), Err(FrameError::NotKafka(Stranger::Tls)));
}

#[test]
fn an_announced_length_reserves_no_memory() {
    let mut frames = Frames::new(DEFAULT_LIMIT);
    frames.push(&100_000_000_u32.to_be_bytes());
    for _ in 0..100 {
        frames.push(&[0; 30_000]);
        assert_eq!(frames.next_frame(), Ok(None));
        let (came, room) = (frames.buffered(), frames.room().capacity());
        assert!(room <= 2 * came + STEP, "{came} bytes came, there is room for {room}");
    }
}

#[test]
fn there_is_always_room_for_a_decent_read() {
    let mut frames = Frames::new(DEFAULT_LIMIT);
    for _ in 0..1_000 {
        frames.push(b"\0\0\0\x60");
        frames.push(&[0; 0x60]);
        assert_eq!(frames.next_frame().unwrap().unwrap().len(), 0x60);
        let room = frames.room();
        assert!(room.capacity() - room.len() >= SPARE);
    }
}
