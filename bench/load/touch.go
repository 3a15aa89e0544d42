package load

import (
	"context"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// Touch writes one small record to each of the topic's partitions, so that
// every one has something to recover.
func Touch(ctx context.Context, addr, topic string, partitions int) error {
	batch, err := Batch{Records: 1, ValueSize: 100}.Encode(time.Now())
	if err != nil {
		return err
	}
	req := wire.NewProduceRequest()
	req.Acks, req.TimeoutMs = -1, int32(grace.Milliseconds())
	data := wire.ProduceRequestTopicData{Name: topic}
	for i := range partitions {
		data.PartitionData = append(data.PartitionData,
			wire.ProduceRequestPartitionData{Index: int32(i), Records: wire.Records{Bytes: batch}})
	}
	req.TopicData = append(req.TopicData, data)
	resp := wire.NewProduceResponse()
	if err := Call(ctx, addr, req, resp, produceVersion); err != nil {
		return err
	}
	for _, t := range resp.Responses {
		for _, p := range t.PartitionResponses {
			if p.ErrorCode != wire.CodeNone {
				return fmt.Errorf("write to %s-%d: %w", t.Name, p.Index, p.ErrorCode)
			}
		}
	}
	return nil
}
