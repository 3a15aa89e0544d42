import java.lang.reflect.Method;
import java.util.Collections;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;

/**
 * Reads a topic in a group until so many records came, commits, and leaves. It is compiled against every client from
 * 0.9 on; the records of 0.9 have no timestamp.
 */
public class Read {
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("group.id", args[2]);
        p.put("auto.offset.reset", "earliest");
        p.put("enable.auto.commit", "false");
        p.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        Method timestamp = null;
        for (Method m : ConsumerRecord.class.getMethods())
            if (m.getName().equals("timestamp"))
                timestamp = m;
        int left = Integer.parseInt(args[3]);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(p)) {
            consumer.subscribe(Collections.singletonList(args[1]));
            while (left > 0)
                for (ConsumerRecord<String, String> r : consumer.poll(1000)) {
                    String time = timestamp == null ? "none" : timestamp.invoke(r).toString();
                    System.out.println(r.partition() + " " + r.offset() + "\t" + r.key() + "\t" + r.value() + "\t" + time);
                    left--;
                }
            consumer.commitSync();
        }
        System.out.flush();
    }
}
