//! A consumer: records of partitions through handlers, finished work committed.

pub(crate) mod control;
