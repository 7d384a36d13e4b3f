"""A member of a group, with librdkafka by Confluent's package for Python, beside others.

    python3 member.py BOOTSTRAP TOPIC GROUP HOW CLIENT

HOW is "consumer" for the protocol of KIP-848, else names of classic assignors, apart by commas. Prints
"PARTITION OFFSET" for every record, commits what it printed, and leaves at SIGTERM.
"""

import signal
import sys

from confluent_kafka import Consumer, KafkaException

ends = False


def end(_signal, _frame):
    global ends
    ends = True


def commit(consumer, _partitions=None):
    """What was printed. Refused while a rebalance ends: then it is said again when partitions go."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException:
        pass


def main():
    bootstrap, topic, group, how, client = sys.argv[1:]
    signal.signal(signal.SIGTERM, end)
    config = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "client.id": client,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    if how == "consumer":
        config["group.protocol"] = "consumer"
    else:
        config["partition.assignment.strategy"] = how
        config["session.timeout.ms"] = 6000
        config["heartbeat.interval.ms"] = 500
    consumer = Consumer(config)
    consumer.subscribe([topic], on_revoke=commit)
    while not ends:
        records = [it for it in consumer.consume(500, 0.1) if it.error() is None]
        for record in records:
            print(record.partition(), record.offset())
        sys.stdout.flush()
        if records:
            commit(consumer)
    consumer.close()


main()
