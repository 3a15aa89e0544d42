package watch

import (
	"testing"

	"github.com/gregor-mq/gregor/zk"
)

// BenchmarkFire arms and fires a watch of 10,000 connections on one path, each kind
// in its turn.
func BenchmarkFire(b *testing.B) {
	const conns = 10_000
	for _, kind := range []struct {
		name string
		add  func(*Table, Conn)
		typ  zk.EventType
	}{
		{"standard", func(t *Table, c Conn) { t.AddData(c, "/a/b") }, zk.EventDataChanged},
		{"persistent", func(t *Table, c Conn) { t.AddPersistent(c, "/a/b") }, zk.EventDataChanged},
		{"recursive", func(t *Table, c Conn) { t.AddRecursive(c, "/a") }, zk.EventDataChanged},
		{"deleted", func(t *Table, c Conn) { t.AddData(c, "/a/b"); t.AddChild(c, "/a/b") }, zk.EventDeleted},
	} {
		b.Run(kind.name, func(b *testing.B) {
			t := New()
			var told []Conn
			b.ReportAllocs()
			for b.Loop() {
				for c := range Conn(conns) {
					kind.add(t, c+1)
				}
				if told = t.Fire(told[:0], kind.typ, "/a/b"); len(told) != conns {
					b.Fatalf("%d were told", len(told))
				}
			}
		})
	}
}
