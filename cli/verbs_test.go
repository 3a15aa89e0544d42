package cli_test

import (
	"testing"

	"github.com/gregor-mq/gregor/test/verb"
)

// TestUnknownVerb: a word that is no verb is an error, with what it may have meant,
// and nothing goes to the standard output.
func TestUnknownVerb(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		out, errs, code := verb.Do(t, "", args...)
		if code != 1 || out != "" || errs != "gregor: "+want+"\n" {
			t.Errorf("%v: %d, %q, %q, want %q", args, code, out, errs, want)
		}
	}
	f(`unknown command "lst" for "gregor topics"; did you mean list?`, "topics", "lst")
	f(`unknown command "lss" for "gregor zk"; did you mean ls?`, "zk", "lss", "/")
	f(`unknown command "lag" for "gregor groups"`, "groups", "lag", "--group", "g")
	f(`unknown command "dwn" for "gregor cluster"; did you mean down?`, "cluster", "dwn")
	f("unknown flag: --grp", "groups", "--grp", "g")
	if out := verb.Must(t, "", "groups"); out == "" {
		t.Error("no help")
	}
}
