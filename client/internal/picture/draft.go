package picture

import (
	"maps"
	"slices"
)

// draft is the picture in the making. Topics that were handed out are copied
// before they are changed.
type draft struct {
	brokers map[int32]*Broker
	topics  map[string]*Topic
	// own are the topics that nobody else has seen.
	own    map[string]bool
	faults map[string]error
}

// put takes in a topic that is the draft's own.
func (d *draft) put(t *Topic) {
	if d.topics == nil {
		d.topics, d.own = map[string]*Topic{}, map[string]bool{}
	}
	d.topics[t.Name], d.own[t.Name] = t, true
}

// topic returns a topic to change, nil for one that is not followed any more.
func (d *draft) topic(name string) *Topic {
	t := d.topics[name]
	if t == nil || d.own[name] {
		return t
	}
	c := *t
	c.Partitions = slices.Clone(t.Partitions)
	d.put(&c)
	return &c
}

func (d *draft) broker(b *Broker) {
	if d.brokers == nil {
		d.brokers = map[int32]*Broker{}
	}
	d.brokers[b.ID] = b
}

// fault notes what is wrong with a node, nil for nothing.
func (d *draft) fault(path string, err error) {
	switch {
	case err == nil:
		delete(d.faults, path)
	case d.faults == nil:
		d.faults = map[string]error{path: err}
	default:
		d.faults[path] = err
	}
}

// freeze returns the picture to hand out.
func (d *draft) freeze() *Cluster {
	clear(d.own)
	c := &Cluster{Brokers: maps.Clone(d.brokers), Topics: maps.Clone(d.topics), Faults: maps.Clone(d.faults)}
	if c.Brokers == nil {
		c.Brokers = map[int32]*Broker{}
	}
	return c
}
