"""Writes to a topic with every codec, and with "txn" in transactions, of which every other one is aborted."""
import sys

from confluent_kafka import Producer

bootstrap, topic, how = sys.argv[1:]
base = 1700000000000
for n, codec in enumerate(["none", "gzip", "snappy", "lz4", "zstd"]):
    config = {"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 50, "enable.idempotence": True, "batch.num.messages": 50}
    if how == "txn":
        config["transactional.id"] = topic + codec
    producer = Producer(config)
    if how == "txn":
        producer.init_transactions(30)
    for turn in range(4):
        if how == "txn":
            producer.begin_transaction()
        for i in range(50):
            producer.produce(topic, partition=i % 2, key="k%d" % i, value="%s %d %d %s" % (codec, turn, i, "v" * i), headers={"turn": str(turn)},
                             timestamp=base + n * 10000 + turn * 1000 + i)
        assert producer.flush(30) == 0
        if how == "txn" and turn % 2:
            producer.abort_transaction(30)
        elif how == "txn":
            producer.commit_transaction(30)
print("all is well")
