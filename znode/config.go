package znode

// EncodeConfig writes the overrides of an entity (EntityConfigPath).
func EncodeConfig(config map[string]string) []byte {
	var w writer
	w.open()
	w.int("version", 1)
	w.textMap("config", config)
	w.close()
	return w.done()
}

// DecodeConfig reads overrides. Null data and a missing "config" are none.
func DecodeConfig(path string, data []byte) (map[string]string, error) {
	out := make(map[string]string)
	if len(data) == 0 {
		return out, nil
	}
	o := readObject(path, data)
	// What is no object counts as missing, as in Kafka.
	if raw := o.raw("config"); len(raw) > 0 && raw[0] == '{' {
		c := o.child("config")
		for key := range c.keys() {
			out[key] = c.text(key)
		}
	}
	if o.Err() != nil {
		return nil, o.Err()
	}
	return out, nil
}

// EncodeConfigChange writes a notification (ConfigChangePrefix) in version 2.
func EncodeConfigChange(e Entity) []byte {
	var w writer
	w.open()
	w.int("version", 2)
	w.text("entity_path", e.Path())
	w.close()
	return w.done()
}

// DecodeConfigChange reads a notification of version 2, or 1 as brokers before
// 0.10 wrote for topics and clients.
func DecodeConfigChange(path string, data []byte) (Entity, error) {
	o := readObject(path, data)
	var entity string
	switch v := o.int32("version"); {
	case o.Err() != nil:
	case v == 1:
		typ := o.text("entity_type")
		if o.Err() == nil && typ != string(Topics) && typ != string(Clients) {
			o.failKey("entity_type", "topics or clients")
		}
		entity = typ + "/" + o.text("entity_name")
	case v == 2:
		entity = o.text("entity_path")
	default:
		o.fail("version %d of a config change is not supported, want 1 or 2", v)
	}
	if o.Err() != nil {
		return Entity{}, o.Err()
	}
	e, err := ParseEntity(entity)
	if err != nil {
		return Entity{}, fault(path, "%v", err)
	}
	return e, nil
}

// logDirFailure is the only event that LogDirEventPrefix nodes carry.
const logDirFailure = 1

// EncodeLogDirEvent says that a broker lost a log directory.
func EncodeLogDirEvent(broker int32) []byte {
	var w writer
	w.open()
	w.int("version", 1)
	w.int("broker", int64(broker))
	w.int("event", logDirFailure)
	w.close()
	return w.done()
}

// DecodeLogDirEvent returns the broker that lost a log directory.
func DecodeLogDirEvent(path string, data []byte) (int32, error) {
	o := readObject(path, data)
	broker := o.int32("broker")
	return broker, o.Err()
}
