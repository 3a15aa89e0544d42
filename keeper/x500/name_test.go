package x500

import (
	_ "embed"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/java.txt
var javas string

func TestNamesAreJavas(t *testing.T) {
	n := 0
	for line := range strings.Lines(javas) {
		if line[0] == '#' {
			continue
		}
		der, quoted, _ := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(der)
		if err != nil {
			t.Fatal(err)
		}
		want, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Name(b); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", der, got, err, want)
		}
		n++
	}
	if n < 50 {
		t.Errorf("%d names only", n)
	}
}

// FuzzName: what decodes is valid as an id of an ACL, for that is what a client
// wants to write into one.
func FuzzName(f *testing.F) {
	for line := range strings.Lines(javas) {
		der, _, _ := strings.Cut(line, " ")
		b, _ := hex.DecodeString(der)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		s, err := Name(der)
		if err != nil {
			return
		}
		if strings.Contains(s, "\x00") {
			t.Fatalf("%x: %q has a NUL", der, s)
		}
	})
}

func TestValid(t *testing.T) {
	yes := []string{
		"", "CN=a", "cn=a", "CN = a , O=b", "CN=a;O=b", "CN=a+OU=b", `CN="a,b"`, `CN=a\,b`, `CN=a\2Cb`, "1.2.3=a", "1.2.3=#0401ff", "CN=#0401ff",
		"OID.1.2.3=a", "EMAILADDRESS=a@b", "EMAIL=a", "S=x", "CN=", "CN=a=b", "CN=a#b", "CN= ", "1.2=a", " CN=a ", "CN=*", `CN=a\ `, "2.100.3=a",
	}
	no := []string{
		" ", "CN=a,b", "FOO=a", "CN=#zz", "CN=#", "CN=#04", "E=a", "SN=x", "CN", ",", "CN=a,", ",CN=a", "=a", "CN=a,,O=b", `CN="a`, `CN=a"`, "CN=a<b",
		`CN=a\`, "9.2.3=a", "1=a", "1.40=a", "TITLE=x", `CN=a\xb`, "alice", "*", "CN=a+", "CN=a>b", `CN="a"b`,
	}
	for _, s := range slices.Concat(yes, no) {
		if want := slices.Contains(yes, s); Valid(s) != want {
			t.Errorf("Valid(%q) = %v", s, !want)
		}
	}
}

func FuzzValid(f *testing.F) {
	f.Add("CN=a,O=b")
	f.Fuzz(func(t *testing.T, s string) {
		if Valid(s) && s != "" && !Valid(s+",CN=x") && !strings.HasSuffix(s, `\`) {
			t.Fatalf("%q is valid, with one more part it is not", s)
		}
	})
}
