//! Is every line of a property file understood, or refused by name, line and reason?

mod docs;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Acks, Compression, GroupProtocol, IsolationLevel, OffsetReset};

fn consumer(text: &str) -> Result<ConsumerConfig, PropertyError> {
    ConsumerConfig::from_properties(&Properties::parse(text)?)
}

fn complaint(text: &str) -> String {
    consumer(text).unwrap_err().to_string()
}

fn notes(text: &str, kind: ClientKind) -> Vec<String> {
    let notes = Properties::parse(text).unwrap().notes(kind).unwrap();
    notes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_tricky_file_is_read_as_java_reads_it() {
    let escaped = |text: &str| {
        text.encode_utf16().fold(String::new(), |mut shown, unit| {
            match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii_graphic() && byte != b'\\' => shown.push(byte.into()),
                _ => shown.push_str(&format!("\\u{unit:04x}")),
            }
            shown
        })
    };
    // As in Java, the last of a key's values counts here.
    let read: BTreeMap<_, _> = grammar::entries(include_str!("tests/tricky.properties"))
        .map(Result::unwrap)
        .map(|entry| (entry.key, entry.value))
        .collect();
    let shown: Vec<_> =
        read.iter().map(|(key, value)| format!("{}\t{}", escaped(key), escaped(value))).collect();
    let java: Vec<_> = include_str!("tests/java.tsv").lines().collect();
    assert_eq!(shown, java);
}

#[test]
fn bytes_that_are_no_utf8_are_latin_1_as_in_java() {
    assert_eq!(grammar::text(b"client.id=gr\xfcn".to_vec()), "client.id=grün");
    assert_eq!(grammar::text("client.id=grün".into()), "client.id=grün");
}

#[test]
fn a_consumers_file_becomes_its_settings() {
    let config = consumer(
        "bootstrap.servers = a:1, b:2\n\
         group.id : billing\n\
         auto.offset.reset=earliest\n\
         isolation.level=read_uncommitted\n\
         auto.commit.interval.ms=1000\n\
         fetch.min.bytes=1024\n\
         request.timeout.ms=40000\n\
         security.protocol=PLAINTEXT\n\
         client.id gr\\u00fcn\n",
    )
    .unwrap();
    assert_eq!(config.client.bootstrap_servers.len(), 2);
    assert_eq!(&*config.client.client_id, "grün");
    assert_eq!(config.client.request_timeout, Duration::from_secs(40));
    assert_eq!(config.group_id.as_deref(), Some("billing"));
    assert_eq!(config.auto_offset_reset, OffsetReset::Earliest);
    assert_eq!(config.isolation_level, IsolationLevel::ReadUncommitted);
    assert_eq!(config.auto_commit_interval, Duration::from_secs(1));
    assert_eq!(config.fetch_min_bytes, 1024);
    config.check().unwrap();
}

#[test]
fn a_group_members_file_becomes_its_settings() {
    let text = "group.id=g\nsession.timeout.ms=30000\nheartbeat.interval.ms=5000\n\
                max.poll.interval.ms=60000\ngroup.instance.id=one\nclient.rack=r1\n\
                group.protocol=CLASSIC\npartition.assignment.strategy=\\\n  \
                org.apache.kafka.clients.consumer.CooperativeStickyAssignor, RangeAssignor\n";
    let mut draft = Draft::default();
    Properties::parse(text).unwrap().apply(ClientKind::Consumer, &mut draft).unwrap();
    assert_eq!(draft.work.assignors, ["cooperative-sticky", "range"]);
    let config = draft.into_consumer();
    assert_eq!(config.session_timeout, Duration::from_secs(30));
    assert_eq!(config.heartbeat_interval, Duration::from_secs(5));
    assert_eq!(config.rebalance_timeout, Duration::from_secs(60));
    assert_eq!(config.group_instance_id.as_deref(), Some("one"));
    assert_eq!(config.client_rack.as_deref(), Some("r1"));
    assert_eq!(config.group_protocol, GroupProtocol::Classic);
    let old = notes("partition_assignment_strategy=roundrobin", ClientKind::Consumer);
    assert!(old[0].contains("a name of old"), "{old:?}");
    let own = complaint("partition.assignment.strategy=com.example.Mine");
    assert!(own.contains(".assignors(..)"), "{own}");
    assert!(complaint("group.protocol=share").contains("auto, classic or consumer"));
    let late = complaint("heartbeat.interval.ms=40000");
    assert!(late.contains("at most a third of session.timeout.ms"), "{late}");
}

#[test]
fn a_producers_file_becomes_its_settings() {
    let text = "acks=1\nenable.idempotence=False\nbatch.size=1\nlinger.ms=0\n\
                compression.type=zstd\nmax.request.size=2048\nbuffer.memory=4096\n\
                delivery.timeout.ms=60000\nmax.in.flight.requests.per.connection=2\n";
    let config = ProducerConfig::from_properties(&Properties::parse(text).unwrap()).unwrap();
    assert_eq!((config.acks, config.idempotence), (Acks::Leader, false));
    assert_eq!((config.batch_size, config.linger), (1, Duration::ZERO));
    assert_eq!(config.compression, Compression::Zstd);
    assert_eq!((config.max_request_size, config.buffer_memory), (2048, 4096));
    assert_eq!((config.delivery_timeout, config.max_in_flight), (Duration::from_secs(60), 2));
}

#[test]
fn what_a_file_leaves_out_keeps_what_was_set_before() {
    let file = Properties::parse("fetch.min.bytes=7").unwrap();
    let mut draft = Draft::from_consumer(ConsumerConfig {
        group_id: Some("mine".into()),
        ..ConsumerConfig::default()
    });
    file.apply(ClientKind::Consumer, &mut draft).unwrap();
    let config = draft.into_consumer();
    assert_eq!((config.group_id.as_deref(), config.fetch_min_bytes), (Some("mine"), 7));
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_known_name() {
    let text = "# brokers\nbootstrap.servers=a:1\n\nenable.auto.comit=true\n";
    assert_eq!(
        complaint(text),
        "line 4: enable.auto.comit is no setting of Kafka's clients; did you mean \
         enable.auto.commit?"
    );
    let far = complaint("colour.of.the.sky=blue");
    assert!(far.contains("is taken out before clients are made"), "{far}");
    let missing = Properties::read("no-such-file.properties").unwrap_err().to_string();
    assert!(missing.starts_with("cannot read no-such-file.properties: "), "{missing}");
}

#[test]
fn a_setting_of_librdkafka_is_an_error_that_says_what_to_write_here() {
    assert_eq!(
        complaint("group.id=g\nqueue.buffering.max.ms=5"),
        "line 2: queue.buffering.max.ms is a setting of librdkafka; write linger.ms"
    );
    for line in ["sasl.username=u", "sasl.password=secret", "ssl.ca.location=/etc/ca.pem"] {
        let told = complaint(line);
        assert!(told.contains("not built yet") && !told.contains("secret"), "{told}");
    }
}

#[test]
fn a_key_that_stands_twice_is_an_error_that_names_both_lines() {
    let twice = complaint("group.id=a\nclient.id=b\ngroup.id=a\n");
    assert_eq!(twice, "line 3: group.id stands on line 1 already; leave one of them");
    let same = complaint("group.id=a\n\ngroup_id=a\n");
    assert_eq!(
        same,
        "line 3: group_id and group.id on line 1 both mean group.id; leave one of them"
    );
    let same = complaint("socket.timeout=5s\nrequest.timeout.ms=5000\n");
    assert!(same.contains("both mean request.timeout.ms"), "{same}");
}

#[test]
fn a_value_that_cannot_be_used_is_named_with_its_line_and_what_would_do() {
    for (line, expected) in [
        ("request.timeout.ms=30s", "milliseconds as a number without a unit"),
        ("request.timeout.ms=-1", "milliseconds as a number without a unit"),
        ("request.timeout.ms=0", "1 ms to one day"),
        ("fetch.min.bytes=1e6", "a whole number"),
        ("fetch.min.bytes=99999999999", "a smaller number"),
        ("fetch.min.bytes=0", "1 byte to 1 GiB"),
        ("auto.offset.reset=newest", "none, earliest, latest or by_duration"),
        ("isolation.level=snapshot", "read_committed or read_uncommitted"),
        ("bootstrap.servers=localhost", "host:port"),
        ("group.id=", "a name, or no such line at all"),
        ("offset.commit.interval=soon", "a time with its unit"),
        ("fetch.max.wait.ms=30000", "less than request.timeout.ms"),
    ] {
        let told = complaint(&format!("\n{line}\n"));
        let (key, value) = line.split_once('=').unwrap();
        assert!(told.starts_with(&format!("line 2: {key} is {value:?}; expected")), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    let producer = |text| ProducerConfig::from_properties(&Properties::parse(text).unwrap());
    for (line, expected) in [
        ("acks=0", "all, -1 or 1"),
        ("enable.idempotence=yes", "true or false"),
        ("compression.type=brotli", "none, gzip, snappy, lz4 or zstd"),
        ("max.in.flight.requests.per.connection=6", "1 to 5"),
    ] {
        let told = producer(line).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn an_escape_that_is_no_character_is_an_error() {
    for (text, escape) in [
        ("a=\\u00g0", "\\\\u00"),
        ("\na=\\ud800", "\\\\ud800"),
        ("a=\\ud800\\u0041", "\\\\ud800\\\\u0041"),
    ] {
        let told = complaint(text);
        assert!(told.contains(escape) && told.contains("four hexadecimal digits"), "{told}");
    }
}

#[test]
fn security_that_is_not_built_is_refused_and_never_passed_over() {
    for line in ["security.protocol=SSL", "security.protocol=SASL_PLAINTEXT"] {
        assert!(complaint(line).contains("not built yet"), "{line}");
    }
    for line in [
        "sasl.jaas.config=org.example.Login required password=\"secret\";",
        "ssl.truststore.location=/etc/kafka.jks",
        "sasl.mechanism=PLAIN",
        "security.providers=x",
    ] {
        let told = complaint(line);
        assert!(told.contains("line 1") && told.contains("not built yet"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    for line in ["config.providers=vault", "config.providers.vault.class=x"] {
        assert!(complaint(line).contains("cannot be fetched"), "{line}");
    }
}

#[test]
fn what_has_no_meaning_here_is_noted_once_each() {
    let text = "bootstrap.servers=a:1\nmax.poll.records=1\nkey.deserializer=x\nacks=all\n";
    let told = notes(text, ClientKind::Consumer);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("line 2: max.poll.records: there is no poll"), "{told:?}");
    assert!(told[1].starts_with("line 3: key.deserializer: names a Java class"), "{told:?}");
    assert_eq!(told[2], "line 4: acks: a setting of producers");
}

#[test]
fn the_go_clients_keys_are_read_in_both_spellings_with_a_note_of_todays() {
    for text in [
        "group_id=g\nclient_id=c\nsocket_timeout=1m30s\noffset_commit_interval=500ms\n\
         auto_offset_reset=smallest\nfetch_wait_max_ms=100\nnum_workers=8\nmax_worker_retries=2\n\
         worker_backoff=1s\nworker_managers_stop_timeout=2m\nmetadata_broker_list=a:1\n",
        "group.id=g\nclient.id=c\nsocket.timeout=1m30s\noffset.commit.interval=500ms\n\
         auto.offset.reset=smallest\nfetch.wait.max.ms=100\nnum.workers=8\nmax.worker.retries=2\n\
         worker.backoff=1s\nworker.managers.stop.timeout=2m\nmetadata.broker.list=a:1\n",
    ] {
        let mut draft = Draft::default();
        Properties::parse(text).unwrap().apply(ClientKind::Consumer, &mut draft).unwrap();
        let told: Vec<_> = draft.notes.iter().map(|note| note.text.as_str()).collect();
        for today in [
            "write request.timeout.ms",
            "write auto.commit.interval.ms",
            "write earliest",
            "write fetch.max.wait.ms",
            "write .concurrency(n)",
            "write .retries(n)",
            "write .retry_backoff(time)",
            "write .drain_timeout(time)",
            "write bootstrap.servers",
        ] {
            assert!(told.iter().any(|text| text.contains(today)), "{today}: {told:?}");
        }
        let work = draft.work.clone();
        assert_eq!((work.concurrency, work.retries), (Some(8), Some(2)));
        assert_eq!(work.retry_backoff, Some(Duration::from_secs(1)));
        let config = draft.into_consumer();
        assert_eq!((config.group_id.as_deref(), &*config.client.client_id), (Some("g"), "c"));
        assert_eq!(config.client.request_timeout, Duration::from_secs(90));
        assert_eq!(config.auto_commit_interval, Duration::from_millis(500));
        assert_eq!(config.auto_offset_reset, OffsetReset::Earliest);
        assert_eq!(config.fetch_max_wait, Duration::from_millis(100));
        assert_eq!(config.drain_timeout, Duration::from_secs(120));
    }
    assert_eq!(
        notes("group_id=g", ClientKind::Consumer),
        ["line 1: group_id: an old spelling; write group.id"]
    );
    let dead = notes("zookeeper_connect=z:2181\nfetch.max.retries=5", ClientKind::Consumer);
    assert!(dead[0].ends_with("write bootstrap.servers"), "{dead:?}");
    assert!(dead[1].contains("never read it"), "{dead:?}");
}

#[test]
fn times_are_read_as_go_writes_them() {
    for (text, millis) in
        [("0", 0), ("500ms", 500), ("5s", 5_000), ("1m30s", 90_000), ("1.5h", 5_400_000)]
    {
        assert_eq!(value::go_duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "5", "s", "-5s", "5 s", "1d", "..s", "1e400h"] {
        assert!(value::go_duration(text).is_err(), "{text}");
    }
}

#[test]
fn a_programs_own_settings_are_taken_out_before_clients_see_them() {
    let mut file = Properties::parse("my.own=7\ngroup.id=g\n").unwrap();
    assert!(ConsumerConfig::from_properties(&file).is_err());
    assert_eq!(file.get("my.own"), Some("7"));
    assert_eq!(file.take("my.own").as_deref(), Some("7"));
    assert_eq!(file.take("my.own"), None);
    let file = file.with("group.id", "other").with("client.id", "c");
    let config = ConsumerConfig::from_properties(&file).unwrap();
    assert_eq!(config.group_id.as_deref(), Some("other"));
    let wrong = ConsumerConfig::from_properties(&file.with("fetch.min.bytes", "x"));
    assert!(wrong.unwrap_err().to_string().starts_with("set by the program: fetch.min.bytes"));
}

#[test]
fn builders_take_a_file_and_tell_what_is_wrong_when_they_build() {
    let file = Properties::parse("bootstrap.servers=a:1\ngroup_di=x").unwrap();
    let error = crate::Consumer::builder().properties(&file).assign([("t", 0)]).build();
    let told = error.err().unwrap().to_string();
    assert!(told.ends_with("did you mean group.id?"), "{told}");
    let error = crate::Producer::builder().properties(&file).build().err().unwrap();
    assert_eq!(error.kind(), crate::ErrorKind::Config);
}

proptest! {
    #[test]
    fn any_text_is_settings_or_an_error(text in "(?s).{0,200}") {
        if let Ok(file) = Properties::parse(&text) {
            let lines = text.split(['\n', '\r']).count();
            prop_assert!(file.entries.iter().all(|entry| (1..=lines).contains(&entry.line)));
            drop(file.notes(ClientKind::Consumer));
        }
    }

    #[test]
    fn what_is_escaped_comes_back(key in "[a-z:= \\\\#]{1,12}", value in "[a-zäß\\\\ :=\n\t]{0,20}") {
        let escape = |text: &str| text.chars().fold(String::new(), |mut out, c| {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                ' ' | ':' | '=' | '\\' | '#' => out.extend(['\\', c]),
                'ß' => out.push_str("\\u00DF"),
                other => out.push(other),
            }
            out
        });
        let file = Properties::parse(&format!("{}={}", escape(&key), escape(&value))).unwrap();
        prop_assert_eq!(file.get(&key), Some(value.as_str()));
    }
}
