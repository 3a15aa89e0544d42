package quota

import "time"

// Window is how far back a rate looks: Samples pieces of Length each. Both are
// at least 1.
type Window struct {
	Samples int
	Length  time.Duration
}

// Span is the whole window.
func (w Window) Span() time.Duration { return time.Duration(w.Samples) * w.Length }

// Rate is an amount per second over a window of samples. It is Kafka's number
// to the byte, so that a limit means the same on either broker: samples are made
// by Record only, none is dropped before it is as old as the window, and less
// than one sample's length counts as that length. Not safe for concurrent use.
type Rate struct {
	window Window
	// samples are at most window.Samples+1: one may overlap the window's begin.
	samples []sample
	current int // index of the newest
}

type sample struct {
	start, last time.Time // last is when it was added to
	sum         int64
}

// NewRate returns a rate that begins with its first use.
func NewRate(w Window) *Rate { return &Rate{window: w} }

// Record adds an amount.
func (r *Rate) Record(now time.Time, amount int64) {
	r.begin(now)
	s := &r.samples[r.current]
	if now.Sub(s.start) >= r.window.Length {
		s = r.advance(now)
	}
	s.sum += amount
	s.last = now
}

// PerSecond is the rate.
func (r *Rate) PerSecond(now time.Time) float64 {
	sum, age := r.measure(now)
	return float64(sum) / max(age, r.window.Length).Seconds()
}

// Until is how long to wait, if nothing is added, before the rate may be at most
// limit per second: 0 when it is. Who waited asks again: when a sample is
// forgotten, its time is too.
func (r *Rate) Until(now time.Time, limit int64) time.Duration {
	sum, age := r.measure(now)
	if float64(sum) <= float64(limit)*max(age, r.window.Length).Seconds() {
		return 0
	}
	forget := r.window.Span() // by then every sample is too old
	if limit <= 0 {
		return forget
	}
	wait := float64(sum)/float64(limit) - age.Seconds()
	if wait >= forget.Seconds() {
		return forget
	}
	return time.Duration(wait*float64(time.Second)) + 1 // not a hair too early
}

func (r *Rate) begin(now time.Time) {
	if len(r.samples) == 0 {
		r.samples = append(r.samples, sample{start: now, last: now})
	}
}

// advance makes the sample after the newest, in place of the oldest.
func (r *Rate) advance(now time.Time) *sample {
	r.current = (r.current + 1) % (r.window.Samples + 1)
	fresh := sample{start: now, last: now}
	if r.current == len(r.samples) {
		r.samples = append(r.samples, fresh)
	} else {
		r.samples[r.current] = fresh
	}
	return &r.samples[r.current]
}

// measure returns the amount in the samples, and how old the oldest is.
func (r *Rate) measure(now time.Time) (sum int64, age time.Duration) {
	r.begin(now)
	for i := range r.samples {
		s := &r.samples[i]
		if now.Sub(s.last) >= r.window.Span() {
			*s = sample{start: now, last: now}
		}
		sum += s.sum
		age = max(age, now.Sub(s.start))
	}
	return sum, age
}
