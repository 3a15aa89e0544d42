package znode

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

func id(t *testing.T, s string) wire.UUID {
	t.Helper()
	u, err := wire.ParseUUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// codec is one data format: how to read it into any and how to write that.
type codec struct {
	name   string
	decode func(path string, data []byte) (any, error)
	encode func(v any) []byte
}

func of[T any](name string, decode func(string, []byte) (T, error), encode func(T) []byte) codec {
	return codec{name,
		func(p string, d []byte) (any, error) { v, err := decode(p, d); return v, err },
		func(v any) []byte { return encode(v.(T)) },
	}
}

// codecs are all formats that are both read and written.
func codecs() map[string]codec {
	out := map[string]codec{}
	for _, c := range []codec{
		of("broker", DecodeBroker, Broker.Encode),
		of("topic", DecodeTopic, Topic.Encode),
		of("state", DecodePartitionState, PartitionState.Encode),
		of("controller", DecodeController, Controller.Encode),
		of("controller epoch", DecodeControllerEpoch, func(n int32) []byte { return EncodeNumber(int64(n)) }),
		of("offset", DecodeOffset, EncodeNumber),
		of("cluster id", DecodeClusterID, EncodeClusterID),
		of("producer ids", DecodeProducerIDs, ProducerIDs.Encode),
		of("features", DecodeFeatures, Features.Encode),
		of("config", DecodeConfig, EncodeConfig),
		of("config change", DecodeConfigChange, EncodeConfigChange),
		of("log dir event", DecodeLogDirEvent, EncodeLogDirEvent),
		of("partitions", DecodePartitions, EncodePartitions),
		of("reassignments", DecodeReassignments, EncodeReassignments),
		of("acls", DecodeACLs, EncodeACLs),
		of("acl change", DecodeACLChange, func(r Resource) []byte { _, d := r.Change(); return d }),
		of("extended acl change", DecodeExtendedACLChange, func(r Resource) []byte { _, d := r.Change(); return d }),
		of("token", DecodeToken, Token.Encode),
		of("consumer", DecodeConsumer, Consumer.Encode),
	} {
		out[c.name] = c
	}
	return out
}

// TestTextsOfKafka has contents as Kafka 3.9.1 and its predecessors wrote them.
// Each is read, compared, and written again to the same bytes.
func TestTextsOfKafka(t *testing.T) {
	plain := Endpoint{"PLAINTEXT", "PLAINTEXT", "127.0.0.1", 21192}
	topicID := id(t, "5kROv--YSN6XSxOaQ91sUw")
	all := codecs()
	for _, c := range []struct {
		codec, text string
		want        any
	}{
		{"broker", `{"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT","SASL_PLAINTEXT":"SASL_PLAINTEXT"},"endpoints":["PLAINTEXT://127.0.0.1:21192","SASL_PLAINTEXT://127.0.0.1:21193"],"rack":"r1","jmx_port":-1,"port":21192,"host":"127.0.0.1","version":5,"timestamp":"1795174269035"}`,
			Broker{Version: 5, Endpoints: []Endpoint{plain, {"SASL_PLAINTEXT", "SASL_PLAINTEXT", "127.0.0.1", 21193}}, Rack: new("r1"), JMXPort: -1, Timestamp: 1795174269035}},
		{"broker", `{"features":{"f":{"min_version":1,"max_version":3}},"listener_security_protocol_map":{"EXTERNAL":"SSL"},"endpoints":["EXTERNAL://[::1]:9"],"jmx_port":7,"port":-1,"host":null,"version":5,"timestamp":"1"}`,
			Broker{Version: 5, Endpoints: []Endpoint{{"EXTERNAL", "SSL", "::1", 9}}, JMXPort: 7, Timestamp: 1, Features: map[string]VersionRange{"f": {1, 3}}}},
		{"broker", `{"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":["PLAINTEXT://127.0.0.1:21192"],"rack":"r","jmx_port":-1,"port":21192,"host":"127.0.0.1","version":4,"timestamp":"2"}`,
			Broker{Version: 4, Endpoints: []Endpoint{plain}, Rack: new("r"), JMXPort: -1, Timestamp: 2}},
		{"broker", `{"endpoints":["PLAINTEXT://127.0.0.1:21192","SSL://h:2"],"jmx_port":9999,"port":21192,"host":"127.0.0.1","version":2,"timestamp":"2"}`,
			Broker{Version: 2, Endpoints: []Endpoint{plain, {"SSL", "SSL", "h", 2}}, JMXPort: 9999, Timestamp: 2}},
		{"topic", `{"partitions":{"0":[2,1],"1":[2,1]},"topic_id":"5kROv--YSN6XSxOaQ91sUw","adding_replicas":{"1":[1]},"removing_replicas":{},"version":3}`,
			Topic{Version: 3, ID: topicID, Partitions: map[int32]Replicas{0: {Replicas: []int32{2, 1}}, 1: {Replicas: []int32{2, 1}, Adding: []int32{1}}}}},
		{"state", `{"controller_epoch":1,"leader":2,"version":1,"leader_epoch":0,"isr":[2,1]}`,
			PartitionState{Leader: 2, ISR: []int32{2, 1}, ControllerEpoch: 1}},
		{"state", `{"controller_epoch":3,"leader":-1,"version":1,"leader_epoch":4,"isr":[1],"leader_recovery_state":1}`,
			PartitionState{Leader: -1, LeaderEpoch: 4, ISR: []int32{1}, ControllerEpoch: 3, Recovering: true}},
		{"controller", `{"version":2,"brokerid":1,"timestamp":"1795174269177","kraftControllerEpoch":-1}`,
			Controller{Version: 2, BrokerID: 1, Timestamp: 1795174269177, KRaftEpoch: NoKRaftEpoch}},
		{"controller epoch", `2`, int32(2)},
		{"offset", `9223372036854775807`, int64(1<<63 - 1)},
		{"cluster id", `{"version":"1","id":"-abcdefghijklmnopqrstu"}`, "-abcdefghijklmnopqrstu"},
		{"producer ids", `{"version":1,"broker":2,"block_start":"1000","block_end":"1999"}`, ProducerIDs{2, 1000, 1999}},
		{"features", `{"features":{},"version":2,"status":1}`, Features{Version: 2, Enabled: true, Levels: map[string]int16{}}},
		{"features", `{"features":{"f":{"max_version_level":3,"min_version_level":3}},"version":1,"status":0}`, Features{Version: 1, Levels: map[string]int16{"f": 3}}},
		{"config", `{"version":1,"config":{}}`, map[string]string{}},
		{"config", `{"version":1,"config":{"a\"b\\\u0001":"x<>&\né","retention.ms":"1"}}`, map[string]string{"retention.ms": "1", "a\"b\\\x01": "x<>&\né"}},
		{"config change", `{"version":2,"entity_path":"topics/t1"}`, Entity{Topic: Named("t1")}},
		{"config change", `{"version":2,"entity_path":"users/al%20ice%2Fx/clients/<default>"}`, Entity{User: Named("al ice/x"), Client: Defaults()}},
		{"log dir event", `{"version":1,"broker":1,"event":1}`, int32(1)},
		{"partitions", `{"version":1,"partitions":[{"topic":"rt","partition":0}]}`, []TopicPartition{{"rt", 0}}},
		{"reassignments", `{"version":1,"partitions":[{"topic":"rt","partition":0,"replicas":[1,2]}]}`, []Reassignment{{TopicPartition{"rt", 0}, []int32{1, 2}}}},
		{"acls", `{"acls":[{"principal":"User:alice","permissionType":"Allow","host":"*","operation":"Read"}],"version":1}`,
			[]ACLEntry{{"User:alice", "Allow", "*", "Read"}}},
		{"acl change", `TRANSACTIONAL_ID:*`, Resource{TransactionalIDResource, "*", Literal}},
		{"acl change", `CLUSTER:kafka-cluster`, Resource{ClusterResource, "kafka-cluster", Literal}},
		{"acl change", `GROUP:a:b`, Resource{GroupResource, "a:b", Literal}},
		{"extended acl change", `{"version":1,"resourceType":"GROUP","name":"g-","patternType":"PREFIXED"}`, Resource{GroupResource, "g-", Prefixed}},
		{"token", `{"issueTimestamp":1795174833531,"renewers":["User%3Aren"],"tokenRequester":"User%3Aalice","tokenId":"cuuq","owner":"User%3Abob","expiryTimestamp":2,"maxTimestamp":3,"version":3}`,
			Token{ID: "cuuq", Owner: "User:bob", Requester: "User:alice", Renewers: []string{"User:ren"}, Issued: 1795174833531, Expiry: 2, MaxExpiry: 3}},
		{"consumer", `{"version":1,"subscription":{"a":2,"b":1},"pattern":"static","timestamp":"14"}`,
			Consumer{Streams: map[string]int32{"a": 2, "b": 1}, Pattern: StaticPattern, Timestamp: 14}},
	} {
		got, err := all[c.codec].decode("/p", []byte(c.text))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s:\n got %+v, %v\nwant %+v", c.codec, c.text, got, err, c.want)
			continue
		}
		if text := string(all[c.codec].encode(got)); text != c.text {
			t.Errorf("%s written as\n%s, want\n%s", c.codec, text, c.text)
		}
	}
}

// TestTolerantReading: what other versions and tools write is understood,
// though gregor would write it otherwise.
func TestTolerantReading(t *testing.T) {
	all := codecs()
	for _, c := range []struct {
		codec, text string
		want        any
	}{
		{"broker", `{"version":1,"host":"h","port":9092,"jmx_port":9999,"timestamp":"2233345666"}`,
			Broker{Version: 1, Endpoints: []Endpoint{{"PLAINTEXT", "PLAINTEXT", "h", 9092}}, JMXPort: 9999, Timestamp: 2233345666}},
		{"broker", ` { "extra" : [ {} ] , "version":9, "endpoints":["ssl://h:1 , PLAINTEXT://:2"], "rack":null, "timestamp":77 } `,
			Broker{Version: 9, Endpoints: []Endpoint{{"SSL", "SSL", "h", 1}, {"PLAINTEXT", "PLAINTEXT", "", 2}}, JMXPort: -1, Timestamp: 77}},
		{"broker", `{"version":5,"endpoints":[],"features":{"f":{"min_version":1,"first_active_version":2,"max_version":3}}}`,
			Broker{Version: 5, JMXPort: -1, Features: map[string]VersionRange{"f": {1, 3}}}},
		{"topic", `{"partitions":{"2":[],"10":[1]},"adding_replicas":{},"removing_replicas":{"10":[5]},"version":2}`,
			Topic{Version: 2, Partitions: map[int32]Replicas{2: {Replicas: []int32{}}, 10: {Replicas: []int32{1}, Removing: []int32{5}}}}},
		{"topic", `{"partitions":{"0":[1,2]},"version":1}`, Topic{Version: 1, Partitions: map[int32]Replicas{0: {Replicas: []int32{1, 2}}}}},
		{"controller", `{"version":1,"brokerid":7,"timestamp":"5"}`, Controller{Version: 1, BrokerID: 7, Timestamp: 5, KRaftEpoch: NoKRaftEpoch}},
		{"topic", `{"topic_id":null}`, Topic{Version: 1, Partitions: map[int32]Replicas{}}},
		{"state", `{"leader":1,"leader":2,"leader_epoch":1,"isr":[],"controller_epoch":1,"Leader":9,"leader_recovery_state":0}`,
			PartitionState{Leader: 2, LeaderEpoch: 1, ISR: []int32{}, ControllerEpoch: 1}},
		{"controller", `{"brokerid":3,"kraftControllerEpoch":5,"version":2}`, Controller{Version: 2, BrokerID: 3, KRaftEpoch: 5}},
		{"cluster id", `{"id":"x"}`, "x"},
		{"config", `{"version":1}`, map[string]string{}},
		{"config", `{"config":"what"}`, map[string]string{}},
		{"config change", `{"version":1,"entity_type":"clients","entity_name":"c%2A"}`, Entity{Client: Named("c*")}},
		{"partitions", `{"partitions":[{"partition":1,"topic":"t"},{"topic":"t","partition":1}]}`, []TopicPartition{{"t", 1}}},
		{"reassignments", `{"partitions":[{"topic":"t","partition":1,"replicas":[1]},{"topic":"t","partition":1,"replicas":[2]}]}`,
			[]Reassignment{{TopicPartition{"t", 1}, []int32{2}}}},
		{"acls", `{"version":1,"acls":[{"principal":"User:*","permissionType":"DENY","operation":"READ","host":"h"},{"principal":"User:*","permissionType":"Allow","operation":"TwoPhaseCommit","host":"h"},{"principal":"User:*","permissionType":"Deny","operation":"Read","host":"h"}]}`,
			[]ACLEntry{{"User:*", "Allow", "h", UnknownName}, {"User:*", "Deny", "h", "Read"}}},
		{"acl change", `Topic:t`, Resource{TopicResource, "t", Literal}},
		{"token", `{"version":1,"owner":"User%3Ao","renewers":[],"issueTimestamp":1,"maxTimestamp":2,"expiryTimestamp":3,"tokenId":"i"}`,
			Token{ID: "i", Owner: "User:o", Requester: "User:o", Issued: 1, MaxExpiry: 2, Expiry: 3}},
		{"consumer", `{"subscription":{".*":1},"pattern":"white_list"}`, Consumer{Streams: map[string]int32{".*": 1}, Pattern: WhiteListPattern}},
	} {
		got, err := all[c.codec].decode("/p", []byte(c.text))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s:\n got %+v, %v\nwant %+v", c.codec, c.text, got, err, c.want)
		}
	}
	for _, name := range []string{"config", "acls"} {
		for _, data := range [][]byte{nil, {}} {
			if _, err := all[name].decode("/p", data); err != nil {
				t.Errorf("%s without data: %v", name, err)
			}
		}
	}
	m, err := DecodeMigration(MigrationPath, []byte(`{"version":0,"kraft_controller_id":3000,"kraft_controller_epoch":4,"kraft_metadata_offset":5000000000,"kraft_metadata_epoch":6}`))
	if want := (Migration{3000, 4, 5000000000, 6}); err != nil || m != want {
		t.Errorf("migration: %+v, %v", m, err)
	}
}

// TestMalformedContent: the message names the path and what is wrong.
func TestMalformedContent(t *testing.T) {
	all := codecs()
	all["migration"] = codec{decode: func(p string, d []byte) (any, error) { return DecodeMigration(p, d) }}
	for _, c := range []struct{ codec, text, want string }{
		{"broker", "", "is empty"},
		{"broker", "[]", `want a JSON object, have "[]"`},
		{"broker", "null", "want a JSON object"},
		{"broker", `{"a":1`, "want a JSON object"},
		{"broker", `{"endpoints":[]}`, `key "version" is missing`},
		{"broker", `{"version":0}`, "version 0 of a broker registration"},
		{"broker", `{"version":"5"}`, `key "version": want an integer of 32 bits, have "\"5\""`},
		{"broker", `{"version":5.0}`, "want an integer"},
		{"broker", `{"version":3000000000}`, "want an integer of 32 bits"},
		{"broker", `{"version":5}`, `key "endpoints" is missing`},
		{"broker", `{"version":5,"endpoints":[null]}`, "want an array of strings"},
		{"broker", `{"version":5,"endpoints":["h:1"]}`, `endpoint "h:1": want NAME://host:port`},
		{"broker", `{"version":5,"endpoints":["X://h:99999999999"]}`, "port is not an integer"},
		{"broker", `{"version":5,"endpoints":["X://h:1"]}`, `security protocol "X"`},
		{"broker", `{"version":5,"endpoints":["X://h:1"],"listener_security_protocol_map":{"Y":"SSL"}}`, `in "listener_security_protocol_map": key "X" is missing`},
		{"broker", `{"version":5,"endpoints":["X://h:1"],"listener_security_protocol_map":{"X":"TLS"}}`, `security protocol "TLS"`},
		{"broker", `{"version":5,"endpoints":[],"listener_security_protocol_map":[]}`, `in "listener_security_protocol_map": want a JSON object`},
		{"broker", `{"version":5,"endpoints":[],"rack":5}`, `key "rack": want a string`},
		{"broker", `{"version":5,"endpoints":[],"features":{"f":{"max_version":1}}}`, `in "f": key "min_version" is missing`},
		{"broker", `{"version":5,"endpoints":[],"features":{"f":{"min_version":2,"max_version":1}}}`, "versions 2 to 1 are no range"},
		{"broker", `{"version":1,"port":1}`, `key "host" is missing`},
		{"topic", `{"topic_id":"short"}`, "22 characters"},
		{"topic", `{"partitions":{"x":[1]}}`, `partition "x": want a number`},
		{"topic", `{"partitions":{"-1":[1]}}`, `partition "-1": want a number`},
		{"topic", `{"partitions":{"0":["1"]}}`, `key "0": want an array of integers`},
		{"topic", `{"partitions":{"0":7}}`, `key "0": want an array of integers`},
		{"topic", `{"partitions":{"0":null}}`, `key "0" is missing`},
		{"state", `{"leader":1,"leader_epoch":1,"controller_epoch":1}`, `key "isr" is missing`},
		{"state", `{"leader":null,"leader_epoch":1,"controller_epoch":1,"isr":[]}`, `key "leader" is missing`},
		{"state", `{"leader":1,"leader_epoch":1,"controller_epoch":1,"isr":[],"leader_recovery_state":2}`, "leader_recovery_state is 2"},
		{"controller", `{}`, `key "brokerid" is missing`},
		{"controller epoch", `x`, "want an integer of 32 bits"},
		{"offset", ``, "want an integer of 64 bits"},
		{"cluster id", `{"id":1}`, `key "id": want a string`},
		{"producer ids", `{"broker":1,"block_start":"a","block_end":"1"}`, `key "block_start": want a string with an integer`},
		{"producer ids", `{"broker":1,"block_start":"5","block_end":"1"}`, "no range of producer ids"},
		{"producer ids", `{"broker":1,"block_start":5,"block_end":"1"}`, `key "block_start": want a string`},
		{"features", `{"version":3,"status":1,"features":{}}`, "version 3 of the features"},
		{"features", `{"version":2,"status":2,"features":{}}`, "status is 2"},
		{"features", `{"version":2,"status":1}`, `key "features" is missing`},
		{"features", `{"version":2,"status":1,"features":{"f":{"max_version_level":0}}}`, "levels 1 to 0"},
		{"config", `{"config":{"a":1}}`, `in "config": key "a": want a string`},
		{"config", `x`, "want a JSON object"},
		{"config change", `{"version":3}`, "version 3 of a config change"},
		{"config change", `{"version":2,"entity_path":"topics"}`, "want type/name"},
		{"config change", `{"version":2,"entity_path":"broker/1"}`, "type is not one of"},
		{"config change", `{"version":2,"entity_path":"users/a/b"}`, "want users/U or users/U/clients/C"},
		{"config change", `{"version":2,"entity_path":"clients/%zz"}`, "sanitised name"},
		{"config change", `{"version":2,"entity_path":"users/a/clients/%zz"}`, "sanitised name"},
		{"config change", `{"version":2,"entity_path":"topics/a/b"}`, "holds a slash"},
		{"config change", `{"version":1,"entity_type":"users","entity_name":"u"}`, "want topics or clients"},
		{"log dir event", `{}`, `key "broker" is missing`},
		{"partitions", `{"partitions":[1]}`, `in "partitions": want a JSON object`},
		{"partitions", `{"partitions":{}}`, "want an array of objects"},
		{"partitions", `{"partitions":[{"topic":"t"}]}`, `in "partitions": key "partition" is missing`},
		{"reassignments", `{"partitions":[{"topic":"t","partition":0}]}`, `key "replicas" is missing`},
		{"acls", `{"version":2,"acls":[]}`, "version 2 of ACLs"},
		{"acls", `{"version":1,"acls":[{"principal":"alice","permissionType":"Allow","operation":"Read","host":"*"}]}`, "want Type:name"},
		{"acl change", `TOPIC`, "want TYPE:name"},
		{"acl change", `CAKE:x`, "want TYPE:name"},
		{"extended acl change", `{"version":2,"resourceType":"GROUP","name":"g","patternType":"PREFIXED"}`, "version 2"},
		{"extended acl change", `{"resourceType":"CAKE","name":"g","patternType":"PREFIXED"}`, "a resource type"},
		{"extended acl change", `{"resourceType":"GROUP","name":"g","patternType":"MATCH"}`, "LITERAL or PREFIXED"},
		{"token", `{"version":4}`, "version 4 of a delegation token"},
		{"token", `{"version":3,"tokenId":"i","owner":"o","issueTimestamp":1,"expiryTimestamp":1,"maxTimestamp":1}`, `key "owner": want Type%3Aname`},
		{"token", `{"version":2,"tokenId":"i","owner":"User%3Ao","issueTimestamp":"1","expiryTimestamp":1,"maxTimestamp":1,"renewers":[]}`, `key "issueTimestamp": want an integer of 64 bits`},
		{"consumer", `{"subscription":{},"pattern":"dynamic"}`, "static, white_list or black_list"},
		{"consumer", `{"pattern":"static"}`, `key "subscription" is missing`},
		{"consumer", `{"pattern":"static","subscription":{"t":0}}`, "number of streams above 0"},
		{"consumer", `{"pattern":"black_list","subscription":{"t":1,"u":1}}`, "has 2 keys"},
		{"migration", `{"version":1}`, "version 1 of the migration state"},
	} {
		_, err := all[c.codec].decode("/the/path", []byte(c.text))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Path != "/the/path" || !strings.Contains(err.Error(), "znode /the/path: ") || !strings.Contains(e.Rule, c.want) {
			t.Errorf("%s %s: %v, want %q", c.codec, c.text, err, c.want)
		}
	}
	if _, err := DecodeBroker("/p", nil); err == nil || !strings.Contains(err.Error(), "is null") {
		t.Errorf("null data: %v", err)
	}
	if _, err := DecodeBroker("/p", []byte(strings.Repeat("x", 1000))); len(err.Error()) > 200 {
		t.Errorf("message repeats all of its input: %v", err)
	}
}

func TestDefaultVersions(t *testing.T) {
	for want, got := range map[string][]byte{
		`{"partitions":{},"adding_replicas":{},"removing_replicas":{},"version":3}`: Topic{}.Encode(),
		`{"version":2,"brokerid":0,"timestamp":"0","kraftControllerEpoch":0}`:       Controller{}.Encode(),
		`{"features":{},"version":2,"status":0}`:                                    Features{}.Encode(),
		`{"acls":[],"version":1}`:                                                   EncodeACLs(nil),
		`{"version":1,"partitions":[]}`:                                             EncodePartitions(nil),
	} {
		if string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	one, two := ACLEntry{"User:a", "Allow", "*", "Read"}, ACLEntry{"User:b", "Allow", "*", "Read"}
	list := []ACLEntry{two, one, two}
	if a, b := EncodeACLs(list), EncodeACLs([]ACLEntry{one, two}); string(a) != string(b) || list[0] != two {
		t.Errorf("a set of ACLs has more than one form: %s, %s; input now %v", a, b, list)
	}
}

func TestProducerIDBlocks(t *testing.T) {
	p := FirstProducerIDs(1)
	if p != (ProducerIDs{1, 0, 999}) {
		t.Errorf("first block %+v", p)
	}
	p, ok := p.Next(2)
	if !ok || p != (ProducerIDs{2, 1000, 1999}) {
		t.Errorf("second block %+v, %v", p, ok)
	}
	if _, ok := (ProducerIDs{End: 1<<63 - 1000}).Next(1); ok {
		t.Error("a block beyond the last id")
	}
	if p, ok := (ProducerIDs{End: 1<<63 - 1 - 1000}).Next(1); !ok || p.End != 1<<63-1 {
		t.Errorf("last block %+v, %v", p, ok)
	}
}

func TestThreadIDs(t *testing.T) {
	consumer, n, ok := ParseThreadID(ThreadID("g_host-1417-ab12", 3))
	if consumer != "g_host-1417-ab12" || n != 3 || !ok {
		t.Errorf("%q %d %v", consumer, n, ok)
	}
	for _, bad := range []string{"", "x", "x-", "x-y", "x-99999999999"} {
		if _, _, ok := ParseThreadID(bad); ok {
			t.Errorf("%q accepted", bad)
		}
	}
}
