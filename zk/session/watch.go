package session

import (
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/zk"
)

// setWatchesMax bounds the paths of one setWatches request in bytes, as Java's
// client does: servers refuse requests above jute.maxbuffer.
const setWatchesMax = 128 << 10

// watchKind is one of the tables of watches that ZooKeeper keeps.
type watchKind uint8

const (
	dataWatch watchKind = iota
	existWatch
	childWatch
	persistentWatch
	recursiveWatch
	watchKinds
)

// watches remembers, by full path, what the server would forget with the
// connection.
type watches [watchKinds]map[string]struct{}

func newWatches() (w watches) {
	for k := range w {
		w[k] = make(map[string]struct{})
	}
	return w
}

// replied keeps or forgets the watch that req asked for. exists on a missing
// node arms a watch for its creation; other failed reads arm none.
func (w *watches) replied(req zk.Request, code zk.Err) {
	switch r := req.(type) {
	case *zk.ExistsRequest:
		switch {
		case r.Watch && code == zk.OK:
			w.add(dataWatch, r.Path)
		case r.Watch && code == zk.ErrNoNode:
			w.add(existWatch, r.Path)
		}
	case *zk.GetDataRequest:
		if r.Watch && code == zk.OK {
			w.add(dataWatch, r.Path)
		}
	case *zk.GetChildrenRequest:
		if r.Watch && code == zk.OK {
			w.add(childWatch, r.Path)
		}
	case *zk.GetChildren2Request:
		if r.Watch && code == zk.OK {
			w.add(childWatch, r.Path)
		}
	case *zk.AddWatchRequest:
		if code == zk.OK {
			w.add(kindOfMode(r.Mode), r.Path)
		}
	case *zk.RemoveWatchesRequest:
		if code == zk.OK {
			w.drop(r.Path, kindsOfType(r.Type)...)
		}
	}
}

func kindOfMode(m zk.WatchMode) watchKind {
	if m == zk.WatchRecursive {
		return recursiveWatch
	}
	return persistentWatch
}

// kindsOfType returns the tables that a removeWatches of type t empties.
func kindsOfType(t zk.WatcherType) []watchKind {
	switch t {
	case zk.WatcherChildren:
		return []watchKind{childWatch}
	case zk.WatcherData:
		return []watchKind{dataWatch, existWatch}
	case zk.WatcherPersistent:
		return []watchKind{persistentWatch}
	case zk.WatcherPersistentRecursive:
		return []watchKind{recursiveWatch}
	}
	return []watchKind{dataWatch, existWatch, childWatch, persistentWatch, recursiveWatch}
}

// fired forgets the one-shot watches that the server used up for ev.
func (w *watches) fired(ev zk.Event) {
	switch ev.Type {
	case zk.EventCreated, zk.EventDataChanged:
		w.drop(ev.Path, dataWatch, existWatch)
	case zk.EventDeleted:
		w.drop(ev.Path, dataWatch, existWatch, childWatch)
	case zk.EventChildrenChanged:
		w.drop(ev.Path, childWatch)
	}
}

func (w *watches) add(k watchKind, path string) { w[k][path] = struct{}{} }

func (w *watches) drop(path string, kinds ...watchKind) {
	for _, k := range kinds {
		delete(w[k], path)
	}
}

// rearm returns the requests that arm all watches on a new connection. Those
// without persistent watches use the older operation, which old servers know.
func (w *watches) rearm(zxid int64) []zk.Request {
	var out []zk.Request
	var cur [watchKinds][]string
	size := 0
	flush := func() {
		one := zk.SetWatchesRequest{RelativeZxid: zxid, Data: cur[dataWatch], Exist: cur[existWatch], Child: cur[childWatch]}
		switch {
		case size == 0:
			return
		case cur[persistentWatch] == nil && cur[recursiveWatch] == nil:
			out = append(out, &one)
		default:
			out = append(out, &zk.SetWatches2Request{SetWatchesRequest: one, Persistent: cur[persistentWatch], Recursive: cur[recursiveWatch]})
		}
		cur, size = [watchKinds][]string{}, 0
	}
	for k := range w {
		for _, path := range slices.Sorted(maps.Keys(w[k])) {
			n := zk.LengthSize + len(path)
			if size+n > setWatchesMax {
				flush()
			}
			cur[k] = append(cur[k], path)
			size += n
		}
	}
	flush()
	return out
}
