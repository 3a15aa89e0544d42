import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import kafka.common.TopicAndPartition;
import kafka.consumer.AssignmentContext;
import kafka.consumer.ConsumerThreadId;
import kafka.consumer.PartitionAssignor$;
import org.I0Itec.zkclient.ZkClient;
import org.I0Itec.zkclient.exception.ZkNoNodeException;
import org.apache.zookeeper.data.Stat;
import scala.Tuple2;
import scala.collection.Iterator;

/** Lets the assignors of 0.8.2.2 tell the stories of client/internal/assign on standard input. */
public class Assign {
    /** A ZooKeeper that is a map; its own constructor, which connects, never runs. */
    static class Nodes extends ZkClient {
        TreeMap<String, String> data;

        Nodes() { super("nowhere"); }

        @Override @SuppressWarnings("unchecked")
        public <T> T readData(String path, Stat stat) {
            if (!data.containsKey(path)) throw new ZkNoNodeException();
            return (T) data.get(path);
        }

        @Override
        public List<String> getChildren(String path) {
            List<String> out = new ArrayList<>();
            for (String p : data.keySet())
                if (p.startsWith(path + "/")) out.add(p.substring(path.length() + 1));
            return out;
        }
    }

    public static void main(String[] args) throws Exception {
        Field f = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
        f.setAccessible(true);
        Nodes zk = (Nodes) ((sun.misc.Unsafe) f.get(null)).allocateInstance(Nodes.class);
        zk.data = new TreeMap<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        boolean expected = false;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] w = line.split(" ");
            if (line.isEmpty()) {
                zk.data.clear();
                expected = false;
                System.out.println();
            } else if (line.equals("----")) {
                expected = true;
            } else if (!expected) {
                System.out.println(line);
                if (w[0].equals("topic")) topic(zk, w);
                else if (w[0].equals("member")) member(zk, w);
                else if (w[0].equals("range")) assign(zk, "range");
                else if (w[0].equals("round-robin")) assign(zk, "roundrobin");
            }
        }
    }

    static void topic(Nodes zk, String[] w) {
        StringBuilder b = new StringBuilder();
        for (int p = 0; p < Integer.parseInt(w[2]); p++)
            b.append(p == 0 ? "" : ",").append('"').append(p).append("\":[0]");
        zk.data.put("/brokers/topics/" + w[1], "{\"version\":1,\"partitions\":{" + b + "}}");
    }

    static void member(Nodes zk, String[] w) {
        TreeMap<String, String> streams = new TreeMap<>();
        for (int i = 3; i < w.length; i++) {
            int eq = w[i].lastIndexOf('=');
            streams.put(w[i].substring(0, eq), w[i].substring(eq + 1));
        }
        StringBuilder b = new StringBuilder();
        streams.forEach((t, n) -> b.append(b.length() == 0 ? "" : ",").append('"').append(t).append("\":").append(n));
        zk.data.put("/consumers/g/ids/" + w[1],
            "{\"version\":1,\"subscription\":{" + b + "},\"pattern\":\"" + w[2] + "\",\"timestamp\":\"1\"}");
    }

    static void assign(Nodes zk, String strategy) {
        System.out.println("----");
        for (String id : zk.getChildren("/consumers/g/ids")) {
            TreeMap<String, TreeMap<String, String>> of = new TreeMap<>();
            try {
                Iterator<Tuple2<TopicAndPartition, ConsumerThreadId>> it = PartitionAssignor$.MODULE$.createInstance(strategy)
                    .assign(new AssignmentContext("g", id, true, zk)).iterator();
                while (it.hasNext()) {
                    Tuple2<TopicAndPartition, ConsumerThreadId> t = it.next();
                    String name = t._1().topic() + "-" + t._1().partition();
                    of.computeIfAbsent(t._2().toString(), k -> new TreeMap<>())
                        .put(t._1().topic() + String.format(" %010d", t._1().partition()), name);
                }
            } catch (IllegalArgumentException e) {
                System.out.println(id + " refused");
                continue;
            }
            if (of.isEmpty()) System.out.println(id + " nothing");
            of.forEach((thread, names) -> System.out.println(thread + " " + String.join(" ", names.values())));
        }
    }
}
