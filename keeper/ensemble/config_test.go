package ensemble

import (
	"strings"
	"testing"
)

func TestServers(t *testing.T) {
	good := func(value, want string) {
		t.Helper()
		s, err := ParseServer("3", value)
		if err != nil || s.String() != "server.3="+want {
			t.Errorf("%s: %s, %v", value, s, err)
		}
	}
	good("h:2888:3888", "h:2888:3888:participant")
	good("h:2888:3888:observer", "h:2888:3888:observer")
	good("h:2888:3888:PARTICIPANT;2181", "h:2888:3888:participant;0.0.0.0:2181")
	good("h:2888:3888;c:2181", "h:2888:3888:participant;c:2181")
	good("[::1]:2888:3888;[::2]:2181", "[::1]:2888:3888:participant;[::2]:2181")
	good("h:2888:3888|i:2889:3889", "h:2888:3888:participant")
	bad := func(number, value, rule string) {
		t.Helper()
		if s, err := ParseServer(number, value); err == nil || !strings.Contains(err.Error(), rule) || !strings.Contains(err.Error(), number) {
			t.Errorf("%s=%s: %v, %v", number, value, s, err)
		}
	}
	bad("0", "h:2888:3888", "1 to 254")
	bad("255", "h:2888:3888", "1 to 254")
	bad("x", "h:2888:3888", "1 to 254")
	bad("1", "h:2888", form)
	bad("1", ":2888:3888", form)
	bad("1", "h:2888:3888:observer:9", form)
	bad("1", "h:0:3888", "no port")
	bad("1", "h:2888:65536", "no port")
	bad("1", "h:2888:3888:leader", "participant or observer")
	bad("1", "h:2888:3888;x", "no port")
}

const three = "server.1=a:1:2:participant;0.0.0.0:9\nserver.2=b:1:2:participant;0.0.0.0:9\nserver.3=c:1:2:observer;0.0.0.0:9\nversion=1f"

func TestConfigComesBack(t *testing.T) {
	c, err := ParseConfig(three)
	if err != nil || c.String() != three || c.Version != 0x1f || len(c.Voters()) != 2 {
		t.Fatalf("%s, %v", c, err)
	}
	if s, ok := c.Find(3); !ok || !s.Observer {
		t.Errorf("server 3: %v", s)
	}
	if _, ok := c.Find(4); ok {
		t.Error("there is no server 4")
	}
	if c, err := ParseConfig(" server.2=b:1:2 , server.1=a:1:2"); err != nil || c.Servers[0].Number != 1 {
		t.Errorf("%v, %v", c, err)
	}
	bad := func(text, rule string) {
		t.Helper()
		if c, err := ParseConfig(text); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
	bad("server.1=a:1:2\nserver.1=b:1:2", "there twice")
	bad("server.1=a:1:2\nserver.2=a:1:3", "share the address a:1")
	bad("server.1=a:1:2:observer", "participant")
	bad("version=zz", "hexadecimal")
	bad("quorum=1", "no line server.N")
}

func TestChange(t *testing.T) {
	c, err := ParseConfig(three)
	if err != nil {
		t.Fatal(err)
	}
	numbers := func(c Config) (out []uint64) {
		for _, s := range c.Servers {
			out = append(out, s.Number)
		}
		return out
	}
	ask := func(joining, leaving, members string) (Config, error) {
		text := func(s string) *string {
			if s == "" {
				return nil
			}
			return &s
		}
		return c.Change(text(joining), text(leaving), text(members))
	}
	good := func(joining, leaving, members string, voters int, want ...uint64) {
		t.Helper()
		next, err := ask(joining, leaving, members)
		got := numbers(next)
		same := len(got) == len(want)
		for i := range got {
			same = same && got[i] == want[i]
		}
		if err != nil || !same || len(next.Voters()) != voters {
			t.Errorf("joining %q, leaving %q, members %q: %v, %v", joining, leaving, members, next, err)
		}
	}
	good("", "3", "", 2, 1, 2)
	good("", "1, 3", "", 1, 2)
	good("", "77", "", 2, 1, 2, 3)
	good("server.4=d:1:2;9", "", "", 3, 1, 2, 3, 4)
	good("server.3=c:1:2;9", "", "", 3, 1, 2, 3) // it gets a vote
	good("server.4=d:1:2;9,server.5=e:1:2:observer;9", "1", "", 2, 2, 3, 4, 5)
	good("", "", "server.7=a:1:2;9", 1, 7)
	bad := func(joining, leaving, members, rule string) {
		t.Helper()
		if next, err := ask(joining, leaving, members); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("joining %q, leaving %q, members %q: %v, %v", joining, leaving, members, next, err)
		}
	}
	bad("", "1,2", "", "participant")
	bad("", "1,2,3", "", "participant")
	bad("", "x", "", "number of a server")
	bad("server.4=d:1:2", "", "", "client port")
	bad("server.4=a:1:2;9", "", "", "share the address")
	bad("server.4=d", "", "", form)
	bad("", "", "version=1", "participant")
	if len(c.Servers) != 3 {
		t.Error("a change changed what it began with")
	}
}
