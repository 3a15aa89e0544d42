package follow

import "testing"

// TestCutPoint tells for each answer of a leader how far the logs agree. What
// follows from it, over as many rounds as it takes, is told in testdata.
func TestCutPoint(t *testing.T) {
	at := Position{Start: 10, End: 100, HighWatermark: 40, Epoch: 7}
	for what, c := range map[string]struct {
		theirs, ours epochEnd
		to           int64
		final        bool
	}{
		"the leader knows no epochs":                {epochEnd{-1, -1}, epochEnd{-1, -1}, 40, true},
		"it says where, but not of which epoch":     {epochEnd{-1, 60}, epochEnd{-1, -1}, 60, true},
		"and has more than we":                      {epochEnd{-1, 160}, epochEnd{-1, -1}, 100, true},
		"we know nothing of its epoch":              {epochEnd{5, 60}, epochEnd{-1, -1}, 60, true},
		"nor has it less than we":                   {epochEnd{5, 160}, epochEnd{-1, -1}, 100, true},
		"the same epoch ends there first":           {epochEnd{7, 60}, epochEnd{7, 100}, 60, true},
		"the same epoch ends here first":            {epochEnd{5, 60}, epochEnd{5, 50}, 50, true},
		"the same epoch is longer there than all":   {epochEnd{7, 160}, epochEnd{7, 100}, 100, true},
		"we have only an older epoch: ask again":    {epochEnd{5, 60}, epochEnd{4, 50}, 50, false},
		"and its end is not known to us: ask again": {epochEnd{5, 60}, epochEnd{4, 160}, 100, false},
	} {
		if to, final := cutPoint(c.theirs, c.ours, at); to != c.to || final != c.final {
			t.Errorf("%s: cut to %d, final %v; want %d, %v", what, to, final, c.to, c.final)
		}
	}
}
