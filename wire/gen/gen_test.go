package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  span
		valid span
		cond  string
	}{
		{"0+", span{0, 32767}, span{0, 5}, "true"},
		{"none", noVersions, span{0, 5}, "false"},
		{"6+", span{6, 32767}, span{0, 5}, "false"},
		{"3", span{3, 3}, span{0, 5}, "version == 3"},
		{"5+", span{5, 32767}, span{0, 5}, "version == 5"},
		{"2+", span{2, 32767}, span{0, 5}, "version >= 2"},
		{"0-3", span{0, 3}, span{0, 5}, "version <= 3"},
		{"1-3", span{1, 3}, span{0, 5}, "version >= 1 && version <= 3"},
		{"1-3", span{1, 3}, span{2, 3}, "true"},
	} {
		got, err := parseSpan(c.text)
		if err != nil || got != c.want || got.cond(c.valid) != c.cond {
			t.Errorf("%s: %v, %v, condition %q", c.text, got, err, got.cond(c.valid))
		}
	}
	for _, bad := range []string{"x", "1-", "-1", "1-2-3", "+"} {
		if _, err := parseSpan(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"TopicId": "TopicID", "topicIds": "TopicIDs", "Identity": "Identity", "isKRaftController": "IsKRaftController",
		"LeaderIdAndEpoch": "LeaderIDAndEpoch", "ISR": "ISR", "ZkMigrationReady": "ZkMigrationReady",
	} {
		if got := goName(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for _, c := range [][3]string{
		{"UpdateMetadataRequest", "UpdateMetadataPartitionState", "UpdateMetadataRequestPartitionState"},
		{"ProduceRequest", "TopicProduceData", "ProduceRequestTopicData"},
		{"MetadataRequest", "MetadataRequestTopic", "MetadataRequestTopic"},
		{"FetchResponse", "FetchableTopicResponse", "FetchResponseFetchableTopicResponse"},
		{"VoteRequest", "Vote", "VoteRequestVote"},
		{"FetchResponse", "SnapshotId", "FetchResponseSnapshotID"},
	} {
		if got := structName(c[0], c[1]); got != c[2] {
			t.Errorf("%s in %s: got %s, want %s", c[1], c[0], got, c[2])
		}
	}
	if got := snake("AddOffsetsToTxn"); got != "add_offsets_to_txn" {
		t.Errorf("got %s", got)
	}
}

func TestStripComments(t *testing.T) {
	in := "// a\n{ \"k\": \"not // a \\\" comment\" } // b \"c\"\n"
	want := "    \n{ \"k\": \"not // a \\\" comment\" }         \n"
	if got := string(stripComments([]byte(in))); got != want {
		t.Errorf("got %q", got)
	}
}

func TestNot(t *testing.T) {
	for in, want := range map[string]string{
		"version >= 3": "version < 3", "version <= 3": "version > 3", "version == 3": "version != 3", "m.A": "!m.A", "!m.A": "m.A",
		"version >= 1 && version <= 3": "!(version >= 1 && version <= 3)", "len(m.A) != 0": "len(m.A) == 0",
	} {
		if got := not(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// TestGolden holds what is written for two schemas that use every feature of
// the schema language.
func TestGolden(t *testing.T) {
	var msgs []*message
	for _, name := range []string{"request", "response"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseMessage(text)
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, m)
	}
	files, err := emitAll(msgs)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Errorf("%d files", len(files))
	}
	for name, text := range files {
		path := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(text, want) {
			t.Errorf("%s differs; look at the diff after go test -update", name)
		}
	}
}

// TestSchemaErrors are schemas that the generator must not guess about.
func TestSchemaErrors(t *testing.T) {
	schema := func(fields string) string {
		return `{"type":"data","name":"M","validVersions":"0-2","flexibleVersions":"1+","fields":[` + fields + `]}`
	}
	for _, c := range []struct{ schema, want string }{
		{`{`, "unexpected EOF"},
		{`{"type":"data","name":"M","validVersions":"none"}`, "no valid versions"},
		{schema(`{"name":"A","type":"Missing"}`), "unknown type"},
		{schema(`{"name":"A","type":"int8","versions":"x"}`), "invalid syntax"},
		{schema(`{"name":"A","type":"int8","versions":"0+","tag":0,"taggedVersions":"1+"}`), "tagged in some of its versions only"},
		{schema(`{"name":"A","type":"int8","versions":"0+","tag":0,"taggedVersions":"0+"}`), "not flexible"},
		{schema(`{"name":"A","type":"records","versions":"1+","tag":0,"taggedVersions":"1+"}`), "stand alone"},
		{schema(`{"name":"A","type":"[]bytes","versions":"0+"}`), "array of bytes"},
		{schema(`{"name":"A","type":"string","versions":"0+","flexibleVersions":"none"}`), "flexible versions of its own"},
		{schema(`{"name":"A","type":"S","versions":"0+","fields":[]},{"name":"B","type":"S","versions":"0+","fields":[]}`), "declared twice"},
	} {
		if _, err := parseMessage([]byte(c.schema)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.schema, err, c.want)
		}
	}
	for _, c := range []struct{ schema, want string }{
		{schema(`{"name":"A","type":"[]S","versions":"0+","fields":[]}`), "no bytes"},
		{schema(`{"name":"A","type":"S","versions":"0+","nullableVersions":"1+","fields":[]}`), "nullable in some"},
		{schema(`{"name":"A","type":"[]S","versions":"0+","fields":[{"name":"B","type":"int8","versions":"0+"},
			{"name":"C","type":"[]int8","versions":"1+"}]}`), "32 bytes of memory for 1"},
	} {
		m, err := parseMessage([]byte(c.schema))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := emitAll([]*message{m}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.schema, err, c.want)
		}
	}
}

func TestWriteFilesRemovesOldOnes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"gone.gen.go", "hand.go"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeFiles(dir, map[string][]byte{"new": []byte("y")}); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	if want := []string{"hand.go", "new.gen.go"}; !slices.Equal(names, want) {
		t.Errorf("left %q, want %q", names, want)
	}
}
