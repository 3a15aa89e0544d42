package keepers

import (
	"fmt"
	"maps"
	"slices"
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
		w.problem("never whole after all was healed")
	}
	w.sleep(aftermath)
	close(w.done)
	w.loads.Wait()
	w.checkEqual()
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
// last zxid too.
func (w *world) checkEqual() {
	end := w.newClient("end")
	defer end.leave()
	var first map[string]string
	for i, m := range w.members {
		for range 50 {
			if end.nc != nil || end.connect(m, time.Minute) == nil {
				break
			}
			w.sleep(100 * time.Millisecond)
		}
		if end.nc == nil {
			w.problem("%s serves nobody after all was healed", m.Name())
			return
		}
		tree, err := end.walk()
		if err != nil {
			w.problem("%s: %v", m.Name(), err)
			return
		}
		for _, path := range paths() {
			end.final(path)
		}
		end.disconnect(true)
		if i == 0 {
			first = tree
			continue
		}
		if !maps.Equal(tree, first) {
			w.problem("%s and %s differ: %s", w.members[0].Name(), m.Name(), difference(first, tree))
		}
	}
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
	o := &op{kind: opRead, path: path, call: c.env.Clock.Now()}
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
