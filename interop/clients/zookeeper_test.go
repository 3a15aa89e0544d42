//go:build interop

package clients

import (
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

// TestZooKeeperShell looks at a broker's znodes as its operators do.
func TestZooKeeperShell(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic := name(t, "t")
	createTopic(t, b, topic, 1)
	shell := func(commands ...string) string {
		out, errs, _ := peer.ToolWithInput(t, strings.Join(commands, "\n")+"\nquit\n", "zookeeper-shell", "-server", b.ZooKeeper)
		return out + errs
	}
	out := shell("get /controller", "ls /brokers/ids", "get /brokers/ids/0", "get /cluster/id", "get /brokers/topics/"+topic,
		"get /brokers/topics/"+topic+"/partitions/0/state", "stat /brokers/ids/0", "ls /no-such-node", "getAcl /brokers")
	for _, want := range []string{`"brokerid":0`, "[0]", `"endpoints":["PLAINTEXT://` + b.Addr + `"]`, `"version":"1","id":"`, `"partitions":{"0":[0]}`,
		`"leader":0`, `"isr":[0]`, "ephemeralOwner = 0x", "Node does not exist: /no-such-node", "'world,'anyone"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "ephemeralOwner = 0x0\n") {
		t.Errorf("the broker's node is not ephemeral:\n%s", out)
	}
}

var keeper = peer.Once(func(s peer.Scope) *peer.Ensemble { return peer.TargetKeeper(s, peer.ZooKeeperOptions{}) })

// TestZooKeeperCLI walks through what the command line of ZooKeeper itself can
// do with nodes.
func TestZooKeeperCLI(t *testing.T) {
	for _, version := range []string{"3.8.4", "3.9.4"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			k := keeper(t)
			root := "/" + name(t, "cli")
			out, errs, _ := peer.ZooKeeperCLI(t, version, k.Addr, strings.Join([]string{
				"create " + root + " one", "create -e " + root + "/e x", "create -s " + root + "/s y", "create -e -s " + root + "/es z",
				"create -c " + root + "/container", "create -t 60000 " + root + "/ttl soon", "ls " + root, "ls -R " + root, "ls -s " + root,
				"get -s " + root, "set " + root + " two", "get " + root, "set -v 0 " + root + " three", "delete -v 5 " + root + "/ttl", "delete " + root,
				"getEphemerals " + root, "getAllChildrenNumber " + root, "setAcl " + root + "/ttl world:anyone:r", "getAcl " + root + "/ttl", "set " + root + "/ttl no",
				"addauth digest me:secret", "create " + root + "/mine x auth::cdrwa", "getAcl " + root + "/mine", "sync " + root,
				"setquota -n 3 " + root, "listquota " + root, "delquota " + root, "deleteall " + root + "/container", "version", "quit"}, "\n")+"\n")
			got := out + errs
			for _, want := range []string{"Created " + root, "Created " + root + "/s0000000001", "Created " + root + "/es0000000002",
				"[container, e, es0000000002, s0000000001, ttl]", root + "/container\n" + root + "/e\n", "numChildren = 5", "dataVersion = 0", "dataLength = 3",
				"\ntwo\n", "version No is not valid : " + root, "version No is not valid : " + root + "/ttl", "Node not empty: " + root,
				"'world,'anyone\n: r", "Insufficient permission : " + root + "/ttl", "'digest,'me:", ": cdrwa", "Sync is OK", "count=3"} {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			mine := func(l string) bool { // in no certain order
				return strings.HasPrefix(l, "[") && strings.Contains(l, root+"/e,") != strings.Contains(l, root+"/e]") && strings.Contains(l, root+"/es0000000002")
			}
			if !slices.ContainsFunc(lines(got), mine) {
				t.Errorf("getEphemerals in\n%s", got)
			}
		})
	}
}

// TestFourLetterWords reads what monitoring reads.
func TestFourLetterWords(t *testing.T) {
	t.Parallel()
	k := keeper(t)
	for word, wants := range map[string][]string{
		"ruok": {"imok"},
		"srvr": {"Zookeeper version: 3.9.", "Mode: standalone", "Node count: ", "Zxid: 0x"},
		"stat": {"Clients:", "Latency min/avg/max: "},
		"mntr": {"zk_version\t3.9.", "zk_server_state\tstandalone", "zk_znode_count\t", "zk_ephemerals_count\t", "zk_num_alive_connections\t"},
		"conf": {"clientPort=", "dataDir=", "tickTime=2000", "maxSessionTimeout=40000"},
		"envi": {"Environment:"},
		"isro": {"rw"},
		"cons": {"queued="},
		"dump": {"Sessions with Ephemerals"},
		"wchs": {"watching"},
	} {
		out, err := k.Word(word)
		if err != nil {
			t.Errorf("%s: %v", word, err)
		}
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", word, want, out)
			}
		}
	}
}
