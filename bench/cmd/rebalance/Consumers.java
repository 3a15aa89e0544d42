import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import java.util.Scanner;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import kafka.consumer.Consumer;
import kafka.consumer.ConsumerConfig;
import kafka.consumer.KafkaStream;
import kafka.javaapi.consumer.ConsumerConnector;
import kafka.message.MessageAndMetadata;

/**
 * Members of a group by the consumer of 0.8.2.2: zookeeper, group, topic, how many. A number on standard input shuts
 * that member down; the end of it ends the program.
 */
public class Consumers {
    public static void main(String[] args) throws Exception {
        int n = Integer.parseInt(args[3]);
        List<ConsumerConnector> all = new ArrayList<>();
        ExecutorService joining = Executors.newFixedThreadPool(n);
        List<Future<?>> joined = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            Properties p = new Properties();
            p.put("zookeeper.connect", args[0]);
            p.put("group.id", args[1]);
            p.put("consumer.id", String.format("%03d", i));
            // With its 4 retries so large a group would end without owners. All else is as it comes.
            p.put("rebalance.max.retries", "1000");
            p.put("auto.offset.reset", "smallest");
            ConsumerConnector connector = Consumer.createJavaConsumerConnector(new ConsumerConfig(p));
            all.add(connector);
            joined.add(joining.submit(() -> {
                KafkaStream<byte[], byte[]> stream =
                    connector.createMessageStreams(Collections.singletonMap(args[2], 1)).get(args[2]).get(0);
                Thread reader = new Thread(() -> {
                    for (MessageAndMetadata<byte[], byte[]> m : stream) {
                        m.message();
                    }
                });
                reader.setDaemon(true);
                reader.start();
            }));
        }
        for (Future<?> f : joined) {
            f.get();
        }
        Scanner in = new Scanner(System.in);
        while (in.hasNextInt()) {
            all.get(in.nextInt()).shutdown();
        }
        Runtime.getRuntime().halt(0);
    }
}
