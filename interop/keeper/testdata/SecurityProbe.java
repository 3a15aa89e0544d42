import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Reads commands, a line each, and prints what a server makes of them. */
public class SecurityProbe {
    private static ZooKeeper zk;
    private static LinkedBlockingQueue<String> states;

    public static void main(String[] args) throws Exception {
        System.setProperty("java.security.auth.login.config", args[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        java.io.PrintStream out = new java.io.PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String[] w = line.split(" ");
            String said;
            try {
                said = run(w);
            } catch (KeeperException e) {
                said = e.code().toString();
            } catch (Exception e) {
                said = e.getClass().getSimpleName();
            }
            out.println(said);
        }
        if (zk != null) {
            zk.close();
        }
        System.exit(0);
    }

    private static String run(String[] w) throws Exception {
        switch (w[0]) {
            case "open": // address, the state to wait for, properties
                return open(w);
            case "auth":
                states.clear();
                zk.addAuthInfo(w[1], w.length > 2 ? w[2].getBytes(StandardCharsets.UTF_8) : null);
                return "ok";
            case "await":
                return await(w[1]);
            case "create":
                List<ACL> acl = new ArrayList<>();
                for (String a : w[2].split("\\|")) {
                    int colon = a.indexOf(':');
                    acl.add(new ACL(ZooDefs.Perms.ALL, new Id(a.substring(0, colon), a.substring(colon + 1))));
                }
                return zk.create(w[1], new byte[0], acl, CreateMode.PERSISTENT);
            case "get":
                zk.getData(w[1], false, new Stat());
                return "ok";
            case "acl":
                return zk.getACL(w[1], new Stat()).stream().map(a -> a.getId().getScheme() + ":" + a.getId().getId()).sorted().collect(Collectors.joining(" "));
            case "whoami":
                return zk.whoAmI().stream().map(c -> c.getAuthScheme() + ":" + c.getUser()).sorted().collect(Collectors.joining(" "));
            default:
                return "no such command";
        }
    }

    private static String open(String[] w) throws Exception {
        if (zk != null) {
            zk.close();
        }
        ZKClientConfig config = new ZKClientConfig();
        config.setProperty("zookeeper.sasl.client", "false");
        for (int i = 3; i < w.length; i++) {
            int at = w[i].indexOf('=');
            config.setProperty(w[i].substring(0, at), w[i].substring(at + 1));
        }
        LinkedBlockingQueue<String> mine = new LinkedBlockingQueue<>();
        states = mine;
        zk = new ZooKeeper(w[1], 20000, (WatchedEvent e) -> {
            if (e.getType() == EventType.None && e.getState() != null) {
                mine.add(e.getState().toString());
            }
        }, config);
        return await(w[2]);
    }

    /** Waits for a state; any other that ends the matter is told instead. */
    private static String await(String want) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(want.equals("refused") ? 3 : 10);
        for (;;) {
            String s = states.poll(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS);
            if (s == null) {
                return want.equals("refused") ? "refused" : "nothing";
            }
            if (s.equals(want) || s.equals("AuthFailed") || s.equals("Expired") || want.equals("refused") && s.equals("SyncConnected")) {
                return s;
            }
        }
    }
}
