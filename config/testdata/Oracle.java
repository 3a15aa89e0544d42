import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.function.Function;
import kafka.server.*;
import org.apache.kafka.common.config.*;
import org.apache.kafka.common.message.DescribeConfigsRequestData.DescribeConfigsResource;
import org.apache.kafka.common.message.DescribeConfigsResponseData.*;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Writes what Kafka 3.9.1 says into the golden files beside it:
 * java -cp "LIBS/*" Oracle.java DIRECTORY, with the jars of
 * org.apache.kafka:kafka_2.13:3.9.1 in LIBS.
 */
public class Oracle {
  static Path dir;

  public static void main(String[] args) throws Exception {
    dir = Path.of(args[0]);
    configs();
    verdicts("verdicts", line -> {
      Properties p = split(line);
      p.putIfAbsent("zookeeper.connect", "z");
      KafkaConfig.fromProps(p, false);
      return "ok";
    });
    KafkaConfig defaults = config("zookeeper.connect=z");
    verdicts("topics", line -> {
      LogConfig.validate(Map.of(), split(line), defaults.extractLogConfigMap(), false, true);
      return "ok";
    });
    verdicts("dynamic", line -> {
      KafkaConfig c = config("zookeeper.connect=z ; broker.id=0");
      c.dynamicConfig().initialize(scala.Option.empty(), scala.Option.empty());
      boolean own = line.startsWith("broker: ");
      Properties p = split(line.substring(line.indexOf(' ') + 1));
      c.dynamicConfig().addBrokerReconfigurable(pools(c));
      c.dynamicConfig().validate(p, own);
      return "ok";
    });
    describe();
    properties();
  }

  // The thread pool rule alone: the other reconfigurables need a running broker.
  static BrokerReconfigurable pools(KafkaConfig c) {
    return new BrokerReconfigurable() {
      public scala.collection.Set<String> reconfigurableConfigs() {
        return DynamicThreadPool$.MODULE$.ReconfigurableConfigs();
      }
      public void validateReconfiguration(KafkaConfig n) {
        DynamicThreadPool$.MODULE$.validateReconfiguration(c, n);
      }
      public void reconfigure(KafkaConfig o, KafkaConfig n) {}
    };
  }

  static KafkaConfig config(String line) { return KafkaConfig.fromProps(split(line), false); }

  static Properties split(String line) {
    Properties p = new Properties();
    for (String kv : line.split(" ; ")) p.put(kv.substring(0, kv.indexOf('=')), kv.substring(kv.indexOf('=') + 1));
    return p;
  }

  static void write(String name, List<String> lines) throws Exception {
    Files.write(dir.resolve(name), lines, StandardCharsets.UTF_8);
  }

  static void verdicts(String name, Function<String, String> judge) throws Exception {
    List<String> out = new ArrayList<>();
    for (String line : Files.readAllLines(dir.resolve(name + ".in"))) {
      if (line.startsWith("#") || line.isEmpty()) continue;
      String verdict;
      try {
        verdict = judge.apply(line);
      } catch (Throwable e) {
        Throwable t = e;
        while (t.getMessage() != null && t.getMessage().equals("Invalid dynamic configuration") && t.getCause() != null) t = t.getCause();
        verdict = t.getMessage() == null ? t.toString() : t.getMessage().replace("\n", " ");
      }
      out.add(line);
      out.add("\t" + verdict);
    }
    write(name + "-3.9.1.txt", out);
  }

  static void configs() throws Exception {
    List<String> out = new ArrayList<>();
    out.add("# scope\tname\ttype\tdefault\tvalid\timportance\tmode\tinternal");
    Map<String, String> modes = DynamicBrokerConfig$.MODULE$.dynamicConfigUpdateModes();
    SortedMap<String, String> rows = new TreeMap<>();
    KafkaConfig.configDef().configKeys().forEach((n, k) -> rows.put("broker\t" + n, row("broker", k, modes.getOrDefault(n, "read-only"))));
    DynamicConfig.Broker$.MODULE$.configKeys().forEach((n, k) -> rows.putIfAbsent("broker\t" + n, row("broker", k, "dynamic-only")));
    LogConfig.configDefCopy().configKeys().forEach((n, k) -> rows.put("topic\t" + n, row("topic", k, "read-only")));
    out.addAll(rows.values());
    new TreeMap<>(ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS).forEach((n, list) -> {
      StringJoiner s = new StringJoiner(" ");
      list.forEach(x -> s.add(x.name()));
      out.add("synonym\t" + n + "\t" + s);
    });
    write("kafka-3.9.1-configs.tsv", out);
  }

  static String row(String scope, ConfigDef.ConfigKey k, String mode) {
    String def = k.defaultValue == null ? "<null>" : ConfigDef.convertToString(k.defaultValue, k.type);
    String valid = k.validator == null ? "" : k.validator.toString();
    if (valid.startsWith("[0.8.0")) valid = "version";
    if (valid.startsWith("The default value of -1")) valid = "-1 or [1,...]";
    return String.join("\t", scope, k.name, k.type.toString(), def.replace("\n", "\\n"), valid, k.importance.toString(), mode,
        k.internalConfig ? "internal" : "");
  }

  static void describe() throws Exception {
    List<String> out = new ArrayList<>();
    KafkaConfig c = config(Files.readString(dir.resolve("describe.in")).lines().filter(l -> l.startsWith("static "))
        .map(l -> l.substring(7)).reduce((a, b) -> a + " ; " + b).get());
    c.dynamicConfig().initialize(scala.Option.empty(), scala.Option.empty());
    Properties own = new Properties(), all = new Properties(), topic = new Properties();
    for (String l : Files.readAllLines(dir.resolve("describe.in"))) {
      if (l.startsWith("#") || !l.contains(" ")) continue;
      Properties p = split(l.substring(l.indexOf(' ') + 1));
      if (l.startsWith("broker ")) own.putAll(p);
      if (l.startsWith("default ")) all.putAll(p);
      if (l.startsWith("topic ")) topic.putAll(p);
    }
    c.dynamicConfig().updateDefaultConfig(all, false);
    c.dynamicConfig().updateBrokerConfig(0, own, false);
    ConfigHelper helper = new ConfigHelper(null, c, null);
    for (String name : new String[] {"0", ""}) {
      DescribeConfigsResource r = new DescribeConfigsResource().setResourceType((byte) 4).setResourceName(name);
      var results = helper.describeConfigs(scala.collection.immutable.List$.MODULE$.empty().$colon$colon(r), true, false);
      DescribeConfigsResult result = results.head();
      if (result.errorCode() != 0) throw new RuntimeException(result.errorMessage());
      add(out, name.isEmpty() ? "default" : "broker", result.configs());
    }
    LogConfig log = LogConfig.fromProps(c.extractLogConfigMap(), topic);
    List<DescribeConfigsResourceResult> entries = new ArrayList<>();
    var it = helper.allConfigs(log).iterator();
    while (it.hasNext()) {
      scala.Tuple2<String, Object> kv = it.next();
      entries.add(helper.createTopicConfigEntry(log, topic, true, false, kv._1(), kv._2()));
    }
    add(out, "topic", entries);
    write("describe-3.9.1.tsv", out);
  }

  static void add(List<String> out, String scope, List<DescribeConfigsResourceResult> configs) {
    configs.sort(Comparator.comparing(DescribeConfigsResourceResult::name));
    for (var e : configs) {
      StringJoiner syn = new StringJoiner(" | ");
      e.synonyms().forEach(s -> syn.add(s.source() + " " + s.name() + "=" + s.value()));
      out.add(String.join("\t", scope, e.name(), String.valueOf(e.value()), "source " + e.configSource(), "type " + e.configType(),
          e.readOnly() ? "read-only" : "writable", e.isSensitive() ? "sensitive" : "open", syn.toString()));
    }
  }

  static void properties() throws Exception {
    List<String> out = new ArrayList<>();
    List<byte[]> cases = new ArrayList<>();
    for (String s : new String[] {"", "a=b", "a:b", "a b", "a = b", "a  :  b ", " a\t=\tb", "a", "a=", "=b", "=", ":", "a==b", "a=:b", "a := b", "a\\=b=c",
        "a\\:b:c", "a\\ b c", "#c\na=1", "!c\na=1", " # c\n\t! d\na=1", "a=b\\\n  c", "a=b\\\r\n  c", "a=b\\\r  c", "a=b\\\\\nc=d", "a=b\\\n\nc=d",
        "a=b\\\n#c", "\\\n#c\na=b", "\\", "\\\n", "\\\r", "\\\r\n", "a=b\\", "a=b\\\\", "a\\", "\\\n\na=b", "a=\\u0041", "a=\\u00e9\\u20ac", "a=\\ud83d\\ude00",
        "a=\\ud83d", "a=\\u12", "a=\\uzzzz", "a=\\u+123", "a=\\t\\n\\r\\f\\b\\q", "\\u0061=1", "a\u00e9=\u00fc", "a=1\na=2", "a=1\r\nb=2\r\n", "a=1\rb=2", "\f\fa=1",
        "a=1 # no comment", "a=b\\ ", "a\\\\=b", "a\\\\\\=b=c", "listeners=PLAINTEXT://:9092", "x=C:\\\\dir\\\\file", "x=C:\\dir", "a=b\\\n\t\t\\\n c", "a\n\n\nb",
        "\n\r\n a = 1 \n", "a=\u0000b", "#", "!", "#\\\na=1", "key\\\n   : value", "a=\\", "a=\\\\\\", "\\\n\\\n", "a\\\n", "\\ =", "\\\r\n\\"})
      cases.add(s.getBytes(StandardCharsets.ISO_8859_1));
    Random random = new Random(391);
    String alphabet = "ab=: \t\f\n\r\\\\\\#!u0041";
    for (int i = 0; i < 400; i++) {
      byte[] b = new byte[1 + random.nextInt(14)];
      for (int j = 0; j < b.length; j++) b[j] = (byte) alphabet.charAt(random.nextInt(alphabet.length()));
      cases.add(b);
    }
    for (byte[] b : cases) {
      StringJoiner line = new StringJoiner("\t");
      line.add(quote(new String(b, StandardCharsets.ISO_8859_1), true));
      try {
        Properties p = new Properties();
        p.load(new java.io.ByteArrayInputStream(b));
        new TreeMap<>(p).forEach((k, v) -> line.add(quote((String) k, false)).add(quote((String) v, false)));
      } catch (IllegalArgumentException e) {
        line.add("error");
      }
      out.add(line.toString());
    }
    write("properties-java.tsv", out);
  }

  static String quote(String s, boolean bytes) {
    StringBuilder b = new StringBuilder("\"");
    s.codePoints().forEach(c -> {
      if (c == '"' || c == '\\') b.append('\\').append((char) c);
      else if (c >= ' ' && c < 127) b.append((char) c);
      else if (bytes) b.append(String.format("\\x%02x", c));
      else if (c >= 0xd800 && c < 0xe000) b.append("\\ufffd");
      else b.append(String.format("\\U%08x", c));
    });
    return b.append('"').toString();
  }
}
