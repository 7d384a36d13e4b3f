//! What goes wrong before anything runs.

use forebay::runtime::Placement;
use forebay::{Consumer, Error, Properties, PropertyError};

#[test]
fn a_plane_of_the_caller_outside_of_a_runtime_is_an_error() {
    let builder = Consumer::builder().bootstrap_servers("localhost:9092").assign([("t", 0)]);
    let error = builder.placement(Placement::Caller).build().unwrap_err();
    assert!(matches!(error, Error::Start { .. }), "{error}");
    assert!(error.to_string().starts_with("cannot start"), "{error}");
}

#[test]
fn a_property_file_that_is_not_there_is_named() {
    let error = Properties::read("no/such.properties").unwrap_err();
    assert!(matches!(error, PropertyError::Read { .. }), "{error}");
    assert!(error.to_string().contains("no/such.properties"), "{error}");
}
