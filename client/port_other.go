//go:build !unix

package client

// taken reports whether an error means that a local port was taken by somebody
// else in the meantime; here errors do not tell.
func taken(error) bool { return false }
