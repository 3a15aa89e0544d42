package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/zk"
)

// Calls has one method per operation. Errors name the operation and the path
// and wrap a zk.Err; see Response.Err for others. Version -1 matches any.
type Calls struct {
	do func(context.Context, []zk.Request) []Response
}

// call sends one request and returns its body.
func (c Calls) call(ctx context.Context, path string, req zk.Request) (zk.Record, error) {
	r := c.do(ctx, []zk.Request{req})[0]
	if r.Err != nil {
		return nil, fmt.Errorf("zookeeper %v %q: %w", req.Op(), path, r.Err)
	}
	return r.Body, nil
}

// body returns r as what the operation's reply is by zk.NewResponse.
func body[T any](r zk.Record, err error) (T, error) {
	var zero T
	if err != nil {
		return zero, err
	}
	p, ok := any(r).(*T)
	if !ok {
		must.Bug("reply decoded as %T, not as %T", r, p)
	}
	return *p, nil
}

// Create makes a node and returns its path, with the number of a sequential
// one, and its Stat. nil data is null. For modes with a time to live use Do.
func (c Calls) Create(ctx context.Context, path string, data []byte, acl []zk.ACL, mode zk.CreateMode) (string, zk.Stat, error) {
	req := &zk.CreateRequest{Kind: mode.Op(), Path: path, Data: data, ACL: acl, Flags: mode}
	r, err := body[zk.Create2Response](c.call(ctx, path, req))
	return r.Path, r.Stat, err
}

// CreateRecursive is Create that makes missing parents, persistent and with
// null data; acl says which ACL a path gets.
func (c Calls) CreateRecursive(ctx context.Context, path string, data []byte, acl func(path string) []zk.ACL, mode zk.CreateMode) (string, zk.Stat, error) {
	got, stat, err := c.Create(ctx, path, data, acl(path), mode)
	parent := path[:max(strings.LastIndexByte(path, '/'), 0)]
	if parent == "" || !errors.Is(err, zk.ErrNoNode) {
		return got, stat, err
	}
	_, _, err = c.CreateRecursive(ctx, parent, nil, acl, zk.Persistent)
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return "", zk.Stat{}, err
	}
	return c.Create(ctx, path, data, acl(path), mode)
}

// Delete removes a node without children.
func (c Calls) Delete(ctx context.Context, path string, version int32) error {
	_, err := c.call(ctx, path, &zk.DeleteRequest{Path: path, Version: version})
	return err
}

// Exists returns a node's Stat. A missing node is zk.ErrNoNode; the watch then
// waits for its creation.
func (c Calls) Exists(ctx context.Context, path string, watch bool) (zk.Stat, error) {
	r, err := body[zk.StatResponse](c.call(ctx, path, &zk.ExistsRequest{Path: path, Watch: watch}))
	return r.Stat, err
}

// Get returns a node's data, nil for null, and Stat. Errors arm no watch.
func (c Calls) Get(ctx context.Context, path string, watch bool) ([]byte, zk.Stat, error) {
	r, err := body[zk.GetDataResponse](c.call(ctx, path, &zk.GetDataRequest{Path: path, Watch: watch}))
	return r.Data, r.Stat, err
}

// Set replaces a node's data.
func (c Calls) Set(ctx context.Context, path string, data []byte, version int32) (zk.Stat, error) {
	r, err := body[zk.StatResponse](c.call(ctx, path, &zk.SetDataRequest{Path: path, Data: data, Version: version}))
	return r.Stat, err
}

// Children returns the names of a node's children in no order, and its Stat.
func (c Calls) Children(ctx context.Context, path string, watch bool) ([]string, zk.Stat, error) {
	r, err := body[zk.GetChildren2Response](c.call(ctx, path, &zk.GetChildren2Request{Path: path, Watch: watch}))
	return r.Children, r.Stat, err
}

// Sync waits until the server has all that the leader had when asked.
func (c Calls) Sync(ctx context.Context, path string) error {
	_, err := c.call(ctx, path, &zk.SyncRequest{Path: path})
	return err
}

// GetACL returns a node's ACL and Stat.
func (c Calls) GetACL(ctx context.Context, path string) ([]zk.ACL, zk.Stat, error) {
	r, err := body[zk.GetACLResponse](c.call(ctx, path, &zk.GetACLRequest{Path: path}))
	return r.ACL, r.Stat, err
}

// SetACL replaces a node's ACL if its Aversion is version.
func (c Calls) SetACL(ctx context.Context, path string, acl []zk.ACL, version int32) (zk.Stat, error) {
	r, err := body[zk.StatResponse](c.call(ctx, path, &zk.SetACLRequest{Path: path, ACL: acl, Version: version}))
	return r.Stat, err
}

// AddWatch adds a watch that stays.
func (c Calls) AddWatch(ctx context.Context, path string, mode zk.WatchMode) error {
	_, err := c.call(ctx, path, &zk.AddWatchRequest{Path: path, Mode: mode})
	return err
}

// RemoveWatches removes this session's watches of a type from a path.
func (c Calls) RemoveWatches(ctx context.Context, path string, t zk.WatcherType) error {
	_, err := c.call(ctx, path, &zk.RemoveWatchesRequest{Path: path, Type: t})
	return err
}

// Multi does all operations or none. When one fails, the results tell which and
// the error wraps its code.
func (c Calls) Multi(ctx context.Context, ops ...zk.Request) ([]zk.OpResult, error) {
	r := c.do(ctx, []zk.Request{&zk.MultiRequest{Ops: ops}})[0]
	m, ok := r.Body.(*zk.MultiResponse)
	switch {
	case !ok:
		return nil, fmt.Errorf("zookeeper multi of %d: %w", len(ops), r.Err)
	case r.Err != nil:
		i, _ := m.Fault()
		return m.Results, fmt.Errorf("zookeeper multi of %d, operation %d: %w", len(ops), i, r.Err)
	}
	return m.Results, nil
}
