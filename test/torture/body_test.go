package torture

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/inside"
	"github.com/gregor-mq/gregor/wire"
)

// shared is the broker that all bodies go to; a fuzzer runs its function often.
var shared struct {
	once    sync.Once
	machine *inside.Machine
	err     error
}

func broker(t testing.TB) *inside.Machine {
	t.Helper()
	shared.once.Do(func() {
		shared.machine = inside.New(0, map[string]string{"offsets.topic.num.partitions": "1", "auto.create.topics.enable": "true"})
		_, shared.err = shared.machine.Start(t.Context()) // ends with the process
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.machine
}

// answerLimit is how long to wait for the answer to a body of chance: a fetch
// or a join that happens to be right may wait for long, and is then left.
const answerLimit = 30 * time.Millisecond

// throw sends one request and takes whatever comes: an answer, the end of the
// connection, or nothing yet. A panic ends the test binary.
func throw(t testing.TB, m *inside.Machine, key wire.Key, version int16, body []byte) {
	t.Helper()
	nc, err := m.Net.Dial(t.Context(), "tcp", inside.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(framed(append(header(key, version), body...))); err != nil {
		return // closed in the middle
	}
	readAnswer(nc)
}

func readAnswer(nc net.Conn) {
	_ = nc.SetReadDeadline(time.Now().Add(answerLimit)) // a deadline that fails shows at the read
	var size [4]byte
	if _, err := io.ReadFull(nc, size[:]); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(size[:])))
}

// served calls f for every key and version that a broker tells of.
func served(f func(key wire.Key, version int16, body []byte)) {
	for key := range wire.Key(100) {
		lowest, highest, ok := wire.Versions(key)
		if !ok {
			continue
		}
		for v := lowest; v <= highest; v++ {
			body, err := wire.Append(nil, wire.NewRequest(key), v)
			if err != nil {
				body = nil // has fields without a default in this version
			}
			f(key, v, body)
		}
	}
}

// harmful are requests of a controller: right ones of chance would take the
// broker's partitions away for all that follow.
func harmful(key wire.Key) bool {
	return key == wire.KeyLeaderAndIsr || key == wire.KeyStopReplica || key == wire.KeyUpdateMetadata || key == wire.KeyControlledShutdown
}

// TestBodiesOfChance throws right, cut, flipped and random bodies at every API
// in every version; the broker lives on.
func TestBodiesOfChance(t *testing.T) {
	m := broker(t)
	rng := rand.New(rand.NewPCG(*seedFlag, 1))
	served(func(key wire.Key, version int16, body []byte) {
		if !harmful(key) {
			throw(t, m, key, version, body)
		}
		if len(body) > 1 {
			throw(t, m, key, version, body[:rng.IntN(len(body))])
			flipped := append([]byte{}, body...)
			flipped[rng.IntN(len(flipped))] ^= 1 << rng.IntN(8)
			throw(t, m, key, version, flipped)
		}
		throw(t, m, key, version, noise(rng, rng.IntN(60)))
	})
	ask(t, m)
}

// FuzzBodies is the same with what a fuzzer thinks of.
func FuzzBodies(f *testing.F) {
	served(func(key wire.Key, version int16, body []byte) { f.Add(int16(key), version, body) })
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if harmful(wire.Key(key)) {
			t.Skip()
		}
		throw(t, broker(t), wire.Key(key), version, body)
	})
}
