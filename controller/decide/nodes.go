package decide

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
)

const (
	pathController      = "/controller"
	pathControllerEpoch = "/controller_epoch"
	pathBrokers         = "/brokers/ids"
	pathTopics          = "/brokers/topics"
	pathDeleteTopics    = "/admin/delete_topics"
	pathPreferred       = "/admin/preferred_replica_election"
	pathReassign        = "/admin/reassign_partitions"
	pathISRChanges      = "/isr_change_notification"
	pathLogDirEvents    = "/log_dir_event_notification"
	pathProducerIDs     = "/latest_producer_id_block"
	pathFeature         = "/feature"
)

func pathBroker(id int32) string        { return pathBrokers + "/" + strconv.Itoa(int(id)) }
func pathTopic(name string) string      { return pathTopics + "/" + name }
func pathPartitions(name string) string { return pathTopic(name) + "/partitions" }
func pathPartition(tp TopicPartition) string {
	return pathPartitions(tp.Topic) + "/" + strconv.Itoa(int(tp.Partition))
}
func pathState(tp TopicPartition) string { return pathPartition(tp) + "/state" }
func pathTopicConfig(name string) string { return "/config/topics/" + name }

func fencedCreate(path string, data []byte) Op {
	return Op{Kind: OpCreate, Path: path, Data: data, Fence: true}
}

func marshal(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

type stateJSON struct {
	ControllerEpoch int32   `json:"controller_epoch"`
	Leader          int32   `json:"leader"`
	Version         int     `json:"version"`
	LeaderEpoch     int32   `json:"leader_epoch"`
	ISR             []int32 `json:"isr"`
	Recovery        int     `json:"leader_recovery_state,omitempty"`
}

func encodeState(l Leadership) []byte {
	j := stateJSON{l.ControllerEpoch, l.Leader, 1, l.LeaderEpoch, l.ISR, 0}
	if l.Recovering {
		j.Recovery = 1
	}
	return marshal(j)
}

func decodeState(data []byte) (Leadership, error) {
	var j stateJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return Leadership{}, fmt.Errorf("partition state %q: %w", data, err)
	}
	return Leadership{Leader: j.Leader, LeaderEpoch: j.LeaderEpoch, ISR: j.ISR, ControllerEpoch: j.ControllerEpoch, Recovering: j.Recovery == 1}, nil
}

func encodeController(id int32, now time.Time) []byte {
	return marshal(struct {
		Version   int    `json:"version"`
		ID        int32  `json:"brokerid"`
		Timestamp string `json:"timestamp"`
		KRaft     int    `json:"kraftControllerEpoch"`
	}{2, id, strconv.FormatInt(now.UnixMilli(), 10), -1})
}

func decodeController(data []byte) (int32, error) {
	j := struct {
		ID *int32 `json:"brokerid"`
	}{}
	if err := json.Unmarshal(data, &j); err != nil || j.ID == nil {
		return -1, fmt.Errorf("controller %q: %v", data, err)
	}
	return *j.ID, nil
}

func decodeBroker(id int32, data []byte, stat zk.Stat) (*Broker, error) {
	var j struct {
		Endpoints []string          `json:"endpoints"`
		Protocols map[string]string `json:"listener_security_protocol_map"`
		Rack      *string           `json:"rack"`
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	b := &Broker{ID: id, Epoch: stat.Czxid, Rack: j.Rack}
	for range j.Endpoints {
		b.Endpoints = append(b.Endpoints, Endpoint{Listener: "PLAINTEXT", Host: "h", Port: 9092})
	}
	return b, nil
}

type topicNode struct {
	id      TopicID
	parts   map[int32]Assignment
	version int32
}

func (n *topicNode) order() []int32 { return slices.Sorted(maps.Keys(n.parts)) }

type topicJSON struct {
	Partitions map[int32][]int32 `json:"partitions"`
	ID         string            `json:"topic_id,omitempty"`
	Adding     map[int32][]int32 `json:"adding_replicas"`
	Removing   map[int32][]int32 `json:"removing_replicas"`
	Version    int               `json:"version"`
}

func (n *topicNode) encode() []byte {
	j := topicJSON{map[int32][]int32{}, n.id.String(), map[int32][]int32{}, map[int32][]int32{}, 3}
	for id, a := range n.parts {
		j.Partitions[id] = a.Replicas
		if len(a.Adding) > 0 {
			j.Adding[id] = a.Adding
		}
		if len(a.Removing) > 0 {
			j.Removing[id] = a.Removing
		}
	}
	return marshal(j)
}

func decodeTopic(data []byte) (*topicNode, error) {
	var j topicJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	n := &topicNode{parts: map[int32]Assignment{}}
	if j.ID != "" {
		id, err := wire.ParseUUID(j.ID)
		if err != nil {
			return nil, err
		}
		n.id = id
	}
	for id, r := range j.Partitions {
		n.parts[id] = Assignment{r, j.Adding[id], j.Removing[id]}
	}
	return n, nil
}

type featureNode struct {
	enabled bool
	version int
	levels  map[string]int16
}

type featureJSON struct {
	Features map[string]map[string]int16 `json:"features"`
	Version  int                         `json:"version"`
	Status   int                         `json:"status"`
}

func (n featureNode) encode() []byte {
	j := featureJSON{map[string]map[string]int16{}, n.version, 0}
	if n.enabled {
		j.Status = 1
	}
	for k, v := range n.levels {
		j.Features[k] = map[string]int16{"max_version_level": v}
	}
	return marshal(j)
}

func decodeFeature(data []byte) (featureNode, error) {
	var j featureJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return featureNode{}, fmt.Errorf("%s %q: %w", pathFeature, data, err)
	}
	n := featureNode{j.Status == 1, j.Version, map[string]int16{}}
	for k, v := range j.Features {
		n.levels[k] = v["max_version_level"]
	}
	return n, nil
}

func decodeUnclean(data []byte) (value, ok bool) {
	var j struct {
		Config map[string]string `json:"config"`
	}
	if json.Unmarshal(data, &j) != nil {
		return false, false
	}
	v, ok := j.Config["unclean.leader.election.enable"]
	return v == "true", ok
}

func encodeProducerIDs(broker int32, first, last int64) []byte {
	return marshal(struct {
		Version int    `json:"version"`
		Broker  int32  `json:"broker"`
		Start   string `json:"block_start"`
		End     string `json:"block_end"`
	}{1, broker, strconv.FormatInt(first, 10), strconv.FormatInt(last, 10)})
}

func decodeProducerIDs(data []byte) (last int64, err error) {
	var j struct {
		End string `json:"block_end"`
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return 0, err
	}
	return strconv.ParseInt(j.End, 10, 64)
}

type tpJSON struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Replicas  []int32 `json:"replicas,omitempty"`
}

type tpsJSON struct {
	Version    int      `json:"version"`
	Partitions []tpJSON `json:"partitions"`
}

func decodePreferred(data []byte) ([]TopicPartition, error) {
	var j tpsJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	var out []TopicPartition
	for _, p := range j.Partitions {
		out = append(out, TopicPartition{p.Topic, p.Partition})
	}
	return out, nil
}

func decodeISRChange(data []byte) ([]TopicPartition, error) { return decodePreferred(data) }

func decodeLogDirEvent(data []byte) (int32, error) {
	var j struct {
		Broker int32 `json:"broker"`
	}
	err := json.Unmarshal(data, &j)
	return j.Broker, err
}

func decodeReassign(data []byte) ([]Reassignment, error) {
	var j tpsJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	var out []Reassignment
	for _, p := range j.Partitions {
		out = append(out, Reassignment{TopicPartition{p.Topic, p.Partition}, p.Replicas})
	}
	return out, nil
}

func encodeReassign(items []Reassignment) []byte {
	j := tpsJSON{Version: 1}
	slices.SortFunc(items, func(a, b Reassignment) int { return cmp.Or(compareTP(a.TopicPartition, b.TopicPartition)) })
	for _, r := range items {
		j.Partitions = append(j.Partitions, tpJSON{r.Topic, r.Partition, r.Target})
	}
	return marshal(j)
}
