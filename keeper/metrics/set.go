package metrics

import "math"

// Set is all counters and summaries of a keeper. It is filled before it is read.
type Set struct {
	counters  []named[*Counter]
	summaries []named[*Summary]
}

type named[M any] struct {
	name, help string
	metric     M
}

// Counter makes a counter of a name.
func (s *Set) Counter(name, help string) *Counter {
	c := &Counter{}
	s.counters = append(s.counters, named[*Counter]{name, help, c})
	return c
}

// Summary makes a summary of a name.
func (s *Set) Summary(name, help string) *Summary { return s.summary(name, help, false) }

// Detailed makes a summary that shows the far quantiles too.
func (s *Set) Detailed(name, help string) *Summary { return s.summary(name, help, true) }

func (s *Set) summary(name, help string, detailed bool) *Summary {
	m := newSummary(detailed)
	s.summaries = append(s.summaries, named[*Summary]{name, help, m})
	return m
}

// Reset begins anew, as srst does.
func (s *Set) Reset() {
	for _, c := range s.counters {
		c.metric.n.Store(0)
	}
	for _, m := range s.summaries {
		m.metric.reset()
	}
}

// Value is one figure: an int64, or a float64 where ZooKeeper's is a double.
type Value struct {
	Name   string
	Number any
}

// Values lists all as ZooKeeper's own provider does, which mntr shows.
func (s *Set) Values() []Value {
	var out []Value
	for _, c := range s.counters {
		out = append(out, Value{c.name, c.metric.Value()})
	}
	for _, detailed := range []bool{false, true} {
		for _, m := range s.summaries {
			if m.metric.detailed == detailed {
				out = m.metric.values(out, m.name)
			}
		}
	}
	return out
}

func (s *Summary) values(out []Value, name string) []Value {
	out = append(out,
		Value{"avg_" + name, s.Average()}, Value{"min_" + name, s.Least()}, Value{"max_" + name, s.Most()},
		Value{"cnt_" + name, s.count.Load()}, Value{"sum_" + name, s.sum.Load()})
	if !s.detailed {
		return out
	}
	q := s.quantiles(0.5, 0.95, 0.99, 0.999)
	for i, prefix := range []string{"p50_", "p95_", "p99_", "p999_"} {
		v := int64(0)
		if !math.IsNaN(q[i]) {
			v = int64(math.Round(q[i]))
		}
		out = append(out, Value{prefix + name, v})
	}
	return out
}
