import java.util.Collections;
import java.util.Properties;
import kafka.consumer.Consumer;
import kafka.consumer.ConsumerConfig;
import kafka.consumer.ConsumerIterator;
import kafka.javaapi.consumer.ConsumerConnector;
import kafka.message.MessageAndMetadata;

/** Reads a topic as Read does, by the consumer that finds its brokers and its group in ZooKeeper. */
public class Stream {
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put("zookeeper.connect", args[0]);
        p.put("group.id", args[2]);
        p.put("zookeeper.session.timeout.ms", "30000");
        p.put("auto.commit.enable", "false");
        p.put("auto.offset.reset", "smallest");
        int left = Integer.parseInt(args[3]);
        ConsumerConnector connector = Consumer.createJavaConsumerConnector(new ConsumerConfig(p));
        ConsumerIterator<byte[], byte[]> records =
            connector.createMessageStreams(Collections.singletonMap(args[1], 1)).get(args[1]).get(0).iterator();
        for (; left > 0; left--) {
            MessageAndMetadata<byte[], byte[]> r = records.next();
            System.out.println(r.partition() + " " + r.offset() + "\t" + new String(r.key()) + "\t" + new String(r.message()) + "\tnone");
        }
        connector.commitOffsets();
        connector.shutdown();
        System.out.flush();
    }
}
