package watch

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gregor-mq/gregor/zk"
)

// Conn numbers a connection.
type Conn uint32

// Mode is how a watch behaves; one connection may have several on a path.
type Mode uint8

// The modes. Standard watches are gone once they fired.
const (
	Standard Mode = 1 << iota
	Persistent
	Recursive

	all = Standard | Persistent | Recursive
)

// Table holds the watches of all connections. It is safe for concurrent use.
type Table struct {
	// single keeps one watch of a connection on a path and side, the last.
	single bool
	mu     struct {
		sync.Mutex
		// data holds watches for a node's creation, deletion and data, and all
		// recursive ones; child those for its children and its deletion.
		data, child side
	}
}

// side is one of the two kinds of watches.
type side struct {
	paths     map[string][]watcher
	conns     map[Conn]map[string]Mode
	recursive int // how many; without any, nobody looks at parents
	count     int
}

type watcher struct {
	conn Conn
	mode Mode
}

// New returns an empty table.
func New() *Table {
	t := &Table{}
	for _, s := range []*side{&t.mu.data, &t.mu.child} {
		s.paths, s.conns = map[string][]watcher{}, map[Conn]map[string]Mode{}
	}
	return t
}

// NewSingle returns an empty table that keeps watches as ZooKeeper 3.8 does: a
// connection has one on a path, which the next replaces; recursive ones stand on
// both sides; and Has tells whether anybody watches, Remove removes any mode.
func NewSingle() *Table {
	t := New()
	t.single = true
	return t
}

// AddData arms a standard watch as getData and exists do.
func (t *Table) AddData(c Conn, path string) { t.add(c, path, Standard, 0) }

// AddChild arms a standard watch as getChildren does.
func (t *Table) AddChild(c Conn, path string) { t.add(c, path, 0, Standard) }

// AddPersistent adds a watch for the node and its children that stays.
func (t *Table) AddPersistent(c Conn, path string) { t.add(c, path, Persistent, Persistent) }

// AddRecursive adds a watch for the node and all below it that stays.
func (t *Table) AddRecursive(c Conn, path string) {
	if t.single {
		t.add(c, path, Recursive, Recursive)
		return
	}
	t.add(c, path, Recursive, 0)
}

func (t *Table) add(c Conn, path string, data, child Mode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.data.add(c, path, data, t.single)
	t.mu.child.add(c, path, child, t.single)
}

func (s *side) add(c Conn, path string, mode Mode, single bool) {
	if mode == 0 {
		return
	}
	if single {
		s.remove(c, path, all)
	}
	had := s.conns[c][path]
	if had&mode != 0 {
		return
	}
	if s.conns[c] == nil {
		s.conns[c] = map[string]Mode{}
	}
	s.conns[c][path] = had | mode
	if mode == Recursive {
		s.recursive++
	}
	list := s.paths[path]
	if had == 0 {
		s.count++
		s.paths[path] = append(list, watcher{c, mode})
		return
	}
	list[indexOf(list, c)].mode |= mode
}

func indexOf(list []watcher, c Conn) int {
	return slices.IndexFunc(list, func(w watcher) bool { return w.conn == c })
}

// Fire appends to dst the connections to be told of an event, each once, and
// takes away the watches that thereby end.
func (t *Table) Fire(dst []Conn, typ zk.EventType, path string) []Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	start := len(dst)
	switch typ {
	case zk.EventCreated, zk.EventDataChanged:
		return t.mu.data.fire(dst, path, all)
	case zk.EventChildrenChanged:
		return t.mu.child.fire(dst, path, all&^Recursive)
	case zk.EventDeleted:
		dst = t.mu.data.fire(dst, path, all)
		seen := len(dst)
		both := t.mu.child.fire(dst, path, all)
		for _, c := range both[seen:] { // told once, though it watches both
			if !slices.Contains(dst[start:seen], c) {
				dst = append(dst, c)
			}
		}
	}
	return dst
}

// fire appends who has a watch of one of the modes that concerns a path.
func (s *side) fire(dst []Conn, path string, modes Mode) []Conn {
	start := len(dst)
	if list := s.paths[path]; list != nil {
		left := list[:0]
		for _, w := range list {
			if w.mode&modes != 0 {
				dst = append(dst, w.conn)
			}
			if w.mode &^= Standard; w.mode != 0 {
				s.conns[w.conn][path] = w.mode
				left = append(left, w)
			} else {
				s.forget(w.conn, path)
			}
		}
		s.setPath(path, left)
	}
	for p := path; s.recursive > 0 && p != "/" && p != ""; {
		p = p[:strings.LastIndexByte(p, '/')]
		for _, w := range s.paths[cmp.Or(p, "/")] {
			if w.mode&modes&Recursive != 0 && !slices.Contains(dst[start:], w.conn) {
				dst = append(dst, w.conn)
			}
		}
	}
	return dst
}

func (s *side) setPath(path string, list []watcher) {
	if len(list) == 0 {
		delete(s.paths, path)
	} else {
		s.paths[path] = list
	}
}

// forget takes a path from a connection's own list.
func (s *side) forget(c Conn, path string) {
	s.count--
	if paths := s.conns[c]; len(paths) > 1 {
		delete(paths, path)
	} else {
		delete(s.conns, c)
	}
}

// Drop removes all watches of a connection.
func (t *Table) Drop(c Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range []*side{&t.mu.data, &t.mu.child} {
		for path, mode := range s.conns[c] {
			s.unlist(c, path)
			s.count--
			if mode&Recursive != 0 {
				s.recursive--
			}
		}
		delete(s.conns, c)
	}
}

func (s *side) unlist(c Conn, path string) {
	list := s.paths[path]
	i := indexOf(list, c)
	s.setPath(path, slices.Delete(list, i, i+1))
}

// Has reports whether a connection has a watch of a type on a path.
func (t *Table) Has(c Conn, path string, typ zk.WatcherType) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	data, child := t.mu.data.conns[c][path], t.mu.child.conns[c][path]
	if t.single {
		return t.anybody(path, typ)
	}
	switch typ {
	case zk.WatcherChildren:
		return child&Standard != 0
	case zk.WatcherData:
		return data&Standard != 0
	case zk.WatcherPersistent:
		return data&Persistent != 0
	case zk.WatcherPersistentRecursive:
		return data&Recursive != 0
	case zk.WatcherAny:
		return data|child != 0
	}
	return false
}

// anybody is what Has became in ZooKeeper 3.8; mu is held.
func (t *Table) anybody(path string, typ zk.WatcherType) bool {
	inData, inChild := len(t.mu.data.paths[path]) > 0, len(t.mu.child.paths[path]) > 0
	return inData && typ != zk.WatcherChildren || inChild && typ != zk.WatcherData
}

// Remove removes a connection's watches of a type from a path and reports
// whether there were any.
func (t *Table) Remove(c Conn, path string, typ zk.WatcherType) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	data, child := &t.mu.data, &t.mu.child
	plain := Standard
	if t.single {
		plain = all
	}
	switch typ {
	case zk.WatcherChildren:
		return child.remove(c, path, plain)
	case zk.WatcherData:
		return data.remove(c, path, plain)
	case zk.WatcherPersistent:
		inChild := child.remove(c, path, Persistent)
		return data.remove(c, path, Persistent) || inChild
	case zk.WatcherPersistentRecursive:
		return data.remove(c, path, Recursive)
	case zk.WatcherAny:
		inChild := child.remove(c, path, all)
		return data.remove(c, path, all) || inChild
	}
	return false
}

func (s *side) remove(c Conn, path string, mode Mode) bool {
	had := s.conns[c][path]
	if had&mode == 0 {
		return false
	}
	if had&mode&Recursive != 0 {
		s.recursive--
	}
	if left := had &^ mode; left != 0 {
		s.conns[c][path] = left
		list := s.paths[path]
		list[indexOf(list, c)].mode = left
		return true
	}
	s.unlist(c, path)
	s.forget(c, path)
	return true
}

// Counts are the figures ZooKeeper shows.
type Counts struct {
	// Conns, Paths and Data count the data side only: connections, paths and
	// watches.
	Conns, Paths, Data int
	// All counts the watches of both sides.
	All int
}

// Counts returns the present figures.
func (t *Table) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := &t.mu.data
	return Counts{Conns: len(d.conns), Paths: len(d.paths), Data: d.count, All: d.count + t.mu.child.count}
}

// ByPath lists the connections of the data side under each path, sorted.
func (t *Table) ByPath() map[string][]Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string][]Conn, len(t.mu.data.paths))
	for path, list := range t.mu.data.paths {
		for _, w := range list {
			out[path] = append(out[path], w.conn)
		}
		slices.Sort(out[path])
	}
	return out
}

// ByConn lists the paths of the data side under each connection, sorted.
func (t *Table) ByConn() map[Conn][]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[Conn][]string, len(t.mu.data.conns))
	for c, paths := range t.mu.data.conns {
		out[c] = slices.Sorted(maps.Keys(paths))
	}
	return out
}
