package api

import (
	stdcontext "context"
	"testing"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
)

// The answers here are those that Apache Kafka 3.9.1 gave to the same requests.

// activeController never decides anything.
type activeController struct{}

func (activeController) Active() bool { return true }
func (activeController) Ask(stdcontext.Context, func(uint64) decide.Event) decide.Answer {
	return decide.Failed{Err: wire.CodeUnknownServerError}
}

// nextID hands out producer id 7.
type nextID struct{}

func (nextID) Next(done func(int64, error)) { done(7, nil) }

func TestCreateTopicsNamedTwice(t *testing.T) {
	b := newBench(t)
	b.broker.Controller = activeController{}
	every(t, wire.KeyCreateTopics, func(v int16) {
		req := wire.NewCreateTopicsRequest()
		for _, name := range []string{"a", "a", "__cluster_metadata"} {
			req.Topics = append(req.Topics, wire.CreateTopicsRequestCreatableTopic{Name: name, NumPartitions: 1, ReplicationFactor: 1})
		}
		got := ask[*wire.CreateTopicsResponse](b, v, req).Topics
		same(t, v, "answers", len(got), 3)
		for i, text := range []string{"Found multiple entries for this topic.", "Found multiple entries for this topic.",
			"Creation of internal topic __cluster_metadata is prohibited."} {
			want := wire.NewCreateTopicsResponseCreatableTopicResult()
			want.Name, want.ErrorCode, want.ErrorMessage = req.Topics[i].Name, wire.CodeInvalidRequest, new(since(v, 1, text))
			want.Configs = []wire.CreateTopicsResponseCreatableTopicConfigs{}
			same(t, v, text, got[i], want)
		}
	})
}

func TestLateTopicKeepsItsID(t *testing.T) {
	out := wire.NewCreateTopicsResponseCreatableTopicResult()
	out.Name, out.TopicID, out.NumPartitions = "a", wire.UUID{1}, 3
	failCreation(&out, wire.CodeRequestTimedOut, nil)
	same(t, 7, "answer", []any{out.Name, out.TopicID, out.NumPartitions, out.ErrorCode, out.ErrorMessage},
		[]any{"a", wire.UUID{1}, int32(-1), wire.CodeRequestTimedOut, (*string)(nil)})
}

func TestDeleteTopicsNamedBothWays(t *testing.T) {
	b := newBench(t)
	b.broker.Controller = activeController{}
	req := wire.NewDeleteTopicsRequest()
	req.Topics = []wire.DeleteTopicsRequestDeleteTopicState{{Name: new("t"), TopicID: wire.UUID{15: 't'}}}
	got := ask[*wire.DeleteTopicsResponse](b, 6, req).Responses[0]
	same(t, 6, "answer", []any{got.ErrorCode, got.ErrorMessage}, []any{wire.CodeInvalidRequest, (*string)(nil)})
}

func TestMetadataAnswersOnce(t *testing.T) {
	b := newBench(t)
	id, gone := wire.UUID{15: 't'}, wire.UUID{1}
	type topics = []wire.MetadataRequestTopic
	every(t, wire.KeyMetadata, func(v int16) {
		f := func(what string, asked topics, brokers int, want ...wire.Code) []wire.MetadataResponseTopic {
			t.Helper()
			req := wire.NewMetadataRequest()
			req.AllowAutoTopicCreation = v < 4
			req.Topics = asked
			resp := ask[*wire.MetadataResponse](b, v, req)
			var got []wire.Code
			for _, r := range resp.Topics {
				got = append(got, r.ErrorCode)
			}
			same(t, v, what, []any{len(resp.Brokers), got}, []any{brokers, want})
			return resp.Topics
		}
		f("twice", topics{{Name: new("t")}, {Name: new("t")}}, 1, wire.CodeNone)
		switch {
		case v < 10:
		case v < 12:
			// These versions have ids on the wire and refuse them.
			got := f("ids", topics{{Name: new(""), TopicID: id}}, 0, wire.CodeInvalidRequest)
			same(t, v, "id", got[0].TopicID, id)
			f("nothing", topics{{}}, 0, wire.CodeInvalidRequest)
		default:
			got := f("ids beside names", topics{{Name: new("t"), TopicID: gone}, {TopicID: id}, {TopicID: id}, {Name: new("u")}}, 1,
				wire.CodeUnknownTopicID, wire.CodeNone)
			same(t, v, "names", []any{got[0].Name, *got[1].Name}, []any{(*string)(nil), "t"})
			f("nothing", topics{{}}, 0, wire.CodeInvalidRequest)
		}
	})
}

func TestListOffsetsV0KnowsNoSpecialTimes(t *testing.T) {
	b := newBench(t)
	req := wire.NewListOffsetsRequest()
	for _, at := range []int64{-3, -4, -5, -99} {
		req.Topics = []wire.ListOffsetsRequestTopic{{Name: "t", Partitions: []wire.ListOffsetsRequestPartition{{Timestamp: at, MaxNumOffsets: 1}}}}
		same(t, 0, "code", ask[*wire.ListOffsetsResponse](b, 0, req).Topics[0].Partitions[0].ErrorCode, wire.CodeUnsupportedVersion)
	}
}

func TestDeleteRecordsOfInternalTopics(t *testing.T) {
	b := newBench(t)
	b.topic("__consumer_offsets", 1)
	req := wire.NewDeleteRecordsRequest()
	req.Topics = []wire.DeleteRecordsRequestTopic{
		{Name: "__consumer_offsets", Partitions: []wire.DeleteRecordsRequestPartition{{PartitionIndex: 0}, {PartitionIndex: 1}}}}
	same(t, 2, "partitions", ask[*wire.DeleteRecordsResponse](b, 2, req).Topics[0].Partitions, []wire.DeleteRecordsResponsePartitionResult{
		{PartitionIndex: 0, LowWatermark: -1, ErrorCode: wire.CodeInvalidTopicException},
		{PartitionIndex: 1, LowWatermark: -1, ErrorCode: wire.CodeUnknownTopicOrPartition}})
}

func TestInitProducerID(t *testing.T) {
	b := newBench(t)
	b.broker.ProducerIDs = nextID{}
	f := func(txn *string, id int64, epoch int16, code wire.Code, gotID int64, gotEpoch int16) {
		t.Helper()
		req := wire.NewInitProducerIDRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = txn, id, epoch
		r := ask[*wire.InitProducerIDResponse](b, 4, req)
		same(t, 4, "answer", []any{r.ErrorCode, r.ProducerID, r.ProducerEpoch}, []any{code, gotID, gotEpoch})
	}
	f(nil, -1, -1, wire.CodeNone, 7, 0)
	f(nil, 5, 1, wire.CodeNone, 7, 0)
	f(nil, 5, -1, wire.CodeInvalidRequest, -1, -1)
	f(new("x"), -1, 1, wire.CodeInvalidRequest, -1, -1)
	f(new(""), -1, -1, wire.CodeInvalidRequest, -1, -1)
}

func TestDescribeProducersRefuses(t *testing.T) {
	b := newBench(t)
	f := func(topic string, code wire.Code, text string) {
		t.Helper()
		req := wire.NewDescribeProducersRequest()
		req.Topics = []wire.DescribeProducersRequestTopicRequest{{Name: topic, PartitionIndexes: []int32{0}}}
		p := ask[*wire.DescribeProducersResponse](b, 0, req).Topics[0].Partitions[0]
		same(t, 0, topic, []any{p.ErrorCode, orEmpty(p.ErrorMessage)}, []any{code, text})
	}
	f("gone", wire.CodeUnknownTopicOrPartition, "This server does not host this topic-partition.")
	f("bad name", wire.CodeInvalidTopicException,
		"Topic name is invalid: 'bad name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
}

func TestApiVersionsOfNoVersion(t *testing.T) {
	b := newBench(t)
	for _, v := range []int16{-1, 5, 99} {
		call := &fakeCall{t: t, header: wire.RequestHeader{Key: wire.KeyApiVersions, Version: v}}
		b.broker.Handle(call)
		got := decoded[*wire.ApiVersionsResponse](t, 0, call)
		same(t, v, "answer", []any{got.ErrorCode, got.ApiKeys}, []any{wire.CodeUnsupportedVersion,
			[]wire.ApiVersionsResponseApiVersion{{ApiKey: int16(wire.KeyApiVersions), MinVersion: 0, MaxVersion: 4}}})
	}
}

func TestSaslAtTheWrongTime(t *testing.T) {
	b := newBench(t)
	every(t, wire.KeySaslHandshake, func(v int16) {
		r := ask[*wire.SaslHandshakeResponse](b, v, wire.NewSaslHandshakeRequest())
		same(t, v, "handshake", []any{r.ErrorCode, len(r.Mechanisms)}, []any{wire.CodeIllegalSaslState, 0})
	})
	every(t, wire.KeySaslAuthenticate, func(v int16) {
		r := ask[*wire.SaslAuthenticateResponse](b, v, wire.NewSaslAuthenticateRequest())
		same(t, v, "authenticate", []any{r.ErrorCode, orEmpty(r.ErrorMessage)},
			[]any{wire.CodeIllegalSaslState, "SaslAuthenticate request received after successful authentication"})
	})
}

func TestNewGroupsAreUnsupported(t *testing.T) {
	b := newBench(t)
	beat := ask[*wire.ConsumerGroupHeartbeatResponse](b, 0, wire.NewConsumerGroupHeartbeatRequest())
	same(t, 0, "heartbeat", beat.ErrorCode, wire.CodeUnsupportedVersion)
	groups := ask[*wire.ConsumerGroupDescribeResponse](b, 0, &wire.ConsumerGroupDescribeRequest{GroupIDs: []string{"g", "h"}}).Groups
	same(t, 0, "groups", []any{len(groups), groups[1].GroupID, groups[1].ErrorCode}, []any{2, "h", wire.CodeUnsupportedVersion})
}

func TestDescribeClusterEndpoints(t *testing.T) {
	b := newBench(t)
	f := func(kind int8, code wire.Code, text string) {
		t.Helper()
		req := wire.NewDescribeClusterRequest()
		req.EndpointType = kind
		r := ask[*wire.DescribeClusterResponse](b, 1, req)
		same(t, 1, text, []any{r.ErrorCode, orEmpty(r.ErrorMessage)}, []any{code, text})
	}
	f(1, wire.CodeNone, "")
	f(2, wire.CodeMismatchedEndpointType, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
	f(9, wire.CodeUnsupportedEndpointType, "Unsupported endpoint type 9")
}
