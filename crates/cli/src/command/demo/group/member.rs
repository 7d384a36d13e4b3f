//! Who works? A real consumer whose handlers write down what they do.

use std::sync::Arc;

use forebay::config::ClientKind;
use forebay::{Consumer, ConsumerHandle, Context, OffsetReset, Record};
use forebay_histcheck::What;
use forebay_proxy::value_of;

use super::Scene;
use super::churn::Leaving;
use super::judge::Judge;
use crate::command::{connect, leftovers};
use crate::error::CliError;

/// A member of the group.
pub(super) struct Member {
    pub(super) name: String,
    handle: ConsumerHandle,
}

impl Member {
    /// Joins.
    pub(super) fn start(scene: &Scene<'_>, name: String) -> Result<Self, CliError> {
        let consumer = Consumer::builder()
            .properties(&connect::settings(&scene.servers, ClientKind::Consumer)?)
            .client_id(name.as_str())
            .group_id(scene.stage.group.as_str())
            .topics([scene.stage.topic.clone()])
            .auto_offset_reset(OffsetReset::Earliest)
            .workers(1)
            .budget_bytes(scene.options.budget_bytes)
            .drain_timeout(scene.around.shared.drain_timeout)
            .build()?;
        let handle = consumer.handle();
        let work = Work { member: name.clone(), judge: Arc::clone(&scene.judge) };
        let handler = move |record: Record, _: Context| {
            let run = Run::start(&work, &record);
            async move { run.end() }
        };
        // Its end is told by the handle.
        drop(tokio::spawn(consumer.run(handler)));
        Ok(Self { name, handle })
    }

    /// Leaves in good order, or by the deadline.
    pub(super) async fn leave(self, scene: &Scene<'_>) -> Leaving {
        let summary = self.handle.close(scene.around.shared.drain_timeout).await;
        leftovers::tell(&summary);
        if summary.is_clean() { Leaving::InOrder } else { Leaving::Late }
    }

    /// Dies: from one moment on nobody hears of it.
    pub(super) fn kill(self, scene: &Scene<'_>) {
        // First the wire: a commit that went out later would cover work that is not noted.
        scene.proxy.block(Some(&self.name), None);
        scene.judge.kill(&self.name);
        self.handle.shutdown(std::time::Duration::ZERO);
    }
}

#[derive(Clone)]
struct Work {
    member: String,
    judge: Arc<Judge>,
}

/// A handler at work; dropped before its end, it was given up.
struct Run {
    work: Work,
    tp: String,
    offset: i64,
    is_done: bool,
}

impl Run {
    fn start(work: &Work, record: &Record) -> Self {
        let (tp, offset) =
            (format!("{}-{}", record.topic(), record.partition()), record.offset().0);
        // A value that nobody wrote differs from what the log is told to hold.
        let value = record.value().and_then(value_of);
        let (key, seq) = value.unwrap_or((u64::MAX, u64::MAX));
        let (member, name) = (work.member.clone(), tp.clone());
        work.judge.hear(What::Started { member, tp: name, offset, key, seq });
        Self { work: work.clone(), tp, offset, is_done: false }
    }

    fn end(mut self) {
        self.is_done = true;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let (member, tp) = (self.work.member.clone(), std::mem::take(&mut self.tp));
        let offset = self.offset;
        self.work.judge.hear(match self.is_done {
            true => What::Done { member, tp, offset },
            false => What::GivenUp { member, tp, offset },
        });
    }
}
