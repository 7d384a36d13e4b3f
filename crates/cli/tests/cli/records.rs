//! Do topics, lines and records get there and back?

use std::time::Duration;

use serde_json::Value;

use crate::program::{Cluster, Ended, fed, forebay};

fn on(cluster: &Cluster, arguments: &[&str]) -> Ended {
    forebay(&[arguments, &["--bootstrap-servers", cluster.servers()]].concat())
}

fn done(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    &ended.stdout
}

#[test]
fn lines_become_records_and_records_become_lines() {
    let cluster = Cluster::with_records(1, 0);
    let to = ["produce", "t", "--key-separator", ":", "--compression", "zstd"];
    let servers = ["--bootstrap-servers", cluster.servers()];
    let written = fed(&[&to[..], &servers].concat(), b"a:1\nb:2:3\nno key\n\n\xff:\xfe");
    assert_eq!(done(&written), "5 records written\n");

    let read = ["consume", "t", "--from", "beginning", "--max-messages", "4"];
    assert_eq!(done(&on(&cluster, &read)), "1\n2:3\nno key\n\n");

    let read = ["consume", "t", "--from", "1", "--idle-timeout", "1s", "--output", "json"];
    let ended = on(&cluster, &read);
    let lines: Vec<Value> =
        done(&ended).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let offsets: Vec<_> = lines.iter().map(|line| line["offset"].as_i64().unwrap()).collect();
    assert_eq!(offsets, [1, 2, 3, 4]);
    assert_eq!((&lines[0]["key"], &lines[0]["value"]), (&"b".into(), &"2:3".into()));
    assert_eq!((&lines[1]["key"], &lines[1]["value"]), (&Value::Null, &"no key".into()));
    assert_eq!((&lines[3]["key"]["hex"], &lines[3]["value"]["hex"]), (&"ff".into(), &"fe".into()));
}

#[test]
fn a_group_goes_on_after_the_last_record_that_was_printed() {
    let cluster = Cluster::with_records(2, 0);
    let lines: String = (0..20).map(|number| format!("{number}\n")).collect();
    let servers = ["--bootstrap-servers", cluster.servers()];
    let to = ["produce", "t", "--partition", "1"];
    done(&fed(&[&to[..], &servers].concat(), lines.as_bytes()));
    let mut read = String::new();
    for _ in 0..4 {
        let five =
            ["consume", "t", "--from", "beginning", "--commit-as", "g", "--max-messages", "5"];
        read.push_str(done(&on(&cluster, &five)));
    }
    assert_eq!(read, lines);
    assert_eq!(cluster.committed("g", 2), 20);
}

#[test]
fn topics_are_created_shown_and_deleted() {
    let cluster = Cluster::with_records(1, 1);
    let create = ["topic", "create", "orders", "--partitions", "3"];
    assert_eq!(done(&on(&cluster, &create)), "");
    let listed = on(&cluster, &["topic", "list"]);
    assert_eq!(done(&listed), "TOPIC   PARTITIONS\norders  3\nt       1\n");
    let described = on(&cluster, &["topic", "describe", "orders", "--output", "json"]);
    let told: Value = serde_json::from_str(done(&described)).unwrap();
    assert_eq!(told["partitions"].as_array().unwrap().len(), 3);
    let again = on(&cluster, &create);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("TOPIC_ALREADY_EXISTS"), "{}", again.stderr);
    done(&on(&cluster, &["topic", "delete", "orders"]));
    assert_eq!(cluster.topics(), ["t"]);
    for command in [&["topic", "describe", "orders"][..], &["consume", "orders"]] {
        let ended = on(&cluster, command);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("topic orders does not exist"), "{}", ended.stderr);
    }
}

#[test]
fn files_are_written_with_headers_and_no_faster_than_asked_for() {
    let cluster = Cluster::with_records(1, 0);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two) = (file("one", "a\nb\n"), file("two", "c\nd\ne\nf"));
    let to = ["produce", "t", "--file", &one, "--file", &two, "--rate", "5"];
    let headers = ["--header", "source=import", "--header", "empty="];
    let ended = on(&cluster, &[&to[..], &headers].concat());
    assert_eq!(done(&ended), "6 records written\n");
    assert!(Duration::from_secs(1) <= ended.after, "{:?}", ended.after);
    let read = ["consume", "t", "--from", "beginning", "--max-messages", "6"];
    let read = on(&cluster, &[&read[..], &["--format", "%o %h %v|"]].concat());
    let lines: Vec<_> = done(&read).split_terminator('|').collect();
    assert_eq!(lines[0], "0 source=import,empty= a");
    assert_eq!(lines[5], "5 source=import,empty= f");

    let gone = on(&cluster, &["produce", "t", "--file", "/no/such/file"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("cannot read /no/such/file"), "{}", gone.stderr);
}

#[test]
fn records_are_printed_as_the_user_says() {
    let cluster = Cluster::with_records(1, 0);
    let servers = ["--bootstrap-servers", cluster.servers()];
    let to = ["produce", "t", "--key-separator", ":"];
    done(&fed(&[&to[..], &servers].concat(), b"k\xff:v1\nno key\n"));
    let read = |look: &[&str]| {
        let read = ["consume", "t", "--from", "beginning", "--max-messages", "2"];
        done(&on(&cluster, &[&read[..], look].concat())).to_owned()
    };
    assert_eq!(read(&["--output", "hex"]), "t-0@0 6bff 7631\nt-0@1 - 6e6f206b6579\n");
    assert_eq!(
        read(&["--format", "%t %p %o %K %S:%v\\x21%%\\n"]),
        "t 0 0 2 2:v1!%\nt 0 1 -1 6:no key!%\n"
    );
    let raw = read(&["--format", "%R%s"]);
    assert_eq!(raw.as_bytes(), b"\0\0\0\x02v1\0\0\0\x06no key");
    let json: Value =
        serde_json::from_str(read(&["--output", "json"]).lines().next().unwrap()).unwrap();
    assert_eq!(json["headers"], serde_json::json!([]));
}

#[test]
fn reading_begins_at_a_time_or_an_age() {
    let cluster = Cluster::with_records(2, 0);
    cluster.append_aged(Duration::from_secs(3_600), "old");
    cluster.append_aged(Duration::ZERO, "young");
    let read = |from: &str| {
        let read = ["consume", "t", "--idle-timeout", "2s", "--from", from];
        done(&on(&cluster, &read)).to_owned()
    };
    assert_eq!(read("30m"), "young\n");
    assert_eq!(read("2h"), "old\nyoung\n");
    assert_eq!(read("2020-01-01T00:00:00Z"), "old\nyoung\n");
    // Nothing is so young: the end.
    assert_eq!(read("2100-01-01T00:00:00Z"), "");
}

#[test]
fn a_property_file_is_taken_by_every_command_and_told_about() {
    let cluster = Cluster::with_records(1, 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.properties");
    let write = |text: &str| {
        std::fs::write(&path, format!("bootstrap.servers={}\n{text}", cluster.servers())).unwrap();
    };
    let with = |arguments: &[&str]| {
        let config = ["--config", path.to_str().unwrap()];
        fed(&[arguments, &config].concat(), b"line\n")
    };
    write("max.poll.records=5\ngroup.id=file\nacks=all\n");
    done(&with(&["topic", "create", "more"]));
    assert_eq!(done(&with(&["produce", "t"])), "1 records written\n");
    let read = with(&["consume", "t", "--from", "beginning", "--max-messages", "1"]);
    assert_eq!(done(&read), "line\n");
    assert!(read.stderr.contains("note: "), "{}", read.stderr);
    assert!(read.stderr.contains(":2: max.poll.records: there is no poll"), "{}", read.stderr);
    assert_eq!(cluster.committed("file", 1), 0, "nothing is committed unless it is asked for");
    let perf = ["perf", "consume", "--topic", "t", "--records", "1"];
    done(&with(&perf));
    done(&with(&["demo", "--records", "500", "--partitions", "2"]));
    assert_eq!(cluster.topics(), ["more", "t"]);

    write("security.protocol=SASL_SSL\n");
    for command in [&["topic", "list"][..], &["produce", "t"], &["consume", "t"], &perf] {
        let ended = with(command);
        assert_eq!(ended.code, Some(1), "{command:?}");
        assert!(
            ended.stderr.contains("client.properties:2: security.protocol"),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "");
    }
    write("fetch.min.byte=1\n");
    let ended = with(&["consume", "t"]);
    assert!(ended.stderr.contains("did you mean fetch.min.bytes?"), "{}", ended.stderr);
}

#[test]
fn topics_are_altered_and_several_deleted_at_once() {
    let cluster = Cluster::with_records(1, 0);
    done(&on(&cluster, &["topic", "create", "a", "--set", "retention.ms=60000"]));
    done(&on(&cluster, &["topic", "create", "b"]));
    let alter = ["topic", "alter", "a", "--partitions", "4", "--set", "max.message.bytes=9999"];
    assert_eq!(done(&on(&cluster, &[&alter[..], &["--unset", "retention.ms"]].concat())), "");
    let described = on(&cluster, &["topic", "describe", "a", "--output", "json"]);
    let told: Value = serde_json::from_str(done(&described)).unwrap();
    assert_eq!(told["partitions"].as_array().unwrap().len(), 4);
    assert_eq!(told["configs"], serde_json::json!({"max.message.bytes": "9999"}));
    let text = on(&cluster, &["topic", "describe", "a"]);
    assert!(done(&text).ends_with("max.message.bytes=9999\n"), "{}", text.stdout);

    for (arguments, told) in [
        (&["alter", "a", "--partitions", "2"][..], "INVALID_PARTITIONS"),
        (&["alter", "a", "--set", "retention.ms=soon"], "INVALID_CONFIG"),
        (&["alter", "none", "--set", "retention.ms=1"], "topic none does not exist"),
    ] {
        let ended = on(&cluster, &[&["topic"][..], arguments].concat());
        assert_eq!(ended.code, Some(1), "{arguments:?}");
        assert!(ended.stderr.contains(told), "{arguments:?}: {}", ended.stderr);
    }
    let ended = on(&cluster, &["topic", "delete", "a", "none", "b"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("topic none does not exist"), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 of 3 failed"), "{}", ended.stderr);
    assert_eq!(cluster.topics(), ["t"]);
}
