package znode

import (
	"fmt"
	"maps"
	"slices"
)

// tellGroup tells of groups of the old consumer.
func (n Node) tellGroup(f *facts, path string, data []byte) (known bool, err error) {
	switch n.Kind {
	case ConsumerNode:
		var c Consumer
		if c, err = DecodeConsumer(path, data); err == nil {
			c.tell(f)
		}
	case OwnerNode:
		err = tellOwner(f, path, data)
	case OffsetNode:
		var offset int64
		if offset, err = DecodeOffset(path, data); err == nil {
			f.add("offset", "%d", offset)
		}
	default:
		return false, nil
	}
	return true, err
}

func (c Consumer) tell(f *facts) {
	name := map[string]string{StaticPattern: "topic", WhiteListPattern: "topics like", BlackListPattern: "topics unlike"}[c.Pattern]
	for _, topic := range slices.Sorted(maps.Keys(c.Streams)) {
		f.add(fmt.Sprintf("%s %s", name, topic), "%s", counted(c.Streams[topic], "stream"))
	}
	f.add("registered", "%s", moment(c.Timestamp))
}

func counted(n int32, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// tellOwner accepts a consumer's id alone: the first designs knew no streams.
func tellOwner(f *facts, path string, data []byte) error {
	text, err := plainText(path, data)
	if err != nil {
		return err
	}
	consumer, thread, ok := ParseThreadID(text)
	if !ok {
		f.add("consumer", "%s", text)
		return nil
	}
	f.add("consumer", "%s", consumer)
	f.add("stream", "%d", thread)
	return nil
}
