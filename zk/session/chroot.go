package session

import (
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// withChroot returns req with root before its path, and refuses paths that the
// server would refuse: one that does not start with a slash could otherwise
// name a node beside the chroot. The caller's request is not changed.
func withChroot(root string, req zk.Request) (zk.Request, error) {
	p := prefixer{root: root}
	switch r := req.(type) {
	case *zk.CreateRequest:
		c := *r
		c.Path = p.create(r.Path, r.Flags.Sequential())
		return &c, p.err
	case *zk.DeleteRequest:
		return &zk.DeleteRequest{Path: p.path(r.Path), Version: r.Version}, p.err
	case *zk.CheckRequest:
		return &zk.CheckRequest{Path: p.path(r.Path), Version: r.Version}, p.err
	case *zk.SetDataRequest:
		return &zk.SetDataRequest{Path: p.path(r.Path), Data: r.Data, Version: r.Version}, p.err
	case *zk.SetACLRequest:
		return &zk.SetACLRequest{Path: p.path(r.Path), ACL: r.ACL, Version: r.Version}, p.err
	case *zk.ExistsRequest:
		return &zk.ExistsRequest{Path: p.path(r.Path), Watch: r.Watch}, p.err
	case *zk.GetDataRequest:
		return &zk.GetDataRequest{Path: p.path(r.Path), Watch: r.Watch}, p.err
	case *zk.GetChildrenRequest:
		return &zk.GetChildrenRequest{Path: p.path(r.Path), Watch: r.Watch}, p.err
	case *zk.GetChildren2Request:
		return &zk.GetChildren2Request{Path: p.path(r.Path), Watch: r.Watch}, p.err
	case *zk.MultiRequest:
		return p.multi(r)
	}
	return withChrootRare(p, req)
}

// withChrootRare is withChroot for what brokers do not send.
func withChrootRare(p prefixer, req zk.Request) (zk.Request, error) {
	switch r := req.(type) {
	case *zk.DeleteContainerRequest:
		return &zk.DeleteContainerRequest{Path: p.path(r.Path)}, p.err
	case *zk.GetACLRequest:
		return &zk.GetACLRequest{Path: p.path(r.Path)}, p.err
	case *zk.SyncRequest:
		return &zk.SyncRequest{Path: p.path(r.Path)}, p.err
	case *zk.GetEphemeralsRequest:
		return &zk.GetEphemeralsRequest{Path: p.path(r.Path)}, p.err
	case *zk.GetAllChildrenNumberRequest:
		return &zk.GetAllChildrenNumberRequest{Path: p.path(r.Path)}, p.err
	case *zk.AddWatchRequest:
		return &zk.AddWatchRequest{Path: p.path(r.Path), Mode: r.Mode}, p.err
	case *zk.CheckWatchesRequest:
		return &zk.CheckWatchesRequest{Path: p.path(r.Path), Type: r.Type}, p.err
	case *zk.RemoveWatchesRequest:
		return &zk.RemoveWatchesRequest{Path: p.path(r.Path), Type: r.Type}, p.err
	}
	return req, nil
}

// prefixer puts a chroot before paths and keeps the first fault it finds.
type prefixer struct {
	root string
	err  error
}

func (p *prefixer) path(path string) string { return p.create(path, false) }

func (p *prefixer) create(path string, sequential bool) string {
	if err := zk.ValidateCreatePath(path, sequential); err != nil && p.err == nil {
		p.err = err
	}
	if path == "/" && p.root != "" && !sequential {
		return p.root
	}
	return p.root + path
}

func (p *prefixer) multi(r *zk.MultiRequest) (zk.Request, error) {
	m := &zk.MultiRequest{Kind: r.Kind, Ops: make([]zk.Request, len(r.Ops))}
	for i, op := range r.Ops {
		var err error
		if m.Ops[i], err = withChroot(p.root, op); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// stripChroot takes root off a path that the server sent. A path beside root
// stays as it is.
func stripChroot(root, path string) string {
	rest, ok := strings.CutPrefix(path, root)
	switch {
	case root == "" || !ok:
		return path
	case rest == "":
		return "/"
	case rest[0] != '/':
		return path
	}
	return rest
}

// stripBody takes root off the paths in a reply.
func stripBody(root string, body zk.Record) {
	if root == "" {
		return
	}
	switch r := body.(type) {
	case *zk.CreateResponse:
		r.Path = stripChroot(root, r.Path)
	case *zk.Create2Response:
		r.Path = stripChroot(root, r.Path)
	case *zk.SyncResponse:
		r.Path = stripChroot(root, r.Path)
	case *zk.GetEphemeralsResponse:
		for i := range r.Paths {
			r.Paths[i] = stripChroot(root, r.Paths[i])
		}
	case *zk.MultiResponse:
		for i := range r.Results {
			r.Results[i].Path = stripChroot(root, r.Results[i].Path)
		}
	}
}
