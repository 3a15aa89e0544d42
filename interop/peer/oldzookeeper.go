//go:build interop

package peer

// oldZooKeepers are releases that come as a part of an old Kafka's libraries.
var oldZooKeepers = map[string]string{
	"3.4.9": "kafka-0.10.2.2",
	"3.5.7": "kafka-2.1.1",
}

// OldZooKeeper starts Apache ZooKeeper "3.4.9" or "3.5.7" and waits until it
// serves.
func OldZooKeeper(s Scope, version string, o ZooKeeperOptions) *Ensemble {
	s.Helper()
	z, config := newEnsemble(s, o)
	z.run = func(s Scope) *Process {
		jvm := []string{"-Xmx256m", "-Dlog4j.configuration=file:" + log4j(s, "INFO", "System.err")}
		return java(s, "zookeeper-"+version, Jars(s, oldZooKeepers[version]), jvm,
			"org.apache.zookeeper.server.ZooKeeperServerMain", []string{config(s)}, "")
	}
	z.Start(s)
	return z
}
