"""librdkafka's mock cluster of three brokers, and a consumer that writes down what is stored.

Arguments: the port, which is not used since the brokers choose theirs, and the topic.
Prints `ready` once it serves, then a line of JSON with the brokers' addresses, then one for each record.
"""

import json
import sys

from confluent_kafka import Consumer, TopicPartition


def main():
    topic = sys.argv[-1]
    consumer = Consumer(
        {
            "bootstrap.servers": "mock",
            "group.id": "tests",
            "test.mock.num.brokers": 3,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "check.crcs": True,
            "allow.auto.create.topics": True,
        }
    )
    brokers = consumer.list_topics(timeout=20).brokers.values()
    partitions = {}
    while not partitions:
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    print("ready", flush=True)
    print(json.dumps({"brokers": ",".join(f"{broker.host}:{broker.port}" for broker in brokers)}), flush=True)
    while True:
        record = consumer.poll(1)
        if record is None:
            continue
        if record.error():
            print(f"error: {record.error()}", file=sys.stderr, flush=True)
            continue
        line = {
            "partition": record.partition(),
            "offset": record.offset(),
            "key": record.key().decode(),
            "headers": {name: value.decode() for name, value in record.headers()},
            "timestamp": record.timestamp()[1],
            "value": record.value().decode(),
        }
        print(json.dumps(line), flush=True)


main()
