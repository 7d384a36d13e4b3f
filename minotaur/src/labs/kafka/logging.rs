//! Where do Kafka's programs log to? To their own output, in the language of their logger.

use std::path::{Path, PathBuf};

use crate::versions::KafkaVersion;

/// A logger's configuration and the option that makes Java read it.
#[derive(Clone, Debug)]
pub(crate) struct Logging {
    pub(crate) file: PathBuf,
    pub(crate) content: String,
    pub(crate) option: String,
}

/// Everything from INFO on, to standard output: a server's log.
pub(crate) fn server(version: KafkaVersion, directory: &Path) -> Logging {
    logging(version, &directory.join("logging.properties"), "INFO", "SYSTEM_OUT")
}

/// Warnings only, and away from the tool's result.
pub(crate) fn tool(version: KafkaVersion, directory: &Path) -> Logging {
    logging(version, &directory.join("tool-logging.properties"), "WARN", "SYSTEM_ERR")
}

fn logging(version: KafkaVersion, file: &Path, level: &str, target: &str) -> Logging {
    let path = file.display();
    let (content, option) = if version.is_at_least(4, 0) {
        (log4j2(level, target), format!("-Dlog4j2.configurationFile={path}"))
    } else {
        let target = target.replace("SYSTEM_OUT", "System.out").replace("SYSTEM_ERR", "System.err");
        (log4j1(level, &target), format!("-Dlog4j.configuration=file:{path}"))
    };
    Logging { file: file.to_owned(), content, option }
}

fn log4j1(level: &str, target: &str) -> String {
    format!(
        "log4j.rootLogger={level}, out\n\
         log4j.appender.out=org.apache.log4j.ConsoleAppender\n\
         log4j.appender.out.target={target}\n\
         log4j.appender.out.layout=org.apache.log4j.PatternLayout\n\
         log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n\n"
    )
}

fn log4j2(level: &str, target: &str) -> String {
    format!(
        "status=error\n\
         appender.out.type=Console\n\
         appender.out.name=out\n\
         appender.out.target={target}\n\
         appender.out.layout.type=PatternLayout\n\
         appender.out.layout.pattern=[%d] %p %m (%c)%n\n\
         rootLogger.level={level}\n\
         rootLogger.appenderRef.out.ref=out\n"
    )
}
