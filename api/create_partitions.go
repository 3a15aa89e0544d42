package api

import (
	stdcontext "context"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/wire"
)

// CreatePartitions v0-3: only the controller serves it. The answer waits until
// this broker's metadata shows a leader for every partition.

func (b *Broker) createPartitions(c *context, req *wire.CreatePartitionsRequest) {
	resp := wire.NewCreatePartitionsResponse()
	names := map[string]int{}
	for _, t := range req.Topics {
		names[t.Name]++
	}
	byName := map[string]*wire.CreatePartitionsRequestTopic{}
	var todo []int
	for i := range req.Topics {
		t := &req.Topics[i]
		if _, again := byName[t.Name]; again {
			continue
		}
		byName[t.Name] = t
		out := wire.CreatePartitionsResponseTopicResult{Name: t.Name}
		switch {
		case !b.Controller.Active():
			out.ErrorCode = wire.CodeNotController
		case names[t.Name] > 1:
			out.ErrorCode, out.ErrorMessage = wire.CodeInvalidRequest, new("Duplicate topic in request.")
		default:
			todo = append(todo, len(resp.Results))
		}
		resp.Results = append(resp.Results, out)
	}
	if len(todo) == 0 {
		c.Reply(resp)
		return
	}
	b.Run("create-partitions", func(ctx stdcontext.Context) {
		counts := make([]int, len(resp.Results))
		run.Each(len(todo), adminParallel, func(k int) {
			out := &resp.Results[todo[k]]
			counts[todo[k]] = b.morePartitions(ctx, byName[out.Name], req.ValidateOnly, out)
		})
		b.awaitLeaders(ctx, time.Duration(req.TimeoutMs)*time.Millisecond, len(resp.Results), func(i int) (string, int) {
			if counts[i] == 0 {
				return "", 0
			}
			return resp.Results[i].Name, counts[i]
		}, func(i int) {
			resp.Results[i].ErrorCode = wire.CodeRequestTimedOut
		})
		c.Reply(resp)
	})
}

// morePartitions returns how many partitions to wait for, 0 for none.
func (b *Broker) morePartitions(ctx stdcontext.Context, t *wire.CreatePartitionsRequestTopic, validateOnly bool, out *wire.CreatePartitionsResponseTopicResult) int {
	m := admin.MorePartitions{Topic: t.Name, Count: int(t.Count), ValidateOnly: validateOnly}
	if t.Assignments != nil {
		m.Assignment = make([][]int32, 0, len(t.Assignments))
		for _, a := range t.Assignments {
			m.Assignment = append(m.Assignment, a.BrokerIDs)
		}
	}
	all, err := b.Topics().CreatePartitions(ctx, m, b.liveBrokers())
	if err != nil {
		code, message := adminCode(err)
		out.ErrorCode, out.ErrorMessage = code, &message
		return 0
	}
	if validateOnly {
		return 0
	}
	return len(all)
}
