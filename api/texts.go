package api

import "github.com/gregor-mq/gregor/wire"

// badTopicName is Kafka's text for a name that breaks a rule.
func badTopicName(err error) string { return "Topic name is invalid: " + err.Error() }

// codeText is Kafka's text of a code, for answers that have nothing better to
// say; clients print it.
func codeText(code wire.Code) string {
	switch code {
	case wire.CodeUnknownTopicOrPartition:
		return "This server does not host this topic-partition."
	case wire.CodeCoordinatorNotAvailable:
		return "The coordinator is not available."
	case wire.CodeNotController:
		return "This is not the correct controller for this cluster."
	case wire.CodeInvalidRequest:
		return "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. " +
			"See the broker logs for more details."
	}
	return code.Error()
}
