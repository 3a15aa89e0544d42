package keeper

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

// serverStats are the figures of srvr and mntr. Latencies are in ms.
type serverStats struct {
	received, sent, outstanding, authFailed atomic.Int64
	count, sum, min, max                    atomic.Int64
	responses, proposals                    sizes
}

// sizes are those of the last, the smallest and the largest of something, in
// bytes, one more than they are: 0 stands for none.
type sizes struct{ last, min, max atomic.Int64 }

func (s *sizes) note(size int) {
	n := int64(size) + 1
	s.last.Store(n)
	for have := s.max.Load(); n > have && !s.max.CompareAndSwap(have, n); have = s.max.Load() {
	}
	for have := s.min.Load(); (have == 0 || n < have) && !s.min.CompareAndSwap(have, n); have = s.min.Load() {
	}
}

// values are -1 while there were none.
func (s *sizes) values() (last, least, most int64) {
	return s.last.Load() - 1, s.min.Load() - 1, s.max.Load() - 1
}

func (s *sizes) reset() {
	s.last.Store(0)
	s.min.Store(0)
	s.max.Store(0)
}

// reset starts counting anew; what is under way is not forgotten.
func (s *serverStats) reset() {
	s.received.Store(0)
	s.sent.Store(0)
	s.count.Store(0)
	s.sum.Store(0)
	s.max.Store(0)
	s.min.Store(math.MaxInt64)
	s.responses.reset()
	s.proposals.reset()
}

func (s *serverStats) latency(ms int64) {
	s.count.Add(1)
	s.sum.Add(ms)
	for {
		if have := s.max.Load(); ms <= have || s.max.CompareAndSwap(have, ms) {
			break
		}
	}
	for {
		if have := s.min.Load(); ms >= have || s.min.CompareAndSwap(have, ms) {
			break
		}
	}
}

// latencies returns min, average and max; all 0 before the first reply.
func (s *serverStats) latencies() (least int64, avg float64, most int64) {
	n := s.count.Load()
	if n == 0 {
		return 0, 0, 0
	}
	avg = math.Round(float64(s.sum.Load())/float64(n)*1e4) / 1e4
	return s.min.Load(), avg, s.max.Load()
}

// connStats are the figures of one connection, guarded by its mutex.
type connStats struct {
	received, sent int64
	lastOp         string
	lastCxid       int64
	lastZxid       int64
	lastReply      int64 // elapsed ms
	count, sum     int64 // latencies, ms
	last, min, max int64
}

func (s *connStats) reset() {
	*s = connStats{lastOp: "NA", lastCxid: -1, lastZxid: -1, min: math.MaxInt64}
}

// answered counts one reply.
func (s *connStats) answered(c *call, h zk.ReplyHeader, now time.Time, ms int64) {
	s.sent++
	s.lastOp = opWord(c.op)
	if h.Err != zk.OK && c.kind != callRead {
		s.lastOp = "NA" // so it is in ZooKeeper, which answers from elsewhere
	}
	if c.xid >= 0 {
		s.lastCxid = int64(c.xid)
	}
	s.lastZxid = h.Zxid
	s.lastReply = now.Sub(c.conn.k.started).Milliseconds()
	s.count++
	s.sum += ms
	s.last = ms
	s.min, s.max = min(s.min, ms), max(s.max, ms)
}

func (s *connStats) average() int64 {
	if s.count == 0 {
		return 0
	}
	return s.sum / s.count
}

func (s *connStats) least() int64 {
	if s.count == 0 {
		return 0
	}
	return s.min
}

// opWords are ZooKeeper's names of operations in cons.
var opWords = map[zk.Op]string{
	zk.OpPing: "PING", zk.OpCreateSession: "SESS", zk.OpMulti: "MULT", zk.OpMultiRead: "MLTR",
	zk.OpCreate: "CREA", zk.OpCreate2: "CREA", zk.OpCreateTTL: "CREA", zk.OpCreateContainer: "CREA",
	zk.OpDelete: "DELE", zk.OpSetData: "SETD", zk.OpReconfig: "RECO", zk.OpSetACL: "SETA",
	zk.OpCloseSession: "CLOS", zk.OpSync: "SYNC", zk.OpCheck: "CHEC", zk.OpExists: "EXIS",
	zk.OpGetData: "GETD", zk.OpSetWatches: "SETW", zk.OpSetWatches2: "STW2", zk.OpAddWatch: "ADDW",
	zk.OpGetACL: "GETA", zk.OpGetChildren: "GETC", zk.OpGetChildren2: "GETC",
	zk.OpGetAllChildrenNumber: "GETACN", zk.OpCheckWatches: "CHKW", zk.OpRemoveWatches: "REMW",
	zk.OpWhoAmI: "HOMI", zk.OpGetEphemerals: "GETE",
}

func opWord(op zk.Op) string {
	if w, ok := opWords[op]; ok {
		return w
	}
	return "NA"
}
