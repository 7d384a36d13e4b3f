//! Planted violations: each must be seen, and its clean twin must not.

use serde_json::json;

use super::graph::Graph;
use super::*;

fn core(path: &str, text: &str) -> Source {
    Source::new(&format!("crates/core/src/{path}"), text)
}

#[test]
fn a_pillar_that_uses_a_pillar_is_found() {
    let bad = core("fetch.rs", "//! F.\nuse crate::offsets::Tracker;\n");
    assert_eq!(modules::problems(&bad).len(), 1);
    let good = core("fetch.rs", "//! F.\nuse crate::time::Instant;\n");
    assert_eq!(modules::problems(&good), Vec::<String>::new());
}

#[test]
fn grouped_and_relative_imports_are_arrows_too() {
    let grouped = core("fetch.rs", "//! F.\nuse crate::{time::Instant, work::{A, B}, shard};\n");
    assert_eq!(modules::problems(&grouped).len(), 2);
    let relative = core("fetch/lane.rs", "//! L.\nuse super::super::reservoir::Credit;\n");
    assert_eq!(modules::problems(&relative).len(), 1);
    let sibling = core("fetch/lane.rs", "//! L.\nuse super::reservoir::Credit;\n");
    assert_eq!(modules::problems(&sibling), Vec::<String>::new());
}

#[test]
fn comments_strings_and_tests_make_no_arrows() {
    let text = "//! F.\n// crate::work\nconst A: &str = \"crate::work\";\n\
                #[cfg(test)]\nmod tests {\n    use crate::work::W;\n}\n";
    assert_eq!(modules::problems(&core("fetch.rs", text)), Vec::<String>::new());
    let after = format!("{text}fn f() {{ crate::work::go() }}\n");
    assert_eq!(modules::problems(&core("fetch.rs", &after)).len(), 1);
}

#[test]
fn a_module_without_a_layer_is_found() {
    assert_eq!(modules::problems(&core("engine.rs", "//! E.\n")).len(), 1);
}

#[test]
fn a_file_without_its_question_is_found() {
    assert_eq!(files::problems(&core("time.rs", "use std::fmt;\n")).len(), 1);
    assert_eq!(files::problems(&core("time.rs", "//! What is now?\n")).len(), 0);
}

#[test]
fn a_long_file_is_found_unless_it_is_tests_or_a_table() {
    let long = "//! L.\n".to_owned() + &"fn f() {}\n".repeat(500);
    assert_eq!(files::problems(&core("time.rs", &long)).len(), 1);
    assert_eq!(files::problems(&core("time/tests.rs", &long)).len(), 0);
    let table = long.replace("//! L.", "//! Table. L.");
    assert_eq!(files::problems(&core("time.rs", &table)).len(), 0);
}

#[test]
fn names_that_say_nothing_are_found() {
    assert_eq!(files::problems(&core("fetch/mod.rs", "//! F.\n")).len(), 1);
    assert_eq!(files::problems(&core("utils.rs", "//! U.\n")).len(), 1);
    assert_eq!(files::problems(&core("common/x.rs", "//! U.\n")).len(), 1);
}

#[test]
fn a_root_that_does_not_forbid_unsafe_is_found() {
    assert!(files::unsafe_problem(&core("lib.rs", "//! C.\n")).is_some());
    assert!(files::unsafe_problem(&core("lib.rs", "//! #![forbid(unsafe_code)]\n")).is_some());
    assert!(files::unsafe_problem(&core("lib.rs", "//! C.\n#![forbid(unsafe_code)]\n")).is_none());
}

#[test]
fn forbidden_words_are_found_with_their_line() {
    let found = |line: &str| words::problems(&core("time.rs", &format!("//! T.\n{line}\n")));
    assert_eq!(found("see /home/me/notes").len(), 1);
    assert_eq!(found("// as issue #7 says").len(), 1);
    assert_eq!(found("// TODO faster").len(), 1);
    assert_eq!(found("// TODO(https://example.org/7): faster").len(), 0);
    assert_eq!(found("// KIP-227, KAFKA-3160; an issue of trust").len(), 0);
    assert!(found("dbg!(x)").concat().contains("time.rs:2"));
}

#[test]
fn lengths_of_functions_are_counted_from_signature_to_brace() {
    let code = "fn a() {}\nfn b<const N: usize>(x: [u8; 4]) -> [u8; N]\nwhere\n    u8: Copy,\n{\n    {\n    }\n}\n\
                trait T { fn c(&self); }\ntype F = fn (u8);\n";
    assert_eq!(functions::lengths_in(code), [1, 7]);
}

#[test]
fn a_crate_of_long_functions_is_found() {
    let long = format!("//! L.\n{}", format!("fn f() {{\n{}}}\n", "x;\n".repeat(30)).repeat(20));
    assert_eq!(functions::problems(&[core("time.rs", &long)]).len(), 1);
    let short = format!("//! S.\n{}", "fn f() {\n}\n".repeat(20));
    assert_eq!(functions::problems(&[core("time.rs", &short)]).len(), 0);
}

#[test]
fn masking_keeps_lines_and_code_and_nothing_else() {
    let text = "let a = 'x'; let b = \"y\\\"z\"; // c\nlet r = r#\"q \"w\"#; fn f<'a>() {} /* /* n */ */ b'\\''";
    let masked = masked::mask(text);
    assert_eq!(masked.len(), text.len());
    assert_eq!(masked.lines().count(), 2);
    assert!(masked.contains("fn f<'a>() {}"));
    for gone in ["x", "y", "z", "// c", "q", "w", "n */"] {
        assert!(!masked.contains(gone), "{gone} in {masked}");
    }
}

#[test]
fn licences_are_read_as_expressions() {
    for good in ["MIT", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "GPL-2.0 OR ISC"] {
        assert!(licence::fits(good), "{good}");
    }
    assert!(licence::fits("Apache-2.0 WITH LLVM-exception"));
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT MIT", "MPL-2.0"] {
        assert!(!licence::fits(bad), "{bad}");
    }
}

/// A graph as `cargo metadata` prints it: the product with `dependency` in it.
fn graph(dependency: &serde_json::Value) -> Graph {
    let name = dependency.get("name").cloned().unwrap_or_default();
    let product = json!({"id": "p", "name": "forebay", "license": "Apache-2.0", "source": null,
        "dependencies": [{"name": name, "kind": null}], "targets": []});
    Graph::from_metadata(&json!({"packages": [product, dependency], "resolve": {"nodes": [
        {"id": "p", "deps": [{"pkg": "d", "dep_kinds": [{"kind": null}]}]},
        {"id": "d", "deps": []},
    ]}}))
}

const REGISTRY: &str = "registry+https://example.org";

#[test]
fn c_in_the_product_is_found_wherever_it_hides() {
    let builds = |name: &str| {
        graph(&json!({"id": "d", "name": name, "license": "MIT", "source": REGISTRY,
            "dependencies": [{"name": "cc", "kind": "build"}], "targets": []}))
    };
    assert_eq!(graph::problems(&builds("openssl-sys")).len(), 1);
    assert_eq!(graph::problems(&builds("zstd-sys")).len(), 0);
}

#[test]
fn a_source_that_is_no_registry_is_found() {
    let from_git = json!({"id": "d", "name": "x", "license": "MIT",
        "source": "git+https://example.org/x", "dependencies": [], "targets": []});
    assert_eq!(graph::problems(&graph(&from_git)).len(), 1);
}

#[test]
fn an_arrow_against_the_line_is_found() {
    let packages = |name: &str, uses: &str, kind: Option<&str>| {
        let package = |name: &str, dependencies: serde_json::Value| {
            json!({"id": name, "name": name, "license": "MIT", "source": null,
                "dependencies": dependencies, "targets": []})
        };
        Graph::from_metadata(&json!({"packages": [
            package(name, json!([{"name": uses, "kind": kind}])),
            package("forebay-broker", json!([])), package("forebay-core", json!([])),
        ]}))
    };
    assert_eq!(arrows::problems(&packages("forebay", "forebay-broker", None)).len(), 1);
    assert_eq!(arrows::problems(&packages("forebay", "forebay-broker", Some("dev"))).len(), 0);
    assert_eq!(arrows::problems(&packages("forebay-cli", "forebay-core", None)).len(), 1);
    assert_eq!(arrows::problems(&packages("forebay-protocol", "tokio", None)).len(), 1);
    assert_eq!(arrows::problems(&packages("newcomer", "bytes", None)).len(), 1);
}

#[test]
fn a_row_of_the_error_table_needs_a_test_that_exists() {
    let head = "# Errors\n\n| input | answer | test |\n|---|---|---|\n";
    let test = core(
        "fetch/tests.rs",
        "//! T.\n#[test]\nfn it_is_refused() {}\n\nfn no_test() {}\n\n    #[tokio::test]\n    async fn it_waits() {}\n",
    );
    let check = |row: &str| {
        let table = Source::new("docs/errors.md", &format!("{head}{row}\n"));
        errors::problems(&[table], std::slice::from_ref(&test)).len()
    };
    assert_eq!(check("| a | b | `core::it_is_refused` |"), 0);
    assert_eq!(check("| a | b | `core::it_is_refused` `core::it_waits` |"), 0);
    assert_eq!(check("| a | b | `core::it_is_missing` |"), 1);
    assert_eq!(check("| a | b | `client::it_is_refused` |"), 1);
    assert_eq!(check("| a | b | `core::no_test` |"), 1);
    assert_eq!(check("| a | b | c |"), 1);
    assert_eq!(check("| a | b |"), 1);
    assert_eq!(errors::problems(&[], &[]).len(), 1);
}

#[test]
fn the_error_table_speaks_of_every_error_that_a_user_can_see() {
    let table =
        Source::new("docs/errors.md", "| a | `Error::Closed`, `Panic` | c |\n|---|---|---|\n");
    let of = |path: &str, text: &str| {
        errors::problems(std::slice::from_ref(&table), &[Source::new(path, text)])
    };
    let client = "crates/client/src/error.rs";
    let body =
        "pub enum Error {\n    /// A.\n    Closed,\n    Late {\n        at: u8,\n    },\n}\n";
    let derived = format!("#[derive(Debug, Error)]\n{body}");
    assert_eq!(of(client, &derived), ["docs/errors.md: no row speaks of `Error::Late`"]);
    assert!(of(client, &format!("#[derive(Debug)]\n{body}")).is_empty());
    assert!(of("crates/core/src/x.rs", &derived).is_empty());
    let renamed = of("crates/core/src/orders.rs", &derived);
    assert_eq!(renamed.len(), 2, "under the name that users know: {renamed:?}");
    assert!(of(client, "#[derive(Debug, Error)]\npub struct Panic(String);\n").is_empty());
}
