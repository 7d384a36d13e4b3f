//! Scripts can do their work with the command line alone, and read its records as kcat's.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::peer::{self, Topic};
use crate::stage::{self, Stage};
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "command-line",
    promise: "topics, records and formats work from scripts, with exit codes, as with kcat",
    tell: |stage| Box::pin(tell(stage)),
};

/// All of kcat's letters but %R, whose bytes are no text.
const FORMAT: &str = "%t %p %o %k %K %s %S %T %h %%\\n";
const LINES: &str = "a:1\nb:two words\n:empty key\nno key\na:\ngr\u{fc}n:\u{20ac}\n";
const RECORDS: u32 = 6;

/// How the program ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.name("script");
    let on = async |arguments: &[&str], input: &str| {
        let servers = ["--bootstrap-servers", stage.bootstrap()];
        forebay(&[arguments, &servers].concat(), input).await
    };
    let create = ["topic", "create", &name, "--partitions", "1", "--set", "retention.ms=7200000"];
    done(on(&create, "").await?)?;
    let again = on(&create, "").await?;
    let told = again.code == Some(1) && again.stderr.contains("TOPIC_ALREADY_EXISTS");
    expect(told.into(), || format!("the same topic again: {:?} {}", again.code, again.stderr))?;

    let header = ["--header", "source=script", "--header", "empty="];
    let write = ["produce", &name, "--key-separator", ":"];
    done(on(&[&write[..], &header].concat(), LINES).await?)?;
    let count = RECORDS.to_string();
    let read = ["consume", &name, "--from", "beginning", "--max-messages", &count];
    let ours = done(on(&[&read[..], &["--format", FORMAT]].concat(), "").await?)?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let theirs = peer::kcat_as(topic, RECORDS, FORMAT).await?;
    expect((ours == theirs).into(), || format!("ours:\n{ours}\nkcat's:\n{theirs}"))?;

    done(on(&["topic", "alter", &name, "--set", "max.message.bytes=99999"], "").await?)?;
    let grow = on(&["topic", "alter", &name, "--partitions", "3"], "").await?;
    if !stage.broker().adds_partitions() {
        let told = grow.code == Some(1) && grow.stderr.contains("needs brokers from 1.0 on");
        expect(told.into(), || format!("partitions cannot be added: {}", grow.stderr))?;
    } else {
        done(grow)?;
    }
    let described = settled(async || done(on(&["topic", "describe", &name], "").await?)).await?;
    let kept = described.contains("retention.ms=7200000");
    expect(kept.into(), || format!("a setting did not stay: {described}"))?;
    done(on(&["topic", "delete", &name], "").await?)?;
    let gone = on(&["topic", "delete", &name], "").await?;
    expect((gone.code == Some(1)).into(), || format!("deleted twice: {}", gone.stdout))
}

/// The description once it shows what was altered; ZooKeeper brokers hear of it a moment later.
async fn settled(describe: impl AsyncFn() -> Result<String, Ending>) -> Result<String, Ending> {
    for _ in 0..50 {
        let described = describe().await?;
        if described.contains("max.message.bytes=99999") {
            return Ok(described);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(Ending::Broken("the altered setting is never told".to_owned()))
}

fn done(ended: Ended) -> Result<String, Ending> {
    let Ended { code, stdout, stderr } = ended;
    expect((code == Some(0)).into(), || format!("exit code {code:?}: {stderr}"))?;
    Ok(stdout)
}

/// Runs the program as users have it.
async fn forebay(arguments: &[&str], input: &str) -> Result<Ended, Ending> {
    let io = |source| Ending::Io { what: "forebay; build it first: cargo build", source };
    let mut command = Command::new(stage::beside("forebay"));
    command.args(arguments).env_remove("RUST_LOG").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(io)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Commands that read nothing may be gone already.
        drop(stdin.write_all(input.as_bytes()).await);
    }
    let output = child.wait_with_output().await.map_err(io)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    Ok(Ended { code: output.status.code(), stdout, stderr })
}
