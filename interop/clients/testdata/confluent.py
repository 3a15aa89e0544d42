"""confluent-kafka: librdkafka with its administration and two members of a group."""
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, ResourceType

bootstrap, topic = sys.argv[1:]
group = topic + ".g"
admin = AdminClient({"bootstrap.servers": bootstrap})


def done(futures):
    return {k: f.result(30) for k, f in futures.items()}


done(admin.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "86400000"})]))
try:
    done(admin.create_topics([NewTopic(topic, 2, 1)]))
    raise SystemExit("created twice")
except Exception as e:
    assert e.args[0].name() == "TOPIC_ALREADY_EXISTS", e
done(admin.create_partitions([NewPartitions(topic, 4)]))
resource = ConfigResource(ResourceType.TOPIC, topic)
assert list(done(admin.describe_configs([resource])).values())[0]["retention.ms"].value == "86400000"

for _ in range(100):
    if len(admin.list_topics(topic, 10).topics[topic].partitions) == 4:
        break
    admin.poll(0.1)
sent = {}


def delivered(err, m):
    assert err is None, err
    sent[(m.partition(), m.offset())] = m.value()


for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "linger.ms": 20, "topic.metadata.refresh.interval.ms": 1000})
    for i in range(200):
        producer.produce(topic, key="k%d" % i, value="%s %d %s" % (codec, i, "x" * i), headers={"h": codec}, on_delivery=delivered)
        producer.poll(0)
    assert producer.flush(30) == 0
assert len(sent) == 1000, len(sent)

members = [Consumer({"bootstrap.servers": bootstrap, "group.id": group, "client.id": "m%d" % i, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                     "partition.assignment.strategy": "cooperative-sticky"}) for i in range(2)]
for m in members:
    m.subscribe([topic])
got = {}
deadline = time.monotonic() + 60
while time.monotonic() < deadline and (len(got) < 1000 or any(len(m.assignment()) != 2 for m in members)):
    for m in members:
        for r in m.consume(100, 0.1):
            assert r.error() is None, r.error()
            got[(r.partition(), r.offset())] = r.value()
assert got == sent, (len(got), len(sent))
assert [len(m.assignment()) for m in members] == [2, 2], [m.assignment() for m in members]
described = list(done(admin.describe_consumer_groups([group])).values())[0]
assert described.state.name == "STABLE" and len(described.members) == 2, (described.state, described.members)
for m in members:
    m.commit(offsets=[TopicPartition(topic, a.partition, sum(1 for p, _ in got if p == a.partition)) for a in m.assignment()], asynchronous=False)
for m in members:
    m.close()
parts = [TopicPartition(topic, p) for p in range(4)]
offsets = list(done(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, parts)])).values())[0].topic_partitions
assert sum(p.offset for p in offsets) == 1000, offsets
done(admin.delete_consumer_groups([group]))
low = list(done(admin.delete_records([TopicPartition(topic, 0, 5)])).values())[0].low_watermark
assert low == 5, low
done(admin.delete_topics([topic]))
print("all is well")
