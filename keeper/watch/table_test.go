package watch

import (
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/zk"
)

func fire(t *Table, typ zk.EventType, path string) []Conn {
	got := t.Fire(nil, typ, path)
	slices.Sort(got)
	return got
}

func TestStandardWatchesFireOnce(t *testing.T) {
	w := New()
	w.AddData(1, "/a")
	w.AddData(1, "/a") // again is the same watch
	w.AddData(2, "/a")
	w.AddChild(2, "/a")
	w.AddChild(3, "/a")
	if c := w.Counts(); c != (Counts{Conns: 2, Paths: 1, Data: 2, All: 4}) {
		t.Fatalf("%+v", c)
	}
	f := func(typ zk.EventType, path string, want ...Conn) {
		t.Helper()
		if got := fire(w, typ, path); !slices.Equal(got, want) {
			t.Fatalf("%v %s tells %v, want %v", typ, path, got, want)
		}
	}
	f(zk.EventCreated, "/b")
	f(zk.EventDataChanged, "/a", 1, 2)
	f(zk.EventDataChanged, "/a")
	f(zk.EventChildrenChanged, "/a", 2, 3)
	f(zk.EventChildrenChanged, "/a")
	if c := w.Counts(); c != (Counts{}) {
		t.Fatalf("%+v", c)
	}
	w.AddData(1, "/a")
	w.AddChild(1, "/a")
	w.AddChild(2, "/a")
	f(zk.EventDeleted, "/a", 1, 2) // once, though 1 watches both
	f(zk.EventDeleted, "/a")
}

func TestPersistentAndRecursive(t *testing.T) {
	w := New()
	w.AddPersistent(1, "/a")
	w.AddRecursive(2, "/a")
	w.AddRecursive(3, "/")
	w.AddData(2, "/a/b")
	f := func(typ zk.EventType, path string, want ...Conn) {
		t.Helper()
		if got := fire(w, typ, path); !slices.Equal(got, want) {
			t.Fatalf("%v %s tells %v, want %v", typ, path, got, want)
		}
	}
	for range 2 {
		f(zk.EventDataChanged, "/a", 1, 2, 3)
		f(zk.EventChildrenChanged, "/a", 1)
		f(zk.EventCreated, "/a/b", 2, 3)
		f(zk.EventDeleted, "/a/b/c", 2, 3)
		f(zk.EventChildrenChanged, "/a/b")
		f(zk.EventDataChanged, "/ab", 3)
		f(zk.EventDataChanged, "/", 3)
		f(zk.EventDeleted, "/a", 1, 2, 3)
	}
	w.Drop(3)
	f(zk.EventCreated, "/x")
	w.Drop(2)
	f(zk.EventCreated, "/a/b")
	w.Drop(1)
	if c := w.Counts(); c != (Counts{}) || w.mu.data.recursive != 0 {
		t.Fatalf("%+v, %d recursive", c, w.mu.data.recursive)
	}
}

func TestHasAndRemoveByType(t *testing.T) {
	all := []zk.WatcherType{zk.WatcherChildren, zk.WatcherData, zk.WatcherPersistent, zk.WatcherPersistentRecursive, zk.WatcherAny}
	add := map[zk.WatcherType]func(*Table){
		zk.WatcherChildren:            func(w *Table) { w.AddChild(1, "/a") },
		zk.WatcherData:                func(w *Table) { w.AddData(1, "/a") },
		zk.WatcherPersistent:          func(w *Table) { w.AddPersistent(1, "/a") },
		zk.WatcherPersistentRecursive: func(w *Table) { w.AddRecursive(1, "/a") },
	}
	for typ, put := range add {
		for _, asked := range all {
			w := New()
			w.AddData(2, "/a")
			put(w)
			want := asked == typ || asked == zk.WatcherAny
			if got := w.Has(1, "/a", asked); got != want {
				t.Errorf("has %v with only %v: %v", asked, typ, got)
			}
			if got := w.Remove(1, "/a", asked); got != want {
				t.Errorf("remove %v with only %v: %v", asked, typ, got)
			}
			if got := w.Has(1, "/a", typ); got == want {
				t.Errorf("after removing %v, %v is there: %v", asked, typ, got)
			}
			if !w.Has(2, "/a", zk.WatcherData) || w.Has(2, "/b", zk.WatcherAny) {
				t.Error("another connection's watch changed")
			}
		}
	}
	w := New()
	for _, put := range add {
		put(w)
	}
	if !w.Remove(1, "/a", zk.WatcherData) || w.Remove(1, "/a", zk.WatcherData) {
		t.Error("the data watch goes once")
	}
	if got := fire(w, zk.EventDataChanged, "/a/b"); !slices.Equal(got, []Conn{1}) {
		t.Errorf("the recursive watch went too: %v", got)
	}
	if !w.Remove(1, "/a", zk.WatcherAny) || w.Counts() != (Counts{}) || w.mu.data.recursive != 0 {
		t.Errorf("left: %+v", w.Counts())
	}
}

func TestListings(t *testing.T) {
	w := New()
	w.AddData(2, "/b")
	w.AddData(1, "/b")
	w.AddData(1, "/a")
	w.AddChild(3, "/a")
	if got := w.ByPath(); len(got) != 2 || !slices.Equal(got["/b"], []Conn{1, 2}) {
		t.Errorf("%v", got)
	}
	if got := w.ByConn(); len(got) != 2 || !slices.Equal(got[1], []string{"/a", "/b"}) {
		t.Errorf("%v", got)
	}
}

// TestSingle has the watches of ZooKeeper 3.8.
func TestSingle(t *testing.T) {
	w := NewSingle()
	f := func(typ zk.EventType, path string, want ...Conn) {
		t.Helper()
		if got := fire(w, typ, path); !slices.Equal(got, want) {
			t.Fatalf("%v %s tells %v, want %v", typ, path, got, want)
		}
	}
	w.AddPersistent(1, "/a")
	w.AddData(1, "/a") // takes the place of one half
	f(zk.EventDataChanged, "/a", 1)
	f(zk.EventDataChanged, "/a")
	f(zk.EventChildrenChanged, "/a", 1)
	f(zk.EventChildrenChanged, "/a", 1)
	w.AddRecursive(2, "/")
	w.AddData(2, "/") // the other half of the recursive one stays
	f(zk.EventChildrenChanged, "/a", 1)
	f(zk.EventCreated, "/a/b")
	f(zk.EventDeleted, "/a/b", 2)
	w.AddChild(2, "/")
	f(zk.EventDeleted, "/a/b")
	f(zk.EventChildrenChanged, "/", 2)
	w.Drop(1)
	w.Drop(2)

	w.AddChild(3, "/c")
	for _, c := range []struct {
		typ  zk.WatcherType
		want bool
	}{{zk.WatcherChildren, true}, {zk.WatcherData, false}, {zk.WatcherAny, true}} {
		if got := w.Has(4, "/c", c.typ); got != c.want { // whoever watches
			t.Errorf("%v: %v", c.typ, got)
		}
	}
	w.AddPersistent(3, "/c")
	if w.Remove(4, "/c", zk.WatcherAny) || !w.Remove(3, "/c", zk.WatcherData) || !w.Remove(3, "/c", zk.WatcherChildren) || w.Remove(3, "/c", zk.WatcherAny) {
		t.Error("removed what is not there, or not what is")
	}
	w.AddRecursive(5, "/d")
	w.Drop(5)
	if c := w.Counts(); c != (Counts{}) {
		t.Errorf("%+v", c)
	}
}
