// Package story runs tests that are told in text files: what happens to a
// machine, and what it does about it.
//
// A file in testdata is a row of blocks with a blank line between them. A
// block has lines of input, a line of four dashes, and the lines that came of
// it. Input that begins with # is a comment. Every block goes on where the one
// before it ended. go test -update rewrites the files, for review as a diff.
//
//   - Owns: the flag -update.
//   - Goroutines: none.
//   - Disk: reads testdata, and writes it under -update.
//   - Locks: none.
//   - Kafka counterpart: none.
package story

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what testdata expects")

const rule = "----"

// Files runs each story in testdata as a subtest: tell is given its text and
// returns how it went, as Lines and Blocks do. Stories must go the same way
// every time.
func Files(t *testing.T, tell func(t *testing.T, text string) string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(t, string(text))
			if again := tell(t, string(text)); again != got {
				t.Errorf("two runs differ: %s", difference(got, again))
			}
			Golden(t, file, got)
		})
	}
}

// Golden compares what a test got with what a file says, or writes the file.
func Golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: %s\n-update rewrites the file.", file, difference(string(want), got))
	}
}

// Lines retells a story whose every line of input is an event of its own: play
// returns what came of it, in whole lines.
func Lines(text string, play func(line string) string) string {
	return Blocks(text, func(lines []string) string {
		var out strings.Builder
		for _, line := range lines {
			out.WriteString(play(strings.TrimSpace(line)))
		}
		return out.String()
	})
}

// Blocks retells a story block by block: play is given a block's lines, without
// comments and with their indentation, and returns what came of them.
func Blocks(text string, play func(lines []string) string) string {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		input, _, _ := strings.Cut(block, "\n"+rule)
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(input + "\n")
		if lines := events(input); len(lines) > 0 {
			fmt.Fprintf(&out, "%s\n%s", rule, play(lines))
		}
	}
	return out.String()
}

// events are the lines of input that are neither blank nor comments.
func events(input string) []string {
	var out []string
	for line := range strings.SplitSeq(input, "\n") {
		if bare := strings.TrimSpace(line); bare != "" && bare[0] != '#' {
			out = append(out, strings.TrimRight(line, " \t"))
		}
	}
	return out
}

// difference shows the first line in which two texts differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s\nwhole:\n%s", i+1, w[i], g[i], got)
		}
	}
	return fmt.Sprintf("want %d lines, got %d:\n%s", len(w), len(g), got)
}
