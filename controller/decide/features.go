package decide

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// setUpFeatures makes /feature say what this version says: enabled, in the
// form of the configured protocol version (KIP-584). gregor, like Kafka 3.9 in
// ZooKeeper mode, finalizes none of its own.
func (s *State) setUpFeatures() {
	s.znodes([]Op{{Kind: OpRead, Path: znode.FeaturePath}}, func(results []Result) {
		r := results[0]
		want := znode.Features{Enabled: s.cfg.FeatureVersion > 0, Version: int32(max(s.cfg.FeatureVersion, 1)), Levels: map[string]int16{}}
		switch r.Err {
		case zk.OK:
		case zk.ErrNoNode:
			s.writeFeatures(Op{Kind: OpCreate, Path: znode.FeaturePath, Data: want.Encode()}, want)
			return
		default:
			s.abort(fmt.Errorf("read %s: %w", znode.FeaturePath, r.Err))
			return
		}
		is, err := znode.DecodeFeatures(znode.FeaturePath, r.Data)
		if err != nil {
			// Whoever wrote it knows more than we do: it counts as no features.
			s.note("%v", err)
			return
		}
		if want.Enabled && is.Enabled {
			want.Levels = is.Levels
		}
		if is.Enabled == want.Enabled && is.Version == want.Version && maps.Equal(is.Levels, want.Levels) {
			s.features = is.Levels
			return
		}
		s.writeFeatures(Op{Kind: OpWrite, Path: znode.FeaturePath, Data: want.Encode(), Version: anyVersion}, want)
	})
}

// writeFeatures is not fenced, as in Kafka: the node is older than the epoch.
func (s *State) writeFeatures(op Op, n znode.Features) {
	s.znodes([]Op{op}, func(results []Result) {
		if err := results[0].Err; err != zk.OK && err != zk.ErrNodeExists {
			s.abort(fmt.Errorf("write %s: %w", znode.FeaturePath, err))
			return
		}
		s.features = n.Levels
	})
}

// Kafka's upgrade types of UpdateFeatures.
const (
	upgradeOnly      int8 = 1
	safeDowngrade    int8 = 2
	unsafeDowngrade  int8 = 3
	lowestFeatureLvl      = 1
)

// updateFeatures changes finalized features. This broker supports none in
// ZooKeeper mode, so all that can be done is deleting one left by others.
func (s *State) updateFeatures(ev UpdateFeatures) {
	levels := maps.Clone(s.features)
	out := FeatureResults{Items: make([]FeatureResult, len(ev.Items))}
	for i, u := range ev.Items {
		out.Items[i].Feature = u.Feature
		if msg := s.featureFault(u, levels); msg != "" {
			out.Items[i].Err, out.Items[i].Message = wire.CodeInvalidRequest, msg
			continue
		}
		delete(levels, u.Feature)
	}
	if ev.ValidateOnly || maps.Equal(levels, s.features) {
		s.answer(out)
		return
	}
	n := znode.Features{Enabled: true, Version: int32(s.cfg.FeatureVersion), Levels: levels}
	s.znodes([]Op{{Kind: OpWrite, Path: znode.FeaturePath, Data: n.Encode(), Version: anyVersion}}, func(results []Result) {
		if err := results[0].Err; err != zk.OK {
			for i := range out.Items {
				if out.Items[i].Err == 0 {
					out.Items[i].Err, out.Items[i].Message = wire.CodeFeatureUpdateFailed, err.Error()
				}
			}
		} else {
			s.features = levels
		}
		s.answer(out)
	})
}

// featureFault returns why an update is refused; empty for an allowed deletion.
func (s *State) featureFault(u FeatureUpdate, levels map[string]int16) string {
	deletes := u.Level < lowestFeatureLvl && (u.Upgrade == safeDowngrade || u.Upgrade == unsafeDowngrade)
	_, exists := levels[u.Feature]
	switch {
	case u.Feature == "":
		return "Feature name can not be empty."
	case u.Upgrade < upgradeOnly || u.Upgrade > unsafeDowngrade:
		return "Received unknown upgrade type."
	case deletes && !exists:
		return "Can not delete non-existing finalized feature."
	case deletes:
		return ""
	case u.Level < lowestFeatureLvl:
		return fmt.Sprintf("Can not provide versionLevel: %d less than 1 without setting the SAFE downgradeType in the request.", u.Level)
	}
	return "Could not apply finalized feature update because the provided feature is not supported."
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }
