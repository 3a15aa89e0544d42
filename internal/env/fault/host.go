package fault

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// ErrKilled is what a life's calls return after Kill.
var ErrKilled = errors.New("this process was killed")

// Options say how a host behaves.
type Options struct {
	// DiskRuns lets calls to the disk go on during a pause. Virtual time needs
	// it: it stands still while a goroutine waits for a lock, and who holds a
	// lock may be at the disk. A frozen process then ends what it is at, and
	// still nobody hears of it.
	DiskRuns bool
}

// Host is a machine on which one process runs at a time. Boot, Kill and PowerCut
// are called by one goroutine at a time.
type Host struct {
	net   *Network
	name  string
	base  env.Env
	opt   Options
	epoch time.Time     // the beginning of its monotonic time
	skew  atomic.Int64  // of its wall clock, in ns
	lives atomic.Uint64 // how many processes it has had
	boot  atomic.Pointer[string]
	// paused and life are guarded by net.mu.
	paused bool
	life   *life // nil while no process runs
}

// life is one process.
type life struct {
	host   *Host
	number uint64
	fs     env.FS
	dead   chan struct{} // closed by Kill
	// disk is held for reading around each call, and for writing by Kill: when
	// Kill returns nothing is written any more.
	disk sync.RWMutex
	mu   struct {
		sync.Mutex
		killed    bool
		conns     map[*conn]struct{}
		listeners map[*listener]struct{}
		files     map[*file]struct{}
		locks     map[*lock]struct{}
	}
}

// newBoot gives the machine the boot id of a new start.
func (h *Host) newBoot() {
	var b [16]byte
	h.base.Rand.Read(b[:])
	id := fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	h.boot.Store(&id)
}

// Name returns what Cut knows the host by.
func (h *Host) Name() string { return h.name }

// Boot starts a process and returns its world. A former one must have ended, by
// Kill or, when it stopped by itself, by nothing.
func (h *Host) Boot() env.Env {
	l := &life{host: h, number: h.lives.Add(1), fs: h.base.FS, dead: make(chan struct{})}
	l.mu.conns, l.mu.listeners = map[*conn]struct{}{}, map[*listener]struct{}{}
	l.mu.files, l.mu.locks = map[*file]struct{}{}, map[*lock]struct{}{}
	h.net.mu.Lock()
	h.life = l
	h.net.mu.Unlock()
	return env.Env{Clock: clock{l}, Net: network{l}, FS: disk{l}, Rand: h.base.Rand}
}

func (h *Host) running() *life {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return h.life
}

// Kill ends the process that runs, if one does. What it wrote is there, and
// nothing is written after Kill returned; its connections break, its locks are
// free. Its goroutines live on among errors: whoever started it must stop it
// too. A paused host runs again.
func (h *Host) Kill() {
	if l := h.running(); l != nil {
		l.kill()
	}
	h.Resume()
}

// PowerCut is Kill of a whole machine: the next process finds another boot id,
// and the disk given, as the power cut left it.
func (h *Host) PowerCut(left env.FS) {
	h.Kill()
	h.newBoot()
	h.base.FS = left
}

func (l *life) kill() {
	l.mu.Lock()
	first := !l.mu.killed
	l.mu.killed = true
	ends := l.endsLocked()
	l.mu.Unlock()
	if !first {
		return
	}
	l.disk.Lock() // nobody is at the disk, and nobody gets there any more
	close(l.dead)
	l.disk.Unlock()
	for _, x := range ends {
		_ = x.Close() // nobody is left to be told
	}
}

// endsLocked lists what a dead process lets go: listeners, connections, locks,
// each by name, so that every kill of the same process is the same.
func (l *life) endsLocked() (ends []io.Closer) {
	for _, x := range byName(l.mu.listeners, func(x *listener) string { return x.Addr().String() }) {
		ends = append(ends, x.Listener)
	}
	for _, x := range byName(l.mu.conns, func(x *conn) string { return x.LocalAddr().String() + " " + x.RemoteAddr().String() }) {
		ends = append(ends, x)
	}
	for _, x := range byName(l.mu.locks, func(x *lock) string { return x.name }) {
		ends = append(ends, x)
	}
	return ends
}

func byName[E comparable](set map[E]struct{}, name func(E) string) []E {
	return slices.SortedFunc(maps.Keys(set), func(a, b E) int { return strings.Compare(name(a), name(b)) })
}

// Pause freezes the process that runs: no timer fires, nothing arrives or
// leaves, calls to the disk wait. Connections to it stay open.
func (h *Host) Pause() { h.freeze(true) }

// Resume ends a pause. The clock has gone on meanwhile.
func (h *Host) Resume() { h.freeze(false) }

func (h *Host) freeze(paused bool) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.paused == paused {
		return
	}
	h.paused = paused
	if paused {
		n.troubles.Add(1)
	} else {
		n.troubles.Add(-1)
	}
	n.changeLocked()
}

// Jump moves the machine's wall clock, forwards or backwards. Durations do not
// notice.
func (h *Host) Jump(d time.Duration) { h.skew.Add(int64(d)) }

// Left names what the process that ran last has not closed: files, locks,
// listeners and connections.
func (h *Host) Left() []string {
	l := h.running()
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for f := range l.mu.files {
		out = append(out, "file "+f.name)
	}
	for k := range l.mu.locks {
		out = append(out, "lock "+k.name)
	}
	for x := range l.mu.listeners {
		out = append(out, "listener "+x.Addr().String())
	}
	for c := range l.mu.conns {
		out = append(out, fmt.Sprintf("connection %v to %v", c.LocalAddr(), c.RemoteAddr()))
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

// awaitRun waits while the host is paused; a killed process waits for nothing.
func (l *life) awaitRun() {
	for {
		changed, _ := l.host.net.obstacle(l.host)
		if changed == nil {
			return
		}
		select {
		case <-changed:
		case <-l.dead:
			return
		}
	}
}

// isDead reports whether Kill was called.
func (l *life) isDead() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// keep notes something that is open; it reports false after Kill.
func keep[T comparable](l *life, set map[T]struct{}, x T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.killed {
		return false
	}
	set[x] = struct{}{}
	return true
}

// drop forgets something that was closed.
func drop[T comparable](l *life, set map[T]struct{}, x T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(set, x)
}
