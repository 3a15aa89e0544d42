package reach

import (
	"fmt"
	"strings"
)

// maxTopicName is Kafka's limit of a topic's name, in bytes.
const maxTopicName = 249

// CheckTopic refuses what no topic can be called (org.apache.kafka.common.internals.Topic).
func CheckTopic(name string) error {
	legal := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	illegal := func(r rune) bool { return !legal(r) }
	switch {
	case name == "":
		return fmt.Errorf("topic %q: the name is empty", name)
	case len(name) > maxTopicName || name == "." || name == ".." || strings.ContainsFunc(name, illegal):
		return fmt.Errorf("topic %q: a name is not . or .., and has 1 to %d letters, digits, dots, underscores and hyphens", name, maxTopicName)
	}
	return nil
}

// CheckTopics is CheckTopic for many.
func CheckTopics(names []string) error {
	for _, name := range names {
		if err := CheckTopic(name); err != nil {
			return err
		}
	}
	return nil
}
