package proc

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// KafkaVersion is the Apache Kafka that gregor is measured against: the last
// of the line that runs with ZooKeeper.
const KafkaVersion = "3.9.1"

// pom names Kafka, which brings ZooKeeper at the version of its release, and
// the logging backend of the release.
//
//go:embed pom.xml
var pom []byte

// OldVersion is the Kafka whose consumers gregor's groups are measured against:
// the last before consumers asked brokers who else is in their group.
const OldVersion = "0.8.2.2"

// oldPom names that Kafka.
//
//go:embed pom-old.xml
var oldPom []byte

// ZooKeeperVersion is the Apache ZooKeeper that gregor's keeper is measured
// against.
const ZooKeeperVersion = "3.9.4"

// zooKeeperPom names that ZooKeeper.
//
//go:embed pom-zookeeper.xml
var zooKeeperPom []byte

// FetchJars makes sure that a cache holds the jars of Kafka KafkaVersion and
// returns their directory. Maven fetches them, from where it is set up to; it is
// not needed once they are there.
func FetchJars(cache string) (string, error) { return fetch(cache, "Kafka "+KafkaVersion, pom) }

// FetchOldJars is FetchJars for OldVersion; the cache must be another.
func FetchOldJars(cache string) (string, error) { return fetch(cache, "Kafka "+OldVersion, oldPom) }

// FetchZooKeeperJars is FetchJars for ZooKeeperVersion; the cache must be another.
func FetchZooKeeperJars(cache string) (string, error) {
	return fetch(cache, "ZooKeeper "+ZooKeeperVersion, zooKeeperPom)
}

func fetch(cache, what string, pom []byte) (string, error) {
	jars, stamp := filepath.Join(cache, "jars"), filepath.Join(cache, "pom.xml")
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, pom) {
		return jars, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.WriteFile(filepath.Join(tmp, "pom.xml"), pom, 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command("mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(tmp, "jars"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = tmp, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("fetch the jars of Apache %s with Maven: %w", what, err)
	}
	// The stamp goes last: a cache that has it is whole.
	if err := os.RemoveAll(jars); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(tmp, "jars"), jars); err != nil {
		return "", err
	}
	return jars, os.Rename(filepath.Join(tmp, "pom.xml"), stamp)
}
