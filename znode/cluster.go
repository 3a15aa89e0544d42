package znode

import (
	"math"
	"strconv"
)

// NoKRaftEpoch is Controller.KRaftEpoch when no KRaft controller has taken over.
const NoKRaftEpoch = -1

// Controller is who was elected (ControllerPath).
type Controller struct {
	// Version is what was read: 2, or 1 without KRaftEpoch. Encode always
	// writes 2.
	Version  int32
	BrokerID int32
	// Timestamp is in milliseconds since 1970.
	Timestamp int64
	// KRaftEpoch above 0 is a KRaft controller migrating the cluster: brokers
	// must not campaign. NoKRaftEpoch otherwise, also when missing.
	KRaftEpoch int32
}

// Encode writes the node in version 2.
func (c Controller) Encode() []byte {
	var w writer
	w.open()
	w.int("version", 2)
	w.int("brokerid", int64(c.BrokerID))
	w.number("timestamp", c.Timestamp)
	w.int("kraftControllerEpoch", int64(c.KRaftEpoch))
	w.close()
	return w.done()
}

// DecodeController reads the node; only brokerid must be there.
func DecodeController(path string, data []byte) (Controller, error) {
	o := readObject(path, data)
	c := Controller{
		Version: o.int32Or("version", 1), BrokerID: o.int32("brokerid"),
		Timestamp: o.timestamp("timestamp"), KRaftEpoch: o.int32Or("kraftControllerEpoch", NoKRaftEpoch),
	}
	if o.Err() != nil {
		return Controller{}, o.Err()
	}
	return c, nil
}

// EncodeNumber writes decimal text: ControllerEpochPath, OffsetPath and
// OldTopicBrokerPath hold it.
func EncodeNumber(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// DecodeControllerEpoch reads ControllerEpochPath.
func DecodeControllerEpoch(path string, data []byte) (int32, error) {
	n, err := strconv.ParseInt(string(data), 10, 32)
	if err != nil {
		return 0, fault(path, "want an integer of 32 bits, have %s", excerpt(data))
	}
	return int32(n), nil
}

// DecodeOffset reads OffsetPath.
func DecodeOffset(path string, data []byte) (int64, error) {
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return 0, fault(path, "want an integer of 64 bits, have %s", excerpt(data))
	}
	return n, nil
}

// EncodeClusterID writes ClusterIDPath.
func EncodeClusterID(id string) []byte {
	var w writer
	w.open()
	w.text("version", "1")
	w.text("id", id)
	w.close()
	return w.done()
}

// DecodeClusterID reads ClusterIDPath.
func DecodeClusterID(path string, data []byte) (string, error) {
	o := readObject(path, data)
	id := o.text("id")
	return id, o.Err()
}

// ProducerIDs is a block of producer ids (ProducerIDBlockPath), ends included.
type ProducerIDs struct {
	// Broker is who asked for the block.
	Broker     int32
	Start, End int64
}

// ProducerIDBlockSize is how many ids a block has.
const ProducerIDBlockSize = 1000

// Next returns the block after p for a broker; ok is false when producer ids
// have run out.
func (p ProducerIDs) Next(broker int32) (next ProducerIDs, ok bool) {
	if p.End > math.MaxInt64-ProducerIDBlockSize {
		return ProducerIDs{}, false
	}
	return ProducerIDs{Broker: broker, Start: p.End + 1, End: p.End + ProducerIDBlockSize}, true
}

// FirstProducerIDs is the block that a cluster begins with.
func FirstProducerIDs(broker int32) ProducerIDs {
	return ProducerIDs{Broker: broker, End: ProducerIDBlockSize - 1}
}

// Encode writes the block.
func (p ProducerIDs) Encode() []byte {
	var w writer
	w.open()
	w.int("version", 1)
	w.int("broker", int64(p.Broker))
	w.number("block_start", p.Start)
	w.number("block_end", p.End)
	w.close()
	return w.done()
}

// DecodeProducerIDs reads a block. Null data, before the first use, is an error.
func DecodeProducerIDs(path string, data []byte) (ProducerIDs, error) {
	o := readObject(path, data)
	p := ProducerIDs{Broker: o.int32("broker"), Start: o.number64("block_start"), End: o.number64("block_end")}
	if o.Err() == nil && (p.Start < 0 || p.End < p.Start || p.End-p.Start >= math.MaxInt32) {
		o.fail("block from %d to %d is no range of producer ids", p.Start, p.End)
	}
	if o.Err() != nil {
		return ProducerIDs{}, o.Err()
	}
	return p, nil
}

// Features are the finalized features (FeaturePath). The node's dataVersion is
// the epoch that ApiVersions carries.
type Features struct {
	// Version is 2 from IBP 3.3 on, 1 before.
	Version int32
	// Enabled is false at an IBP below 2.7.
	Enabled bool
	// Levels are the highest levels by feature name. Version 1 writes them as
	// the lowest levels too.
	Levels map[string]int16
}

// Encode writes the features in their version, 2 when that is 0.
func (f Features) Encode() []byte {
	version := f.Version
	if version == 0 {
		version = 2
	}
	var w writer
	w.open()
	w.object("features")
	for _, name := range sortedKeys(f.Levels) {
		w.object(name)
		w.int("max_version_level", int64(f.Levels[name]))
		if version == 1 {
			w.int("min_version_level", int64(f.Levels[name]))
		}
		w.close()
	}
	w.close()
	w.int("version", int64(version))
	status := int64(0)
	if f.Enabled {
		status = 1
	}
	w.int("status", status)
	w.close()
	return w.done()
}

// DecodeFeatures reads the features.
func DecodeFeatures(path string, data []byte) (Features, error) {
	o := readObject(path, data)
	f := Features{Version: o.int32("version"), Levels: make(map[string]int16)}
	if o.Err() == nil && f.Version != 1 && f.Version != 2 {
		o.fail("version %d of the features is not supported", f.Version)
	}
	switch s := o.int32("status"); s {
	case 0, 1:
		f.Enabled = s == 1
	default:
		o.fail("status is %d, want 0 (disabled) or 1 (enabled)", s)
	}
	o.need("features")
	levels := o.child("features")
	for name := range levels.keys() {
		c := levels.child(name)
		hi := c.int32("max_version_level")
		lo := int32(1)
		if f.Version == 1 {
			lo = c.int32("min_version_level")
		}
		if lo < 1 || hi < lo || hi > math.MaxInt16 {
			o.fail("feature %q: levels %d to %d are no range", name, lo, hi)
			break
		}
		f.Levels[name] = int16(hi)
	}
	if o.Err() != nil {
		return Features{}, o.Err()
	}
	return f, nil
}

// Migration is the progress of a KRaft controller that takes the cluster over
// (MigrationPath). gregor only reads it.
type Migration struct {
	ControllerID, ControllerEpoch int32
	MetadataOffset                int64
	MetadataEpoch                 int32
}

// DecodeMigration reads MigrationPath.
func DecodeMigration(path string, data []byte) (Migration, error) {
	o := readObject(path, data)
	if v := o.int32("version"); v != 0 {
		o.fail("version %d of the migration state is not supported", v)
	}
	m := Migration{
		ControllerID: o.int32("kraft_controller_id"), ControllerEpoch: o.int32("kraft_controller_epoch"),
		MetadataOffset: o.int64("kraft_metadata_offset"), MetadataEpoch: o.int32("kraft_metadata_epoch"),
	}
	if o.Err() != nil {
		return Migration{}, o.Err()
	}
	return m, nil
}
