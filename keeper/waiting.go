package keeper

// waiting holds the calls of this member in the order in which they were given to
// the leader. Each gets a number, and the transaction that answers it carries that:
// transactions are applied in the same order, whoever leads.
type waiting struct {
	calls []*call
	next  uint64 // the number of the next call
}

func (w *waiting) push(c *call) {
	c.seq = w.next
	w.next++
	w.calls = append(w.calls, c)
}

// pop takes the call of a number off, nil when it is another process's.
func (w *waiting) pop(seq uint64) *call {
	if len(w.calls) == 0 || w.calls[0].seq != seq {
		return nil
	}
	c := w.calls[0]
	w.calls[0] = nil
	if w.calls = w.calls[1:]; len(w.calls) == 0 {
		w.calls = nil
	}
	return c
}
