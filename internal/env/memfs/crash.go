package memfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash says what a power cut leaves of what was not synced.
type Crash struct {
	// Rand chooses; nil keeps nothing that was not synced.
	Rand *rand.Rand
	// KeepPercent (0 to 100) is the chance that one unsynced write or one
	// unsynced directory change survives. Writes survive independently, so
	// a later one may be there without an earlier one: a hole of zeros. The
	// last surviving write of a file may be torn.
	KeepPercent int
}

// CrashClone returns the disk as it would be found after a power cut now. The
// original goes on unchanged, so one run can be crashed at many points.
func (f *FS) CrashClone(c Crash) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := New(f.capacity, f.now)
	seen := map[*inode]*inode{}
	out.mu.root = c.clone(f.mu.root, seen)
	out.mu.used = usage(out.mu.root)
	return out
}

func (c Crash) keep() bool { return c.Rand != nil && c.Rand.IntN(100) < c.KeepPercent }

func (c Crash) clone(n *inode, seen map[*inode]*inode) *inode {
	if done, ok := seen[n]; ok {
		return done
	}
	out := &inode{dir: n.dir, mtime: n.mtime}
	seen[n] = out
	if !n.dir {
		out.data = c.fileData(n)
		out.durable = slices.Clone(out.data)
		return out
	}
	out.entries = map[string]*inode{}
	for _, name := range c.names(n) {
		child, ok := n.durableEntries[name]
		if now, visible := n.entries[name]; now != child && c.keep() {
			child, ok = now, visible
		}
		if ok {
			out.entries[name] = c.clone(child, seen)
		}
	}
	out.durableEntries = maps.Clone(out.entries)
	return out
}

// names lists old and new entries in a fixed order, so that a seed decides.
func (c Crash) names(n *inode) []string {
	all := maps.Clone(n.durableEntries)
	maps.Copy(all, n.entries)
	return slices.Sorted(maps.Keys(all))
}

func (c Crash) fileData(n *inode) []byte {
	data := slices.Clone(n.durable)
	for i, ch := range n.pending {
		if !c.keep() {
			continue
		}
		if i == len(n.pending)-1 && len(ch.data) > 1 {
			ch.data = ch.data[:1+c.Rand.IntN(len(ch.data))]
		}
		data = ch.apply(data)
	}
	return data
}

func usage(n *inode) int64 {
	sum := int64(len(n.data))
	for _, child := range n.entries {
		sum += usage(child)
	}
	return sum
}
