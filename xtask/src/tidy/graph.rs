//! What does cargo know of our packages and of all they pull in?

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::command::{cargo, output_of};
use crate::fault::Fault;
use crate::layers::{C_BUILDERS, MAY_BUILD_C, PRODUCT};

/// Kind of a dependency.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// Compiled into the package.
    Normal,
    /// Used by its tests.
    Test,
    /// Used by its build script.
    Build,
}

/// One package, ours or not.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) licence: String,
    /// `None` for packages of the workspace.
    pub(crate) source: Option<String>,
    /// What its manifest names.
    pub(crate) wants: Vec<(String, Kind)>,
    /// Roots of its library and programs, absolute.
    pub(crate) roots: Vec<String>,
    /// What was resolved: ids.
    pub(crate) uses: Vec<(String, Kind)>,
}

/// All packages by id.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) packages: BTreeMap<String, Package>,
}

pub(crate) fn read(root: &Path) -> Result<Graph, Fault> {
    let mut command = cargo();
    command.current_dir(root).args(["metadata", "--format-version", "1", "--all-features"]);
    let text = output_of(&mut command)?;
    let value = serde_json::from_str(&text)
        .map_err(|source| Fault::Json { what: "cargo metadata", source })?;
    Ok(Graph::from_metadata(&value))
}

impl Graph {
    pub(crate) fn from_metadata(value: &Value) -> Self {
        let mut graph = Self::default();
        for package in list(value, "packages") {
            graph.packages.insert(text(package, "id"), Package::from_metadata(package));
        }
        for node in list(value.get("resolve").unwrap_or(&Value::Null), "nodes") {
            if let Some(package) = graph.packages.get_mut(&text(node, "id")) {
                package.uses = list(node, "deps").flat_map(edges).collect();
            }
        }
        graph
    }

    /// Our own packages.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.source.is_none())
    }

    /// Roots of our crates, from the workspace's root.
    pub(crate) fn crate_roots(&self, root: &Path) -> Vec<String> {
        let roots = self.ours().flat_map(|package| package.roots.iter());
        let relative = |path: &String| {
            let path = Path::new(path).strip_prefix(root).ok()?;
            Some(path.to_string_lossy().replace('\\', "/"))
        };
        roots.filter_map(relative).collect()
    }

    /// Ids of the product's packages and of all that is built for them.
    fn product(&self) -> BTreeSet<&str> {
        let named = |id: &&String| {
            self.packages.get(*id).is_some_and(|package| {
                package.source.is_none() && PRODUCT.contains(&package.name.as_str())
            })
        };
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&str> = self.packages.keys().filter(named).map(|id| &**id).collect();
        while let Some(id) = waiting.pop() {
            if seen.insert(id) {
                let uses = self.packages.get(id).map_or(&[][..], |package| &package.uses);
                let built = uses.iter().filter(|(_, kind)| *kind != Kind::Test);
                waiting.extend(built.map(|(id, _)| id.as_str()));
            }
        }
        seen
    }
}

impl Package {
    fn from_metadata(package: &Value) -> Self {
        let roots = list(package, "targets").filter(|target| {
            list(target, "kind").any(|kind| matches!(kind.as_str(), Some("lib" | "bin")))
        });
        Self {
            name: text(package, "name"),
            licence: text(package, "license"),
            source: package.get("source").and_then(Value::as_str).map(str::to_owned),
            wants: list(package, "dependencies").map(|d| (text(d, "name"), kind(d))).collect(),
            roots: roots.map(|target| text(target, "src_path")).collect(),
            uses: Vec::new(),
        }
    }
}

/// Sources other than a registry, and C where none may be.
pub(crate) fn problems(graph: &Graph) -> Vec<String> {
    let mut problems: Vec<String> = graph.packages.values().filter_map(foreign_source).collect();
    let product = graph.product();
    let built = product.iter().filter_map(|id| graph.packages.get(*id));
    problems.extend(built.filter_map(builds_c));
    problems
}

fn foreign_source(package: &Package) -> Option<String> {
    let source = package.source.as_deref()?;
    let registry = source.starts_with("registry+") || source.starts_with("sparse+");
    (!registry).then(|| format!("{}: comes from {source}; only a registry may be", package.name))
}

fn builds_c(package: &Package) -> Option<String> {
    let builder = package
        .wants
        .iter()
        .find(|(name, kind)| *kind == Kind::Build && C_BUILDERS.contains(&name.as_str()))?;
    let allowed = MAY_BUILD_C.contains(&package.name.as_str());
    (!allowed).then(|| {
        format!("{}: builds with {}; the product compiles no C but zstd", package.name, builder.0)
    })
}

fn edges(dep: &Value) -> Vec<(String, Kind)> {
    list(dep, "dep_kinds").map(|edge| (text(dep, "pkg"), kind(edge))).collect()
}

fn kind(value: &Value) -> Kind {
    match value.get("kind").and_then(Value::as_str) {
        Some("dev") => Kind::Test,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
