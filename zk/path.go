package zk

import (
	"fmt"
	"strings"
)

// ValidatePath applies the rules of ZooKeeper's PathUtils: a path starts with a
// slash, ends with none unless it is the root, has no empty, "." or ".." names,
// and no character that Java's servers refuse. The error wraps ErrBadArguments.
func ValidatePath(path string) error {
	reason := pathFault(path)
	if reason == "" {
		return nil
	}
	return fmt.Errorf("path %q: %s: %w", path, reason, ErrBadArguments)
}

// ValidateCreatePath is ValidatePath for a path to create: the number appended
// to a sequential node counts as part of the name, so that "/a/" is fine there.
func ValidateCreatePath(path string, sequential bool) error {
	if sequential {
		return ValidatePath(path + "1")
	}
	return ValidatePath(path)
}

// pathFault names the rule that path breaks, or is empty.
func pathFault(path string) string {
	switch {
	case path == "":
		return "is empty"
	case path[0] != '/':
		return "does not start with /"
	case path == "/":
		return ""
	case strings.HasSuffix(path, "/"):
		return "ends with /"
	}
	for i, r := range path {
		if badRune(r) {
			return fmt.Sprintf("character %U at byte %d is not allowed", r, i)
		}
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		switch name {
		case "":
			return "has an empty node name"
		case ".", "..":
			return "is relative"
		}
	}
	return ""
}

// badRune reports what PathUtils refuses: control characters, everything that
// is a surrogate or private to UTF-16 (so nothing beyond the basic plane), and
// its last 16 code points, among them the one that stands for broken UTF-8.
func badRune(r rune) bool {
	return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0
}
