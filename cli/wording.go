package cli

import (
	"errors"
	"regexp"
	"strings"
)

// Cobra's words for flags that do not go together speak of groups, which are
// something else here.
var (
	exclusive = regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`)
	oneNeeded = regexp.MustCompile(`^at least one of the flags in the group \[(.*)\] is required$`)
)

// reword returns an error of cobra's about flags in other words; others are left.
func reword(err error) error {
	if m := exclusive.FindStringSubmatch(err.Error()); m != nil {
		return errors.New(flags(m[1], " and ") + ": choose one")
	}
	if m := oneNeeded.FindStringSubmatch(err.Error()); m != nil {
		return errors.New(flags(m[1], " or ") + " is needed")
	}
	return err
}

// flags joins names of flags.
func flags(names, word string) string {
	list := strings.Fields(names)
	for i, name := range list {
		list[i] = "--" + name
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + word + list[last]
}
