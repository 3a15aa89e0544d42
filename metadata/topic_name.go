package metadata

import (
	"errors"
	"fmt"
)

// maxTopicName is Kafka's longest topic name in bytes.
const maxTopicName = 249

// ValidateTopicName checks Kafka's rules for the name of a topic: 1 to 249
// characters of [a-zA-Z0-9._-], not "." or "..". The errors are what Kafka's
// clients read behind "Topic name is invalid: ".
func ValidateTopicName(name string) error {
	switch {
	case name == "":
		return errors.New("the empty string is not allowed")
	case name == "." || name == "..":
		return fmt.Errorf("'%s' is not allowed", name)
	case len(name) > maxTopicName:
		return fmt.Errorf("the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	}
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
		default:
			return fmt.Errorf("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
}
