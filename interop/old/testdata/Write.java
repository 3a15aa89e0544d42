import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes numbered records, a codec after the other, and prints where each went in the order of the answers. It is
 * compiled against every client from 0.8.2 on.
 */
public class Write {
    static final String FILLING = "so that a batch has something to compress, ".repeat(3);

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0], topic = args[1], version = args[2];
        int count = Integer.parseInt(args[3]);
        for (int c = 4; c < args.length; c++)
            write(bootstrap, topic, version, args[c], count);
        System.out.flush();
    }

    static void write(String bootstrap, String topic, String version, String codec, int count) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        p.put("acks", "all");
        p.put("compression.type", codec);
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p)) {
            for (int i = 0; i < count; i++) {
                String key = "key " + i % 20;
                String value = version + " " + codec + " " + i + " " + FILLING;
                ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, key.getBytes(), value.getBytes());
                producer.send(record, (where, failure) -> {
                    if (failure != null)
                        System.out.println("failed " + value + failure);
                    else
                        System.out.println(where.partition() + " " + where.offset() + "\t" + key + "\t" + value);
                });
            }
        }
    }
}
