package story

import (
	"fmt"
	"strings"
	"testing"
)

func TestStories(t *testing.T) {
	Files(t, func(_ *testing.T, text string) string {
		sum := 0
		return Lines(text, func(line string) string {
			var n int
			if _, err := fmt.Sscanf(line, "add %d", &n); err != nil {
				return err.Error() + "\n"
			}
			sum += n
			return fmt.Sprintf("is %d\n", sum)
		})
	})
}

func TestWhatIsExpectedDoesNotMatter(t *testing.T) {
	got := Lines("# why\nadd 1\n----\nis 7\n\nadd 2", func(line string) string { return strings.ToUpper(line) + "\n" })
	if want := "# why\nadd 1\n----\nADD 1\n\nadd 2\n----\nADD 2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDifference(t *testing.T) {
	if got := difference("a\nb\n", "a\nc\n"); !strings.HasPrefix(got, "line 2\nwant b\ngot  c") {
		t.Error(got)
	}
	if got := difference("a", "a\nb"); !strings.HasPrefix(got, "want 1 lines, got 2") {
		t.Error(got)
	}
}
