//go:build interop

package peer

import (
	"os"
	"path/filepath"
	"strings"
)

// Tools maps the names of Kafka's scripts to the classes they run.
var Tools = map[string]string{
	"kafka-acls":                      "kafka.admin.AclCommand",
	"kafka-broker-api-versions":       "kafka.admin.BrokerApiVersionsCommand",
	"kafka-cluster":                   "org.apache.kafka.tools.ClusterTool",
	"kafka-configs":                   "kafka.admin.ConfigCommand",
	"kafka-console-consumer":          "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-console-producer":          "kafka.tools.ConsoleProducer",
	"kafka-consumer-groups":           "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-consumer-perf-test":        "org.apache.kafka.tools.ConsumerPerformance",
	"kafka-delegation-tokens":         "org.apache.kafka.tools.DelegationTokenCommand",
	"kafka-delete-records":            "org.apache.kafka.tools.DeleteRecordsCommand",
	"kafka-dump-log":                  "kafka.tools.DumpLogSegments",
	"kafka-e2e-latency":               "org.apache.kafka.tools.EndToEndLatency",
	"kafka-features":                  "org.apache.kafka.tools.FeatureCommand",
	"kafka-get-offsets":               "org.apache.kafka.tools.GetOffsetShell",
	"kafka-leader-election":           "org.apache.kafka.tools.LeaderElectionCommand",
	"kafka-log-dirs":                  "org.apache.kafka.tools.LogDirsCommand",
	"kafka-producer-perf-test":        "org.apache.kafka.tools.ProducerPerformance",
	"kafka-reassign-partitions":       "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"kafka-replica-verification":      "org.apache.kafka.tools.ReplicaVerificationTool",
	"kafka-streams-application-reset": "org.apache.kafka.tools.StreamsResetter",
	"kafka-topics":                    "org.apache.kafka.tools.TopicCommand",
	"kafka-transactions":              "org.apache.kafka.tools.TransactionsCommand",
	"kafka-verifiable-consumer":       "org.apache.kafka.tools.VerifiableConsumer",
	"kafka-verifiable-producer":       "org.apache.kafka.tools.VerifiableProducer",
	"zookeeper-security-migration":    "kafka.admin.ZkSecurityMigrator",
	"zookeeper-shell":                 "org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka",
}

// OldTools maps the names of scripts that went to ZooKeeper themselves, in
// releases before 3.0, to the classes they ran.
var OldTools = map[string]string{
	"kafka-configs":                    "kafka.admin.ConfigCommand",
	"kafka-console-consumer":           "kafka.tools.ConsoleConsumer",
	"kafka-preferred-replica-election": "kafka.admin.PreferredReplicaLeaderElectionCommand",
	"kafka-reassign-partitions":        "kafka.admin.ReassignPartitionsCommand",
	"kafka-topics":                     "kafka.admin.TopicCommand",
}

// OldTool runs one of the scripts in OldTools, of Kafka "2.1.1", "2.4.1" or
// "2.8.2".
func OldTool(s Scope, version, script string, args ...string) (stdout, stderr string, exit int) {
	s.Helper()
	return StartOldTool(s, version, script, args...).Output(s)
}

// StartOldTool starts one of the scripts in OldTools that may run for long.
func StartOldTool(s Scope, version, script string, args ...string) *Process {
	s.Helper()
	class := OldTools[script]
	if class == "" {
		s.Fatalf("no old tool %q", script)
	}
	return startTool(s, "kafka-"+version, class, args, "")
}

// RunClass runs a main class of a library (see Jars), as kafka-run-class does,
// and returns what it printed and logged, from the level INFO on, and its exit
// status.
func RunClass(s Scope, library, mainClass string, args ...string) (stdout, stderr string, exit int) {
	s.Helper()
	jvm := []string{"-Xmx256m", "-Dlog4j.configuration=file:" + log4j(s, "INFO", "System.err")}
	return java(s, mainClass, Jars(s, library), jvm, mainClass, args, "").Output(s)
}

// JavaTool runs a main class of Kafka 3.9.1 and returns what it printed and
// its exit status.
func JavaTool(s Scope, mainClass string, args []string, stdin string) (stdout, stderr string, exit int) {
	s.Helper()
	return StartJavaTool(s, mainClass, args, stdin).Output(s)
}

// Tool runs one of Kafka's scripts by its name in Tools.
func Tool(s Scope, script string, args ...string) (stdout, stderr string, exit int) {
	s.Helper()
	return ToolWithInput(s, "", script, args...)
}

// ToolWithInput is Tool with something on its standard input.
func ToolWithInput(s Scope, stdin, script string, args ...string) (stdout, stderr string, exit int) {
	s.Helper()
	class := Tools[script]
	if class == "" {
		s.Fatalf("no tool %q", script)
	}
	return JavaTool(s, class, args, stdin)
}

// StartJavaTool starts a main class of Kafka 3.9.1 that may run for long.
func StartJavaTool(s Scope, mainClass string, args []string, stdin string) *Process {
	s.Helper()
	return startTool(s, "kafka-3.9.1", mainClass, args, stdin)
}

// StartJavaSource compiles a file of Java against a library (see Jars) and starts
// its main class, as the java command does it.
func StartJavaSource(s Scope, library, file string, args []string, stdin string) *Process {
	s.Helper()
	file, err := filepath.Abs(file)
	if err != nil {
		s.Fatalf("%v", err)
	}
	return startTool(s, library, file, args, stdin)
}

func startTool(s Scope, library, mainClass string, args []string, stdin string) *Process {
	s.Helper()
	return java(s, mainClass, Jars(s, library), []string{"-Xmx256m", "-Dlog4j.configuration=file:" + log4j(s, "WARN", "System.err")}, mainClass, args, stdin)
}

// ZooKeeperCLI feeds commands to the zkCli of that ZooKeeper release.
func ZooKeeperCLI(s Scope, version, server, commands string) (stdout, stderr string, exit int) {
	s.Helper()
	args := []string{"-server", server}
	jvm := []string{"-Xmx128m", "-Dlogback.configurationFile=" + logback(s, "WARN")}
	return java(s, "zkCli", Jars(s, "zookeeper-"+version), jvm, "org.apache.zookeeper.ZooKeeperMain", args, commands).Output(s)
}

// java starts a main class. The flags trade peak speed for a quick start:
// most of these programs live for a second.
func java(s Scope, name, classPath string, jvm []string, class string, args []string, stdin string) *Process {
	s.Helper()
	argv := append([]string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true"}, jvm...)
	argv = append(argv, "-cp", classPath, class)
	return start(s, name, "java", append(argv, args...), stdin)
}

// log4j writes a configuration of Kafka's logger; more lines may be given.
func log4j(s Scope, level, target string, more ...string) string {
	s.Helper()
	return write(s, "log4j.properties", "log4j.rootLogger="+level+", out\n"+strings.Join(append(more, ""), "\n")+
		"log4j.appender.out=org.apache.log4j.ConsoleAppender\n"+
		"log4j.appender.out.Target="+target+"\n"+
		"log4j.appender.out.layout=org.apache.log4j.PatternLayout\n"+
		"log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n\n")
}

// logback writes a configuration of ZooKeeper's logger.
func logback(s Scope, level string) string {
	s.Helper()
	return write(s, "logback.xml", `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d %p [%t] %logger{1} %m%n</pattern></encoder>
  </appender>
  <root level="`+level+`"><appender-ref ref="out"/></root>
</configuration>
`)
}

func write(s Scope, name, content string) string {
	s.Helper()
	file := filepath.Join(s.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		s.Fatalf("%v", err)
	}
	return file
}
