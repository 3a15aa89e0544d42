package admin

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// Config reads the overrides of an entity; none for one without a node.
func (a *Admin) Config(ctx context.Context, e znode.Entity) (map[string]string, error) {
	path := znode.EntityConfigPath(e)
	data, _, err := a.calls.Get(ctx, path, false)
	if errors.Is(err, zk.ErrNoNode) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	return znode.DecodeConfig(path, data)
}

// SetConfig replaces the overrides of an entity and notifies all brokers. Empty
// ones of a client, user or address remove its node; those of topics and
// brokers stay, empty.
func (a *Admin) SetConfig(ctx context.Context, e znode.Entity, config map[string]string) error {
	cleaned := false
	if len(config) == 0 && e.Topic == nil && e.Broker == nil {
		var err error
		if cleaned, err = a.cleanQuota(ctx, znode.EntityConfigPath(e)); err != nil {
			return err
		}
	}
	if !cleaned {
		if err := a.writeConfig(ctx, e, config); err != nil {
			return err
		}
	}
	return a.NotifyConfig(ctx, e)
}

// NotifyConfig tells all brokers that an entity's config changed.
func (a *Admin) NotifyConfig(ctx context.Context, e znode.Entity) error {
	path := znode.ConfigChangePrefix
	_, _, err := a.calls.CreateRecursive(ctx, path, znode.EncodeConfigChange(e), a.acl, zk.PersistentSequential)
	return err
}

// writeConfig sets a config node, on condition that there is a controller of
// ZooKeeper mode and that it does not change meanwhile; it makes a missing one.
func (a *Admin) writeConfig(ctx context.Context, e znode.Entity, config map[string]string) error {
	path, data := znode.EntityConfigPath(e), znode.EncodeConfig(config)
	for {
		version, err := a.controllerVersion(ctx)
		if err != nil {
			return err
		}
		results, err := a.calls.Multi(ctx,
			&zk.CheckRequest{Path: znode.ControllerPath, Version: version},
			&zk.SetDataRequest{Path: path, Data: data, Version: -1})
		switch {
		case err == nil:
			return nil
		case len(results) > 0 && results[0].Err != zk.OK:
			continue // another controller: look again
		case !errors.Is(err, zk.ErrNoNode):
			return err
		}
		if err := a.create(ctx, path, data); !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
}

// controllerVersion returns the data version of /controller.
func (a *Admin) controllerVersion(ctx context.Context) (int32, error) {
	data, stat, err := a.calls.Get(ctx, znode.ControllerPath, false)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return 0, refuse(wire.CodeNotController, "There is no controller now.")
	case err != nil:
		return 0, err
	}
	n, err := znode.DecodeController(znode.ControllerPath, data)
	if err != nil {
		return 0, err
	}
	if n.KRaftEpoch > 0 {
		return 0, refuse(wire.CodeNotController, "A KRaft controller of epoch %d has taken over.", n.KRaftEpoch)
	}
	return stat.Version, nil
}

// cleanQuota deletes the node of an entity without overrides, and parents that
// become empty with it. It reports false when the node has to stay, for it has
// children.
func (a *Admin) cleanQuota(ctx context.Context, path string) (bool, error) {
	children, stat, err := a.calls.Children(ctx, path, false)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return true, nil
	case err != nil:
		return false, err
	case len(children) > 0 && !onlyEmptyClients(children):
		return false, nil
	}
	if len(children) > 0 { // an empty "clients" below a user
		below := path + "/" + children[0]
		grand, _, err := a.calls.Children(ctx, below, false)
		if err != nil && !errors.Is(err, zk.ErrNoNode) || len(grand) > 0 {
			return false, ignore(err, zk.ErrNoNode)
		}
		if err := ignore(a.calls.Delete(ctx, below, -1), zk.ErrNoNode, zk.ErrNotEmpty); err != nil {
			return false, err
		}
	}
	err = a.calls.Delete(ctx, path, stat.Version)
	if errors.Is(err, zk.ErrNotEmpty) || errors.Is(err, zk.ErrBadVersion) {
		return false, nil
	}
	if err = ignore(err, zk.ErrNoNode); err != nil {
		return false, err
	}
	return true, a.cleanParents(ctx, path)
}

func onlyEmptyClients(children []string) bool { return slices.Equal(children, []string{"clients"}) }

// cleanParents deletes ".../clients" and the user above it when nothing is left
// in them.
func (a *Admin) cleanParents(ctx context.Context, path string) error {
	i := strings.LastIndex(path, "/clients/")
	if i <= len(znode.ConfigPath) {
		return nil
	}
	user := path[:i]
	if err := a.calls.Delete(ctx, user+"/clients", -1); err != nil {
		return ignore(err, zk.ErrNoNode, zk.ErrNotEmpty)
	}
	data, stat, err := a.calls.Get(ctx, user, false)
	if err != nil {
		return ignore(err, zk.ErrNoNode)
	}
	if config, err := znode.DecodeConfig(user, data); err != nil || len(config) > 0 {
		return nil
	}
	return ignore(a.calls.Delete(ctx, user, stat.Version), zk.ErrNoNode, zk.ErrNotEmpty, zk.ErrBadVersion)
}

func ignore(err error, codes ...zk.Err) error {
	for _, c := range codes {
		if errors.Is(err, c) {
			return nil
		}
	}
	return err
}
