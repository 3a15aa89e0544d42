// Package must ends the process on broken invariants of our own code.
//
// Whatever the outside world can do is an error value; must is for what only a
// bug can do, and it is always on.
//
//   - Owns: nothing.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: IllegalStateException.
package must

import "fmt"

// Bug panics with a formatted message that names the broken invariant.
func Bug(format string, args ...any) {
	panic("BUG: " + fmt.Sprintf(format, args...))
}

// Hold panics unless ok; msg names the invariant.
func Hold(ok bool, msg string) {
	if !ok {
		Bug("%s", msg)
	}
}
