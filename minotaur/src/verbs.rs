//! What does each verb do?

use std::env;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use minotaur::{Cluster, Lab, LabError, LabSpec, Node, PROMISED, SpecError, System};
use thiserror::Error;

use crate::args::{Arguments, Down, Exec, Fetch, Format, Logs, Target, Up, Verb, Watch};
use crate::output;

/// How often a watcher looks whether its process lives.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Why a verb did not do its work.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("could not write the result: {0}")]
    Output(#[from] io::Error),
    #[error("{class} ended with exit code {code}")]
    Tool { class: String, code: u8 },
    #[error("not every version can be started here; the lines above say what is missing")]
    Unwell,
}

/// Does what was typed.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let lab = Lab::from_env()?.narrate(say);
    let format = arguments.output;
    match arguments.verb {
        Verb::Up(up) => start_cluster(&lab, format, up).await,
        Verb::Status => status(&lab, format),
        Verb::Logs(logs) => show_logs(&lab, format, &logs),
        Verb::Down(down) => remove(&lab, &down),
        Verb::Fetch(fetch) => fetch_versions(&lab, fetch).await,
        Verb::Exec(exec) => execute(&lab, exec).await,
        Verb::Doctor => doctor(&lab, format).await,
        Verb::Watch(watch) => watch_owner(&lab, &watch).await,
        Verb::Kill(target) => on_node(&lab, format, Action::Kill, target).await,
        Verb::Stop(target) => on_node(&lab, format, Action::Stop, target).await,
        Verb::Start(target) => on_node(&lab, format, Action::Start, target).await,
        Verb::Pause(target) => on_node(&lab, format, Action::Pause, target).await,
        Verb::Resume(target) => on_node(&lab, format, Action::Resume, target).await,
    }
}

/// Progress goes where it does not disturb the result.
fn say(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Kill,
    Stop,
    Start,
    Pause,
    Resume,
}

async fn start_cluster(lab: &Lab, format: Format, up: Up) -> Result<(), Failure> {
    let owner = up.while_pid;
    let spec: LabSpec = up.spec()?;
    let started = Instant::now();
    let cluster = lab.up(&spec).await?;
    let (name, took) = (cluster.name().to_owned(), started.elapsed());
    say(&format!("{name} is ready after {took:.2?}; `minotaur down {name}` removes it"));
    output::bootstrap(format, &cluster)?;
    cluster.release(owner)?;
    match owner {
        Some(owner) => start_watcher(&name, owner),
        None => Ok(()),
    }
}

/// A program of its own, since this one ends now.
fn start_watcher(name: &str, owner: i32) -> Result<(), Failure> {
    let program = env::current_exe()?;
    let spawned = Command::new(program)
        .args(["watch", name, &owner.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    spawned.map(|_| ()).map_err(Failure::Output)
}

async fn watch_owner(lab: &Lab, watch: &Watch) -> Result<(), Failure> {
    let is_ours = |cluster: &Cluster| cluster.owner() == Some(watch.owner);
    // The name may go to another cluster meanwhile.
    while lab.find(&watch.name).is_ok_and(|found| is_ours(&found) && !found.is_left_over()) {
        tokio::time::sleep(WATCH_EVERY).await;
    }
    lab.sweep()?;
    Ok(())
}

fn status(lab: &Lab, format: Format) -> Result<(), Failure> {
    lab.sweep()?;
    Ok(output::status(format, &lab.clusters()?)?)
}

fn show_logs(lab: &Lab, format: Format, logs: &Logs) -> Result<(), Failure> {
    let cluster = lab.find(&logs.name)?;
    let nodes = logs.node.map_or_else(|| cluster.nodes(), |node| vec![node]);
    let mut texts: Vec<(Node, String)> = Vec::new();
    for node in nodes {
        let whole = cluster.read_log(node)?;
        let text = logs.lines.map(|lines| cluster.log_tail(node, lines)).unwrap_or(whole);
        texts.push((node, text));
    }
    Ok(output::logs(format, &texts)?)
}

fn remove(lab: &Lab, down: &Down) -> Result<(), Failure> {
    let clusters = match &down.name {
        Some(name) => vec![lab.find(name)?],
        None => lab.clusters()?,
    };
    for cluster in clusters {
        let name = cluster.name().to_owned();
        cluster.down()?;
        say(&format!("{name} is removed"));
    }
    lab.sweep()?;
    Ok(())
}

async fn fetch_versions(lab: &Lab, fetch: Fetch) -> Result<(), Failure> {
    let mut systems = fetch.systems;
    if systems.is_empty() {
        for version in PROMISED {
            systems.push(format!("kafka@{version}").parse::<System>()?);
        }
    }
    for system in systems {
        lab.fetch(system).await?;
        say(&format!("kafka@{} is ready to start", system.version));
    }
    Ok(())
}

async fn execute(lab: &Lab, exec: Exec) -> Result<(), Failure> {
    let cluster = lab.find(&exec.name)?;
    let mut command = lab.tool(cluster.version(), &exec.class).await?;
    let zookeeper = cluster.zookeeper().unwrap_or_default();
    for argument in &exec.arguments {
        let argument = argument.replace("{bootstrap}", &cluster.bootstrap_servers());
        command.arg(argument.replace("{zookeeper}", &zookeeper));
    }
    let mut command = tokio::process::Command::from(command);
    let status = command.kill_on_drop(true).status().await?;
    match status.code().map(u8::try_from) {
        Some(Ok(0)) => Ok(()),
        Some(Ok(code)) => Err(Failure::Tool { class: exec.class, code }),
        Some(Err(_)) | None => Err(Failure::Tool { class: exec.class, code: 1 }),
    }
}

async fn doctor(lab: &Lab, format: Format) -> Result<(), Failure> {
    let report = lab.doctor().await;
    output::report(format, &report)?;
    if report.is_well() { Ok(()) } else { Err(Failure::Unwell) }
}

async fn on_node(lab: &Lab, format: Format, action: Action, target: Target) -> Result<(), Failure> {
    let mut cluster = lab.find(&target.name)?;
    let node = target.node;
    match action {
        Action::Kill => cluster.kill(node).await?,
        Action::Stop => cluster.stop(node).await?,
        Action::Start => cluster.start(node).await?,
        Action::Pause => cluster.freeze(node).await?,
        Action::Resume => cluster.thaw(node).await?,
    }
    Ok(output::done(format, &cluster)?)
}
