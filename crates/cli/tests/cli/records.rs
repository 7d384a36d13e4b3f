//! Do topics, lines and records get there and back?

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
        let five = ["consume", "t", "--from", "beginning", "--group", "g", "--max-messages", "5"];
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
