package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/check"
	"github.com/twmb/franz-go/pkg/kadm"
)

// trimTimeout is how long a broker may wait for its followers to delete, too.
const trimTimeout = time.Second

// archive is what was in the logs when they were last verified: of that, and
// of nothing else, the beginning may be deleted.
type archive struct {
	logs    map[check.Partition][]check.Record // from offset 0
	trimmed map[check.Partition]int64          // no log may begin behind this
}

func newArchive() archive {
	return archive{logs: map[check.Partition][]check.Record{}, trimmed: map[check.Partition]int64{}}
}

// trim deletes the beginning of some partitions, as far as the brokers can do
// that just now.
func (l *load) trim(t *testing.T, rng *rand.Rand) {
	t.Helper()
	ask := kadm.Offsets{}
	for _, p := range l.records.Partitions() {
		if end := int64(len(l.archive.logs[p])); end > 0 && rng.IntN(2) == 0 {
			to := rng.Int64N(end + 1)
			l.archive.trimmed[p] = max(to, l.archive.trimmed[p])
			// A consumer that is further behind goes on at the new start.
			l.records.Resume(p, to)
			ask.Add(kadm.Offset{Topic: p.Topic, Partition: p.Index, At: to})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*trimTimeout)
	defer cancel()
	cl := newClient(t, l.opts)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	adm.SetTimeoutMillis(int32(trimTimeout.Milliseconds()))
	// What cannot be done is left: the start of each log tells.
	if _, err := adm.DeleteRecords(ctx, ask); err != nil {
		t.Logf("deleting records: %v", err)
	}
}

// whole reads a partition, and puts in front what was deleted from it.
func (l *load) whole(ctx context.Context, p check.Partition, start, end int64) ([]check.Record, error) {
	if limit := l.archive.trimmed[p]; start > limit {
		return nil, fmt.Errorf("%s begins at offset %d, deleted was at most what is below %d", p, start, limit)
	}
	rest, err := readLog(ctx, l.opts, p, start, end)
	if err != nil {
		return nil, err
	}
	old := l.archive.logs[p][:start]
	log := append(old[:start:start], rest...)
	l.archive.logs[p] = log
	return log, nil
}
