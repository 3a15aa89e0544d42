package api

import (
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/index"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// Code is the one place where the errors of owners become protocol codes. nil
// is NONE; what is not known here is UNKNOWN_SERVER_ERROR, which idempotent
// producers bear badly, so every error an owner can return has its line.
func Code(err error) wire.Code {
	if err == nil {
		return wire.CodeNone
	}
	if code, ok := errors.AsType[wire.Code](err); ok {
		return code
	}
	if code, ok := recordCode(err); ok {
		return code
	}
	if code, ok := storageCode(err); ok {
		return code
	}
	if code, ok := configCode(err); ok {
		return code
	}
	return wire.CodeUnknownServerError
}

// refusal is an error whose text is meant for the client.
type refusal struct {
	code wire.Code
	text string
}

// Error returns the text.
func (r *refusal) Error() string { return r.text }

func refuse(code wire.Code, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// explain returns the code of an error with the text for the client, nil where
// the code says it all or the text is not the client's business.
func explain(err error) (wire.Code, *string) {
	if _, ok := configCode(err); ok {
		return Code(err), new(err.Error())
	}
	return Code(err), nil
}

func configCode(err error) (wire.Code, bool) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code, true
	}
	if _, ok := errors.AsType[*config.RequestError](err); ok {
		return wire.CodeInvalidRequest, true
	}
	if _, ok := errors.AsType[*config.ValueError](err); ok {
		return wire.CodeInvalidConfig, true
	}
	if _, ok := errors.AsType[*config.RuleError](err); ok {
		return wire.CodeInvalidConfig, true
	}
	return 0, false
}

func recordCode(err error) (wire.Code, bool) {
	if r, ok := errors.AsType[*record.RejectedError](err); ok {
		if r.Timestamp {
			return wire.CodeInvalidTimestamp, true
		}
		return wire.CodeInvalidRecord, true
	}
	if _, ok := errors.AsType[*record.InvalidError](err); ok {
		return wire.CodeInvalidRecord, true
	}
	if _, ok := errors.AsType[*record.CorruptError](err); ok {
		return wire.CodeCorruptMessage, true
	}
	if _, ok := errors.AsType[*record.DecompressError](err); ok {
		return wire.CodeCorruptMessage, true
	}
	switch {
	case errors.Is(err, record.ErrShort):
		return wire.CodeCorruptMessage, true
	case errors.Is(err, record.ErrOldFormat):
		return wire.CodeInvalidRecord, true
	case errors.Is(err, record.ErrTooLarge):
		return wire.CodeMessageTooLarge, true
	case errors.Is(err, record.ErrUnsupportedCodec):
		return wire.CodeUnsupportedCompressionType, true
	}
	return 0, false
}

func storageCode(err error) (wire.Code, bool) {
	if _, ok := errors.AsType[*storage.OffsetError](err); ok {
		return wire.CodeOffsetOutOfRange, true
	}
	if _, ok := errors.AsType[*storage.DirError](err); ok {
		return wire.CodeKafkaStorageError, true
	}
	for _, row := range storageCodes {
		if errors.Is(err, row.err) {
			return row.code, true
		}
	}
	return 0, false
}

var storageCodes = []struct {
	err  error
	code wire.Code
}{
	{storage.ErrTooLarge, wire.CodeMessageTooLarge},
	{storage.ErrSegmentTooSmall, wire.CodeRecordListTooLarge},
	{storage.ErrClosed, wire.CodeNotLeaderOrFollower},
	{storage.ErrExhausted, wire.CodeKafkaStorageError},
	{storage.ErrTopicID, wire.CodeInconsistentTopicID},
	{index.ErrCorrupt, wire.CodeCorruptMessage},
	{producer.ErrOutOfOrder, wire.CodeOutOfOrderSequenceNumber},
	{producer.ErrEpoch, wire.CodeInvalidProducerEpoch},
	{producer.ErrCoordinatorEpoch, wire.CodeTransactionCoordinatorFenced},
	{producer.ErrTxnState, wire.CodeInvalidTxnState},
}
