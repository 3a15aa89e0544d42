package zk

import (
	"errors"
	"testing"
)

// TestPathRules has the cases of ZooKeeper's PathUtilsTest and the ranges that
// PathUtils names.
func TestPathRules(t *testing.T) {
	good := []string{
		"/", "/a", "/this is / a valid/path", "/name/with.period", "/name/with..period", "/name/.hidden", "/name/..x", "/a/...",
		"/test\u0020", "/test\u007e", "/\u00a0", "/\ud7ff", "/\uf900", "/\uffef", "/a./b", "/a../b",
	}
	for _, p := range good {
		if err := ValidatePath(p); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
	bad := []string{
		"", "not/valid", "/ends/in/slash/", "/test\u0000", "/double//slash", "//", "/single/./period", "/double/../period",
		"/name/.", "/name/..", "/.", "/..", "/./a", "/../a", "/test\u0001", "/test\u001f", "/test\u007f", "/test\u009f",
		"/test\ue000", "/test\uf8ff", "/test\ufff0", "/test\uffff", "/test\U0001F600", "/test\xff", "a", "/a/\xed\xa0\x80",
	}
	for _, p := range bad {
		if err := ValidatePath(p); !errors.Is(err, ErrBadArguments) {
			t.Errorf("%q: %v", p, err)
		}
	}
	if err := ValidateCreatePath("/a/", true); err != nil {
		t.Errorf("sequential node without a name: %v", err)
	}
	if err := ValidateCreatePath("/a/", false); err == nil {
		t.Error("plain node without a name accepted")
	}
}
