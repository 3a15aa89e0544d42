//go:build interop

package consumers

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// stories are what client/internal/assign is tested by.
func stories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../client/internal/assign/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	return files
}

// TestAssignorsTellTheSameStories lets the classes of 0.8.2.2 tell the stories of
// client/internal/assign, word by word.
func TestAssignorsTellTheSameStories(t *testing.T) {
	for _, file := range stories(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out, errs, exit := peer.StartJavaSource(t, "kafka-0.8.2.2", "testdata/Assign.java", nil, string(text)).Output(t)
			if exit != 0 {
				t.Fatalf("exit %d\n%s", exit, errs)
			}
			if strings.TrimSpace(out) != strings.TrimSpace(string(text)) {
				t.Errorf("it tells it so:\n%s", out)
			}
		})
	}
}

// TestWriteRandomStories renews the largest of the stories when WRITE_STORIES is
// set: groups drawn at random, dealt by the classes of 0.8.2.2.
func TestWriteRandomStories(t *testing.T) {
	file := os.Getenv("WRITE_STORIES")
	if file == "" {
		t.Skip("WRITE_STORIES names no file")
	}
	rng := rand.New(rand.NewPCG(8, 2))
	var in strings.Builder
	for n := range 60 {
		if n > 0 {
			in.WriteByte('\n')
		}
		fmt.Fprintf(&in, "# Drawn at random, %d.\n", n)
		topics := map[string]bool{}
		for range 1 + rng.IntN(4) {
			topics[[]string{"Aa", "BB", "orders", "users", "clicks", "t", "AaAa", "BBBB", "AaBB"}[rng.IntN(9)]] = true
		}
		for _, topic := range slices.Sorted(maps.Keys(topics)) {
			fmt.Fprintf(&in, "topic %s %d\n", topic, 1+rng.IntN(24))
		}
		circle := n%2 == 1
		for m := range 1 + rng.IntN(6) {
			streams := 1 + rng.IntN(3)
			line := fmt.Sprintf("member g_%c%d static", 'A'+rng.IntN(60)%26, m)
			for _, topic := range slices.Sorted(maps.Keys(topics)) {
				if circle || rng.IntN(3) > 0 {
					line += fmt.Sprintf(" %s=%d", topic, streams)
				}
			}
			fmt.Fprintln(&in, line)
		}
		fmt.Fprintln(&in, map[bool]string{false: "range", true: "round-robin"}[circle])
	}
	out, errs, exit := peer.StartJavaSource(t, "kafka-0.8.2.2", "testdata/Assign.java", nil, in.String()).Output(t)
	if exit != 0 {
		t.Fatalf("exit %d\n%s", exit, errs)
	}
	if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
}
