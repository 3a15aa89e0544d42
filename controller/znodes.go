package controller

import (
	"context"
	"errors"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// znodes carries out a batch of operations, pipelined.
func (c *Controller) znodes(ctx context.Context, ops []decide.Op) []decide.Result {
	reqs := make([]zk.Request, len(ops))
	for i, op := range ops {
		reqs[i] = c.request(op)
	}
	results := make([]decide.Result, len(ops))
	z := c.session()
	if z == nil {
		for i := range results {
			results[i].Err = zk.ErrSessionExpired
		}
		return results
	}
	for i, r := range z.DoRetry(ctx, reqs) {
		results[i] = resultOf(ops[i], r.Body, r.Err)
	}
	return results
}

// request is the ZooKeeper request of an operation; a fenced one is a multi
// behind a check of /controller_epoch.
func (c *Controller) request(op decide.Op) zk.Request {
	var req zk.Request
	switch op.Kind {
	case decide.OpRead:
		return &zk.GetDataRequest{Path: op.Path, Watch: op.Watch}
	case decide.OpList:
		return &zk.GetChildrenRequest{Path: op.Path, Watch: op.Watch}
	case decide.OpExists:
		return &zk.ExistsRequest{Path: op.Path, Watch: op.Watch}
	case decide.OpElect:
		return &zk.MultiRequest{Ops: []zk.Request{
			&zk.CreateRequest{Path: op.Path, Data: op.Data, ACL: c.acl(op.Path), Flags: zk.Ephemeral},
			&zk.SetDataRequest{Path: znode.ControllerEpochPath, Data: znode.EncodeNumber(int64(op.Epoch)), Version: op.Version},
		}}
	case decide.OpCreate:
		req = &zk.CreateRequest{Path: op.Path, Data: op.Data, ACL: c.acl(op.Path), Flags: zk.Persistent}
	case decide.OpWrite:
		req = &zk.SetDataRequest{Path: op.Path, Data: op.Data, Version: op.Version}
	case decide.OpRemove:
		req = &zk.DeleteRequest{Path: op.Path, Version: op.Version}
	}
	if op.Fence {
		return &zk.MultiRequest{Ops: []zk.Request{&zk.CheckRequest{Path: znode.ControllerEpochPath, Version: op.FenceVersion}, req}}
	}
	return req
}

func resultOf(op decide.Op, body zk.Record, err error) decide.Result {
	if m, ok := body.(*zk.MultiResponse); ok {
		return multiResult(op, m)
	}
	r := decide.Result{Err: codeOf(err)}
	switch b := body.(type) {
	case *zk.GetDataResponse:
		r.Data, r.Stat = b.Data, b.Stat
	case *zk.StatResponse:
		r.Stat = b.Stat
	case *zk.GetChildrenResponse:
		r.Children = b.Children
	}
	return r
}

func multiResult(op decide.Op, m *zk.MultiResponse) decide.Result {
	index, err := m.Fault()
	r := decide.Result{Err: codeOf(err)}
	if op.Fence && index == 0 {
		return decide.Result{Moved: true}
	}
	if err == nil && len(m.Results) == 2 {
		r.Stat = m.Results[1].Stat
	}
	return r
}

// codeOf returns the server's error code. Whatever else ended a request ended
// the session with it.
func codeOf(err error) zk.Err {
	if err == nil {
		return zk.OK
	}
	if code, ok := errors.AsType[zk.Err](err); ok {
		return code
	}
	return zk.ErrSessionExpired
}

func (c *Controller) acl(path string) []zk.ACL {
	if c.cfg.ACL == nil {
		return zk.OpenACL()
	}
	return c.cfg.ACL(path)
}
