"""kafka-python: an implementation of the protocol of its own."""
import sys
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

bootstrap, topic = sys.argv[1:]
sent = {}
for codec in [None, "gzip"]:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type=codec, linger_ms=5)
    futures = []
    for i in range(200):
        key, value = b"k%d" % (i % 10), b"%s value %d" % (str(codec).encode(), i)
        futures.append((value, producer.send(topic, key=key, value=value, headers=[("n", b"%d" % i)], timestamp_ms=1700000000000 + i)))
    producer.flush(30)
    for value, f in futures:
        m = f.get(timeout=30)
        sent[(m.partition, m.offset)] = value
    producer.close()
assert len(sent) == 400, len(sent)

consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=topic + ".g", auto_offset_reset="earliest", enable_auto_commit=False)
got = {}
deadline = time.monotonic() + 60
while len(got) < 400 and time.monotonic() < deadline:
    for tp, records in consumer.poll(timeout_ms=500).items():
        for r in records:
            got[(r.partition, r.offset)] = r.value
            assert dict(r.headers)["n"] == r.value.split()[-1], r
            assert r.timestamp == 1700000000000 + int(r.value.split()[-1]), r
assert got == sent, (len(got), len(sent))
consumer.commit()
tp = TopicPartition(topic, 0)
assert consumer.end_offsets([tp])[tp] == sum(1 for p, _ in sent if p == 0)
assert consumer.beginning_offsets([tp])[tp] == 0
found = consumer.offsets_for_times({tp: 1700000000000 + 100})[tp]
assert found.timestamp >= 1700000000100, found
committed = {p: consumer.committed(TopicPartition(topic, p)) for p in consumer.partitions_for_topic(topic)}
assert sum(v or 0 for v in committed.values()) == 400, committed
consumer.close()
print("all is well")
