//! Questions in versions that are the oldest, or none, and about the cluster.

use kafka_protocol::messages::{ApiVersionsRequest, DescribeClusterRequest};

use crate::side::{Side, text};

pub(crate) fn oldest(side: &mut Side) {
    for api in [10, 11, 12, 13, 14, 15, 16, 18, 28, 42, 47, 60, 68, 69] {
        let oldest = side.oldest(api);
        side.lines.push((format!("oldest version of API {api}"), oldest.to_string()));
    }
    for api in [11, 12, 13, 14, 15, 16, 28, 42, 47, 68, 69] {
        // Versions for transactions of KIP-890 stay out.
        let newest = if api == 28 { side.newest(api).min(4) } else { side.newest(api) };
        side.lines.push((format!("newest version of API {api}"), newest.to_string()));
    }
    for (what, version) in [("too new", 99), ("negative", -1)] {
        side.raw(&format!("versions, asked in one that is {what}"), (18, version));
        side.raw(&format!("metadata, asked in a version that is {what}"), (3, version));
    }
    side.raw("an API that is not", (999, 0));
    let named = |name: &str, version: &str| {
        ApiVersionsRequest::default()
            .with_client_software_name(text(name))
            .with_client_software_version(text(version))
    };
    side.raw("versions, the oldest", (18, 0));
    for (what, request) in [
        ("versions for one without a name", named("", "1")),
        ("versions for one with a strange name", named("a b", "1")),
        ("versions for one with a strange version", named("a", "-")),
        ("versions for one with a name", named("a.b-c", "1.0-x")),
    ] {
        side.error_of(what, 3, &request, |answer| answer.error_code);
    }
    let cluster =
        |kind, version| (DescribeClusterRequest::default().with_endpoint_type(kind), version);
    for (what, (request, version)) in [
        ("cluster", cluster(1, 2)),
        ("cluster v0", cluster(1, 0)),
        ("cluster of controllers", cluster(2, 1)),
        ("cluster of what is not", cluster(9, 1)),
    ] {
        side.note(what, version, &request);
    }
}
