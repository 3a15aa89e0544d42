package keeper

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/zk"
)

// Config is what one keeper is started with. Zero values mean ZooKeeper's
// defaults; names in comments are those of zoo.cfg.
type Config struct {
	// DataDir holds snapshots (dataDir), DataLogDir the log (dataLogDir; empty
	// for DataDir). Both are made when missing.
	DataDir, DataLogDir string
	// Listen are addresses for clients, host:port; none for a keeper that is
	// reached through Pipe only.
	Listen []string
	// TickTime is the unit of session expiry (tickTime, 3 s).
	TickTime time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what clients may ask for
	// (2 and 20 ticks).
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// MaxClientCnxns bounds connections per address (60); -1 is no bound.
	MaxClientCnxns int
	// FourLetterWords are the commands to answer (4lw.commands.whitelist,
	// srvr); "*" allows all.
	FourLetterWords []string
	// SnapCount is after how many transactions a snapshot is taken at the
	// latest, at half of it at the earliest (snapCount, 100,000).
	SnapCount int
	// SnapRetain is how many snapshots stay (autopurge.snapRetainCount, 3),
	// with the log that the oldest of them needs.
	SnapRetain int
	// JuteMaxBuffer is the largest request in bytes (jute.maxbuffer, 1 MiB − 1).
	JuteMaxBuffer int
	// RequestMemory bounds the bytes of larger requests in work over all clients
	// together (zookeeper.largeRequestMaxBytes, 100 MiB); a client beyond it
	// waits. The embedded broker does not.
	RequestMemory int64
	// ExtendedTypes allows nodes with a time to live (extendedTypesEnabled).
	ExtendedTypes bool
	// EnforceQuota lets hard quotas refuse writes (enforceQuota).
	EnforceQuota bool
	// SuperDigest is user:base64(sha1(user:password)) of the one whom no ACL
	// stops (DigestAuthenticationProvider.superDigest); empty for nobody.
	SuperDigest string
	// Schemes are authentication schemes besides digest and ip whose ids ACLs
	// may name.
	Schemes []string
	// Security is TLS, and who clients prove to be.
	Security Security
	// Operate is by what a running keeper is looked at and looked after.
	Operate Operate
	// Emulate is the release of ZooKeeper to answer as, 3.9 or 3.8
	// (gregor.keeper.emulate, 3.9).
	Emulate string
	// ReapInterval is how often containers and nodes past their time are looked
	// for (znode.container.checkIntervalMs, 60 s), ReapPerMinute how many are
	// removed at most (znode.container.maxPerMinute, 10,000).
	ReapInterval  time.Duration
	ReapPerMinute int
	// Member is this keeper's number in its ensemble, 1 to 254 (myid, 1).
	Member uint64
	// Servers are the members of the ensemble, this one included (server.N); none
	// for a keeper that is alone.
	Servers []ensemble.Server
	// ReconfigEnabled lets clients change the members at run time (reconfigEnabled).
	// Without it the servers of zoo.cfg are taken in when they come.
	ReconfigEnabled bool
	// ReadOnlyMode shows clients that allow it what was last known while there is no
	// leader (readonlymode.enabled).
	ReadOnlyMode bool
	// QuorumListenAll listens for other members on all addresses
	// (quorumListenOnAllIPs).
	QuorumListenAll bool
}

// DefaultTickTime is ZooKeeper's tick when none is configured.
const DefaultTickTime = 3 * time.Second

// maxMember keeps session ids apart from the marks of containers and TTLs.
const maxMember = 254

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	c.DataLogDir = cmp.Or(c.DataLogDir, c.DataDir)
	c.TickTime = cmp.Or(c.TickTime, DefaultTickTime)
	c.MinSessionTimeout = cmp.Or(c.MinSessionTimeout, 2*c.TickTime)
	c.MaxSessionTimeout = cmp.Or(c.MaxSessionTimeout, 20*c.TickTime)
	c.MaxClientCnxns = cmp.Or(c.MaxClientCnxns, 60)
	if c.FourLetterWords == nil {
		c.FourLetterWords = []string{"srvr"}
	}
	c.SnapCount = cmp.Or(c.SnapCount, 100_000)
	c.SnapRetain = cmp.Or(c.SnapRetain, 3)
	c.JuteMaxBuffer = cmp.Or(c.JuteMaxBuffer, zk.MaxFrame)
	c.RequestMemory = cmp.Or(c.RequestMemory, 100<<20)
	c.ReapInterval = cmp.Or(c.ReapInterval, time.Minute)
	c.ReapPerMinute = cmp.Or(c.ReapPerMinute, 10_000)
	c.Member = cmp.Or(c.Member, 1)
	c.Schemes = append(slices.Clip(c.Schemes), c.Security.schemes()...)
	return c
}

// check names every value that cannot be used.
func (c Config) check() error {
	var errs []error
	rule := func(ok bool, name string, value any, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s=%v: %s", name, value, rule))
		}
	}
	errs = append(errs, checkEmulate(c.Emulate))
	const sane = 1 << 30 // of a frame, in bytes: its length is 31 bits
	rule(c.DataDir != "", "dataDir", `""`, "must be set")
	rule(c.TickTime >= time.Millisecond, "tickTime", c.TickTime, "must be at least 1 ms")
	rule(c.MinSessionTimeout > 0 && c.MinSessionTimeout <= c.MaxSessionTimeout, "minSessionTimeout", c.MinSessionTimeout,
		fmt.Sprintf("must be above 0 and not above maxSessionTimeout=%v", c.MaxSessionTimeout))
	rule(c.MaxClientCnxns >= -1, "maxClientCnxns", c.MaxClientCnxns, "must not be negative")
	rule(c.SnapCount >= 2, "snapCount", c.SnapCount, "must be at least 2")
	rule(c.SnapRetain >= 1, "autopurge.snapRetainCount", c.SnapRetain, "must be at least 1")
	rule(c.JuteMaxBuffer >= 1<<10 && c.JuteMaxBuffer <= sane, "jute.maxbuffer", c.JuteMaxBuffer, "must be 1024 to 1073741824")
	rule(c.RequestMemory > 0, "largeRequestMaxBytes", c.RequestMemory, "must be above 0")
	rule(c.Member >= 1 && c.Member <= maxMember, "myid", c.Member, "must be 1 to 254")
	return errors.Join(append(errs, c.Security.check(), c.Operate.check(&c.Security))...)
}
