package keeper_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
)

// modeOf is what a member says it is, "" while it serves nobody.
func (m *members) modeOf(i int) string {
	found := regexp.MustCompile(`(?m)^Mode: (.*)$`).FindStringSubmatch(word(m.t, m.ks[i], "srvr"))
	if found == nil {
		return ""
	}
	return found[1]
}

func TestWordsOfMembers(t *testing.T) {
	m := newMembers(t, 3)
	for i := range m.cfgs {
		m.cfgs[i].FourLetterWords = []string{"*"}
	}
	m.start(0)
	const silent = "This ZooKeeper instance is not currently serving requests"
	for w, want := range map[string]string{
		"ruok": "imok", "isro": "null", "srvr": silent + "\n", "mntr": silent + "\n", "conf": silent + "\n", "dump": silent + "\n",
		"wchs": silent + "\n", "hash": silent, "gtmk": "306",
	} {
		if got := word(t, m.ks[0], w); got != want {
			t.Errorf("%s of a member alone: %q, want %q", w, got, want)
		}
	}
	m.start(1)
	m.start(2)
	leader := -1
	eventually(t, "one leads and two follow in step", func() bool {
		var modes []string
		leader = -1
		for i := range 3 {
			modes = append(modes, m.modeOf(i))
			if modes[i] == "leader" {
				leader = i
			}
		}
		slices.Sort(modes)
		return slices.Equal(modes, []string{"follower", "follower", "leader"}) &&
			strings.Contains(word(t, m.ks[leader], "mntr"), "zk_synced_followers\t2\n")
	})
	contain := func(i int, w string, want ...string) {
		t.Helper()
		got := word(t, m.ks[i], w)
		for _, line := range want {
			if !regexp.MustCompile(line).MatchString(got) {
				t.Errorf("%s of member %d lacks %q:\n%s", w, i+1, line, got)
			}
		}
	}
	follower := (leader + 1) % 3
	contain(leader, "srvr", `\nProposal sizes last/min/max: \d+/\d+/\d+\n$`)
	contain(leader, "mntr", "zk_server_state\tleader\nzk_peer_state\tleading - broadcast\n", "zk_quorum_size\t3\n", "zk_learners\t2\n",
		"zk_followers\t2\n", "zk_synced_observers\t0\n", "zk_pending_syncs\t0\n", `zk_leader_uptime\t\d+\n`)
	contain(follower, "mntr", "zk_server_state\tfollower\nzk_peer_state\tfollowing - broadcast\n", "zk_quorum_size\t3\n", "zk_cnt_election_time\t1\n")
	contain(follower, "dump", `^SessionTracker dump:\nGlobal Sessions\(0\):\nephemeral`)
	contain(leader, "dump", `^SessionTracker dump:\nSession Sets \(0\)/\(0\):\nephemeral`)
	contain(follower, "conf", `serverId=\d\ninitLimit=\d+\nsyncLimit=\d+\nelectionAlg=3\nelectionPort=\d+\nquorumPort=\d+\npeerType=0\nmembership: \n`+
		`(server\.\d=127\.0\.0\.1:\d+:\d+:participant\S*\n){3}version=\S+$`)

	m.stop(follower)
	m.stop((leader + 2) % 3)
	eventually(t, "the last one serves nobody", func() bool { return word(t, m.ks[leader], "isro") == "null" })
	contain(leader, "stat", "^"+silent+"\n$")
}

func TestTraceMask(t *testing.T) {
	k := start(t, config(t.TempDir()), env.Real())
	if got := word(t, k, "stmk\x00\x00\x00\x00\x00\x00\x01\x02"); got != "258" {
		t.Errorf("stmk: %q", got)
	}
	if got := word(t, k, "gtmk"); got != "258" {
		t.Errorf("gtmk: %q", got)
	}
}
