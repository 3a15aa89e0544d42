package api

import (
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

// coordinatorsOf asks for keys in the form of the version.
func coordinatorsOf(b *bench, v int16, kind int8, keys ...string) []wire.FindCoordinatorResponseCoordinator {
	req := wire.NewFindCoordinatorRequest()
	if v >= 1 {
		req.KeyType = kind
	}
	if v >= 4 {
		req.CoordinatorKeys = keys
		return ask[*wire.FindCoordinatorResponse](b, v, req).Coordinators
	}
	var out []wire.FindCoordinatorResponseCoordinator
	for _, key := range keys {
		req.CoordinatorKey = key
		r := ask[*wire.FindCoordinatorResponse](b, v, req)
		out = append(out, wire.FindCoordinatorResponseCoordinator{Key: key, ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage, NodeID: r.NodeID, Host: r.Host, Port: r.Port})
	}
	return out
}

func TestFindCoordinator(t *testing.T) {
	every(t, wire.KeyFindCoordinator, func(v int16) {
		text := func(single string) *string {
			switch {
			case v == 0, v >= 4:
				return new("")
			}
			return new(single)
		}
		none := func(key string, code wire.Code) wire.FindCoordinatorResponseCoordinator {
			return wire.FindCoordinatorResponseCoordinator{Key: key, ErrorCode: code, ErrorMessage: text(codeText(code)), NodeID: -1, Port: -1}
		}
		b := newBench(t)
		same(t, v, "first lookup", coordinatorsOf(b, v, 0, "even"), []wire.FindCoordinatorResponseCoordinator{none("even", wire.CodeCoordinatorNotAvailable)})
		same(t, v, "created", b.admin.created, []string{"__consumer_offsets"})

		// Partition 1 is led by a broker that this listener does not reach.
		b.topic("__consumer_offsets", 1, 2)
		same(t, v, "lookup", coordinatorsOf(b, v, 0, "even", "odd"), []wire.FindCoordinatorResponseCoordinator{
			{Key: "even", ErrorMessage: text("NONE"), NodeID: 1, Host: "one", Port: 9092}, none("odd", wire.CodeCoordinatorNotAvailable)})
		b.topic("__consumer_offsets", 9, -1)
		same(t, v, "leader gone", coordinatorsOf(b, v, 0, "even"), []wire.FindCoordinatorResponseCoordinator{none("even", wire.CodeCoordinatorNotAvailable)})
		if v == 0 {
			return
		}
		same(t, v, "transactions", coordinatorsOf(b, v, 1, "x"), []wire.FindCoordinatorResponseCoordinator{none("x", wire.CodeUnsupportedVersion)})
		share := wire.CodeInvalidRequest
		if v >= 6 {
			share = wire.CodeCoordinatorNotAvailable
		}
		same(t, v, "share group", coordinatorsOf(b, v, 2, "x"), []wire.FindCoordinatorResponseCoordinator{none("x", share)})
		unknown := none("x", wire.CodeInvalidRequest)
		unknown.ErrorMessage = new("This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.")
		same(t, v, "unknown kind", coordinatorsOf(b, v, 3, "x"), []wire.FindCoordinatorResponseCoordinator{unknown})
		same(t, v, "created", len(b.admin.created), 1)
	})
}

// TestManyKeysCreateOnce: a batch of keys asks for the topic once.
func TestManyKeysCreateOnce(t *testing.T) {
	b := newBench(t)
	same(t, 6, "answers", len(coordinatorsOf(b, 6, 0, "a", "b", "c")), 3)
	same(t, 6, "created", b.admin.created, []string{"__consumer_offsets"})
}

// TestLookupWaitsForCreation: a client that cannot wait has one creation under
// way, not one per request, and hears the same when it fails.
func TestLookupWaitsForCreation(t *testing.T) {
	b := newBench(t)
	b.admin.hold = true
	call := b.send(2, wire.NewFindCoordinatorRequest())
	if call.reply != nil {
		t.Error("answered before the topic was made")
	}
	b.admin.finish()
	same(t, 2, "code", decoded[*wire.FindCoordinatorResponse](t, 2, call).ErrorCode, wire.CodeCoordinatorNotAvailable)
}
