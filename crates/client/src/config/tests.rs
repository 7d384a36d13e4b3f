//! Settings as people write them.

use super::*;

#[test]
fn addresses_are_read_as_people_write_them() {
    for (text, host, port) in [
        ("localhost:9092", "localhost", 9092),
        (" 10.0.0.1:1 ", "10.0.0.1", 1),
        ("[::1]:9092", "::1", 9092),
        ("PLAINTEXT://broker-1.example:65535", "broker-1.example", 65535),
    ] {
        assert_eq!(parse_address(text), Ok(Address { host: host.into(), port }));
    }
}

#[test]
fn a_wrong_address_is_named_with_what_was_expected() {
    for text in ["localhost", "localhost:", ":9092", "localhost:0", "localhost:70000", "::1:9092"] {
        let error = parse_address(text).unwrap_err();
        assert_eq!(error.key, "bootstrap.servers");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.to_string().contains("host:port"), "{error}");
    }
    assert!(parse_addresses(" , ").is_err());
    assert_eq!(parse_addresses("a:1,b:2,").unwrap().len(), 2);
}

#[test]
fn reset_policies_are_read_as_kafka_writes_them() {
    for (text, expected) in [
        ("none", OffsetReset::None),
        ("earliest", OffsetReset::Earliest),
        ("latest", OffsetReset::Latest),
        ("by_duration:PT1H30M", OffsetReset::ByDuration(Duration::from_secs(5400))),
        ("by_duration:P1DT0.5S", OffsetReset::ByDuration(Duration::from_millis(86_400_500))),
    ] {
        assert_eq!(text.parse(), Ok(expected));
    }
    for text in
        ["", "newest", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:-PT1S"]
    {
        let error = text.parse::<OffsetReset>().unwrap_err();
        assert_eq!(error.key, "auto.offset.reset");
    }
}

#[test]
fn the_defaults_can_be_used() {
    let client =
        ClientConfig { bootstrap_servers: parse_addresses("a:1").unwrap(), ..Default::default() };
    ConsumerConfig { client: client.clone(), ..Default::default() }.check().unwrap();
    ProducerConfig { client, ..Default::default() }.check().unwrap();
}

#[test]
fn settings_that_would_hurt_are_refused_by_their_kafka_name() {
    let client =
        ClientConfig { bootstrap_servers: parse_addresses("a:1").unwrap(), ..Default::default() };

    let mut without = client.clone();
    without.bootstrap_servers.clear();
    assert_eq!(without.check().unwrap_err().key, "bootstrap.servers");

    let mut hasty = client.clone();
    hasty.request_timeout = Duration::ZERO;
    assert_eq!(hasty.check().unwrap_err().key, "request.timeout.ms");

    let mut producer = ProducerConfig { client, ..Default::default() };
    producer.max_in_flight = 6;
    let error = producer.check().unwrap_err();
    assert_eq!(error.key, "max.in.flight.requests.per.connection");
}
