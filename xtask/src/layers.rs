//! Table. Which module may use which, and which crate which? The only place where layers are
//! written.

/// A crate's modules, from the ground up: a module may use modules of earlier rows only.
pub(crate) struct Layers {
    /// The folder of the crate, from the workspace's root.
    pub(crate) folder: &'static str,
    /// Rows of top-level modules; those of one row do not know each other.
    pub(crate) rows: &'static [&'static [&'static str]],
}

/// The crates whose modules have an order.
pub(crate) const MODULES: &[Layers] = &[
    Layers {
        folder: "crates/protocol",
        rows: &[
            &["types", "decode"],
            &["wire", "error_code"],
            &["api"],
            &["messages"],
            &["frame", "records", "group"],
            &["request"],
            &["response", "fetch_stream"],
        ],
    },
    Layers {
        folder: "crates/core",
        rows: &[
            &["time", "rng", "fence", "slot", "invariant", "mutant"],
            &["orders", "backoff"],
            &["run"],
            &["auth"],
            &["connection"],
            &["cluster"],
            // The pillars and the reservoir: they do not know each other.
            &["ownership", "fetch", "reservoir", "work", "offsets", "producer"],
            // The routers: they know the pillars and decide nothing.
            &["consumer", "shard"],
            &["mirror", "swap"],
        ],
    },
    Layers {
        folder: "crates/client",
        rows: &[
            &["config"],
            &["error", "metrics"],
            &["events", "runtime"],
            &["link", "budget"],
            &["driver"],
            &["net"],
            &["cluster"],
            &["consumer", "producer"],
            &["admin"],
            &["mirror", "swap"],
        ],
    },
];

/// A crate of the workspace and the crates it may know.
pub(crate) struct Arrows {
    /// The package.
    pub(crate) package: &'static str,
    /// Our own packages that it may use.
    pub(crate) ours: &'static [&'static str],
    /// Our own packages that only its tests may use.
    pub(crate) ours_in_tests: &'static [&'static str],
    /// What it may not use at all, since its nature forbids it.
    pub(crate) never: &'static [&'static str],
}

/// The line of crates. A package that is missing here is a problem.
pub(crate) const CRATES: &[Arrows] = &[
    Arrows {
        package: "forebay-protocol",
        ours: &[],
        ours_in_tests: &[],
        never: &["tokio", "tracing", "fastrand"],
    },
    Arrows {
        package: "forebay-core",
        ours: &["forebay-protocol"],
        ours_in_tests: &[],
        never: &["tokio", "socket2", "rustix", "futures-core", "lz4_flex", "zstd-safe", "snap"],
    },
    Arrows {
        package: "forebay",
        ours: &["forebay-core", "forebay-protocol"],
        ours_in_tests: &["forebay-broker"],
        never: &["kafka-protocol"],
    },
    Arrows {
        package: "forebay-broker",
        ours: &["forebay-protocol"],
        ours_in_tests: &["minotaur"],
        // A fake must not share the client's mistakes.
        never: &["forebay", "forebay-core"],
    },
    Arrows {
        package: "forebay-cli",
        // The demo of a group is judged by what passes on the wire.
        ours: &["forebay", "forebay-broker", "forebay-histcheck", "forebay-proxy"],
        ours_in_tests: &[],
        never: &["forebay-core"],
    },
    Arrows {
        package: "forebay-stories",
        // Who owns what in a group of all clients is heard on the wire.
        ours: &["forebay", "forebay-broker", "forebay-histcheck", "forebay-proxy"],
        ours_in_tests: &[],
        never: &["forebay-core"],
    },
    Arrows {
        package: "forebay-histcheck",
        // A judge knows nobody.
        ours: &[],
        ours_in_tests: &[],
        never: &["tokio"],
    },
    Arrows {
        package: "forebay-proxy",
        // It reads what passes, and knows neither side.
        ours: &["forebay-histcheck", "forebay-protocol"],
        ours_in_tests: &["forebay", "forebay-broker"],
        never: &["forebay-core"],
    },
    Arrows {
        package: "forebay-sim",
        // The codec: commits are read off the wire.
        ours: &["forebay", "forebay-broker", "forebay-histcheck", "forebay-protocol"],
        ours_in_tests: &[],
        never: &["forebay-core"],
    },
    Arrows {
        package: "forebay-chaos",
        ours: &["forebay", "forebay-histcheck", "forebay-proxy", "minotaur"],
        ours_in_tests: &[],
        never: &["forebay-core"],
    },
    Arrows {
        package: "minotaur",
        ours: &["forebay"],
        ours_in_tests: &["forebay-broker"],
        never: &["forebay-core"],
    },
    Arrows {
        package: "forebay-bench",
        ours: &["forebay", "forebay-protocol"],
        ours_in_tests: &[],
        never: &["forebay-core"],
    },
    Arrows { package: "xtask", ours: &[], ours_in_tests: &[], never: &["tokio"] },
];

/// What users build: these packages and all they pull in, tests apart.
pub(crate) const PRODUCT: &[&str] = &["forebay", "forebay-broker", "forebay-cli"];

/// Packages of the product that may compile C, each with a reason to be.
pub(crate) const MAY_BUILD_C: &[&str] = &[
    // zstd has no complete encoder in Rust.
    "zstd-sys",
];

/// Crates whose presence among build dependencies means that C is compiled or looked for.
pub(crate) const C_BUILDERS: &[&str] = &["cc", "cmake", "bindgen", "pkg-config", "vcpkg"];

/// Licences that fit Apache-2.0.
pub(crate) const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
