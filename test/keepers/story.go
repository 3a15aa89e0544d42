package keepers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

// run is a whole life of an ensemble. It is the bubble's main goroutine.
func (w *world) run() {
	go w.sched.Run()
	defer w.sched.Stop()
	w.trace.Add("%+v", w.setup)
	w.newMembers()
	for i := range w.setup.clients {
		w.clients = append(w.clients, w.newClient(fmt.Sprintf("client-%d", i+1)))
	}
	w.watcher = w.newWatcher()
	for _, m := range w.members {
		m.boot()
	}
	if w.await(w.whole) {
		w.load()
	} else {
		w.problem("an ensemble without faults was never whole")
	}
	for _, m := range w.members {
		m.stop()
	}
	w.checkLeft()
	if w.result() == nil {
		w.checkHistory()
	}
}

// load is what happens while the ensemble is there.
func (w *world) load() {
	for _, c := range w.clients {
		w.loads.Go(c.run)
	}
	w.loads.Go(w.watcher.run)
	w.faults()
	w.heal()
	if !w.await(w.whole) {
		w.problem("never whole after all was healed: %s", w.stand())
	}
	w.sleep(aftermath)
	close(w.done)
	w.loads.Wait()
	w.checkEqual()
}

// stand says what the members know of each other.
func (w *world) stand() string {
	var out []string
	for _, m := range w.members {
		m.mu.Lock()
		out = append(out, fmt.Sprintf("%s leads %v, knows %d voters, %d learners", m.Name(), m.mu.leads, m.mu.voters, m.mu.learners))
		m.mu.Unlock()
	}
	return strings.Join(out, "; ")
}

// aftermath is how long clients go on after all was healed.
const aftermath = 5 * time.Second

// checkLeft looks for what ended keepers have left open.
func (w *world) checkLeft() {
	for _, m := range w.members {
		if left := m.Left(); len(left) > 0 {
			w.problem("%s left open: %q", m.Name(), left)
		}
	}
}

// summary says what there was.
func (w *world) summary() string {
	known := 0
	for _, o := range w.history.ops {
		if o.known {
			known++
		}
	}
	return fmt.Sprintf("%d members, %d operations, %d of them answered, %d sessions", len(w.members), len(w.history.ops), known, len(w.history.lives))
}

// checkEqual reads the whole tree from each member: they must be the same, and the
// last zxid too, once the last sessions are over that nobody speaks for any more.
func (w *world) checkEqual() {
	end := w.newClient("end")
	defer end.leave()
	var err error
	for range 20 {
		if err = end.compare(); err == nil {
			break
		}
		w.sleep(time.Second)
	}
	if err != nil {
		w.problem("after all was healed: %w", err)
		return
	}
	for _, m := range w.members {
		if err := end.comeTo(m); err != nil {
			w.problem("%w", err)
			return
		}
		for _, path := range paths() {
			end.final(path)
		}
	}
}

// comeTo moves to a member.
func (c *client) comeTo(m *member) error {
	c.disconnect(true)
	var err error
	for range 50 {
		if err = c.connect(m, time.Minute); err == nil {
			return nil
		}
		c.w.sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s serves nobody: %w", m.Name(), err)
}

// compare is an error if two members differ.
func (c *client) compare() error {
	var first map[string]string
	for i, m := range c.w.members {
		if err := c.comeTo(m); err != nil {
			return err
		}
		tree, err := c.walk()
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name(), err)
		}
		if i == 0 {
			first = tree
		}
		if !maps.Equal(tree, first) {
			return fmt.Errorf("%s and %s differ: %s", c.w.members[0].Name(), m.Name(), difference(first, tree))
		}
	}
	return nil
}

func difference(a, b map[string]string) string {
	var out []string
	for _, path := range slices.Sorted(maps.Keys(a)) {
		if a[path] != b[path] {
			out = append(out, fmt.Sprintf("%s is %s, and %s", path, a[path], b[path]))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[path]; !ok {
			out = append(out, fmt.Sprintf("%s is only there: %s", path, b[path]))
		}
	}
	return fmt.Sprintf("%q", out)
}

// final reads a node as an operation of the history.
func (c *client) final(path string) {
	c.xid++
	o := &op{kind: opRead, path: path, call: c.now()}
	if err := c.exchange([]*asked{c.ask(&zk.SyncRequest{Path: path}), c.ask(&zk.GetDataRequest{Path: path}, o)}); err != nil {
		c.w.problem("final read of %s: %v", path, err)
	}
}

// walk reads all nodes, behind a sync: their stats, contents and ACLs, and the zxid
// of the state that they are.
func (c *client) walk() (map[string]string, error) {
	nodes := map[string]string{}
	if _, err := c.call(&zk.SyncRequest{Path: "/"}); err != nil {
		return nil, err
	}
	open := []string{"/"}
	for len(open) > 0 {
		path := open[0]
		open = open[1:]
		data, err := c.call(&zk.GetDataRequest{Path: path})
		if err != nil {
			return nil, err
		}
		acl, err := c.call(&zk.GetACLRequest{Path: path})
		if err != nil {
			return nil, err
		}
		children, err := c.call(&zk.GetChildrenRequest{Path: path})
		if err != nil {
			return nil, err
		}
		nodes[path] = fmt.Sprintf("%+v %+v", data, acl)
		if list, ok := children.(*zk.GetChildrenResponse); ok {
			slices.Sort(list.Children)
			for _, name := range list.Children {
				open = append(open, child(path, name))
			}
		}
	}
	nodes["the last zxid"] = fmt.Sprintf("0x%x", c.zxid)
	return nodes, nil
}

func child(path, name string) string {
	if path == "/" {
		return path + name
	}
	return path + "/" + name
}

// call makes one request outside the history.
func (c *client) call(req zk.Request) (zk.Record, error) {
	c.xid++
	a := &asked{xid: c.xid, req: req}
	if err := c.exchange([]*asked{a}); err != nil {
		return nil, fmt.Errorf("%v: %w", req.Op(), err)
	}
	return a.body, a.err.OrNil()
}
