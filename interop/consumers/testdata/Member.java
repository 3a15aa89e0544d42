import java.util.Collections;
import java.util.Properties;
import kafka.consumer.Consumer;
import kafka.consumer.ConsumerConfig;
import kafka.consumer.KafkaStream;
import kafka.javaapi.consumer.ConsumerConnector;
import kafka.message.MessageAndMetadata;

/** A member of a group by the consumer of 0.8.2.2; prints what it reads and leaves in order at SIGTERM. */
public class Member {
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put("zookeeper.connect", args[0]);
        p.put("group.id", args[1]);
        p.put("consumer.id", args[2]);
        p.put("offsets.storage", args[4]);
        p.put("dual.commit.enabled", args[5]);
        p.put("zookeeper.session.timeout.ms", "6000");
        p.put("socket.timeout.ms", "5000"); // a broker may be paused
        p.put("rebalance.backoff.ms", "500");
        p.put("rebalance.max.retries", "100");
        p.put("auto.commit.interval.ms", "500");
        p.put("auto.offset.reset", "smallest");
        ConsumerConnector connector = Consumer.createJavaConsumerConnector(new ConsumerConfig(p));
        KafkaStream<byte[], byte[]> stream =
            connector.createMessageStreams(Collections.singletonMap(args[3], 1)).get(args[3]).get(0);
        Thread reader = new Thread(() -> {
            for (MessageAndMetadata<byte[], byte[]> m : stream)
                System.out.println("record " + m.partition() + " " + m.offset() + " " + new String(m.message()));
        });
        reader.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            connector.shutdown();
            try {
                reader.join();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            System.out.println("left");
            System.out.flush();
        }));
        System.out.println("joined");
        reader.join();
    }
}
