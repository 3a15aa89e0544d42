package group

import (
	"testing"
	"time"
)

// FuzzReplay feeds records of an untrusted log, then has the machine work with
// what it made of them.
func FuzzReplay(f *testing.F) {
	g := newGroup("g")
	g.protocolType, g.generation, g.protocol = "consumer", 7, new("p")
	g.add(&member{id: "m", instance: new("i"), protocols: []Protocol{{"p", subscription("t")}}}, "consumer")
	seeds := []Record{}
	for _, make := range []func() (Record, error){
		func() (Record, error) { return groupRecord(g, map[string][]byte{"m": []byte("a")}) },
		func() (Record, error) { return offsetRecord("g", topicPartition{"t", 0}, &offset{expires: -1}) },
		func() (Record, error) { return offsetRecord("g", topicPartition{"t", 0}, nil) },
	} {
		r, err := make()
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, r)
	}
	for _, r := range seeds {
		f.Add(r.Key, r.Value, r.Value == nil, int64(-1), seeds[1].Key, seeds[1].Value)
		f.Add(r.Key, r.Value, r.Value == nil, int64(7), seeds[0].Key, seeds[0].Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, producer int64, key2, value2 []byte) {
		m := New(DefaultConfig())
		if null {
			value = nil
		}
		// Errors say what was skipped; they are no failure of the load.
		_ = m.Replay(0, producer, key, value)
		_ = m.Replay(1, producer, key2, value2)
		_ = m.Replay(2, -1, key, value)
		m.ReplayMarker(producer, len(key)%2 == 0)
		now := storyStart
		id := uint64(0)
		step := func(e Event) {
			writes := m.Step(now, e).Writes
			for len(writes) > 0 {
				id = writes[0].ID
				more := m.Step(now, WriteDone{ID: id, Base: int64(id)}).Writes
				writes = append(writes[:0:0], more...)
			}
		}
		step(Loaded{})
		for _, name := range m.names() {
			step(Join{Ticket: 1, Group: name, Session: 10 * time.Second, ProtocolType: "consumer", Protocols: []Protocol{{"p", nil}}, UUID: "u"})
			step(Fetch{Ticket: 2, Group: name, RequireStable: true})
			step(Describe{3, name})
			step(Tick{name})
		}
		now = now.Add(30 * 24 * time.Hour)
		for _, name := range m.names() {
			step(Tick{name})
			step(Tick{name})
		}
		step(Expire{})
		step(List{Ticket: 4})
		step(Resign{})
	})
}
