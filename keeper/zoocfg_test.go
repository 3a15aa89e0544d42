package keeper

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseZooCfg(t *testing.T) {
	got, warnings, err := ParseZooCfg([]byte(`
# a comment
! another
tickTime=2000
dataDir = /var/lib/zk
dataLogDir: /var/log/zk
clientPort 2181
clientPortAddress=10.0.0.1
maxClientCnxns=0
minSessionTimeout=-1
maxSessionTimeout=90000
snapCount=5000
autopurge.snapRetainCount=5
autopurge.purgeInterval=1
jute.maxbuffer=4194304
extendedTypesEnabled=true
4lw.commands.whitelist=stat, ruok,srvr
initLimit=10
syncLimit=5
fsync.warningthresholdms=5
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		TickTime: 2 * time.Second, DataDir: "/var/lib/zk", DataLogDir: "/var/log/zk", Listen: []string{"10.0.0.1:2181"},
		MaxClientCnxns: -1, MaxSessionTimeout: 90 * time.Second, SnapCount: 5000, SnapRetain: 5, JuteMaxBuffer: 4 << 20,
		ExtendedTypes: true, FourLetterWords: []string{"stat", "ruok", "srvr"},
	}
	got.Operate = Operate{} // has a test of its own
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "fsync.warningthresholdms=5") {
		t.Errorf("%q", warnings)
	}
}

func TestParseZooCfgRefusesWhatMustNotBeIgnored(t *testing.T) {
	for _, line := range []string{"group.1=1:2:3", "weight.1=2"} {
		_, _, err := ParseZooCfg([]byte("dataDir=/d\n" + line + "\n"))
		if err == nil || !strings.Contains(err.Error(), line) || !strings.Contains(err.Error(), "one vote") {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{"authProvider.1=org.example.Auth", "zookeeper.authProvider.sasl=x"} {
		_, _, err := ParseZooCfg([]byte("dataDir=/d\n" + line + "\n"))
		if err == nil || !strings.Contains(err.Error(), line) || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestParseZooCfgRefuses(t *testing.T) {
	f := func(line string, want ...string) {
		t.Helper()
		_, _, err := ParseZooCfg([]byte("dataDir=/d\n" + line + "\n"))
		if err == nil {
			t.Errorf("%s: accepted", line)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not say %q", line, err, w)
			}
		}
	}
	f("tickTime=0", "tickTime=0", "above 0")
	f("tickTime=abc", "tickTime=abc")
	f("clientPort=70000", "clientPort=70000", "65535")
	f("clientPortAddress=::1", "clientPort")
	f("maxClientCnxns=-3", "maxClientCnxns=-3")
	f("snapCount=1", "snapCount=1", "at least 2")
	f("extendedTypesEnabled=perhaps", "true or false")
	f("4lw.commands.whitelist=stat,nope", "nope")
	f("autopurge.purgeInterval=-1", "autopurge.purgeInterval=-1")
	f("jute.maxbuffer=10", "jute.maxbuffer=10")
	f("dataDir=", "dataDir=", "empty")
	f("minSessionTimeout=90000", "minSessionTimeout", "maxSessionTimeout")
	if _, _, err := ParseZooCfg(nil); err == nil || !strings.Contains(err.Error(), "dataDir") {
		t.Errorf("without dataDir: %v", err)
	}
}

// TestPasswordsAreJavas compares with java.util.Random.
func TestPasswordsAreJavas(t *testing.T) {
	// new Random(0x100000000000001L ^ 0xB3415C00L).nextBytes is not at hand in a
	// Go test; Random(42) is: -1170105035, 234785527 are its first two ints.
	p := password(42 ^ passwordSalt)
	want := []byte{0x35, 0x9d, 0x41, 0xba, 0xf7, 0x8a, 0xfe, 0x0d}
	if !reflect.DeepEqual(p[:8], want) {
		t.Errorf("% x, want % x", p[:8], want)
	}
}

func TestDigestsAreZooKeepers(t *testing.T) {
	// From the documentation of DigestAuthenticationProvider.
	if got := digest("super:admin"); got != "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=" {
		t.Error(got)
	}
	if got := digest("nouser"); !strings.HasPrefix(got, "nouser:") {
		t.Error(got)
	}
}
