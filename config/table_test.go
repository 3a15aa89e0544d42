package config

import (
	"bufio"
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// lines reads a file of testdata without comments.
func lines(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if l := s.Text(); l != "" && l[0] != '#' {
			out = append(out, l)
		}
	}
	return out
}

// ownClass lists the class-valued properties where gregor's rule is its own:
// it knows classes by name, Kafka loads what it finds.
func ownClass(d *Def) bool {
	return d.Type == Class || slices.Contains([]string{"metric.reporters", "kafka.metrics.reporters",
		"replica.selector.class", "security.providers"}, d.Name)
}

// TestTableIsKafkas compares every column with the table of Kafka 3.9.1 as
// testdata/Oracle.java wrote it down.
func TestTableIsKafkas(t *testing.T) {
	missing := map[string]bool{}
	for _, d := range append(BrokerDefs(), TopicDefs()...) {
		if !strings.HasPrefix(d.Name, "gregor.") {
			missing[d.Scope.String()+" "+d.Name] = true
		}
	}
	for _, l := range lines(t, "kafka-3.9.1-configs.tsv") {
		f := strings.Split(l, "\t")
		if f[0] == "synonym" {
			if d, ok := LookupTopic(f[1]); !ok || strings.Join(d.Synonyms, " ") != f[2] {
				t.Errorf("synonyms of %s: want %s", f[1], f[2])
			}
			continue
		}
		delete(missing, f[0]+" "+f[1])
		find := LookupBroker
		if f[0] == "topic" {
			find = LookupTopic
		}
		d, ok := find(f[1])
		if !ok {
			t.Errorf("%s property %s is not in the table", f[0], f[1])
			continue
		}
		check := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s of %s is %q, Kafka's is %q", what, d.Name, got, want)
			}
		}
		def, ok := d.Default()
		if !ok {
			def = "<null>"
		}
		check("type", d.Type.String(), f[2])
		check("default", def, f[3])
		check("importance", d.Importance.String(), f[5])
		check("mode", d.Mode.String(), f[6])
		if d.Internal != (f[7] == "internal") {
			t.Errorf("%s: internal is %v", d.Name, d.Internal)
		}
		switch {
		case ownClass(d), strings.HasSuffix(d.Name, "quorum.voters"), strings.HasSuffix(d.Name, "bootstrap.servers"):
		case f[4] == "version":
			if _, err := d.Parse("nonsense"); err == nil {
				t.Errorf("%s takes nonsense", d.Name)
			}
		case d.Valid == nil:
			check("rule", "", f[4])
		default:
			check("rule", d.Valid.String(), f[4])
		}
	}
	for name := range missing {
		t.Errorf("%s is in the table and not in Kafka", name)
	}
}

func TestTableReadsWell(t *testing.T) {
	for _, d := range append(BrokerDefs(), TopicDefs()...) {
		if n := len(d.Doc); n < 15 || n > 160 || !strings.HasSuffix(d.Doc, ".") || strings.Contains(d.Doc, "  ") {
			t.Errorf("%s: %q is not one short sentence", d.Name, d.Doc)
		}
		for _, s := range d.Synonyms {
			b, ok := LookupBroker(s)
			if !ok || b.Type != d.Type && !strings.HasSuffix(s, "hours") && !strings.HasSuffix(s, "minutes") {
				t.Errorf("%s: synonym %s does not fit", d.Name, s)
			}
		}
		if own := strings.HasPrefix(d.Name, "gregor."); own != (d.Area == "Embedded keeper") {
			t.Errorf("%s stands under %s", d.Name, d.Area)
		}
	}
}

// verdicts reads pairs of lines: settings, and Kafka's answer to them.
func verdicts(t *testing.T, name string, judge func(line string) error, stricter map[string]string) {
	t.Helper()
	l := lines(t, name)
	for i := 0; i+1 < len(l); i += 2 {
		want := strings.TrimPrefix(strings.TrimPrefix(l[i+1], "\t"), "requirement failed: ")
		want = strings.ReplaceAll(want, "HashSet(", "Set(")
		if _, inner, ok := strings.Cut(want, "ConfigException: "); ok {
			want = "Invalid dynamic configuration: " + strings.TrimSuffix(inner, " for configuration Invalid dynamic configuration")
		}
		if ours, ok := stricter[l[i]]; ok {
			want = ours
		}
		got := "ok"
		if err := judge(l[i]); err != nil {
			got = err.Error()
		}
		if strings.Contains(want, "could not be found") {
			got, _, _ = strings.Cut(got, " (gregor runs")
			got += "."
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", l[i], got, want)
		}
	}
}

func split(line string) map[string]string {
	out := map[string]string{}
	for kv := range strings.SplitSeq(line, " ; ") {
		k, v, _ := strings.Cut(kv, "=")
		out[k] = v
	}
	return out
}

// load loads settings as a file that says nothing else, ZooKeeper being
// elsewhere unless they say more.
func load(settings map[string]string) (*Broker, error) {
	src := Source{File: []byte("zookeeper.connect=z")}
	for k, v := range settings {
		src.Overrides = append(src.Overrides, k+"="+v)
	}
	b, _, err := Load(src)
	return b, err
}

func TestBrokerVerdicts(t *testing.T) {
	verdicts(t, "verdicts-3.9.1.txt", func(line string) error { _, err := load(split(line)); return err }, map[string]string{
		// Kafka refuses these too, when its log manager or its sockets start.
		"log.flush.interval.ms=-1": "Invalid value -1 for configuration log.flush.interval.ms: Value must be at least 0",
		"log.cleaner.min.compaction.lag.ms=5 ; log.cleaner.max.compaction.lag.ms=4": "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)",
		"log.dirs=/a,/a": "log.dirs names /a twice",
		"listeners=PLAINTEXT://:-1": "Error creating broker listeners from 'PLAINTEXT://:-1': " +
			"port -1 of listener PLAINTEXT is not between 0 and 65535",
		// Kafka's words are those of a Java exception.
		"log.cleaner.threads=0":                "log.cleaner.threads must be at least 1 while log.cleaner.enable is true",
		"max.connections.per.ip.overrides=a":   `Error parsing configuration property 'max.connections.per.ip.overrides': "a" has no colon`,
		"max.connections.per.ip.overrides=a:b": "Invalid value b for configuration max.connections.per.ip.overrides: Not a number of type INT",
	})
}

func TestTopicVerdicts(t *testing.T) {
	b, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	verdicts(t, "topics-3.9.1.txt", func(line string) error { return b.ValidateTopic(split(line)) }, nil)
}

func TestDynamicVerdicts(t *testing.T) {
	b, err := load(map[string]string{"broker.id": "0"})
	if err != nil {
		t.Fatal(err)
	}
	verdicts(t, "dynamic-3.9.1.txt", func(line string) error {
		level, settings, _ := strings.Cut(line, " ")
		return b.ValidateDynamic(split(settings), level == "broker:")
	}, map[string]string{
		// Scala prints sets in the order of their hashes.
		"default: num.partitions=3 ; broker.id=1": "Cannot update these configs dynamically: Set(broker.id, num.partitions)",
	})
}
