package tree

import (
	"slices"
	"testing"
)

// A session that is prepared and not applied ends with its process too.
func TestSessionsOfAProcess(t *testing.T) {
	tr := New(Options{})
	defer tr.Close()
	p := NewPreparer(tr)
	var res Result
	for id, member := range map[int64]uint64{1: 7, 2: 8, 3: 0} {
		x := p.CreateSession(id, 0, id, 1000, member)
		tr.Apply(&x, &res)
		p.Applied(&x)
	}
	p.CreateSession(4, 0, 4, 1000, 7)
	if got := p.LivesIn(7); !slices.Equal(got, []int64{1, 4}) {
		t.Errorf("%v", got)
	}
	p.CloseSession(5, 0, 1, 0)
	p.CloseSession(6, 0, 4, 0)
	if got := p.LivesIn(7); got != nil {
		t.Errorf("%v are about to end", got)
	}
}
