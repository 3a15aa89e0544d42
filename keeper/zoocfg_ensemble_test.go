package keeper

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper/ensemble"
)

const threeServers = `dataDir=/d
server.1=10.0.0.1:2888:3888
server.2=10.0.0.2:2888:3888:participant;2182
server.3=[2001:db8::3]:2888:3888:observer;127.0.0.1:2183
`

func TestLoadZooCfgKnowsTheMembers(t *testing.T) {
	disk := memfs.New(0, time.Now)
	mkdir(t, disk, "/d")
	writeFile(t, disk, "/d/myid", []byte("2\n"))
	got, warnings, err := LoadZooCfg(disk, []byte(threeServers+"initLimit=10\nsyncLimit=5\nstandaloneEnabled=false\nreconfigEnabled=true\n"))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %q", err, warnings)
	}
	want := Config{
		DataDir: "/d", Member: 2, Listen: []string{"0.0.0.0:2182"}, ReconfigEnabled: true,
		Servers: []ensemble.Server{
			{Number: 1, Host: "10.0.0.1", QuorumPort: 2888, ElectionPort: 3888},
			{Number: 2, Host: "10.0.0.2", QuorumPort: 2888, ElectionPort: 3888, Client: "0.0.0.0:2182"},
			{Number: 3, Host: "2001:db8::3", QuorumPort: 2888, ElectionPort: 3888, Observer: true, Client: "127.0.0.1:2183"},
		},
	}
	got.Operate = Operate{} // has a test of its own
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	writeFile(t, disk, "/dynamic", []byte("server.1=a:1:2;3\nserver.2=b:1:2;3\nversion=100000000\n"))
	got, _, err = LoadZooCfg(disk, []byte("dataDir=/d\nmyid=1\ndynamicConfigFile=/dynamic\n"))
	if err != nil || len(got.Servers) != 2 || got.Member != 1 || got.Listen[0] != "0.0.0.0:3" {
		t.Errorf("dynamic: %v, %+v", err, got)
	}
}

func TestLoadZooCfgRefuses(t *testing.T) {
	f := func(text, id string, want ...string) {
		t.Helper()
		disk := memfs.New(0, time.Now)
		if id != "" {
			mkdir(t, disk, "/d")
			writeFile(t, disk, "/d/myid", []byte(id))
		}
		_, _, err := LoadZooCfg(disk, []byte(text))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v, want %q", text, err, w)
			}
		}
	}
	f(threeServers, "", "/d/myid is missing", "--override myid=N")
	f(threeServers, "two", "/d/myid", `"two"`, "1 to 254")
	f(threeServers, "4", "myid=4", "no line server.4")
	f(threeServers+"server.1=c:1:2\n", "1", "server.1 is there twice")
	f(threeServers+"server.4=10.0.0.1:2888:4888\n", "1", "server.1 and server.4 share the address 10.0.0.1:2888")
	f("dataDir=/d\nserver.255=a:1:2\n", "1", "server.255=a:1:2", "1 to 254")
	f("dataDir=/d\nserver.1=a\n", "1", "server.1=a", "host:port:port")
	f("dataDir=/d\nserver.1=a:0:2\n", "1", "server.1=a:0:2", `"0" is no port`)
	f("dataDir=/d\nserver.1=a:1:2:leader\n", "1", "participant or observer")
	f("dataDir=/d\nserver.1=a:1:2:observer\nserver.2=b:1:2:observer\n", "1", "at least one server must be a participant")
	f("dataDir=/d\ndynamicConfigFile=/none\n", "1", "dynamicConfigFile=/none")
	f("dataDir=/d\nsyncLimit=x\n", "1", "syncLimit=x", "whole number")
}

func mkdir(t *testing.T, disk *memfs.FS, dir string) {
	t.Helper()
	if err := disk.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}
