package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// kafkaVersion is the release whose schemas gregor speaks: the last of the
// line that runs with ZooKeeper.
const kafkaVersion = "3.9.1"

// artifacts hold the schemas: the first those of the network protocol, the
// others those of the records in __consumer_offsets and __transaction_state.
var artifacts = []string{"kafka-clients", "kafka-group-coordinator", "kafka-transaction-coordinator"}

// fetchJars makes sure that the cache holds every artifact and returns their
// paths in the order of artifacts.
func fetchJars(cache string) ([]string, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	for _, name := range artifacts {
		p := filepath.Join(cache, name+"-"+kafkaVersion+".jar")
		paths = append(paths, p)
		_, err := os.Stat(p)
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		cmd := exec.Command("mvn", "-q", "-B", "dependency:copy",
			"-Dartifact=org.apache.kafka:"+name+":"+kafkaVersion, "-DoutputDirectory="+cache)
		cmd.Dir, cmd.Stdout, cmd.Stderr = cache, os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("fetch %s: %w", name, err)
		}
	}
	return paths, nil
}

// readJars parses every schema of the jars, sorted by message name.
func readJars(paths []string) ([]*message, error) {
	byName := map[string]*message{}
	for _, p := range paths {
		if err := readJar(p, byName); err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Base(p), err)
		}
	}
	var msgs []*message
	for _, m := range byName {
		msgs = append(msgs, m)
	}
	sort.Slice(msgs, func(i, j int) bool { return msgs[i].Name < msgs[j].Name })
	return msgs, nil
}

func readJar(p string, byName map[string]*message) error {
	z, err := zip.OpenReader(p)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if path.Dir(f.Name) != "common/message" || !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
		m, err := parseMessage(text)
		if err != nil {
			return fmt.Errorf("schema %s: %w", f.Name, err)
		}
		if byName[m.Name] != nil {
			return fmt.Errorf("message %s is defined twice", m.Name)
		}
		byName[m.Name] = m
	}
	return nil
}
