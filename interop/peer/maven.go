//go:build interop

package peer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// libraries of the JVM, by the directory of the cache that holds their jars.
// Each is an artifact with what it needs at run time, and what its own
// distribution adds: a logger, and for ZooKeeper the metrics it calls optional.
var libraries = map[string][]string{
	"kafka-3.9.1": {
		"org.apache.kafka:kafka_2.13:3.9.1",
		"org.apache.kafka:kafka-tools:3.9.1",
		"org.slf4j:slf4j-reload4j:1.7.36",
	},
	// Two whose tools write to ZooKeeper by themselves.
	"kafka-2.1.1": {
		"org.apache.kafka:kafka_2.12:2.1.1",
		"org.apache.zookeeper:zookeeper:3.5.7", // its own, 3.4.13, finds no host with Java 14 and later
		"org.slf4j:slf4j-log4j12:1.7.25",
	},
	"kafka-2.4.1": {
		"org.apache.kafka:kafka_2.12:2.4.1",
		"org.slf4j:slf4j-log4j12:1.7.28",
	},
	// The last whose tools take --zookeeper.
	"kafka-2.8.2": {
		"org.apache.kafka:kafka_2.13:2.8.2",
		"org.slf4j:slf4j-log4j12:1.7.30",
	},
	// The last whose tools know both groups in ZooKeeper and the cluster as it is.
	"kafka-0.10.2.2": {
		"org.apache.kafka:kafka_2.11:0.10.2.2",
		"org.slf4j:slf4j-log4j12:1.7.25",
	},
	// The last whose high-level consumer had no other rival: members of its groups
	// find each other in ZooKeeper.
	"kafka-0.8.2.2": {
		"org.apache.kafka:kafka_2.11:0.8.2.2",
		"org.slf4j:slf4j-log4j12:1.7.25",
	},
	// Clients alone.
	"clients-0.9.0.1": {"org.apache.kafka:kafka-clients:0.9.0.1", "org.slf4j:slf4j-log4j12:1.7.25"},
	"clients-1.0.2":   {"org.apache.kafka:kafka-clients:1.0.2", "org.slf4j:slf4j-log4j12:1.7.25"},
	"clients-2.0.1":   {"org.apache.kafka:kafka-clients:2.0.1", "org.slf4j:slf4j-log4j12:1.7.25"},
	"zookeeper-3.8.4": {
		"org.apache.zookeeper:zookeeper:3.8.4",
		"io.dropwizard.metrics:metrics-core:4.1.12.1",
		"org.xerial.snappy:snappy-java:1.1.10.5",
		"jline:jline:2.14.6",
		"commons-cli:commons-cli:1.5.0",
	},
	"zookeeper-3.9.4": {
		"org.apache.zookeeper:zookeeper:3.9.4",
		"io.dropwizard.metrics:metrics-core:4.1.12.1",
		"org.xerial.snappy:snappy-java:1.1.10.5",
		"jline:jline:2.14.6",
		"commons-cli:commons-cli:1.5.0",
	},
	// With what it needs to serve commands and metrics over HTTP.
	"zookeeper-3.9.4-operate": {
		"org.apache.zookeeper:zookeeper:3.9.4",
		"org.apache.zookeeper:zookeeper-prometheus-metrics:3.9.4",
		"org.eclipse.jetty:jetty-server:9.4.57.v20241219",
		"org.eclipse.jetty:jetty-servlet:9.4.57.v20241219",
		"com.fasterxml.jackson.core:jackson-databind:2.15.2",
		"io.dropwizard.metrics:metrics-core:4.1.12.1",
		"org.xerial.snappy:snappy-java:1.1.10.5",
		"commons-cli:commons-cli:1.5.0",
	},
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>gregor.interop</groupId>
  <artifactId>%s</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
%s  </dependencies>
</project>
`

// Jars returns the class path of a library, fetching it when missing. Known
// are "kafka-3.9.1", "kafka-2.8.2", "kafka-2.4.1", "kafka-2.1.1",
// "kafka-0.10.2.2", "kafka-0.8.2.2", "clients-2.0.1", "clients-1.0.2",
// "clients-0.9.0.1", "zookeeper-3.8.4", "zookeeper-3.9.4" and
// "zookeeper-3.9.4-operate".
func Jars(s Scope, library string) string {
	s.Helper()
	artifacts := libraries[library]
	if artifacts == nil {
		s.Fatalf("no library %q", library)
	}
	dir, err := cached(library, func(dir string) error { return fetchJars(dir, library, artifacts) })
	if err != nil {
		s.Fatalf("%v", err)
	}
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil || len(jars) == 0 {
		s.Fatalf("jars of %s: %d in %s, %v", library, len(jars), dir, err)
	}
	return strings.Join(jars, string(os.PathListSeparator))
}

// fetchJars lets Maven copy the artifacts and their dependencies into dir.
func fetchJars(dir, name string, artifacts []string) error {
	var deps strings.Builder
	for _, a := range artifacts {
		p := strings.Split(a, ":")
		fmt.Fprintf(&deps, "    <dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n",
			p[0], p[1], p[2])
	}
	file := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(file, fmt.Appendf(nil, pom, name, deps.String()), 0o644); err != nil {
		return err
	}
	cmd := exec.Command("mvn", "-q", "-B", "-f", file, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("mvn: %w\n%s", err, out)
	}
	return nil
}
