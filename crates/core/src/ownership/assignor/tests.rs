//! Plans as Kafka's own assignors make them, and what every plan must be.
