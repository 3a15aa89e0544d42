package znode

import "fmt"

// Error says that a znode's content breaks a rule of its format.
type Error struct {
	// Path is the znode, Rule what is wrong with its content.
	Path, Rule string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("znode %s: %s", e.Path, e.Rule) }

// fault makes an *Error.
func fault(path, format string, args ...any) error {
	return &Error{Path: path, Rule: fmt.Sprintf(format, args...)}
}
