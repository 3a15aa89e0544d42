package admin_test

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/admin"
)

// server has a command of each kind.
func server(serves bool) http.Handler {
	return admin.Handler(admin.Config{
		URL: "/commands", Log: slog.New(slog.DiscardHandler), Serves: func() bool { return serves },
		Authorize: func(c admin.Caller) (int, string) {
			if c.Scheme != "digest" {
				return http.StatusUnauthorized, "Not authenticated"
			}
			if c.Proof != "super:x" {
				return http.StatusForbidden, "Not authorized"
			}
			return http.StatusOK, ""
		},
		Commands: []admin.Command{
			{Names: []string{"watches", "wchc"}, Get: func(_ context.Context, args url.Values) admin.Answer {
				return admin.Answer{Fields: admin.Of(
					"text", "a\"\n<"+args.Get("x"), "double", 2.0, "nan", math.NaN(), "none", nil, "empty", admin.Object{},
					"nothing", []string{}, "ids", []int64{1, 2}, "list", []admin.Object{{{"a", 1}}, {{"b", true}}},
				)}
			}},
			{Names: []string{"ruok"}, Idle: true, Get: func(context.Context, url.Values) admin.Answer {
				return admin.Answer{Fields: admin.Of("error", "of its own")}
			}},
			{Names: []string{"snapshot"}, Protected: true, Get: func(context.Context, url.Values) admin.Answer {
				return admin.Answer{Headers: admin.Of("last_zxid", "0x5"), Stream: io.NopCloser(strings.NewReader("bytes")), Size: 5}
			}},
			{Names: []string{"restore"}, Protected: true, Post: func(_ context.Context, body io.Reader) admin.Answer {
				b, _ := io.ReadAll(body)
				return admin.Answer{Status: http.StatusTooManyRequests, Fields: admin.Of("got", string(b))}
			}},
		},
	})
}

func TestAnswers(t *testing.T) {
	const auth = "digest super:x"
	f := func(serves bool, method, path, auth string, status int, want string) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader("body"))
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		w := httptest.NewRecorder()
		server(serves).ServeHTTP(w, r)
		if got := w.Body.String(); w.Code != status || got != want {
			t.Errorf("%s %s: %d\n%s\nwant %d\n%s", method, path, w.Code, got, status, want)
		}
	}
	said := func(command, fault string) string {
		return "{\n  \"command\" : \"" + command + "\",\n  \"error\" : \"" + fault + "\"\n}"
	}
	f(true, "GET", "/commands", "", 200, "<a href=\"/commands/restore\">restore</a>\n<br/>\n<a href=\"/commands/ruok\">ruok</a>\n<br/>\n"+
		"<a href=\"/commands/snapshot\">snapshot</a>\n<br/>\n<a href=\"/commands/watches\">watches</a>\n<br/>\n")
	f(true, "GET", "/commands/wchc?x=%C3%A9", "", 200, `{
  "text" : "a\"\n<é",
  "double" : 2.0,
  "nan" : "NaN",
  "none" : null,
  "empty" : { },
  "nothing" : [ ],
  "ids" : [ 1, 2 ],
  "list" : [ {
    "a" : 1
  }, {
    "b" : true
  } ],
  "command" : "watches",
  "error" : null
}`)
	f(false, "GET", "/commands/wchc", "", 200, said("wchc", admin.NotServing))
	f(false, "GET", "/commands/ruok", "", 200, "{\n  \"error\" : \"of its own\",\n  \"command\" : \"ruok\"\n}")
	f(true, "GET", "/commands/nonsense", "", 200, said("nonsense", "Unknown command: nonsense"))
	f(true, "GET", "/commands/snapshot", "", 401, said("snapshot", "Auth info is missing for the command"))
	f(true, "GET", "/commands/snapshot", "digest super:x more", 401, said("snapshot", "Not authenticated"))
	f(true, "GET", "/commands/snapshot", "foo", 401, said("snapshot", "Not authenticated"))
	f(true, "GET", "/commands/snapshot", "digest other:x", 403, said("snapshot", "Not authorized"))
	f(true, "GET", "/commands/snapshot", auth, 200, "bytes")
	f(true, "POST", "/commands/restore", auth, 429, "{\n  \"got\" : \"body\",\n  \"command\" : \"restore\",\n  \"error\" : null\n}")
	f(true, "GET", "/commands/restore", auth, 405, said("restore", "GET is not for this command"))
	f(true, "POST", "/commands/ruok", "", 405, said("ruok", "POST is not for this command"))
	f(true, "TRACE", "/commands/ruok", "", 405, "a command is given by GET or POST\n")
	f(true, "GET", "/", "", 404, "404 page not found\n")
	f(true, "GET", "/commandsruok", "", 404, "404 page not found\n")
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := admin.NewLimiter(env.Real().Clock, time.Minute)
		if !l.Allow() || l.Allow() {
			t.Fatal("one at once, and not two")
		}
		if err := env.Sleep(t.Context(), env.Real().Clock, time.Minute); err != nil || !l.Allow() {
			t.Fatal("another later")
		}
	})
	free := admin.NewLimiter(env.Real().Clock, 0)
	for range 2 {
		if !free.Allow() {
			t.Error("0 is no limit")
		}
	}
}
