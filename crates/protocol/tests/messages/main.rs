//! All generated messages against Kafka's own bytes, against another codec, and against damage.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod goldens;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod subject;
