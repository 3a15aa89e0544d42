package check

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Topic is a topic as the broker describes it.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions int
	Configs    map[string]string // what the topic overrides
}

// Topics is what an administrator asked for. Names are not used twice.
type Topics struct {
	mu struct {
		sync.Mutex
		all map[string]*topicLife
	}
}

type topicLife struct {
	partitions        int      // last acknowledged
	grown             int      // asked for without an answer, 0 for none
	id                [16]byte // zero while it is not known
	created           bool     // acknowledged
	deleting, deleted bool     // asked for, acknowledged
	configs           map[string]*setting
}

// setting is one override: the value last acknowledged, and those asked for
// since without an answer.
type setting struct {
	acked string
	sure  bool // false: acked means nothing, the override may be missing
	maybe []string
}

// NewTopics returns an empty history.
func NewTopics() *Topics {
	t := &Topics{}
	t.mu.all = map[string]*topicLife{}
	return t
}

// Creating says that a topic is about to be asked for.
func (t *Topics) Creating(name string, partitions int, configs map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &topicLife{partitions: partitions, configs: map[string]*setting{}}
	for k, v := range configs {
		l.configs[k] = &setting{acked: v, sure: true}
	}
	t.mu.all[name] = l
}

// Created says that it was acknowledged with an id.
func (t *Topics) Created(name string, id [16]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.all[name].created, t.mu.all[name].id = true, id
}

// Growing says that more partitions are about to be asked for.
func (t *Topics) Growing(name string, partitions int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.all[name].grown = partitions
}

// Grown says that it was acknowledged.
func (t *Topics) Grown(name string, partitions int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.all[name].partitions, t.mu.all[name].grown = partitions, 0
}

// Deleting says that a deletion is about to be asked for.
func (t *Topics) Deleting(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.all[name].deleting = true
}

// Deleted says that it was acknowledged.
func (t *Topics) Deleted(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.all[name].deleted = true
}

// Setting says that an override is about to be asked for.
func (t *Topics) Setting(name, key, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.mu.all[name]
	if l.configs[key] == nil {
		l.configs[key] = &setting{}
	}
	l.configs[key].maybe = append(l.configs[key].maybe, value)
}

// Set says that it was acknowledged, and with it that all before it are over.
func (t *Topics) Set(name, key, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*t.mu.all[name].configs[key] = setting{acked: value, sure: true}
}

// Alive lists the topics that are certainly there, in name order.
func (t *Topics) Alive() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for name, l := range t.mu.all {
		if l.created && !l.deleting {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Check compares all topics that the broker has, internal ones left out.
func (t *Topics) Check(found []Topic) []error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var problems []error
	there := map[string]bool{}
	for _, f := range found {
		there[f.Name] = true
		if err := t.oneLocked(f); err != nil {
			problems = append(problems, fmt.Errorf("topic %s: %w", f.Name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.mu.all)) {
		if l := t.mu.all[name]; l.created && !l.deleting && !there[name] {
			problems = append(problems, fmt.Errorf("topic %s: its creation was acknowledged, it is not there", name))
		}
	}
	return problems
}

func (t *Topics) oneLocked(f Topic) error {
	l := t.mu.all[f.Name]
	switch {
	case l == nil:
		return fmt.Errorf("nobody asked for it")
	case l.deleted:
		return fmt.Errorf("its deletion was acknowledged, it is there")
	case l.id != [16]byte{} && l.id != f.ID:
		return fmt.Errorf("id was %x, is %x", l.id, f.ID)
	case l.partitions != f.Partitions && l.grown != f.Partitions:
		return fmt.Errorf("has %d partitions, %d were asked for", f.Partitions, l.partitions)
	}
	l.id = f.ID // from now on it may not change
	for _, key := range slices.Sorted(maps.Keys(l.configs)) {
		s := l.configs[key]
		value, ok := f.Configs[key]
		switch {
		case !ok && s.sure:
			return fmt.Errorf("%s=%s was acknowledged, it is not overridden", key, s.acked)
		case ok && !(s.sure && value == s.acked) && !slices.Contains(s.maybe, value):
			return fmt.Errorf("%s is %q, not %q or one of %q", key, value, s.acked, s.maybe)
		}
	}
	for key, value := range f.Configs {
		if l.configs[key] == nil {
			return fmt.Errorf("%s=%s is overridden, nobody asked for it", key, value)
		}
	}
	return nil
}
