# Which bytes does librdkafka write for a batch of records, in every codec?
# Run with the package confluent-kafka; prints NAME HEX. librdkafka's own mock broker keeps what
# was produced as it came, and a Fetch by hand gets it back. What the records say is a formula.

import socket
import struct
import sys

from confluent_kafka import Producer

TIME = 1_700_000_000_000


def value(at, size):
    if at % 5 == 4:
        return None
    piece = f"value {at} of {size}; "
    return (piece * (size // len(piece) + 1))[:size].encode()


def headers(at):
    if at % 2 == 0:
        return None
    return [("größe", bytes([at % 256, 0xFF])), ("größe", None), ("h", b"")]


def produce(name, codec, count, size, extra):
    config = {
        "test.mock.num.brokers": 1,
        "compression.codec": codec,
        "linger.ms": 2_000,
        "acks": "all",
        **extra,
    }
    producer = Producer(config)
    metadata = producer.list_topics("goldens", timeout=10)
    broker = next(iter(metadata.brokers.values()))
    for at in range(count):
        key = None if at % 3 == 0 else f"key-{at}".encode()
        producer.produce("goldens", value(at, size), key, 0, timestamp=TIME + 7 * at - at % 4, headers=headers(at))
    assert producer.flush(20) == 0
    print(name, fetch(broker.host, broker.port).hex())


def fetch(host, port):
    """The records of partition 0 of the topic `goldens`, by Fetch v4."""
    topic = struct.pack(">h7s", 7, b"goldens")
    body = struct.pack(">iiiibi", -1, 1_000, 1, 1 << 24, 0, 1) + topic
    body += struct.pack(">iiqi", 1, 0, 0, 1 << 24)
    request = struct.pack(">hhih", 1, 4, 1, -1) + body
    with socket.create_connection((host, port)) as broker:
        broker.sendall(struct.pack(">i", len(request)) + request)
        answer = read(broker, struct.unpack(">i", read(broker, 4))[0])
    # correlation, throttle, topics, name, partitions, partition, error, two offsets, aborted
    at = 4 + 4 + 4 + 2 + 7 + 4 + 4 + 2 + 8 + 8
    aborted, at = struct.unpack_from(">i", answer, at)[0], at + 4
    at += 16 * max(aborted, 0)
    size = struct.unpack_from(">i", answer, at)[0]
    return answer[at + 4 : at + 4 + size]


def read(broker, size):
    data = b""
    while len(data) < size:
        piece = broker.recv(size - len(data))
        if not piece:
            sys.exit("the mock broker closed the connection")
        data += piece
    return data


for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
    produce(f"small-{codec}", codec, 20, 40, {"enable.idempotence": codec == "gzip"})
    if codec != "none":
        produce(f"large-{codec}", codec, 400, 600, {})
